/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two user namespaces of one unprivileged user, side by side: from within one nothing can be done
 * in the other, but with the rights that a process outside lends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../slirp/proc/box.h"
#include "base/fd.h"
#include "net/link.h"
#include "net/rtnl.h"
#include "sys/netns.h"
#include "sys/outside.h"
#include "sys/userns.h"

struct two {
	struct box here, there;
	int host_fd; /* the namespace that both were made in, which is root's */
};

static int set_up(void **state)
{
	static struct two w;

	box_start(&w.here);
	box_start(&w.there);
	if (netns_open_self(&w.host_fd, NULL) < 0)
		return -1;
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct two *w = *state;

	box_end(&w->here);
	box_end(&w->there);
	fd_closep(&w->host_fd);
	return 0;
}

/* Entering is for good: each case is a process of its own. */
static void in_process(const struct two *w, bool is_lent, int (*fn)(const struct two *w))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = ERR_INIT;

		if ((is_lent && outside_start(&e) < 0) ||
		    userns_join(w->here.userns_fd, w->here.netns_fd, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(99);
		}
		status = fn(w);
		outside_end();
		_exit(status);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%d: %s (%s)\n", __LINE__, #cond, e.text);                 \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static struct veth_spec pair(const struct two *w)
{
	return (struct veth_spec){.host_ifname = "nutest0",
				  .ctr_ifname = "eth0",
				  .ctr_netns_fd = w->there.netns_fd,
				  .host_mac = {{2, 0, 0, 0, 0, 1}},
				  .ctr_mac = {{2, 0, 0, 0, 0, 2}},
				  .mtu = 1500,
				  .group = LINK_GROUP_VETH};
}

static int nothing_alone(const struct two *w)
{
	CLEAN_RTNL struct rtnl *own = NULL, *there = NULL, *lent = NULL;
	const struct veth_spec s = pair(w);
	struct err e = ERR_INIT;
	uint32_t a, b;

	EXPECT(rtnl_open(&own, &e) == 0);
	EXPECT(rtnl_open_in(w->there.netns_fd, &there, &e) < 0 && e.kind == ERR_DENIED);
	EXPECT(rtnl_open_lent(&lent, &e) < 0 && e.kind == ERR_UNSUPPORTED);
	err_reset(&e);
	/* Kernels that looked at one of the two alone would let it pass: then it is not ours to
	 * refuse, but what follows needs nothing of the kind. */
	if (link_veth_add(own, &s, &a, &b, &e) == 0)
		EXPECT(link_del(own, a, &e) >= 0);
	return 0;
}

static int all_lent(const struct two *w)
{
	CLEAN_RTNL struct rtnl *own = NULL, *there = NULL, *lent = NULL;
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	const struct veth_spec s = pair(w);
	struct err e = ERR_INIT;
	struct link_info l;
	uint64_t here, other, cookie;
	uint32_t out, in;

	EXPECT(rtnl_open(&own, &e) == 0 && rtnl_cookie(own, &here, &e) == 0);
	EXPECT(rtnl_open_lent(&lent, &e) == 0 && rtnl_cookie(lent, &cookie, &e) == 0);
	EXPECT(cookie == here);
	EXPECT(rtnl_open_in(w->there.netns_fd, &there, &e) == 0);
	EXPECT(rtnl_cookie(there, &other, &e) == 0 && other != here);
	EXPECT(link_veth_add(lent, &s, &out, &in, &e) == 0);
	EXPECT(link_get(own, "nutest0", &l, &e) == 0 && l.index == out);
	EXPECT(link_get(there, "eth0", &l, &e) == 0 && l.index == in && !l.is_up);
	EXPECT(rtnl_batch_new(there, &b, &e) == 0 && link_set_up(b, 1, &e) == 0 &&
	       link_set_up(b, in, &e) == 0 && rtnl_batch_run(b, &e) == 0);
	EXPECT(link_get(there, "eth0", &l, &e) == 0 && l.is_up);
	EXPECT(link_del(own, out, &e) >= 0);
	return 0;
}

static int not_root(const struct two *w)
{
	CLEAN_RTNL struct rtnl *host = NULL;
	struct err e = ERR_INIT;

	EXPECT(rtnl_open_in(w->host_fd, &host, &e) < 0 && e.kind == ERR_DENIED);
	return 0;
}

static int twice(const struct two *w)
{
	struct err e = ERR_INIT;

	(void)w;
	EXPECT(outside_is_there());
	EXPECT(outside_start(&e) == 0); /* the same one */
	outside_end();
	outside_end();
	EXPECT(!outside_is_there());
	EXPECT(outside_send(0, "x", 1) < 0);
	EXPECT(waitpid(-1, NULL, WNOHANG) < 0); /* it has been waited for */
	return 0;
}

static void test_nothing_alone(void **state)
{
	in_process(*state, false, nothing_alone);
}

static void test_all_lent(void **state)
{
	in_process(*state, true, all_lent);
	in_process(*state, true, all_lent);
}

static void test_not_root(void **state)
{
	in_process(*state, true, not_root);
}

static void test_end(void **state)
{
	in_process(*state, true, twice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_alone),
		cmocka_unit_test(test_all_lent),
		cmocka_unit_test(test_not_root),
		cmocka_unit_test(test_end),
	};

	box_become_user();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

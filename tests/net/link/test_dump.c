/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of dumps: 1,000 links, small receive buffers, and links that come and go meanwhile. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "net/dump.h"
#include "net/link.h"
#include "net/link_stats.h"
#include "net/rtnl_wire.h"
#include "world.h"

#define N_PAIRS 500

static void add_pair(struct rtnl *r, int netns, const char *a, const char *b)
{
	uint32_t x, y;
	struct veth_spec s = {.host_ifname = a,
			      .ctr_ifname = b,
			      .ctr_netns_fd = netns,
			      .host_mac = mac_of("02:00:00:00:00:01"),
			      .ctr_mac = mac_of("02:00:00:00:00:02")};

	OK(link_veth_add(r, &s, &x, &y, &world_err));
}

static int setup(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	CLEAN_FD int self = -1;
	char a[16], b[16];
	unsigned int i;
	double start;

	if (world_enter(state) < 0)
		return -1;
	self = world_self();
	OK(rtnl_open(&r, &world_err));
	start = world_ms();
	for (i = 0; i < N_PAIRS; i++) {
		(void)snprintf(a, sizeof(a), "st%u", 2 * i);
		(void)snprintf(b, sizeof(b), "st%u", 2 * i + 1);
		add_pair(r, self, a, b);
	}
	print_message("# %u links made, %.3f ms a pair\n", 2 * N_PAIRS,
		      (world_ms() - start) / N_PAIRS);
	return 0;
}

struct tally {
	unsigned char seen[2 * N_PAIRS];
	unsigned int n_stable, n_other;
};

static int count(const struct link_info *li, void *arg)
{
	struct tally *t = arg;
	unsigned int i;

	if (sscanf(li->name, "st%u", &i) != 1 || i >= 2 * N_PAIRS) {
		t->n_other++;
		return 0;
	}
	assert_string_equal(li->kind, "veth");
	assert_int_equal(t->seen[i]++, 0);
	t->n_stable++;
	return 0;
}

static void check_all(struct rtnl *r)
{
	struct tally t = {0};

	OK(link_each(r, count, &t, &world_err));
	assert_int_equal(t.n_stable, 2 * N_PAIRS);
	assert_true(t.n_other >= 1); /* lo */
}

static void set_rcvbuf(struct rtnl *r, int bytes)
{
	assert_int_equal(setsockopt(rtnl_fd(r), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

/* Makes and deletes links until it is killed. */
static pid_t start_churn(unsigned int n)
{
	pid_t pid = fork();
	struct rtnl *r = NULL;
	char a[16], b[16];
	uint32_t x, y;
	struct veth_spec s = {.host_ifname = a,
			      .ctr_ifname = b,
			      .host_mac = {{2, 0, 0, 0, 0, 3}},
			      .ctr_mac = {{2, 0, 0, 0, 0, 4}}};

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)snprintf(a, sizeof(a), "ch%u-a", n);
	(void)snprintf(b, sizeof(b), "ch%u-b", n);
	s.ctr_netns_fd = world_self();
	if (rtnl_open(&r, NULL) < 0)
		_exit(1);
	for (;;)
		if (link_veth_add(r, &s, &x, &y, NULL) < 0 || link_del(r, x, NULL) < 0)
			_exit(1);
}

struct rounds {
	unsigned int n_restarts;
};

static void on_restart(void *arg)
{
	struct rounds *c = arg;

	c->n_restarts++;
}

struct stats_tally {
	struct link_stats lo;
	unsigned int n;
	uint32_t last;
};

static int see_stats(const struct link_stats *s, void *arg)
{
	struct stats_tally *t = arg;

	t->n++;
	if (s->index == 1)
		t->lo = *s;
	return s->index == t->last ? 77 : 0;
}

/* The counters of every link, those of lo grow by what is sent, and a callback may stop. */
static void test_stats(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct stats_tally before = {0}, after = {0}, stopped = {.last = 1};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CLEAN_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CLEAN_RTNL_BATCH struct rtnl_batch *b = NULL;
	char data[1000] = {0};

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_batch_new(r, &b, &world_err));
	OK(link_set_up(b, 1, &world_err));
	OK(rtnl_batch_run(b, &world_err));
	set_rcvbuf(r, 4096);
	OK(link_stats_each(r, see_stats, &before, &world_err));
	assert_true(before.n >= 2 * N_PAIRS + 1);
	assert_int_equal(before.lo.index, 1);
	assert_int_equal(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(data));
	OK(link_stats_each(r, see_stats, &after, &world_err));
	assert_int_equal(after.n, before.n);
	assert_true(after.lo.tx_bytes >= before.lo.tx_bytes + sizeof(data));
	assert_true(after.lo.rx_packets > before.lo.rx_packets);
	assert_int_equal(link_stats_each(r, see_stats, &stopped, NULL), 77);
}

static void test_churn(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct ifinfomsg ifi = {0};
	struct rounds c = {0};
	struct err e = ERR_INIT;
	pid_t pids[3];
	double took[30], start = world_ms();
	unsigned int i, n_dumps = 0;
	int status, w;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	set_rcvbuf(r, 1);
	check_all(r);
	for (i = 0; i < 3; i++)
		pids[i] = start_churn(i);
	/* Is it churn enough? */
	while (c.n_restarts == 0 && world_ms() - start < 30000) {
		n_dumps++;
		w = rtnl_call(r, rtnl_msg(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi)), NULL,
			      on_restart, &c, "all links", &e);
		assert_true(w == 0 || (w == -EAGAIN && e.kind == ERR_BUSY));
	}
	assert_true(c.n_restarts > 0);
	print_message("# interrupted %u times in %u dumps\n", c.n_restarts, n_dumps);
	for (i = 0; i < 30; i++) {
		set_rcvbuf(r, i % 2 ? 1 : 1 << 20);
		start = world_ms();
		check_all(r);
		took[i] = world_ms() - start;
	}
	world_print("listing 1,000 links while others come and go", took, 30);
	for (i = 0; i < 3; i++) {
		assert_int_equal(kill(pids[i], SIGKILL), 0);
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		/* It was at work until then. */
		assert_true(WIFSIGNALED(status));
		/* The pair that it was just at. */
		char name[16];
		struct link_info l;
		(void)snprintf(name, sizeof(name), "ch%u-a", i);
		if (link_get(r, name, &l, NULL) == 0)
			OK(link_del(r, l.index, &world_err));
	}
}

/* ---- a dump that is interrupted in every round ---- */

static struct rtnl *meddler;
static unsigned int n_meddled, n_parsed;

struct item {
	uint32_t index;
	unsigned int nth; /* message of all rounds */
};

static bool meddle(const struct nlmsghdr *h, void *item)
{
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct item *it = item;
	struct bridge_spec s = {.mac = {{2, 0, 0, 0, 0, 5}}};
	uint32_t index;
	char name[16];

	if (ifi->ifi_index == 1 && meddler) {
		(void)snprintf(name, sizeof(name), "mb%u", n_meddled++);
		s.name = name;
		OK(link_bridge_add(meddler, &s, &index, &world_err));
	}
	it->index = (uint32_t)ifi->ifi_index;
	it->nth = n_parsed++;
	return true;
}

struct got {
	unsigned int n, min_nth;
	uint32_t last;
};

static int take(const void *item, void *arg)
{
	const struct item *it = item;
	struct got *g = arg;

	assert_int_not_equal(it->index, g->last);
	g->last = it->index;
	if (g->n++ == 0 || it->nth < g->min_nth)
		g->min_nth = it->nth;
	return 0;
}

static int stop_at_3(const void *item, void *arg)
{
	unsigned int *n = arg;

	(void)item;
	return ++*n == 3 ? 33 : 0;
}

static void test_always_interrupted(void **state)
{
	static const struct dump_spec spec = {
		.what = "meddled", .size = sizeof(struct item), .key_size = 4, .parse = meddle};
	CLEAN_RTNL struct rtnl *r = NULL;
	struct ifinfomsg ifi = {0};
	struct got g = {0};
	unsigned int n = 0;

	(void)state;
	OK(rtnl_open(&r, &world_err));
	OK(rtnl_open(&meddler, &world_err));
	n_meddled = n_parsed = 0;
	OK(dump_run(r, rtnl_msg(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi)), &spec, take, &g,
		    &world_err));
	/* Five rounds; each link once, as seen last: nothing that was seen in the first round only.
	 */
	assert_int_equal(n_meddled, 5);
	assert_true(g.n >= 2 * N_PAIRS + 1 && g.n <= 2 * N_PAIRS + 1 + 5);
	assert_true(n_parsed >= 5 * (2 * N_PAIRS + 1));
	assert_true(g.min_nth >= 2 * N_PAIRS + 1);
	rtnl_closep(&meddler);
	/* In peace: one round; and the callback can end it. */
	n_parsed = 0;
	g = (struct got){0};
	OK(dump_run(r, rtnl_msg(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi)), &spec, take, &g,
		    &world_err));
	assert_int_equal(n_parsed, g.n);
	assert_int_equal(dump_run(r, rtnl_msg(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi)), &spec,
				  stop_at_3, &n, &world_err),
			 33);
	assert_int_equal(n, 3);
}

/* A message of another request, left in the socket, is not taken for an answer. */
static void test_stale_answers(void **state)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct ifinfomsg ifi = {0};
	struct link_info li;
	struct nl_msg *m;
	struct err e = ERR_INIT;
	struct rounds c = {0};

	(void)state;
	OK(rtnl_open(&r, &world_err));
	/* An abandoned get of another link. */
	ifi.ifi_index = 2;
	m = rtnl_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi));
	assert_non_null(m);
	(void)rtnl_stamp(r, nlmsg_hdr(m));
	assert_true(send(rtnl_fd(r), nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 0) > 0);
	nlmsg_free(m);
	OK(link_get(r, "lo", &li, &world_err));
	assert_int_equal(li.index, 1);
	/* Overrun by gets that nobody reads: the next get is asked for again. */
	set_rcvbuf(r, 1);
	m = rtnl_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi));
	assert_non_null(m);
	nlmsg_hdr(m)->nlmsg_seq = 4000000000U;
	for (int i = 0; i < 20; i++)
		assert_true(send(rtnl_fd(r), nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len, 0) > 0);
	nlmsg_free(m);
	ifi.ifi_index = 1;
	assert_int_equal(rtnl_call(r, rtnl_msg(RTM_GETLINK, 0, &ifi, sizeof(ifi)), NULL, on_restart,
				   &c, "lo", &e),
			 0);
	assert_int_equal(c.n_restarts, 1);
	OK(link_get(r, "lo", &li, &world_err));
	assert_int_equal(li.index, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_always_interrupted),
		cmocka_unit_test(test_stale_answers),
	};

	return cmocka_run_group_tests_name("dump", tests, setup, NULL);
}

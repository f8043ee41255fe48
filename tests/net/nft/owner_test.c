/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owner_test: tables that are held: made anew with everything in them, closed to all others, left
 * behind by a holder that died, taken over, given back; and writers that ask the holder for its
 * socket. Runs in a network namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/nftmsg.h"
#include "net/nftshare.h"
#include "net/ruleset.h"
#include "population.h"
#include "sys/fdpass.h"

#define HELD (NFTBATCH_OWNER | NFTBATCH_PERSIST)

static char dir[] = "/tmp/owner_test.XXXXXX";
static char door[64];

static void must(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%d: %s", r, e->text);
}

static struct nftbatch *open_batch(const char *at, struct nftshare *s)
{
	struct nftbatch *n = NULL;
	struct err e = ERR_INIT;

	must(nftbatch_open(&n, &e), &e);
	must(nftbatch_use(n, at, s, &e), &e);
	return n;
}

static struct nftshare *make_share(void)
{
	struct nftshare *s = NULL;
	struct err e = ERR_INIT;

	must(nftshare_make(&s, &e), &e);
	return s;
}

/* The base with every kind of element in every set. */
static void load(struct elem_list *l)
{
	CLEAN_BUF struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	population_elements(24, 3, l);
	ruleset_base(7, &b);
	ruleset_elements(l, &b);
	assert_false(b.failed);
	must(nft_run(b.p, &e), &e);
}

static void list(struct buf *out)
{
	struct err e = ERR_INIT;

	out->len = 0;
	must(nft_list(out, &e), &e);
}

static void assert_alike(const char *a, const char *b)
{
	const char *x = a, *y = b;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	if (*x == *y)
		return;
	while (x > a && x[-1] != '\n') {
		x--;
		y--;
	}
	fail_msg("they differ:\n%.*s\n%.*s", (int)strcspn(x, "\n"), x, (int)strcspn(y, "\n"), y);
}

static void assert_held(struct nftbatch *n, uint32_t flags, uint32_t owner)
{
	struct nftbatch_table t[2];
	struct err e = ERR_INIT;

	must(nftbatch_holders(n, t, &e), &e);
	for (int i = 0; i < 2; i++) {
		assert_true(t[i].is_there);
		assert_int_equal(t[i].flags, flags);
		assert_int_equal(t[i].owner, owner);
	}
}

static void adopt(struct nftbatch *n, int want)
{
	struct err e = ERR_INIT;
	int r = nftbatch_adopt(n, &e);

	must(r, &e);
	assert_int_equal(r, want);
}

static int setup(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

static void every_set_is_filled(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	bool has[N_SETS] = {false};

	(void)state;
	population_elements(24, 3, &l);
	for (size_t i = 0; i < l.n; i++)
		has[l.v[i].set] = true;
	for (size_t i = 0; i < N_SETS; i++)
		if (!has[i])
			fail_msg("no element in %s", elem_sets[i].name);
}

/* There and back: not a line differs, and everything still loads and takes elements. */
static void clone_lists_alike(void **state)
{
	CLEAN_BUF struct buf before = BUF_INIT, held = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	CLEAN_FREE bool *has = NULL;
	struct nftshare *s = make_share();
	struct nftbatch *n = open_batch(NULL, s);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(nftbatch_can_hold(n, &e), 1);
	adopt(n, 1);
	load(&l);
	list(&before);
	assert_held(n, 0, 0);
	adopt(n, 0);
	assert_held(n, HELD, nftshare_port(s));
	list(&held);
	assert_alike(before.p, held.p);
	has = calloc(l.n, sizeof(*has));
	must(nftbatch_has(n, &l, has, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		assert_true(has[i]);
	must(nftbatch_del(n, &l, &e), &e);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	list(&held);
	assert_alike(before.p, held.p);
	adopt(n, 0);
	must(nftbatch_release(n, &e), &e);
	assert_held(n, 0, 0);
	list(&after);
	assert_alike(before.p, after.p);
	must(nftbatch_release(n, &e), &e);
	assert_int_equal(nftbatch_tables(n, ruleset_version(), 7, &e), 0);
	adopt(n, 0);
	must(nftbatch_drop_tables(n, &e), &e);
	adopt(n, 1);
	nftbatch_closep(&n);
	nftshare_closep(&s);
}

/* Objects and what somebody added by hand go along. */
static void clone_takes_all(void **state)
{
	CLEAN_BUF struct buf before = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	struct nftshare *s = make_share();
	struct nftbatch *n = open_batch(NULL, s);
	struct err e = ERR_INIT;

	(void)state;
	load(&l);
	must(nft_run("add counter inet netd hits\n"
		     "add chain inet netd theirs { type filter hook input priority 7; policy drop; "
		     "}\n"
		     "add map inet netd where { type ipv4_addr : verdict; flags interval; "
		     "elements = { 10.0.0.0/8 : jump to_container, 11.0.0.0-11.0.0.9 : accept }; "
		     "}\n"
		     "add rule inet netd theirs ip saddr vmap @where comment \"a rule\"\n"
		     "add rule inet netd theirs tcp dport vmap { 1-5 : accept, 6-9 : drop, 22 : "
		     "jump "
		     "to_container } counter\n"
		     "add rule inet netd theirs counter name hits ip saddr { 0.0.0.0-9.0.0.0, "
		     "255.0.0.0/8 } accept\n",
		     &e),
	     &e);
	list(&before);
	adopt(n, 0);
	list(&after);
	assert_alike(before.p, after.p);
	must(nftbatch_release(n, &e), &e);
	list(&after);
	assert_alike(before.p, after.p);
	nftbatch_closep(&n);
	nftshare_closep(&s);
}

static void others_are_refused(void **state)
{
	CLEAN_BUF struct buf before = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	struct nftshare *s = make_share(), *second = make_share();
	struct nftbatch *n = open_batch(NULL, s), *other = open_batch(NULL, NULL);
	struct nftbatch *rival = open_batch(NULL, second);
	struct err e = ERR_INIT;

	(void)state;
	load(&l);
	adopt(n, 0);
	list(&before);
	assert_int_equal(nft_run("delete table inet netd\n", &e), -EPERM);
	err_reset(&e);
	assert_int_equal(nft_run("flush chain bridge netd guard\n", &e), -EPERM);
	err_reset(&e);
	assert_int_equal(nftbatch_del(other, &l, &e), -EPERM);
	assert_int_equal(e.kind, ERR_DENIED);
	assert_non_null(strstr(e.text, "another process holds the tables"));
	err_reset(&e);
	assert_int_equal(nftbatch_release(other, &e), -EPERM);
	err_reset(&e);
	adopt(rival, 2);
	must(nft_run("table ip theirs { }\n", &e), &e);
	must(nft_run("flush ruleset\n", &e), &e);
	list(&after);
	assert_alike(before.p, after.p);
	nftbatch_closep(&rival);
	nftbatch_closep(&other);
	nftbatch_closep(&n);
	nftshare_closep(&second);
	nftshare_closep(&s);
}

static void orphans_are_taken_over(void **state)
{
	CLEAN_BUF struct buf before = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0};
	struct nftshare *s = make_share(), *next = make_share();
	struct nftbatch *n = open_batch(NULL, s), *heir = open_batch(NULL, next);
	struct err e = ERR_INIT;

	(void)state;
	load(&l);
	list(&before);
	adopt(n, 0);
	nftbatch_closep(&n);
	nftshare_closep(&s); /* its holder dies */
	assert_held(heir, NFTBATCH_PERSIST, 0);
	/* Nobody's: everybody writes, as to a plain one. */
	n = open_batch(NULL, NULL);
	must(nftbatch_del(n, &l, &e), &e);
	must(nftbatch_add(n, &l, NULL, &e), &e);
	adopt(heir, 0);
	assert_held(heir, HELD, nftshare_port(next));
	list(&after);
	assert_alike(before.p, after.p);
	assert_int_equal(nftbatch_del(n, &l, &e), -EPERM);
	nftshare_closep(&next);
	/* And the other way: a base is loaded where an orphan is. */
	next = NULL;
	must(nftbatch_release(n, &e), &e);
	assert_held(n, 0, 0);
	list(&after);
	assert_alike(before.p, after.p);
	nftbatch_closep(&heir);
	nftbatch_closep(&n);
}

/* One of the two was made anew by hand. */
static void halves(void **state)
{
	CLEAN_ELEMS struct elem_list l = {0};
	struct nftshare *s = make_share();
	struct nftbatch *n = open_batch(NULL, s);
	struct err e = ERR_INIT;

	(void)state;
	load(&l);
	adopt(n, 0);
	nftbatch_closep(&n);
	nftshare_closep(&s);
	must(nft_run("delete table bridge netd\ntable bridge netd {\nchain c {\n}\n}\n", &e), &e);
	s = make_share();
	n = open_batch(NULL, s);
	adopt(n, 0);
	assert_held(n, HELD, nftshare_port(s));
	nftbatch_closep(&n);
	nftshare_closep(&s);
}

/* ---- the door ---- */

static pid_t holder(struct nftshare *s, int door_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct pollfd p = {.fd = door_fd, .events = POLLIN};

		poll(&p, 1, -1);
		nftshare_serve(door_fd, s);
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void writers_ask_at_the_door(void **state)
{
	CLEAN_BUF struct buf before = BUF_INIT, after = BUF_INIT;
	CLEAN_ELEMS struct elem_list l = {0}, one = {0};
	struct nftshare *s = make_share();
	struct nftbatch *n = open_batch(NULL, s), *w = open_batch(door, NULL);
	struct err e = ERR_INIT;
	struct stat st;
	int fd = -1;
	pid_t pid, kid[4];

	(void)state;
	must(nftshare_listen(door, &fd, &e), &e);
	assert_int_equal(stat(door, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	load(&l);
	list(&before);
	adopt(n, 0);
	pid = holder(s, fd);
	nftbatch_closep(&n);
	nftshare_closep(&s);
	close(fd);
	must(nftbatch_del(w, &l, &e), &e);
	must(nftbatch_add(w, &l, NULL, &e), &e);
	list(&after);
	assert_alike(before.p, after.p);
	/* Side by side, some of them killed in the middle. */
	for (unsigned k = 0; k < 4; k++) {
		kid[k] = fork();
		if (kid[k] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			struct nftbatch *mine = open_batch(door, NULL);

			population_plain(7000 + 100 * k, 20, &one);
			for (int i = 0; i < (k < 2 ? 40 : 100000); i++)
				if (nftbatch_add(mine, &one, NULL, &e) < 0 ||
				    nftbatch_del(mine, &one, &e) < 0)
					_exit(1);
			_exit(0);
		}
	}
	for (unsigned k = 0; k < 2; k++) {
		int status;

		usleep(30000);
		end(kid[2 + k]);
		assert_int_equal(waitpid(kid[k], &status, 0), kid[k]);
		assert_int_equal(status, 0);
	}
	for (unsigned k = 2; k < 4; k++) {
		one.n = 0;
		population_plain(7000 + 100 * k, 20, &one);
		must(nftbatch_del(w, &one, &e), &e);
	}
	list(&after);
	assert_alike(before.p, after.p);
	/* The holder's death changes nothing for who has the socket. */
	end(pid);
	must(nftbatch_del(w, &one, &e), &e);
	must(nftbatch_release(w, &e), &e);
	list(&after);
	assert_alike(before.p, after.p);
	nftbatch_closep(&w);
}

/* A door that leads to something else. */
static void liars(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CLEAN_FD int like = socket(AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */);

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), conn;
		struct nftshare *got = NULL;
		struct err e = ERR_INIT;
		int status = 0;
		pid_t pid;

		unlink(door);
		strcpy(sa.sun_path, door);
		assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		if (kind == 3) { /* nobody listens any more */
			close(fd);
			assert_int_equal(nftshare_fetch(door, like, &got, &e), 1);
			continue;
		}
		assert_int_equal(listen(fd, 1), 0);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			int fds[3] = {open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY), 0};
			size_t n = kind == 1 ? 3 : 2;

			conn = accept(fd, NULL, NULL);
			fdpass_send(conn, "nft", 4, fds, kind == 2 ? 0 : n);
			_exit(0);
		}
		int r = nftshare_fetch(door, like, &got, &e);
		assert_true(r < 0);
		assert_null(got);
		waitpid(pid, &status, 0);
		close(fd);
	}
	unlink(door);
	struct err e = ERR_INIT;
	struct nftshare *got = NULL;
	assert_int_equal(nftshare_fetch(door, like, &got, &e), 1);
}

static void another_namespace(void **state)
{
	struct nftshare *got = NULL, *s = make_share();
	struct err e = ERR_INIT;
	int fd = -1;
	pid_t pid;

	must(nftshare_listen(door, &fd, &e), &e);
	pid = holder(s, fd);
	close(fd);
	assert_int_equal(setup(state), 0);
	CLEAN_FD int like = socket(AF_NETLINK, SOCK_RAW, 12);
	assert_true(nftshare_fetch(door, like, &got, &e) < 0);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	assert_null(got);
	err_reset(&e);
	/* While somebody is there nobody else opens. */
	assert_true(nftshare_listen(door, &fd, &e) < 0);
	assert_int_equal(e.kind, ERR_CONFLICT);
	end(pid);
	must(nftshare_listen(door, &fd, &e), &e);
	close(fd);
	unlink(door);
	nftshare_closep(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_is_filled),
		cmocka_unit_test_setup(clone_lists_alike, setup),
		cmocka_unit_test_setup(clone_takes_all, setup),
		cmocka_unit_test_setup(others_are_refused, setup),
		cmocka_unit_test_setup(orphans_are_taken_over, setup),
		cmocka_unit_test_setup(halves, setup),
		cmocka_unit_test_setup(writers_ask_at_the_door, setup),
		cmocka_unit_test_setup(liars, setup),
		cmocka_unit_test_setup(another_namespace, setup),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(door, sizeof(door), "%s/nft.sock", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(door);
	rmdir(dir);
	return r;
}

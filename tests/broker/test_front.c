/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front: the process that strangers talk to, with this one as its clients and as its back. Its jail
 * is left out and its clock is ours (the linker puts the functions below in their place): what is
 * passed on and what is refused, who is cut when, that a late answer meets nobody else, what a user
 * may have under way, and how it ends.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/call.h"
#include "broker/front.h"
#include "broker/request.h"
#include "sys/fdpass.h"

#define STATUS "{\"netd\":1,\"verb\":\"status\"}"
#define ATTACH "{\"netd\":1,\"verb\":\"attach\",\"id\":\"web\"}"
#define LONG_MS 60000 /* for what comes at once */

int __wrap_front_jail(const struct front_config *c, struct err *e);
uint64_t __wrap_clock_ms(void);

static volatile uint64_t *now_ms; /* both processes' */
static struct sockaddr_un name;
static socklen_t name_len;
static int back, listener;
static pid_t front;

int __wrap_front_jail(const struct front_config *c, struct err *e)
{
	(void)c;
	(void)e;
	return 0;
}

uint64_t __wrap_clock_ms(void)
{
	return *now_ms;
}

static void start(const int *conn, size_t n_conn)
{
	struct front_config c = {.conn = conn, .n_conn = n_conn};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	front = fork();
	if (front == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		c.listener = listener;
		c.back = pair[1];
		exit(front_main(&c));
	}
	assert_true(front > 0);
	close(pair[1]);
	back = pair[0];
}

static int set_up_listener(void **state)
{
	(void)state;
	*now_ms = 1000000;
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, &(struct sockaddr){AF_UNIX}, sizeof(sa_family_t)), 0);
	name_len = sizeof(name);
	getsockname(listener, (struct sockaddr *)&name, &name_len);
	assert_int_equal(listen(listener, 256), 0);
	return 0;
}

static int set_up(void **state)
{
	set_up_listener(state);
	start(NULL, 0);
	return 0;
}

static void check_end(void)
{
	int status;

	assert_int_equal(waitpid(front, &status, 0), front);
	front = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Without its back it ends. */
static int tear_down(void **state)
{
	(void)state;
	close(back);
	close(listener);
	if (front > 0)
		check_end();
	return 0;
}

static void await(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, LONG_MS), 1);
}

/* ---- clients ---- */

static int connects(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, name_len), 0);
	return fd;
}

static int asks(const char *text)
{
	int fd = connects();

	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

/* The front stands still, so that a client has asked, or is gone, when it is accepted. */
static void hold(void)
{
	int status;

	assert_int_equal(kill(front, SIGSTOP), 0);
	assert_int_equal(waitpid(front, &status, WUNTRACED), front);
	assert_true(WIFSTOPPED(status));
}

static void go_on(void)
{
	assert_int_equal(kill(front, SIGCONT), 0);
}

static void hears(int fd, const char *text)
{
	char room[1024] = "";

	await(fd);
	assert_int_equal(recv(fd, room, sizeof(room) - 1, 0), strlen(text));
	assert_string_equal(room, text);
	await(fd);
	assert_int_equal(recv(fd, room, sizeof(room), 0), 0);
	close(fd);
}

static void hears_no(int fd, enum err_kind kind)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	request_refusal(kind, WHAT_NONE, &b);
	assert_false(b.failed);
	hears(fd, b.p);
}

static bool is_silent(int fd)
{
	return recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* ---- the back ---- */

static void tell(uint32_t verb, uint32_t slot, uint32_t turn, const char *text)
{
	struct answer a = {.magic = CALL_MAGIC, .verb = verb, .slot = slot, .turn = turn};
	char message[sizeof(a) + 256];

	memcpy(message, &a, sizeof(a));
	memcpy(message + sizeof(a), text, strlen(text));
	assert_int_equal(fdpass_send(back, message, sizeof(a) + strlen(text), NULL, 0), 0);
}

static struct call next(int *ret_fd, size_t max, size_t *ret_n)
{
	struct call c = {0};
	size_t n = 0;

	await(back);
	assert_int_equal(fdpass_recv(back, &c, sizeof(c), ret_fd, max), sizeof(c));
	assert_int_equal(c.magic, CALL_MAGIC);
	while (n < max && ret_fd[n] >= 0)
		n++;
	*ret_n = n;
	return c;
}

/* The next request, with its connection; in which it still is, unread. */
static struct call gets(uint32_t verb)
{
	size_t n;
	int fd;
	struct call c = next(&fd, 1, &n);

	assert_int_equal(n, 1);
	assert_int_equal(c.verb, verb);
	assert_int_equal(call_check(&c, sizeof(c), 1, NULL), 0);
	assert_false(is_silent(fd));
	close(fd);
	return c;
}

static void answers(const struct call *c, const char *text)
{
	tell(0, c->slot, c->turn, text);
}

/* All that has been said before is dealt with: it was there in one of two rounds. Somebody must be
 * served, or the front ends. */
static void settle(void)
{
	size_t n;
	int fd;

	for (int i = 0; i < 2; i++) {
		tell(CALL_QUIT, 0, 0, "");
		assert_int_equal(next(&fd, 1, &n).verb, CALL_BUSY);
		assert_int_equal(n, 0);
	}
}

static void later(uint64_t ms)
{
	*now_ms += ms;
	tell(0, UINT32_MAX, 0, ""); /* to nobody: it looks at its clock */
}

/* ---- tests ---- */

static void test_passed_on(void **state)
{
	int fd = asks(STATUS), other = connects();
	struct call c = gets(CALL_STATUS);

	(void)state;
	/* What is meant for another place, or for who had this one before. */
	tell(0, c.slot + 1, c.turn, "no");
	tell(0, c.slot, c.turn + 1, "no");
	tell(0, QUEUE_CONNS, c.turn, "no");
	settle();
	assert_true(is_silent(fd) && is_silent(other));
	answers(&c, "yes");
	hears(fd, "yes");
	answers(&c, "again");
	settle();
	assert_true(is_silent(other));
	close(other);
}

static void test_refused(void **state)
{
	static char longer[REQUEST_BYTES + 1];
	static const struct {
		const char *text;
		bool has_fd;
		enum err_kind kind;
	} table[] = {
		{"x", false, ERR_PROTOCOL},
		{"{}", false, ERR_PROTOCOL},
		{STATUS "{}", false, ERR_PROTOCOL},
		{"{\"netd\":1,\"verb\":\"status\",\"verb\":\"list\"}", false, ERR_PROTOCOL},
		{"{\"netd\":1,\"verb\":\"quit\"}", false, ERR_UNSUPPORTED},
		{STATUS, true, ERR_PROTOCOL},  /* which has no use for a descriptor */
		{ATTACH, false, ERR_PROTOCOL}, /* which needs one */
		{longer, false, ERR_PROTOCOL},
	};
	int event = eventfd(0, EFD_CLOEXEC), fd;

	(void)state;
	memset(longer, ' ', sizeof(longer) - 1);
	memcpy(longer, STATUS, strlen(STATUS));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fd = connects();
		size_t len = strlen(table[i].text) + (table[i].text == longer);

		assert_int_equal(fdpass_send(fd, table[i].text, len, &event, table[i].has_fd), 0);
		hears_no(fd, table[i].kind);
	}
	/* Nothing of them was passed on; the longest there may be is. */
	fd = asks(longer);
	struct call c = gets(CALL_STATUS);
	assert_int_equal(c.n_refused, 5); /* which could not be read */
	answers(&c, "yes");
	hears(fd, "yes");
	/* With a descriptor, which nobody has taken out on the way. */
	fd = connects();
	assert_int_equal(fdpass_send(fd, ATTACH, strlen(ATTACH), &event, 1), 0);
	c = gets(CALL_ATTACH);
	assert_string_equal(c.id, "web");
	assert_int_equal(c.n_refused, 0); /* said once */
	answers(&c, "yes");
	hears(fd, "yes");
	close(event);
}

static void test_cut(void **state)
{
	int first = asks(STATUS), silent, fd, other;
	struct call c, d = gets(CALL_STATUS);

	(void)state;
	silent = connects();
	settle();
	later(FRONT_READ_MS - 1);
	settle();
	assert_true(is_silent(silent));
	later(1);
	hears_no(silent, ERR_PROTOCOL);
	answers(&d, "yes");
	hears(first, "yes");
	/* One whose answer does not come; when it does, another is in his place. */
	fd = asks(STATUS);
	c = gets(CALL_STATUS);
	later(FRONT_ANSWER_MS);
	hears_no(fd, ERR_BUSY);
	other = asks(STATUS);
	d = gets(CALL_STATUS);
	assert_int_equal(d.slot, c.slot);
	answers(&c, "late");
	settle();
	assert_true(is_silent(other));
	answers(&d, "yes");
	hears(other, "yes");
}

/* What a user has under way counts until it is done, also when he has not waited. */
static void test_impatient(void **state)
{
	int fd[4];
	struct call c[4];

	(void)state;
	for (int i = 0; i < QUEUE_PASSED_OF_UID; i++) {
		fd[i] = asks(STATUS);
		c[i] = gets(CALL_STATUS);
	}
	fd[2] = asks(STATUS);
	settle();
	close(fd[0]);
	close(fd[1]);
	settle(); /* nothing was passed on */
	answers(&c[1], "nobody hears");
	c[2] = gets(CALL_STATUS);
	fd[3] = asks(STATUS);
	settle();
	later(FRONT_ANSWER_MS); /* nor for ever */
	hears_no(fd[2], ERR_BUSY);
	hears_no(fd[3], ERR_BUSY);
	fd[0] = asks(STATUS);
	c[0] = gets(CALL_STATUS);
	answers(&c[0], "yes");
	hears(fd[0], "yes");
	/* Who is gone when he is accepted takes no place. */
	hold();
	for (int i = 0; i < QUEUE_OF_UID + 8; i++)
		close(i % 2 ? connects() : asks(""));
	fd[0] = asks(STATUS);
	go_on();
	c[0] = gets(CALL_STATUS);
	answers(&c[0], "yes");
	hears(fd[0], "yes");
}

static void test_too_fast(void **state)
{
	struct call c;
	int fd;

	(void)state;
	for (int i = 0; i < FRONT_BURST; i++) {
		fd = asks(STATUS);
		c = gets(CALL_STATUS);
		answers(&c, "yes");
		hears(fd, "yes");
	}
	hears_no(asks(STATUS), ERR_BUSY);
	later(1000);
	for (int i = 0; i < FRONT_PER_SECOND; i++) {
		fd = asks(STATUS);
		c = gets(CALL_STATUS);
		assert_int_equal(c.n_refused, i == 0);
		answers(&c, "yes");
		hears(fd, "yes");
	}
	hears_no(asks(STATUS), ERR_BUSY);
}

/* Too many who say nothing keep others of theirs out, but nobody who asks. */
static void test_too_many(void **state)
{
	int silent[QUEUE_SILENT_OF_UID + 1], first = asks(STATUS), fd;
	struct call c, d = gets(CALL_STATUS);

	(void)state;
	for (size_t i = 0; i < QUEUE_SILENT_OF_UID; i++)
		silent[i] = connects();
	settle();
	silent[QUEUE_SILENT_OF_UID] = connects();
	hears_no(silent[QUEUE_SILENT_OF_UID], ERR_BUSY);
	hold();
	fd = asks(STATUS);
	go_on();
	c = gets(CALL_STATUS);
	/* Those who go leave their places. */
	for (size_t i = 0; i < QUEUE_SILENT_OF_UID; i++)
		close(silent[i]);
	settle();
	for (size_t i = 0; i < QUEUE_SILENT_OF_UID; i++)
		silent[i] = connects();
	settle();
	for (size_t i = 0; i < QUEUE_SILENT_OF_UID; i++) {
		assert_true(is_silent(silent[i]));
		close(silent[i]);
	}
	answers(&c, "yes");
	hears(fd, "yes");
	answers(&d, "yes");
	hears(first, "yes");
}

static void test_quit(void **state)
{
	int fd = asks(STATUS);
	struct call c = gets(CALL_STATUS);

	(void)state;
	settle(); /* it serves somebody */
	answers(&c, "yes");
	hears(fd, "yes");
	tell(CALL_QUIT, 0, 0, "");
	check_end();
}

/* Another goes on: who waits is given back with his request, who is passed on is not. */
static void test_drain(void **state)
{
	int fd[QUEUE_PASSED_OF_UID + 2], silent = connects(), kept[FDPASS_MAX];
	size_t n, n_asks = 0;
	struct call c;

	(void)state;
	for (int i = 0; i < QUEUE_PASSED_OF_UID; i++) {
		fd[i] = asks(STATUS);
		(void)gets(CALL_STATUS);
	}
	for (int i = 0; i < 2; i++)
		fd[QUEUE_PASSED_OF_UID + i] = asks(ATTACH);
	settle();
	tell(CALL_DRAIN, 0, 0, "");
	c = next(kept, FDPASS_MAX, &n);
	assert_int_equal(c.verb, CALL_KEEP);
	assert_int_equal(n, 3);
	assert_int_equal(next(kept + n, 1, &n_asks).verb, CALL_DRAINED);
	assert_int_equal(n_asks, 0);
	check_end();
	for (size_t i = 0; i < n; i++)
		n_asks += !is_silent(kept[i]);
	assert_int_equal(n_asks, 2);
	/* The next one has them. */
	close(back);
	start(kept, n);
	for (size_t i = 0; i < n; i++)
		close(kept[i]);
	for (int i = 0; i < 2; i++)
		hears_no(fd[QUEUE_PASSED_OF_UID + i], ERR_PROTOCOL);
	assert_true(is_silent(silent));
	assert_int_equal(send(silent, STATUS, strlen(STATUS), 0), strlen(STATUS));
	c = gets(CALL_STATUS);
	answers(&c, "yes");
	hears(silent, "yes");
	for (int i = 0; i < QUEUE_PASSED_OF_UID; i++)
		close(fd[i]);
}

/* What is no message of the back's ends it. */
static void test_back_astray(void **state)
{
	(void)state;
	assert_int_equal(send(back, "x", 1, 0), 1);
	check_end();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_passed_on), TEST(test_refused),  TEST(test_cut),
		TEST(test_impatient), TEST(test_too_fast), TEST(test_too_many),
		TEST(test_quit),      TEST(test_drain),    TEST(test_back_astray),
	};

	now_ms = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (now_ms == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

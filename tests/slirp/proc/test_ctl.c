/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket served in this very process, round by round: answers and error texts, requests
 * in pieces, clients that do nothing, too many of them, a socket file that is stale, alive or none.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proc/ctl.h"

struct world {
	char dir[32], path[64];
	struct ctl *ctl;
	uint64_t asked;
	char verb[32];
	uint64_t late; /* ms added to the clock */
};

static bool request(void *arg, uint64_t id, const char *verb, json_t *arguments)
{
	struct world *w = arg;

	(void)arguments;
	if (strcmp(verb, "now") == 0) {
		ctl_answer(w->ctl, id, "{\"return\":1}");
		return true;
	}
	if (strcmp(verb, "later") != 0 && strcmp(verb, "metrics") != 0)
		return false;
	(void)snprintf(w->verb, sizeof(w->verb), "%s", verb);
	w->asked = id;
	return true;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct ctl_ops ops = {.request = request, .arg = w};
	int fd;

	assert_non_null(w);
	strcpy(w->dir, "/tmp/ctl.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof(w->path), "%s/api", w->dir);
	assert_int_equal(ctl_listen(w->path, &fd, NULL), 0);
	assert_int_equal(ctl_new(fd, &ops, &w->ctl, NULL), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	ctl_free(w->ctl);
	(void)unlink(w->path);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/* Rounds until nothing is left to be done. */
static void serve(struct world *w)
{
	struct pollfd p[CTL_N_POLL];

	for (int i = 0; i < 100; i++) {
		(void)ctl_poll(w->ctl, p);
		if (poll(p, CTL_N_POLL, 0) <= 0 && i > 0)
			break;
		ctl_serve(w->ctl, p, clock_ms() + w->late);
	}
}

static int dial(const struct world *w)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	strcpy(sa.sun_path, w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* What is there to be read; *ret_end: and the end after it. */
static size_t get(int fd, char *out, size_t size, bool *ret_end)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, out + len, size - 1 - len, 0)) > 0)
		len += (size_t)n;
	*ret_end = n == 0;
	out[len] = '\0';
	return len;
}

static void expect(struct world *w, const char *request, const char *answer)
{
	char text[1024];
	bool end;
	int fd = dial(w);

	assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	serve(w);
	(void)get(fd, text, sizeof(text), &end);
	assert_true(end);
	if (!strstr(text, answer))
		fail_msg("%s: %s", request, text);
	close(fd);
}

static void test_answers(void **state)
{
	struct world *w = *state;

	expect(w, "{\"execute\":\"now\"}", "{\"return\":1}");
	expect(w, "{}", "{\"error\":{\"desc\":\"bad request: no execute found\"}}");
	expect(w, "{\"execute\":1}", "bad request: no execute found");
	expect(w, "{\"execute\":\"x\"}", "bad request: unknown execute");
	expect(w, "{\"execute\":", "bad request: cannot parse JSON");
	expect(w, "words", "bad request: cannot parse JSON");
	expect(w, "[1]", "bad request: json_object() failed");
	expect(w, "42", "bad request: json_object() failed");
	expect(w, "\"now\"", "bad request: json_object() failed");
	expect(w, "", "bad request: cannot parse JSON");
	expect(w, "{\"execute\":\"now\"} and more", "{\"return\":1}");
	expect(w, "{\"execute\":\"x\",\"execute\":\"y\"}", "bad request: cannot parse JSON");
	/* A scraper. */
	expect(w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found");
}

/* Without an end of the client's side, and byte by byte. */
static void test_pieces(void **state)
{
	static const char request[] = " {\"a\":\"}\\\"}\",\"b\":[{}],\"execute\":\"now\"}";
	struct world *w = *state;
	char text[256];
	bool end;
	int fd = dial(w);

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		serve(w);
		assert_int_equal(get(fd, text, sizeof(text), &end), 0);
		assert_false(end);
		assert_int_equal(send(fd, request + i, 1, 0), 1);
	}
	serve(w);
	assert_true(get(fd, text, sizeof(text), &end) > 0);
	assert_true(end);
	assert_non_null(strstr(text, "return"));
	close(fd);
}

static void test_too_large(void **state)
{
	struct world *w = *state;
	char chunk[4096], text[256];
	bool end = false;
	size_t sent = 0;
	int fd = dial(w);

	memset(chunk, ' ', sizeof(chunk));
	while (sent <= CTL_REQUEST_MAX) {
		ssize_t n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		serve(w);
	}
	(void)get(fd, text, sizeof(text), &end);
	assert_non_null(strstr(text, "bad request: too large message"));
	close(fd);
}

static void test_later_answer(void **state)
{
	struct world *w = *state;
	char text[256];
	bool end;
	int fd = dial(w);

	assert_true(send(fd, "{\"execute\":\"later\"}", 19, 0) == 19);
	serve(w);
	assert_true(w->asked > 0);
	assert_string_equal(w->verb, "later");
	assert_int_equal(get(fd, text, sizeof(text), &end), 0);
	assert_false(end);
	ctl_answer(w->ctl, w->asked + 1, "wrong");
	ctl_answer(w->ctl, w->asked, "{}");
	assert_int_equal(get(fd, text, sizeof(text), &end), 2);
	assert_true(end);
	/* Nobody is there any more. */
	ctl_answer(w->ctl, w->asked, "late");
	close(fd);
	expect(w, "{}", "no execute found");
}

static void test_scraper(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	struct world *w = *state;
	char text[512];
	bool end;
	int fd = dial(w);

	assert_true(send(fd, request, 10, 0) == 10);
	serve(w);
	assert_true(send(fd, request + 10, sizeof(request) - 11, 0) ==
		    (ssize_t)sizeof(request) - 11);
	serve(w);
	assert_string_equal(w->verb, "metrics");
	ctl_answer_text(w->ctl, w->asked, "a 1\n");
	(void)get(fd, text, sizeof(text), &end);
	assert_true(end);
	assert_non_null(strstr(text, "HTTP/1.1 200 OK"));
	assert_non_null(strstr(text, "Content-Length: 4\r\n"));
	assert_string_equal(text + strlen(text) - 4, "a 1\n");
	close(fd);
}

/* Clients that do nothing take no place from one that asks, and go after a while. */
static void test_idle(void **state)
{
	struct world *w = *state;
	int fd[CTL_CLIENTS + 8];
	char text[64];
	bool end;
	size_t n_closed = 0;

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		fd[i] = dial(w);
		serve(w);
	}
	expect(w, "{\"execute\":\"now\"}", "return");
	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		(void)get(fd[i], text, sizeof(text), &end);
		n_closed += end;
		/* The oldest ones went. */
		assert_int_equal(end, i < 9);
	}
	assert_int_equal(n_closed, 9);
	w->late = CTL_IDLE_MS + 1;
	serve(w);
	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++) {
		(void)get(fd[i], text, sizeof(text), &end);
		assert_true(end);
		close(fd[i]);
	}
}

/* One that does not read its answer, and one that goes in the middle. */
static void test_rude(void **state)
{
	struct world *w = *state;
	struct pollfd p[CTL_N_POLL];
	char *big = malloc(1 << 20);
	int fd = dial(w);

	assert_non_null(big);
	memset(big, 'x', (1 << 20) - 1);
	big[(1 << 20) - 1] = '\0';
	assert_true(send(fd, "{\"execute\":\"later\"}", 19, 0) == 19);
	serve(w);
	ctl_answer(w->ctl, w->asked, big);
	assert_true(ctl_poll(w->ctl, p) < UINT64_MAX);
	ctl_flush(w->ctl, 20);
	close(fd);
	serve(w);
	assert_true(ctl_poll(w->ctl, p) == UINT64_MAX);
	free(big);
	fd = dial(w);
	assert_true(send(fd, "{\"execute\":\"later\"}", 19, 0) == 19);
	close(fd);
	serve(w);
	/* Its end would wake the loop again and again. */
	assert_true(ctl_poll(w->ctl, p) == UINT64_MAX);
	ctl_answer(w->ctl, w->asked, "{}");
	serve(w);
	assert_true(ctl_poll(w->ctl, p) == UINT64_MAX);
}

static void test_file(void **state)
{
	struct world *w = *state;
	struct err e = ERR_INIT;
	char long_path[200];
	struct stat st;
	int fd = -1;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Alive: ours. */
	assert_int_equal(ctl_listen(w->path, &fd, &e), -EADDRINUSE);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(fd, -1);
	/* Stale. */
	ctl_free(w->ctl);
	w->ctl = NULL;
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(ctl_listen(w->path, &fd, &e), 0);
	close(fd);
	/* Something else is never removed. */
	assert_int_equal(unlink(w->path), 0);
	close(open(w->path, O_CREAT | O_WRONLY, 0600));
	e = (struct err)ERR_INIT;
	assert_int_equal(ctl_listen(w->path, &fd, &e), -EEXIST);
	assert_int_equal(stat(w->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	memset(long_path, 'a', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	e = (struct err)ERR_INIT;
	assert_int_equal(ctl_listen(long_path, &fd, &e), -EINVAL);
	assert_non_null(strstr(e.text, "the specified API socket path is too long"));
	e = (struct err)ERR_INIT;
	assert_int_equal(ctl_listen("/nonexistent/api", &fd, &e), -ENOENT);
}

enum { RACE_ROUNDS = 60, RACE_STARTS = 8 };

/* One start: waits for the end of *gate, says whether it has the socket, listens until that of
 * *hold. */
static _Noreturn void start(const struct world *w, int gate, int said, int hold)
{
	int fd = -1;
	char c;

	(void)!read(gate, &c, 1);
	c = ctl_listen(w->path, &fd, NULL) == 0;
	(void)!write(said, &c, 1);
	(void)!read(hold, &c, 1);
	_exit(0);
}

static void race(struct world *w)
{
	int gate[2], said[2], hold[2], n_won = 0;
	char c;

	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(said), 0);
	assert_int_equal(pipe(hold), 0);
	for (int i = 0; i < RACE_STARTS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			close(gate[1]);
			close(hold[1]);
			start(w, gate[0], said[1], hold[0]);
		}
	}
	close(gate[1]);
	for (int i = 0; i < RACE_STARTS; i++) {
		assert_int_equal(read(said[0], &c, 1), 1);
		n_won += c;
	}
	assert_int_equal(n_won, 1);
	close(dial(w)); /* and it is reached */
	close(hold[1]);
	for (int i = 0; i < RACE_STARTS; i++)
		assert_true(wait(NULL) > 0);
	close(gate[0]);
	close(hold[0]);
	close(said[0]);
	close(said[1]);
}

/* Many starts at once, each time over a socket that nobody serves any more: one has it. */
static void test_race(void **state)
{
	struct world *w = *state;

	ctl_free(w->ctl);
	w->ctl = NULL;
	for (int i = 0; i < RACE_ROUNDS; i++)
		race(w);
}

/* Somebody else has a lock on the directory, as anybody who may read it can: a start over a stale
 * socket waits a little, and goes on. */
static void test_locked(void **state)
{
	struct world *w = *state;
	int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	ctl_free(w->ctl);
	w->ctl = NULL;
	assert_int_equal(flock(dir, LOCK_SH), 0);
	assert_int_equal(ctl_listen(w->path, &fd, NULL), 0);
	close(dial(w));
	close(fd);
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scraper, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rude, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_race, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a netd leaves for the one that comes after it: what is let through, and that nothing else
 * is: another layout, a bit that has turned, numbers that make no sense; the way through a file and
 * the environment, and for whom.
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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/handover.h"
#include "engine/engine.h"

static struct handover good(void)
{
	struct handover h;

	handover_begin(&h);
	h.pid = (uint32_t)getpid();
	h.nonce = 7;
	h.is_own = 1;
	h.fd[HANDOVER_LISTENER] = 5;
	h.fd[HANDOVER_WATCH] = 6;
	h.fd[HANDOVER_DOOR] = 7;
	h.fd[HANDOVER_NFT] = 8;
	h.fd[HANDOVER_NFT_LOCK] = 9;
	h.n_conn = 2;
	h.conn[0] = 20;
	h.conn[1] = 10;
	(void)bucket_take(&h.rate, 1000, 5, 4, 4);
	handover_seal(&h);
	return h;
}

static enum err_kind kind_of(struct handover *h)
{
	struct err e = ERR_INIT;

	handover_seal(h);
	return handover_check(h, sizeof(*h), &e) == 0 ? ERR_NONE : e.kind;
}

static void test_good(void **state)
{
	struct handover h = good();

	(void)state;
	assert_int_equal(handover_check(&h, sizeof(h), NULL), 0);
	assert_string_equal(h.version, NETNS_UP_VERSION);
	h.fd[HANDOVER_DOOR] = h.fd[HANDOVER_NFT] = h.fd[HANDOVER_NFT_LOCK] = -1;
	assert_int_equal(kind_of(&h), ERR_NONE);
	/* All that there is to look at, and all that is being announced. */
	h.look = HOLD_MADE | HOLD_SUSPECT | HOLD_UNKNOWN | HOLD_SHARED;
	h.watched = HOLD_WATCHED - 1;
	assert_int_equal(kind_of(&h), ERR_NONE);
	h.is_trial = 1;
	h.fd[HANDOVER_READY] = 30;
	assert_int_equal(kind_of(&h), ERR_NONE);
}

static void test_damaged(void **state)
{
	struct handover h = good();
	struct err e = ERR_INIT;
	uint8_t *p = (uint8_t *)&h;

	(void)state;
	for (size_t len = 0; len < sizeof(h); len += 1 + len / 8)
		assert_int_not_equal(handover_check(&h, len, NULL), 0);
	for (size_t i = 0; i < sizeof(h); i++) {
		p[i] ^= 0x10;
		assert_int_not_equal(handover_check(&h, sizeof(h), NULL), 0);
		p[i] ^= 0x10;
	}
	h.layout++;
	assert_int_not_equal(handover_check(&h, sizeof(h), &e), 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	h.layout--;
	h.size++;
	assert_int_not_equal(handover_check(&h, sizeof(h), &e), 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
}

#define BAD(change)                                                                                \
	do {                                                                                       \
		struct handover h = good();                                                        \
		change;                                                                            \
		assert_int_equal(kind_of(&h), ERR_PROTOCOL);                                       \
	} while (0)

static void test_senseless(void **state)
{
	(void)state;
	BAD(h.is_trial = 2);
	BAD(h.is_own = 2);
	BAD(h.has_made_dir = 0x100);
	BAD(h.has_tables = 3);
	BAD(h.look = HOLD_ALL + 1);
	BAD(h.watched = HOLD_WATCHED);
	BAD(memset(h.version, 'x', sizeof(h.version)));
	BAD(h.fd[HANDOVER_LISTENER] = -1);
	BAD(h.fd[HANDOVER_LISTENER] = 2);
	BAD(h.fd[HANDOVER_LISTENER] = HANDOVER_FILES);
	BAD(h.fd[HANDOVER_WATCH] = h.fd[HANDOVER_LISTENER]);
	BAD(h.fd[HANDOVER_NFT] = -1);
	BAD(h.fd[HANDOVER_NFT_LOCK] = -1);
	BAD(h.fd[HANDOVER_READY] = 30);
	BAD(h.is_trial = 1);
	BAD(h.n_conn = HANDOVER_CONNS + 1);
	BAD(h.n_conn = 3);
	BAD(h.conn[1] = h.conn[0]);
	BAD(h.conn[0] = h.fd[HANDOVER_NFT]);
	BAD(memset(&h.rate.b[1].is_used, 2, 1));
}

static void test_ready(void **state)
{
	struct handover_ready r = {.magic = HANDOVER_MAGIC, .nonce = 7, .version = "1"};

	(void)state;
	assert_true(handover_is_ready(&r, sizeof(r), 7));
	assert_false(handover_is_ready(&r, sizeof(r), 8));
	assert_false(handover_is_ready(&r, sizeof(r) - 1, 7));
	r.magic[0] ^= 1;
	assert_false(handover_is_ready(&r, sizeof(r), 7));
	r.magic[0] ^= 1;
	memset(r.version, 'x', sizeof(r.version));
	assert_false(handover_is_ready(&r, sizeof(r), 7));
}

/* As execve would leave it: the number in the environment. 0, 1, or the kind of the error. */
static int leave_and_take(int fd, struct handover *ret)
{
	struct err e = ERR_INIT;
	char n[16];
	int r;

	snprintf(n, sizeof(n), "%d", fd);
	setenv(HANDOVER_ENV, n, 1);
	r = handover_take(ret, &e);
	assert_null(getenv(HANDOVER_ENV));
	return r < 0 ? -(int)e.kind : r;
}

static int make(const struct handover *h)
{
	int fd = -1;

	assert_int_equal(handover_make(h, &fd, NULL), 0);
	return fd;
}

/* Its descriptors, as any that there are. */
static void open_all(struct handover *h)
{
	for (int i = 0; i < N_HANDOVER_FDS; i++)
		if (h->fd[i] >= 0)
			h->fd[i] = open("/dev/null", O_RDONLY);
	for (uint32_t i = 0; i < h->n_conn; i++)
		h->conn[i] = open("/dev/null", O_RDONLY);
	handover_seal(h);
}

static void test_file(void **state)
{
	struct handover h = good(), again;
	int fd, status = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(handover_take(&again, NULL), 1);
	open_all(&h);
	fd = make(&h);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(leave_and_take(fd, &again), 0);
	assert_memory_equal(&h, &again, sizeof(h));
	assert_int_equal(fcntl(h.fd[HANDOVER_NFT], F_GETFD), FD_CLOEXEC);
	assert_int_equal(handover_mark(&h, false), 0);
	assert_int_equal(fcntl(h.conn[1], F_GETFD), 0);

	/* Another process is not meant, but for a trial. */
	for (uint32_t trial = 0; trial < 2; trial++) {
		h.is_trial = trial;
		if (trial)
			h.fd[HANDOVER_READY] = open("/dev/null", O_RDONLY);
		handover_seal(&h);
		fd = make(&h);
		pid = fork();
		if (pid == 0)
			_exit(leave_and_take(fd, &again) != (trial ? 0 : -ERR_PROTOCOL));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(leave_and_take(fd, &again), trial ? -ERR_PROTOCOL : 0);
	}
}

static void test_no_file(void **state)
{
	struct handover h = good(), again;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	open_all(&h);
	/* Somebody could still write into it. */
	assert_int_equal(write(fd, &h, sizeof(h)), sizeof(h));
	assert_int_equal(leave_and_take(fd, &again), -ERR_PROTOCOL);
	assert_int_equal(leave_and_take(open("/dev/null", O_RDONLY), &again), -ERR_PROTOCOL);
	/* Longer, shorter, empty. */
	for (size_t len = 0; len < 3; len++) {
		fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_int_equal(ftruncate(fd, len == 2 ? (off_t)sizeof(h) + 1 : 0), 0);
		assert_int_equal(pwrite(fd, &h, len ? sizeof(h) : 0, 0), len ? sizeof(h) : 0);
		assert_int_equal(ftruncate(fd, (off_t)(len ? sizeof(h) + len - 1 : 0)), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS,
				       F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
				 0);
		assert_int_equal(leave_and_take(fd, &again), len == 1 ? 0 : -ERR_PROTOCOL);
	}
	/* One of its descriptors is not there. */
	close(h.conn[0]);
	fd = make(&h);
	if (fd == h.conn[0]) /* the number is in use again */
		fd = fcntl(fd, F_DUPFD_CLOEXEC, h.conn[0] + 1);
	close(h.conn[0]);
	assert_int_equal(leave_and_take(fd, &again), -ERR_PROTOCOL);
	setenv(HANDOVER_ENV, "x", 1);
	assert_true(handover_take(&again, NULL) < 0);
	setenv(HANDOVER_ENV, "1", 1);
	assert_true(handover_take(&again, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),      cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_senseless), cmocka_unit_test(test_ready),
		cmocka_unit_test(test_file),      cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

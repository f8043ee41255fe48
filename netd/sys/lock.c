/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock: byte locks that belong to the open file description (fcntl(2), F_OFD_SETLK). An uncontended
 * lock is one system call. A contended one sleeps in F_OFD_SETLKW; since that call knows no
 * timeout, a POSIX timer aimed at this very thread interrupts it. The timer repeats after the
 * deadline, because its first signal may come in the moment before the thread falls asleep.
 *
 * The signal's disposition is process-wide: only one thread of a process may wait here at a time.
 */
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define LOCK_SIGNAL (SIGRTMAX - 2)
#define REPEAT_MS 20
#define POLL_MAX_MS 16
#define MS_TO_NS(ms) ((long)(ms)*1000000L)

struct alarm {
	timer_t timer;
	struct sigaction old_action;
	sigset_t old_mask;
};

static void on_alarm(int sig)
{
	(void)sig; /* its only work is to interrupt fcntl() */
}

/* 0, or -errno with nothing changed (timers count against RLIMIT_SIGPENDING). */
static int alarm_start(struct alarm *a, int ms)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = LOCK_SIGNAL};
	struct sigaction act = {.sa_handler = on_alarm}; /* no SA_RESTART: EINTR is wanted */
	struct itimerspec when = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = MS_TO_NS(ms % 1000)},
		.it_interval = {.tv_nsec = MS_TO_NS(REPEAT_MS)},
	};
	sigset_t unblock;

	ev.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &a->timer) < 0)
		return -errno;
	sigemptyset(&act.sa_mask);
	sigemptyset(&unblock);
	sigaddset(&unblock, LOCK_SIGNAL);
	sigaction(LOCK_SIGNAL, &act, &a->old_action);
	pthread_sigmask(SIG_UNBLOCK, &unblock, &a->old_mask);
	timer_settime(a->timer, 0, &when, NULL);
	return 0;
}

/* A signal still pending is delivered on the way out of timer_delete(), to our handler. */
static void alarm_stop(struct alarm *a)
{
	timer_delete(a->timer);
	pthread_sigmask(SIG_SETMASK, &a->old_mask, NULL);
	sigaction(LOCK_SIGNAL, &a->old_action, NULL);
}

/* Both return 0 or the errno of the last try; EINTR and EAGAIN mean that the deadline passed. */
static int wait_asleep(int fd, struct flock *fl, uint64_t deadline)
{
	do {
		if (fcntl(fd, F_OFD_SETLKW, fl) == 0)
			return 0;
		if (errno != EINTR)
			return errno;
	} while (clock_left(deadline) > 0);
	return EINTR;
}

static int wait_polling(int fd, struct flock *fl, uint64_t deadline)
{
	int pause_ms = 1;

	for (;;) {
		int left;

		if (fcntl(fd, F_OFD_SETLK, fl) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return errno;
		left = clock_left(deadline);
		if (left <= 0)
			return EAGAIN;
		if (pause_ms > left)
			pause_ms = left;
		nanosleep(&(struct timespec){.tv_nsec = MS_TO_NS(pause_ms)}, NULL);
		if (pause_ms < POLL_MAX_MS)
			pause_ms *= 2;
	}
}

int lock_take(int fd, int64_t at, int timeout_ms, struct err *e)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	struct alarm a;
	int sys;

	if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	sys = errno;
	if ((sys == EAGAIN || sys == EACCES || sys == EINTR) && timeout_ms > 0) {
		uint64_t deadline = clock_ms() + (uint64_t)timeout_ms;

		if (alarm_start(&a, timeout_ms) == 0) {
			sys = wait_asleep(fd, &fl, deadline);
			alarm_stop(&a);
		} else {
			sys = wait_polling(fd, &fl, deadline);
		}
	}
	if (sys == 0)
		return 0;
	if (sys == EAGAIN || sys == EACCES || sys == EINTR)
		return err_what(e,
				err_set(e, ERR_BUSY, ETIMEDOUT,
					"another process held the lock for more than %d ms; try "
					"again",
					timeout_ms),
				WHAT_LOCK);
	return err_sys(e, sys, "cannot lock");
}

int lock_try_range(int fd, int64_t at, int64_t len, struct err *e)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = len};

	while (fcntl(fd, F_OFD_SETLK, &fl) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 1;
		if (errno != EINTR)
			return err_sys(e, errno, "cannot lock");
	}
	return 0;
}

void lock_drop_range(int fd, int64_t at, int64_t len)
{
	struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = len};

	while (fcntl(fd, F_OFD_SETLK, &fl) < 0 && errno == EINTR)
		;
}

void lock_drop(int fd, int64_t at)
{
	lock_drop_range(fd, at, 1);
}

bool lock_is_taken(int fd, int64_t at)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

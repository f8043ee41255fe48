/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen: termios(3), and signals that are blocked but while it waits, so that none is missed. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define N_ENDING (sizeof(ending) / sizeof(ending[0]))

static volatile sig_atomic_t is_ended;

static void on_signal(int number)
{
	(void)number;
	is_ended = 1;
}

void screen_open(struct screen *s)
{
	struct sigaction act = {.sa_handler = on_signal};
	sigset_t block;

	sigemptyset(&block);
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < N_ENDING; i++) {
		(void)sigaddset(&block, ending[i]);
		(void)sigaction(ending[i], &act, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &block, &s->signals);
	s->is_open = true;
	s->has_keys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &s->before) == 0;
	if (!s->has_keys)
		return;
	s->raw = s->before;
	s->raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	s->raw.c_cc[VMIN] = 1;
	s->raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &s->raw);
}

void screen_close(struct screen *s)
{
	if (!s->is_open)
		return;
	if (s->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
	(void)sigprocmask(SIG_SETMASK, &s->signals, NULL);
	s->is_open = false;
}

unsigned screen_lines(unsigned fallback)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : fallback;
}

/* True: a q, or nobody types any more. */
static bool read_keys(void)
{
	char keys[32];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			return true;
	return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

bool screen_wait(struct screen *s, uint32_t seconds)
{
	uint64_t deadline = clock_ms() + 1000ull * seconds;
	struct pollfd p = {.fd = s->has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	int left;

	/* Each time: who stopped and went on may find another terminal. */
	if (s->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &s->raw);
	while ((left = clock_left(deadline)) > 0 && !(s->is_open && is_ended)) {
		struct timespec t = {left / 1000, (long)(left % 1000) * 1000000};
		int n = ppoll(&p, 1, &t, s->is_open ? &s->signals : NULL);

		if (n < 0 && errno != EINTR)
			return true;
		if (n > 0 && read_keys())
			return true;
	}
	return s->is_open && is_ended;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine: a list of steps; each works or is the end. */
#include "sys/confine.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

struct step {
	const char *name;
	int (*run)(const struct confine *c);
};

static int enter_limits(const struct confine *c)
{
	return sandbox_limit(c->n_files, c->may_write);
}

static int enter_root(const struct confine *c)
{
	return c->in_void ? sandbox_enter_void() : 0;
}

static int drop_bounding(const struct confine *c)
{
	return sandbox_drop_bounding(c->caps);
}

static int lock_securebits(const struct confine *c)
{
	(void)c;
	return sandbox_lock_securebits();
}

static int drop_user(const struct confine *c)
{
	return c->uid ? sandbox_become(c->uid, c->gid) : 0;
}

static int drop_capabilities(const struct confine *c)
{
	return sandbox_drop_capabilities(c->caps);
}

static int forbid_gains(const struct confine *c)
{
	(void)c;
	return sandbox_forbid_gains();
}

/* After what changes credentials, which clears it. */
static int die_with_parent(const struct confine *c)
{
	if (c->parent == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() != c->parent ? -ESRCH : 0;
}

static int die_with_pipe(const struct confine *c)
{
	return c->life_fd > 0 ? sandbox_die_with_pipe(c->life_fd) : 0;
}

static int enter_landlock(const struct confine *c)
{
	return sandbox_landlock(c->paths);
}

static int enter_filter(const struct confine *c)
{
	return filter_load(c->filter);
}

/* What needs a privilege, or memory. */
static const struct step place[] = {
	{"limits", enter_limits},
	{"empty root", enter_root},
};
static const struct step power[] = {
	{"bounding set", drop_bounding},
	{"securebits", lock_securebits},
	{"user", drop_user},
	{"capabilities", drop_capabilities},
	{"no new privileges", forbid_gains},
};
static const struct step reach[] = {
	{"end with the parent", die_with_parent},
	{"end with the pipe", die_with_pipe},
	{"Landlock", enter_landlock},
	{"system call filter", enter_filter},
};

static int run(const struct step *steps, size_t n, const struct confine *c, const char **ret_step)
{
	for (size_t i = 0; i < n; i++) {
		int r = steps[i].run(c);

		if (r < 0) {
			*ret_step = steps[i].name;
			return r;
		}
	}
	return 0;
}

#define RUN(steps, c, ret_step) run(steps, sizeof(steps) / sizeof((steps)[0]), c, ret_step)

int confine_drop_power(const struct confine *c, const char **ret_step)
{
	return RUN(power, c, ret_step);
}

int confine_enter(const struct confine *c, const char **ret_step)
{
	int r = RUN(place, c, ret_step);

	if (r == 0)
		r = RUN(power, c, ret_step);
	return r < 0 ? r : RUN(reach, c, ret_step);
}

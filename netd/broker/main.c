/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main: netd, the resident daemon: options, the socket, then the back, which starts the front. It
 * does not detach: it is started by a service manager, or with --foreground by whoever looks after
 * it.
 */
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/complete.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/opt.h"
#include "broker/back.h"
#include "broker/handover.h"
#include "broker/holdings.h"
#include "broker/listen.h"
#include "broker/policy.h"
#include "broker/request.h"
#include "engine/engine.h"
#include "sys/sandbox.h"
#include "sys/trim.h"

#define PROGRAM "netd"
#define NOBODY 65534
#define GONE " (deleted)" /* what the kernel adds to the name of a file that has none any more */
#define IDLE_S 60         /* when somebody else holds the socket */

struct options {
	const char *socket, *policy_dir, *state_dir, *user;
	bool is_foreground, is_version, has_idle;
	uint32_t idle_s;
};

static int set_path(const char **to, const char *value, struct err *e)
{
	*to = value;
	return value[0] == '/' ? 0 : err_set(e, ERR_USAGE, 0, "expected an absolute path");
}

static int set_socket(void *into, const char *value, struct err *e)
{
	return set_path(&((struct options *)into)->socket, value, e);
}

static int set_policy_dir(void *into, const char *value, struct err *e)
{
	return set_path(&((struct options *)into)->policy_dir, value, e);
}

static int set_state_dir(void *into, const char *value, struct err *e)
{
	return set_path(&((struct options *)into)->state_dir, value, e);
}

static int set_user(void *into, const char *value, struct err *e)
{
	(void)e;
	((struct options *)into)->user = value;
	return 0;
}

static int set_idle(void *into, const char *value, struct err *e)
{
	((struct options *)into)->has_idle = true;
	return opt_u32(value, 0, 1000000, &((struct options *)into)->idle_s, e);
}

static int set_foreground(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct options *)into)->is_foreground = true;
	return 0;
}

static int set_version(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct options *)into)->is_version = true;
	return 0;
}

static const struct opt opts[] = {
	{0, "foreground", NULL, "stay in the foreground (there is no other way)", set_foreground},
	{0, "socket", "PATH", "where clients connect (default " REQUEST_SOCKET ")", set_socket},
	{0, "policy-dir", "DIR", "who may do what (default " POLICY_DIR ")", set_policy_dir},
	{0, "state-dir", "DIR", "where the state is kept (default /run/netd)", set_state_dir},
	{0, "user", "NAME", "whom the front becomes (default netd, else nobody)", set_user},
	{0, "idle-exit", "SECONDS", "end after that long without work; 0: never", set_idle},
	{'V', "version", NULL, "print the version", set_version},
	{0},
};

static const struct opt_verb usage = {
	.name = "",
	.operands = "",
	.summary = "gives ordinary users' network namespaces a network, as far as policy allows",
	.notes = "Messages and the audit lines go to standard error. With a socket from its\n"
		 "starter (LISTEN_FDS) it ends after 60 seconds in which nobody holds anything.",
	.opts = opts,
};

static const struct opt_verb *const tables[] = {&usage, NULL};
static const struct complete_source sources[] = {
	{"NAME", "user", "cut -d: -f1 /etc/passwd"},
	{0},
};
static const struct complete completions = {
	.program = PROGRAM, .verbs = tables, .sources = sources};

/* In /etc/passwd alone, as the users of the policy: a name service would bring its libraries into
 * both processes, for as long as they live. */
static const struct passwd *look_up(const char *name)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	if (!f)
		return NULL;
	do
		p = fgetpwent(f);
	while (p && strcmp(p->pw_name, name) != 0);
	fclose(f);
	return p;
}

static int find_user(const char *name, struct back_config *c, struct err *e)
{
	const struct passwd *p = look_up(name ? name : "netd");

	c->front_uid = c->front_gid = NOBODY;
	if (name && !p)
		return err_set(e, ERR_ABSENT, 0, "--user %s: there is no such user", name);
	if (p && p->pw_uid == 0)
		return err_set(e, ERR_USAGE, 0, "--user %s: expected a user without privilege",
			       p->pw_name);
	if (p) {
		c->front_uid = p->pw_uid;
		c->front_gid = p->pw_gid;
	}
	return 0;
}

/* Where this program lies, for whoever replaces it later, which may have happened just now; NULL:
 * that cannot be known. */
static const char *own_path(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	if ((size_t)n > strlen(GONE) && strcmp(path + n - strlen(GONE), GONE) == 0)
		path[(size_t)n - strlen(GONE)] = '\0';
	return path;
}

/* The socket, from the program before this one or anew. */
static int get_listener(const struct options *o, const struct handover *h, struct listen *ret,
			struct err *e)
{
	int r;

	if (!h)
		return listen_open(o->socket, ret, e);
	r = listen_adopt(h->fd[HANDOVER_LISTENER], ret, e);
	if (r < 0)
		return r;
	ret->is_own = h->is_own;
	ret->dev = h->dev;
	ret->ino = h->ino;
	return 0;
}

/* Without these nothing would ever be granted: said at the start, not to each who asks. A directory
 * that is there is not looked at: what is held and watched by it does not need it to be written. */
static int check_start(const char *state_dir, struct err *e)
{
	const uint64_t needed = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_SYS_ADMIN;
	CLEAN_ENGINE struct engine *g = NULL;
	uint64_t caps = 0;
	int r = sandbox_capabilities(&caps);

	if (r < 0)
		return err_sys(e, -r, "capabilities");
	if ((caps & needed) != needed)
		return err_set(e, ERR_DENIED, 0,
			       "CAP_NET_ADMIN and CAP_SYS_ADMIN are needed: start it as root");
	r = engine_open(state_dir, true, &g, e);
	engine_closep(&g);
	if (r == 1)
		r = engine_open(state_dir, false, &g, e);
	return r < 0 ? r : 0;
}

static int run(const struct options *o, char *const *argv)
{
	static struct handover from;
	struct back_config c = {.policy_dir = o->policy_dir ? o->policy_dir : POLICY_DIR,
				.state_dir = o->state_dir,
				.program = own_path(),
				.argv = argv};
	struct listen l = {.fd = -1};
	struct err e = ERR_INIT;
	int r = handover_take(&from, &e);

	if (r == 0) {
		c.from = &from;
		/* Else it would be called by the number of a descriptor. */
		prctl(PR_SET_NAME, PROGRAM);
	}
	if (r >= 0)
		r = find_user(o->user, &c, &e);
	if (r >= 0 && !c.from)
		r = check_start(o->state_dir, &e);
	if (r >= 0)
		r = get_listener(o, c.from, &l, &e);
	if (r < 0) {
		if (!c.from)
			listen_close(&l);
		log_error("%s", e.text);
		return 1;
	}
	c.listener = l.fd;
	c.name = l.name;
	c.is_own = l.is_own;
	c.dev = l.dev;
	c.ino = l.ino;
	c.idle_ms = (int)(o->has_idle ? o->idle_s : l.is_own ? 0 : IDLE_S) * 1000;
	if (c.from && c.from->is_trial)
		return back_try(&c);
	r = back_main(&c);
	/* Our socket kept the state directory from going with the last attachment. */
	listen_close(&l);
	if (l.is_own)
		holdings_tidy(c.state_dir);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r;

	if (fd_fill_stdio() < 0)
		return 1;
	trim_setup();
	log_setup(PROGRAM, LOG_LEVEL_INFO);
	umask(022);
	/* Until it is listened for: who has just started netd may tell it to reload at once. */
	signal(SIGUSR2, SIG_IGN);
	r = complete_main(&completions, argc, argv, &e);
	if (r < 0)
		log_error("%s", e.text);
	if (r != 0)
		return r < 0;
	r = opt_parse(&usage, argc, argv, &o, &n, &e);
	if (r == 1) {
		opt_help(PROGRAM, &usage);
		return 0;
	}
	if (r >= 0 && o.is_version) {
		printf(PROGRAM " " NETNS_UP_VERSION "\n");
		return 0;
	}
	if (r >= 0 && !o.is_foreground)
		r = err_set(&e, ERR_USAGE, 0, "expected --foreground: netd does not detach");
	if (r < 0) {
		log_error("%s", e.text);
		return 2;
	}
	/* At once: nothing is left to be written, and what checks for leaks at the end of a program
	 * would need calls that the filter kills for. */
	_exit(run(&o, argv));
}

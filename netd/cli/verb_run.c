/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_run: a command in namespaces of its own, its network up before its first instruction and
 * down after its last. The exit status is the command's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "cli/attach_opts.h"
#include "cli/cli.h"
#include "cli/user.h"
#include "cli/usernet.h"
#include "sys/netns.h"
#include "sys/resolv.h"
#include "sys/unshare.h"

struct run_opts {
	struct attach_opts a; /* first */
	unsigned flags;
	const char *hostname;
	bool is_own_net;
};

#define FLAG_SETTER(name, flag)                                                                    \
	static int set_##name(void *into, const char *value, struct err *e)                        \
	{                                                                                          \
		(void)value;                                                                       \
		(void)e;                                                                           \
		((struct run_opts *)into)->flags |= (flag);                                        \
		return 0;                                                                          \
	}
FLAG_SETTER(pid, RUN_PID)
FLAG_SETTER(mount, RUN_MOUNT)
FLAG_SETTER(uts, RUN_UTS)
FLAG_SETTER(ipc, RUN_IPC)
FLAG_SETTER(user, RUN_USER)
FLAG_SETTER(cgroup, RUN_CGROUP)

static int set_hostname(void *into, const char *value, struct err *e)
{
	((struct run_opts *)into)->hostname = value;
	return name_check_id(value, "host name", e);
}

static int set_own_net(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct run_opts *)into)->is_own_net = true;
	return 0;
}

static const struct opt opts[] = {
	ATTACH_OPTS,
	{0, "pid", NULL, "new pid namespace (and mount namespace with its /proc)", set_pid},
	{0, "mount", NULL, "new mount namespace", set_mount},
	{0, "uts", NULL, "new host name namespace", set_uts},
	{0, "ipc", NULL, "new IPC namespace", set_ipc},
	{0, "user", NULL, "new user namespace", set_user},
	{0, "cgroup", NULL, "new cgroup namespace", set_cgroup},
	{0, "own-net", NULL, "without root: CMD's root may change the network itself", set_own_net},
	{0, "hostname", "NAME", "host name inside (implies --uts)", set_hostname},
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};

static int run_up(struct engine *g, const struct run_opts *o, const struct run_child *c,
		  struct attachment **ret, struct err *e)
{
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct up_request req;

	snprintf(t.id, sizeof(t.id), "pid-%d", c->pid);
	snprintf(t.path, sizeof(t.path), "/proc/%d/ns/net", c->pid);
	int r = netns_open_pid(c->pid, &t.fd, NULL, e);
	if (r >= 0)
		r = attach_request(&o->a, &t, &req, e);
	return r < 0 ? r : engine_up(g, &req, ret, e);
}

/* Text for the command's resolv.conf in memory that the waiting child shares: which resolver it is
 * shows when the network is up. The network's own where it has one, with the search list and the
 * options of the host's: a second one beside it would not know the names. */
#define SHARED_SIZE (RESOLV_MAX + 4096)

static char *map_shared(const char *text, struct err *e)
{
	char *shared =
		mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED) {
		(void)err_sys(e, errno, "memory for resolv.conf");
		return NULL;
	}
	(void)snprintf(shared, SHARED_SIZE, "%s", text);
	return shared;
}

static void unmap_shared(char *shared)
{
	if (shared)
		(void)munmap(shared, SHARED_SIZE);
}

static void settle_resolvers(char *shared, const char *host, const struct attachment *a)
{
	char s[IP_STRLEN];
	size_t n = 0;

	if (!attachment_has_names(a))
		return;
	for (int f = 0; f < N_FAM; f++)
		if (a->resolver[f].family)
			n += (size_t)snprintf(shared + n, SHARED_SIZE - n, "nameserver %s\n",
					      ip_str(&a->resolver[f], s));
	while (*host) {
		size_t len = strcspn(host, "\n");

		if (strncmp(host, "nameserver ", 11) != 0)
			n += (size_t)snprintf(shared + n, SHARED_SIZE - n, "%.*s\n", (int)len,
					      host);
		host += len + (host[len] == '\n');
	}
}

static int run_child(struct engine *g, const struct run_opts *o, struct run_child *c, char *shared,
		     const char *host, int *ret_status, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct err one = ERR_INIT;
	int r = run_up(g, o, c, &a, e);

	if (r < 0)
		return r;
	settle_resolvers(shared, host, a);
	if (!attachment_has_names(a) && !strstr(host, "nameserver ") && !o->a.common.quiet)
		log_warn("no resolver of the host can be reached from a container; names will not "
			 "resolve");
	r = unshare_go(c, e);
	if (r == 1 && !o->a.common.quiet)
		log_warn("there is no " RESOLV_ETC ": the command gets no resolvers");
	if (r >= 0)
		r = unshare_wait(c, ret_status, e);
	if (engine_down(g, a->id, a->ifname, &one) < 0)
		log_warn("%s", one.text);
	return r;
}

/* ---- without root ---- */

static int user_child(struct rootless *n, const struct run_opts *o, struct run_child *c,
		      int *ret_status, struct err *e)
{
	struct rootless_state s = {0};
	struct err one = ERR_INIT;
	int r = user_run_up(n, &o->a, c->pid, &s, e);

	if (r < 0)
		return r;
	r = unshare_go(c, e);
	if (r == 1 && !o->a.common.quiet)
		log_warn("there is no " RESOLV_ETC ": the command gets no resolvers");
	if (r >= 0)
		r = unshare_wait(c, ret_status, e);
	if (rootless_down(n, s.id, s.ifname, &one) < 0)
		log_warn("%s", one.text);
	rootless_state_clear(&s);
	return r;
}

static int user_run(const struct run_opts *o, char **argv, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *n = NULL;
	struct run_child c = RUN_CHILD_INIT;
	char resolv[USER_RESOLV_STRLEN];
	struct run_spec spec = {.flags = o->flags | (o->is_own_net ? RUN_USER : RUN_SPLIT),
				.hostname = o->hostname,
				.argv = argv,
				.resolv_conf = user_resolv_conf(&o->a, resolv)};
	int status = EXIT_RUN;
	int r = user_open(&o->a.common, false, &n, e);

	if (r < 0)
		return r;
	r = unshare_start(&spec, &c, e);
	if (r >= 0)
		r = user_child(n, o, &c, &status, e);
	unshare_end(&c);
	if (r < 0 && c.exec_status) {
		log_error("%s", e->text);
		return c.exec_status;
	}
	return r < 0 ? r : status;
}

/* On a network of several containers: made inside of the user's host, where the engine reaches it.
 */
static int net_child(struct usernet *u, const struct run_opts *o, struct run_child *c, char *shared,
		     const char *host, int *ret_status, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct err one = ERR_INIT;
	struct up_request req;
	int back, r;

	snprintf(t.id, sizeof(t.id), "pid-%d", c->pid);
	snprintf(t.path, sizeof(t.path), "/proc/%d/ns/net", c->pid);
	r = netns_open_pid(c->pid, &t.fd, NULL, e);
	if (r >= 0)
		r = attach_request(&o->a, &t, &req, e);
	if (r >= 0)
		r = usernet_attach(u, &req, &a, e);
	if (r < 0)
		return r;
	settle_resolvers(shared, host, a);
	r = usernet_leave(u, e);
	if (r >= 0)
		r = unshare_go(c, e);
	if (r == 1 && !o->a.common.quiet)
		log_warn("there is no " RESOLV_ETC ": the command gets no resolvers");
	if (r >= 0)
		r = unshare_wait(c, ret_status, e);
	back = usernet_return(u, &one);
	if (back == 0)
		back = usernet_detach(u, a->id, a->ifname, &one);
	if (back < 0)
		log_warn("%s", one.text);
	return r;
}

static int net_run(const struct run_opts *o, char **argv, struct err *e)
{
	CLEAN_USERNET struct usernet u = {.is_to_leave = true};
	CLEAN_BUF struct buf resolv = BUF_INIT;
	struct run_child c = RUN_CHILD_INIT;
	struct run_spec spec = {.flags = o->flags | (o->is_own_net ? RUN_USER : RUN_SPLIT),
				.hostname = o->hostname,
				.argv = argv};
	char *shared = map_shared(HOST_RESOLV_CONF, e);
	int status = EXIT_RUN;
	int r = shared ? usernet_open(&o->a.common, USERNET_USE, &u, e) : -ENOMEM;

	/* Of which the search list and the options are wanted, and can be done without. */
	(void)resolv_load(RESOLV_ETC, RESOLV_SYSTEMD, &resolv, NULL);
	spec.resolv_conf = shared;
	if (r == 1 || (r == 0 && !usernet_has(&o->a.common, o->a.network)))
		r = err_set(e, ERR_ABSENT, 0,
			    "network %s does not exist: `netns-up network create %s` makes it",
			    o->a.network, o->a.network);
	if (r == 0)
		r = usernet_enter(&u, false, e);
	if (r >= 0)
		r = unshare_start(&spec, &c, e);
	if (r >= 0)
		r = net_child(&u, o, &c, shared, resolv.p ? resolv.p : "", &status, e);
	unshare_end(&c);
	unmap_shared(shared);
	if (r < 0 && c.exec_status) {
		log_error("%s", e->text);
		return c.exec_status;
	}
	return r < 0 ? r : status;
}

/* ---- with root ---- */

static int run(const struct run_opts *o, char **argv, struct err *e)
{
	CLEAN_ENGINE struct engine *g = NULL;
	CLEAN_BUF struct buf resolv = BUF_INIT;
	struct run_child c = RUN_CHILD_INIT;
	struct run_spec spec = {.flags = o->flags, .hostname = o->hostname, .argv = argv};
	int status = EXIT_RUN;
	char *shared = NULL;
	int r = cli_open(&o->a.common, false, &g, e);

	if (r >= 0)
		r = resolv_load(RESOLV_ETC, RESOLV_SYSTEMD, &resolv, e);
	if (r >= 0) {
		shared = map_shared(resolv.p ? resolv.p : "", e);
		spec.resolv_conf = shared;
		r = shared ? unshare_start(&spec, &c, e) : -ENOMEM;
	}
	if (r >= 0)
		r = run_child(g, o, &c, shared, resolv.p ? resolv.p : "", &status, e);
	unshare_end(&c);
	unmap_shared(shared);
	if (r < 0 && c.exec_status) {
		log_error("%s", e->text);
		return c.exec_status;
	}
	return r < 0 ? r : status;
}

static int main_run(const struct verb *v, int argc, char **argv)
{
	struct run_opts o = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r > 0) {
		r = EXIT_RUN; /* every other status is the command's */
	} else if (r < 0) {
		char **command = argv + 1; /* operands, gathered in front */
		command[n] = NULL;
		if (!user_is_rootless())
			r = run(&o, command, &e);
		else
			r = user_is_named(&o.a) ? net_run(&o, command, &e)
						: user_run(&o, command, &e);
		if (r < 0) {
			cli_fail(&e);
			r = EXIT_RUN;
		}
	}
	attach_opts_free(&o.a);
	return r;
}

const struct verb verb_run = {
	.v = {.name = "run",
	      .operands = "-- CMD [ARG]...",
	      .summary = "run a command in a network of its own",
	      .notes =
		      "The network is up before CMD starts and down when it ends. CMD's "
		      "resolv.conf has\n"
		      "the network's resolver; without one, the host's that a container can reach.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = (size_t)-1,
	      .stop_at_operand = true},
	.main = main_run,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp-lite: user-mode networking for one network namespace. This process parses, opens everything
 * that has to be opened, starts the namespace helper and the zygote, gives up what it no longer
 * needs, and becomes the supervisor: the process that was started is the one that stays.
 * --background starts all that in a child and returns when the child is ready. Called as pasta it
 * takes pasta's options (pasta.c), as pesto it is that (pesto.c).
 *
 *   main -> helper   joins the namespaces, makes the tap, hands it over, ends    (setup.c)
 *        -> zygote -> worker   all packet code, in the sandbox                   (zygote.c)
 *        = supervisor                                                            (supervisor.c)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "net/portowner.h"
#include "proc/autoports.h"
#include "proc/bess.h"
#include "proc/background.h"
#include "proc/completion.h"
#include "proc/ctl.h"
#include "proc/nameservers.h"
#include "proc/nsd.h"
#include "proc/options.h"
#include "proc/outbound.h"
#include "proc/ownaddrs.h"
#include "proc/pcap.h"
#include "proc/pesto.h"
#include "proc/pidfile.h"
#include "proc/published.h"
#include "proc/requests.h"
#include "proc/sandbox.h"
#include "proc/setup.h"
#include "proc/slirp4netns.h"
#include "proc/supervisor.h"
#include "proc/target.h"
#include "proc/template.h"
#include "proc/zygote.h"

#define NOFILE_MAX 131072
#define PREDECESSOR_MS 2000

struct launch {
	struct options options;
	struct worker_config config;
	struct target target;
	struct setup setup;
	struct zygote zygote;
	struct nsd nsd;
	struct autoports *autoports;
	struct nameservers nameservers;
	struct published *published;
	struct setup_made made; /* but for the tap */
	int tap, pcap, signals, listen_fd, log_fd, null_fd, pid_fd;
	bool has_socket; /* the control socket's file is ours to remove */
	int parent;      /* --background: pipe to whoever waits; -1: none */
};

static void print_version(void)
{
	/* Clients take the text after the last line that has the word "version". */
	printf("slirp-lite version %s\nlibslirp: none (own TCP/IP)\n", NETNS_UP_VERSION);
}

static void print_pasta_version(void)
{
	printf("pasta %s\nThis is slirp-lite, called by that name.\n", NETNS_UP_VERSION);
}

/* What the namespace gets, for people. */
static void log_plan(const struct options *o, const struct plan *p)
{
	char net[PREFIX_STRLEN], a[IP_STRLEN];

	log_info("interface %s, MTU %u", o->tap, p->mtu);
	for (int f = 0; f < N_FAM; f++) {
		struct prefix addr = {p->guest[f], p->net[f].len};

		if (addr.ip.family)
			log_info("address %s, gateway %s", prefix_str(&addr, net),
				 ip_str(&p->gateway[f], a));
		if (p->loopback_at[f].family)
			log_info("%s is the host's loopback", ip_str(&p->loopback_at[f], a));
	}
}

/* Standard descriptors to /dev/null, messages to the log file if there is one: whoever reads our
 * output gets its end. */
static int detach(const struct launch *l, struct err *e)
{
	(void)fflush(stdout);
	if (dup2(l->null_fd, 0) < 0 || dup2(l->null_fd, 1) < 0 ||
	    dup2(l->log_fd >= 0 ? l->log_fd : l->null_fd, 2) < 0)
		return err_sys(e, errno, "standard descriptors");
	return 0;
}

static int say_ready(int *fd)
{
	int r = 0;

	if (*fd >= 0) {
		do
			r = write(*fd, "1", 1) == 1 ? 0 : -errno;
		while (r == -EINTR);
		fd_closep(fd);
	}
	return r;
}

static int on_ready(void *arg, struct err *e)
{
	struct launch *l = arg;
	int r = 0;

	r = pidfile_write(&l->pid_fd, getpid(), e);
	if (r == 0 && l->options.is_background && !l->options.pasta.is_foreground)
		r = detach(l, e);
	else if (r == 0 && !l->options.pasta.is_on)
		slirp4netns_print_plan(&l->config.policy.plan, l->options.api);
	if (r < 0)
		return r;
	/* A client that went away without waiting is no reason to end: its exit descriptor is. */
	if (say_ready(&l->options.ready_fd) < 0)
		log_warn("nobody reads the ready descriptor");
	/* Without whoever waits for --background nobody knows of us: it was killed, or gave up. */
	if (say_ready(&l->parent) < 0)
		return err_set(e, ERR_INTERNAL, EPIPE, "in the background: whoever waits for it");
	return 0;
}

/* SIGTERM always ends us; the others do unless whoever started us wants them ignored (nohup, `&` in
 * a script): a signal that is blocked comes to a signalfd all the same. */
static int take_signals(struct launch *l, struct err *e)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction old;
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	/* A caller that ignores it would have our children reaped by the kernel. */
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return err_sys(e, errno, "block signals");
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals < 0 ? err_sys(e, errno, "signalfd") : 0;
}

/* A supervisor that is stopped sees no end of anything, and would hold a namespace that others have
 * kept: the kernel wakes it up. The pipe is opened once more, for whom it tells is a matter of each
 * opening. What is no pipe is watched alone. Read F_SETSIG in fcntl(2). */
static void wake_at_end(struct options *o)
{
	CLEAN_FD int fd = -1;
	struct stat st;
	char path[32];
	int flags;

	if (!o->is_netns_kept || o->exit_fd < 0 || fstat(o->exit_fd, &st) < 0 ||
	    !S_ISFIFO(st.st_mode))
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", o->exit_fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETSIG, SIGCONT) < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETFL, flags | O_ASYNC) < 0)
		return;
	(void)close(o->exit_fd);
	o->exit_fd = fd_take(&fd);
}

static int open_log(struct launch *l, struct err *e)
{
	const char *path = l->options.log_file;

	l->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l->null_fd < 0)
		return err_sys(e, errno, "/dev/null");
	if (!path)
		return 0;
	l->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (l->log_fd < 0)
		return err_sys(e, errno, "--log-file: %s", path);
	/* In the background standard error stays the caller's until all is well. */
	if ((!l->options.is_background || l->options.pasta.is_foreground) && dup2(l->log_fd, 2) < 0)
		return err_sys(e, errno, "--log-file: %s", path);
	return 0;
}

static int find_outbound(struct launch *l, struct err *e)
{
	static const char *const names[] = {"--outbound-addr", "--outbound-addr6"};
	int r = 0;

	for (int f = 0; r == 0 && f < N_FAM; f++)
		if (l->options.outbound[f])
			r = err_ctx(e,
				    outbound_find(l->options.outbound[f], f,
						  &l->config.policy.outbound[f], e),
				    "%s", names[f]);
	return r;
}

static bool is_by_number(const char *path)
{
	return path &&
	       (strncmp(path, "/proc/self/fd/", 14) == 0 || strncmp(path, "/dev/fd/", 8) == 0);
}

/* What the caller left open by mistake: somebody may wait for the end of a pipe or for a lock. Not
 * where a path that is used again later may go through one. */
static void close_others(const struct launch *l)
{
	const struct target *t = &l->target;
	const int keep[] = {
		t->netns_fd,
		t->userns_fd,
		t->tap_fd,
		t->pidfd,
		t->names_fd,
		t->mounts_fd,
		l->pcap,
		l->pid_fd,
		l->signals,
		l->nameservers.fd,
		l->listen_fd,
		l->log_fd,
		l->null_fd,
		l->parent,
		l->options.exit_fd,
		l->options.ready_fd,
		l->options.kept_fd,
	};
	unsigned next = 3;

	if (is_by_number(l->options.target) || is_by_number(l->options.api))
		return;
	for (;;) {
		unsigned low = UINT_MAX;

		for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			if (keep[i] >= 0 && (unsigned)keep[i] >= next && (unsigned)keep[i] < low)
				low = (unsigned)keep[i];
		if (low > next)
			(void)close_range(next, low - 1, 0);
		if (low == UINT_MAX)
			break;
		next = low + 1;
	}
}

/* Who else has a port, while /proc can be read. */
static int say_owner(const struct launch *l, int r, struct err *e)
{
	char who[PORTOWNER_STRLEN], text[PUBLISH_STRLEN];
	struct publish p;

	if (r != -EADDRINUSE || !published_taken(l->published, &p))
		return r;
	return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is taken by %s", publish_str(&p, text),
		       portowner_find(p.proto, &p.host_ip, p.host_port, who));
}

/* All that are named, before anything is made. Each takes a descriptor, and the worker's copy one
 * of its own. */
static int publish(struct launch *l, struct err *e)
{
	const struct options *o = &l->options;
	struct published_request q = {.list = o->publish.p, .n = o->publish.n, .local = o->local};
	struct rlimit lim;
	uint32_t id;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max < NOFILE_MAX ? lim.rlim_max : NOFILE_MAX;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	r = published_new(&l->published, e);
	if (r < 0 || q.n == 0)
		return r;
	requests_guest(&l->config.policy.plan, o->is_configured, q.guest);
	r = published_add(l->published, &q, &id, e);
	if (r < 0)
		r = err_ctx(e, say_owner(l, r, e),
			    o->pasta.is_on ? "published ports" : "--publish");
	return r < 0 ? r : 0;
}

/* Who is who on the link; for pasta after a look at the host's own network. */
static int configure(struct launch *l, struct err *e)
{
	struct options *o = &l->options;
	const struct pasta *p = &o->pasta;
	const struct prefix wanted[N_FAM] = {{p->addr[FAM4], p->len[FAM4]},
					     {p->addr[FAM6], p->len[FAM6]}};
	struct template t;
	int r;

	if (!p->is_on) {
		options_config(o, &l->config);
		return attach_egress_has_names(&o->egress) ? ownaddrs_read(&l->config.policy, e)
							   : 0;
	}
	r = template_read(p->interface, wanted, &t, e);
	if (r < 0)
		return p->interface ? err_ctx(e, r, "--interface") : r;
	r = pasta_config(o, &t, &l->config, e);
	if (r == 0)
		log_plan(o, &l->config.policy.plan);
	if (r == 0 && p->is_lo_to_lo && (o->publish.n > 0 || o->is_publish_auto))
		log_warn("--host-lo-to-ns-lo: published ports lead to the namespace's address, not "
			 "to its loopback");
	return r;
}

/* The resolvers that were named, or the host's as they change. */
static int find_resolvers(struct launch *l, struct err *e)
{
	struct err why = ERR_INIT;

	if (l->options.pasta.has_resolvers) {
		l->config.resolvers = l->options.pasta.resolvers;
		return 0;
	}
	if (nameservers_watch(NAMESERVERS_PATH, &l->nameservers, &why) < 0)
		log_warn("%s; changes will not be noticed", why.text);
	return nameservers_load(NAMESERVERS_PATH, &l->config.resolvers, e);
}

/* Everything that can fail for a reason of the caller's, before anything is made. */
static int open_all(struct launch *l, struct err *e)
{
	struct options *o = &l->options;
	int r = open_log(l, e);

	if (r == 0)
		r = configure(l, e);
	if (r == 0)
		r = find_outbound(l, e);
	if (r == 0)
		r = target_open(o, &l->target, e);
	if (r == 0)
		r = find_resolvers(l, e);
	if (r == 0 && o->pasta.pid_file)
		r = err_ctx(e, pidfile_open(o->pasta.pid_file, &l->pid_fd, e), "--pid");
	if (r == 0 && o->pcap)
		r = err_ctx(e, pcap_create(o->pcap, &l->pcap, e), "--pcap");
	/* A container that is started again at once: the one before is about to end, and has its
	 * ports until then. */
	if (r == 0 && o->api && o->is_slirp4netns)
		ctl_await_end(o->api, PREDECESSOR_MS);
	if (r == 0 && o->api)
		r = err_ctx(e, ctl_listen(o->api, &l->listen_fd, e), "--api-socket");
	l->has_socket = l->listen_fd >= 0;
	if (r == 0)
		close_others(l);
	if (r == 0)
		r = publish(l, e);
	return r;
}

/* Of our own files alone: the worker's capture is its own affair. */
static void limit_log(const struct launch *l)
{
	struct rlimit lim;

	if (l->log_fd < 0 || !l->options.pasta.log_size || getrlimit(RLIMIT_FSIZE, &lim) < 0)
		return;
	(void)signal(SIGXFSZ, SIG_IGN);
	if (lim.rlim_cur > l->options.pasta.log_size)
		lim.rlim_cur = l->options.pasta.log_size;
	(void)setrlimit(RLIMIT_FSIZE, &lim);
}

/* From here on nothing is opened but resolv.conf. Its directories, and where programs that manage
 * it put the file that it links to. */
static int confine(const struct launch *l, struct err *e)
{
	const char *dirs[] = {"/etc", "/run", l->nameservers.link_dir, NULL};

	if (!*l->nameservers.link_dir)
		dirs[2] = NULL;
	json_prepare(); /* what keys are hashed with is drawn while that can be done */
	return sandbox_supervisor(l->options.sandbox, dirs, l->options.api, e);
}

/* Sockets inside are for clients on this host, and for knowing what is served. A tap that was
 * handed over tells no namespace. */
static bool wants_nsd(const struct launch *l)
{
	const struct options *o = &l->options;

	return l->target.kind != TARGET_TAPFD && l->target.kind != TARGET_BESS &&
	       (o->is_publish_auto ||
		(o->local == PORT_LOCAL_SPLICE && (o->api || o->publish.n > 0)));
}

static bool is_relay(const struct launch *l)
{
	return l->made.listen[FAM4] >= 0 || l->made.listen[FAM6] >= 0;
}

static int start_nsd(struct launch *l, struct err *e)
{
	const struct options *o = &l->options;
	const struct nsd_spec spec = {.netns_fd = l->target.netns_fd,
				      .userns_fd = l->target.userns_fd,
				      .is_auto = o->is_publish_auto,
				      .is_transparent = is_relay(l) && l->target.userns_fd >= 0};
	struct autoports_env env = {
		.published = l->published, .except = &o->except, .local = o->local};
	int r = nsd_start(&spec, &l->nsd, e);

	if (r < 0 || !o->is_publish_auto)
		return r;
	requests_guest(&l->config.policy.plan, o->is_configured, env.guest);
	return autoports_new(&env, &l->autoports, e);
}

/* Without it clients on this host come in as the gateway; what was asked for by name is missed. */
static void finish_nsd(struct launch *l)
{
	struct err e = ERR_INIT;

	if (l->nsd.pidfd < 0 || nsd_finish(&l->nsd, &e) == 0)
		return;
	log_warn("%s", e.text);
	nsd_end(&l->nsd);
}

static int take_made(struct launch *l, struct err *e)
{
	int r = setup_finish(&l->setup, &l->made, e);

	if (r < 0)
		return r;
	l->tap = fd_take(&l->made.tap);
	if (l->made.lacks.used > 0)
		log_warn("clients of published ports with addresses of the namespace's own "
			 "networks are not served: %s",
			 l->made.lacks.text);
	return 0;
}

static int start(struct launch *l, struct err *e)
{
	const struct setup_spec spec = {
		.netns_fd = l->target.netns_fd,
		.userns_fd = l->target.userns_fd,
		.tap = l->options.tap,
		.is_configured = l->options.is_configured,
		.is_lo_up = l->options.pasta.is_on,
		.plan = &l->config.policy.plan,
		.is_relay = l->options.engine == ENGINE_RELAY,
	};
	const struct zygote_spec zspec = {
		.config = &l->config,
		.sandbox = l->options.sandbox,
		.kept_fd = l->options.kept_fd,
	};
	const bool is_made = l->target.tap_fd >= 0;
	int r = 0;

	if (!is_made)
		r = setup_start(&spec, &l->setup, e);
	if (r == 0)
		r = zygote_start(&zspec, &l->zygote, e);
	fd_closep(&l->options.kept_fd);
	/* The maker of sockets has what is needed where the relay engine works, and not elsewhere:
	 * it is started when that is known. */
	if (r == 0 && !is_made && spec.is_relay)
		r = take_made(l, e);
	if (r == 0 && wants_nsd(l))
		r = start_nsd(l, e);
	if (r == 0)
		limit_log(l);
	if (r == 0)
		r = confine(l, e);
	if (r == 0)
		finish_nsd(l);
	if (r == 0 && !is_made && l->tap < 0)
		r = take_made(l, e);
	else if (r == 0 && is_made)
		l->tap = fd_take(&l->target.tap_fd);
	target_release(&l->target);
	return r;
}

static int supervise(struct launch *l, const char **ret_why, struct err *e)
{
	const struct supervisor_spec spec = {
		.options = &l->options,
		.config = &l->config,
		.target = &l->target,
		.zygote = &l->zygote,
		.nameservers = &l->nameservers,
		.published = l->published,
		.resolvers = l->config.resolvers,
		.tap = l->tap,
		.pcap = l->pcap,
		.listen = {l->made.listen[FAM4], l->made.listen[FAM6]},
		.nsd = &l->nsd,
		.autoports = l->autoports,
		.signals = l->signals,
		.listen_fd = fd_take(&l->listen_fd),
		.api = l->has_socket ? l->options.api : NULL,
		.on_ready = on_ready,
		.arg = l,
	};

	l->has_socket = false;
	return supervisor_run(&spec, ret_why, e);
}

/* Whatever is there. */
static void end(struct launch *l)
{
	if (l->has_socket && unlink(l->options.api) < 0 && errno != ENOENT)
		log_warn("%s: %s", l->options.api, strerror(errno));
	setup_end(&l->setup);
	zygote_end(&l->zygote);
	nsd_end(&l->nsd);
	autoports_free(l->autoports);
	published_free(l->published);
	publish_list_clear(&l->options.publish);
	publish_list_clear(&l->options.except);
	fd_closep(&l->tap);
	for (int f = 0; f < N_FAM; f++)
		fd_closep(&l->made.listen[f]);
	fd_closep(&l->listen_fd);
	fd_closep(&l->pcap);
	fd_closep(&l->signals);
	fd_closep(&l->log_fd);
	fd_closep(&l->null_fd);
	fd_closep(&l->pid_fd);
	nameservers_close(&l->nameservers);
	target_close(&l->target);
}

static int run(struct launch *l)
{
	struct err e = ERR_INIT;
	const char *why = "";
	int r = take_signals(l, &e);

	if (r == 0) {
		wake_at_end(&l->options);
		r = open_all(l, &e);
	}
	if (r == 0 && l->options.kind == TARGET_BESS)
		r = bess_open(l->options.target, l->signals, l->options.exit_fd, &l->target.tap_fd,
			      &e);
	if (r == 0)
		r = start(l, &e);
	if (r == 0)
		r = supervise(l, &why, &e);
	end(l);
	if (r < 0)
		log_error("%s", e.text);
	else
		log_debug("ended: %s", why);
	return r < 0;
}

/* As background_start, for what was asked for. */
static int go_background(struct launch *l)
{
	struct pasta *p = &l->options.pasta;
	pid_t pid = 0;
	int r;

	if (!p->command)
		return background_start(&l->parent, &pid);
	r = background_command(p->command, &l->parent, &pid);
	l->options.target_pid = (int)pid;
	return r;
}

static void close_on_exec(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void print_help(const struct options *o, FILE *to)
{
	CLEAN_BUF struct buf text = BUF_INIT;

	pasta_help_text(o, &text);
	if (text.p)
		(void)fputs(text.p, to);
}

/* False: that was all, with this exit status. */
static bool parse(int argc, char **argv, struct options *o, int *ret_status)
{
	bool is_pasta = pasta_is_name(argv[0]);
	const char *name = is_pasta ? "pasta" : "slirp-lite";
	struct err e = ERR_INIT;
	int r;

	log_setup(name, LOG_LEVEL_INFO);
	r = is_pasta ? pasta_parse(argc, argv, o, &e) : options_parse(argc, argv, o, &e);
	*ret_status = r != 0;
	if (r != 0) {
		log_error("%s", e.text);
		if (r == 1)
			print_help(o, stderr);
		if (slirp4netns_is_name(argv[0]))
			options_help(&(const struct options){.program = "slirp4netns"});
		return false;
	}
	if (o->is_help && is_pasta)
		print_help(o, stdout);
	else if (o->is_help)
		options_help(o);
	else if (o->is_version && is_pasta)
		print_pasta_version();
	else if (o->is_version && o->is_slirp4netns)
		slirp4netns_print_version();
	else if (o->is_version)
		print_version();
	log_setup(name, o->log_level);
	return !o->is_help && !o->is_version;
}

int main(int argc, char **argv)
{
	static struct launch l = {
		.target = TARGET_INIT,
		.setup = SETUP_INIT,
		.zygote = ZYGOTE_INIT,
		.nsd = NSD_INIT,
		.nameservers = NAMESERVERS_INIT,
		.made = {.tap = -1, .listen = {-1, -1}},
		.tap = -1,
		.pcap = -1,
		.signals = -1,
		.listen_fd = -1,
		.log_fd = -1,
		.null_fd = -1,
		.pid_fd = -1,
		.parent = -1,
	};
	int r = 0;

	if (fd_fill_stdio() < 0)
		return 1;
	if (pesto_is_name(argv[0]))
		return pesto_main(argc, argv);
	if (completion_main(argc, argv, &r))
		return r;
	if (!parse(argc, argv, &l.options, &r))
		return r;
	r = -1;
	if (l.options.has_extra)
		log_warn("what follows %s is ignored", l.options.tap);
	if (l.options.is_without_ipv6)
		log_warn("without IPv6, which needs an MTU of 1280");
	close_on_exec(l.options.exit_fd);
	close_on_exec(l.options.ready_fd);
	close_on_exec(l.options.kept_fd);
	if (l.options.is_background)
		r = go_background(&l);
	if (r < 0)
		r = run(&l);
	/* Straight away: what libraries do at exit is not within the filter, and not needed. */
	(void)fflush(stdout);
	syscall(SYS_exit_group, r);
	return r;
}

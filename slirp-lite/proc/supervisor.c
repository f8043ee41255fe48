/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor: one poll loop over a dozen descriptors and the control clients. A worker that ends is
 * replaced at once with the same tap; nothing that a worker says is trusted: its log lines are
 * cleaned and counted, its messages checked. Everything here is within the filter of
 * proc/filters.c. Read poll(2), signalfd(2).
 */
#include "proc/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "proc/heartbeat.h"
#include "proc/requests.h"
#include "stack/ctlmsg.h"

#define STATUS_LINK 71 /* of a worker: its link is gone */
#define START_MS 10000 /* for a worker to be ready */
#define FLUSH_MS 200
#define NO_MEMORY_MS 20
#define LOG_LINES 20  /* of a worker, a second */
#define LOG_CHUNKS 32 /* read in a round: what the pipe holds */

enum { AT_SIGNALS, AT_ZYGOTE, AT_WORKER, AT_LOG, AT_EXIT, AT_NAMES, AT_NSD, AT_SERVED, AT_TARGET };
#define AT_CTL (AT_TARGET + TARGET_N_POLL)
#define N_POLL (AT_CTL + CTL_N_POLL)

struct supervisor {
	const struct supervisor_spec *s;
	struct requests *requests;
	int control;       /* of the worker; -1: none, or it is gone */
	int log_r, log_w;  /* one pipe for all workers */
	pid_t worker;      /* 0: none */
	bool is_ready;     /* the worker said so */
	bool was_ready;    /* one ever was */
	uint64_t start_by; /* clock_ms by which it has to */
	struct heartbeat heartbeat;
	uint64_t begun, crashes[SUPERVISOR_CRASHES + 1];
	unsigned n_restarts;
	struct resolvers resolvers;
	struct rates rates;
	char line[512];
	size_t line_len;
	uint64_t line_second;
	unsigned n_lines;
	const char *why; /* set: it is over */
};

static int over(struct supervisor *v, const char *why)
{
	if (!v->why)
		v->why = why;
	return 0;
}

/* ---- worker ---- */

static int explain_zygote(const struct zygote_report *z, struct err *e)
{
	if (*z->text)
		return err_invalid(e, ERR_UNSUPPORTED, "%s", z->text);
	return err_sys(e, z->sys, "start a worker");
}

static int start_worker(struct supervisor *v, struct err *e)
{
	struct worker_fds fds = {.link = v->s->tap,
				 .log = v->log_w,
				 .pcap = v->s->pcap,
				 .inside = v->s->nsd->sockets_fd,
				 .listen = {v->s->listen[FAM4], v->s->listen[FAM6]}};
	CLEAN_FD int theirs = -1;
	struct zygote_report z;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, errno, "socketpair");
	fd_closep(&v->control);
	v->control = pair[0];
	theirs = pair[1];
	fds.control = theirs;
	v->is_ready = false;
	published_restart(v->s->published);
	v->start_by = clock_ms() + START_MS;
	r = zygote_request(v->s->zygote, &fds, &v->resolvers, &v->rates);
	/* It may have ended with a word. */
	if (r < 0 && zygote_read(v->s->zygote, &z) == 1 && z.what == ZYGOTE_FAILED)
		return explain_zygote(&z, e);
	return r < 0 ? err_sys(e, -r, "ask for a worker") : 0;
}

/* Too many within a minute? at[0] is the oldest. */
static bool is_too_often(struct supervisor *v, uint64_t now)
{
	memmove(v->crashes, v->crashes + 1, sizeof(v->crashes) - sizeof(v->crashes[0]));
	v->crashes[SUPERVISOR_CRASHES] = now;
	return v->crashes[0] != 0 && now - v->crashes[0] < SUPERVISOR_MINUTE_MS;
}

static void say_end(char *out, size_t size, int status)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

static void read_log(struct supervisor *v, uint64_t now);

static int read_worker(struct supervisor *v, struct err *e);

static int worker_ended(struct supervisor *v, int status, uint64_t now, struct err *e)
{
	char how[96];
	int r = v->control >= 0 ? read_worker(v, e) : 0; /* its last words */

	v->worker = 0;
	heartbeat_stop(&v->heartbeat);
	fd_closep(&v->control);
	if (r < 0)
		return r;
	read_log(v, now);
	requests_forget_worker(v->requests);
	say_end(how, sizeof(how), status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_LINK) {
		log_warn("the interface is gone");
		return over(v, "no interface");
	}
	if (!v->was_ready)
		return err_invalid(e, ERR_INTERNAL, "the worker %s before it was ready", how);
	if (is_too_often(v, now))
		return err_invalid(e, ERR_INTERNAL,
				   "the worker ended %d times within a minute; the last one %s",
				   SUPERVISOR_CRASHES + 1, how);
	log_warn("the worker %s; the next one takes over", how);
	v->n_restarts++;
	return start_worker(v, e);
}

static int read_zygote(struct supervisor *v, uint64_t now, struct err *e)
{
	struct zygote_report z;
	int r = zygote_read(v->s->zygote, &z);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return err_invalid(e, ERR_INTERNAL, "the zygote is gone");
	switch (z.what) {
	case ZYGOTE_STARTED:
		v->worker = z.pid;
		return 0;
	case ZYGOTE_ENDED:
		return worker_ended(v, z.status, now, e);
	default:
		return explain_zygote(&z, e);
	}
}

static int worker_ready(struct supervisor *v, struct err *e)
{
	int r = 0;

	v->is_ready = true;
	heartbeat_start(&v->heartbeat, clock_ms());
	if (!v->was_ready)
		r = v->s->on_ready(v->s->arg, e);
	v->was_ready = true;
	log_debug("worker %d is ready", (int)v->worker);
	return r;
}

static int read_worker(struct supervisor *v, struct err *e)
{
	struct ctlmsg m;
	int r = 0;

	for (int i = 0; r == 0 && i < 16; i++) {
		int n = ctlmsg_recv(v->control, &m, NULL);

		if (n == -EAGAIN)
			return 0;
		if (n == -EPROTO)
			continue;
		if (n <= 0) {
			/* It is about to end; the zygote tells how. One that is not is of no more
			 * use, and what is on its way to it would be waited for without end. */
			fd_closep(&v->control);
			(void)zygote_kill(v->s->zygote);
			return 0;
		}
		heartbeat_heard(&v->heartbeat, clock_ms());
		if (m.type == CTLMSG_READY && !v->is_ready)
			r = worker_ready(v, e);
		else if (m.type == CTLMSG_PORTS_DONE)
			published_done(v->s->published, m.id);
		else
			requests_message(v->requests, &m, clock_ms());
	}
	return r;
}

/* One that hangs is as useless as one that is gone. The answer to the question is any message. */
static int look_after(struct supervisor *v, uint64_t now, struct err *e)
{
	const struct ctlmsg get = {.type = CTLMSG_STATS_GET};
	int r;

	switch (heartbeat_look(&v->heartbeat, now)) {
	case HEARTBEAT_WAIT:
		break;
	case HEARTBEAT_ASK:
		/* What it does not read it does not answer either. */
		if (v->control >= 0)
			(void)ctlmsg_send(v->control, &get);
		break;
	case HEARTBEAT_SILENT:
		log_warn("the worker does not answer");
		r = zygote_kill(v->s->zygote);
		return r < 0 ? err_sys(e, -r, "end a worker that does not answer") : 0;
	}
	return 0;
}

/* ---- its log ---- */

static void log_line(struct supervisor *v, uint64_t now)
{
	if (now / 1000 != v->line_second) {
		v->line_second = now / 1000;
		v->n_lines = 0;
	}
	if (v->line_len > 0 && v->n_lines++ < LOG_LINES)
		log_msg(v->was_ready ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "worker: %.*s",
			(int)v->line_len, v->line);
	v->line_len = 0;
}

static void read_log(struct supervisor *v, uint64_t now)
{
	char text[2048];
	ssize_t n;

	/* Not for ever: it may write faster than we read. */
	for (int k = 0; k < LOG_CHUNKS && (n = read(v->log_r, text, sizeof(text))) > 0; k++)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] == '\n' || v->line_len == sizeof(v->line))
				log_line(v, now);
			if (text[i] != '\n')
				v->line[v->line_len++] = text[i];
		}
}

/* ---- published ports ---- */

/* What the worker has not heard yet of them, one message at a time. */
static void tell_ports(struct supervisor *v, uint64_t now)
{
	struct published *ports = v->s->published;
	int fds[CTLMSG_PORTS], r;
	struct ctlmsg m;

	if (v->control < 0 || !v->is_ready || !published_message(ports, now, &m, fds))
		return;
	r = m.type == CTLMSG_PORTS_ADD ? ctlmsg_send_ports(v->control, &m, fds)
				       : ctlmsg_send(v->control, &m);
	/* Too much is on its way, of ours or of the user's: it is tried again when the time is up.
	 */
	if (r < 0 && r != -EAGAIN && r != -ETOOMANYREFS)
		published_unsent(ports);
}

/* ---- control clients ---- */

static int tell(void *arg, const struct ctlmsg *m)
{
	struct supervisor *v = arg;

	return v->control < 0 || !v->is_ready ? -ENOTCONN : ctlmsg_send(v->control, m);
}

static void describe(void *arg, struct status *ret)
{
	struct supervisor *v = arg;

	*ret = (struct status){
		.options = v->s->options,
		.config = v->s->config,
		.resolvers = &v->resolvers,
		.rates = v->rates,
		.netns_dev = v->s->target->dev,
		.netns_ino = v->s->target->ino,
		.is_relay = v->s->listen[FAM4] >= 0 || v->s->listen[FAM6] >= 0,
		.worker = v->worker,
		.is_ready = v->is_ready,
		.n_restarts = v->n_restarts,
		.uptime_ms = clock_ms() - v->begun,
	};
}

/* One that is only starting finds it in its queue. */
static int set_rates(void *arg, const struct rates *r)
{
	const struct ctlmsg m = {.type = CTLMSG_RATES, .rates = *r};
	struct supervisor *v = arg;
	int w = v->control < 0 ? 0 : ctlmsg_send(v->control, &m);

	/* One that is gone is about to be replaced. */
	if (w < 0 && w != -EPIPE && w != -ECONNRESET)
		return w;
	v->rates = *r;
	return 0;
}

static void get_rates(void *arg, struct rates *ret)
{
	*ret = ((const struct supervisor *)arg)->rates;
}

static void stop(void *arg)
{
	(void)over(arg, "a request to stop");
}

/* ---- the rest ---- */

static int read_signals(struct supervisor *v)
{
	struct signalfd_siginfo si;

	while (read(v->s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		(void)over(v, "a signal");
	return 0;
}

static void read_names(struct supervisor *v)
{
	struct ctlmsg m = {.type = CTLMSG_RESOLVERS};
	struct err e = ERR_INIT;
	int r = nameservers_changed(v->s->nameservers, &v->resolvers, &e);

	if (r < 0)
		log_warn("%s", e.text);
	if (r != 1)
		return;
	log_info("%s changed: %zu nameservers", v->s->nameservers->path, v->resolvers.n);
	m.resolvers = v->resolvers;
	/* One that is only starting finds them in its queue. */
	if (v->control >= 0 && ctlmsg_send(v->control, &m) < 0)
		log_warn("the worker did not take the new nameservers");
}

/* It cannot be had again: what it takes was given up. */
static void nsd_ended(struct supervisor *v)
{
	log_warn("the process that makes sockets in the namespace has ended: clients on this host "
		 "come in as the gateway");
	nsd_end(v->s->nsd);
}

static void fill_poll(struct supervisor *v, struct pollfd p[N_POLL], uint64_t *ret_until)
{
	const int fds[AT_TARGET] = {
		[AT_SIGNALS] = v->s->signals,       [AT_ZYGOTE] = v->s->zygote->sock,
		[AT_WORKER] = v->control,           [AT_LOG] = v->log_r,
		[AT_EXIT] = v->s->options->exit_fd, [AT_NAMES] = v->s->nameservers->fd,
		[AT_NSD] = v->s->nsd->pidfd,        [AT_SERVED] = v->s->nsd->ports_fd,
	};
	uint64_t until;

	for (int i = 0; i < AT_TARGET; i++)
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	p[AT_EXIT].events = 0; /* its end alone: POLLHUP, POLLERR */
	target_poll(v->s->target, p + AT_TARGET);
	until = requests_poll(v->requests, p + AT_CTL);
	if (!v->is_ready && v->start_by < until)
		until = v->start_by;
	if (v->control >= 0 && v->is_ready && published_deadline(v->s->published) < until)
		until = published_deadline(v->s->published);
	if (v->heartbeat.next < until)
		until = v->heartbeat.next;
	*ret_until = until;
}

static int one_round(struct supervisor *v, struct err *e)
{
	struct pollfd p[N_POLL];
	uint64_t until, now;
	const char *ended;
	int r = 0, n;

	fill_poll(v, p, &until);
	n = poll(p, N_POLL, until == UINT64_MAX ? -1 : clock_left(until));
	if (n < 0 && errno != EINTR && errno != ENOMEM)
		return err_sys(e, errno, "poll");
	if (n < 0) {
		/* No memory: no reason to take the network away, but one to wait. */
		if (errno == ENOMEM)
			(void)poll(NULL, 0, NO_MEMORY_MS);
		return 0;
	}
	now = clock_ms();
	if (p[AT_SIGNALS].revents)
		r = read_signals(v);
	if (p[AT_EXIT].revents)
		(void)over(v, "the exit descriptor");
	ended = target_ended(v->s->target, p + AT_TARGET);
	if (ended)
		(void)over(v, ended);
	if (v->why)
		return 0;
	if (p[AT_LOG].revents)
		read_log(v, now);
	if (p[AT_ZYGOTE].revents)
		r = read_zygote(v, now, e);
	/* Not of a worker that was replaced just now: its end was read with its report. */
	if (r == 0 && p[AT_WORKER].revents && p[AT_WORKER].fd == v->control)
		r = read_worker(v, e);
	if (r == 0 && !v->is_ready && now >= v->start_by)
		r = err_set(e, ERR_BUSY, ETIMEDOUT, "the worker is not ready");
	if (r == 0)
		r = look_after(v, now, e);
	if (r == 0 && p[AT_NAMES].revents)
		read_names(v);
	if (p[AT_SERVED].revents && autoports_read(v->s->autoports, v->s->nsd->ports_fd) == 0)
		fd_closep(&v->s->nsd->ports_fd);
	if (v->s->autoports)
		autoports_go_on(v->s->autoports);
	if (p[AT_NSD].revents)
		nsd_ended(v);
	requests_serve(v->requests, p + AT_CTL, now);
	tell_ports(v, now);
	return r;
}

static int set_up(struct supervisor *v, struct err *e)
{
	const struct requests_env env = {
		.published = v->s->published,
		.plan = &v->s->config->policy.plan,
		.local = v->s->options->local,
		.is_configured = v->s->options->is_configured,
		.tell = tell,
		.describe = describe,
		.is_tap_alone = !v->s->options->is_network && v->s->listen[FAM4] < 0 &&
				v->s->listen[FAM6] < 0,
		.get_rates = get_rates,
		.set_rates = set_rates,
		.stop = stop,
		.arg = v,
	};
	int pipes[2];
	int r = requests_new(&env, v->s->listen_fd, &v->requests, e);

	if (r < 0)
		return r;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "pipe");
	v->log_r = pipes[0];
	v->log_w = pipes[1];
	return 0;
}

int supervisor_run(const struct supervisor_spec *s, const char **ret_why, struct err *e)
{
	struct supervisor v = {
		.s = s,
		.control = -1,
		.log_r = -1,
		.log_w = -1,
		.heartbeat = HEARTBEAT_OFF,
		.begun = clock_ms(),
		.resolvers = s->resolvers,
		.rates = s->options->rates,
	};
	int r = set_up(&v, e);

	if (r == 0)
		r = start_worker(&v, e);
	while (r == 0 && !v.why)
		r = one_round(&v, e);
	fd_closep(&v.control);
	/* Published ports are free before anybody can read that we have stopped. */
	published_close(s->published);
	zygote_end(s->zygote);
	/* While it is served nobody else takes its place, so it is ours; who sees us gone sees it
	 * gone. */
	if (s->api && unlink(s->api) < 0 && errno != ENOENT)
		log_warn("%s: %s", s->api, strerror(errno));
	if (v.requests)
		requests_flush(v.requests, FLUSH_MS);
	if (v.log_r >= 0)
		read_log(&v, clock_ms());
	fd_closep(&v.log_r);
	fd_closep(&v.log_w);
	requests_free(v.requests);
	if (r == 0)
		*ret_why = v.why;
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user: translates the command line to rootless/; prints what the engine's verbs print. */
#include "cli/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/daemon.h"
#include "cli/usernet.h"
#include "model/codec.h"
#include "sys/netns.h"
#include "sys/privilege.h"

#define IFNAME_DEFAULT "eth0"

bool user_is_rootless(void)
{
	return !privilege_over_network();
}

int user_open(const struct cli_common *c, bool is_read_only, struct rootless **ret, struct err *e)
{
	const char *dir = c->state_dir ? c->state_dir : getenv("NETNS_UP_STATE_DIR");

	if (dir && dir[0] != '/')
		return err_set(e, ERR_USAGE, 0, "NETNS_UP_STATE_DIR=%s: expected an absolute path",
			       dir);
	return rootless_open(dir, is_read_only, ret, e);
}

/* ---- up ---- */

static int refuse(const char *what, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "%s: needs root (CAP_NET_ADMIN over this network) for now", what);
}

/* A network of several containers. */
bool user_is_named(const struct attach_opts *o)
{
	return o->network && strcmp(o->network, NETWORK_DEFAULT) != 0;
}

static int check_opts(const struct attach_opts *o, struct err *e)
{
	if (attach_rate_is_set(&o->rate) && o->engine && strcmp(o->engine, "relay") == 0)
		return err_set(e, ERR_USAGE, 0,
			       "--rate-in, --rate-out: the tap engine's, not with --engine relay");
	if (o->n_alias)
		return refuse("--alias without --network", e);
	return user_check_ip(o, e);
}

static int make_request(const struct attach_opts *o, const struct target *t, int32_t pid,
			struct rootless_request *ret, struct err *e)
{
	struct stat st;
	int r = check_opts(o, e);

	if (r < 0)
		return r;
	if (fstat(t->fd, &st) < 0)
		return err_sys(e, errno, "network namespace");
	*ret = (struct rootless_request){
		.id = o->name ? o->name : t->id,
		.ifname = o->ifname ? o->ifname : IFNAME_DEFAULT,
		.pid = pid,
		.path = t->path,
		.netns_dev = st.st_dev,
		.netns_ino = st.st_ino,
		.mtu = o->mtu,
		.mac = o->mac,
		.ip = {o->ip[FAM4], o->ip[FAM6]},
		.n_publish = o->n_publish,
		.publish = o->publish,
		.n_loopback = o->n_loopback,
		.loopback = o->loopback,
		.engine = o->engine,
		.egress = &o->egress,
		.names = &o->names,
		.rate_in = o->rate.in_rate,
		.rate_out = o->rate.out_rate,
	};
	if (pid <= 0 && !t->path[0])
		return err_set(e, ERR_USAGE, 0, "target: a path of at most %d plain characters",
			       NAME_PATH_MAX);
	return 0;
}

static int print_state(const struct cli_common *c, const struct rootless_state *s)
{
	char text[PUBLISH_STRLEN];

	if (c->quiet)
		return 0;
	if (c->json)
		return cli_print_json(json_incref(s->doc));
	printf("%s %s", s->id, s->ifname);
	for (int f = 0; f < N_FAM; f++)
		if (s->addr[f].ip.family)
			printf(" %s", prefix_str(&s->addr[f], text));
	putchar('\n');
	for (size_t i = 0; i < s->n_publish; i++)
		printf("published %s\n", publish_str(&s->publish[i], text));
	return 0;
}

/* "/proc/123/ns/net" and "123" were opened by number. */
static int32_t pid_of(const struct target *t)
{
	int pid = 0, end = 0;

	if (sscanf(t->path, "/proc/%d/ns/net%n", &pid, &end) == 1 && end && !t->path[end])
		return pid;
	return 0;
}

/* What slirp-lite carries already stays with it. */
static bool is_carried(const struct attach_opts *o, const struct target *t)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	struct rootless_state s = {0};
	bool is = user_open(&o->common, true, &r, NULL) == 0 &&
		  rootless_get(r, o->name ? o->name : t->id, o->ifname ? o->ifname : IFNAME_DEFAULT,
			       &s, NULL) == 0;

	rootless_state_clear(&s);
	return is;
}

int user_up(const struct attach_opts *o, const struct target *t, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	struct rootless_state s = {0};
	struct rootless_request q;
	struct err why = ERR_INIT;
	int w = 1;

	if (user_is_named(o) && usernet_has(&o->common, o->network))
		return usernet_up(o, t, e);
	if (!is_carried(o, t))
		w = daemon_up(o, t, pid_of(t), &why, e);
	if (w <= 0)
		return w;
	if (user_is_named(o)) {
		w = usernet_up(o, t, e);
		if (w < 0 && why.kind != ERR_NONE && why.kind != ERR_ABSENT)
			err_gather(e, &why);
		return w;
	}
	if (o->common.verbose && why.kind != ERR_NONE)
		log_warn("slirp-lite carries it: %s", why.text);
	w = make_request(o, t, pid_of(t), &q, e);
	if (w == 0)
		w = user_open(&o->common, false, &r, e);
	if (w == 0)
		w = rootless_up(r, &q, &s, e);
	/* What slirp-lite cannot do, netd might have done. */
	if (w < 0 && e->kind == ERR_UNSUPPORTED && why.kind != ERR_NONE)
		err_gather(e, &why);
	if (w >= 0)
		w = print_state(&o->common, &s);
	rootless_state_clear(&s);
	return w;
}

int user_run_up(struct rootless *r, const struct attach_opts *o, int32_t pid,
		struct rootless_state *ret, struct err *e)
{
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct rootless_request q;
	int w;

	(void)snprintf(t.id, sizeof(t.id), "pid-%d", pid);
	(void)snprintf(t.path, sizeof(t.path), "/proc/%d/ns/net", pid);
	w = netns_open_pid(pid, &t.fd, NULL, e);
	if (w >= 0)
		w = make_request(o, &t, pid, &q, e);
	return w < 0 ? w : rootless_up(r, &q, ret, e);
}

int user_publish(const struct cli_common *c, const char *id, const char *ifname,
		 const struct publish *list, size_t n, bool is_back, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	struct rootless_state s = {0};
	int w = daemon_ports(id, ifname, is_back, list, n, &a, e);

	if (w <= 0)
		return w < 0 ? w : cli_print(c, a);
	if (usernet_has_attachment(c, id, ifname))
		return usernet_ports(c, id, ifname, list, n, is_back, e);
	w = user_open(c, true, &r, e);
	if (w == 1)
		w = err_set(e, ERR_ABSENT, 0, "%s has no network from us", id);
	if (w == 0)
		w = rootless_publish(r, id, ifname, list, n, is_back, &s, e);
	if (w == 0)
		w = print_state(c, &s);
	rootless_state_clear(&s);
	return w;
}

int user_limit(const struct cli_common *c, const char *id, const char *ifname, const uint64_t *in,
	       const uint64_t *out, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	struct rootless_state s = {0};
	int w = user_open(c, true, &r, e);

	if (w == 1)
		w = err_set(e, ERR_ABSENT, 0, "%s %s has no network from us", id, ifname);
	if (w == 0)
		w = rootless_limit(r, id, ifname, in, out, &s, e);
	if (w == 0)
		w = print_state(c, &s);
	rootless_state_clear(&s);
	return w;
}

/* ---- what is up ---- */

struct match {
	const char *id, *ifname;
	struct rootless *r;
	int (*fn)(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e);
	void *arg;
	struct err *e;
	int n, failed;
};

static int match_one(const struct rootless_state *s, void *arg)
{
	struct match *m = arg;

	if ((m->id && strcmp(s->id, m->id) != 0) ||
	    (m->ifname && strcmp(s->ifname, m->ifname) != 0))
		return 0;
	m->n++;
	int w = m->fn(m->r, s, m->arg, m->e);
	if (w < 0)
		m->failed = w;
	return 0;
}

/* Calls fn for each interface of target's attachment; the number of calls. */
static int each_of(const struct cli_common *c, const char *target, struct match *m, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	int w = target ? target_id(target, &t, e) : 0;

	if (w >= 0)
		w = user_open(c, true, &r, e);
	if (w != 0)
		return w < 0 ? w : 0;
	m->id = t.id[0] ? t.id : target;
	m->r = r;
	m->e = e;
	w = rootless_each(r, match_one, m, e);
	if (w < 0 || m->failed < 0)
		return w < 0 ? w : m->failed;
	return m->n;
}

static int down_one(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	const struct cli_common *c = arg;
	int w = rootless_down(r, s->id, s->ifname, e);

	if (w == 0 && !c->quiet)
		printf("%s %s down\n", s->id, s->ifname);
	return w;
}

/* One that does not say what it is has its socket's name all the same. */
static int down_silent(const struct cli_common *c, const char *target, const char *ifname,
		       struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct rootless_state named = {0};
	int w = target_id(target, &t, e);

	if (w >= 0)
		w = user_open(c, true, &r, e);
	if (w != 0)
		return w < 0 ? w : 0;
	(void)snprintf(named.id, sizeof(named.id), "%s", t.id[0] ? t.id : target);
	(void)snprintf(named.ifname, sizeof(named.ifname), "%s", ifname ? ifname : IFNAME_DEFAULT);
	w = down_one(r, &named, (void *)(uintptr_t)c, e);
	return w < 0 ? w : 0;
}

static int down_netd(const struct attachment *a, void *arg, struct err *e)
{
	const struct cli_common *c = arg;
	int w = daemon_down(a->id, a->ifname, e);

	if (w == 0 && !c->quiet)
		printf("%s %s down\n", a->id, a->ifname);
	return w < 0 ? w : 0;
}

/* Those of netd's that target means. */
static int each_of_netd(const char *target, const char *ifname,
			int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
			struct err *e)
{
	CLEAN_TARGET struct target t = TARGET_INIT;
	int w = target_id(target, &t, e);

	return w < 0 ? w : daemon_each(t.id[0] ? t.id : target, ifname, fn, arg, e);
}

static int flows_of_netd(const char *target,
			 int (*fn)(const struct attachment *a, const uint64_t *flows, void *arg,
				   struct err *e),
			 void *arg, struct err *e)
{
	CLEAN_TARGET struct target t = TARGET_INIT;
	int w = target_id(target, &t, e);

	return w < 0 ? w : daemon_flows(t.id[0] ? t.id : target, NULL, fn, arg, e);
}

int user_down(const struct cli_common *c, const char *target, const char *ifname, struct err *e)
{
	struct match m = {.ifname = ifname, .fn = down_one, .arg = (void *)(uintptr_t)c};
	int by_netd = each_of_netd(target, ifname, down_netd, (void *)(uintptr_t)c, e);
	int n = by_netd < 0 ? by_netd : each_of(c, target, &m, e);

	if (n != 0 || by_netd > 0)
		return n < 0 ? n : 0;
	/* The last place to look: there is no way back from there. */
	n = usernet_down(c, target, ifname, e);
	if (n != 0)
		return n < 0 ? n : 0;
	return down_silent(c, target, ifname, e);
}

static int absent(const char *target, struct err *e)
{
	return err_set(e, ERR_ABSENT, 0, "%s has no network from us", target);
}

/* None has answered for target. Nobody there, or one that cannot say what it is? */
static int none_of(const struct cli_common *c, const char *target, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	CLEAN_TARGET struct target t = TARGET_INIT;
	struct rootless_state s = {0};
	int w = target_id(target, &t, e);

	if (w >= 0)
		w = user_open(c, true, &r, e);
	if (w == 0)
		w = rootless_get(r, t.id[0] ? t.id : target, IFNAME_DEFAULT, &s, e);
	rootless_state_clear(&s);
	return w < 0 ? w : absent(target, e);
}

static int check_one(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	const struct cli_common *c = arg;

	(void)r;
	(void)e;
	if (!c->quiet)
		printf("%s %s: healthy\n", s->id, s->ifname);
	return 0;
}

static int check_netd(const struct attachment *a, void *arg, struct err *e)
{
	(void)arg;
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "%s %s is netd's: only root can check it (check user-%u.%s)", a->id,
		       a->ifname, a->uid, a->id);
}

int user_check(const struct cli_common *c, const char *target, struct err *e)
{
	struct match m = {.fn = check_one, .arg = (void *)(uintptr_t)c};
	int n = each_of_netd(target, NULL, check_netd, NULL, e);
	bool is_healthy = true;

	if (n == 0)
		n = each_of(c, target, &m, e);
	if (n == 0)
		n = usernet_check(c, target, &is_healthy, e);
	if (n < 0)
		return n;
	return n ? !is_healthy : none_of(c, target, e);
}

struct show {
	const struct cli_common *c;
	json_t *list;
	void (*print)(const struct attachment *a, const uint64_t *flows);
};

/* How TCP goes out, and why that way. */
static void print_engine(const struct rootless_state *s)
{
	if (s->engine[0])
		printf("  engine     %s: %s\n", s->engine, s->engine_why);
}

static int show_one(struct rootless *r, const struct rootless_state *s, void *arg, struct err *e)
{
	struct show *sh = arg;
	char text[PUBLISH_STRLEN];

	(void)r;
	if (sh->list)
		return json_array_append(sh->list, s->doc) < 0
			       ? err_set(e, ERR_INTERNAL, ENOMEM, "status")
			       : 0;
	printf("%s %s\n  state      up\n  network    user (slirp-lite, process %d)\n", s->id,
	       s->ifname, s->pid);
	for (int f = 0; f < N_FAM; f++)
		if (s->addr[f].ip.family) {
			printf("  address    %s", prefix_str(&s->addr[f], text));
			printf(" gateway %s\n", ip_str(&s->gateway[f], text));
		}
	for (int f = 0; f < N_FAM; f++)
		if (s->dns[f].family)
			printf("  dns        %s\n", ip_str(&s->dns[f], text));
	print_engine(s);
	printf("  mtu        %u\n", s->mtu);
	if (s->rate_in)
		printf("  rate in    %s\n", attach_rate_str(s->rate_in, text));
	if (s->rate_out)
		printf("  rate out   %s\n", attach_rate_str(s->rate_out, text));
	for (size_t i = 0; i < s->n_publish; i++)
		printf("  published  %s\n", publish_str(&s->publish[i], text));
	return 0;
}

static int show_netd(const struct attachment *a, const uint64_t *flows, void *arg, struct err *e)
{
	struct show *sh = arg;
	json_t *doc = sh->list ? codec_attachment(a) : NULL;

	if (!sh->list)
		sh->print(a, flows);
	if (doc && codec_put_flows(doc, flows, a->n_publish) < 0) {
		json_decref(doc);
		doc = NULL;
	}
	if (sh->list && json_array_append_new(sh->list, doc) < 0)
		return err_set(e, ERR_INTERNAL, ENOMEM, "status");
	return 0;
}

static int show_usernet(const struct attachment *a, const struct rootless_state *uplink, void *arg)
{
	struct show *sh = arg;
	json_t *doc;
	int r = 0;

	if (!sh->list) {
		sh->print(a, NULL);
		if (!uplink) {
			printf("  uplink     gone: it is started again by who keeps your "
			       "networks, or by `netns-up gc`\n");
			return 0;
		}
		printf("  uplink     slirp-lite, process %d\n", uplink->pid);
		print_engine(uplink);
		return 0;
	}
	doc = codec_attachment(a);
	if (doc && uplink) {
		r |= json_object_set_new(doc, "uplink_pid", json_integer(uplink->pid));
		r |= json_object_set_new(doc, "uplink_engine", json_string(uplink->engine));
		r |= json_object_set_new(doc, "uplink_engine_why", json_string(uplink->engine_why));
		r |= json_object_set_new(doc, "uplink_engine_asked",
					 json_string(uplink->engine_asked));
	}
	return json_array_append_new(sh->list, doc) < 0 || r < 0 ? -1 : 0;
}

int user_status(const struct cli_common *c, const char *target,
		void (*print)(const struct attachment *a, const uint64_t *flows), struct err *e)
{
	struct show sh = {.c = c, .list = c->json ? json_array() : NULL, .print = print};
	struct match m = {.fn = show_one, .arg = &sh};
	int by_netd = flows_of_netd(target, show_netd, &sh, e);
	int n = by_netd < 0 ? by_netd : each_of(c, target, &m, e);

	if (n >= 0)
		n += by_netd;
	if (n == 0)
		n = usernet_status(c, target, show_usernet, &sh, e);
	if (n > 0 && sh.list)
		return cli_print_json(sh.list);
	json_decref(sh.list);
	if (n < 0)
		return n;
	return n ? 0 : none_of(c, target, e);
}

int user_visit(const struct cli_common *c, const char *target,
	       int (*fn)(struct rootless *r, const struct rootless_state *s, void *arg,
			 struct err *e),
	       void *arg, struct err *e)
{
	struct match m = {.fn = fn, .arg = arg};

	return each_of(c, target, &m, e);
}

struct see {
	int (*fn)(const struct attachment *a, void *arg);
	void *arg;
};

static int see_netd(const struct attachment *a, void *arg, struct err *e)
{
	const struct see *s = arg;

	(void)e;
	return s->fn(a, s->arg);
}

int user_ls(const struct cli_common *c, int (*fn)(const struct rootless_state *s, void *arg),
	    int (*fn_netd)(const struct attachment *a, void *arg), void *arg, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	struct see see = {.fn = fn_netd, .arg = arg};
	int w = daemon_each(NULL, NULL, see_netd, &see, e);

	if (w >= 0)
		w = user_open(c, true, &r, e);
	return w == 0 ? rootless_each(r, fn, arg, e) : w < 0 ? w : 0;
}

int user_gc(const struct cli_common *c, struct err *e)
{
	CLEAN_ROOTLESS struct rootless *r = NULL;
	size_t n = 0;
	int w = user_open(c, true, &r, e);

	if (w == 0)
		w = rootless_gc(r, &n, e);
	if (w >= 0 && !c->quiet)
		printf("removed: %zu leftovers\n", n);
	return w < 0 ? w : usernet_gc(c, e);
}

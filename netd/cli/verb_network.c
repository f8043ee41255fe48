/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb_network: `network create|ls|inspect|rm`. The second word is the real verb; each has its
 * table. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/attach_opts.h"
#include "cli/cli.h"
#include "cli/user.h"
#include "cli/usernet.h"
#include "model/codec.h"

struct net_opts {
	struct cli_common common;
	struct network n;
	const char *engine; /* NULL: not asked for */
};

static struct network *net_of(void *into)
{
	return &((struct net_opts *)into)->n;
}

static int set_subnet(void *into, const char *value, struct err *e)
{
	struct network *n = net_of(into);
	struct prefix p;
	int r = prefix_parse(value, &p, e);

	if (r < 0)
		return r;
	int f = ip_fam(&p.ip);
	if (n->subnet[f].ip.family)
		return err_set(e, ERR_USAGE, 0, "one subnet of each family at most");
	struct prefix net = prefix_network(&p);
	if (!prefix_equal(&net, &p))
		return err_set(e, ERR_USAGE, 0, "expected a network address, without host bits");
	n->subnet[f] = p;
	return 0;
}

static int set_mode(void *into, const char *value, struct err *e)
{
	return net_mode_parse(value, &net_of(into)->mode, e);
}

static int set_internal(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	net_of(into)->internal = true;
	return 0;
}

static int set_isolate(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	net_of(into)->isolate = true;
	return 0;
}

static int set_mtu(void *into, const char *value, struct err *e)
{
	return opt_u32(value, 68, 65535, &net_of(into)->mtu, e);
}

static int set_nomasq(void *into, const char *value, struct err *e)
{
	struct network *n = net_of(into);
	struct prefix p;
	int r = prefix_parse(value, &p, e);

	if (r < 0)
		return r;
	if (n->n_nomasq == NETWORK_NOMASQ_MAX)
		return err_set(e, ERR_USAGE, 0, "at most %d", NETWORK_NOMASQ_MAX);
	n->nomasq[n->n_nomasq++] = prefix_network(&p);
	return 0;
}

static int set_no_names(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	net_of(into)->names = false;
	return 0;
}

static int set_engine(void *into, const char *value, struct err *e)
{
	return attach_engine_parse(value, &((struct net_opts *)into)->engine, e);
}

static const struct opt create_opts[] = {
	{0, "subnet", "CIDR", "IPv4 or IPv6 subnet (once each; default: free ones)", set_subnet},
	{0, "mode", "MODE", "bridge (default) or routed", set_mode},
	{0, "internal", NULL, "no way out, nothing published", set_internal},
	{0, "isolate", NULL, "containers of the network do not reach each other", set_isolate},
	{0, "mtu", "N", "MTU (default: that of the default route's link)", set_mtu},
	{0, "no-masquerade", "DST", "keep containers' addresses towards DST (repeatable)",
	 set_nomasq},
	{0, "no-names", NULL, "containers do not find each other by name", set_no_names},
	{0, "engine", "ENGINE", "without root: tap or relay, that or none, for all networks",
	 set_engine},
	CLI_OPT_JSON,
	CLI_OPT_QUIET,
	CLI_OPT_STATE_DIR,
	{0},
};
static const struct opt read_opts[] = {CLI_OPT_JSON, CLI_OPT_STATE_DIR, {0}};
static const struct opt rm_opts[] = {CLI_OPT_STATE_DIR, {0}};
static const struct opt import_opts[] = {CLI_OPT_QUIET, CLI_OPT_STATE_DIR, {0}};

static void print_line(const struct network *n)
{
	char s[PREFIX_STRLEN];

	printf("%s %s", n->name, net_mode_str(n->mode));
	for (int f = 0; f < N_FAM; f++)
		if (n->subnet[f].ip.family)
			printf(" %s", prefix_str(&n->subnet[f], s));
	if (!n->subnet[FAM4].ip.family && !n->subnet[FAM6].ip.family)
		printf(" (subnets are chosen at first use)");
	printf("%s%s%s\n", n->internal ? " internal" : "", n->isolate ? " isolated" : "",
	       n->names ? "" : " without names");
}

/* The engine of the host, or of the user's own. Whatever is open goes by net_close. */
struct net_engine {
	struct usernet u;
	struct engine *g; /* u's, or of its own */
	bool is_user;
};

static int net_open(const struct net_opts *o, enum usernet_how how, struct net_engine *n,
		    struct err *e)
{
	int r;

	n->is_user = user_is_rootless();
	if (!n->is_user && o->engine)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "--engine: only for networks that are made without root");
	if (!n->is_user)
		return cli_open(&o->common, how == USERNET_LOOK, &n->g, e);
	r = usernet_open_by(&o->common, how, o->engine, &n->u, e);
	if (r == 0 && how == USERNET_MAKE)
		r = engine_avoid_here(e);
	if (r == 0)
		r = usernet_enter(&n->u, false, e);
	n->g = n->u.g;
	return r;
}

static void net_close(struct net_engine *n)
{
	if (n->is_user)
		usernet_close(&n->u);
	else
		engine_closep(&n->g);
}
#define CLEAN_NET __attribute__((cleanup(net_close)))

/* Its user asked for it, and may know why. */
static void warn_avoided(const struct network *n)
{
	char s[PREFIX_STRLEN], t[PREFIX_STRLEN];

	for (int f = 0; f < N_FAM; f++) {
		const struct prefix *by = engine_avoided(&n->subnet[f]);

		if (by)
			log_warn("subnet %s overlaps %s, which this machine has: containers of %s "
				 "do not reach who has such an address there",
				 prefix_str(&n->subnet[f], s), prefix_str(by, t), n->name);
	}
}

static int net_create(struct net_opts *o, const char *name, struct err *e)
{
	CLEAN_NET struct net_engine n = {0};
	int r = name_check_network(name, "network name", e);

	if (r < 0)
		return r;
	snprintf(o->n.name, sizeof(o->n.name), "%s", name);
	if (user_is_rootless() && strcmp(name, NETWORK_DEFAULT) == 0)
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "without root, containers of the network default are each alone");
	r = net_open(o, USERNET_MAKE, &n, e);
	/* The way out shows nobody's address but the user's, and may know whose each connection is.
	 */
	if (n.is_user)
		o->n.masquerade = false;
	if (r >= 0)
		r = engine_network_create(n.g, &o->n, e);
	if (r < 0) {
		if (n.u.host)
			host_uplink_unask(n.u.host);
		return r;
	}
	if (n.is_user)
		warn_avoided(&o->n);
	if (o->common.json)
		return cli_print_json(codec_network(&o->n));
	if (!o->common.quiet)
		print_line(&o->n);
	return 0;
}

struct listing {
	json_t *json; /* NULL: lines */
	bool has_default;
	bool failed;
};

static void list_one(struct listing *l, const struct network *n)
{
	if (!l->json)
		print_line(n);
	else if (json_array_append_new(l->json, codec_network(n)) < 0)
		l->failed = true;
}

/* It exists before it is on record. */
static void list_default(struct listing *l)
{
	struct network n;

	if (l->has_default)
		return;
	engine_network_default(&n);
	list_one(l, &n);
	l->has_default = true;
}

static int see_network(const struct network *n, void *arg)
{
	struct listing *l = arg;
	int order = strcmp(n->name, NETWORK_DEFAULT);

	if (order > 0)
		list_default(l);
	l->has_default = l->has_default || order == 0;
	list_one(l, n);
	return 0;
}

static int net_ls(struct net_opts *o, const char *unused, struct err *e)
{
	CLEAN_NET struct net_engine n = {0};
	struct listing l = {0};
	int r = net_open(o, USERNET_LOOK, &n, e);

	(void)unused;
	if (r < 0)
		return r;
	l.json = o->common.json ? json_array() : NULL;
	l.has_default = n.is_user; /* which has none of several containers */
	if (r == 0)
		r = engine_network_each(n.g, see_network, &l, e);
	if (r >= 0)
		list_default(&l);
	if (l.failed)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "list");
	if (r >= 0 && o->common.json)
		return cli_print_json(l.json);
	json_decref(l.json);
	return r;
}

static int net_inspect(struct net_opts *o, const char *name, struct err *e)
{
	CLEAN_NET struct net_engine n = {0};
	int r = name_check_network(name, "network name", e);

	if (r >= 0)
		r = net_open(o, USERNET_LOOK, &n, e);
	if (r == 0)
		r = engine_network_get(n.g, name, &o->n, e);
	if (r == 1 && (n.is_user || strcmp(name, NETWORK_DEFAULT) != 0))
		return err_set(e, ERR_ABSENT, 0, "network %s does not exist", name);
	if (r == 1)
		engine_network_default(&o->n);
	return r < 0 ? r : cli_print_json(codec_network(&o->n));
}

static int net_rm(struct net_opts *o, const char *name, struct err *e)
{
	CLEAN_NET struct net_engine n = {0};
	int r = name_check_network(name, "network name", e);

	if (r >= 0)
		r = net_open(o, USERNET_USE, &n, e);
	if (r == 0)
		r = engine_network_remove(n.g, name, e);
	if (r == ENGINE_NOTHING)
		log_warn("network %s does not exist", name);
	return r;
}

/* A directory of leases is called as its network. */
static int net_import(struct net_opts *o, const char *dir, struct err *e)
{
	const char *slash = strrchr(dir, '/'), *name = slash ? slash + 1 : dir;
	CLEAN_ENGINE struct engine *g = NULL;
	size_t n = 0;
	int r = name_check_network(name, "the directory's name, which is the network's,", e);

	if (r >= 0)
		r = cli_open(&o->common, false, &g, e);
	if (r < 0)
		return r;
	r = engine_import_host_local(g, dir, name, &n, e);
	if (!o->common.quiet && (r >= 0 || n > 0))
		printf("leases taken over: %zu\n", n);
	return r;
}

static const struct sub {
	struct verb verb;
	int (*run)(struct net_opts *o, const char *operand, struct err *e);
} subs[] = {
	{{.v = {.name = "network create",
		.operands = "NAME",
		.summary = "describe a network; it is made with its first container",
		.notes = "routed: each container has a veth of its own and no layer 2 neighbours; "
			 "the\n"
			 "cost of attaching does not grow with their number.",
		.opts = create_opts,
		.min_operands = 1,
		.max_operands = 1}},
	 net_create},
	{{.v = {.name = "network ls",
		.operands = "",
		.summary = "list networks",
		.opts = read_opts}},
	 net_ls},
	{{.v = {.name = "network inspect",
		.operands = "NAME",
		.summary = "show a network as JSON",
		.opts = read_opts,
		.min_operands = 1,
		.max_operands = 1}},
	 net_inspect},
	{{.v = {.name = "network rm",
		.operands = "NAME",
		.summary = "forget a network that has no containers",
		.opts = rm_opts,
		.min_operands = 1,
		.max_operands = 1}},
	 net_rm},
	{{.v = {.name = "network import",
		.operands = "DIR",
		.summary = "take over the leases of a host-local data directory",
		.notes = "DIR is the folder of one network, /var/lib/cni/networks/NAME. The "
			 "addresses "
			 "in it\n"
			 "are not given to others until their containers are gone: DEL or GC of "
			 "the\n"
			 "network frees them, `down ID` frees one. The files are left as they are.",
		.opts = import_opts,
		.min_operands = 1,
		.max_operands = 1}},
	 net_import},
};
#define N_SUBS (sizeof(subs) / sizeof(subs[0]))

static const struct opt_verb *sub(size_t i)
{
	return i < N_SUBS ? &subs[i].verb.v : NULL;
}

static int help(void)
{
	printf("Usage: " PROGRAM " network VERB [OPTION]... [NAME]\n\nVerbs:\n");
	for (size_t i = 0; i < N_SUBS; i++)
		printf("  %-8s %s\n", subs[i].verb.v.name + strlen("network "),
		       subs[i].verb.v.summary);
	printf("\n`" PROGRAM " network VERB --help` tells more of each.\n");
	return EXIT_OK;
}

static int main_network(const struct verb *v, int argc, char **argv)
{
	struct net_opts o = {.n = {.masquerade = true, .names = true}};
	struct err e = ERR_INIT;
	size_t n;

	(void)v;
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return help();
	for (size_t i = 0; i < N_SUBS && argc >= 2; i++) {
		if (strcmp(argv[1], subs[i].verb.v.name + strlen("network ")) != 0)
			continue;
		int r = cli_parse(&subs[i].verb, argc - 1, argv + 1, &o, &n);
		if (r >= 0)
			return r;
		return subs[i].run(&o, argv[2], &e) < 0 ? cli_fail(&e) : EXIT_OK;
	}
	log_error("network%s%s: expected create, ls, inspect, rm or import", argc >= 2 ? " " : "",
		  argc >= 2 ? argv[1] : "");
	return EXIT_USAGE;
}

const struct verb verb_network = {
	.v = {.name = "network",
	      .operands = "create|ls|inspect|rm|import",
	      .summary = "create, list, show and remove networks; import leases"},
	.main = main_network,
	.sub = sub,
};

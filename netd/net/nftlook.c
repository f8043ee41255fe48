/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftlook: three dumps over one socket, and their messages as values. A table that changes while it
 * is read is read again, five times at most; the last reading counts, for a picture that is a
 * little behind is good enough to explain with. Every wait has a deadline.
 */
#include "net/nftlook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "base/fd.h"
#include "base/grow.h"
#include "net/attr.h"
#include "net/nftexpr.h"

#define WAIT_S 5
#define TRIES 5
#define UDATA_TABLE_COMMENT 0
#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#endif

void nftlook_clear(struct nftlook *l)
{
	free(l->table);
	free(l->chain);
	free(l->rule);
	*l = (struct nftlook){0};
}

const char *nftlook_family_str(uint8_t family)
{
	switch (family) {
	case LOOK_INET:
		return "inet";
	case LOOK_IP:
		return "ip";
	case LOOK_ARP:
		return "arp";
	case LOOK_NETDEV:
		return "netdev";
	case LOOK_BRIDGE:
		return "bridge";
	case LOOK_IP6:
		return "ip6";
	default:
		return "unknown";
	}
}

const char *nftlook_hook_str(uint32_t hook)
{
	static const char *const names[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};

	return hook < sizeof(names) / sizeof(names[0]) ? names[hook] : "unknown";
}

/* ---- messages ---- */

/* Room for one more, zeroed; NULL: no memory, or (is_cut) there are enough. */
static void *more(struct nftlook *l, void **list, size_t *n, size_t *cap, size_t size, size_t max)
{
	if (*n == max) {
		l->is_cut = true;
		return NULL;
	}
	if (!grow_list(list, *n, cap, size))
		return NULL;
	void *one = (char *)*list + *n * size;
	memset(one, 0, size);
	++*n;
	return one;
}

static int full(const struct nftlook *l, struct err *e)
{
	return l->is_cut ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "ruleset");
}

static uint32_t get_u32(const struct nlattr *a, uint32_t otherwise)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(a))
								    : otherwise;
}

/* Cut where it does not fit. */
static void get_name(const struct nlattr *a, char out[NFTLOOK_NAME])
{
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;
	size_t n = len ? strnlen(mnl_attr_get_payload(a), len) : 0;

	if (n >= NFTLOOK_NAME)
		n = NFTLOOK_NAME - 1;
	if (n)
		memcpy(out, mnl_attr_get_payload(a), n);
	out[n] = '\0';
}

static void get_comment(const struct nlattr *a, char *out, size_t size)
{
	const uint8_t *u = a ? mnl_attr_get_payload(a) : NULL;
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	out[0] = '\0';
	for (size_t at = 0; at + 2 <= len && at + 2 + u[at + 1] <= len;
	     at += 2 + (size_t)u[at + 1]) {
		size_t n = u[at + 1];

		if (u[at] != UDATA_TABLE_COMMENT || n == 0 || n > size)
			continue;
		memcpy(out, u + at + 2, n);
		out[n - 1] = '\0';
		return;
	}
}

static int take_table(struct nftlook *l, const struct nlmsghdr *h, uint8_t family, struct err *e)
{
	struct nftlook_table *t = more(l, (void **)&l->table, &l->n_table, &l->cap_table,
				       sizeof(*l->table), NFTLOOK_TABLES);
	uint32_t flags = get_u32(attr_top(h, NFTA_TABLE_FLAGS), 0);

	if (!t)
		return full(l, e);
	t->family = family;
	get_name(attr_top(h, NFTA_TABLE_NAME), t->name);
	get_comment(attr_top(h, NFTA_TABLE_USERDATA), t->comment, sizeof(t->comment));
	t->is_dormant = flags & NFT_TABLE_F_DORMANT;
	t->is_owned = flags & NFT_TABLE_F_OWNER;
	return 0;
}

static int take_chain(struct nftlook *l, const struct nlmsghdr *h, uint8_t family, struct err *e)
{
	struct nftlook_chain *c = more(l, (void **)&l->chain, &l->n_chain, &l->cap_chain,
				       sizeof(*l->chain), NFTLOOK_CHAINS);
	const struct nlattr *hook = attr_top(h, NFTA_CHAIN_HOOK);
	char type[NFTLOOK_NAME];

	if (!c)
		return full(l, e);
	c->family = family;
	get_name(attr_top(h, NFTA_CHAIN_TABLE), c->table);
	get_name(attr_top(h, NFTA_CHAIN_NAME), c->name);
	if (!hook)
		return 0;
	c->is_base = true;
	c->hook = get_u32(attr_below(hook, NFTA_HOOK_HOOKNUM), UINT32_MAX);
	c->priority = (int32_t)get_u32(attr_below(hook, NFTA_HOOK_PRIORITY), 0);
	c->is_drop = get_u32(attr_top(h, NFTA_CHAIN_POLICY), NF_ACCEPT) == NF_DROP;
	get_name(attr_top(h, NFTA_CHAIN_TYPE), type);
	c->is_filter = strcmp(type, "filter") == 0;
	return 0;
}

/* Rules come chain by chain: mostly it is the last one's. */
static bool find_chain(const struct nftlook *l, uint8_t family, const char *table, const char *name,
		       uint32_t *ret)
{
	size_t first = l->n_rule ? l->rule[l->n_rule - 1].chain : 0;

	for (size_t k = 0; k < l->n_chain; k++) {
		size_t i = (first + k) % l->n_chain;
		const struct nftlook_chain *c = &l->chain[i];

		if (c->family == family && strcmp(c->name, name) == 0 &&
		    strcmp(c->table, table) == 0) {
			*ret = (uint32_t)i;
			return true;
		}
	}
	return false;
}

static int take_rule(struct nftlook *l, const struct nlmsghdr *h, uint8_t family, struct err *e)
{
	const struct nlattr *list = attr_top(h, NFTA_RULE_EXPRESSIONS);
	char table[NFTLOOK_NAME], name[NFTLOOK_NAME];
	struct nftlook_rule x = {0}, *to;

	get_name(attr_top(h, NFTA_RULE_TABLE), table);
	get_name(attr_top(h, NFTA_RULE_CHAIN), name);
	if (!list || !find_chain(l, family, table, name, &x.chain) ||
	    !nftexpr_rule(list, family, &x))
		return 0;
	to = more(l, (void **)&l->rule, &l->n_rule, &l->cap_rule, sizeof(*l->rule), NFTLOOK_RULES);
	if (!to)
		return full(l, e);
	*to = x;
	return 0;
}

static int take_message(struct nftlook *l, const struct nlmsghdr *h, struct err *e)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*g))
		return 0;
	switch (h->nlmsg_type) {
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE:
		return take_table(l, h, g->nfgen_family, e);
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN:
		return take_chain(l, h, g->nfgen_family, e);
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE:
		return take_rule(l, h, g->nfgen_family, e);
	default:
		return 0;
	}
}

/* mnl_nlmsg_ok takes lengths of 2 GiB and more for negative ones. */
static bool is_whole(const struct nlmsghdr *h, int left)
{
	return left >= (int)sizeof(*h) && h->nlmsg_len >= sizeof(*h) &&
	       h->nlmsg_len <= (uint32_t)left;
}

int nftlook_take(struct nftlook *l, const void *data, size_t len, struct err *e)
{
	const struct nlmsghdr *h = data;
	int left = len > INT32_MAX ? INT32_MAX : (int)len, r = 0;

	for (; r == 0 && is_whole(h, left); h = mnl_nlmsg_next(h, &left))
		r = take_message(l, h, e);
	return r;
}

/* ---- sets ---- */

/* What a look-up became: one rule for each element, or the rule with a condition. */
struct expansion {
	const struct nftlook_rule *from;
	struct nftlook_rule to[NFTLOOK_ELEMENTS];
	size_t n;
	bool is_unclear;
};

static void take_elements(struct expansion *x, const struct nlmsghdr *h)
{
	const struct nlattr *list = attr_top(h, NFTA_SET_ELEM_LIST_ELEMENTS), *a;

	if (!list)
		return;
	mnl_attr_for_each_nested(a, list)
	{
		if (x->n == NFTLOOK_ELEMENTS || !nftexpr_element(a, x->from, &x->to[x->n])) {
			x->is_unclear = true;
			return;
		}
		x->n++;
	}
}

/* ---- the socket ---- */

static int open_socket(int *ret_fd, struct err *e)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	struct timeval t = {.tv_sec = WAIT_S};
	CLEAN_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return err_sys(e, errno, "netfilter socket (CONFIG_NETFILTER_NETLINK)");
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0)
		return err_sys(e, errno, "netfilter socket");
	*ret_fd = fd_take(&fd);
	return 0;
}

/* What is asked for, and who takes the answers. */
struct request {
	uint16_t type;
	uint32_t seq;
	uint8_t family;          /* 0: of all */
	const char *table, *set; /* of elements */
	struct nftlook *l;
	struct expansion *x;
	bool changed; /* while it was read */
};

static int ask(int fd, const struct request *q, struct err *e)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	char buf[1024] __attribute__((aligned(8))) = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | q->type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = q->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = q->family;
	g->version = NFNETLINK_V0;
	if (q->set) {
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, q->table);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, q->set);
	}
	if (sendto(fd, buf, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return err_sys(e, errno, "reading the ruleset");
	return 0;
}

/* One message of the dump. 1: it was the last. */
static int dump_step(struct request *q, const struct nlmsghdr *h, struct err *e)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(h);

	q->changed = q->changed || (h->nlmsg_flags & NLM_F_DUMP_INTR);
	if (h->nlmsg_type == NLMSG_DONE)
		return 1;
	if (h->nlmsg_type != NLMSG_ERROR && q->x) {
		take_elements(q->x, h);
		return 0;
	}
	if (h->nlmsg_type != NLMSG_ERROR)
		return take_message(q->l, h, e);
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*err))
		return err_set(e, ERR_PROTOCOL, EPROTO, "reading the ruleset");
	if (err->error == -EPERM)
		return err_set(e, ERR_DENIED, EPERM, "reading the ruleset needs CAP_NET_ADMIN");
	return err_sys(e, -err->error, "reading the ruleset");
}

static int dump(int fd, struct request *q, struct err *e)
{
	char buf[32768] __attribute__((aligned(8), uninitialized));
	int r = ask(fd, q, e);

	while (r == 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno == EAGAIN ? ETIMEDOUT : errno,
				       "reading the ruleset");
		for (; r == 0 && is_whole(h, left); h = mnl_nlmsg_next(h, &left))
			if (h->nlmsg_seq == q->seq)
				r = dump_step(q, h, e);
	}
	return r < 0 ? r : 0;
}

/* Appends what became of rule i. */
static int put_expansion(struct nftlook *to, const struct expansion *x, struct err *e)
{
	struct nftlook_rule plain = *x->from;
	size_t n = x->is_unclear ? 1 : x->n;

	plain.is_condition = true;
	plain.lookup = LOOK_NO_SET;
	for (size_t i = 0; i < n; i++) {
		struct nftlook_rule *one = more(to, (void **)&to->rule, &to->n_rule, &to->cap_rule,
						sizeof(*to->rule), NFTLOOK_RULES);
		if (!one)
			return full(to, e);
		*one = x->is_unclear ? plain : x->to[i];
	}
	return 0;
}

/* Replaces look-ups by what their sets hold. seq: the first sequence number that is free. */
static int read_sets(int fd, struct nftlook *l, uint32_t seq, bool *changed, struct err *e)
{
	CLEAN_FREE struct expansion *x = calloc(1, sizeof(*x));
	CLEAN_NFTLOOK struct nftlook to = {0};
	size_t n_set = 0;
	int r = x ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "ruleset");

	for (size_t i = 0; r == 0 && i < l->n_rule; i++) {
		const struct nftlook_rule *from = &l->rule[i];
		const struct nftlook_chain *c = &l->chain[from->chain];
		struct request q = {.type = NFT_MSG_GETSETELEM,
				    .seq = seq + (uint32_t)i,
				    .family = c->family,
				    .table = c->table,
				    .set = from->set,
				    .x = x};

		x->from = from;
		x->n = 0;
		x->is_unclear = false;
		if (from->lookup == LOOK_NO_SET) {
			x->to[x->n++] = *from;
		} else if (n_set++ == NFTLOOK_SETS || dump(fd, &q, NULL) < 0) {
			/* One that is gone by now: the next reading will see. */
			x->is_unclear = true;
			n_set = NFTLOOK_SETS;
		}
		*changed = *changed || q.changed;
		r = put_expansion(&to, x, e);
	}
	if (r < 0)
		return r;
	struct nftlook_rule *old = l->rule;
	l->rule = to.rule;
	l->n_rule = to.n_rule;
	l->cap_rule = to.cap_rule;
	l->is_cut = l->is_cut || to.is_cut;
	to.rule = old;
	return 0;
}

static int read_once(struct nftlook *l, struct err *e)
{
	static const uint16_t types[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE};
	CLEAN_FD int fd = -1;
	bool changed = false;
	const uint32_t seq = 1;
	int r = open_socket(&fd, e);

	for (size_t i = 0; r == 0 && i < sizeof(types) / sizeof(types[0]); i++) {
		struct request q = {.type = types[i], .seq = seq + (uint32_t)i, .l = l};
		r = dump(fd, &q, e);
		changed = changed || q.changed;
	}
	if (r == 0)
		r = read_sets(fd, l, seq + sizeof(types) / sizeof(types[0]), &changed, e);
	return r < 0 ? r : changed ? 1 : 0;
}

int nftlook_read(struct nftlook *ret, struct err *e)
{
	CLEAN_NFTLOOK struct nftlook l = {0};
	int r = 1;

	for (int try = 0; r == 1 && try < TRIES; try++) {
		nftlook_clear(&l);
		r = read_once(&l, e);
	}
	if (r < 0)
		return r;
	*ret = l;
	l = (struct nftlook){0};
	return 0;
}

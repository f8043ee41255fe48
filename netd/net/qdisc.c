/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qdisc: see qdisc.h. The burst is given in bytes (TCA_TBF_BURST), so no rate table and no clock
 * ticks are needed. Read tc-tbf(8), tc-mirred(8), the kernel's net/sched/sch_tbf.c, cls_u32.c and
 * act_mirred.c, and include/uapi/linux/pkt_sched.h.
 */
#include "net/qdisc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/attr.h>
#include <string.h>

#include "net/link.h"
#include "net/rtnl_wire.h"

#define OUR_HANDLE 0x6e750000u
#define OUR_PRIO 0x6e75u
#define INGRESS_HANDLE 0xffff0000u
#define LATENCY_MS 25 /* how long a packet may wait in the bucket's queue at full rate */

/* What a missing part of the kernel is told by, and its name. */
static int explain(int w, const char *lacks, struct err *mine, struct err *e)
{
	if (w == -ENOENT || w == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, 0, "the kernel lacks %s", lacks);
	if (e)
		*e = *mine;
	return w;
}

static struct nl_msg *tc_msg(uint16_t type, uint16_t flags, uint32_t index, uint32_t parent,
			     uint32_t handle, uint32_t info)
{
	struct tcmsg tcm = {.tcm_family = AF_UNSPEC,
			    .tcm_ifindex = (int)index,
			    .tcm_parent = parent,
			    .tcm_handle = handle,
			    .tcm_info = info};

	return rtnl_msg(type, flags, &tcm, sizeof(tcm));
}

/* ---- token buckets ---- */

static int put_tbf(struct nl_msg *m, const struct tbf_spec *s)
{
	uint64_t wait = s->rate * LATENCY_MS / 1000 + s->burst;
	struct tc_tbf_qopt q = {
		.rate = {.linklayer = TC_LINKLAYER_ETHERNET,
			 .rate = s->rate < UINT32_MAX ? (uint32_t)s->rate : UINT32_MAX},
		.limit = wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX};
	struct nlattr *options;
	int bad = nla_put_string(m, TCA_KIND, "tbf");

	options = nla_nest_start(m, TCA_OPTIONS);
	if (!options)
		return -1;
	bad |= nla_put(m, TCA_TBF_PARMS, sizeof(q), &q);
	bad |= nla_put_u32(m, TCA_TBF_BURST, s->burst);
	if (s->rate >= UINT32_MAX)
		bad |= nla_put_u64(m, TCA_TBF_RATE64, s->rate);
	return bad | nla_nest_end(m, options);
}

struct answer {
	uint32_t handle; /* 0: the kernel's own choice, or none */
	char kind[16];
	uint64_t rate; /* of a token bucket */
};

static void on_qdisc(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[TCA_MAX + 1], *opt[TCA_TBF_MAX + 1];
	const struct tcmsg *tcm = nlmsg_data(h);
	struct answer *a = arg;

	if (h->nlmsg_type != RTM_NEWQDISC || nlmsg_parse(h, sizeof(*tcm), tb, TCA_MAX, NULL) < 0)
		return;
	a->handle = tcm->tcm_handle;
	if (tb[TCA_KIND])
		(void)nla_strlcpy(a->kind, tb[TCA_KIND], sizeof(a->kind));
	if (strcmp(a->kind, "tbf") != 0 || !tb[TCA_OPTIONS] ||
	    nla_parse_nested(opt, TCA_TBF_MAX, tb[TCA_OPTIONS], NULL) < 0)
		return;
	if (opt[TCA_TBF_PARMS] && nla_len(opt[TCA_TBF_PARMS]) >= (int)sizeof(struct tc_tbf_qopt)) {
		struct tc_tbf_qopt q;

		memcpy(&q, nla_data(opt[TCA_TBF_PARMS]), sizeof(q));
		a->rate = q.rate.rate;
	}
	if (opt[TCA_TBF_RATE64] && nla_len(opt[TCA_TBF_RATE64]) >= (int)sizeof(uint64_t))
		a->rate = nla_get_u64(opt[TCA_TBF_RATE64]);
}

/* 1: there is none that can be shown, or no such link. */
static int read_qdisc(struct rtnl *r, uint32_t index, uint32_t parent, struct answer *ret,
		      struct err *e)
{
	struct err mine = ERR_INIT;
	/* The kernel tells those who listen, and with NLM_F_ECHO also who asks. Its own defaults it
	 * does not show; then the acknowledgement is the answer. */
	int w = rtnl_call(r, tc_msg(RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO, index, parent, 0, 0),
			  on_qdisc, NULL, ret, "reading a queueing discipline", &mine);

	if (w == -ENOENT || w == -EINVAL || w == -ENODEV)
		return 1;
	if (w < 0 && e)
		*e = mine;
	return w < 0 ? w : !ret->kind[0];
}

static bool is_ours(const struct answer *a)
{
	return a->handle == OUR_HANDLE && strcmp(a->kind, "tbf") == 0;
}

int qdisc_tbf_get(struct rtnl *r, uint32_t index, uint64_t *ret, struct err *e)
{
	struct answer a = {.kind = ""};
	int w = read_qdisc(r, index, TC_H_ROOT, &a, e);

	if (w != 0 || !is_ours(&a))
		return w < 0 ? w : 1;
	*ret = a.rate;
	return 0;
}

/* The kernel refused to put a bucket there: because of what somebody else has put there? */
static int explain_root(struct rtnl *r, uint32_t index, int w, struct err *mine, struct err *e)
{
	struct answer a = {.kind = ""};

	if ((w == -EEXIST || w == -EINVAL) && read_qdisc(r, index, TC_H_ROOT, &a, NULL) == 0 &&
	    a.handle && !is_ours(&a))
		return err_set(e, ERR_CONFLICT, 0,
			       "the link has a queueing discipline of somebody else's: %s %x:",
			       a.kind, TC_H_MAJ(a.handle) >> 16);
	return explain(w, "CONFIG_NET_SCH_TBF", mine, e);
}

int qdisc_tbf_set(struct rtnl *r, uint32_t index, const struct tbf_spec *s, bool is_own_link,
		  struct err *e)
{
	/* Without NLM_F_REPLACE the kernel changes what has our handle, replaces its own default
	 * (which comes back with the end of ours), and refuses to touch anything else. */
	uint16_t flags = NLM_F_CREATE | (is_own_link ? NLM_F_REPLACE : 0);
	struct nl_msg *m = tc_msg(RTM_NEWQDISC, flags, index, TC_H_ROOT, OUR_HANDLE, 0);
	struct err mine = ERR_INIT;
	int w;

	if (m)
		m = rtnl_msg_done(m, put_tbf(m, s));
	w = rtnl_call(r, m, NULL, NULL, NULL, "limiting a link's rate", &mine);
	return w < 0 ? explain_root(r, index, w, &mine, e) : 0;
}

int qdisc_tbf_del(struct rtnl *r, uint32_t index, struct err *e)
{
	uint64_t rate;
	int w = qdisc_tbf_get(r, index, &rate, e);

	if (w != 0)
		return w;
	return rtnl_call(r, tc_msg(RTM_DELQDISC, 0, index, TC_H_ROOT, OUR_HANDLE, 0), NULL, NULL,
			 NULL, "taking a rate limit away", e);
}

/* ---- ifb ---- */

static struct nl_msg *ifb_msg(const char *name, uint32_t mtu, uint32_t group)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nl_msg *m = rtnl_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	struct nlattr *info;
	int bad = 0;

	if (!m)
		return NULL;
	bad |= nla_put_string(m, IFLA_IFNAME, name);
	bad |= nla_put_u32(m, IFLA_GROUP, group);
	if (mtu)
		bad |= nla_put_u32(m, IFLA_MTU, mtu);
	bad |= nla_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	bad |= nla_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info)
		bad = -1;
	bad |= nla_put_string(m, IFLA_INFO_KIND, "ifb");
	if (info)
		bad |= nla_nest_end(m, info);
	return rtnl_msg_done(m, bad);
}

int qdisc_ifb_add(struct rtnl *r, const char *name, uint32_t mtu, uint32_t group,
		  uint32_t *ret_index, struct err *e)
{
	struct err mine = ERR_INIT;
	struct link_info l;
	int w = rtnl_call(r, ifb_msg(name, mtu, group), NULL, NULL, NULL, "creating", &mine);

	if (w < 0 && w != -EEXIST)
		return explain(w, "CONFIG_IFB", &mine, e);
	w = link_get(r, name, &l, e);
	if (w == 1)
		return err_set(e, ERR_ABSENT, ENODEV, "%s has vanished", name);
	if (w == 0 && strcmp(l.kind, "ifb") != 0)
		return err_set(e, ERR_CONFLICT, EEXIST, "interface %s is no ifb", name);
	if (w == 0)
		*ret_index = l.index;
	return w;
}

/* ---- redirection ---- */

static struct nl_msg *filter_msg(uint16_t type, uint16_t flags, uint32_t index, uint32_t prio)
{
	/* The ingress half of an ingress or a clsact discipline. */
	return tc_msg(type, flags, index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), 0,
		      TC_H_MAKE(prio << 16, prio ? htons(ETH_P_ALL) : 0));
}

static int put_mirred(struct nl_msg *m, uint32_t to)
{
	struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = to};
	struct nlattr *acts = nla_nest_start(m, TCA_U32_ACT);
	struct nlattr *act = acts ? nla_nest_start(m, 1) : NULL, *options;
	int bad = act ? nla_put_string(m, TCA_ACT_KIND, "mirred") : -1;

	options = act ? nla_nest_start(m, TCA_ACT_OPTIONS) : NULL;
	if (!options)
		return -1;
	bad |= nla_put(m, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	bad |= nla_nest_end(m, options);
	bad |= nla_nest_end(m, act);
	return bad | nla_nest_end(m, acts);
}

static int put_u32(struct nl_msg *m, uint32_t to)
{
	/* The key, all zero, follows: 0 under mask 0 is everything. */
	const struct tc_u32_sel sel = {.flags = TC_U32_TERMINAL, .nkeys = 1};
	char room[sizeof(sel) + sizeof(struct tc_u32_key)] = {0};
	struct nlattr *options;
	int bad = nla_put_string(m, TCA_KIND, "u32");

	memcpy(room, &sel, sizeof(sel));

	options = nla_nest_start(m, TCA_OPTIONS);
	if (!options)
		return -1;
	bad |= nla_put(m, TCA_U32_SEL, sizeof(room), room);
	bad |= put_mirred(m, to);
	return bad | nla_nest_end(m, options);
}

static int add_ingress(struct rtnl *r, uint32_t index, struct err *e)
{
	struct nl_msg *m = tc_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index, TC_H_INGRESS,
				  INGRESS_HANDLE, 0);
	struct err mine = ERR_INIT;
	int w;

	if (m)
		m = rtnl_msg_done(m, nla_put_string(m, TCA_KIND, "ingress"));
	w = rtnl_call(r, m, NULL, NULL, NULL, "adding an ingress discipline", &mine);
	if (w == -EEXIST) /* ours, or a clsact of somebody else's */
		return 0;
	return w < 0 ? explain(w, "CONFIG_NET_SCH_INGRESS", &mine, e) : 0;
}

static int del_filter(struct rtnl *r, uint32_t index, struct err *e)
{
	struct err mine = ERR_INIT;
	int w = rtnl_call(r, filter_msg(RTM_DELTFILTER, 0, index, OUR_PRIO), NULL, NULL, NULL,
			  "taking a redirection away", &mine);

	if (w == -ENOENT || w == -EINVAL || w == -ENODEV)
		return 1;
	if (w < 0 && e)
		*e = mine;
	return w;
}

int qdisc_redirect_set(struct rtnl *r, uint32_t index, uint32_t to, struct err *e)
{
	struct err mine = ERR_INIT;
	struct nl_msg *m;
	int w = add_ingress(r, index, e);

	if (w == 0)
		w = del_filter(r, index, e);
	if (w < 0)
		return w;
	m = filter_msg(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, index, OUR_PRIO);
	if (m)
		m = rtnl_msg_done(m, put_u32(m, to));
	w = rtnl_call(r, m, NULL, NULL, NULL, "adding a redirection", &mine);
	return w < 0 ? explain(w, "CONFIG_NET_CLS_U32 or CONFIG_NET_ACT_MIRRED", &mine, e) : 0;
}

struct filters {
	bool ours, others;
};

static void on_filter(struct nlmsghdr *h, void *arg)
{
	const struct tcmsg *tcm = nlmsg_data(h);
	struct filters *f = arg;

	if (h->nlmsg_type != RTM_NEWTFILTER || nlmsg_datalen(h) < (int)sizeof(*tcm))
		return;
	if (TC_H_MAJ(tcm->tcm_info) >> 16 == OUR_PRIO)
		f->ours = true;
	else
		f->others = true;
}

static void restart_filters(void *arg)
{
	*(struct filters *)arg = (struct filters){false, false};
}

static int look(struct rtnl *r, uint32_t index, struct filters *f, struct err *e)
{
	struct err mine = ERR_INIT;
	int w = rtnl_call(r, filter_msg(RTM_GETTFILTER, NLM_F_DUMP, index, 0), on_filter,
			  restart_filters, f, "listing redirections", &mine);

	if (w == -ENOENT || w == -EINVAL || w == -ENODEV)
		return 0;
	if (w < 0 && e)
		*e = mine;
	return w < 0 ? w : 0;
}

int qdisc_redirect_del(struct rtnl *r, uint32_t index, struct err *e)
{
	struct filters f = {false, false};
	struct err mine = ERR_INIT;
	struct answer a = {.kind = ""};
	int w = del_filter(r, index, e), gone = w;

	if (w >= 0)
		w = look(r, index, &f, e);
	if (w < 0 || f.ours || f.others || gone == 1)
		return w < 0 ? w : gone;
	/* A clsact is not of our making, and may have filters on its other half. */
	w = read_qdisc(r, index, TC_H_INGRESS, &a, e);
	if (w != 0 || strcmp(a.kind, "ingress") != 0)
		return w < 0 ? w : 0;
	w = rtnl_call(r, tc_msg(RTM_DELQDISC, 0, index, TC_H_INGRESS, INGRESS_HANDLE, 0), NULL,
		      NULL, NULL, "taking an ingress discipline away", &mine);
	return w < 0 && w != -ENOENT && w != -EINVAL ? explain(w, "it", &mine, e) : 0;
}

int qdisc_redirect_has(struct rtnl *r, uint32_t index, struct err *e)
{
	struct filters f = {false, false};
	int w = look(r, index, &f, e);

	return w < 0 ? w : f.ours;
}

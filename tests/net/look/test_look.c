/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftlook and iptlegacy: messages as values, and a kernel that is played: the linker puts the
 * functions below in the place of the system's. It refuses, is slow, changes its tables while they
 * are read, knows a set no more, has more than is kept; and the memory runs out.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "base/fd.h"
#include "lack.h"
#include "model/addr.h"
#include "net/iptlegacy.h"
#include "net/nftlook.h"
#include "rules.h"

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len);
ssize_t __wrap_recv(int fd, void *room, size_t size, int flags);
int __wrap_fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
			struct err *e);

static struct {
	int socket_errno, bind_errno, option_errno, send_errno;
	int n_eintr, recv_errno;     /* before, and in the place of, an answer */
	unsigned n_changed;          /* so many readings of chains say that they changed */
	int error;                   /* an error message for rules, */
	bool is_short;               /* or a part of one */
	bool has_no_set, is_endless; /* a set that is gone; stray messages come first */
	size_t n_rule, n_sent, n_element;
	/* What came. */
	unsigned n_table_dumps;
	struct nlmsghdr asked;
	struct timeval wait;
	/* iptables */
	const char *names;
	bool has_info, has_entries;
	uint32_t size, at;
	int verdict;
} k;

static int refuse(int sys)
{
	errno = sys;
	return sys ? -1 : 0;
}

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return refuse(k.socket_errno) < 0 ? -1 : dup(STDERR_FILENO);
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)fd;
	(void)sa;
	(void)len;
	return refuse(k.bind_errno);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	if (level == SOL_SOCKET && name == SO_RCVTIMEO && len == sizeof(k.wait))
		memcpy(&k.wait, value, len);
	return refuse(k.option_errno);
}

ssize_t __wrap_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
		      socklen_t to_len)
{
	(void)fd;
	(void)flags;
	(void)to;
	(void)to_len;
	assert_true(len >= sizeof(k.asked));
	memcpy(&k.asked, data, sizeof(k.asked));
	assert_int_equal(k.asked.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	return refuse(k.send_errno) < 0 ? -1 : (ssize_t)len;
}

struct reply {
	char *at;
	size_t left;
};

/* Appends what is in rules_msg. */
static void reply_msg(struct reply *r)
{
	size_t len = MNL_ALIGN(rules_msg->nlmsg_len);

	rules_msg->nlmsg_seq = k.asked.nlmsg_seq;
	assert_true(r->left >= len);
	memcpy(r->at, rules_msg, rules_msg->nlmsg_len);
	r->at += len;
	r->left -= len;
}

static void reply_simple(struct reply *r, uint16_t type, int error, size_t len)
{
	struct nlmsghdr h = {.nlmsg_len = (uint32_t)(sizeof(h) + len),
			     .nlmsg_type = type,
			     .nlmsg_seq = k.asked.nlmsg_seq};
	struct nlmsgerr body = {.error = -error};

	memcpy(r->at, &h, sizeof(h));
	memcpy(r->at + sizeof(h), &body, len);
	r->at += MNL_ALIGN(h.nlmsg_len);
	r->left -= MNL_ALIGN(h.nlmsg_len);
}

/* As many as a message holds. True: those were the last. */
static bool reply_rules(struct reply *r)
{
	for (int i = 0; k.n_sent < k.n_rule && i < 100; i++, k.n_sent++) {
		struct nlattr *list = rules_rule(LOOK_IP, "t", "forward");

		if (k.n_sent > 0) { /* the first is a plain one */
			rules_meta(NFT_META_IIFNAME, 1);
			rules_lookup("ports", 1, NO_REG, 0);
		}
		rules_verdict(NF_DROP, NULL);
		rules_end(list);
		reply_msg(r);
	}
	if (k.n_sent < k.n_rule)
		return false;
	k.n_sent = 0;
	return true;
}

static void reply_elements(struct reply *r)
{
	struct nlattr *list, *one, *key;
	char name[32] = "";

	rules_begin(NFT_MSG_NEWSETELEM, LOOK_IP);
	list = rules_nest(NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < k.n_element; i++) {
		snprintf(name, sizeof(name), "veth%zu", i);
		one = rules_nest(NFTA_LIST_ELEM);
		key = rules_nest(NFTA_SET_ELEM_KEY);
		rules_bytes(NFTA_DATA_VALUE, name, 16);
		rules_end(key);
		rules_end(one);
	}
	rules_end(list);
	reply_msg(r);
	/* One without any says nothing. */
	rules_begin(NFT_MSG_NEWSETELEM, LOOK_IP);
	reply_msg(r);
}

ssize_t __wrap_recv(int fd, void *room, size_t size, int flags)
{
	struct reply r = {room, size};

	(void)fd;
	(void)flags;
	if (k.n_eintr > 0) {
		k.n_eintr--;
		return refuse(EINTR);
	}
	if (k.recv_errno)
		return refuse(k.recv_errno);
	if (k.is_endless) {
		/* Of an earlier question. */
		k.is_endless = false;
		k.asked.nlmsg_seq += 1000;
		reply_simple(&r, NLMSG_DONE, 0, 4);
		k.asked.nlmsg_seq -= 1000;
		return r.at - (char *)room;
	}
	switch (k.asked.nlmsg_type & 0xff) {
	case NFT_MSG_GETTABLE:
		k.n_table_dumps++;
		rules_table(LOOK_IP, "t");
		reply_msg(&r);
		break;
	case NFT_MSG_GETCHAIN:
		rules_base_chain(LOOK_IP, "t", "forward", "filter", NF_INET_FORWARD, -5, NF_DROP);
		if (k.n_changed > 0) {
			k.n_changed--;
			rules_msg->nlmsg_flags |= NLM_F_DUMP_INTR;
		}
		reply_msg(&r);
		break;
	case NFT_MSG_GETRULE:
		if (k.error) {
			reply_simple(&r, NLMSG_ERROR, k.error,
				     k.is_short ? 2 : sizeof(struct nlmsgerr));
			return r.at - (char *)room;
		}
		if (!reply_rules(&r))
			return r.at - (char *)room;
		break;
	default:
		if (k.has_no_set) {
			reply_simple(&r, NLMSG_ERROR, ENOENT, sizeof(struct nlmsgerr));
			return r.at - (char *)room;
		}
		reply_elements(&r);
	}
	reply_simple(&r, NLMSG_DONE, 0, 4);
	return r.at - (char *)room;
}

static int play(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	k.n_rule = 2;
	k.n_element = 2;
	return 0;
}

/* ---- the ruleset ---- */

static void test_read(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};

	(void)state;
	k.n_eintr = 3;
	k.is_endless = true;
	assert_int_equal(nftlook_read(&l, NULL), 0);
	assert_true(k.wait.tv_sec > 0); /* never for ever */
	assert_int_equal(k.n_table_dumps, 1);
	assert_int_equal(l.n_table, 1);
	assert_int_equal(l.n_chain, 1);
	assert_true(l.chain[0].is_base && l.chain[0].is_filter && l.chain[0].is_drop);
	assert_int_equal(l.chain[0].hook, LOOK_FORWARD);
	assert_int_equal(l.chain[0].priority, -5);
	/* The look-up became a rule for each element. */
	assert_int_equal(l.n_rule, 3);
	assert_string_equal(l.rule[0].iif.name, "");
	assert_string_equal(l.rule[1].iif.name, "veth0");
	assert_string_equal(l.rule[2].iif.name, "veth1");
	assert_int_equal(l.rule[2].verdict, LOOK_DROP);
	assert_false(l.rule[0].is_condition || l.rule[2].is_condition || l.is_cut);
}

static void test_refused(void **state)
{
	static const struct {
		int *at, sys, want;
		enum err_kind kind;
	} table[] = {
		{&k.socket_errno, EPROTONOSUPPORT, -EPROTONOSUPPORT, ERR_UNSUPPORTED},
		{&k.bind_errno, EPERM, -EPERM, ERR_DENIED},
		{&k.option_errno, EINVAL, -EINVAL, ERR_KERNEL},
		{&k.send_errno, EPERM, -EPERM, ERR_DENIED},
		{&k.recv_errno, EAGAIN, -ETIMEDOUT, ERR_KERNEL},
		{&k.recv_errno, ENOBUFS, -ENOBUFS, ERR_KERNEL},
		{&k.error, EPERM, -EPERM, ERR_DENIED},
		{&k.error, EBUSY, -EBUSY, ERR_CONFLICT},
		{&k.error, 1000, -1000, ERR_KERNEL},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct nftlook l = {.n_rule = 7};
		struct err e = ERR_INIT;

		play(state);
		*table[i].at = table[i].sys;
		assert_int_equal(nftlook_read(&l, &e), table[i].want);
		assert_int_equal(e.kind, table[i].kind);
		assert_int_equal(l.n_rule, 7);
	}
}

static void test_short_error(void **state)
{
	struct nftlook l = {0};
	struct err e = ERR_INIT;

	(void)state;
	k.error = EBUSY;
	k.is_short = true;
	assert_int_equal(nftlook_read(&l, &e), -EPROTO);
	assert_int_equal(e.kind, ERR_PROTOCOL);
}

/* Read again, but not for ever; the last reading counts. */
static void test_changes(void **state)
{
	static const struct {
		unsigned n_changed, n_read;
	} table[] = {{1, 2}, {4, 5}, {1000, 5}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEAN_NFTLOOK struct nftlook l = {0};

		play(state);
		k.n_changed = table[i].n_changed;
		assert_int_equal(nftlook_read(&l, NULL), 0);
		assert_int_equal(k.n_table_dumps, table[i].n_read);
		assert_int_equal(l.n_table, 1);
		assert_int_equal(l.n_rule, 3);
	}
}

/* A set that is gone, or too large, is a condition that is not understood; the rule stays. */
static void test_sets(void **state)
{
	for (int i = 0; i < 3; i++) {
		CLEAN_NFTLOOK struct nftlook l = {0};

		play(state);
		k.has_no_set = i == 0;
		k.n_element = i == 1 ? NFTLOOK_ELEMENTS + 1 : NFTLOOK_ELEMENTS;
		assert_int_equal(nftlook_read(&l, NULL), 0);
		assert_int_equal(l.n_rule, 1 + (i == 2 ? NFTLOOK_ELEMENTS : 1));
		assert_int_equal(l.rule[1].is_condition, i != 2);
		assert_int_equal(l.rule[1].lookup, LOOK_NO_SET);
	}
}

static void test_empty_set(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};

	(void)state;
	k.n_element = 0;
	assert_int_equal(nftlook_read(&l, NULL), 0);
	assert_int_equal(l.n_rule, 1); /* the other one never matches */
}

/* Only so many sets are read: what looks up others has a condition. */
static void test_many_sets(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};

	(void)state;
	k.n_rule = 1 + NFTLOOK_SETS + 3;
	assert_int_equal(nftlook_read(&l, NULL), 0);
	assert_int_equal(l.n_rule, 1 + 2 * NFTLOOK_SETS + 3);
	for (size_t i = 0; i < l.n_rule; i++)
		assert_int_equal(l.rule[i].is_condition, i > 2 * NFTLOOK_SETS);
	assert_false(l.is_cut);
}

/* No more rules than are kept, and it is said. */
static void test_many_rules(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};

	(void)state;
	k.n_rule = 1 + NFTLOOK_SETS;
	k.n_element = NFTLOOK_ELEMENTS;
	assert_int_equal(nftlook_read(&l, NULL), 0);
	assert_int_equal(l.n_rule, 1 + NFTLOOK_SETS * NFTLOOK_ELEMENTS);
	assert_false(l.is_cut);
	nftlook_clear(&l);
	k.n_rule = NFTLOOK_RULES + 1;
	k.has_no_set = true;
	assert_int_equal(nftlook_read(&l, NULL), 0);
	assert_int_equal(l.n_rule, NFTLOOK_RULES);
	assert_true(l.is_cut);
}

static void test_memory(void **state)
{
	bool has_failed = true;

	for (size_t nth = 1; has_failed; nth++) {
		CLEAN_NFTLOOK struct nftlook l = {0};
		struct err e = ERR_INIT;
		int r;

		play(state);
		lack_begin(nth, false);
		r = nftlook_read(&l, &e);
		has_failed = lack_end();
		assert_int_equal(r, has_failed ? -ENOMEM : 0);
		assert_int_equal(e.kind, has_failed ? ERR_INTERNAL : ERR_NONE);
		assert_int_equal(l.n_rule, has_failed ? 0 : 3);
	}
}

/* ---- messages ---- */

static int take(struct nftlook *l)
{
	return nftlook_take(l, rules_msg, rules_msg->nlmsg_len, NULL);
}

static void test_tables(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};
	char name[2 * NFTLOOK_NAME];
	/* Another kind first, then a comment; one that goes beyond its end. */
	static const uint8_t data[] = {1, 1, 'x', 0, 3, 'h', 'i', 0}, wide[] = {0, 200, 'h', 0},
			     none[] = {0, 0}, odd[] = {0};

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	rules_table(LOOK_INET, name);
	rules_u32(NFTA_TABLE_FLAGS, 1 | 2);
	rules_bytes(NFTA_TABLE_USERDATA, data, sizeof(data));
	assert_int_equal(take(&l), 0);
	assert_true(l.table[0].is_dormant && l.table[0].is_owned);
	assert_int_equal(strlen(l.table[0].name), NFTLOOK_NAME - 1);
	assert_string_equal(l.table[0].comment, "hi");
	for (int i = 0; i < 3; i++) {
		rules_table(LOOK_IP, "t");
		rules_bytes(NFTA_TABLE_USERDATA,
			    i == 0   ? wide
			    : i == 1 ? none
				     : odd,
			    i == 0   ? sizeof(wide)
			    : i == 1 ? sizeof(none)
				     : sizeof(odd));
		assert_int_equal(take(&l), 0);
		assert_string_equal(l.table[1 + i].comment, "");
		assert_false(l.table[1 + i].is_dormant || l.table[1 + i].is_owned);
	}
	/* More than are kept. */
	for (size_t i = l.n_table; i < NFTLOOK_TABLES; i++)
		assert_int_equal(take(&l), 0);
	assert_false(l.is_cut);
	assert_int_equal(take(&l), 0);
	assert_true(l.is_cut);
	assert_int_equal(l.n_table, NFTLOOK_TABLES);
}

static void test_chains(void **state)
{
	CLEAN_NFTLOOK struct nftlook l = {0};
	struct nlattr *list;

	(void)state;
	rules_chain(LOOK_IP, "t", "own");
	assert_int_equal(take(&l), 0);
	assert_false(l.chain[0].is_base);
	rules_base_chain(LOOK_IP, "t", "nat", "nat", NF_INET_POST_ROUTING, 100, NF_ACCEPT);
	assert_int_equal(take(&l), 0);
	assert_true(l.chain[1].is_base && !l.chain[1].is_filter && !l.chain[1].is_drop);
	/* A hook of which nothing is said is none that there is. */
	rules_chain(LOOK_IP, "t", "odd");
	list = rules_nest(NFTA_CHAIN_HOOK);
	rules_end(list);
	assert_int_equal(take(&l), 0);
	assert_int_equal(l.chain[2].hook, UINT32_MAX);
	/* A rule is its chain's, of its own table and family; others are nobody's. */
	for (int i = 0; i < 4; i++) {
		list = rules_rule(i == 1 ? LOOK_IP6 : LOOK_IP, i == 2 ? "u" : "t",
				  i == 3 ? "none" : "nat");
		rules_verdict(NF_DROP, NULL);
		rules_end(list);
		assert_int_equal(take(&l), 0);
		assert_int_equal(l.n_rule, 1);
	}
	assert_int_equal(l.rule[0].chain, 1);
	/* Without expressions; of another kind; too short for a header. */
	rules_begin(NFT_MSG_NEWRULE, LOOK_IP);
	assert_int_equal(take(&l), 0);
	rules_begin(NFT_MSG_NEWGEN, LOOK_IP);
	assert_int_equal(take(&l), 0);
	rules_begin(NFT_MSG_NEWTABLE, LOOK_IP);
	rules_msg->nlmsg_len = sizeof(struct nlmsghdr) + 2;
	assert_int_equal(take(&l), 0);
	rules_msg->nlmsg_len = 0x80000000;
	assert_int_equal(nftlook_take(&l, rules_msg, 64, NULL), 0);
	rules_msg->nlmsg_len = sizeof(struct nlmsghdr) - 1;
	assert_int_equal(nftlook_take(&l, rules_msg, 64, NULL), 0);
	assert_int_equal(nftlook_take(&l, rules_msg, sizeof(struct nlmsghdr) - 1, NULL), 0);
	assert_int_equal(l.n_table, 0);
	assert_int_equal(l.n_rule, 1);
}

static void test_words(void **state)
{
	static const struct {
		uint8_t family;
		const char *name;
	} families[] = {{LOOK_INET, "inet"},     {LOOK_IP, "ip"},   {LOOK_ARP, "arp"},
			{LOOK_NETDEV, "netdev"}, {LOOK_IP6, "ip6"}, {LOOK_BRIDGE, "bridge"},
			{99, "unknown"}};
	static const char *const hooks[] = {"prerouting",  "input",   "forward", "output",
					    "postrouting", "unknown", "unknown"};

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		assert_string_equal(nftlook_family_str(families[i].family), families[i].name);
	for (uint32_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		assert_string_equal(nftlook_hook_str(i), hooks[i]);
	assert_string_equal(nftlook_hook_str(UINT32_MAX), "unknown");
}

/* ---- iptables of the old kind ---- */

int __wrap_fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
			struct err *e)
{
	(void)dirfd;
	(void)path;
	(void)max;
	(void)e;
	if (!k.names)
		return -ENOENT;
	*ret = strdup(k.names);
	*ret_len = strlen(k.names);
	return *ret ? 0 : -ENOMEM;
}

/* The policy's entry at k.at of k.size bytes. */
static void put_policy(char *entries, int level)
{
	struct xt_standard_target t = {.verdict = k.verdict};
	size_t head = level == IPPROTO_IP ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);
	size_t place = level == IPPROTO_IP ? offsetof(struct ipt_entry, target_offset)
					   : offsetof(struct ip6t_entry, target_offset);
	uint16_t target = (uint16_t)head;

	memcpy(entries + k.at + place, &target, sizeof(target));
	memcpy(entries + k.at + head, &t, sizeof(t));
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	(void)fd;
	if (name == IPT_SO_GET_INFO) {
		struct ipt_getinfo info = {.name = "filter", .size = k.size};

		assert_int_equal(*len, sizeof(info));
		info.underflow[NF_INET_FORWARD] = k.at;
		memcpy(value, &info, sizeof(info));
		return k.has_info ? 0 : refuse(EPERM);
	}
	assert_int_equal(name, IPT_SO_GET_ENTRIES);
	assert_int_equal(*len, sizeof(struct ipt_get_entries) + k.size);
	put_policy((char *)value + offsetof(struct ipt_get_entries, entrytable), level);
	return k.has_entries ? 0 : refuse(EAGAIN);
}

static void test_legacy(void **state)
{
	for (int fam = 0; fam < N_FAM; fam++)
		for (int i = 0; i < 11; i++) {
			play(state);
			k.names = i == 1   ? "nat\nfilters\nmangle\n"
				  : i == 2 ? ""
				  : i == 9 ? "mangle\nfilter"
					   : "nat\nfilter\n";
			if (i == 3)
				k.names = NULL;
			k.has_info = i != 4;
			k.has_entries = i != 5;
			k.socket_errno = i == 6 ? EPERM : 0;
			k.at = 16;
			k.size = i == 7 ? 17u * 1024 * 1024 : 1024;
			k.verdict = i == 8 ? -NF_ACCEPT - 1 : -NF_DROP - 1;
			if (i == 10)
				lack_begin(2, false); /* the first is that of the names */
			/* Whatever goes wrong, it is not said to drop. */
			assert_int_equal(iptlegacy_drops(fam), i == 0 || i == 9);
			assert_int_equal(lack_end(), i == 10);
		}
}

/* At each end of what came. */
static void test_policy(void **state)
{
	for (int fam = 0; fam < N_FAM; fam++) {
		size_t head = fam == FAM4 ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);
		size_t len = 16 + head + sizeof(struct xt_standard_target);
		size_t place = 16 + (fam == FAM4 ? offsetof(struct ipt_entry, target_offset)
						 : offsetof(struct ip6t_entry, target_offset));
		char *entries = calloc(1, len);
		uint16_t target;

		assert_non_null(entries);
		play(state);
		k.at = 16;
		k.verdict = -NF_DROP - 1;
		put_policy(entries, fam == FAM4 ? IPPROTO_IP : IPPROTO_IPV6);
		assert_int_equal(iptlegacy_policy(entries, len, 16, fam), 1);
		assert_int_equal(iptlegacy_policy(entries, len - 1, 16, fam), -EPROTO);
		assert_int_equal(iptlegacy_policy(entries, 16 + head - 1, 16, fam), -EPROTO);
		assert_int_equal(iptlegacy_policy(entries, 16, 17, fam), -EPROTO);
		assert_int_equal(iptlegacy_policy(entries, 16, SIZE_MAX, fam), -EPROTO);
		target = (uint16_t)(head - 1);
		memcpy(entries + place, &target, sizeof(target));
		assert_int_equal(iptlegacy_policy(entries, len, 16, fam), -EPROTO);
		target = UINT16_MAX;
		memcpy(entries + place, &target, sizeof(target));
		assert_int_equal(iptlegacy_policy(entries, len, 16, fam), -EPROTO);
		/* Another target than the standard one, which has no name. */
		target = (uint16_t)head;
		memcpy(entries + place, &target, sizeof(target));
		entries[16 + head + offsetof(struct xt_entry_target, u.user.name)] = 'E';
		assert_int_equal(iptlegacy_policy(entries, len, 16, fam), -EPROTO);
		free(entries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, play),
		cmocka_unit_test_setup(test_refused, play),
		cmocka_unit_test_setup(test_short_error, play),
		cmocka_unit_test_setup(test_changes, play),
		cmocka_unit_test_setup(test_sets, play),
		cmocka_unit_test_setup(test_empty_set, play),
		cmocka_unit_test_setup(test_many_sets, play),
		cmocka_unit_test_setup(test_many_rules, play),
		cmocka_unit_test_setup(test_memory, play),
		cmocka_unit_test_setup(test_tables, play),
		cmocka_unit_test_setup(test_chains, play),
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup(test_legacy, play),
		cmocka_unit_test(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

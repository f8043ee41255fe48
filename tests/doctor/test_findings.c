/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts to findings: a healthy host has none, and each obstacle, invented, gives the one finding
 * that names it with the remedy that mends it. The rulesets are those that Docker, ufw, firewalld
 * and people make, as nftlook reads them.
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

#include <cmocka.h>

#include "doctor/facts.h"
#include "doctor/finding.h"

static struct facts *f; /* large */

/* A host with the default network and a container, everything as it should be. */
static void healthy(void)
{
	*f = (struct facts){
		.is_powerful = true,
		.has_rules = true,
		.tables = TABLES_OK,
		.n_attached = 1,
		.n_inside = 1,
		.inside = {{.ifname = "nb-default", .has = {true, true}}},
		.uplink = {"eth0", "eth0"},
		.has_settings = true,
		.n_if = 2,
		.ifs = {{.name = "nb-default",
			 .is_inside = true,
			 .is_needed = true,
			 .is_forwarding = {true, true},
			 .has_ip6_force = true},
			{.name = "eth0",
			 .is_needed = true,
			 .is_uplink = {true, true},
			 .has_default = true,
			 .is_forwarding = {true, true},
			 .has_ip6_force = true}},
		.bridge_nf = {-1, -1},
		.conntrack_count = 10,
		.conntrack_max = 1000,
		.has_user = true,
		.ping_high = 2147483647,
		.tun = TUN_OK,
		.tun_mode = 0666,
		.max_userns = 1000,
		.userns_clone = -1,
		.apparmor_userns = -1,
		.has_subuid = true,
		.has_subgid = true,
		.has_newuidmap = true,
		.has_newgidmap = true,
	};
	for (int i = 0; i < N_FEATURES; i++)
		f->is_tried[i] = true;
}

static void as_user(void)
{
	f->is_powerful = f->has_rules = false;
	f->uid = 1000;
	f->n_gid = 1;
	f->gid[0] = 1000;
	(void)snprintf(f->user, sizeof(f->user), "alice");
}

/* Exactly one finding, which is so. */
static void expect(enum severity s, const char *id, const char *what, const char *remedy,
		   enum fix_kind fix)
{
	CLEAN_FINDINGS struct findings l = {0};

	findings_of(f, &l);
	assert_false(l.failed);
	for (size_t i = 1; i < l.n; i++)
		print_error("also: %s (%s)\n", l.v[i].what.p, l.v[i].evidence.p);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].id, id);
	assert_int_equal(l.v[0].severity, s);
	if (!strstr(l.v[0].what.p, what) || !strstr(l.v[0].remedy.p, remedy))
		fail_msg("found: %s; remedy: %s", l.v[0].what.p, l.v[0].remedy.p);
	assert_true(l.v[0].evidence.len > 0);
	assert_int_equal(l.v[0].fix.kind, fix);
	assert_int_equal(findings_count(&l), s != SEVERITY_NOTE);
	facts_clear(f);
}

static void expect_none(void)
{
	CLEAN_FINDINGS struct findings l = {0};

	findings_of(f, &l);
	for (size_t i = 0; i < l.n; i++)
		print_error("found: %s (%s)\n", l.v[i].what.p, l.v[i].evidence.p);
	assert_int_equal(l.n, 0);
	facts_clear(f);
}

static void test_healthy(void **state)
{
	(void)state;
	healthy();
	expect_none();
	as_user();
	expect_none();
	*f = (struct facts){.max_userns = -1, .userns_clone = -1, .is_powerful = true};
	expect_none();
}

/* ---- who, kernel, state ---- */

static void test_host(void **state)
{
	(void)state;
	healthy();
	f->is_powerful = f->has_rules = false;
	f->n_gid = 1;
	expect(SEVERITY_ERROR, "capabilities", "root may not", "--cap-add=NET_ADMIN", FIX_NONE);
	f->is_nested = true;
	expect(SEVERITY_NOTE, "nested", "slirp-lite", "unshare", FIX_NONE);
	healthy();
	f->is_nested = true;
	expect(SEVERITY_NOTE, "nested", "no kernel module", "outside", FIX_NONE);
	healthy();
	f->is_proc_read_only = true;
	expect(SEVERITY_ERROR, "proc-sys", "forwarding", "remount", FIX_NONE);
	healthy();
	f->tables = TABLES_ABSENT;
	expect(SEVERITY_ERROR, "tables", "gone", "netns-up gc", FIX_GC);
	f->tables = TABLES_OTHER;
	expect(SEVERITY_ERROR, "tables", "another version", "netns-up gc", FIX_GC);
	f->n_attached = 0;
	expect_none();
	f->is_elsewhere = true;
	(void)snprintf(f->elsewhere, sizeof(f->elsewhere), "as the engine says it");
	expect(SEVERITY_ERROR, "state-dir", "cannot be managed", "--state-dir", FIX_NONE);
}

static void test_kernel(void **state)
{
	static const char *const options[N_FEATURES] = {
		"CONFIG_NET_NS",           "CONFIG_VETH",
		"CONFIG_BRIDGE",           "CONFIG_NF_TABLES_INET",
		"CONFIG_NF_TABLES_BRIDGE", "CONFIG_NFT_NAT",
		"CONFIG_NFT_MASQ",         "CONFIG_NFT_FIB_INET",
		"CONFIG_NFT_CT",           "CONFIG_TUN",
		"CONFIG_USER_NS",          "CONFIG_IPV6"};

	(void)state;
	for (int i = 0; i < N_FEATURES; i++) {
		healthy();
		f->missing[i] = EOPNOTSUPP;
		expect(i == FEATURE_IPV6 ? SEVERITY_WARNING : SEVERITY_ERROR, "kernel",
		       "the kernel gives no", options[i], FIX_NONE);
		f->is_tried[i] = false;
		expect_none();
	}
}

/* ---- settings ---- */

static void test_settings(void **state)
{
	(void)state;
	healthy();
	f->ifs[0].is_forwarding[FAM4] = false;
	expect(SEVERITY_ERROR, "forwarding", "IPv4 that comes in by nb-default",
	       "sysctl -w net.ipv4.conf.nb-default.forwarding=1", FIX_SYSCTL);
	healthy();
	f->ifs[1].is_forwarding[FAM6] = false;
	(void)snprintf(f->ifs[1].name, sizeof(f->ifs[1].name), "eth0.5");
	expect(SEVERITY_ERROR, "forwarding", "IPv6 that comes in by eth0.5",
	       "sysctl -w net/ipv6/conf/eth0.5/force_forwarding=1", FIX_SYSCTL);
	f->ifs[1].has_ip6_force = false;
	expect(SEVERITY_ERROR, "forwarding", "IPv6", "sysctl -w net.ipv6.conf.all.forwarding=1",
	       FIX_SYSCTL);
	f->ifs[1].is_needed = false; /* netns-up will switch it on */
	expect_none();

	healthy();
	f->n_if = 3;
	f->ifs[2] = (struct facts_if){
		.name = "eth1", .has_default = true, .is_forwarding = {true, true}, .rp_filter = 1};
	expect(SEVERITY_WARNING, "rp-filter", "eth1", "sysctl -w net.ipv4.conf.eth1.rp_filter=2",
	       FIX_SYSCTL);
	f->ifs[2].rp_filter = 2;
	expect_none();
	f->ifs[2].rp_filter = 1;
	f->ifs[2].has_default = false; /* neighbours alone are there: strict does no harm */
	expect_none();
	f->ifs[1].rp_filter = 1; /* the best way back */
	expect_none();

	healthy();
	f->bridge_nf[FAM4] = f->bridge_nf[FAM6] = 1;
	expect_none();
	f->inside[0].is_isolated = true;
	expect(SEVERITY_WARNING, "bridge-nf", "nb-default",
	       "sysctl -w net.bridge.bridge-nf-call-iptables=0", FIX_NONE);

	healthy();
	f->conntrack_count = 990;
	expect(SEVERITY_ERROR, "conntrack-full", "full", "nf_conntrack_max=2000", FIX_NONE);
	f->conntrack_max = -1;
	expect_none();
}

/* ---- ordinary users ---- */

static void test_user(void **state)
{
	(void)state;
	healthy();
	f->ping_low = 1;
	f->ping_high = 0;
	expect(SEVERITY_WARNING, "ping", "ordinary users",
	       "sysctl -w net.ipv4.ping_group_range='0 2147483647'", FIX_SYSCTL);
	as_user();
	expect(SEVERITY_WARNING, "ping", "yours", "ping_group_range", FIX_SYSCTL);
	f->ping_low = 2000;
	f->ping_high = 3000;
	expect(SEVERITY_WARNING, "ping", "yours", "ping_group_range", FIX_SYSCTL);
	f->gid[f->n_gid++] = 2500;
	expect_none();

	healthy();
	f->tun = TUN_ABSENT;
	expect(SEVERITY_WARNING, "tun", "tap", "mknod -m 0666 /dev/net/tun c 10 200", FIX_TUN);
	f->tun = TUN_DENIED;
	expect(SEVERITY_WARNING, "tun", "ordinary users", "chmod 0666 /dev/net/tun", FIX_TUN);
	as_user();
	expect(SEVERITY_ERROR, "tun", "you cannot", "chmod 0666 /dev/net/tun", FIX_TUN);

	healthy();
	f->max_userns = 0;
	expect(SEVERITY_WARNING, "userns-max", "nobody", "sysctl -w user.max_user_namespaces=15000",
	       FIX_SYSCTL);
	as_user();
	f->max_userns = 1;
	f->userns_clone = 0;
	expect(SEVERITY_ERROR, "userns-clone", "ordinary users",
	       "sysctl -w kernel.unprivileged_userns_clone=1", FIX_SYSCTL);
	f->userns_clone = 1;
	f->apparmor_userns = 1;
	expect(SEVERITY_ERROR, "userns-apparmor", "no power",
	       "/apparmor.d/netns-up " NETNS_UP_SYSCONFDIR "/apparmor.d/slirp-lite", FIX_NONE);
	f->has_profile = true;
	expect_none();
	f->apparmor_userns = 0;
	f->has_profile = false;
	expect_none();

	healthy();
	f->has_subuid = f->has_newuidmap = false; /* root needs none */
	expect_none();
	as_user();
	expect(SEVERITY_WARNING, "subids", "one user id",
	       "usermod --add-subuids 100000-165535 alice", FIX_NONE);
	f->has_subgid = false;
	expect(SEVERITY_WARNING, "subids", "one user id",
	       "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 alice", FIX_NONE);
	f->has_subuid = f->has_subgid = true;
	expect(SEVERITY_WARNING, "newuidmap", "one user id", "uidmap", FIX_NONE);
}

/* ---- rulesets ---- */

static uint32_t chain(uint8_t family, const char *table, const char *name)
{
	struct nftlook *l = &f->rules;

	l->chain = realloc(l->chain, (l->n_chain + 1) * sizeof(*l->chain));
	l->table = realloc(l->table, (l->n_chain + 1) * sizeof(*l->table));
	assert_non_null(l->chain);
	assert_non_null(l->table);
	struct nftlook_chain *c = &l->chain[l->n_chain];
	struct nftlook_table *t = &l->table[l->n_chain];
	*c = (struct nftlook_chain){.family = family};
	*t = (struct nftlook_table){.family = family};
	(void)snprintf(c->table, sizeof(c->table), "%s", table);
	(void)snprintf(t->name, sizeof(t->name), "%s", table);
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	l->n_table++;
	return (uint32_t)l->n_chain++;
}

static uint32_t base(uint8_t family, const char *table, const char *name, uint32_t hook,
		     bool is_drop)
{
	uint32_t i = chain(family, table, name);

	f->rules.chain[i].is_base = f->rules.chain[i].is_filter = true;
	f->rules.chain[i].hook = hook;
	f->rules.chain[i].is_drop = is_drop;
	return i;
}

static struct nftlook_rule *rule(uint32_t c, enum nftlook_verdict v, const char *target)
{
	struct nftlook *l = &f->rules;

	l->rule = realloc(l->rule, (l->n_rule + 1) * sizeof(*l->rule));
	assert_non_null(l->rule);
	struct nftlook_rule *x = &l->rule[l->n_rule++];
	*x = (struct nftlook_rule){.chain = c, .verdict = v};
	(void)snprintf(x->target, sizeof(x->target), "%s", target);
	return x;
}

static struct nftlook_rule *rule_if(uint32_t c, enum nftlook_verdict v, const char *iif,
				    const char *oif)
{
	struct nftlook_rule *x = rule(c, v, "");

	(void)snprintf(x->iif.name, sizeof(x->iif.name), "%s", iif);
	(void)snprintf(x->oif.name, sizeof(x->oif.name), "%s", oif);
	return x;
}

/* Returns the chain DOCKER-USER. */
static uint32_t docker(void)
{
	uint32_t fwd, user, docker, stage;

	healthy();
	fwd = base(LOOK_IP, "filter", "FORWARD", LOOK_FORWARD, true);
	user = chain(LOOK_IP, "filter", "DOCKER-USER");
	docker = chain(LOOK_IP, "filter", "DOCKER");
	stage = chain(LOOK_IP, "filter", "DOCKER-ISOLATION-STAGE-1");
	rule(fwd, LOOK_JUMP, "DOCKER-USER");
	rule(fwd, LOOK_JUMP, "DOCKER-ISOLATION-STAGE-1");
	rule_if(fwd, LOOK_ACCEPT, "", "docker0")->states = LOOK_ESTABLISHED | LOOK_RELATED;
	rule_if(fwd, LOOK_JUMP, "", "docker0");
	(void)snprintf(f->rules.rule[f->rules.n_rule - 1].target, NFTLOOK_NAME, "DOCKER");
	rule_if(fwd, LOOK_ACCEPT, "docker0", "")->oif =
		(struct nftlook_if){.name = "docker0", .is_not = true};
	rule_if(stage, LOOK_RETURN, "", "");
	rule_if(docker, LOOK_DROP, "", "docker0");
	return user;
}

static void test_docker(void **state)
{
	uint32_t user;

	(void)state;
	docker();
	expect(SEVERITY_ERROR, "forward-chain",
	       "Docker drops what containers send out, replies to containers, published ports",
	       "iptables -I DOCKER-USER -i nb-default -j ACCEPT && "
	       "iptables -I DOCKER-USER -o nb-default -j ACCEPT",
	       FIX_NFT);
	user = docker();
	rule_if(user, LOOK_ACCEPT, "nb-default", "");
	expect(SEVERITY_ERROR, "forward-chain", "Docker drops replies to containers, published",
	       "iptables -I DOCKER-USER -o nb-default -j ACCEPT", FIX_NFT);
	user = docker();
	rule_if(user, LOOK_ACCEPT, "nb-default", "");
	rule_if(user, LOOK_ACCEPT, "", "nb-default");
	expect_none();
	/* An accept that depends on what is not understood. */
	user = docker();
	rule(user, LOOK_ACCEPT, "")->is_condition = true;
	expect(SEVERITY_WARNING, "forward-chain", "Docker may drop", "DOCKER-USER", FIX_NONE);
	/* Another protocol's is nobody's of ours. */
	user = docker();
	rule(user, LOOK_ACCEPT, "")->l4proto = IPPROTO_ICMP;
	f->rules.rule[f->rules.n_rule - 1].is_condition = true;
	expect(SEVERITY_ERROR, "forward-chain", "Docker drops what", "DOCKER-USER", FIX_NFT);
	/* A negated interface that is not ours. */
	user = docker();
	rule_if(user, LOOK_ACCEPT, "docker0", "")->iif.is_not = true;
	expect_none();
}

static void test_ufw(void **state)
{
	uint32_t fwd, before;

	(void)state;
	healthy();
	fwd = base(LOOK_IP6, "filter", "FORWARD", LOOK_FORWARD, true);
	before = chain(LOOK_IP6, "filter", "ufw6-before-forward");
	rule(fwd, LOOK_JUMP, "ufw6-before-forward");
	rule(before, LOOK_ACCEPT, "")->states = LOOK_ESTABLISHED | LOOK_RELATED;
	rule(before, LOOK_ACCEPT, "")->states = LOOK_INVALID;
	expect(SEVERITY_ERROR, "forward-chain",
	       "ufw drops what containers send out, published ports",
	       "ufw route allow in on nb-default && ufw route allow out on nb-default", FIX_NFT);
}

static void test_firewalld(void **state)
{
	uint32_t fwd, policies;

	(void)state;
	for (int strict = 0; strict < 2; strict++) {
		healthy();
		fwd = base(LOOK_INET, "firewalld", "filter_FORWARD", LOOK_FORWARD, false);
		policies = chain(LOOK_INET, "firewalld", "filter_FORWARD_POLICIES");
		rule(fwd, LOOK_ACCEPT, "")->states = LOOK_ESTABLISHED | LOOK_RELATED;
		if (!strict)
			rule(fwd, LOOK_ACCEPT, "")->is_dnat = true;
		rule(fwd, LOOK_JUMP, "filter_FORWARD_POLICIES");
		rule(policies, LOOK_DROP, "");
		expect(SEVERITY_ERROR, "forward-chain",
		       strict ? "firewalld drops what containers send out, published ports"
			      : "firewalld drops what containers send out",
		       strict ? "StrictForwardPorts=no"
			      : "--zone=trusted --add-interface=nb-default && firewall-cmd "
				"--reload",
		       FIX_NFT);
	}
	/* The table is firewalld's alone: nobody else can change it. */
	healthy();
	base(LOOK_INET, "firewalld", "filter_FORWARD", LOOK_FORWARD, true);
	f->rules.table[0].is_owned = true;
	expect(SEVERITY_ERROR, "forward-chain", "firewalld drops", "firewall-cmd", FIX_NONE);
}

static void test_others(void **state)
{
	uint32_t c;

	(void)state;
	healthy();
	base(LOOK_INET, "mine", "through", LOOK_FORWARD, true);
	expect(SEVERITY_ERROR, "forward-chain", "a firewall drops",
	       "nft 'insert rule inet mine through iifname \"nb-default\" accept' && "
	       "nft 'insert rule inet mine through oifname \"nb-default\" accept'",
	       FIX_NFT);
	healthy();
	base(LOOK_INET, "mine", "through; flush ruleset", LOOK_FORWARD, true);
	expect(SEVERITY_ERROR, "forward-chain", "a firewall drops", "nft", FIX_NONE);
	healthy();
	base(LOOK_INET, "netd", "forward", LOOK_FORWARD, true); /* ours */
	expect_none();
	healthy();
	base(LOOK_INET, "mine", "through", LOOK_FORWARD, true);
	f->rules.table[0].is_dormant = true;
	expect_none();
	healthy();
	base(LOOK_INET, "mine", "nat", LOOK_PREROUTING, true);
	f->rules.chain[0].is_filter = false;
	expect_none();
	healthy();
	base(LOOK_BRIDGE, "mine", "through", LOOK_FORWARD, true);
	expect(SEVERITY_ERROR, "forward-chain", "traffic between containers",
	       "nft 'insert rule bridge mine through iifname \"nu*\" accept'", FIX_NFT);
	/* Somebody wants it so: that is not for us to change. */
	healthy();
	c = base(LOOK_INET, "mine", "through", LOOK_FORWARD, false);
	rule_if(c, LOOK_DROP, "nb-default", "eth0");
	expect(SEVERITY_ERROR, "forward-chain", "a firewall drops what containers send out",
	       "iifname \"nb-default\" accept", FIX_NONE);
	healthy();
	c = base(LOOK_INET, "mine", "through", LOOK_FORWARD, false);
	rule_if(c, LOOK_JUMP, "nb-default", "");
	(void)snprintf(f->rules.rule[0].target, NFTLOOK_NAME, "containers");
	rule(chain(LOOK_INET, "mine", "containers"), LOOK_DROP, "");
	expect(SEVERITY_ERROR, "forward-chain", "a firewall drops what containers send out",
	       "iifname \"nb-default\" accept", FIX_NONE);
	/* iptables' rules see what is bridged only with br_netfilter. */
	healthy();
	c = base(LOOK_IP, "filter", "FORWARD", LOOK_FORWARD, true);
	rule_if(c, LOOK_ACCEPT, "nb-default", "eth0");
	rule_if(c, LOOK_ACCEPT, "eth0", "nb-default");
	f->bridge_nf[FAM4] = 0;
	expect_none();
	healthy();
	c = base(LOOK_IP, "filter", "FORWARD", LOOK_FORWARD, true);
	rule_if(c, LOOK_ACCEPT, "nb-default", "eth0");
	rule_if(c, LOOK_ACCEPT, "eth0", "nb-default");
	f->bridge_nf[FAM4] = 1;
	expect(SEVERITY_ERROR, "forward-chain", "the iptables firewall drops traffic between",
	       "iptables -I FORWARD -i nb-default -j ACCEPT", FIX_NFT);
	/* Routed containers. */
	healthy();
	f->inside[0] =
		(struct facts_inside){.ifname = "nu", .is_prefix = true, .has = {true, false}};
	base(LOOK_IP, "filter", "FORWARD", LOOK_FORWARD, true);
	expect(SEVERITY_ERROR, "forward-chain", "traffic between containers",
	       "iptables -I FORWARD -i nu+ -j ACCEPT", FIX_NFT);
	/* Nothing is sent out of an internal network. */
	healthy();
	f->inside[0].is_internal = true;
	base(LOOK_INET, "mine", "through", LOOK_FORWARD, true);
	expect_none();
	healthy();
	f->is_legacy_drop[FAM6] = true;
	expect(SEVERITY_WARNING, "legacy-forward-policy", "iptables-legacy",
	       "ip6tables-legacy -I FORWARD -i nb-default -j ACCEPT", FIX_NONE);
}

static void test_input(void **state)
{
	uint32_t c;

	(void)state;
	healthy();
	c = base(LOOK_INET, "mine", "in", LOOK_INPUT, true);
	rule_if(c, LOOK_ACCEPT, "lo", "");
	rule(c, LOOK_ACCEPT, "")->states = LOOK_ESTABLISHED;
	expect(SEVERITY_NOTE, "input-chain", "containers that connect to the host itself",
	       "iifname \"nb-default\" accept", FIX_NONE);
	healthy();
	c = base(LOOK_INET, "mine", "in", LOOK_INPUT, true);
	rule(c, LOOK_ACCEPT, "")->states = LOOK_ESTABLISHED;
	expect(SEVERITY_ERROR, "input-chain", "published ports on 127.0.0.1",
	       "iifname \"lo\" accept", FIX_NFT);
	healthy();
	c = base(LOOK_INET, "mine", "out", LOOK_OUTPUT, true);
	rule_if(c, LOOK_ACCEPT, "", "nb-default");
	expect(SEVERITY_ERROR, "output-chain", "slirp-lite", "oifname \"eth0\" accept", FIX_NONE);
	healthy();
	base(LOOK_INET, "mine", "pre", LOOK_PREROUTING, true);
	expect(SEVERITY_ERROR, "prerouting-chain", "what containers send, published ports",
	       "iifname \"nb-default\" accept", FIX_NFT);
}

/* Chains that call each other in a circle, as they may be seen while they change. */
static void test_circle(void **state)
{
	uint32_t a, b;

	(void)state;
	healthy();
	a = base(LOOK_INET, "mine", "a", LOOK_FORWARD, true);
	b = chain(LOOK_INET, "mine", "b");
	rule(a, LOOK_JUMP, "b");
	rule(b, LOOK_GOTO, "b");
	rule(b, LOOK_JUMP, "gone");
	expect(SEVERITY_WARNING, "forward-chain", "may drop", "nft", FIX_NONE);
}

static int setup(void **state)
{
	(void)state;
	f = calloc(1, sizeof(*f));
	return f ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthy), cmocka_unit_test(test_host),
		cmocka_unit_test(test_kernel),  cmocka_unit_test(test_settings),
		cmocka_unit_test(test_user),    cmocka_unit_test(test_docker),
		cmocka_unit_test(test_ufw),     cmocka_unit_test(test_firewalld),
		cmocka_unit_test(test_others),  cmocka_unit_test(test_input),
		cmocka_unit_test(test_circle),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

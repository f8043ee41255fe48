/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gathering part against the kernel, in a network namespace of its own. */
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "doctor/look.h"
#include "net/nft.h"

static struct facts *fresh(void)
{
	struct facts *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	look_who(f);
	return f;
}

/* Everything is tried, and here it is all there. */
static void test_kernel(void **state)
{
	struct facts *f = fresh();

	(void)state;
	assert_true(f->is_powerful);
	look_kernel(f);
	for (int i = 0; i < N_FEATURES; i++) {
		if (i == FEATURE_USERNS || (i == FEATURE_TUN && access("/dev/net/tun", R_OK) < 0))
			continue;
		if (!f->is_tried[i] || f->missing[i])
			fail_msg("feature %d: tried %d, errno %d", i, f->is_tried[i],
				 f->missing[i]);
	}
	free(f);
}

/* The same without privilege, in a user namespace; our rules are not tried there. */
static void test_kernel_user(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct facts *f;

		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(10);
		f = fresh();
		look_kernel(f);
		look_user(f);
		_exit(f->is_powerful                        ? 11
		      : !f->is_tried[FEATURE_VETH]          ? 12
		      : f->missing[FEATURE_VETH]            ? 13
		      : !f->is_tried[FEATURE_IPV6]          ? 14
		      : f->is_tried[FEATURE_NFT_CT]         ? 15
		      : f->n_gid != 1 || f->gid[0] != 65534 ? 16
							    : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Forms that rules have, as libnftables makes them and the kernel gives them back. */
static void test_rules(void **state)
{
	static const char text[] =
		"table inet t {\n"
		"	comment \"a comment\"\n"
		"	chain c { type filter hook forward priority -7; policy drop; }\n"
		"	chain n { type nat hook prerouting priority 0; policy accept; }\n"
		"	chain d { }\n"
		"}\n"
		"add rule inet t c iifname \"eth0\" oifname != \"br*\" accept\n"
		"add rule inet t c ct state established,related counter accept\n"
		"add rule inet t c ct status dnat log jump d\n"
		"add rule inet t c ct state { new, invalid } goto d\n"
		"add rule inet t c oifname vmap { \"a\" : drop, \"b\" : return }\n"
		"add rule inet t c meta nfproto ipv6 reject\n"
		"add rule inet t c meta l4proto icmp accept\n"
		"add rule inet t c tcp dport 22 accept\n"
		"add rule inet t c counter\n"
		"add rule inet t c ct status & dnat == 0 accept\n"
		"table ip asleep { flags dormant; }\n";
	struct facts *f = fresh();
	const struct nftlook *l = &f->rules;

	(void)state;
	assert_int_equal(nft_run(text, NULL), 0);
	look_rules(f, "/nonexistent/netd");
	assert_true(f->has_rules);
	assert_int_equal(f->tables, TABLES_ABSENT);
	assert_int_equal(l->n_table, 2);
	assert_string_equal(l->table[0].comment, "a comment");
	assert_true(l->table[1].is_dormant);
	assert_int_equal(l->n_chain, 3);
	const struct nftlook_chain *c = &l->chain[0];
	assert_true(c->is_base && c->is_filter && c->is_drop);
	assert_int_equal(c->hook, LOOK_FORWARD);
	assert_int_equal(c->priority, -7);
	assert_false(l->chain[1].is_filter);
	assert_false(l->chain[2].is_base);
	assert_int_equal(l->n_rule, 11);
	const struct nftlook_rule *r = l->rule;
	assert_string_equal(r[0].iif.name, "eth0");
	assert_string_equal(r[0].oif.name, "br");
	assert_true(!r[0].iif.is_prefix && r[0].oif.is_prefix && r[0].oif.is_not);
	assert_int_equal(r[0].verdict, LOOK_ACCEPT);
	assert_int_equal(r[1].states, LOOK_ESTABLISHED | LOOK_RELATED);
	assert_int_equal(r[2].verdict, LOOK_JUMP);
	assert_true(r[2].is_dnat);
	assert_string_equal(r[2].target, "d");
	assert_int_equal(r[3].states | r[4].states, LOOK_NEW | LOOK_INVALID);
	assert_int_equal(r[3].verdict, LOOK_GOTO);
	assert_int_equal(r[5].verdict + r[6].verdict, LOOK_DROP + LOOK_RETURN);
	assert_int_equal(r[7].nfproto, LOOK_IP6);
	assert_int_equal(r[7].verdict, LOOK_DROP);
	assert_int_equal(r[8].l4proto, IPPROTO_ICMP);
	for (int i = 0; i < 9; i++)
		assert_false(r[i].is_condition);
	assert_int_equal(r[9].l4proto, IPPROTO_TCP);
	assert_true(r[9].is_condition && r[10].is_condition);
	facts_clear(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_kernel_user),
		cmocka_unit_test(test_rules),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		return 1;
	}
	nft_use_child(true);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether our tables are what we load: each way to harm them, and what only looks otherwise in the
 * kernel. */
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libmnl/libmnl.h>

#include "engine/internal.h"
#include "net/nft.h"
#include "net/nftbatch.h"
#include "net/nftclone.h"
#include "net/nftmsg.h"
#include "net/ruleset.h"

#define OURS "inet " RULESET_TABLE

static struct engine host = {.owner = 7};

/* A network namespace of its own for each test, with our tables. */
static int enter(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	if (hostop_load(host.owner, NULL, -1, &e) < 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	return 0;
}

static int intact(void)
{
	struct err e = ERR_INIT;
	int r = rules_intact(&host, &e);

	if (r < 0)
		fail_msg("%s", e.text);
	return r;
}

static void nft(const char *text)
{
	struct err e = ERR_INIT;

	if (nft_run(text, &e) < 0)
		fail_msg("%s: %s", text, e.text);
}

static void as_loaded(void **state)
{
	(void)state;
	assert_int_equal(intact(), 1);
}

static void gone(void **state)
{
	(void)state;
	nft("delete table " OURS "\n");
	assert_int_equal(intact(), 0);
	nft("delete table bridge " RULESET_TABLE "\n");
	assert_int_equal(intact(), 0);
}

static void flushed(void **state)
{
	(void)state;
	nft("flush table bridge " RULESET_TABLE "\n");
	assert_int_equal(intact(), 0);
}

static void one_more(void **state)
{
	(void)state;
	nft("add chain " OURS " foreign\n");
	assert_int_equal(intact(), 0);
	nft("delete chain " OURS " foreign\n");
	assert_int_equal(intact(), 1);
	nft("add set " OURS " foreign { type ipv4_addr; }\n");
	assert_int_equal(intact(), 0);
	nft("add element " OURS " foreign { 192.0.2.1 }\ndelete set " OURS " foreign\n");
	assert_int_equal(intact(), 1);
	nft("add table inet foreign\n");
	assert_int_equal(intact(), 1);
}

/* Every chain is there, and none is asked. */
static void asleep(void **state)
{
	(void)state;
	nft("add table " OURS " { flags dormant; }\n");
	assert_int_equal(intact(), 0);
	nft("add table " OURS " { }\n");
	assert_int_equal(intact(), 1);
}

/* What the model's namespace could not have. */
static void at_a_link(void **state)
{
	(void)state;
	assert_int_equal(system("ip link add v0 type veth peer name v1"), 0);
	nft("add chain " OURS
	    " foreign { type filter hook ingress device v0 priority 0; policy drop; }\n");
	assert_int_equal(intact(), 0);
}

static void read_tables(struct nftmsg *ret)
{
	struct nftbatch *n = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(nftbatch_open(&n, &e), 0);
	assert_int_equal(nftclone_build_rules(nftbatch_fd(n), ret, &e), 0);
	nftbatch_closep(&n);
}

/* What is loaded twice is read alike, bit for bit: nothing has to be listed. */
static void alike(void **state)
{
	struct nftmsg first = {0};

	read_tables(&first);
	for (int i = 0; i < 5; i++) {
		struct nftmsg again = {0};

		assert_int_equal(enter(state), 0);
		read_tables(&again);
		assert_int_equal(again.len, first.len);
		assert_memory_equal(again.p, first.p, first.len);
		nftmsg_free(&again);
	}
	nftmsg_free(&first);
}

/* Another libnftables may say more of a chain, in user data of a type that ours does not know. */
static void of_another_library(void **state)
{
	static const uint8_t unknown[] = {200, 1, 0};
	static char run[1 << 18];
	struct nftmsg was = {0}, is = {0};
	const struct nlmsghdr *h;
	struct nftbatch *n = NULL;
	struct err e = ERR_INIT;
	size_t len = 0, chains = 0;
	int left;

	(void)state;
	read_tables(&was);
	h = (const void *)was.p;
	for (left = (int)was.len; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		struct nlmsghdr *copy = (void *)(run + len);

		assert_true(len + h->nlmsg_len + 64 < sizeof(run));
		memcpy(copy, h, h->nlmsg_len);
		if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN && chains++ == 0)
			mnl_attr_put(copy, NFTA_CHAIN_USERDATA, sizeof(unknown), unknown);
		len += MNL_ALIGN(copy->nlmsg_len);
	}
	assert_true(chains > 0);
	assert_int_equal(nftbatch_open(&n, &e), 0);
	if (nftbatch_keep(n, run, len, &e) < 0)
		fail_msg("%s", e.text);
	nftbatch_closep(&n);
	read_tables(&is);
	assert_true(is.len > was.len);
	assert_int_equal(intact(), 1);
	nft("flush table " OURS "\n");
	assert_int_equal(intact(), 0);
	nftmsg_free(&was);
	nftmsg_free(&is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(as_loaded, enter),
		cmocka_unit_test_setup(gone, enter),
		cmocka_unit_test_setup(flushed, enter),
		cmocka_unit_test_setup(one_more, enter),
		cmocka_unit_test_setup(asleep, enter),
		cmocka_unit_test_setup(at_a_link, enter),
		cmocka_unit_test_setup(alike, enter),
		cmocka_unit_test_setup(of_another_library, enter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

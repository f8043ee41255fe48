/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nftlook: dumps of rulesets. The first byte says what the rest is. Whatever is taken has
 * names that end, rules that belong to a chain, and a way through that ends.
 */
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "doctor/walk.h"
#include "model/addr.h"
#include "net/iptlegacy.h"
#include "net/nftexpr.h"

#include "fuzz.h"

static void ruleset(const void *data, size_t len)
{
	CLEAN_NFTLOOK struct nftlook l = {0};

	MUST(nftlook_take(&l, data, len, NULL) == 0);
	MUST(l.n_chain <= NFTLOOK_CHAINS && l.n_rule <= NFTLOOK_RULES);
	for (size_t i = 0; i < l.n_table; i++)
		MUST(memchr(l.table[i].name, 0, NFTLOOK_NAME) &&
		     memchr(l.table[i].comment, 0, sizeof(l.table[i].comment)));
	for (size_t i = 0; i < l.n_rule; i++)
		MUST(l.rule[i].chain < l.n_chain && memchr(l.rule[i].target, 0, NFTLOOK_NAME) &&
		     memchr(l.rule[i].iif.name, 0, IFNAME_STRLEN));
	for (uint32_t i = 0; i < l.n_chain; i++) {
		struct flow f = {.family = LOOK_IP, .iif = "a", .oif = "b", .state = LOOK_NEW};
		enum passage p = walk_chain(&l, i, &f, NULL);

		MUST(p == PASSES || p == MAY_BE_DROPPED || p == IS_DROPPED);
	}
}

static void element(const void *data, size_t len)
{
	for (int k = LOOK_IIF; k <= LOOK_STATE; k++)
		for (int m = 0; m < 2; m++) {
			struct nftlook_rule from = {.lookup = k, .is_map = m}, to;

			if (mnl_attr_ok(data, (int)len) && nftexpr_element(data, &from, &to))
				MUST(to.lookup == LOOK_NO_SET &&
				     (to.states || to.iif.name[0] || to.oif.name[0]));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy;

	if (size < 4)
		return 0;
	/* Aligned, as what a socket gives. */
	copy = malloc(size - 4 + 1);
	MUST(copy);
	memcpy(copy, data + 4, size - 4);
	if (data[0] == 'e')
		element(copy, size - 4);
	else if (data[0] == 'i')
		for (int fam = 0; fam < N_FAM; fam++)
			iptlegacy_policy(copy, size - 4, data[1], fam);
	else
		ruleset(copy, size - 4);
	free(copy);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows: how many connections published ports have had: the counters of their elements, which the
 * kernel keeps. Each is asked for by its key, so the cost is that of the ports that are asked
 * about, whatever others there are.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "model/codec.h"

/* What the n elements of one run have together. */
static uint64_t sum_of(const uint64_t *packets, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (packets[i] == NFTBATCH_UNKNOWN)
			return FLOWS_UNKNOWN;
		sum += packets[i];
	}
	return n ? sum : FLOWS_UNKNOWN;
}

int engine_flows(struct engine *g, const struct attachment *a, uint64_t *ret, struct err *e)
{
	CLEAN_FREE size_t *end = calloc(a->n_publish + 1, sizeof(*end));
	CLEAN_FREE uint64_t *packets = NULL;
	CLEAN_ELEMS struct elem_list l = {0};
	int r = end ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "counters");

	for (size_t i = 0; r >= 0 && i < a->n_publish; i++) {
		r = elem_of_publish(a, &a->publish[i], 1, &l, e);
		if (r >= 0)
			end[i + 1] = l.n;
	}
	if (r < 0 || a->n_publish == 0)
		return r < 0 ? r : 0;
	packets = calloc(l.n + 1, sizeof(*packets));
	if (!packets)
		return err_set(e, ERR_INTERNAL, ENOMEM, "counters");
	if (!g->nft)
		r = nftbatch_open(&g->nft, e);
	if (r >= 0)
		r = nftbatch_packets(g->nft, &l, packets, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->n_publish; i++)
		ret[i] = sum_of(packets + end[i], end[i + 1] - end[i]);
	return 0;
}

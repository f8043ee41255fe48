/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_ooo: which bytes came out of order: disjoint ranges beyond rcv_nxt, the latest first, as they
 * go into SACK blocks. The bytes themselves lie in the caller's queue, and the first that came for
 * a sequence number stays. RFC 9293 SHLD-31, RFC 2018 section 4.
 */
#include "tcp/tcb.h"

#include <string.h>

#include "tcp/tcb_parts.h"

static void drop_range(struct tcb *t, unsigned i)
{
	t->n_ooo--;
	memmove(&t->ooo[i], &t->ooo[i + 1], (t->n_ooo - i) * sizeof(t->ooo[0]));
}

/* The part of [left, right) in front of what is there already. */
static bool first_gap(const struct tcb *t, uint32_t left, uint32_t right, struct tcb_range *ret)
{
	bool is_moved;

	do {
		is_moved = false;
		for (unsigned i = 0; i < t->n_ooo; i++) {
			const struct tcb_range *r = &t->ooo[i];

			if (seq_le(r->left, left) && seq_lt(left, r->right)) {
				left = r->right;
				is_moved = true;
			}
		}
	} while (is_moved && seq_lt(left, right));
	for (unsigned i = 0; i < t->n_ooo; i++)
		if (seq_lt(left, t->ooo[i].left))
			right = seq_min(right, t->ooo[i].left);
	if (!seq_lt(left, right))
		return false;
	*ret = (struct tcb_range){left, right};
	return true;
}

/* The range that holds `left` was reported again by a duplicate: it goes first. */
static void touch(struct tcb *t, uint32_t left)
{
	for (unsigned i = 1; i < t->n_ooo; i++) {
		struct tcb_range r = t->ooo[i];

		if (seq_le(r.left, left) && seq_lt(left, r.right)) {
			drop_range(t, i);
			memmove(&t->ooo[1], &t->ooo[0], t->n_ooo * sizeof(t->ooo[0]));
			t->ooo[0] = r;
			t->n_ooo++;
			return;
		}
	}
}

bool tcb_ooo_take(struct tcb *t, uint32_t left, uint32_t right, struct tcb_range *ret,
		  uint32_t *ret_advance)
{
	struct tcb_range gap, grown;

	if (!first_gap(t, left, right, &gap)) {
		touch(t, left);
		return false;
	}
	grown = gap;
	for (unsigned i = 0; i < t->n_ooo;) {
		if (t->ooo[i].right == grown.left)
			grown.left = t->ooo[i].left;
		else if (t->ooo[i].left == grown.right)
			grown.right = t->ooo[i].right;
		else {
			i++;
			continue;
		}
		drop_range(t, i);
	}
	*ret_advance = 0;
	if (grown.left == t->rcv_nxt) {
		*ret_advance = grown.right - grown.left;
		t->rcv_nxt = grown.right;
	} else {
		if (t->n_ooo == TCB_N_OOO)
			return false;
		memmove(&t->ooo[1], &t->ooo[0], t->n_ooo * sizeof(t->ooo[0]));
		t->ooo[0] = grown;
		t->n_ooo++;
	}
	*ret = gap;
	return true;
}

bool tcb_ooo_is_beyond(const struct tcb *t, uint32_t seq)
{
	for (unsigned i = 0; i < t->n_ooo; i++)
		if (seq_lt(seq, t->ooo[i].right))
			return true;
	return false;
}

uint8_t tcb_ooo_blocks(const struct tcb *t)
{
	unsigned max = t->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;

	if (!t->has_sack)
		return 0;
	return (uint8_t)(t->n_ooo < max ? t->n_ooo : max);
}

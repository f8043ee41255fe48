/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcb_sack: the scoreboard of the sending side: what the peer says it holds beyond snd_una, what
 * must be taken for lost, and how much is still on its way. A scoreboard that is full forgets its
 * shortest range: that costs a retransmission, never a byte. Peers without SACK are served too:
 * each duplicate ACK stands for one segment that left the network. RFC 6675, RFC 2018.
 */
#include "tcp/tcb.h"

#include <string.h>

#include "tcp/tcb_parts.h"

#define DUP_THRESH 3

static void drop_range(struct tcb *t, unsigned i)
{
	t->n_sacked--;
	memmove(&t->sacked[i], &t->sacked[i + 1], (t->n_sacked - i) * sizeof(t->sacked[0]));
}

/* Makes room for one range more, beside `r`: false: r is the shortest. */
static bool forget_shortest(struct tcb *t, const struct tcb_range *r)
{
	uint32_t best = r->right - r->left;
	int at = -1;

	for (unsigned i = 0; i < t->n_sacked; i++) {
		if (t->sacked[i].right - t->sacked[i].left < best) {
			best = t->sacked[i].right - t->sacked[i].left;
			at = (int)i;
		}
	}
	if (at < 0)
		return false;
	drop_range(t, (unsigned)at);
	return true;
}

/* Adds a block; returns how many bytes of it were not known. */
static uint32_t add(struct tcb *t, struct tcb_range r)
{
	uint32_t fresh = r.right - r.left;
	unsigned i = 0, n = 0;

	while (i < t->n_sacked && seq_lt(t->sacked[i].right, r.left))
		i++;
	while (i + n < t->n_sacked && seq_le(t->sacked[i + n].left, r.right)) {
		const struct tcb_range *s = &t->sacked[i + n];
		uint32_t left = seq_max(s->left, r.left), right = seq_min(s->right, r.right);

		/* r only grows by what this range had, so the overlap is with the block. */
		if (seq_lt(left, right))
			fresh -= u32_min(fresh, right - left);
		r.left = seq_min(r.left, s->left);
		r.right = seq_max(r.right, s->right);
		n++;
	}
	if (n == 0) {
		if (t->n_sacked == TCB_N_SACKED) {
			if (!forget_shortest(t, &r))
				return 0;
			for (i = 0; i < t->n_sacked && seq_lt(t->sacked[i].right, r.left);)
				i++;
		}
		memmove(&t->sacked[i + 1], &t->sacked[i], (t->n_sacked - i) * sizeof(t->sacked[0]));
		t->n_sacked++;
	} else {
		for (; n > 1; n--)
			drop_range(t, i + 1);
	}
	t->sacked[i] = r;
	return fresh;
}

uint32_t tcb_sack_update(struct tcb *t, const struct tcphdr_v *h)
{
	uint32_t fresh = 0;

	if (!t->has_sack)
		return 0;
	for (unsigned i = 0; i < h->n_sack && i < TCP_SACK_MAX; i++) {
		struct tcb_range r = {h->sack[i].left, h->sack[i].right};

		/* Below snd_una: a duplicate was reported (RFC 2883). Beyond snd_nxt: a lie. */
		if (seq_lt(t->snd_una, r.left) && seq_lt(r.left, r.right) &&
		    seq_le(r.right, t->snd_nxt))
			fresh += add(t, r);
	}
	return fresh;
}

void tcb_sack_acked(struct tcb *t)
{
	unsigned n = 0;

	while (n < t->n_sacked && seq_le(t->sacked[n].right, t->snd_una))
		n++;
	if (n > 0) {
		t->n_sacked = (uint8_t)(t->n_sacked - n);
		memmove(&t->sacked[0], &t->sacked[n], t->n_sacked * sizeof(t->sacked[0]));
	}
	/* A peer that does not acknowledge what it SACKed has lost it (RFC 2018 section 8). */
	if (t->n_sacked > 0 && seq_le(t->sacked[0].left, t->snd_una))
		drop_range(t, 0);
}

/* RFC 6675 IsLost() of the hole in front of range i, or what a time-out said. */
static bool is_hole_lost(const struct tcb *t, unsigned i, uint32_t left)
{
	uint32_t above = 0;

	if (seq_lt(left, t->lost_to))
		return true;
	if (t->n_sacked - i >= DUP_THRESH)
		return true;
	for (; i < t->n_sacked; i++)
		above += t->sacked[i].right - t->sacked[i].left;
	return above > (DUP_THRESH - 1) * (uint32_t)t->mss;
}

bool tcb_sack_is_lost(const struct tcb *t, uint32_t seq)
{
	unsigned i = 0;

	while (i < t->n_sacked && seq_le(t->sacked[i].right, seq))
		i++;
	return is_hole_lost(t, i, seq);
}

/* The pipe's share of [left, right), a hole in front of range i that is lost or not as a whole. */
static uint32_t part_pipe(const struct tcb *t, unsigned i, uint32_t left, uint32_t right)
{
	uint32_t n = is_hole_lost(t, i, left) ? 0 : right - left;

	if (t->phase != TCB_OPEN && seq_lt(left, t->high_rxt))
		n += seq_min(t->high_rxt, right) - left;
	return n;
}

static uint32_t hole_pipe(const struct tcb *t, unsigned i, uint32_t left, uint32_t right)
{
	uint32_t n = 0;

	if (seq_lt(left, t->lost_to) && seq_lt(t->lost_to, right)) {
		n = part_pipe(t, i, left, t->lost_to);
		left = t->lost_to;
	}
	return n + part_pipe(t, i, left, right);
}

uint32_t tcb_sack_pipe(const struct tcb *t)
{
	uint32_t left = t->snd_una, n = 0, left_net;

	if (t->phase == TCB_OPEN && t->n_sacked == 0 && t->n_dup == 0)
		return tcb_flight(t);
	for (unsigned i = 0; i < t->n_sacked; i++) {
		n += hole_pipe(t, i, left, t->sacked[i].left);
		left = t->sacked[i].right;
	}
	if (seq_lt(left, t->snd_nxt))
		n += hole_pipe(t, t->n_sacked, left, t->snd_nxt);
	if (t->has_sack || t->phase == TCB_LOSS)
		return n;
	left_net = t->n_dup * (uint32_t)t->mss;
	return n > left_net ? n - left_net : 0;
}

bool tcb_sack_hole(const struct tcb *t, uint32_t from, struct tcb_range *ret)
{
	uint32_t left = seq_max(from, t->snd_una), right = t->snd_nxt;

	for (unsigned i = 0; i < t->n_sacked; i++) {
		const struct tcb_range *r = &t->sacked[i];

		if (seq_le(r->left, left))
			left = seq_max(left, r->right);
		else if (seq_lt(left, r->left)) {
			right = r->left;
			break;
		}
	}
	if (!seq_lt(left, right))
		return false;
	*ret = (struct tcb_range){left, right};
	return true;
}

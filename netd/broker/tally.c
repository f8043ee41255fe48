/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally: a plain table that is looked through: it is short, and requests are limited by rate. */
#include "broker/tally.h"

#include <inttypes.h>
#include <stdio.h>

#define LABEL 16

static void move(struct tally_user *to, const struct tally_user *from)
{
	for (size_t v = 0; v < N_CALL_VERBS; v++)
		for (size_t r = 0; r < TALLY_RESULTS; r++)
			to->n[v][r] += from->n[v][r];
}

static struct tally_user *find(struct tally *t, uint32_t uid)
{
	struct tally_user *u = &t->user[0];

	for (size_t i = 0; i < TALLY_USERS; i++) {
		struct tally_user *one = &t->user[i];

		if (one->is_used && one->uid == uid)
			return one;
		if (u->is_used && (!one->is_used || one->last < u->last))
			u = one;
	}
	if (u->is_used)
		move(&t->others, u);
	*u = (struct tally_user){.is_used = true, .uid = uid};
	return u;
}

void tally_add(struct tally *t, uint32_t uid, uint32_t verb, unsigned result)
{
	struct tally_user *u;

	if (verb >= N_CALL_VERBS || result >= TALLY_RESULTS)
		return;
	u = find(t, uid);
	u->last = ++t->n_counted;
	u->n[verb][result]++;
}

static const char *result_name(unsigned result)
{
	return result == ERR_NONE     ? "granted"
	       : result == TALLY_RATE ? "rate"
				      : err_kind_name((enum err_kind)result);
}

static void print_user(const struct tally_user *u, const char *label, struct buf *out)
{
	for (uint32_t v = 0; v < N_CALL_VERBS; v++)
		for (unsigned r = 0; r < TALLY_RESULTS; r++)
			if (u->n[v][r])
				buf_printf(
					out,
					"netd_requests_total{uid=\"%s\",verb=\"%s\",result=\"%s\"} "
					"%" PRIu64 "\n",
					label, call_rule(v)->name, result_name(r), u->n[v][r]);
}

void tally_print(const struct tally *t, const uint32_t *uid, size_t max, struct buf *out)
{
	struct tally_user others = t->others;
	size_t room = out->len + max;

	buf_printf(out, "# TYPE netd_requests_total counter\n");
	for (size_t i = 0; i < TALLY_USERS; i++) {
		const struct tally_user *u = &t->user[i];
		CLEAN_BUF struct buf one = BUF_INIT;
		char label[LABEL];

		if (!u->is_used || (uid && u->uid != *uid))
			continue;
		snprintf(label, sizeof(label), "%" PRIu32, u->uid);
		print_user(u, label, &one);
		out->failed |= one.failed;
		if (!one.p)
			continue;
		if (out->len + one.len > room)
			move(&others, u);
		else
			buf_add(out, one.p, one.len);
	}
	if (!uid)
		print_user(&others, "others", out);
}

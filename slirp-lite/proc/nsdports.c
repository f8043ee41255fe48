/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nsdports: see nsdports.h. */
#include "proc/nsdports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

size_t nsdports_size(const struct nsdports *p)
{
	return NSDPORTS_HEAD + p->n * sizeof(p->list[0]);
}

static uint32_t rank(const struct nsdports_entry *e)
{
	return (uint32_t)e->proto << 16 | e->port;
}

static bool is_sound(const struct nsdports_entry *e)
{
	return (e->proto == IPPROTO_TCP || e->proto == IPPROTO_UDP) && e->port != 0 &&
	       e->families != 0 && (e->families & ~(NSDPORTS_V4 | NSDPORTS_V6)) == 0;
}

int nsdports_decode(const void *data, size_t len, struct nsdports *ret)
{
	const uint8_t *bytes = data;
	struct nsdports_entry e, last = {0};
	struct {
		uint32_t version;
		int32_t sys;
		uint32_t n, n_left_out;
	} head;

	if (len < NSDPORTS_HEAD)
		return -EPROTO;
	memcpy(&head, bytes, sizeof(head));
	if (head.version != NSDPORTS_VERSION || head.n > NSDPORTS_MAX ||
	    len != NSDPORTS_HEAD + head.n * sizeof(e) || head.n_left_out > 2 * 65535 ||
	    head.sys < 0 || head.sys > 4095 || (head.sys && head.n))
		return -EPROTO;
	for (size_t i = 0; i < head.n; i++, last = e) {
		memcpy(&e, bytes + NSDPORTS_HEAD + i * sizeof(e), sizeof(e));
		if (!is_sound(&e) || rank(&e) <= rank(&last))
			return -EPROTO;
	}
	memcpy(ret, bytes, len);
	return 0;
}

/* One pass over both lists; fn is called for ports that lose a family, or for the others. */
static void pass(const struct nsdports *was, const struct nsdports *is, bool losing,
		 nsdports_change *fn, void *arg)
{
	size_t i = 0, k = 0;

	while (i < was->n || k < is->n) {
		uint32_t a = i < was->n ? rank(&was->list[i]) : UINT32_MAX;
		uint32_t b = k < is->n ? rank(&is->list[k]) : UINT32_MAX;
		const struct nsdports_entry *at = a <= b ? &was->list[i] : &is->list[k];
		uint8_t before = a <= b ? was->list[i++].families : 0;
		uint8_t now = b <= a ? is->list[k++].families : 0;

		if (before != now && ((before & ~now) != 0) == losing)
			fn(arg, at->proto, at->port, before, now);
	}
}

void nsdports_diff(const struct nsdports *was, const struct nsdports *is, nsdports_change *fn,
		   void *arg)
{
	pass(was, is, true, fn, arg);
	pass(was, is, false, fn, arg);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handover: the record: how it is closed, and what it must be to be believed. PURE. */
#include "broker/handover.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "engine/engine.h"

_Static_assert(sizeof(struct handover) % sizeof(uint64_t) == 0, "no padding at the end");
_Static_assert(offsetof(struct handover, rate) % sizeof(uint64_t) == 0, "nor in the middle");

void handover_begin(struct handover *h)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, HANDOVER_MAGIC, sizeof(h->magic));
	h->layout = HANDOVER_LAYOUT;
	h->size = sizeof(*h);
	snprintf(h->version, sizeof(h->version), "%s", NETNS_UP_VERSION);
	for (int i = 0; i < N_HANDOVER_FDS; i++)
		h->fd[i] = -1;
}

static uint32_t crc_of(const struct handover *h)
{
	struct handover copy;

	memcpy(&copy, h, sizeof(copy)); /* padding too */
	copy.crc = 0;
	return crc32c(&copy, sizeof(copy));
}

void handover_seal(struct handover *h)
{
	h->crc = crc_of(h);
}

/* Each number once. */
static bool add_fd(bool seen[HANDOVER_FILES], int fd)
{
	if (fd < 3 || fd >= HANDOVER_FILES || seen[fd])
		return false;
	seen[fd] = true;
	return true;
}

static bool are_fds_good(const struct handover *h)
{
	static const bool may_lack[N_HANDOVER_FDS] = {[HANDOVER_DOOR] = true,
						      [HANDOVER_NFT] = true,
						      [HANDOVER_NFT_LOCK] = true,
						      [HANDOVER_READY] = true};
	bool seen[HANDOVER_FILES] = {false};

	for (int i = 0; i < N_HANDOVER_FDS; i++)
		if (!(h->fd[i] == -1 && may_lack[i]) && !add_fd(seen, h->fd[i]))
			return false;
	if ((h->fd[HANDOVER_NFT] < 0) != (h->fd[HANDOVER_NFT_LOCK] < 0) ||
	    (h->fd[HANDOVER_READY] < 0) == (h->is_trial == 1))
		return false;
	for (uint32_t i = 0; i < h->n_conn; i++)
		if (!add_fd(seen, h->conn[i]))
			return false;
	return true;
}

/* bool in a record may be any byte. */
static bool are_buckets_good(const struct buckets *b)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		unsigned char used;

		memcpy(&used, &b->b[i].is_used, 1);
		if (used > 1)
			return false;
	}
	return true;
}

int handover_check(const struct handover *h, size_t len, struct err *e)
{
	if (len < offsetof(struct handover, crc) ||
	    memcmp(h->magic, HANDOVER_MAGIC, sizeof(h->magic)) != 0)
		return err_invalid(e, ERR_PROTOCOL, "what was handed over is no record of netd's");
	if (h->layout != HANDOVER_LAYOUT || h->size != sizeof(*h))
		return err_invalid(
			e, ERR_UNSUPPORTED,
			"what was handed over has layout %u, not %d: a restart is needed",
			h->layout, HANDOVER_LAYOUT);
	if (len != sizeof(*h) || h->crc != crc_of(h))
		return err_invalid(e, ERR_PROTOCOL, "what was handed over is damaged");
	if (!memchr(h->version, 0, sizeof(h->version)) || h->is_trial > 1 || h->is_own > 1 ||
	    h->has_made_dir > 1 || h->has_tables > 1 || h->look > HOLD_ALL ||
	    h->watched >= HOLD_WATCHED || h->n_conn > HANDOVER_CONNS || !are_fds_good(h) ||
	    !are_buckets_good(&h->rate))
		return err_invalid(e, ERR_PROTOCOL, "what was handed over makes no sense");
	return 0;
}

bool handover_is_ready(const struct handover_ready *r, size_t len, uint64_t nonce)
{
	return len == sizeof(*r) && memcmp(r->magic, HANDOVER_MAGIC, sizeof(r->magic)) == 0 &&
	       r->nonce == nonce && memchr(r->version, 0, sizeof(r->version));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reass: each datagram has a bit for every 8 bytes that came and one for every place where a
 * fragment began, and its bytes in chunks of the arena by their offset. So a fragment costs the
 * same whatever came before, no list grows with the number of fragments, and an exact copy is told
 * from an overlap. Whole datagrams are gathered into one buffer. Never allocates after reass_new.
 * RFC 791 3.2, RFC 815, RFC 1858; RFC 8200 4.5, RFC 5722.
 */
#include "wire/reass.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bytes.h"

#define CHUNK 2048u
#define CHUNKS 400u
#define DATAGRAM_CHUNKS 32u /* 65,536 bytes */
#define UNITS 8192u         /* of 8 bytes */
#define WORDS (UNITS / 64)
#define NO_CHUNK UINT16_MAX
#define LEN_UNKNOWN UINT32_MAX

/* What a search looks at, apart from the rest: all of them are sixteen cache lines. */
struct head {
	uint64_t due;
	uint32_t id;
	uint8_t family; /* 0: this slot is free */
};

struct datagram {
	struct ip src, dst;
	uint8_t proto; /* IPv6: of the first fragment */
	uint8_t ttl, tos;
	uint32_t n_held;    /* bytes */
	uint32_t end;       /* highest byte seen */
	uint32_t total;     /* of the payload, once the last fragment came */
	uint32_t first_len; /* of the first fragment; 0: it has not come */
	uint16_t chunk[DATAGRAM_CHUNKS];
	uint64_t have[WORDS];
	uint64_t begin[WORDS + 1]; /* and where one ended */
};

struct reass {
	struct head head[REASS_DATAGRAMS];
	struct datagram slot[REASS_DATAGRAMS];
	uint16_t free[CHUNKS]; /* a stack: the same few chunks are used again */
	size_t n_free;
	uint64_t n_lost;
	uint8_t out[IP6_HDR_LEN + IP6_FRAG_LEN + DATAGRAM_CHUNKS * CHUNK];
	uint8_t arena[CHUNKS][CHUNK];
};

_Static_assert(sizeof(struct reass) <= REASS_MEMORY, "the arena and its book-keeping");

int reass_new(struct reass **ret, struct err *e)
{
	struct reass *r = calloc(1, sizeof(*r)); /* untouched pages cost nothing */

	if (!r)
		return err_sys(e, ENOMEM, "memory for reassembly");
	for (r->n_free = 0; r->n_free < CHUNKS; r->n_free++)
		r->free[r->n_free] = (uint16_t)(CHUNKS - 1 - r->n_free);
	*ret = r;
	return 0;
}

void reass_free(struct reass *r)
{
	free(r);
}

static struct head *head_of(struct reass *r, const struct datagram *d)
{
	return &r->head[d - r->slot];
}

static void slot_clear(struct reass *r, struct datagram *d)
{
	for (size_t i = 0; i < DATAGRAM_CHUNKS; i++)
		if (d->chunk[i] != NO_CHUNK)
			r->free[r->n_free++] = d->chunk[i];
	head_of(r, d)->family = 0;
}

static struct datagram *oldest(struct reass *r, const struct datagram *but)
{
	size_t found = REASS_DATAGRAMS;

	for (size_t i = 0; i < REASS_DATAGRAMS; i++)
		if (r->head[i].family && &r->slot[i] != but &&
		    (found == REASS_DATAGRAMS || r->head[i].due < r->head[found].due))
			found = i;
	return found < REASS_DATAGRAMS ? &r->slot[found] : NULL;
}

/* RFC 791 3.2: source, destination, protocol, identification; RFC 8200 4.5: without the protocol.
 */
static struct datagram *slot_find(struct reass *r, const struct ip_packet *k)
{
	for (size_t i = 0; i < REASS_DATAGRAMS; i++) {
		struct datagram *d = &r->slot[i];

		if (r->head[i].family == k->src.family && r->head[i].id == k->frag_id &&
		    (d->proto == k->proto || k->src.family == AF_INET6) &&
		    ip_equal(&d->src, &k->src) && ip_equal(&d->dst, &k->dst))
			return d;
	}
	return NULL;
}

/* A free slot, else the one of the oldest datagram. */
static struct datagram *slot_new(struct reass *r, const struct ip_packet *k, uint64_t now)
{
	struct datagram *d;
	size_t found = 0;

	for (size_t i = 0; i < REASS_DATAGRAMS && r->head[found].family; i++)
		if (r->head[i].family == 0 || r->head[i].due < r->head[found].due)
			found = i;
	d = &r->slot[found];
	if (r->head[found].family) {
		slot_clear(r, d);
		r->n_lost++;
	}
	*d = (struct datagram){.src = k->src,
			       .dst = k->dst,
			       .proto = k->proto,
			       .ttl = k->ttl,
			       .tos = k->tos,
			       .total = LEN_UNKNOWN};
	memset(d->chunk, 0xff, sizeof(d->chunk));
	*head_of(r, d) = (struct head){
		.due = now + REASS_TIMEOUT_MS, .id = k->frag_id, .family = k->src.family};
	return d;
}

static bool bit(const uint64_t *map, uint32_t i)
{
	return map[i / 64] >> i % 64 & 1;
}

static void bit_set(uint64_t *map, uint32_t i)
{
	map[i / 64] |= (uint64_t)1 << i % 64;
}

/* Whether any of the bits [from, to) is set. */
static bool any(const uint64_t *map, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t n = 64 - from % 64;
		uint64_t mask = ~(uint64_t)0;

		if (n > to - from)
			n = to - from;
		if (n < 64)
			mask = (((uint64_t)1 << n) - 1) << from % 64;
		if (map[from / 64] & mask)
			return true;
		from += n;
	}
	return false;
}

/* The chunk for offset `at`; the oldest other datagram makes room. NULL: there is none to go. */
static uint8_t *chunk_at(struct reass *r, struct datagram *d, uint32_t at)
{
	uint16_t *c = &d->chunk[at / CHUNK];

	if (*c == NO_CHUNK) {
		while (r->n_free == 0) {
			struct datagram *old = oldest(r, d);

			if (!old)
				return NULL;
			slot_clear(r, old);
			r->n_lost++;
		}
		*c = r->free[--r->n_free];
	}
	return r->arena[*c];
}

/* A copy of a fragment that is held already: same begin, same end, same bytes. */
static bool is_copy(struct reass *r, const struct datagram *d, const struct ip_packet *k)
{
	uint32_t from = k->frag_offset / 8;
	uint32_t end = k->frag_offset + (uint32_t)k->len, to = (end + 7) / 8;

	/* Between two marks lies one fragment or a hole. */
	if (!bit(d->begin, from) || any(d->begin, from + 1, to) || !bit(d->begin, to) ||
	    !bit(d->have, from) || k->is_more != (end != d->total))
		return false;
	for (uint32_t at = k->frag_offset; at < end;) {
		uint32_t n = CHUNK - at % CHUNK;
		uint16_t c = d->chunk[at / CHUNK];

		if (n > end - at)
			n = end - at;
		if (c == NO_CHUNK ||
		    memcmp(r->arena[c] + at % CHUNK, k->payload + (at - k->frag_offset), n) != 0)
			return false;
		at += n;
	}
	return true;
}

static bool store(struct reass *r, struct datagram *d, const struct ip_packet *k)
{
	uint32_t end = k->frag_offset + (uint32_t)k->len;

	for (uint32_t at = k->frag_offset; at < end;) {
		uint8_t *chunk = chunk_at(r, d, at);
		uint32_t n = CHUNK - at % CHUNK;

		if (!chunk)
			return false;
		if (n > end - at)
			n = end - at;
		memcpy(chunk + at % CHUNK, k->payload + (at - k->frag_offset), n);
		at += n;
	}
	for (uint32_t i = k->frag_offset / 8; i < (end + 7) / 8; i++)
		bit_set(d->have, i);
	/* Both ends are marked, so that a copy is known by them whatever lies beside it. */
	bit_set(d->begin, k->frag_offset / 8);
	bit_set(d->begin, (end + 7) / 8);
	d->n_held += (uint32_t)k->len;
	if (end > d->end)
		d->end = end;
	if (!k->is_more)
		d->total = end;
	if (k->frag_offset == 0) { /* what the whole takes from its first fragment */
		d->first_len = (uint32_t)k->len;
		d->proto = k->proto;
		d->ttl = k->ttl;
		d->tos = k->tos;
	}
	return true;
}

/* Copies n bytes from the datagram's beginning. */
static void gather(struct reass *r, const struct datagram *d, uint8_t *to, uint32_t n)
{
	for (uint32_t at = 0; at < n; at += CHUNK)
		memcpy(to + at, r->arena[d->chunk[at / CHUNK]], n - at < CHUNK ? n - at : CHUNK);
}

/* An IP packet in r->out: the whole datagram, or its first fragment. */
static size_t rebuild(struct reass *r, const struct datagram *d, bool is_whole)
{
	uint32_t id = head_of(r, d)->id;
	struct ip_build b = {.src = d->src,
			     .dst = d->dst,
			     .proto = d->proto,
			     .ttl = d->ttl,
			     .tos = d->tos,
			     .is_more = !is_whole,
			     .id = (uint16_t)id};
	uint32_t n = is_whole ? d->total : d->first_len;
	size_t header = IP6_HDR_LEN;

	if (d->src.family == AF_INET) {
		header = IP4_HDR_LEN;
		ip_build4(r->out, &b, n);
	} else if (is_whole) {
		ip_build6(r->out, &b, n);
	} else {
		b.proto = IPPROTO_FRAGMENT;
		ip_build6(r->out, &b, IP6_FRAG_LEN + (size_t)n);
		ip_build6_frag(r->out + header, d->proto, 0, true, id);
		header += IP6_FRAG_LEN;
	}
	gather(r, d, r->out + header, n);
	return header + n;
}

enum reass_verdict reass_input(struct reass *r, const struct ip_packet *k, uint64_t now,
			       const uint8_t **ret, size_t *ret_len)
{
	uint32_t from = k->frag_offset / 8, end = k->frag_offset + (uint32_t)k->len;
	struct datagram *d = slot_find(r, k);

	if (d && head_of(r, d)->due <=
			 now) { /* not yet fetched by reass_expire: too late all the same */
		slot_clear(r, d);
		d = NULL;
	}
	if (!d)
		d = slot_new(r, k, now);
	else if (is_copy(r, d, k))
		return REASS_HELD;
	/* Overlap; a second end; bytes beyond the end. */
	if (any(d->have, from, (end + 7) / 8) || (!k->is_more && d->total != LEN_UNKNOWN) ||
	    end > d->total || (!k->is_more && end < d->end) || !store(r, d, k)) {
		slot_clear(r, d);
		return REASS_DROP;
	}
	if (d->n_held != d->total)
		return REASS_HELD;
	*ret_len = rebuild(r, d, true);
	*ret = r->out;
	slot_clear(r, d);
	return REASS_WHOLE;
}

bool reass_expire(struct reass *r, uint64_t now, const uint8_t **ret_cause, size_t *ret_len)
{
	struct datagram *d = oldest(r, NULL);

	if (!d || head_of(r, d)->due > now)
		return false;
	*ret_cause = NULL;
	*ret_len = 0;
	if (d->first_len > 0) {
		*ret_len = rebuild(r, d, false);
		*ret_cause = r->out;
	}
	slot_clear(r, d);
	return true;
}

uint64_t reass_deadline(const struct reass *r)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < REASS_DATAGRAMS; i++)
		if (r->head[i].family && r->head[i].due < due)
			due = r->head[i].due;
	return due;
}

size_t reass_n_held(const struct reass *r)
{
	size_t n = 0;

	for (size_t i = 0; i < REASS_DATAGRAMS; i++)
		n += r->head[i].family != 0;
	return n;
}

uint64_t reass_n_lost(const struct reass *r)
{
	return r->n_lost;
}

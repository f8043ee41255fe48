/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_reass: a program of fragments, six bytes each: key, flags, offset (two bytes, in units of
 * 8), length (in units of 8), seconds that pass. A model holds which bytes came: what comes out
 * whole has each byte as it was sent, once; what is complete comes out; nothing that overlaps is
 * joined.
 */
#include <netinet/in.h>
#include <string.h>

#include "wire/reass.h"

#include "fuzz.h"

#define KEYS 4
#define STEP 6
#define UNITS 8192

static struct model {
	bool is_held;
	uint64_t due;
	uint32_t end, total, n_units; /* total: 0: not known */
	uint8_t unit[UNITS];          /* 8 bytes each: 0, or 1 + the variant of its bytes */
} models[KEYS];

static struct reass *r;

static uint8_t byte_at(unsigned key, unsigned variant, uint32_t at)
{
	return (uint8_t)(at * 7 + at / 256 + key * 61 + variant * 101);
}

static void forget(struct model *m)
{
	memset(m->unit, 0, (m->end + 7) / 8);
	m->is_held = false;
	m->end = m->total = m->n_units = 0;
}

static void check_whole(const struct model *m, unsigned key, const uint8_t *p, size_t len)
{
	struct ip_problem problem;
	struct ip_packet k;

	MUST((key & 1 ? ip_parse6(p, len, &k, &problem) : ip_parse4(p, len, &k)) == IP_OK);
	MUST(!k.is_fragment && k.total == len && k.len == m->total && m->end == m->total);
	for (uint32_t at = 0; at < m->end; at++)
		MUST(m->unit[at / 8] && k.payload[at] == byte_at(key, m->unit[at / 8] - 1u, at));
}

static void add(struct model *m, const struct ip_packet *k, unsigned variant, uint64_t now)
{
	uint32_t end = k->frag_offset + (uint32_t)k->len, n = ((uint32_t)k->len + 7) / 8;

	if (!m->is_held)
		m->due = now + REASS_TIMEOUT_MS;
	m->is_held = true;
	memset(m->unit + k->frag_offset / 8, (int)variant + 1, n);
	m->n_units += n;
	if (end > m->end)
		m->end = end;
	if (!k->is_more)
		m->total = end;
}

static void feed(struct model *m, unsigned key, const struct ip_packet *k, unsigned variant,
		 uint64_t now)
{
	uint32_t from = k->frag_offset / 8, to = from + ((uint32_t)k->len + 7) / 8;
	bool overlaps = false;
	const uint8_t *whole;
	size_t len;

	for (uint32_t i = from; i < to; i++)
		overlaps |= m->unit[i] != 0;
	switch (reass_input(r, k, now, &whole, &len)) {
	case REASS_DROP:
		forget(m);
		return;
	case REASS_HELD:
		for (uint32_t i = from; overlaps && i < to; i++)
			MUST(m->unit[i] == variant + 1); /* an exact copy */
		if (!overlaps)
			add(m, k, variant, now);
		MUST(m->total == 0 || m->n_units != (m->total + 7) / 8);
		return;
	case REASS_WHOLE:
		MUST(!overlaps);
		add(m, k, variant, now);
		check_whole(m, key, whole, len);
		forget(m);
		return;
	}
}

static void step(const uint8_t *s, uint64_t now)
{
	static uint8_t bytes[256 * 8];
	unsigned key = s[0] % KEYS, variant = s[1] >> 1 & 1;
	uint8_t family = key & 1 ? AF_INET6 : AF_INET;
	uint32_t at = (uint32_t)(s[2] << 8 | s[3]) % UNITS * 8, n = s[4] * 8u;
	struct ip_packet k = {.src = {.family = family},
			      .dst = {.family = family},
			      .proto = IPPROTO_UDP,
			      .payload = bytes,
			      .is_fragment = true,
			      .is_more = s[1] & 1,
			      .frag_id = key,
			      .frag_offset = at};

	if (!k.is_more && n > 0)
		n -= s[1] >> 2 & 7;
	/* Only what the parsers let through. */
	if (n == 0 || (!k.is_more && at == 0) || at + n > (key & 1 ? 65535u : 65515u))
		return;
	k.len = n;
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = byte_at(key, variant, at + i);
	feed(&models[key], key, &k, variant, now);
}

static void pass(uint64_t now)
{
	const uint8_t *cause;
	size_t len;

	while (reass_expire(r, now, &cause, &len))
		MUST(!cause || len > 20);
	for (size_t i = 0; i < KEYS; i++)
		if (models[i].is_held && models[i].due <= now)
			forget(&models[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t now;

	if (!r)
		MUST(reass_new(&r, NULL) == 0);
	for (size_t at = 0; at + STEP <= size; at += STEP) {
		size_t n = 0;

		now += data[at + 5] * 1000u;
		pass(now);
		step(data + at, now);
		for (size_t i = 0; i < KEYS; i++)
			n += models[i].is_held;
		MUST(reass_n_held(r) == n && reass_n_lost(r) == 0);
	}
	now += REASS_TIMEOUT_MS;
	pass(now);
	MUST(reass_n_held(r) == 0 && reass_deadline(r) == UINT64_MAX);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hex: packets as they are written in RFCs: hex digits with spaces. hex_exact gives memory of the
 * exact size, so that a sanitizer sees the first byte read beyond the end.
 */
#ifndef TESTS_SLIRP_HEX_H
#define TESTS_SLIRP_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/addr.h"

/* The number of bytes; a malformed text ends the test program. */
static inline size_t hex_bytes(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	while (*text) {
		unsigned v;

		if (*text == ' ' || *text == '\n') {
			text++;
			continue;
		}
		if (n == size || sscanf(text, "%2x", &v) != 1 || !text[1] || text[1] == ' ') {
			fprintf(stderr, "hex: bad text at \"%s\"\n", text);
			exit(2);
		}
		out[n++] = (uint8_t)v;
		text += 2;
	}
	return n;
}

/* free() it. */
static inline uint8_t *hex_exact(const uint8_t *from, size_t n)
{
	uint8_t *p = malloc(n ? n : 1);

	if (!p)
		exit(2);
	memcpy(p, from, n);
	return p;
}

static inline struct ip hex_ip(const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip, NULL) < 0) {
		fprintf(stderr, "hex: bad address \"%s\"\n", text);
		exit(2);
	}
	return ip;
}

static inline struct mac hex_mac(const char *text)
{
	struct mac m = {0};

	if (hex_bytes(text, m.b, sizeof(m.b)) != sizeof(m.b))
		exit(2);
	return m;
}

/* cmocka's header comes before this one. */
#define assert_hex(data, len, text)                                                                \
	do {                                                                                       \
		uint8_t want_[2048];                                                               \
		size_t n_ = hex_bytes(text, want_, sizeof(want_));                                 \
                                                                                                   \
		assert_int_equal(len, n_);                                                         \
		assert_memory_equal(data, want_, n_);                                              \
	} while (0)

#define assert_ip(ip, text)                                                                        \
	do {                                                                                       \
		char s_[IP_STRLEN];                                                                \
                                                                                                   \
		assert_string_equal(ip_str(&(ip), s_), text);                                      \
	} while (0)

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pasta_ports: two walks over a list: what is taken out, then what is published without it. It
 * binds nothing and knows no ports that are taken. Read pasta(1), --tcp-ports.
 */
#include "proc/pasta_ports.h"

#include <stdbool.h>
#include <string.h>

#include "base/parse.h"

#define N_PORTS 65536

struct range {
	uint32_t first, last;
};

static bool parse_range(const char *s, size_t len, struct range *ret)
{
	const char *dash = memchr(s, '-', len);
	size_t n = dash ? (size_t)(dash - s) : len;
	uint64_t first, last;

	if (parse_u64_n(s, n, 1, N_PORTS - 1, &first) < 0)
		return false;
	last = first;
	if (dash && parse_u64_n(dash + 1, len - n - 1, first, N_PORTS - 1, &last) < 0)
		return false;
	*ret = (struct range){(uint32_t)first, (uint32_t)last};
	return true;
}

static int bad_word(const char *word, size_t len, struct err *e)
{
	return err_invalid(e, ERR_USAGE,
			   "expected PORT[-PORT][:PORT[-PORT]] or ~PORT[-PORT], found \"%.*s\"",
			   (int)(len < 80 ? len : 80), word);
}

/* Bit per port that is taken out; *ret_has: something else is named too. */
static int walk_except(const char *list, uint8_t *out, bool *ret_has, struct err *e)
{
	*ret_has = false;
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		struct range r;

		if (*p != '~') {
			*ret_has = true;
		} else {
			if (!parse_range(p + 1, len - 1, &r))
				return bad_word(p, len, e);
			for (uint32_t i = r.first; i <= r.last; i++)
				out[i / 8] |= (uint8_t)(1u << i % 8);
		}
		p += len;
		if (!*p)
			return 0;
	}
}

/* The runs of from without what is taken out, shifted to the container's ports. */
static int add_runs(const struct publish *like, const struct range *from, uint32_t to,
		    const uint8_t *out, struct publish_list *list, struct err *e)
{
	struct publish p = *like;
	uint32_t i = from->first;

	while (i <= from->last) {
		uint32_t n = 0;

		while (i + n <= from->last && !(out[(i + n) / 8] & 1u << (i + n) % 8))
			n++;
		if (n > 0) {
			int r;

			p.host_port = (uint16_t)i;
			p.ctr_port = (uint16_t)(to + i - from->first);
			p.count = (uint16_t)n;
			r = publish_list_add(list, &p, e);
			if (r < 0)
				return r;
		}
		i += n + 1;
	}
	return 0;
}

static int walk_runs(const char *list, const struct publish *like, const uint8_t *out,
		     struct publish_list *to, struct err *e)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		const char *colon = memchr(p, ':', len);
		size_t n = colon ? (size_t)(colon - p) : len;
		struct range host, ctr;
		int r = 0;

		if (*p != '~') {
			if (!parse_range(p, n, &host))
				return bad_word(p, len, e);
			ctr = host;
			if (colon && !parse_range(colon + 1, len - n - 1, &ctr))
				return bad_word(p, len, e);
			if (ctr.last - ctr.first != host.last - host.first)
				return err_invalid(
					e, ERR_USAGE,
					"\"%.*s\": the two ranges are of different length",
					(int)(len < 80 ? len : 80), p);
			r = add_runs(like, &host, ctr.first, out, to, e);
		}
		if (r < 0)
			return r;
		p += len;
		if (!*p)
			return 0;
	}
}

/* "ADDR" before the slash; brackets around IPv6 are there or not. */
static int parse_address(const char *s, size_t len, struct ip *ret, struct err *e)
{
	char text[IP_STRLEN];
	struct ip ip;
	int r;

	if (memchr(s, '%', len))
		return err_invalid(e, ERR_UNSUPPORTED,
				   "\"%.*s\": ports of one interface are not supported; name its "
				   "address",
				   (int)(len < 80 ? len : 80), s);
	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
		if (!memchr(s, ':', len))
			return err_invalid(e, ERR_USAGE, "expected an IPv6 address in brackets");
	}
	if (len == 0 || len >= sizeof(text))
		return err_invalid(e, ERR_USAGE, "expected an address before \"/\"");
	memcpy(text, s, len);
	text[len] = '\0';
	r = ip_parse(text, &ip, e);
	if (r == 0)
		r = publish_check_host_ip(&ip, e);
	if (r == 0)
		*ret = ip;
	return r;
}

int pasta_ports_parse(const char *spec, uint8_t proto, struct publish_list *list,
		      enum pasta_ports *ret, struct err *e)
{
	uint8_t out[N_PORTS / 8] = {0};
	struct publish like = {.proto = proto};
	const char *slash = strchr(spec, '/');
	bool has;
	int r = 0;

	if (strcmp(spec, "none") == 0 || strcmp(spec, "auto") == 0) {
		*ret = *spec == 'n' ? PASTA_PORTS_NONE : PASTA_PORTS_AUTO;
		return 0;
	}
	if (slash)
		r = parse_address(spec, (size_t)(slash - spec), &like.host_ip, e);
	if (r < 0)
		return r;
	spec = slash ? slash + 1 : spec;
	if (strcmp(spec, "all") != 0)
		r = walk_except(spec, out, &has, e);
	else
		has = false;
	if (r == 0 && !has)
		r = err_invalid(e, ERR_UNSUPPORTED,
				"\"%.80s\": all ports that happen to be free are not supported; "
				"name ranges, or use auto",
				spec);
	if (r == 0)
		r = walk_runs(spec, &like, out, list, e);
	if (r == 0)
		*ret = PASTA_PORTS_RUNS;
	return r;
}

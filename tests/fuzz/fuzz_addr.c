/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_addr: two texts, one a line. Whatever parses prints and parses back to the same value, and
 * the arithmetic of prefixes agrees with itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/addr.h"

#include "fuzz.h"

static void check_ip(const struct ip *ip)
{
	char s[IP_STRLEN], t[IP_STRLEN];
	struct mac m = mac_from_ip(ip);
	struct ip again;

	MUST(ip_parse(ip_str(ip, s), &again, NULL) == 0);
	MUST(ip_equal(ip, &again));
	MUST(strcmp(ip_str(&again, t), s) == 0);
	MUST((m.b[0] & 3) == 2);
	MUST(ip_is_any(ip) + ip_is_loopback(ip) + ip_is_multicast(ip) + ip_is_link_local(ip) <= 1);
}

static void check_prefix(const struct prefix *p)
{
	struct prefix net = prefix_network(p), again;
	struct ip last = prefix_last(p), nth;
	uint64_t size = prefix_size(p);
	char s[PREFIX_STRLEN];

	MUST(prefix_parse(prefix_str(p, s), &again, NULL) == 0);
	MUST(prefix_equal(p, &again));
	MUST(prefix_contains(p, &net.ip) && prefix_contains(p, &last) &&
	     prefix_contains(p, &p->ip));
	MUST(ip_cmp(&net.ip, &p->ip) <= 0 && ip_cmp(&p->ip, &last) <= 0);
	MUST(prefix_overlaps(p, &net) && prefix_overlaps(&net, p));
	MUST(prefix_nth(p, 0, &nth) == 0 && ip_equal(&nth, &net.ip));
	if (size < UINT64_MAX) {
		MUST(prefix_nth(p, size - 1, &nth) == 0 && ip_equal(&nth, &last));
		MUST(prefix_nth(p, size, &nth) == -ERANGE);
		MUST(prefix_index(p, &p->ip) < size);
	}
	MUST(prefix_index(p, &net.ip) == 0);
}

static void check_text(const char *text)
{
	struct err e = ERR_INIT;
	struct prefix p;
	char s[MAC_STRLEN];
	struct mac m, n;
	struct ip ip;

	if (ip_parse(text, &ip, &e) == 0)
		check_ip(&ip);
	if (prefix_parse(text, &p, &e) == 0)
		check_prefix(&p);
	if (mac_parse(text, &m, &e) == 0) {
		MUST(mac_parse(mac_str(&m, s), &n, &e) == 0 && memcmp(&m, &n, sizeof(m)) == 0);
		ip = ip_link_local_from_mac(&m);
		MUST(ip_is_link_local(&ip));
	}
	MUST(e.used == strlen(e.text) && e.used < sizeof(e.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *second;
	struct prefix a, b;

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	second = strchr(text, '\n');
	if (second)
		*second++ = '\0';
	check_text(text);
	if (second) {
		check_text(second);
		if (prefix_parse(text, &a, NULL) == 0 && prefix_parse(second, &b, NULL) == 0) {
			bool overlaps = prefix_overlaps(&a, &b);

			MUST(overlaps == prefix_overlaps(&b, &a));
			MUST(overlaps || !prefix_equal(&a, &b));
			MUST(overlaps || !prefix_contains(&a, &b.ip));
		}
	}
	free(text);
	return 0;
}

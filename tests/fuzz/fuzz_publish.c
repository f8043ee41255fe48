/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_publish: two port specifications, one a line. Whatever parses keeps the promises of
 * publish.h, prints and parses back to the same value, and collides with its like.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "model/publish.h"

#include "fuzz.h"

static bool check_text(const char *text, struct publish *ret)
{
	char s[PUBLISH_STRLEN], t[PUBLISH_STRLEN];
	struct err e = ERR_INIT;
	struct publish p, again;

	if (publish_parse(text, &p, &e) < 0) {
		MUST(e.kind == ERR_USAGE && e.used > 0 && e.used == strlen(e.text));
		MUST(!strpbrk(e.text, "\n\r\x1b"));
		return false;
	}
	MUST(p.proto == IPPROTO_TCP || p.proto == IPPROTO_UDP || p.proto == IPPROTO_SCTP);
	MUST(p.ctr_port >= 1 && p.count >= 1);
	MUST(p.host_port + p.count <= 65536 && p.ctr_port + p.count <= 65536);
	MUST(p.host_port > 0 || p.count == 1);
	MUST(!ip_is_multicast(&p.host_ip));
	MUST(publish_covers(&p, FAM4) || publish_covers(&p, FAM6));
	MUST(publish_parse(publish_str(&p, s), &again, NULL) == 0);
	MUST(publish_equal(&p, &again));
	MUST(strcmp(publish_str(&again, t), s) == 0);
	MUST(publish_overlaps(&p, &again) == (p.host_port != 0));
	*ret = p;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *second;
	struct publish list[2];

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	second = strchr(text, '\n');
	if (second)
		*second++ = '\0';
	if (check_text(text, &list[0]) && second && check_text(second, &list[1])) {
		bool overlaps = publish_overlaps(&list[0], &list[1]);

		MUST(overlaps == publish_overlaps(&list[1], &list[0]));
		MUST(overlaps == (publish_check_list(list, 2, NULL) < 0));
	}
	free(text);
	return 0;
}

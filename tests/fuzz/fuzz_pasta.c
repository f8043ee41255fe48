/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_pasta: what comes to slirp-lite under its other names. The first byte chooses: a port
 * specification, whose runs keep the promises of publish.h, overlap with nothing that was taken out
 * and are what their text says; or an answer of the control socket to pesto.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "proc/pasta_ports.h"
#include "proc/pesto.h"

#include "fuzz.h"

/* Whether a "~" word of the specification takes the port out, read the simple way. */
static bool is_out(const char *list, unsigned port)
{
	for (const char *p = strchr(list, '~'); p; p = strchr(p + 1, '~')) {
		unsigned long first = strtoul(p + 1, (char **)&p, 10), last = first;

		if (*p == '-')
			last = strtoul(p + 1, (char **)&p, 10);
		if (first <= port && port <= last)
			return true;
		if (!*p)
			break;
	}
	return false;
}

static void ports(const char *spec)
{
	CLEAN_PUBLISH_LIST struct publish_list l = {0};
	char text[PUBLISH_STRLEN];
	struct err e = ERR_INIT;
	enum pasta_ports kind;
	struct publish again;

	if (pasta_ports_parse(spec, IPPROTO_UDP, &l, &kind, &e) < 0) {
		MUST(e.kind == ERR_USAGE || e.kind == ERR_UNSUPPORTED || e.kind == ERR_QUOTA);
		MUST(e.used > 0 && !strpbrk(e.text, "\n\r\x1b"));
		return;
	}
	MUST(l.n == 0 || kind == PASTA_PORTS_RUNS);
	for (size_t i = 0; i < l.n; i++) {
		const struct publish *p = &l.p[i];

		MUST(p->proto == IPPROTO_UDP && p->host_port >= 1 && p->ctr_port >= 1);
		MUST(p->count >= 1 && p->host_port + p->count <= 65536);
		MUST(p->ctr_port + p->count <= 65536);
		MUST(!is_out(spec, p->host_port) && !is_out(spec, p->host_port + p->count - 1u));
		MUST(publish_parse(publish_str(p, text), &again, NULL) == 0);
		MUST(publish_equal(p, &again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	MUST(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1)
		ports(text);
	else if (pesto_answer(text, size - 1, &e) < 0)
		MUST(e.used > 0 && !strpbrk(e.text, "\n\r\x1b"));
	free(text);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_codec: one document, read as an attachment and as a network. Whatever is accepted, written
 * and read again gives the same text; whatever is refused says why in one clean line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "model/codec.h"

#include "fuzz.h"

static char *dump(json_t *doc)
{
	char *s;

	MUST(doc);
	s = json_dumps(doc, JSON_COMPACT);
	MUST(s);
	json_decref(doc);
	return s;
}

static json_t *load(const char *s)
{
	json_t *doc;

	MUST(json_parse(s, strlen(s), &doc, NULL) == 0);
	return doc;
}

static void check_refusal(const struct err *e)
{
	MUST(e->kind == ERR_PROTOCOL && e->used > 0 && e->used == strlen(e->text));
	MUST(!strpbrk(e->text, "\n\r\x1b"));
}

static void check_flows(json_t *doc, size_t n)
{
	CLEAN_FREE uint64_t *flows = calloc(n + 1, sizeof(*flows));
	CLEAN_FREE uint64_t *again = calloc(n + 1, sizeof(*again));
	struct err e = ERR_INIT;

	MUST(flows && again);
	if (codec_get_flows(doc, flows, n, &e) < 0) {
		check_refusal(&e);
		return;
	}
	MUST(codec_put_flows(doc, flows, n) == 0);
	MUST(codec_get_flows(doc, again, n, &e) == 0);
	MUST(memcmp(flows, again, n * sizeof(*flows)) == 0);
}

static void check_attachment(json_t *doc)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL, *b = NULL;
	CLEAN_FREE char *s = NULL, *t = NULL;
	CLEAN_JSON json_t *again = NULL;
	struct err e = ERR_INIT;

	if (codec_parse_attachment(doc, &a, &e) < 0) {
		check_refusal(&e);
		return;
	}
	check_flows(doc, a->n_publish);
	s = dump(codec_attachment(a));
	again = load(s);
	MUST(codec_parse_attachment(again, &b, &e) == 0);
	t = dump(codec_attachment(b));
	MUST(strcmp(s, t) == 0);
}

static void check_network(json_t *doc)
{
	CLEAN_FREE char *s = NULL, *t = NULL;
	CLEAN_JSON json_t *again = NULL;
	struct network n, done, m;
	struct err e = ERR_INIT;

	if (codec_parse_network(doc, &n, &e) < 0) {
		check_refusal(&e);
		return;
	}
	done = n;
	MUST(network_complete(&done, &e) == 0);
	s = dump(codec_network(&n));
	t = dump(codec_network(&done));
	MUST(strcmp(s, t) == 0);
	free(t);
	again = load(s);
	MUST(codec_parse_network(again, &m, &e) == 0);
	t = dump(codec_network(&m));
	MUST(strcmp(s, t) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN_JSON json_t *doc = NULL;
	struct err e = ERR_INIT;

	if (json_parse((const char *)data, size, &doc, &e) < 0) {
		check_refusal(&e);
		return 0;
	}
	check_attachment(doc);
	check_network(doc);
	return 0;
}

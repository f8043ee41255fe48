/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec: JSON <-> values; the only place where the schema is written down. The same documents are
 * the records on disk, `status --json` and `network inspect`. Decoding validates every field to its
 * typed value: a document that decodes can be used without further checks.
 */
#ifndef NETD_MODEL_CODEC_H
#define NETD_MODEL_CODEC_H

#include <jansson.h>

#include "base/err.h"
#include "model/attachment.h"
#include "model/network.h"

#define CODEC_VERSION 1

json_t *codec_attachment(const struct attachment *a); /* new reference; NULL: no memory */
int codec_parse_attachment(json_t *doc, struct attachment **ret, struct err *e);
/* How many connections, or flows of UDP, each published run of an attachment has had, in its order,
 * as "flows" of the document's ports. */
#define FLOWS_UNKNOWN UINT64_MAX /* not counted */
int codec_put_flows(json_t *doc, const uint64_t *flows, size_t n);
int codec_get_flows(json_t *doc, uint64_t *ret, size_t n, struct err *e);
json_t *codec_network(const struct network *n);
int codec_parse_network(json_t *doc, struct network *ret, struct err *e);

#endif

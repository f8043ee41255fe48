/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_flows: what is counted of published ports, beside the document of an attachment. */
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "model/codec.h"

#define FLOWS_MAX ((uint64_t)INT64_MAX) /* that an integer in a document can be */

int codec_put_flows(json_t *doc, const uint64_t *flows, size_t n)
{
	json_t *ports = json_object_get(doc, "ports");

	for (size_t i = 0; i < n; i++) {
		uint64_t v = flows[i] < FLOWS_MAX ? flows[i] : FLOWS_MAX;

		if (flows[i] == FLOWS_UNKNOWN)
			continue;
		if (json_object_set_new(json_array_get(ports, i), "flows",
					json_integer((json_int_t)v)) < 0)
			return -ENOMEM;
	}
	return 0;
}

int codec_get_flows(json_t *doc, uint64_t *ret, size_t n, struct err *e)
{
	json_t *ports = NULL;
	int r = json_get_arr(doc, "", "ports", JSON_OPTIONAL, &ports, e);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		json_t *one = json_array_get(ports, i);
		char path[32];

		snprintf(path, sizeof(path), "ports[%zu]", i);
		ret[i] = FLOWS_UNKNOWN;
		if (one)
			r = json_get_u64(one, path, "flows", JSON_OPTIONAL, 0, FLOWS_MAX, &ret[i],
					 e);
	}
	return r < 0 ? r : 0;
}

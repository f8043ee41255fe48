/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top_rows: one look at the counters of containers' links, compared with the one before, as a
 * table or as JSON; the busiest first. In and out are the container's. It looks at nothing itself.
 */
#ifndef NETD_CLI_TOP_ROWS_H
#define NETD_CLI_TOP_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"

struct top_row {
	char id[ID_STRLEN], ifname[IFNAME_STRLEN], network[NETNAME_STRLEN];
	struct engine_traffic now;
	bool has_rate;
	double in, out, in_packets, out_packets; /* a second; bits, packets */
};

struct top_rows {
	uint64_t at_ms;
	size_t n, cap;
	struct top_row *row;
};

void top_rows_clear(struct top_rows *l);
/* -ENOMEM only. */
int top_rows_add(struct top_rows *l, const struct attachment *a, const struct engine_traffic *t);
/* Rates, from those of before, and the order of a table. Either may be empty. */
void top_rows_compare(struct top_rows *now, struct top_rows *before);
/* At most so many lines; 0: all. */
void top_rows_put(const struct top_rows *l, bool has_colour, unsigned lines, struct buf *out);
json_t *top_row_json(const struct top_row *row); /* NULL: no memory */

#define TOP_AMOUNT_STRLEN 16
/* "0", "999", "1.5k", "12.3G" */
const char *top_amount(double v, char out[TOP_AMOUNT_STRLEN]);

#endif

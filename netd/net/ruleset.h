/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ruleset: PURE. The constant layout as nft text, and elements as nft text. Knows no libnftables.
 */
#ifndef NETD_NET_RULESET_H
#define NETD_NET_RULESET_H

#include "base/buf.h"
#include "net/elem.h"

#define RULESET_TABLE "netd"

/* Both tables with chains, sets and rules, no elements. Loading it over an existing copy replaces
 * it in one transaction (add table; delete table; table ...). */
void ruleset_base(uint32_t owner, struct buf *out);
/* The same without what a kernel may lack. Bounds: sets with a bound, and the rules of these
 * (CONFIG_NFT_LIMIT, CONFIG_NFT_CONNLIMIT). Counters: of the elements of maps. Log: what is refused
 * is told to who listens (CONFIG_NFT_LOG, CONFIG_NETFILTER_NETLINK_LOG); never without bounds. */
enum ruleset_part {
	RULESET_BOUNDS = 1,
	RULESET_COUNTERS = 2,
	RULESET_LOG = 4,
	RULESET_PARTS = 7 /* all */
};
#define RULESET_LOG_GROUP 19790
void ruleset_base_without(unsigned int parts, uint32_t owner, struct buf *out);
/* "add element ..." for each. */
void ruleset_elements(const struct elem_list *l, struct buf *out);
/* A number that changes whenever the text of ruleset_base does; kept in the table's comment. */
uint32_t ruleset_version(void);
/* The same from the text itself, for what is loaded. Printing it for each attachment would be a
 * fifth of a process's own work; so the other is written down, and a test tells when it is old.
 * Until then each attachment loads the tables again. */
uint32_t ruleset_text_version(void);

/* The comment of both tables. owner: a number for the state directory that the elements come from,
 * so that another one does not take the tables for a lost state of its own. */
#define RULESET_COMMENT_STRLEN 32
void ruleset_comment(uint32_t version, uint32_t owner, char out[RULESET_COMMENT_STRLEN]);

/* The stand-in: a table that keeps closed what is closed while the others are gone, where those may
 * be lost and this one cannot. Its text names it RULESET_TABLE, for a namespace where nothing else
 * is; made of those elements of l that all containers of a network share. *comment: its own, which
 * is another one whenever the rest is. */
#define RULESET_KEEP RULESET_TABLE "-keep"
void ruleset_keep(const struct elem_list *l, struct buf *out, char comment[RULESET_COMMENT_STRLEN]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listing: our two tables as nft(8) tells of them. */
#ifndef TESTS_NET_NFT_LISTING_H
#define TESTS_NET_NFT_LISTING_H

#include "base/buf.h"

/* Without counters, handles and the tables' flags and owners; empty when they do not exist. Ends
 * the test when nft fails. */
void listing(struct buf *out);

#endif

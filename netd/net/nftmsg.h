/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftmsg: elements and tables as nf_tables messages, one message an element, and back. No socket:
 * nftbatch sends what is built here. */
#ifndef NETD_NET_NFTMSG_H
#define NETD_NET_NFTMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/elem.h"

struct nlmsghdr;

/* A run of messages. A failed allocation sticks in .failed. */
struct nftmsg {
	char *p;
	size_t len, cap;
	size_t last;  /* where the newest message begins */
	uint32_t seq; /* of the next message; the caller sets the first one */
	bool failed;
};

void nftmsg_free(struct nftmsg *m);
#define CLEAN_NFTMSG __attribute__((cleanup(nftmsg_free)))

/* The frame of a transaction. nftmsg_end asks for the acknowledgement of the last message in it.
 * Both use a sequence number of their own. */
void nftmsg_begin(struct nftmsg *m);
void nftmsg_end(struct nftmsg *m);

enum nftmsg_op { NFTMSG_ADD, NFTMSG_DELETE, NFTMSG_GET };

/* One message. A GET of a single-field interval asks for both its ends and has two answers. */
void nftmsg_elem(struct nftmsg *m, enum nftmsg_op op, const struct elem *x);
/* One of our two tables; ADD is not offered. */
void nftmsg_table(struct nftmsg *m, enum nftmsg_op op, bool bridge);

/* Answers to a GET of x (see there). */
unsigned int nftmsg_n_answers(const struct elem *x);
/* Is the element of an answer x itself, with x's data? Comments are not compared. */
bool nftmsg_is_elem(const struct nlmsghdr *answer, const struct elem *x);
/* The comment of a table answer; "" when there is none. */
void nftmsg_table_comment(const struct nlmsghdr *answer, char *out, size_t size);

#endif

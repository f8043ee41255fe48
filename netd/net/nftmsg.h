/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftmsg: elements and tables as nf_tables messages, one message an element, and back. No socket:
 * nftbatch sends what is built here. */
#ifndef NETD_NET_NFTMSG_H
#define NETD_NET_NFTMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/elem.h"

struct nlattr;
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
/* The same begin for a transaction that is void (ERESTART) unless the rules of this namespace are
 * still of that generation. */
void nftmsg_begin_at(struct nftmsg *m, uint32_t generation);
/* Gives the messages the sequence numbers first, first + 1, ... */
void nftmsg_number(struct nftmsg *m, uint32_t first);

/* Any other message: its header with room for `room` bytes of attributes, to be put by libmnl, then
 * nftmsg_close. NULL: no memory, which is noted. type: NFT_MSG_*. */
struct nlmsghdr *nftmsg_open(struct nftmsg *m, uint16_t type, uint16_t flags, uint8_t family,
			     size_t room);
void nftmsg_close(struct nftmsg *m, const struct nlmsghdr *h);
/* A run of messages that was built elsewhere. How many; -EPROTO when it is none. */
int nftmsg_append(struct nftmsg *m, const void *run, size_t len);

enum nftmsg_op { NFTMSG_ADD, NFTMSG_DELETE, NFTMSG_GET };

/* One message. A GET of a single-field interval asks for both its ends and has two answers. */
void nftmsg_elem(struct nftmsg *m, enum nftmsg_op op, const struct elem *x);
/* One of our two tables; ADD is not offered. */
void nftmsg_table(struct nftmsg *m, enum nftmsg_op op, bool bridge);

/* Answers to a GET of x (see there). */
unsigned int nftmsg_n_answers(const struct elem *x);
/* Is the element of an answer x itself, with x's data? Comments are not compared. */
bool nftmsg_is_elem(const struct nlmsghdr *answer, const struct elem *x);
/* How often the element of an answer has matched; false: it does not count. */
bool nftmsg_packets(const struct nlmsghdr *answer, uint64_t *ret);
/* How many whole seconds the element of an answer still has; UINT32_MAX: it does not end. */
uint32_t nftmsg_left_s(const struct nlmsghdr *answer);
/* The comment of a table answer; "" when there is none. */
void nftmsg_table_comment(const struct nlmsghdr *answer, char *out, size_t size);
/* Its flags, and whose it is (a port number; 0: nobody's). */
void nftmsg_table_flags(const struct nlmsghdr *answer, uint32_t *ret_flags, uint32_t *ret_owner);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftbatch_int: what the files of nftbatch share: the socket, and one exchange on it. Private to
 * nftbatch*.c. */
#ifndef NETD_NET_NFTBATCH_INT_H
#define NETD_NET_NFTBATCH_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/nftbatch.h"
#include "net/nftmsg.h"

struct nlmsghdr;

struct nftbatch {
	int fd;
	uint32_t seq;
	int rcvbuf;
	char *door;             /* where the socket is to be had that the tables belong to; NULL */
	struct nftshare *share; /* that socket, once it was needed */
	bool is_borrowed;       /* share is the caller's */
	bool is_shared;         /* transactions go through it */
};

/* One failure of a request, or its success. */
struct answer {
	uint32_t seq;
	int error;                  /* positive errno */
	const struct nlmsghdr *msg; /* not an error message: its content */
	const char *text;           /* the kernel's words, or NULL */
};
typedef void (*answer_fn)(const struct answer *a, void *ctx);

/* What a transaction left: the lowest failing message (index into the run without its frame). */
struct verdict {
	uint32_t first; /* sequence number of message 0 */
	size_t n;
	bool is_done;   /* the last message was acknowledged */
	int error;      /* of the first failure, 0 for none */
	size_t bad;     /* its index; n when the transaction as a whole failed */
	char text[128]; /* the kernel's words about it */
	int *errors;    /* of each message; may be NULL */
};

/* Begins a transaction of n_messages. */
void nftbatch_begin(struct nftbatch *n, struct nftmsg *m, struct verdict *v, size_t n_messages);
/* Sends the run of v->n messages after its begin, and fills v. Failures of the kernel are in
 * v->error; a negative return means that its verdict is not known. */
int nftbatch_transact(struct nftbatch *n, struct nftmsg *m, struct verdict *v, struct err *e);
/* The error of a refused element x (NULL: of the transaction). */
int nftbatch_refused(const struct verdict *v, const struct elem *x, struct err *e);
/* Sends questions, each with one answer or more, and gives what comes to fn. 1: some were lost. */
int nftbatch_ask(struct nftbatch *n, struct nftmsg *m, size_t n_answers, answer_fn fn, void *ctx,
		 struct err *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask: the daemon's verbs for programs without privilege, as calls with plain values. Each returns
 * 1 when no daemon runs; negative is its refusal, with its kind and what it is about, or what went
 * wrong on the way. The socket is the one of $NETNS_UP_SOCKET, else the usual one.
 */
#ifndef NETD_BROKER_ASK_H
#define NETD_BROKER_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/attachment.h"
#include "model/publish.h"

/* Further names: so many, and so many bytes of them, each with its NUL. */
#define ASK_ALIAS_MAX 16
#define ASK_ALIAS_BYTES 1024

struct ask_attach {
	const char *id, *ifname, *network;
	int netns_fd, pidfd;        /* pidfd: of a process in it, -1: none */
	struct ip ip[N_FAM];        /* family 0: any */
	struct mac mac;             /* all zero: any */
	uint32_t mtu;               /* 0: the network's */
	uint64_t rate_in, rate_out; /* bits a second; 0: as the policy has it */
	size_t n_publish;
	const struct publish *publish;
	size_t n_alias;
	const char *const *alias; /* further names */
};

int ask_attach(const struct ask_attach *q, struct attachment **ret, struct err *e);
/* ret_was: there was one. */
int ask_detach(const char *id, const char *ifname, bool *ret_was, struct err *e);
/* And (is_off) unpublish. */
int ask_publish(const char *id, const char *ifname, bool is_off, const struct publish *p, size_t n,
		struct attachment **ret, struct err *e);
/* NULL: as it is; 0: as much as the policy allows. */
int ask_limit(const char *id, const char *ifname, const uint64_t *rate_in, const uint64_t *rate_out,
	      struct attachment **ret, struct err *e);
/* Calls fn for each attachment of the caller's until it returns a negative value, which it is then.
 */
int ask_list(int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
	     struct err *e);
/* The same with how many connections each published run has had (codec_get_flows). */
int ask_flows(int (*fn)(const struct attachment *a, const uint64_t *flows, void *arg,
			struct err *e),
	      void *arg, struct err *e);
/* What the daemon itself counts, in the Prometheus text format; to be freed. */
int ask_metrics(char **ret, struct err *e);
/* Whether it answers. */
int ask_status(struct err *e);

#endif

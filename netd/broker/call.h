/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call: the messages between the front, which reads what strangers write, and the back, which has
 * privilege: values of one fixed layout, with descriptors beside them. The back believes none of
 * it: call_check looks at every field again, and call_rule says which requests there are and what
 * each may carry. PURE.
 */
#ifndef NETD_BROKER_CALL_H
#define NETD_BROKER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attach.h"
#include "model/name.h"
#include "model/publish.h"

#define CALL_MAGIC 0x6e657464u
#define CALL_PUBLISH_MAX 64   /* runs in one request */
#define CALL_ALIAS_MAX 16     /* names in one request, */
#define CALL_ALIAS_BYTES 1024 /* all of them together, each with its NUL */
/* In the engine a user's "web" is "user-1000.web", so nobody can so much as name another's. */
#define CALL_PREFIX "user-%u."
#define CALL_PREFIX_MAX 16
#define CALL_ID_STRLEN (ID_STRLEN - CALL_PREFIX_MAX)

enum call_verb {
	CALL_STATUS = 1,
	CALL_ATTACH,
	CALL_DETACH,
	CALL_LIST,
	CALL_PUBLISH,
	CALL_UNPUBLISH,
	CALL_LIMIT,
	CALL_METRICS,
	N_CALL_VERBS,
	/* From here on of the front and the back only. */
	CALL_QUIT = 100, /* back to front: end, unless somebody is being served; answered by an end
			  * or by CALL_BUSY */
	CALL_BUSY,
	CALL_DRAIN, /* back to front: end, and give back who has not been passed on; in messages
		     * CALL_KEEP with their connections, then one CALL_DRAINED */
	CALL_KEEP,
	CALL_DRAINED,
};

/* The descriptor of the connection comes with every request: the back asks the kernel itself who is
 * at its other end. What the client passed stays in there, unread, until a worker takes it out: to
 * close a stranger's descriptor, or to ask what it is, can take as long as he likes. */
#define CALL_FDS 1
#define CALL_PASSED_MAX 2 /* in this order: */
enum { CALL_PASSED_NETNS, CALL_PASSED_PIDFD };

enum { CALL_RATE_IN, CALL_RATE_OUT }; /* in: towards the container */

struct call {
	uint32_t magic, verb;
	uint32_t slot, turn; /* of the connection in the front */
	uint64_t rate[2];    /* bits a second by CALL_RATE_*; 0: as much as is allowed */
	uint32_t rate_set;   /* which of them are meant, a bit each */
	uint32_t n_refused;  /* by the front, since it told that last */
	char id[CALL_ID_STRLEN];
	char ifname[IFNAME_STRLEN];
	char network[NETNAME_STRLEN];
	struct ip ip[N_FAM]; /* family 0: any */
	struct mac mac;      /* all zero: any */
	uint32_t mtu;        /* 0: the network's */
	uint32_t n_alias;
	char alias[CALL_ALIAS_BYTES]; /* one after the other */
	uint32_t is_paged;            /* 1: as much of the list as fits into an answer, */
	uint32_t is_counted;          /* 1: with what is counted of published ports */
	char after[KEY_STRLEN]; /* from after this one (name_key, the user's own id); "": all */
	uint32_t n_publish;
	struct publish publish[CALL_PUBLISH_MAX];
};

struct call_rule {
	const char *name;
	bool has_id; /* and ifname */
	bool has_attach;
	bool has_publish, needs_publish;
	bool has_rate, needs_rate;
	bool has_pages;
	unsigned min_fds, max_fds; /* that the client passes */
};
const struct call_rule *call_rule(uint32_t verb); /* NULL: there is no such request */
uint32_t call_find(const char *name);             /* 0: there is none of that name */

/* A further name at the end. ERR_UNSUPPORTED: there is no room. */
int call_add_alias(struct call *c, const char *name, struct err *e);
/* Of a call that was checked: pointers into it; how many. */
size_t call_aliases(const struct call *c, const char *ret[CALL_ALIAS_MAX]);

/* Everything in it has a meaning, and nothing is set that the request has no use for. n_fds:
 * with the connection. */
int call_check(const struct call *c, size_t len, size_t n_fds, struct err *e);

/* Back to front: a header, then the text for the client, without NUL. */
struct answer {
	uint32_t magic, verb; /* 0, CALL_QUIT or CALL_DRAIN */
	uint32_t slot, turn;
};
#define ANSWER_TEXT_MAX ((size_t)60 * 1024)

#endif

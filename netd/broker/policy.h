/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: who may do what with which network. Rules are lines of text:
 *
 *     allow|deny SUBJECT NETWORK VERB[,VERB...] [LIMIT=VALUE...]
 *
 * SUBJECT: user name, uid, UID-UID, @group, @gid, @GID-GID, or * for everybody
 * NETWORK: its name, or * for all
 * VERB:    attach, publish, address (--ip), mac (--mac), shape (--rate-in, --rate-out), or all
 * LIMIT:   nics=N  ports=N  rate=N (requests a minute)  range=LOW-HIGH[,...]  host=ADDRESS[,...]
 *          rate-in=RATE  rate-out=RATE (bandwidth, as 250mbit)  conns=N (opened by it, at once)
 *          conn-rate=N (anew a second)  packet-rate=N (packets from it, a second)
 *          to=PREFIX[:PORT[-PORT]][,...] (nowhere else)  not-to=... (everywhere else)
 *          lifetime=namespace|login (login: not without one, and no longer)
 *
 * For each verb that a request needs, the first rule that names the subject, the network and the
 * verb decides; none: denied. The limits ports, range and host are those of the rule that allows
 * publish, the others of the one that allows attach. A bandwidth is what each interface gets, asked
 * for or not; shape is to ask for less. A text with an error in it denies everything from its place
 * on. PURE but for policy_load.
 */
#ifndef NETD_BROKER_POLICY_H
#define NETD_BROKER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/addr.h"
#include "model/attach.h"
#include "model/name.h"
#include "model/publish.h"

#define POLICY_DIR "/etc/netd/policy.d"
#define POLICY_FILE_BYTES ((size_t)64 * 1024)
#define POLICY_LINE 2048 /* bytes, its end included */
#define POLICY_FILES 64
#define POLICY_RULES 1024 /* of all files together */
#define POLICY_RANGES 8
#define POLICY_HOSTS 8
#define POLICY_GROUPS 256 /* of one subject that are looked at */

enum policy_verb {
	POLICY_ATTACH = 1,
	POLICY_PUBLISH = 2,
	POLICY_ADDRESS = 4,
	POLICY_MAC = 8,
	POLICY_SHAPE = 16,
	POLICY_ALL = 31,
};

struct policy_limits {
	uint32_t nics, ports, rate;
	struct attach_cap cap; /* of each interface */
	struct attach_egress egress;
	struct attach_names names; /* of egress */
	bool is_until_logout;
	struct attach_rate bandwidth; /* of each interface; a rate of 0: no limit that way */
	size_t n_range;               /* 0: every port that needs no privilege */
	struct {
		uint16_t low, high;
	} range[POLICY_RANGES];
	size_t n_host; /* 0: every address of the host */
	struct ip host[POLICY_HOSTS];
};
/* Where a rule says nothing. */
#define POLICY_NICS 4
#define POLICY_PORTS 16
#define POLICY_RATE 60
#define POLICY_CONNS 4096
#define POLICY_CONN_RATE 500 /* also where conns is said, and this is not, or none */
#define POLICY_IN_CONNS 8192
#define POLICY_IN_CONN_RATE 2000 /* the same */

struct policy_rule {
	bool is_allow, is_broken; /* broken: stands for a text with an error */
	enum { SUBJECT_ANY, SUBJECT_UID, SUBJECT_GID } kind;
	uint32_t low, high;
	char network[NETNAME_STRLEN]; /* "*": all */
	unsigned verbs;
	struct policy_limits limits;
	unsigned file, line;
};

struct policy_file {
	char name[256];
	struct err wrong; /* kind ERR_NONE: good */
};

struct policy {
	size_t n_rule, n_file;
	struct policy_rule *rule; /* owned */
	struct policy_file *file; /* owned */
};
void policy_clear(struct policy *p);
#define CLEAN_POLICY __attribute__((cleanup(policy_clear)))

/* Number of a user or group by its name: 0, or negative. */
struct policy_names {
	int (*find)(const char *name, bool is_group, uint32_t *ret, void *arg);
	void *arg;
};
/* Appends the rules of one text. Its errors are no errors of the call: they become a rule that
 * denies everything and the `wrong` of the file. Negative: no memory, or too many files. */
int policy_add_text(struct policy *p, const char *name, const char *text, size_t len,
		    const struct policy_names *names, struct err *e);
/* The same for a file that could not be read, or may not be believed. */
int policy_add_wrong(struct policy *p, const char *name, const struct err *why, struct err *e);
/* The number in a line of passwd(5) or group(5). -ENOENT. */
int policy_find_id(const char *text, size_t len, const char *name, uint32_t *ret);

/* The groups of s->uid by the texts of passwd(5) and group(5). -ENOENT: he is not in there; -E2BIG:
 * in more than can be looked at. */
struct policy_text {
	char *p;
	size_t len;
};
struct policy_subject;
int policy_find_groups(const struct policy_text *passwd, const struct policy_text *group,
		       struct policy_subject *s);

/* The same by the files, which are read once; the groups of s->uid: 0, or negative. */
struct policy_users {
	struct policy_text of[2]; /* passwd, group; owned */
	bool is_read[2];
};
int policy_users_find(struct policy_users *u, struct policy_subject *s);
void policy_users_clear(struct policy_users *u);

/* All files DIR/NAME.conf in the order of their names. DIR and files must be root's (or the
 * caller's) and writable by nobody else, files plain ones of at most POLICY_FILE_BYTES; what is not
 * so denies everything. A directory that is not there: no rules. Negative only when nothing can be
 * said at all (no memory). */
int policy_load(const char *dir, struct policy *ret, struct err *e);

struct policy_subject {
	uint32_t uid;
	size_t n_gid;
	uint32_t gid[POLICY_GROUPS];
};

/* What is wanted, and what the subject holds already. */
struct policy_want {
	const char *network;
	unsigned verbs;
	bool is_new;       /* an interface more */
	bool is_logged_in; /* the subject is (login.h) */
	size_t n_publish;
	const struct publish *publish;
	struct attach_rate bandwidth; /* a rate of 0: none is asked for */
	uint32_t nics_held, ports_held;
	uint16_t first_free_port; /* net.ipv4.ip_unprivileged_port_start */
};

struct policy_verdict {
	enum { POLICY_GRANTED, POLICY_DENIED, POLICY_OVER } result;
	const struct policy_rule *rule[5]; /* by verb, attach first; NULL: not asked for, or no rule
					    */
	struct policy_limits limits;       /* when attach is allowed */
	char why[256];                     /* for the administrator */
};
/* What an interface gets of a bandwidth where so much is the limit: both 0 for none. */
uint64_t policy_bandwidth(uint64_t wish, uint64_t limit);
void policy_judge(const struct policy *p, const struct policy_subject *s,
		  const struct policy_want *w, struct policy_verdict *ret);
/* The limits of an interface, for a subject who is not here to be asked. 1: there are none to be
 * had: attach is not allowed, or (has_groups false: what groups he is in is not known) a rule that
 * names a group comes first. */
int policy_limits_of(const struct policy *p, const struct policy_subject *s, bool has_groups,
		     const char *network, struct policy_limits *ret);
/* One line a verb, then the limits and the result. */
void policy_explain(const struct policy *p, const struct policy_want *w,
		    const struct policy_verdict *v, struct buf *out);

#endif

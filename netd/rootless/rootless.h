/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootless: the front door for callers without privilege: attachments that slirp-lite carries.
 * There is no record: each attachment is one slirp-lite process with a control socket in a
 * directory of the user's own, and what it answers is the state. A socket that nobody answers on is
 * a leftover and is removed by whoever finds it.
 *
 * Directory: $XDG_RUNTIME_DIR/netns-up, else /run/user/UID/netns-up, else /tmp/netns-up-UID; mode
 * 0700, refused when it is somebody else's.
 */
#ifndef NETD_ROOTLESS_ROOTLESS_H
#define NETD_ROOTLESS_ROOTLESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/addr.h"
#include "model/attach_egress.h"
#include "model/name.h"
#include "model/publish.h"

struct rootless; /* the user's directory, opened */

/* dir NULL: as above. is_read_only: not made when it is not there (1 and *ret NULL). */
int rootless_open(const char *dir, bool is_read_only, struct rootless **ret, struct err *e);
void rootless_closep(struct rootless **r);
#define CLEAN_ROOTLESS __attribute__((cleanup(rootless_closep)))

struct rootless_request {
	const char *id, *ifname;
	int32_t pid; /* > 0: the process whose namespace it is; it must not be reaped meanwhile,
		      * or netns_ino tells that it was another */
	const char *path;              /* else a path to the namespace */
	uint64_t netns_dev, netns_ino; /* of the namespace the caller means */
	uint32_t mtu;                  /* 0: 1500 */
	struct mac mac;                /* all zero: chosen */
	struct ip ip[N_FAM];           /* family 0: the usual one (model/alone.h) */
	size_t n_loopback; /* ports of the host's loopback that are opened: "tcp:5432" */
	const char *const *loopback;
	const struct attach_egress *egress; /* NULL: everywhere */
	const struct attach_names *names;   /* of egress; NULL: none */
	uint64_t rate_in, rate_out;         /* bits a second; 0: no limit */
	size_t n_publish;
	const struct publish *publish;
	const char *engine; /* "tap" or "relay": that one or none; NULL: as slirp-lite chooses */
	int end_fd; /* > 0: it ends when the other end of this pipe is closed, and not with whatever
		     * pid or path names */
	int flows_fd; /* > 0: the memory file in which the one before has its connections, which
		       * are reset */
};

/* What a running slirp-lite says of itself. */
struct rootless_state {
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	int32_t pid; /* of the supervisor */
	uint64_t netns_dev, netns_ino;
	uint32_t mtu;
	struct prefix addr[N_FAM];
	struct ip gateway[N_FAM], dns[N_FAM];
	struct attach_egress egress;
	struct attach_names names;
	uint64_t rate_in, rate_out; /* bits a second; 0: no limit */
	size_t n_publish;
	struct publish *publish; /* owned */
	/* How TCP goes out, why, and what was asked for ("auto", "tap", "relay"); in doc; "": it
	 * does not say. */
	const char *engine, *engine_why, *engine_asked;
	json_t *doc; /* the whole answer, for --json; owned */
};
void rootless_state_clear(struct rootless_state *s);

/* Starts slirp-lite and returns when traffic passes. 0; 1: this attachment was up already (same
 * namespace); its ports are left as they are. ERR_CONFLICT: the name is another namespace's, it is
 * up by another engine or with other addresses, destinations or limits than were asked for, or a
 * port is taken; then nothing was started.
 * ERR_UNSUPPORTED: the engine does not work here; the text says what is missing. ret is cleared by
 * the caller. */
int rootless_up(struct rootless *r, const struct rootless_request *req, struct rootless_state *ret,
		struct err *e);
/* 0; 1: there was none. Returns when the process is gone. */
int rootless_down(struct rootless *r, const char *id, const char *ifname, struct err *e);
int rootless_get(struct rootless *r, const char *id, const char *ifname, struct rootless_state *ret,
		 struct err *e);
/* Publishes or takes back all of the list or nothing; then *ret says what is up now. ERR_CONFLICT
 * names who has a port: a container of the user's or a process. ERR_ABSENT: no such attachment, or
 * port. */
int rootless_publish(struct rootless *r, const char *id, const char *ifname,
		     const struct publish *list, size_t n, bool is_back, struct rootless_state *ret,
		     struct err *e);
/* Limits of one that is up; NULL: as it is. Then *ret says what is up now. ERR_UNSUPPORTED: the
 * relay engine is used. ERR_ABSENT. */
int rootless_limit(struct rootless *r, const char *id, const char *ifname, const uint64_t *in,
		   const uint64_t *out, struct rootless_state *ret, struct err *e);
/* Asks an attachment for something else ("flows"); the answer is a new reference. */
int rootless_ask(struct rootless *r, const char *id, const char *ifname, const char *verb,
		 json_t **ret, struct err *e);
/* Every attachment that answers; fn returns non-zero to stop. */
int rootless_each(struct rootless *r, int (*fn)(const struct rootless_state *s, void *arg),
		  void *arg, struct err *e);
/* Removes sockets that nobody answers on; each, up and down do it too for those they meet. */
int rootless_gc(struct rootless *r, size_t *ret_n, struct err *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* finding: one thing that stops traffic: what, by what it is seen, and what mends it. */
#ifndef NETD_DOCTOR_FINDING_H
#define NETD_DOCTOR_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum severity {
	SEVERITY_NOTE,    /* good to know: nothing that should pass is known to be stopped */
	SEVERITY_WARNING, /* stops some of it, or may */
	SEVERITY_ERROR,   /* stops it */
};

enum fix_kind {
	FIX_NONE,   /* a person must do it */
	FIX_SYSCTL, /* key := value */
	FIX_NFT,    /* text as one transaction */
	FIX_GC,     /* what `netns-up gc` does */
	FIX_TUN,    /* /dev/net/tun for everybody */
};

struct fix {
	enum fix_kind kind;
	char key[128], value[64];
	struct buf text;
};

struct finding {
	enum severity severity;
	const char *id; /* "forward-policy": a word for programs, constant */
	struct buf what, evidence, remedy;
	struct fix fix;
};

struct findings {
	struct finding *v;
	size_t n, cap;
	bool failed; /* no memory: some are left out */
};

void findings_clear(struct findings *l);
#define CLEAN_FINDINGS __attribute__((cleanup(findings_clear)))

/* A new one at the end, empty but for these; never NULL (without memory it is one that nobody sees,
 * and failed is set). Valid until the next call. */
struct finding *findings_add(struct findings *l, enum severity s, const char *id);
/* Sets the remedy and the fix that writes it. */
void finding_sysctl(struct finding *f, const char *key, const char *value);
/* Those that are no notes. */
size_t findings_count(const struct findings *l);
const char *severity_str(enum severity s);

struct facts;
/* All checks, in the order of the rooms that packets pass. */
void findings_of(const struct facts *f, struct findings *out);
/* Its parts. */
void check_who(const struct facts *f, struct findings *out);
void check_kernel(const struct facts *f, struct findings *out);
void check_rules(const struct facts *f, struct findings *out);
void check_settings(const struct facts *f, struct findings *out);
void check_state(const struct facts *f, struct findings *out);
void check_user(const struct facts *f, struct findings *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli: what the verbs of netns-up share: exit codes, targets, opening the engine, printing. Each
 * verb is one file with one option table and one entry function.
 */
#ifndef NETD_CLI_CLI_H
#define NETD_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opt.h"
#include "engine/engine.h"
#include "model/attachment.h"

#define PROGRAM "netns-up"

/* Documented in `netns-up --help`. */
enum cli_exit {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_ABSENT = 3,
	EXIT_CONFLICT = 4,
	EXIT_DENIED = 5,
	EXIT_BUSY = 6,
	EXIT_QUOTA = 7,
	EXIT_UNSUPPORTED = 8,
	EXIT_UNHEALTHY = 10, /* check, doctor, explain: something is missing */
	EXIT_RUN = 125,      /* run: an error of ours, not of CMD */
};

struct verb {
	struct opt_verb v;
	int (*main)(const struct verb *v, int argc, char **argv); /* argv[0] is the verb */
	/* The i-th verb of this verb, or NULL; NULL when it has none. */
	const struct opt_verb *(*sub)(size_t i);
};
extern const struct verb verb_up, verb_down, verb_ls, verb_status, verb_publish, verb_unpublish,
	verb_check, verb_gc, verb_run, verb_create, verb_delete, verb_network, verb_policy,
	verb_install_cni, verb_top, verb_limit, verb_doctor, verb_explain, verb_graph, verb_metrics;

/* Options that every verb has; the first member of each verb's own struct. */
struct cli_common {
	const char *state_dir;
	bool json, quiet, verbose;
};
int cli_set_state_dir(void *into, const char *value, struct err *e);
int cli_set_json(void *into, const char *value, struct err *e);
int cli_set_quiet(void *into, const char *value, struct err *e);
int cli_set_verbose(void *into, const char *value, struct err *e);
#define CLI_OPT_STATE_DIR                                                                          \
	{                                                                                          \
		0, "state-dir", "DIR", "where the state is kept (default /run/netd)",              \
			cli_set_state_dir                                                          \
	}
#define CLI_OPT_JSON                                                                               \
	{                                                                                          \
		0, "json", NULL, "print JSON", cli_set_json                                        \
	}
#define CLI_OPT_QUIET                                                                              \
	{                                                                                          \
		'q', "quiet", NULL, "print nothing but errors", cli_set_quiet                      \
	}

#define CLI_OPT_VERBOSE                                                                            \
	{                                                                                          \
		'v', "verbose", NULL, "say how it is done", cli_set_verbose                        \
	}

/* Prints the error as one line and returns the exit code of its kind. */
int cli_fail(const struct err *e);
/* Parses; returns -1 to go on, else the exit code (help printed, or error printed). */
int cli_parse(const struct verb *v, int argc, char **argv, void *into, size_t *ret_n);
/* --state-dir, else NETNS_UP_STATE_DIR, else NULL: the usual. */
int cli_state_dir(const struct cli_common *c, const char **ret, struct err *e);
/* `--completion=SHELL`: -1 when it is something else, else the exit code. */
int cli_completion(const struct verb *const *verbs, size_t n, int argc, char **argv);
int cli_open(const struct cli_common *c, bool read_only, struct engine **ret, struct err *e);

/* A namespace as a person names it: a pid, a path, or the name of /run/netns/NAME. */
struct target {
	int fd;                        /* -1 when it could not be opened */
	char id[ID_STRLEN];            /* the default name of an attachment */
	char path[NETNS_PATH_MAX + 1]; /* a way back in, for check */
};
#define TARGET_INIT                                                                                \
	{                                                                                          \
		.fd = -1                                                                           \
	}
int target_open(const char *s, struct target *ret, struct err *e);
/* Only derives the id: for targets that are gone. ERR_USAGE when s can be none. */
int target_id(const char *s, struct target *ret, struct err *e);
/* A name for something new. ERR_USAGE; also for digits only, which would be read as a pid. */
int cli_check_name(const char *s, const char *what, struct err *e);
void target_close(struct target *t);
#define CLEAN_TARGET __attribute__((cleanup(target_close)))

/* Every attachment that s means: all interfaces of the id s, else all of the namespace s (else of
 * the id derived from s); ifname NULL: all. fn gets id and interface name. Returns the number of
 * calls. */
int target_each(struct engine *g, const char *s, const char *ifname,
		int (*fn)(struct engine *g, const char *id, const char *ifname, void *arg,
			  struct err *e),
		void *arg, struct err *e);

/* Parses a comma-less list of SPEC operands. New array in *ret. */
int cli_publish_list(char **specs, size_t n, struct publish **ret, struct err *e);
/* Human or JSON form on standard output. */
int cli_print(const struct cli_common *c, const struct attachment *a);
int cli_print_json(json_t *doc); /* takes the reference */

#endif

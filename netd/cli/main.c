/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main: finds the verb and hands over. `netns-up PID` is `netns-up up PID`. */
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"

static const struct verb *const verbs[] = {
	&verb_up,      &verb_down,      &verb_run,     &verb_ls,     &verb_status,
	&verb_publish, &verb_unpublish, &verb_limit,   &verb_check,  &verb_gc,
	&verb_create,  &verb_delete,    &verb_network, &verb_policy, &verb_install_cni,
	&verb_top,     &verb_doctor,    &verb_explain, &verb_graph,  &verb_metrics,
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int help(void)
{
	printf("Usage: " PROGRAM " VERB [OPTION]... [OPERAND]...\n"
	       "       " PROGRAM " PID [OPTION]...          (the same as: " PROGRAM " up PID)\n\n"
	       "Gives network namespaces their network: links, addresses, NAT, published ports.\n\n"
	       "Verbs:\n");
	for (size_t i = 0; i < N_VERBS; i++)
		printf("  %-11s %s\n", verbs[i]->v.name, verbs[i]->v.summary);
	printf("\n`" PROGRAM " VERB --help` tells more of each.\n\n"
	       "Options:\n"
	       "  -h, --help     print this text\n"
	       "  -V, --version  print the version\n\n"
	       "Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 wrong usage,\n"
	       "3 no such thing, 4 taken by another, 5 not permitted, 6 busy, 7 pool exhausted,\n"
	       "8 not supported here, 10 `check`, `doctor` or `explain` found something.\n"
	       "`run` passes on the exit status of its command; its own errors are 125 (126: the\n"
	       "command cannot be executed, 127: it is not found, 128+N: it died by signal N).\n\n"
	       "Environment: NETNS_UP_STATE_DIR, the same as --state-dir; NETNS_UP_SOCKET, where\n"
	       "netd listens (default /run/netd/netd.sock).\n");
	return EXIT_OK;
}

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(name, verbs[i]->v.name) == 0)
			return verbs[i];
	return NULL;
}

/* One letter more, less, other, or two of them exchanged. */
static bool is_slip_of(const char *typed, const char *name)
{
	size_t n = strlen(typed), m = strlen(name), same = 0;

	while (typed[same] && typed[same] == name[same])
		same++;
	const char *x = typed + same, *y = name + same;
	if (n == m + 1)
		return strcmp(x + 1, y) == 0;
	if (n + 1 == m)
		return strcmp(x, y + 1) == 0;
	if (n != m || !*x)
		return false;
	return strcmp(x + 1, y + 1) == 0 ||
	       (x[0] == y[1] && x[1] == y[0] && strcmp(x + 2, y + 2) == 0);
}

/* What may have been meant: a verb with a slip of the finger, or what other programs call it. */
static const char *meant(const char *typed)
{
	static const char *const others[][2] = {
		{"list", "ls"},        {"ps", "ls"},    {"add", "up"},       {"attach", "up"},
		{"del", "down"},       {"rm", "down"},  {"detach", "down"},  {"show", "status"},
		{"inspect", "status"}, {"exec", "run"}, {"port", "publish"}, {"net", "network"},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(typed, others[i][0]) == 0)
			return others[i][1];
	for (size_t i = 0; strlen(typed) > 1 && i < N_VERBS; i++)
		if (is_slip_of(typed, verbs[i]->v.name))
			return verbs[i]->v.name;
	return NULL;
}

static int unknown(const char *typed)
{
	const char *verb = meant(typed);

	log_error("%s: expected a verb or a pid%s%s%s; try `" PROGRAM " --help`", typed,
		  verb ? " (" : "", verb ? verb : "", verb ? "?)" : "");
	return EXIT_USAGE;
}

/* What follows `help`: nothing, a verb, or one and its own verb (`help network create`). */
static int help_of(int argc, char **argv)
{
	const struct verb *v = argc > 0 ? verb_find(argv[0]) : NULL;
	char verb[32], flag[] = "--help";
	char *words[] = {verb, flag, NULL, NULL};

	if (argc == 0)
		return help();
	if (!v || argc > (v->sub ? 2 : 1)) {
		log_error("help %s: expected a verb; try `" PROGRAM " --help`", argv[argc - 1]);
		return EXIT_USAGE;
	}
	snprintf(verb, sizeof(verb), "%s", v->v.name);
	if (argc == 2) {
		words[1] = argv[1];
		words[2] = flag;
	}
	return v->main(v, argc + 1, words);
}

int main(int argc, char **argv)
{
	const struct verb *v;
	int r;

	if (fd_fill_stdio() < 0)
		return EXIT_FAILED;
	log_setup(PROGRAM, LOG_LEVEL_WARN);
	if (argc < 2) {
		log_error("a verb or a target is missing; try `" PROGRAM " --help`");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "help") == 0)
		return help_of(argc - 2, argv + 2);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf(PROGRAM " " NETNS_UP_VERSION "\n");
		return EXIT_OK;
	}
	r = cli_completion(verbs, N_VERBS, argc, argv);
	if (r >= 0)
		return r;
	v = verb_find(argv[1]);
	if (v)
		return v->main(v, argc - 1, argv + 1);
	if (argv[1][0] >= '0' && argv[1][0] <= '9')
		return verb_up.main(&verb_up, argc, argv);
	return unknown(argv[1]);
}

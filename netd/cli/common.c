/* SPDX-License-Identifier: GPL-2.0-or-later */
/* common: exit codes, common options and printing for the verbs. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "model/codec.h"

int cli_set_state_dir(void *into, const char *value, struct err *e)
{
	if (value[0] != '/')
		return err_set(e, ERR_USAGE, 0, "expected an absolute path");
	((struct cli_common *)into)->state_dir = value;
	return 0;
}

int cli_set_json(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct cli_common *)into)->json = true;
	return 0;
}

int cli_set_quiet(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct cli_common *)into)->quiet = true;
	return 0;
}

int cli_set_verbose(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct cli_common *)into)->verbose = true;
	return 0;
}

static int cli_exit_code(const struct err *e)
{
	static const int codes[] = {
		[ERR_NONE] = EXIT_FAILED,     [ERR_USAGE] = EXIT_USAGE,
		[ERR_DENIED] = EXIT_DENIED,   [ERR_CONFLICT] = EXIT_CONFLICT,
		[ERR_ABSENT] = EXIT_ABSENT,   [ERR_BUSY] = EXIT_BUSY,
		[ERR_QUOTA] = EXIT_QUOTA,     [ERR_UNSUPPORTED] = EXIT_UNSUPPORTED,
		[ERR_KERNEL] = EXIT_FAILED,   [ERR_IO] = EXIT_FAILED,
		[ERR_PROTOCOL] = EXIT_FAILED, [ERR_INTERNAL] = EXIT_FAILED,
	};

	return codes[e->kind];
}

int cli_fail(const struct err *e)
{
	log_error("%s", e->text);
	return cli_exit_code(e);
}

int cli_parse(const struct verb *v, int argc, char **argv, void *into, size_t *ret_n)
{
	struct err e = ERR_INIT;
	int r = opt_parse(&v->v, argc, argv, into, ret_n, &e);

	if (r == 1) {
		opt_help(PROGRAM, &v->v);
		return EXIT_OK;
	}
	return r < 0 ? cli_fail(&e) : -1;
}

int cli_state_dir(const struct cli_common *c, const char **ret, struct err *e)
{
	const char *dir = c->state_dir ? c->state_dir : getenv("NETNS_UP_STATE_DIR");

	if (dir && dir[0] != '/')
		return err_set(e, ERR_USAGE, 0, "NETNS_UP_STATE_DIR=%s: expected an absolute path",
			       dir);
	*ret = dir;
	return 0;
}

int cli_open(const struct cli_common *c, bool read_only, struct engine **ret, struct err *e)
{
	const char *dir;
	int r = cli_state_dir(c, &dir, e);

	return r < 0 ? r : engine_open(dir, read_only, ret, e);
}

int cli_publish_list(char **specs, size_t n, struct publish **ret, struct err *e)
{
	struct publish *list = calloc(n ? n : 1, sizeof(*list));

	if (!list)
		return err_set(e, ERR_INTERNAL, ENOMEM, "ports");
	for (size_t i = 0; i < n; i++) {
		int r = publish_parse(specs[i], &list[i], e);
		if (r < 0) {
			free(list);
			return r;
		}
	}
	*ret = list;
	return 0;
}

int cli_print_json(json_t *doc)
{
	if (!doc || json_dumpf(doc, stdout, JSON_INDENT(2)) < 0) {
		json_decref(doc);
		return -ENOMEM;
	}
	json_decref(doc);
	putchar('\n');
	return 0;
}

int cli_print(const struct cli_common *c, const struct attachment *a)
{
	char s[PUBLISH_STRLEN > PREFIX_STRLEN ? PUBLISH_STRLEN : PREFIX_STRLEN];
	int has_resolver = 0;

	if (c->quiet)
		return 0;
	if (c->json)
		return cli_print_json(codec_attachment(a));
	printf("%s %s", a->id, a->ifname);
	for (int f = 0; f < N_FAM; f++)
		if (a->addr[f].ip.family)
			printf(" %s", prefix_str(&a->addr[f], s));
	putchar('\n');
	for (int f = 0; f < N_FAM; f++)
		if (a->resolver[f].family)
			printf("%s %s", has_resolver++ ? "" : "resolver",
			       ip_str(&a->resolver[f], s));
	if (has_resolver)
		putchar('\n');
	for (size_t i = 0; i < a->n_publish; i++)
		printf("published %s\n", publish_str(&a->publish[i], s));
	return 0;
}

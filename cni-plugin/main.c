/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main: one call of a container runtime, from environment and standard input to one document on
 * standard output. The name it is called by says which plugin is meant. Standard output gets
 * exactly one document after ADD, VERSION and every failure, and nothing after the rest; standard
 * error gets log lines, which never hold CNI_ARGS.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "cni-plugin/broker.h"
#include "cni-plugin/call.h"
#include "cni-plugin/gojson.h"
#include "sys/privilege.h"

#define STDIN_DEADLINE_MS 30000
#define UID_MAP_HOST "         0          0 4294967295\n"

/* Takes the reference. The text goes out in one write. */
static int print(json_t *doc)
{
	char *text = json_print(doc);
	struct err e = ERR_INIT;
	int r = -1;

	json_decref(doc);
	if (text) {
		size_t len = strlen(text);
		text[len] = '\n';
		r = fd_write_all(1, text, len + 1, &e);
	}
	free(text);
	if (r < 0)
		log_error("cannot write the answer: %s", e.text[0] ? e.text : "no memory");
	return r;
}

/* One line for each failure, and for each call that is part of a trace. */
static void tell(const struct call *c, const struct fault *f)
{
	const char *trace = getenv("TRACEPARENT"), *command = getenv("CNI_COMMAND");
	char shown[64] = "";

	if (!command) /* as it was given, for it may be none that there is */
		command = "";
	if (trace && *trace) {
		snprintf(shown, sizeof(shown), " traceparent=%.50s", trace);
		text_clean(shown, strlen(shown));
	}
	if (f->code)
		log_error("%s %.16s: code %d: %s%s%s%s", c->plugin->name, command, f->code, f->msg,
			  f->details[0] ? ": " : "", f->details, shown);
	else if (shown[0])
		log_info("%s %.16s: done%s", c->plugin->name, command, shown);
}

static int fail(const struct call *c, const struct fault *f)
{
	tell(c, f);
	print(result_fault_json(f, c->conf.has_version ? c->conf.version : V110));
	return 1;
}

/* Standard input to its end, or to a limit. */
static int read_stdin(struct buf *out, struct fault *f)
{
	int r = fd_drain(STDIN_FILENO, clock_ms() + STDIN_DEADLINE_MS, CONF_SIZE_MAX, out);

	switch (r) {
	case 0:
		return 0;
	case -ENOMEM:
		return fault_set(f, FAULT_INTERNAL, "no memory for the configuration");
	case -ETIMEDOUT:
		return fault_set(f, FAULT_IO, "standard input does not end");
	case -EFBIG:
		return fault_set(f, FAULT_DECODE, "the configuration is larger than %zu bytes",
				 CONF_SIZE_MAX);
	default:
		return fault_set(f, FAULT_IO, "cannot read standard input: %s", strerror(-r));
	}
}

static int about(void)
{
	fprintf(stderr,
		CALL_PROGRAM " " NETNS_UP_VERSION ", a CNI plugin of netns-up\n"
			     "It is called by container runtimes, with CNI_COMMAND set.\n"
			     "CNI protocol versions supported: %s\n",
		version_list());
	return 0;
}

/* Answers whatever standard input holds; echoes the version that it asks with. */
static int version(void)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	CLEAN_JSON json_t *doc = NULL;
	enum cni_version says = V110;
	const char *s = "";

	if (read_stdin(&text, NULL) == 0 && gojson_parse(text.p, text.len, &doc, NULL) == 0 &&
	    gojson_str(doc, "", "cniVersion", &s, NULL) == 0 && *s && version_parse(s, &says) < 0)
		says = V110;
	return print(result_version_json(says)) < 0;
}

static int gate(const struct call *c, struct fault *f)
{
	enum cni_version since = c->env.command == CMD_CHECK ? V040 : V110;

	if ((c->env.command != CMD_CHECK && c->env.command != CMD_GC &&
	     c->env.command != CMD_STATUS) ||
	    c->conf.version >= since)
		return 0;
	fault_set(f, FAULT_VERSION, "%s is not part of cniVersion %s",
		  env_command_str(c->env.command), version_str(c->conf.version));
	return fault_details(f, "it came with %s", version_str(since));
}

static int run(struct call *c, struct result *ret, struct fault *f)
{
	const struct plugin *p = c->plugin;

	if (p != &plugin_loopback && !privilege_over_network())
		return broker_run(c, ret, f);
	switch (c->env.command) {
	case CMD_ADD:
		return p->add(c, ret, f);
	case CMD_DEL:
		return p->del ? p->del(c, f) : 0;
	case CMD_CHECK:
		return p->check ? p->check(c, f) : 0;
	case CMD_GC:
		return p->gc ? p->gc(c, f) : 0;
	case CMD_STATUS:
		return p->status ? p->status(c, f) : 0;
	default:
		return 0;
	}
}

/* A foreign plugin may delegate to us by our own name: then we are its IPAM plugin. */
static const struct plugin *choose(const struct plugin *by_name, const struct conf *c)
{
	const struct plugin *by_type = plugin_find(c->type);

	if (by_name && by_name != &plugin_netd)
		return by_name;
	if (by_type && !by_name)
		return by_type;
	if (*c->type && !by_type && strcmp(c->ipam_type, "netd") == 0)
		return &plugin_hostlocal;
	return by_name ? by_name : &plugin_netd;
}

/* What takes away must not fail over a key that was added since. */
static bool is_strict(const struct call *c)
{
	return c->conf.is_strict && c->plugin->keys && c->env.command != CMD_DEL &&
	       c->env.command != CMD_GC;
}

static int prepare(struct call *c, const struct plugin *by_name, bool is_stdin_open,
		   struct fault *f)
{
	CLEAN_BUF struct buf text = BUF_INIT;
	char *taken;

	if (!is_stdin_open)
		return fault_set(f, FAULT_IO, "standard input is closed");
	if (read_stdin(&text, f) < 0)
		return -1;
	taken = text.p;
	text.p = NULL;
	if (conf_parse(taken, text.len, &c->conf, f) < 0)
		return -1;
	c->plugin = choose(by_name, &c->conf);
	if (gate(c, f) < 0)
		return -1;
	if (is_strict(c) && conf_refuse_unknown(c->conf.doc, "", c->plugin->keys, f) < 0)
		return -1;
	if (c->env.command == CMD_ADD || c->env.command == CMD_CHECK)
		return conf_parse_prev(&c->conf, f);
	return 0;
}

/* Root of a user namespace keeps its state where the user's things are. */
static bool is_rootless(void)
{
	CLEAN_FREE char *map = NULL;
	size_t len;

	return fd_read_file(AT_FDCWD, "/proc/self/uid_map", 4096, &map, &len, NULL) == 0 &&
	       strcmp(map, UID_MAP_HOST) != 0;
}

static int state_dir(char out[256], const char **ret, struct fault *f)
{
	const char *dir = getenv("NETNS_UP_STATE_DIR"), *run_dir = getenv("XDG_RUNTIME_DIR");

	*ret = NULL;
	if (dir && *dir) {
		if (dir[0] != '/')
			return fault_set(f, FAULT_ENV,
					 "NETNS_UP_STATE_DIR: expected an absolute path");
		*ret = dir;
	} else if (run_dir && run_dir[0] == '/' && strlen(run_dir) < 200 && is_rootless()) {
		snprintf(out, 256, "%s/netd", run_dir);
		*ret = out;
	}
	return 0;
}

static int serve(const struct plugin *by_name, bool is_stdin_open)
{
	struct call c = {.plugin = by_name ? by_name : &plugin_netd,
			 .started_at = clock_boot_ns(),
			 .conf = CONF_INIT};
	struct result result = RESULT_INIT;
	struct fault f = FAULT_INIT;
	char dir[256];
	int r = env_read(by_name == &plugin_loopback, &c.env, &f);

	if (r == 1)
		return about();
	if (r == 0 && c.env.command == CMD_VERSION)
		return version();
	if (r == 0 && state_dir(dir, &c.state_dir, &f) == 0 &&
	    prepare(&c, by_name, is_stdin_open, &f) == 0 && run(&c, &result, &f) == 0) {
		tell(&c, &f);
		r = c.env.command == CMD_ADD ? print(result_json(&result, c.conf.version)) < 0 : 0;
	} else {
		r = fail(&c, &f);
	}
	result_clear(&result);
	conf_clear(&c.conf);
	return r;
}

int main(int argc, char **argv)
{
	bool is_stdin_open = fcntl(0, F_GETFD) >= 0;
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (fd_fill_stdio() < 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would take a delegate's status away */
	log_setup(CALL_PROGRAM, LOG_LEVEL_INFO);
	json_prepare();
	/* Whatever it is called by: netd knows by it whose changes of the tables are our own. */
	prctl(PR_SET_NAME, CALL_PROGRAM);
	name = name ? name + 1 : argc > 0 ? argv[0] : "";
	return serve(plugin_find(name), is_stdin_open);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: the IPAM plugin that a configuration names, run with the same configuration. */
#include "cni-plugin/exec.h"

#include <string.h>

#include "cni-plugin/delegate.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/ipam.h"

static int run(const struct call *c, enum cni_command command, char **ret, size_t *ret_len,
	       struct fault *f)
{
	struct delegate_call d = {
		.path = c->env.path,
		.type = c->conf.ipam_type,
		.command = command,
		.text = c->conf.text,
		.len = c->conf.len,
		.timeout_ms = c->conf.timeout_ms,
	};

	return delegate_run(&d, ret, ret_len, f);
}

/* A plugin of an older specification does not know the verb, and so has nothing to do. */
static bool is_unknown_verb(enum cni_command command, const struct fault *f)
{
	return (command == CMD_GC || command == CMD_STATUS) &&
	       (f->code == FAULT_ENV || f->code == FAULT_VERSION) &&
	       (strstr(f->msg, "CNI_COMMAND") || strstr(f->msg, "version"));
}

int exec_ipam(const struct call *c, enum cni_command command, struct fault *f)
{
	CLEAN_FREE char *out = NULL;
	struct fault one = FAULT_INIT;
	size_t len;

	if (ipam_kind(&c->conf) != IPAM_OTHER || run(c, command, &out, &len, &one) == 0)
		return 0;
	if (is_unknown_verb(command, &one))
		return 0;
	fault_gather(f, &one);
	return -1;
}

static int take(const struct call *c, const char *out, size_t len, struct result *ret,
		struct fault *f)
{
	CLEAN_JSON json_t *doc = NULL;

	if (gojson_parse(out, len, &doc, f) < 0 ||
	    result_parse(doc, "result", c->conf.version, ret, f) < 0) {
		/* Its words, not the runtime's. */
		char why[sizeof(f->msg)];
		memcpy(why, f->msg, sizeof(why));
		fault_set(f, FAULT_DECODE, "the result of IPAM plugin \"%s\" cannot be read",
			  c->conf.ipam_type);
		return fault_details(f, "%s; it says: \"%.200s\"", why, out);
	}
	if (ret->n_ips == 0)
		return fault_set(f, FAULT_CONFIG, "IPAM plugin \"%s\" returned no address",
				 c->conf.ipam_type);
	return 0;
}

int exec_ipam_add(const struct call *c, struct result *ret, struct fault *f)
{
	CLEAN_FREE char *out = NULL;
	struct fault undo = FAULT_INIT;
	size_t len;

	if (run(c, CMD_ADD, &out, &len, f) < 0) {
		/* Whatever it holds: specification 1.1, section 4. What it says of a thing that
		 * never was is of no interest. */
		exec_ipam(c, CMD_DEL, &undo);
		return -1;
	}
	if (take(c, out, len, ret, f) == 0)
		return 0;
	if (exec_ipam(c, CMD_DEL, &undo) < 0)
		fault_gather(f, &undo);
	return -1;
}

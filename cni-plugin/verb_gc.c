/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_gc: GC: every attachment of this network that the runtime does not name goes, of whichever
 * of our plugins. A list that is absent is an error and never an empty list. Goes on after errors.
 */
#include <stdlib.h>

#include "cni-plugin/exec.h"
#include "cni-plugin/gojson.h"
#include "cni-plugin/verb_add.h"
#include "model/name.h"

static const char *const list_keys[] = {"cni.dev/valid-attachments", "cni.dev/attachments"};

static int parse_one(json_t *v, const char *at, struct attach_name *ret, struct fault *f)
{
	struct attach_name a = {.id = "", .ifname = ""};

	if (!json_is_object(v))
		return gojson_wrong(at, "an object", v, f);
	if (gojson_str(v, at, "containerID", &a.id, f) < 0 ||
	    gojson_str(v, at, "ifname", &a.ifname, f) < 0)
		return -1;
	/* A name that we would refuse cannot be one that we keep. */
	if (name_check_id(a.id, "containerID", NULL) < 0 ||
	    name_check_ifname(a.ifname, "ifname", NULL) < 0)
		return 1;
	*ret = a;
	return 0;
}

static bool is_list(const struct call *c, int which)
{
	json_t *v = gojson_get(c->conf.doc, list_keys[which]);

	return v && !json_is_null(v);
}

int verb_gc_keep(const struct call *c, struct attach_name **ret, size_t *ret_n, struct fault *f)
{
	/* Go sends an empty list as null; the other key may still say more. */
	int which = is_list(c, 0) || !is_list(c, 1) ? 0 : 1;
	char at[GOJSON_PATHLEN];
	struct attach_name *keep;
	json_t *list = NULL, *v;
	size_t i, n = 0;

	if (!gojson_has(c->conf.doc, list_keys[0]) && !gojson_has(c->conf.doc, list_keys[1]))
		return fault_set(f, FAULT_CONFIG, "%s is missing: what is to be kept?",
				 list_keys[0]);
	if (gojson_arr(c->conf.doc, "", list_keys[which], &list, f) < 0)
		return -1;
	keep = calloc(json_array_size(list) + 1, sizeof(*keep));
	if (!keep)
		return fault_set(f, FAULT_INTERNAL, "no memory for the attachments");
	json_array_foreach(list, i, v)
	{
		int r = parse_one(v, gojson_path(at, "", list_keys[which], (long)i), &keep[n], f);
		if (r < 0) {
			free(keep);
			return -1;
		}
		n += r == 0;
	}
	*ret = keep;
	*ret_n = n;
	return 0;
}

static int collect(struct call *c, const struct attach_name *keep, size_t n, struct fault *f)
{
	CLEAN_ENGINE struct engine *g = NULL;
	struct gc_result counts = {0}, rest = {0};
	struct err all = ERR_INIT, e = ERR_INIT;

	if (call_engine(c, false, &g, f) < 0)
		return -1;
	if (engine_gc_network(g, c->conf.name, keep, n, c->started_at, &counts, &all) >= 0)
		err_reset(&all);
	/* What killed calls have left of the host's part goes, what somebody flushed comes back. */
	if (engine_gc_gentle(g, &rest, &e) < 0)
		err_gather(&all, &e);
	if (all.kind != ERR_NONE)
		return call_fault(&all, f);
	/* Removed all the same; but somebody damaged them, and should be told. */
	if (counts.n_broken + rest.n_broken)
		return fault_set(f, FAULT_IO, "%zu records could not be read and were removed",
				 counts.n_broken + rest.n_broken);
	return 0;
}

int verb_gc(struct call *c, struct fault *f)
{
	CLEAN_FREE struct attach_name *keep = NULL;
	struct fault one = FAULT_INIT;
	size_t n = 0;

	if (verb_gc_keep(c, &keep, &n, f) < 0)
		return -1;
	if (collect(c, keep, n, &one) < 0)
		fault_gather(f, &one);
	exec_ipam(c, CMD_GC, f);
	return f->code ? -1 : 0;
}

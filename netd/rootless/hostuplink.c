/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostuplink: the way out of a user's host, and its record: which engine was asked for. It is one
 * for all of his networks, so the first that asks says it for all, until the last one goes; the
 * record is written before the uplink is started, and whoever starts it again goes by it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "rootless/host_int.h"
#include "store/file.h"

/* ---- the record ---- */

static int load(struct host *h, struct uplink_record *ret, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	CLEAN_JSON json_t *doc = NULL;
	const char *engine = "";
	size_t len;
	int r = file_get(h->fd, UPLINK_FILE, &line, &len, e);

	*ret = (struct uplink_record){0};
	if (r == 1)
		return 0;
	if (r == 0)
		r = json_parse(line, len, &doc, e);
	if (r == 0)
		r = json_get_str(doc, "", "engine", JSON_REQUIRED, &engine, e);
	if (r == 0 && engine[0] && strcmp(engine, "tap") != 0 && strcmp(engine, "relay") != 0)
		r = err_set(e, ERR_PROTOCOL, 0, "engine: neither tap nor relay");
	if (r < 0)
		return err_ctx(e, r, "record of the uplink");
	(void)snprintf(ret->engine, sizeof(ret->engine), "%s", engine);
	return 0;
}

static int save(struct host *h, const struct uplink_record *u, struct err *e)
{
	CLEAN_JSON json_t *doc = json_pack("{s:s}", "engine", u->engine);
	CLEAN_FREE char *line = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!line)
		return err_set(e, ERR_INTERNAL, ENOMEM, "record of the uplink");
	return err_ctx(e, file_put(h->fd, UPLINK_FILE, line, strlen(line), false, e),
		       "record of the uplink");
}

static int ask_for(struct host *h, const char *engine, struct uplink_record *u, struct err *e)
{
	if (!engine || strcmp(u->engine, engine) == 0)
		return 0;
	if (u->engine[0])
		return err_set(e, ERR_CONFLICT, EEXIST,
			       "your networks have one way out, for which the %s engine was asked "
			       "for already",
			       u->engine);
	h->before = *u;
	(void)snprintf(u->engine, sizeof(u->engine), "%s", engine);
	h->is_changed = true;
	return save(h, u, e);
}

void host_uplink_unask(struct host *h)
{
	if (h->is_changed)
		(void)save(h, &h->before, NULL);
	h->is_changed = false;
}

/* ---- the process ---- */

static int up(struct host *h, const char *engine, struct err *e)
{
	char path[40];
	struct rootless_state s = {0};
	struct rootless_request q = {.id = UPLINK_ID,
				     .ifname = UPLINK_IFNAME,
				     .path = path,
				     .netns_dev = h->keep.record.netns_dev,
				     .netns_ino = h->keep.record.netns_ino,
				     .engine = engine,
				     .end_fd = h->keep.pipe_fd};
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)h->keep.pid);
	r = rootless_up(h->uplink, &q, &s, e);
	rootless_state_clear(&s);
	return r;
}

int host_uplink(struct host *h, const char *engine, struct err *e)
{
	struct uplink_record u;
	int r = load(h, &u, e);

	if (r == 0)
		r = ask_for(h, engine, &u, e);
	if (r == 0)
		r = up(h, u.engine[0] ? u.engine : NULL, e);
	if (r < 0) {
		host_uplink_unask(h);
		return err_ctx(e, r, "uplink of the user's networks");
	}
	if (r == 1)
		return 0;
	(void)hostports_again(h, e);
	return 1;
}

bool host_uplink_state(struct host *h, struct rootless_state *ret)
{
	return rootless_get(h->uplink, UPLINK_ID, UPLINK_IFNAME, ret, NULL) == 0;
}

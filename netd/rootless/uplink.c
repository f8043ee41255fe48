/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uplink: the record, as one JSON object. What it says of a process is looked at by who reads it.
 */
#include "rootless/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "store/file.h"

static int parse(json_t *doc, struct uplink_record *ret, struct err *e)
{
	const char *engine = "";
	uint64_t pid = 0, start = 0, names_pid = 0, names_start = 0;
	int r = json_get_str(doc, "", "engine", JSON_REQUIRED, &engine, e);

	if (r == 0)
		r = json_get_u64(doc, "", "pid", JSON_REQUIRED, 0, INT32_MAX, &pid, e);
	if (r == 0)
		r = json_get_u64(doc, "", "start", JSON_REQUIRED, 0, INT64_MAX, &start, e);
	/* Not there: written by a former version. */
	if (r == 0)
		r = json_get_u64(doc, "", "names_pid", JSON_OPTIONAL, 0, INT32_MAX, &names_pid, e);
	if (r >= 0)
		r = json_get_u64(doc, "", "names_start", JSON_OPTIONAL, 0, INT64_MAX, &names_start,
				 e);
	if (r >= 0 && engine[0] && strcmp(engine, "tap") != 0 && strcmp(engine, "relay") != 0)
		r = json_bad("", "engine", e, "neither tap nor relay");
	if (r < 0)
		return r;
	(void)snprintf(ret->engine, sizeof(ret->engine), "%s", engine);
	ret->pid = (int32_t)pid;
	ret->start = start;
	ret->names_pid = (int32_t)names_pid;
	ret->names_start = names_start;
	return 0;
}

int uplink_load(int dir_fd, struct uplink_record *ret, struct err *e)
{
	CLEAN_FREE char *line = NULL;
	CLEAN_JSON json_t *doc = NULL;
	struct uplink_record u = {0};
	size_t len;
	int r = file_get(dir_fd, UPLINK_FILE, &line, &len, e);

	if (r == 0)
		r = json_parse(line, len, &doc, e);
	if (r == 0)
		r = parse(doc, &u, e);
	if (r < 0)
		return err_ctx(e, r, "record of the uplink");
	*ret = u;
	return r;
}

int uplink_save(int dir_fd, const struct uplink_record *u, struct err *e)
{
	CLEAN_JSON json_t *doc =
		json_pack("{s:s,s:i,s:I,s:i,s:I}", "engine", u->engine, "pid", (int)u->pid, "start",
			  (json_int_t)u->start, "names_pid", (int)u->names_pid, "names_start",
			  (json_int_t)u->names_start);
	CLEAN_FREE char *line = json_print(doc);

	if (!line)
		return err_set(e, ERR_INTERNAL, ENOMEM, "record of the uplink");
	return err_ctx(e, file_put(dir_fd, UPLINK_FILE, line, strlen(line), false, e),
		       "record of the uplink");
}

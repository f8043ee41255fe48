/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask: values to calls, answers to attachments. Who may do what is the daemon's to say. */
#include "broker/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "broker/client.h"
#include "model/codec.h"

_Static_assert(ASK_ALIAS_MAX == CALL_ALIAS_MAX && ASK_ALIAS_BYTES == CALL_ALIAS_BYTES,
	       "what is taken is what a request holds");

static int set_name(char *to, size_t size, const char *from, struct err *e)
{
	size_t len = strlen(from);

	if (len >= size)
		return err_set(e, ERR_USAGE, 0, "%.100s: too long a name for netd", from);
	memcpy(to, from, len + 1);
	return 0;
}

static int set_call(struct call *c, enum call_verb verb, const char *id, const char *ifname,
		    struct err *e)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->magic = CALL_MAGIC;
	c->verb = verb;
	r = set_name(c->id, sizeof(c->id), id, e);
	return r < 0 ? r : set_name(c->ifname, sizeof(c->ifname), ifname, e);
}

static int set_ports(struct call *c, const struct publish *p, size_t n, struct err *e)
{
	if (n > CALL_PUBLISH_MAX)
		return err_set(e, ERR_UNSUPPORTED, 0, "more than %d runs of ports at once",
			       CALL_PUBLISH_MAX);
	if (n)
		memcpy(c->publish, p, n * sizeof(*p));
	c->n_publish = (uint32_t)n;
	return publish_check_list(p, n, e);
}

static void set_rate(struct call *c, unsigned which, const uint64_t *rate)
{
	if (!rate)
		return;
	c->rate[which] = *rate;
	c->rate_set |= 1u << which;
}

static int ask(const struct call *c, const int *fds, size_t n_fds, json_t **ret, struct err *e)
{
	return client_call(getenv("NETNS_UP_SOCKET"), c, fds, n_fds, ret, e);
}

static int parse(json_t *doc, struct attachment **ret, struct err *e)
{
	int r = codec_parse_attachment(doc, ret, e);

	return r < 0 ? err_ctx(e, r, "answer of netd") : 0;
}

int ask_attach(const struct ask_attach *q, struct attachment **ret, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	int fds[CALL_PASSED_MAX] = {q->netns_fd, q->pidfd};
	struct call c;
	int r = set_call(&c, CALL_ATTACH, q->id, q->ifname, e);

	if (r >= 0)
		r = set_name(c.network, sizeof(c.network), q->network, e);
	if (r >= 0)
		r = set_ports(&c, q->publish, q->n_publish, e);
	for (size_t i = 0; r >= 0 && i < q->n_alias; i++)
		r = call_add_alias(&c, q->alias[i], e);
	if (r < 0)
		return r;
	c.ip[FAM4] = q->ip[FAM4];
	c.ip[FAM6] = q->ip[FAM6];
	c.mac = q->mac;
	c.mtu = q->mtu;
	set_rate(&c, CALL_RATE_IN, q->rate_in ? &q->rate_in : NULL);
	set_rate(&c, CALL_RATE_OUT, q->rate_out ? &q->rate_out : NULL);
	r = ask(&c, fds, q->pidfd >= 0 ? 2 : 1, &answer, e);
	return r != 0 ? r : parse(json_object_get(answer, "attachment"), ret, e);
}

int ask_detach(const char *id, const char *ifname, bool *ret_was, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, CALL_DETACH, id, ifname, e);

	if (r >= 0)
		r = ask(&c, NULL, 0, &answer, e);
	if (r == 0)
		*ret_was = json_is_true(json_object_get(answer, "was"));
	return r;
}

int ask_publish(const char *id, const char *ifname, bool is_off, const struct publish *p, size_t n,
		struct attachment **ret, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, is_off ? CALL_UNPUBLISH : CALL_PUBLISH, id, ifname, e);

	if (r >= 0)
		r = set_ports(&c, p, n, e);
	if (r >= 0)
		r = ask(&c, NULL, 0, &answer, e);
	return r != 0 ? r : parse(json_object_get(answer, "attachment"), ret, e);
}

int ask_limit(const char *id, const char *ifname, const uint64_t *rate_in, const uint64_t *rate_out,
	      struct attachment **ret, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, CALL_LIMIT, id, ifname, e);

	set_rate(&c, CALL_RATE_IN, rate_in);
	set_rate(&c, CALL_RATE_OUT, rate_out);
	if (r >= 0)
		r = ask(&c, NULL, 0, &answer, e);
	return r != 0 ? r : parse(json_object_get(answer, "attachment"), ret, e);
}

struct lister {
	int (*fn)(const struct attachment *a, void *arg, struct err *e);
	int (*counted)(const struct attachment *a, const uint64_t *flows, void *arg, struct err *e);
	void *arg;
};

static int see_one(const struct lister *l, json_t *doc, struct call *c, struct err *e)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_FREE uint64_t *flows = NULL;
	int r = parse(doc, &a, e);

	if (r < 0)
		return r;
	memset(c->after, 0, sizeof(c->after));
	name_key(a->id, a->ifname, c->after);
	if (!l->counted)
		return l->fn(a, l->arg, e);
	flows = calloc(a->n_publish + 1, sizeof(*flows));
	if (!flows)
		return err_set(e, ERR_INTERNAL, ENOMEM, "answer of netd");
	r = codec_get_flows(doc, flows, a->n_publish, e);
	return r < 0 ? err_ctx(e, r, "answer of netd") : l->counted(a, flows, l->arg, e);
}

/* Each page begins after the last one's end, which c->after is then. */
static int see_page(json_t *list, struct call *c, bool is_more, const struct lister *l,
		    struct err *e)
{
	char before[KEY_STRLEN];
	int r = 0;

	memcpy(before, c->after, sizeof(before));
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		r = see_one(l, json_array_get(list, i), c, e);
		r = r < 0 ? r : 0;
	}
	if (r == 0 && is_more && strcmp(c->after, before) <= 0)
		return err_set(e, ERR_PROTOCOL, 0, "answer of netd: a list without end");
	return r;
}

static int list(const struct lister *l, struct err *e)
{
	struct call c;
	bool is_more = true;
	int r = set_call(&c, CALL_LIST, "", "", e);

	c.is_paged = 1;
	c.is_counted = l->counted != NULL;
	while (r == 0 && is_more) {
		CLEAN_JSON json_t *answer = NULL;
		struct err why = ERR_INIT;

		r = ask(&c, NULL, 0, &answer, &why);
		/* A netd that was started before it could count. */
		if (r < 0 && why.kind == ERR_PROTOCOL && c.is_counted) {
			c.is_counted = 0;
			r = 0;
			continue;
		}
		if (r < 0 && e)
			*e = why;
		is_more = json_is_true(json_object_get(answer, "more"));
		if (r == 0)
			r = see_page(json_object_get(answer, "attachments"), &c, is_more, l, e);
	}
	return r;
}

int ask_list(int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
	     struct err *e)
{
	const struct lister l = {.fn = fn, .arg = arg};

	return list(&l, e);
}

int ask_flows(int (*fn)(const struct attachment *a, const uint64_t *flows, void *arg,
			struct err *e),
	      void *arg, struct err *e)
{
	const struct lister l = {.counted = fn, .arg = arg};

	return list(&l, e);
}

int ask_metrics(char **ret, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	const char *text;
	struct call c;
	int r = set_call(&c, CALL_METRICS, "", "", e);

	if (r >= 0)
		r = ask(&c, NULL, 0, &answer, e);
	if (r != 0)
		return r;
	r = json_get_str(answer, "", "metrics", JSON_REQUIRED, &text, e);
	if (r < 0)
		return err_ctx(e, r, "answer of netd");
	*ret = strdup(text);
	return *ret ? 0 : err_set(e, ERR_INTERNAL, ENOMEM, "answer of netd");
}

int ask_status(struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, CALL_STATUS, "", "", e);

	return r < 0 ? r : ask(&c, NULL, 0, &answer, e);
}

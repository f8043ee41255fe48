/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon: command lines to requests, answers to attachments. Who may do what is netd's to say. */
#include "cli/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "broker/client.h"
#include "model/codec.h"

static const char *socket_path(void)
{
	return getenv("NETNS_UP_SOCKET");
}

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
	return 0;
}

static int get_attachment(json_t *answer, struct attachment **ret, struct err *e)
{
	int r = codec_parse_attachment(json_object_get(answer, "attachment"), ret, e);

	return r < 0 ? err_ctx(e, r, "answer of netd") : 0;
}

/* What slirp-lite would do no better, or would only hide. */
static bool is_final(const struct err *e)
{
	return e->kind == ERR_CONFLICT || e->kind == ERR_USAGE;
}

static int request(const struct attach_opts *o, const struct target *t, struct call *c,
		   struct err *e)
{
	int r = set_call(c, CALL_ATTACH, o->name ? o->name : t->id, o->ifname ? o->ifname : "eth0",
			 e);

	if (r >= 0)
		r = set_name(c->network, sizeof(c->network),
			     o->network ? o->network : NETWORK_DEFAULT, e);
	if (r >= 0)
		r = publish_check_list(o->publish, o->n_publish, e);
	if (r >= 0)
		r = set_ports(c, o->publish, o->n_publish, e);
	c->ip[FAM4] = o->ip[FAM4];
	c->ip[FAM6] = o->ip[FAM6];
	c->mac = o->mac;
	c->mtu = o->mtu;
	return r;
}

int daemon_up(const struct attach_opts *o, const struct target *t, int32_t pid, struct err *why,
	      struct err *e)
{
	CLEAN_FD int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_JSON json_t *answer = NULL;
	int fds[2] = {t->fd, pidfd};
	struct call c;
	int r;

	if (o->n_loopback) {
		err_set(why, ERR_UNSUPPORTED, 0, "--host-loopback is not netd's");
		return 1;
	}
	if (attach_rate_is_set(&o->rate)) {
		err_set(why, ERR_UNSUPPORTED, 0, "--rate-in and --rate-out are not netd's");
		return 1;
	}
	r = request(o, t, &c, why);
	if (r >= 0)
		r = client_call(socket_path(), &c, fds, pidfd >= 0 ? 2 : 1, &answer, why);
	if (r == 1)
		err_set(why, ERR_ABSENT, 0, "netd does not run");
	if (r != 0) {
		if (r > 0 || !is_final(why))
			return 1;
		*e = *why;
		return r;
	}
	r = get_attachment(answer, &a, e);
	return r < 0 ? r : cli_print(&o->common, a);
}

static int each(json_t *list, const char *id, const char *ifname,
		int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
		struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		CLEAN_ATTACHMENT struct attachment *a = NULL;
		int r = codec_parse_attachment(json_array_get(list, i), &a, e);

		if (r < 0)
			return err_ctx(e, r, "answer of netd");
		if ((id && strcmp(a->id, id) != 0) || (ifname && strcmp(a->ifname, ifname) != 0))
			continue;
		r = fn(a, arg, e);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

int daemon_each(const char *id, const char *ifname,
		int (*fn)(const struct attachment *a, void *arg, struct err *e), void *arg,
		struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, CALL_LIST, "", "", e);

	if (r >= 0)
		r = client_call(socket_path(), &c, NULL, 0, &answer, e);
	if (r != 0)
		return r < 0 ? r : 0;
	return each(json_object_get(answer, "attachments"), id, ifname, fn, arg, e);
}

int daemon_down(const char *id, const char *ifname, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct call c;
	int r = set_call(&c, CALL_DETACH, id, ifname, e);

	if (r >= 0)
		r = client_call(socket_path(), &c, NULL, 0, &answer, e);
	if (r != 0)
		return r;
	return json_is_true(json_object_get(answer, "was")) ? 0 : 1;
}

int daemon_ports(const char *id, const char *ifname, bool is_off, const struct publish *p, size_t n,
		 struct attachment **ret, struct err *e)
{
	CLEAN_JSON json_t *answer = NULL;
	struct err why = ERR_INIT;
	struct call c;
	int r = set_call(&c, is_off ? CALL_UNPUBLISH : CALL_PUBLISH, id, ifname, e);

	if (r >= 0)
		r = set_ports(&c, p, n, e);
	if (r < 0)
		return r;
	r = client_call(socket_path(), &c, NULL, 0, &answer, &why);
	if (r == 1 || (r < 0 && why.kind == ERR_ABSENT))
		return 1;
	if (r < 0) {
		*e = why;
		return r;
	}
	return get_attachment(answer, ret, e);
}

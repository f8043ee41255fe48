/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pesto: one request, one answer. It binds nothing and knows no ports but those it was told.
 */
#include "proc/pesto.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/opt.h"
#include "proc/pasta_ports.h"

#define ANSWER_MS 15000
#define ANSWER_MAX ((size_t)8 << 20) /* of a request of PUBLISH_MAX runs, a few are needed */

static int set_verb(struct pesto *p, const char *verb, struct err *e)
{
	if (p->verb && p->verb != verb)
		return err_invalid(e, ERR_USAGE, "expected --add or --delete, not both");
	p->verb = verb;
	return 0;
}

static int set_add(void *into, const char *value, struct err *e)
{
	(void)value;
	return set_verb(into, "publish", e);
}

static int set_delete(void *into, const char *value, struct err *e)
{
	(void)value;
	return set_verb(into, "unpublish", e);
}

static int add_spec(struct pesto *p, const char *value, uint8_t proto, struct err *e)
{
	enum pasta_ports kind;
	int r = pasta_ports_parse(value, proto, &p->ports, &kind, e);

	if (r == 0 && kind != PASTA_PORTS_RUNS)
		return err_invalid(e, ERR_USAGE, "expected ports, found \"%s\"", value);
	return r;
}

static int set_tcp(void *into, const char *value, struct err *e)
{
	((struct pesto *)into)->has_tcp = true;
	return add_spec(into, value, IPPROTO_TCP, e);
}

static int set_udp(void *into, const char *value, struct err *e)
{
	((struct pesto *)into)->has_udp = true;
	return add_spec(into, value, IPPROTO_UDP, e);
}

static int set_version(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct pesto *)into)->is_version = true;
	return 0;
}

static const struct opt table[] = {
	{'A', "add", NULL, "publish the ports", set_add},
	{'D', "delete", NULL, "take them back", set_delete},
	{'t', "tcp-ports", "SPEC", "TCP ports: [ADDR/]A[-B][:C[-D]],...", set_tcp},
	{'u', "udp-ports", "SPEC", "UDP ports", set_udp},
	{0, "version", NULL, "print the version", set_version},
	{0},
};

static const struct opt_verb verb = {
	.name = "pesto",
	.operands = "[SPEC]... SOCKET",
	.summary = "Publishes ports at a running pasta, or takes them back; all or nothing.",
	.notes = "SPEC before SOCKET is of the protocol of the one option -t or -u.",
	.opts = table,
	.max_operands = (size_t)-1,
};

bool pesto_is_name(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && strstr(slash ? slash + 1 : argv0, "pesto");
}

static int check(struct pesto *p, size_t n, char **argv, struct err *e)
{
	int r = 0;

	if (n > 1 && p->has_tcp == p->has_udp)
		return err_invalid(e, ERR_USAGE, "\"%.80s\": of which protocol?", argv[1]);
	for (size_t i = 1; r == 0 && i < n; i++)
		r = err_ctx(e, add_spec(p, argv[i], p->has_tcp ? IPPROTO_TCP : IPPROTO_UDP, e),
			    "\"%.80s\"", argv[i]);
	if (r < 0)
		return r;
	if (!p->verb)
		return err_invalid(e, ERR_USAGE, "expected --add or --delete");
	if (n == 0 || p->ports.n == 0)
		return err_invalid(e, ERR_USAGE, "expected %s; see \"pesto --help\"",
				   n == 0 ? "SOCKET" : "ports by -t or -u");
	p->socket = argv[n];
	if (strlen(p->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_invalid(e, ERR_USAGE, "\"%.80s\" is too long for a socket", p->socket);
	return publish_check_list(p->ports.p, p->ports.n, e);
}

int pesto_parse(int argc, char **argv, struct pesto *ret, struct err *e)
{
	struct pesto p = {0};
	size_t n;
	int r = opt_parse(&verb, argc, argv, &p, &n, e);

	p.is_help = r == 1;
	if (r == 0 && !p.is_version)
		r = check(&p, n, argv, e);
	if (r < 0) {
		publish_list_clear(&p.ports);
		return r;
	}
	*ret = p;
	return 0;
}

char *pesto_request(const struct pesto *p)
{
	CLEAN_JSON json_t *list = json_array();
	CLEAN_JSON json_t *top = NULL;
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < p->ports.n; i++)
		if (json_array_append_new(list, json_string(publish_str(&p->ports.p[i], text))) < 0)
			return NULL;
	top = json_pack("{s:s,s:{s:O}}", "execute", p->verb, "arguments", "ports", list);
	return json_print(top);
}

int pesto_answer(const char *text, size_t len, struct err *e)
{
	CLEAN_JSON json_t *top = NULL;
	const char *desc = "", *detail = "";
	json_t *error = NULL;
	int r = json_parse(text, len, &top, e);

	if (r < 0)
		return err_ctx(e, r, "answer");
	if (json_object_get(top, "return"))
		return 0;
	error = json_object_get(top, "error");
	if (!error)
		return err_invalid(e, ERR_PROTOCOL, "answer: neither \"return\" nor \"error\"");
	(void)json_get_str(error, "", "desc", JSON_OPTIONAL, &desc, NULL);
	(void)json_get_str(error, "", "detail", JSON_OPTIONAL, &detail, NULL);
	return err_invalid(e, ERR_CONFLICT, "%s%s%s", *desc || *detail ? desc : "refused",
			   *desc && *detail ? ": " : "", detail);
}

static int dial(const char *path, int *ret, struct err *e)
{
	CLEAN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, errno, "%s", path);
	*ret = fd_take(&fd);
	return 0;
}

static int run(const struct pesto *p, struct err *e)
{
	CLEAN_FREE char *request = pesto_request(p);
	CLEAN_BUF struct buf answer = BUF_INIT;
	CLEAN_FD int fd = -1;
	size_t at = 0, len;
	int r;

	if (!request)
		return err_sys(e, ENOMEM, "request");
	r = dial(p->socket, &fd, e);
	len = strlen(request);
	while (r == 0 && at < len) {
		ssize_t n = send(fd, request + at, len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			r = err_sys(e, errno, "%s", p->socket);
		else if (n > 0)
			at += (size_t)n;
	}
	if (r == 0 && shutdown(fd, SHUT_WR) < 0)
		r = err_sys(e, errno, "%s", p->socket);
	if (r < 0)
		return r;
	r = fd_drain(fd, clock_ms() + ANSWER_MS, ANSWER_MAX, &answer);
	return r < 0 ? err_sys(e, -r, "answer") : pesto_answer(answer.p, answer.len, e);
}

static void print_help(void)
{
	struct opt_verb v = verb;

	v.name = "";
	opt_help("pesto", &v);
}

int pesto_main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct pesto p = {0};
	int r;

	log_setup("pesto", LOG_LEVEL_INFO);
	r = pesto_parse(argc, argv, &p, &e);
	if (r == 0 && p.is_help)
		print_help();
	else if (r == 0 && p.is_version)
		printf("pesto %s (slirp-lite)\n", NETNS_UP_VERSION);
	else if (r == 0)
		r = run(&p, &e);
	if (r < 0)
		log_error("%s", e.text);
	publish_list_clear(&p.ports);
	return r < 0;
}

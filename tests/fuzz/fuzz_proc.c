/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_proc: what slirp-lite's supervisor reads from others. The first byte chooses: a resolv.conf,
 * a subuid file, or a request to the control socket, in pieces of a size that the byte gives. Every
 * client that said something gets one JSON object and the end.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/ctl.h"
#include "proc/nameservers.h"
#include "sys/userns.h"

#include "fuzz.h"

static uint64_t asked;

static bool request(void *arg, uint64_t id, const char *verb, json_t *arguments)
{
	(void)arg;
	(void)arguments;
	if (*verb == 'x')
		return false;
	asked = id;
	return true;
}

static uint32_t index_of(const char *name)
{
	return (uint32_t)strlen(name);
}

static void nameservers(const char *text, size_t len)
{
	struct resolvers r;

	nameservers_parse(text, len, index_of, &r);
	MUST(r.n <= RESOLVERS_MAX);
	for (size_t i = 0; i < r.n; i++) {
		MUST(ip_size(&r.ip[i]) > 0);
		MUST(!ip_is_any(&r.ip[i]) && !ip_is_multicast(&r.ip[i]));
		MUST((r.scope[i] != 0) ==
		     (r.ip[i].family == AF_INET6 && ip_is_link_local(&r.ip[i])));
	}
	MUST(nameservers_equal(&r, &r));
}

static void subids(const char *text, size_t len)
{
	struct subids s;

	if (userns_find_subids(text, len, "user", 1000, &s)) {
		MUST(s.first > 0 && s.count > 0);
		MUST((uint64_t)s.first + s.count <= UINT32_MAX);
	}
}

/* The listener, and a client of it. */
static int make_pair(int *ret_listener)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	sa_family_t unix_family = AF_UNIX;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* A name of the kernel's choice (unix(7), autobind). */
	MUST(bind(listener, (struct sockaddr *)&unix_family, sizeof(unix_family)) == 0);
	MUST(listen(listener, 8) == 0);
	MUST(getsockname(listener, (struct sockaddr *)&sa, &len) == 0);
	MUST(connect(client, (struct sockaddr *)&sa, len) == 0);
	*ret_listener = listener;
	return client;
}

static void serve(struct ctl *c)
{
	struct pollfd p[CTL_N_POLL];

	(void)ctl_poll(c, p);
	while (poll(p, CTL_N_POLL, 0) > 0) {
		ctl_serve(c, p, clock_ms());
		if (asked) {
			ctl_answer_text(c, asked, "ok\n");
			asked = 0;
		}
		(void)ctl_poll(c, p);
	}
}

static void control(const char *text, size_t len, size_t piece)
{
	const struct ctl_ops ops = {.request = request};
	char answer[4096];
	struct ctl *c;
	int listener, client = make_pair(&listener);
	size_t got = 0;
	ssize_t n;

	MUST(ctl_new(listener, &ops, &c, NULL) == 0);
	for (size_t at = 0; at < len; at += piece) {
		/* An answer may come before the end of what is said. */
		(void)send(client, text + at, len - at < piece ? len - at : piece, MSG_NOSIGNAL);
		serve(c);
	}
	(void)shutdown(client, SHUT_WR);
	serve(c);
	while (got < sizeof(answer) &&
	       (n = recv(client, answer + got, sizeof(answer) - got, 0)) > 0)
		got += (size_t)n;
	if (len > 0) {
		/* HTTP is answered as such. */
		json_t *o = got > 5 && memcmp(answer, "HTTP/", 5) == 0
				    ? json_object()
				    : json_loadb(answer, got, JSON_REJECT_DUPLICATES, NULL);

		/* Reset: we said more than was asked for, which is thrown away with the answer. */
		MUST(json_is_object(o) || (n < 0 && errno == ECONNRESET));
		json_decref(o);
	}
	close(client);
	serve(c);
	ctl_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		nameservers(text, size - 1);
		break;
	case 1:
		subids(text, size - 1);
		break;
	default:
		control(text, size - 1, 1 + data[0] / 4);
	}
	return 0;
}

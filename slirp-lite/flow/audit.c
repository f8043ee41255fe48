/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit: places by a keyed hash of the destination, each with what was said there last. */
#include "flow/audit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "flow/siphash.h"

struct place {
	bool is_used;
	uint64_t said;
};

struct audit {
	void (*say)(void *arg, const char *line);
	void *arg;
	struct siphash_key key;
	struct place place[AUDIT_PLACES];
};

int audit_new(void (*say)(void *arg, const char *line), void *arg, struct audit **ret,
	      struct err *e)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ERR_INTERNAL, ENOMEM, "audit");
	if (getrandom(&a->key, sizeof(a->key), 0) != (ssize_t)sizeof(a->key)) {
		free(a);
		return err_sys(e, EIO, "random secret");
	}
	a->say = say;
	a->arg = arg;
	*ret = a;
	return 0;
}

void audit_free(struct audit *a)
{
	free(a);
}

static const char *name_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "ping";
}

void audit_refused(struct audit *a, uint8_t proto, const struct ip *from, const struct ip *to,
		   uint16_t port, uint64_t now)
{
	uint8_t key[sizeof(to->b) + 4] = {proto, (uint8_t)(port >> 8), (uint8_t)port,
					  to->family == AF_INET6};
	char line[AUDIT_STRLEN], s[IP_STRLEN], t[IP_STRLEN], end[16] = "";
	const char *open = "", *close = "";
	struct place *p;

	if (!a)
		return;
	memcpy(key + 4, to->b, ip_size(to));
	p = &a->place[siphash(&a->key, key, sizeof(key)) % AUDIT_PLACES];
	if (p->is_used && now - p->said < AUDIT_MS)
		return;
	p->is_used = true;
	p->said = now;
	if (port) {
		open = to->family == AF_INET6 ? "[" : "";
		close = to->family == AF_INET6 ? "]" : "";
		snprintf(end, sizeof(end), ":%u", port);
	}
	snprintf(line, sizeof(line), "refused %s %s to %s%s%s%s", name_of(proto), ip_str(from, s),
		 open, ip_str(to, t), close, end);
	a->say(a->arg, line);
}

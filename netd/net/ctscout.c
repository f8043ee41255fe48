/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctscout: reads the kernel's text form of the connection table. A line is
 *     ipv6 10 udp 17 28 src=A dst=A sport=N dport=N [UNREPLIED] src=A dst=A sport=N dport=N ...
 * the first dport being that of the original direction. It decides nothing alone: what it may have
 * seen is looked at again in a dump, by addresses and state. Read nf_conntrack_standalone.c.
 */
#include "net/ctscout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"

#define PATH "/proc/self/net/nf_conntrack"
/* So many lines cost about as much to write and read as a dump of the table. */
#define FLOWS_MAX 2000
/* A line is shorter than 512 bytes. */
#define CHUNK ((size_t)8 * 1024)
/* The kernel fills a page (4,096 bytes at least) with lines while it has more. */
#define LAST_BYTES 3072

/* The next word of a line; empty at its end. */
static size_t word(const char **at, const char *end, const char **ret)
{
	while (*at < end && **at == ' ')
		(*at)++;
	*ret = *at;
	while (*at < end && **at != ' ')
		(*at)++;
	return (size_t)(*at - *ret);
}

static bool is_of(const struct publish *p, size_t n, uint64_t proto, uint64_t port)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].proto == proto && port >= p[i].host_port &&
		    port < (uint64_t)p[i].host_port + p[i].count)
			return true;
	return false;
}

static bool sees_line(const char *at, const char *end, const struct publish *p, size_t n)
{
	static const char key[] = "dport=";
	const char *w = NULL;
	uint64_t proto, port;
	size_t len = 0;

	for (int i = 0; i < 4; i++) /* ipv6 10 udp 17 */
		len = word(&at, end, &w);
	if (parse_u64_n(w, len, 0, 255, &proto) < 0)
		return true;
	while ((len = word(&at, end, &w)) > 0) {
		if (len <= sizeof(key) - 1 || memcmp(w, key, sizeof(key) - 1) != 0)
			continue;
		if (parse_u64_n(w + sizeof(key) - 1, len - (sizeof(key) - 1), 0, 65535, &port) < 0)
			return true;
		return is_of(p, n, proto, port);
	}
	return false; /* a protocol without ports */
}

bool ctscout_sees_text(const char *text, size_t n_bytes, const struct publish *p, size_t n)
{
	const char *end = text + n_bytes;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		if (!nl)
			return true;
		if (sees_line(text, nl, p, n))
			return true;
		text = nl + 1;
	}
	return false;
}

bool ctscout_sees(const struct publish *p, size_t n, int count)
{
	CLEAN_FD int fd = -1;
	char buf[CHUNK];
	size_t used = 0;

	if (count < 0 || count > FLOWS_MAX)
		return true;
	fd = open(PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	for (;;) {
		ssize_t got = read(fd, buf + used, sizeof(buf) - used);
		char *last;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return true;
		used += (size_t)got;
		if (got == 0)
			return used > 0; /* a line without an end */
		last = memrchr(buf, '\n', used);
		if (!last) {
			if (used == sizeof(buf))
				return true;
			continue;
		}
		size_t whole = (size_t)(last + 1 - buf);
		if (ctscout_sees_text(buf, whole, p, n))
			return true;
		used -= whole;
		/* One more read would walk the whole table to tell the end. */
		if (got < LAST_BYTES && used == 0)
			return false;
		memmove(buf, buf + whole, used);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv: reads the host's resolver configuration and prints the part that holds in a container.
 * Nothing is copied: addresses go through inet_pton and inet_ntop, other tokens through a check of
 * their characters. Never writes a file. Read resolv.conf(5); RFC 4291 section 2.5 for the kinds of
 * IPv6 addresses, RFC 1123 section 2.1 for names.
 */
#include "sys/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

#define NAME_LEN_MAX 254 /* a domain name in text, with a final dot */
#define OPTION_LEN_MAX 40

struct slice {
	const char *p;
	size_t len;
};

struct parsed {
	struct buf servers, search, options;
	size_t n_servers;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice next_token(struct slice *line)
{
	struct slice t;

	while (line->len > 0 && is_blank(line->p[0])) {
		line->p++;
		line->len--;
	}
	t.p = line->p;
	t.len = 0;
	while (t.len < line->len && !is_blank(t.p[t.len]))
		t.len++;
	line->p += t.len;
	line->len -= t.len;
	return t;
}

static bool slice_is(struct slice s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

static bool in4_usable(struct in_addr a)
{
	uint32_t v = ntohl(a.s_addr);

	/* 0.0.0.0/8 means this host; 224.0.0.0 and above is no host's address. */
	return v >> 24 != 0 && v >> 24 != 127 && v >> 28 < 0xe;
}

static bool in6_usable(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a)) {
		struct in_addr v4;

		memcpy(&v4, a->s6_addr + 12, sizeof(v4));
		return in4_usable(v4);
	}
	return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a) &&
	       !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LINKLOCAL(a);
}

/* A scope ("%eth0") makes inet_pton fail, as it should: only link-local addresses have one. */
static void add_server(struct parsed *to, struct slice t)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;

	if (t.len == 0 || t.len >= sizeof(text) || memchr(t.p, '\0', t.len))
		return;
	memcpy(text, t.p, t.len);
	text[t.len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1) {
		if (!in4_usable(v4))
			return;
		inet_ntop(AF_INET, &v4, text, sizeof(text));
	} else if (inet_pton(AF_INET6, text, &v6) == 1) {
		if (!in6_usable(&v6))
			return;
		inet_ntop(AF_INET6, &v6, text, sizeof(text));
	} else {
		return;
	}
	buf_printf(&to->servers, "nameserver %s\n", text);
	to->n_servers++;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A domain name, or the root alone, which is how a configuration says "no search list". */
static bool is_domain(struct slice t)
{
	if (t.len == 0 || t.len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (!is_alnum(t.p[i]) && !memchr("-_.", t.p[i], 3))
			return false;
	return t.p[0] != '-';
}

/* "name" or "name:number" */
static bool is_option(struct slice t)
{
	size_t i = 0, digits;

	if (t.len == 0 || t.len > OPTION_LEN_MAX)
		return false;
	while (i < t.len && (is_alnum(t.p[i]) || t.p[i] == '-'))
		i++;
	if (i == 0 || t.p[0] == '-')
		return false;
	if (i == t.len)
		return true;
	if (t.p[i] != ':')
		return false;
	digits = t.len - i - 1;
	for (i++; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return digits >= 1 && digits <= 5;
}

static void add_words(struct buf *to, struct slice line, bool (*ok)(struct slice))
{
	struct slice t;

	while ((t = next_token(&line)).len > 0) {
		if (!ok(t))
			continue;
		buf_add(to, " ", 1);
		buf_add(to, t.p, t.len);
	}
}

static void read_line(struct parsed *to, struct slice line)
{
	struct slice key;

	/* Like the C library: a keyword begins in the first column, or the line says nothing. */
	if (line.len == 0 || is_blank(line.p[0]))
		return;
	key = next_token(&line);
	if (slice_is(key, "nameserver")) {
		add_server(to, next_token(&line));
	} else if (slice_is(key, "search")) {
		to->search.len = 0;
		add_words(&to->search, line, is_domain);
	} else if (slice_is(key, "domain")) {
		to->search.len = 0;
		add_words(&to->search, next_token(&line), is_domain);
	} else if (slice_is(key, "options")) {
		add_words(&to->options, line, is_option);
	}
}

static void append(struct buf *out, const char *key, const struct buf *from)
{
	out->failed |= from->failed;
	if (from->len == 0)
		return;
	buf_add(out, key, strlen(key));
	buf_add(out, from->p, from->len);
	if (*key)
		buf_add(out, "\n", 1);
}

size_t resolv_filter(const char *text, size_t len, struct buf *out)
{
	struct parsed parsed = {.n_servers = 0};
	const char *end = text + len;

	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		struct slice line = {text, (size_t)((nl ? nl : end) - text)};

		read_line(&parsed, line);
		text = nl ? nl + 1 : end;
	}
	append(out, "", &parsed.servers);
	append(out, "search", &parsed.search);
	append(out, "options", &parsed.options);
	buf_free(&parsed.servers);
	buf_free(&parsed.search);
	buf_free(&parsed.options);
	return parsed.n_servers;
}

/* Number of nameservers; 0 also for a file that is not there. */
static int load_one(const char *path, struct buf *out, struct err *e)
{
	CLEAN_FREE char *text = NULL;
	size_t len, n;
	int r;

	r = fd_read_file(AT_FDCWD, path, RESOLV_MAX, &text, &len, e);
	if (r == -ENOENT || r == -ENOTDIR) {
		err_reset(e);
		return 0;
	}
	if (r < 0)
		return r;
	n = resolv_filter(text, len, out);
	if (out->failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "%s", path);
	return (int)n;
}

int resolv_load(const char *first, const char *second, struct buf *out, struct err *e)
{
	CLEAN_BUF struct buf a = BUF_INIT;
	CLEAN_BUF struct buf b = BUF_INIT;
	const struct buf *use = &a;
	int r;

	r = load_one(first, &a, e);
	if (r == 0) {
		r = load_one(second, &b, e);
		if (r > 0)
			use = &b;
	}
	if (r < 0)
		return r;
	append(out, "", use);
	if (out->failed)
		return err_set(e, ERR_INTERNAL, ENOMEM, "resolv.conf");
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nameservers: resolv.conf to values. It copies no search domain and no option: those are the
 * container's own affair. It never writes. Read resolv.conf(5), inotify(7); RFC 4007 section 11 on
 * scopes in addresses.
 */
#include "proc/nameservers.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "model/addr.h"

#define FILE_MAX ((size_t)64 * 1024) /* bytes that are read */
#define WATCHED (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* "address" or "address%scope" */
static bool parse_address(char *text, uint32_t (*ifindex_of)(const char *name), struct ip *ret,
			  uint32_t *ret_scope)
{
	char *percent = strchr(text, '%');
	struct ip ip;
	uint32_t scope = 0;

	if (percent)
		*percent++ = '\0';
	if (ip_parse(text, &ip, NULL) < 0 || ip_is_any(&ip) || ip_is_multicast(&ip))
		return false;
	if (percent && parse_u32(percent, 1, INT32_MAX, &scope) < 0)
		scope = ifindex_of(percent);
	/* A scope is for link-local addresses, which mean nothing without one. */
	if ((ip.family == AF_INET6 && ip_is_link_local(&ip)) != (scope != 0))
		return false;
	*ret = ip;
	*ret_scope = scope;
	return true;
}

static void add(struct resolvers *to, const struct ip *ip, uint32_t scope)
{
	for (size_t i = 0; i < to->n; i++)
		if (ip_equal(&to->ip[i], ip) && to->scope[i] == scope)
			return;
	if (to->n == RESOLVERS_MAX)
		return;
	to->ip[to->n] = *ip;
	to->scope[to->n++] = scope;
}

static void parse_line(const char *line, size_t len, uint32_t (*ifindex_of)(const char *name),
		       struct resolvers *to)
{
	static const char key[] = "nameserver";
	char text[IP_STRLEN + IF_NAMESIZE + 1];
	struct ip ip;
	uint32_t scope;
	size_t n = 0;

	if (len <= sizeof(key) - 1 || memcmp(line, key, sizeof(key) - 1) != 0 ||
	    !is_blank(line[sizeof(key) - 1]))
		return;
	line += sizeof(key);
	len -= sizeof(key);
	while (len > 0 && is_blank(*line)) {
		line++;
		len--;
	}
	while (n < len && !is_blank(line[n]))
		n++;
	if (n == 0 || n >= sizeof(text) || memchr(line, '\0', n))
		return;
	memcpy(text, line, n);
	text[n] = '\0';
	if (parse_address(text, ifindex_of, &ip, &scope))
		add(to, &ip, scope);
}

void nameservers_parse(const char *text, size_t len, uint32_t (*ifindex_of)(const char *name),
		       struct resolvers *ret)
{
	const char *end = text + len;

	memset(ret, 0, sizeof(*ret));
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		const char *stop = nl ? nl : end;

		parse_line(text, (size_t)(stop - text), ifindex_of, ret);
		text = stop + (nl ? 1 : 0);
	}
}

/* if_nametoindex(3) picks its socket's family by what is there; ours is the one that the
 * supervisor's filter admits. */
static uint32_t kernel_ifindex(const char *name)
{
	CLEAN_FD int fd = -1;
	struct ifreq ifr = {.ifr_ifindex = 0};

	if (!*name || strlen(name) >= sizeof(ifr.ifr_name))
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &ifr) < 0 || ifr.ifr_ifindex <= 0)
		return 0;
	return (uint32_t)ifr.ifr_ifindex;
}

int nameservers_load(const char *path, struct resolvers *ret, struct err *e)
{
	CLEAN_FREE char *text = NULL;
	struct err why = ERR_INIT;
	size_t len;
	int r = fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len, &why);

	if (r == -ENOENT || r == -ENOTDIR) {
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	nameservers_parse(text, len, kernel_ifindex, ret);
	return 0;
}

bool nameservers_equal(const struct resolvers *a, const struct resolvers *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!ip_equal(&a->ip[i], &b->ip[i]) || a->scope[i] != b->scope[i])
			return false;
	return true;
}

/* The directory of path into out; false when it does not fit. */
static bool directory_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;

	if (n == 0 || n >= size)
		return false;
	memcpy(out, path, n);
	out[n] = '\0';
	return true;
}

/* Watches the directory of the path, that of what it links to, and the file itself. The last is for
 * a file that is bound over the path, as containers have it: it is written in place. */
static int add_watches(int fd, struct nameservers *n, struct err *e)
{
	CLEAN_FREE char *real = realpath(n->path, NULL);
	char dir[sizeof(n->link_dir)];

	if (!directory_of(n->path, dir, sizeof(dir)))
		return err_invalid(e, ERR_INTERNAL, "%s: no directory", n->path);
	if (inotify_add_watch(fd, dir, WATCHED) < 0)
		return err_sys(e, errno, "%s: watch", dir);
	if (inotify_add_watch(fd, n->path, IN_CLOSE_WRITE) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s: watch", n->path);
	if (!real || !directory_of(real, n->link_dir, sizeof(n->link_dir)) ||
	    strcmp(n->link_dir, dir) == 0) {
		n->link_dir[0] = '\0';
		return 0;
	}
	if (inotify_add_watch(fd, n->link_dir, WATCHED) < 0)
		return err_sys(e, errno, "%s: watch", n->link_dir);
	return 0;
}

int nameservers_watch(const char *path, struct nameservers *ret, struct err *e)
{
	CLEAN_FD int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r;

	ret->path = path;
	if (fd < 0)
		return err_sys(e, errno, "%s: watch", path);
	r = add_watches(fd, ret, e);
	if (r == 0)
		ret->fd = fd_take(&fd);
	return r;
}

int nameservers_changed(struct nameservers *n, struct resolvers *io, struct err *e)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct resolvers now;
	int r;

	while (read(n->fd, events, sizeof(events)) > 0)
		;
	/* The link may lead elsewhere now. What cannot be watched can be read all the same. */
	(void)add_watches(n->fd, n, NULL);
	r = nameservers_load(n->path, &now, e);
	if (r < 0)
		return r;
	if (nameservers_equal(&now, io))
		return 0;
	*io = now;
	return 1;
}

void nameservers_close(struct nameservers *n)
{
	fd_closep(&n->fd);
}

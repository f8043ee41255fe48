/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portowner: from a port to the process, in two steps: the tables of this network namespace under
 * /proc/thread-self/net give the inode of the socket (proc(5)), the descriptors of all processes
 * tell who has that inode open. It reads only, never fails (an unknown owner is an answer), and
 * gives up after a second of work on a host with very many descriptors. Sockets that are bound but
 * do not listen are in no table: they stay unknown.
 */
#include "net/portowner.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"

/* Of this thread's processor time: on a busy host a second of the clock may be nothing. */
#define SEARCH_MS 1000
/* The state column, include/net/tcp_states.h. */
#define TCP_TIME_WAIT 6
#define TCP_LISTEN 10

static uint64_t worked_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The kernel prints each 32-bit word of the address as one number, in host order. */
static bool parse_addr(const char *s, struct ip *ret)
{
	size_t words = strlen(s) / 8;
	struct ip ip = {.family = words == 1 ? AF_INET : AF_INET6};

	if (words != 1 && words != 4)
		return false;
	for (size_t i = 0; i < words; i++) {
		char word[9];
		memcpy(word, s + 8 * i, 8);
		word[8] = '\0';
		uint32_t v = (uint32_t)strtoul(word, NULL, 16);
		memcpy(ip.b + 4 * i, &v, 4);
	}
	*ret = ip;
	return true;
}

/* Whether a socket on `have` keeps another one from `want`. */
static bool addr_clashes(const struct ip *have, const struct ip *want)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct ip a = *have;

	if (a.family == AF_INET6 && memcmp(a.b, mapped, 12) == 0) {
		a = (struct ip){.family = AF_INET};
		memcpy(a.b, have->b + 12, 4);
	}
	if (!want->family || (a.family == AF_INET6 && ip_is_any(&a)))
		return true;
	return a.family == want->family && (ip_is_any(&a) || ip_is_any(want) || ip_equal(&a, want));
}

/* The inode of the socket in the way, a listener rather than a connection; 0: none found.
 * *ret_waits is set for a connection in TIME-WAIT, which belongs to nobody. */
static unsigned long find_inode(const char *table, const struct ip *ip, uint16_t port,
				uint64_t deadline, bool *ret_waits)
{
	char path[64], line[512], addr[64];
	unsigned long found = 0;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", table);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && worked_ms() < deadline) {
		unsigned int lport, state;
		unsigned long inode;
		struct ip at;
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d %lu",
			   addr, &lport, &state, &inode) != 4)
			continue;
		if (lport != port || !parse_addr(addr, &at) || !addr_clashes(&at, ip))
			continue;
		*ret_waits |= state == TCP_TIME_WAIT;
		if (inode == 0)
			continue;
		if (found == 0 || state == TCP_LISTEN)
			found = inode;
		if (state == TCP_LISTEN)
			break;
	}
	fclose(f);
	return found;
}

static bool has_inode(const char *pid, const char *want)
{
	char path[64], link[64];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	DIR *d = opendir(path);
	if (!d)
		return false;
	for (struct dirent *ent; !found && (ent = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), ent->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		found = strcmp(link, want) == 0;
	}
	closedir(d);
	return found;
}

static pid_t find_process(unsigned long inode, uint64_t deadline)
{
	char want[64];
	pid_t found = 0;
	uint32_t pid;
	DIR *d = opendir("/proc");

	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	if (!d)
		return 0;
	for (struct dirent *ent; !found && worked_ms() < deadline && (ent = readdir(d));)
		if (parse_u32(ent->d_name, 1, INT32_MAX, &pid) == 0 && has_inode(ent->d_name, want))
			found = (pid_t)pid;
	closedir(d);
	return found;
}

const char *portowner_process(pid_t pid, char out[PORTOWNER_STRLEN])
{
	char path[64], comm[17] = "?";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, comm, sizeof(comm) - 1) : -1;
	if (n > 0) {
		comm[n] = '\0';
		comm[strcspn(comm, "\n")] = '\0';
	}
	/* A process names itself: nothing but plain text of it goes to a terminal. */
	for (char *c = comm; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	snprintf(out, PORTOWNER_STRLEN, "%s (pid %d)", comm, (int)pid);
	return out;
}

const char *portowner_find(uint8_t proto, const struct ip *host_ip, uint16_t port,
			   char out[PORTOWNER_STRLEN])
{
	static const char *const tables[][2] = {{"tcp", "tcp6"}, {"udp", "udp6"}};
	uint64_t deadline = worked_ms() + SEARCH_MS;
	unsigned long inode = 0;
	bool waits = false;
	pid_t pid = 0;

	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		for (int i = 0; i < 2 && inode == 0; i++)
			inode = find_inode(tables[proto == IPPROTO_UDP][i], host_ip, port, deadline,
					   &waits);
	if (inode)
		pid = find_process(inode, deadline);
	if (pid)
		return portowner_process(pid, out);
	snprintf(out, PORTOWNER_STRLEN,
		 waits && !inode ? "a connection that ended less than a minute ago"
				 : "a process that cannot be seen");
	return out;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptlegacy: the filter table by getsockopt(2). Asking for a table that is not there would make it,
 * so /proc/net/ip_tables_names is read first. The policy of a built-in chain is the standard target
 * of its last entry, which `underflow` points to. Read linux/netfilter_ipv4/ip_tables.h.
 */
#include "net/iptlegacy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "base/fd.h"
#include "model/addr.h"

#define ENTRIES_MAX (16u * 1024 * 1024)

static bool is_in_use(int fam)
{
	CLEAN_FREE char *text = NULL;
	size_t len;
	const char *path = fam == FAM4 ? "/proc/thread-self/net/ip_tables_names"
				       : "/proc/thread-self/net/ip6_tables_names";

	if (fd_read_file(AT_FDCWD, path, 4096, &text, &len, NULL) < 0)
		return false;
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		if (n == 6 && memcmp(line, "filter", 6) == 0)
			return true;
		line += n + (line[n] == '\n');
	}
	return false;
}

int iptlegacy_policy(const void *entries, size_t len, size_t at, int fam)
{
	struct xt_standard_target t;
	uint16_t target;
	size_t head = fam == FAM4 ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);
	size_t offset = fam == FAM4 ? offsetof(struct ipt_entry, target_offset)
				    : offsetof(struct ip6t_entry, target_offset);

	if (at > len || len - at < head)
		return -EPROTO;
	memcpy(&target, (const char *)entries + at + offset, sizeof(target));
	if (target < head || len - at < target || len - at - target < sizeof(t))
		return -EPROTO;
	memcpy(&t, (const char *)entries + at + target, sizeof(t));
	if (t.target.u.user.name[0] != '\0')
		return -EPROTO;
	return t.verdict == -NF_DROP - 1;
}

/* Both families number the requests alike (XT_BASE_CTL), and the structures have the same form. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "getinfo");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) ==
		       offsetof(struct ip6t_get_entries, entrytable),
	       "entries");

bool iptlegacy_drops(int fam)
{
	struct ipt_getinfo info = {.name = "filter"};
	socklen_t len = sizeof(info);
	CLEAN_FREE struct ipt_get_entries *all = NULL;
	CLEAN_FD int fd = -1;
	int level = fam == FAM4 ? IPPROTO_IP : IPPROTO_IPV6;

	if (!is_in_use(fam))
		return false;
	fd = socket(fam == FAM4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0 || getsockopt(fd, level, IPT_SO_GET_INFO, &info, &len) < 0 ||
	    info.size > ENTRIES_MAX)
		return false;
	len = (socklen_t)(sizeof(*all) + info.size);
	all = calloc(1, len);
	if (!all)
		return false;
	memcpy(all->name, info.name, sizeof(all->name));
	all->size = info.size;
	if (getsockopt(fd, level, IPT_SO_GET_ENTRIES, all, &len) < 0)
		return false;
	return iptlegacy_policy(all->entrytable, info.size, info.underflow[NF_INET_FORWARD], fam) ==
	       1;
}

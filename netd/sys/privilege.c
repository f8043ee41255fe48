/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privilege: capabilities(7) say what a process may do, the owner of a namespace says where. */
#include "sys/privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/netns.h"
#include "sys/userns.h"

static bool has_cap(const struct __user_cap_data_struct d[2], unsigned cap)
{
	return d[cap / 32].effective & (1U << (cap % 32));
}

bool privilege_over_network(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	CLEAN_FD int ns = -1;
	CLEAN_FD int owner = -1;

	if (syscall(SYS_capget, &h, d) < 0 || !has_cap(d, CAP_NET_ADMIN) ||
	    !has_cap(d, CAP_SYS_ADMIN))
		return false;
	if (netns_open_self(&ns, NULL) < 0)
		return true; /* no /proc: the kernel will say no where it has to */
	return userns_of(ns, &owner, NULL) != 2;
}

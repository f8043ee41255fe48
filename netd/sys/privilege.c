/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privilege: capabilities(7) say what a process may do, the owner of a namespace says where. */
#include "sys/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/netns.h"

/* Number of the first user namespace, the same since there are numbers (Linux 3.8). */
#define USERNS_FIRST 0xeffffffdu

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
	struct stat st;

	if (syscall(SYS_capget, &h, d) < 0 || !has_cap(d, CAP_NET_ADMIN) ||
	    !has_cap(d, CAP_SYS_ADMIN))
		return false;
	/* Capabilities in the first user namespace are good everywhere. */
	if (stat("/proc/self/ns/user", &st) == 0 && st.st_ino == USERNS_FIRST)
		return true;
	if (netns_open_self(&ns, NULL) < 0)
		return true; /* no /proc: the kernel will say no where it has to */
	/* An owner that may not be seen is outside of the caller's. */
	owner = ioctl(ns, NS_GET_USERNS);
	return owner >= 0 || errno != EPERM;
}

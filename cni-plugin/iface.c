/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iface: see the header. Each call opens a socket, because it may be in another namespace than the
 * one before. */
#include "cni-plugin/iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

static int ask(int fd, unsigned long what, const char *name, struct ifreq *ret)
{
	*ret = (struct ifreq){0};
	snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", name);
	return ioctl(fd, what, ret) < 0 ? -errno : 0;
}

static int open_socket(struct err *e)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, errno, "socket") : fd;
}

int iface_get(const char *name, struct iface *ret, struct err *e)
{
	CLEAN_FD int fd = open_socket(e);
	struct iface i = {0};
	struct ifreq q;
	int r;

	if (fd < 0)
		return fd;
	r = ask(fd, SIOCGIFHWADDR, name, &q);
	if (r == 0) {
		memcpy(i.mac.b, q.ifr_hwaddr.sa_data, sizeof(i.mac.b));
		r = ask(fd, SIOCGIFMTU, name, &q);
	}
	if (r == 0) {
		i.mtu = (uint32_t)q.ifr_mtu;
		r = ask(fd, SIOCGIFFLAGS, name, &q);
	}
	if (r == -ENODEV)
		return 1;
	if (r < 0)
		return err_sys(e, -r, "interface %s", name);
	i.is_up = q.ifr_flags & IFF_UP;
	*ret = i;
	return 0;
}

int iface_set_up(const char *name, struct err *e)
{
	CLEAN_FD int fd = open_socket(e);
	struct ifreq q;
	int r;

	if (fd < 0)
		return fd;
	r = ask(fd, SIOCGIFFLAGS, name, &q);
	if (r < 0)
		return err_sys(e, -r, "interface %s", name);
	if (q.ifr_flags & IFF_UP)
		return 0;
	q.ifr_flags = (short)(q.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &q) < 0)
		return err_sys(e, errno, "set %s up", name);
	return 0;
}

bool iface_is_bridge(const char *name)
{
	CLEAN_FD int fd = open_socket(NULL);
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq q = {0};

	if (fd < 0)
		return false;
	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", name);
	q.ifr_data = (void *)&info;
	return ioctl(fd, SIOCETHTOOL, &q) == 0 &&
	       strncmp(info.driver, "bridge", sizeof(info.driver)) == 0;
}

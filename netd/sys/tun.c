/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tun: the one file that knows /dev/net/tun. It opens, creates and attaches; addresses, MTU and
 * link state are netlink's business, offloads that of whoever reads the frames. Read tuntap.rst in
 * the kernel's documentation and drivers/net/tun.c on which flags an attach may change.
 */
#include "sys/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"

#define TUN_PATH "/dev/net/tun"
#define TUN_MAJOR 10
#define TUN_MINOR 200

static int ioctl_retry(int fd, unsigned long what, void *arg)
{
	int r;

	do
		r = ioctl(fd, what, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int open_device(struct err *e)
{
	int fd;

	do
		fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case EACCES:
	case EPERM:
		return err_set(e, ERR_DENIED, errno,
			       TUN_PATH " (its mode should be 0666, as udev makes it)");
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(e, ERR_UNSUPPORTED, errno,
			       TUN_PATH " (is the kernel's module \"tun\" there?)");
	default:
		return err_sys(e, errno, TUN_PATH);
	}
}

int tun_may_open(struct err *e)
{
	CLEAN_FD int fd = open_device(e);

	return fd < 0 ? fd : 0;
}

static int explain(const char *name, int sys, struct err *e)
{
	switch (sys) {
	case EPERM:
		return err_set(e, ERR_DENIED, sys,
			       "tap %s: CAP_NET_ADMIN over the network namespace is needed", name);
	case EBUSY:
		return err_set(e, ERR_CONFLICT, sys, "tap %s: another program reads it", name);
	case EINVAL:
		return err_set(e, ERR_CONFLICT, sys,
			       "%s: an interface of this name is there that is no plain tap", name);
	default:
		return err_sys(e, sys, "tap %s", name);
	}
}

int tun_open(const char *name, int *ret_fd, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	CLEAN_FD int fd = -1;
	int r, was_there = 0;

	if (!*name || strlen(name) >= sizeof(ifr.ifr_name) || strchr(name, '%'))
		return err_invalid(e, ERR_USAGE, "\"%s\" is no name of an interface", name);
	fd = open_device(e);
	if (fd < 0)
		return fd;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ifr.ifr_flags |= IFF_TUN_EXCL;
	r = ioctl_retry(fd, TUNSETIFF, &ifr);
	if (r == -EBUSY) {
		was_there = 1;
		ifr.ifr_flags &= ~IFF_TUN_EXCL;
		r = ioctl_retry(fd, TUNSETIFF, &ifr);
	}
	if (r < 0)
		return explain(name, -r, e);
	*ret_fd = fd_take(&fd);
	return was_there;
}

int tun_check(int fd, char ret_name[TUN_NAME_STRLEN], struct err *e)
{
	struct ifreq ifr = {.ifr_flags = 0};
	struct stat st;
	int flags;

	_Static_assert(sizeof(ifr.ifr_name) == TUN_NAME_STRLEN, "length of an interface's name");
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "descriptor %d", fd);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(TUN_MAJOR, TUN_MINOR))
		return err_invalid(e, ERR_USAGE, "descriptor %d is no tap device", fd);
	if (ioctl_retry(fd, TUNGETIFF, &ifr) < 0)
		return err_invalid(e, ERR_USAGE, "descriptor %d is attached to no tap", fd);
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI))
		return err_invalid(e, ERR_USAGE,
				   "descriptor %d: expected a tap without packet information "
				   "(IFF_TAP, IFF_NO_PI)",
				   fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "descriptor %d", fd);
	memcpy(ret_name, ifr.ifr_name, TUN_NAME_STRLEN);
	ret_name[TUN_NAME_STRLEN - 1] = '\0';
	return 0;
}

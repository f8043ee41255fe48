/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smallbuf: preloaded into a program, gives each of its netlink sockets the least receive buffer
 * that the kernel knows (2 KiB), whatever the program asks for. So what comes unasked, or in more
 * than one piece, is lost in the kernel's own way (ENOBUFS).
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <sys/socket.h>

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

int socket(int domain, int type, int protocol)
{
	int (*real)(int, int, int) = (int (*)(int, int, int))next("socket");
	int (*set)(int, int, int, const void *, socklen_t) =
		(int (*)(int, int, int, const void *, socklen_t))next("setsockopt");
	const int least = 1;
	int fd = real(domain, type, protocol);

	if (fd >= 0 && domain == AF_NETLINK)
		(void)set(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	return fd;
}

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int (*real)(int, int, int, const void *, socklen_t) =
		(int (*)(int, int, int, const void *, socklen_t))next("setsockopt");

	if (level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_RCVBUFFORCE) && is_netlink(fd))
		return 0;
	return real(fd, level, name, value, len);
}

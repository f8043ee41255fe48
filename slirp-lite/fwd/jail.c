/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jail: what the forwarder runs without: files (its root is an empty read-only file system that has
 * no other mount in it, and Landlock denies every file right), capabilities, the bounding set,
 * root's user, new processes, debuggers, and all system calls but the few below. Order matters:
 * what needs a privilege comes before that privilege goes. Steps that a kernel or a container
 * runtime may lack are skipped (Landlock, the empty root without CAP_SYS_ADMIN and CAP_SYS_CHROOT);
 * the others must work. The steps themselves are sys/sandbox.c's, the filter's form sys/filter.c's.
 */
#include "fwd/jail.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/filter.h"
#include "sys/sandbox.h"

#define ALWAYS(call)                                                                               \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				0                                                                  \
			}                                                                          \
		}                                                                                  \
	}
#define SOCKET(family, type, proto)                                                                \
	{                                                                                          \
		SCMP_SYS(socket),                                                                  \
		{                                                                                  \
			{0, FILTER_EQ, (family)},                                                  \
				{1, FILTER_EQ, (type) | SOCK_NONBLOCK | SOCK_CLOEXEC},             \
				{2, FILTER_EQ, (proto)},                                           \
		}                                                                                  \
	}
#define SET(level, name)                                                                           \
	{                                                                                          \
		SCMP_SYS(setsockopt),                                                              \
		{                                                                                  \
			{1, FILTER_EQ, (level)},                                                   \
			{                                                                          \
				2, FILTER_EQ, (name)                                               \
			}                                                                          \
		}                                                                                  \
	}
#define GET(name)                                                                                  \
	{                                                                                          \
		SCMP_SYS(getsockopt),                                                              \
		{                                                                                  \
			{1, FILTER_EQ, SOL_SOCKET},                                                \
			{                                                                          \
				2, FILTER_EQ, (name)                                               \
			}                                                                          \
		}                                                                                  \
	}

static const struct filter_rule allowed[] = {
	ALWAYS(epoll_wait),
	ALWAYS(epoll_pwait),
	ALWAYS(epoll_ctl),
	ALWAYS(splice),
	ALWAYS(shutdown),
	ALWAYS(close),
	ALWAYS(connect),
	ALWAYS(getsockname),
	ALWAYS(recvmsg),
	ALWAYS(recvmmsg),
	ALWAYS(recvfrom),
	ALWAYS(sendto),
	ALWAYS(sendmmsg),
	ALWAYS(sendmsg),
	ALWAYS(clock_gettime),
	ALWAYS(rt_sigreturn),
	ALWAYS(exit_group),
	ALWAYS(restart_syscall),
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	SET(SOL_SOCKET, SO_LINGER),
	SET(SOL_SOCKET, SO_KEEPALIVE),
	SET(IPPROTO_TCP, TCP_NODELAY),
	SET(IPPROTO_TCP, TCP_SYNCNT),
	SET(IPPROTO_TCP, TCP_KEEPIDLE),
	SET(IPPROTO_TCP, TCP_KEEPINTVL),
	SET(IPPROTO_TCP, TCP_KEEPCNT),
	GET(SO_ERROR),
	GET(SO_PEERCRED),
	GET(SO_PROTOCOL),
	GET(SO_ACCEPTCONN),
	{SCMP_SYS(pipe2), {{1, FILTER_EQ, O_NONBLOCK | O_CLOEXEC}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_SETPIPE_SZ}}},
	{SCMP_SYS(fcntl), {{1, FILTER_EQ, F_GETPIPE_SZ}}},
};

static int set_limits(void)
{
	return sandbox_limit(JAIL_NOFILE, false);
}

/* Root stays user 0 where its user namespace has nobody else, but then without any capability. */
static int drop_user(void)
{
	int r = geteuid() == 0 ? sandbox_lock_securebits() : 0;

	return r < 0 ? r : sandbox_drop_root();
}

static int enter_landlock(void)
{
	return sandbox_landlock(NULL);
}

static struct filter filter;

/* First: what libseccomp does to make a program is not for the sandbox. */
static int make_filter(void)
{
	const struct filter_spec spec = {.allow = {FILTER_LIST(allowed)}, .kill = {filter_deadly}};

	return filter_compile(&spec, &filter, NULL);
}

static int enter_filter(void)
{
	return filter_load(&filter);
}

int jail_enter(const char **ret_step)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} steps[] = {
		{"seccomp program", make_filter},
		{"rlimit", set_limits},
		{"chroot", sandbox_enter_void},
		{"bounding set", sandbox_drop_bounding},
		{"user", drop_user},
		{"capabilities", sandbox_drop_capabilities},
		{"no new privileges", sandbox_forbid_gains},
		{"landlock", enter_landlock},
		{"seccomp", enter_filter},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i].run();
		if (r < 0) {
			*ret_step = steps[i].name;
			return r;
		}
	}
	return 0;
}

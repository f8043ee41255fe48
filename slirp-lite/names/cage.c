/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cage: what the responder and its watcher run without. The responder: files (its root is an empty
 * read-only file system, and Landlock denies every file right), capabilities, the bounding set,
 * root's user, new processes, debuggers, and all system calls but the few below; it can make
 * sockets of two kinds, and bind none. The watcher keeps its eyes: it may open files to read, and
 * makes no socket but the one that tells an interface's index.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "names/server.h"
#include "sys/filter.h"
#include "sys/sandbox.h"

#define CAGE_NOFILE 4096
#define WATCHER_NOFILE 64

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

static const struct filter_rule responder[] = {
	ALWAYS(epoll_wait),
	ALWAYS(epoll_pwait),
	ALWAYS(epoll_ctl),
	ALWAYS(close),
	ALWAYS(connect),
	ALWAYS(getsockname),
	ALWAYS(recvmsg),
	ALWAYS(recvfrom),
	ALWAYS(sendto),
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
	GET(SO_PEERCRED),
	GET(SO_PROTOCOL),
	GET(SO_ACCEPTCONN),
};

#define READ_ONLY (O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE)

static const struct filter_rule watcher[] = {
	ALWAYS(read),
	ALWAYS(close),
	ALWAYS(poll),
	ALWAYS(ppoll),
	ALWAYS(sendmsg),
	ALWAYS(getppid),
	ALWAYS(exit_group),
	ALWAYS(restart_syscall),
	ALWAYS(rt_sigreturn),
	ALWAYS(clock_gettime),
	{SCMP_SYS(prctl), {{0, FILTER_EQ, PR_SET_PDEATHSIG}}},
	{SCMP_SYS(socket), {{0, FILTER_EQ, AF_INET}, {1, FILTER_EQ, SOCK_DGRAM | SOCK_CLOEXEC}}},
	{SCMP_SYS(ioctl), {{1, FILTER_EQ, SIOCGIFINDEX}}},
	{SCMP_SYS(open), {{1, FILTER_WITHIN, READ_ONLY}}},
	{SCMP_SYS(openat), {{2, FILTER_WITHIN, READ_ONLY}}},
	ALWAYS(fstat),
	ALWAYS(stat),
	ALWAYS(lstat),
	ALWAYS(newfstatat),
	ALWAYS(statx),
	ALWAYS(lseek),
	ALWAYS(readlink),
	ALWAYS(readlinkat),
	ALWAYS(getcwd),
	ALWAYS(inotify_add_watch),
	/* Memory for the file's text. */
	ALWAYS(brk),
	ALWAYS(munmap),
	ALWAYS(mremap),
	ALWAYS(madvise),
	ALWAYS(futex),
	{SCMP_SYS(mmap), {{3, FILTER_HAS, 0x20 /* MAP_ANONYMOUS */}}},
};

static struct filter responder_filter, watcher_filter;

/* First: what libseccomp does to make a program is not for the sandbox. */
static int make_filters(void)
{
	const struct filter_spec of_responder = {.allow = {FILTER_LIST(responder)},
						 .kill = {filter_deadly}};
	const struct filter_spec of_watcher = {.allow = {FILTER_LIST(watcher)},
					       .kill = {filter_deadly}};
	int r = filter_compile(&of_responder, &responder_filter, NULL);

	return r < 0 ? r : filter_compile(&of_watcher, &watcher_filter, NULL);
}

/* Root stays user 0 where its user namespace has nobody else, but then without any capability. */
static int drop_user(void)
{
	int r = geteuid() == 0 ? sandbox_lock_securebits() : 0;

	return r < 0 ? r : sandbox_drop_root();
}

static int limit_responder(void)
{
	return sandbox_limit(CAGE_NOFILE, false);
}

static int limit_watcher(void)
{
	return sandbox_limit(WATCHER_NOFILE, false);
}

static int landlock_responder(void)
{
	return sandbox_landlock(NULL);
}

static int landlock_watcher(void)
{
	static const char *const readable[] = {"/", NULL};

	return sandbox_landlock(&(struct sandbox_paths){.readable = readable});
}

static int filter_responder(void)
{
	return filter_load(&responder_filter);
}

static int filter_watcher(void)
{
	return filter_load(&watcher_filter);
}

struct cage_step {
	const char *name;
	int (*run)(void);
};

static int run(const struct cage_step *steps, size_t n, const char **ret_step)
{
	for (size_t i = 0; i < n; i++) {
		int r = steps[i].run();

		if (r < 0) {
			*ret_step = steps[i].name;
			return r;
		}
	}
	return 0;
}

int cage_enter(const char **ret_step)
{
	static const struct cage_step steps[] = {
		{"seccomp program", make_filters},
		{"rlimit", limit_responder},
		{"chroot", sandbox_enter_void},
		{"bounding set", sandbox_drop_bounding},
		{"user", drop_user},
		{"capabilities", sandbox_drop_capabilities},
		{"no new privileges", sandbox_forbid_gains},
		{"landlock", landlock_responder},
		{"seccomp", filter_responder},
	};

	return run(steps, sizeof(steps) / sizeof(steps[0]), ret_step);
}

int cage_enter_watcher(void)
{
	static const struct cage_step steps[] = {
		{"seccomp program", make_filters},
		{"rlimit", limit_watcher},
		{"bounding set", sandbox_drop_bounding},
		{"user", drop_user},
		{"capabilities", sandbox_drop_capabilities},
		{"no new privileges", sandbox_forbid_gains},
		{"landlock", landlock_watcher},
		{"seccomp", filter_watcher},
	};
	const char *step;

	return run(steps, sizeof(steps) / sizeof(steps[0]), &step);
}

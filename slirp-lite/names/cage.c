/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cage: what the responder and its watcher run without. The responder: files (its root is an empty
 * read-only file system, and Landlock denies every file right), capabilities, the bounding set,
 * root's user, new processes, debuggers, and all system calls but the few below; it can make
 * sockets of two kinds, and bind none. The watcher keeps its eyes: it may open files to read, and
 * makes no socket but the one that tells an interface's index.
 */
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "names/server.h"
#include "sys/confine.h"
#include "sys/filter.h"

/* More than all that it serves at once: networks, their listeners, clients, queries. */
#define CAGE_NOFILE 8192
#define WATCHER_NOFILE 64

static const struct filter_rule responder[] = {
	FILTER_ANY(epoll_wait),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_ctl),
	FILTER_ANY(connect),
	FILTER_ANY(getsockname),
	FILTER_FLAGS(recvmsg, 2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC),
	FILTER_FLAGS(recvfrom, 3, MSG_DONTWAIT),
	FILTER_FLAGS(sendto, 3, MSG_DONTWAIT | MSG_NOSIGNAL),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC}}},
	FILTER_GET(SOL_SOCKET, SO_PEERCRED),
	FILTER_GET(SOL_SOCKET, SO_PROTOCOL),
	FILTER_GET(SOL_SOCKET, SO_ACCEPTCONN),
};

static const struct filter_rule watcher[] = {
	FILTER_ANY(read),
	FILTER_ANY(poll),
	FILTER_ANY(ppoll),
	FILTER_FLAGS(sendmsg, 2, MSG_DONTWAIT | MSG_NOSIGNAL),
	/* Memory for the file's text. */
	{SCMP_SYS(mmap), {{2, FILTER_WITHIN, PROT_READ | PROT_WRITE}}},
};

static int enter(const struct filter_spec *spec, struct confine *c, const char **ret_step)
{
	static struct filter filter; /* stays: freeing it may be a call that it refuses */
	int r = filter_compile(spec, &filter, NULL);

	*ret_step = "system call filter";
	c->filter = &filter;
	c->uid = c->gid = CONFINE_NOBODY;
	return r < 0 ? r : confine_enter(c, ret_step);
}

int cage_enter(int life_fd, const char **ret_step)
{
	const struct filter_spec spec = {
		.allow = {FILTER_LIST(responder), filter_always, filter_inet},
		.kill = {filter_deadly, filter_alien}};
	struct confine c = {.n_files = CAGE_NOFILE, .in_void = true, .life_fd = life_fd};

	return enter(&spec, &c, ret_step);
}

int cage_enter_watcher(pid_t parent)
{
	static const char *const readable[] = {"/", NULL};
	const struct sandbox_paths paths = {.readable = readable};
	const struct filter_spec spec = {
		.allow = {FILTER_LIST(watcher), filter_always, filter_look, filter_memory},
		.kill = {filter_deadly, filter_alien}};
	struct confine c = {.n_files = WATCHER_NOFILE, .parent = parent, .paths = &paths};
	const char *step;

	return enter(&spec, &c, &step);
}

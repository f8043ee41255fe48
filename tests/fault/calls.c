/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls: one table of the system calls that change state outside of their process: files, mounts,
 * namespaces, processes, sockets, and requests to the kernel by netlink other than queries. What an
 * argument decides (open flags, the kind of a descriptor, the messages sent) is looked up in the
 * stopped process. It never changes that process. Read syscalls(2), netlink(7).
 */
#include "calls.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NETLINK_READ_MAX 65536

/* How a call is judged. */
enum rule {
	ALWAYS,
	OPEN,    /* flags in argument at: O_CREAT or O_TRUNC */
	OPENAT2, /* the same in struct open_how */
	WRITE,   /* descriptor 0 of the arguments is a regular file, and is not stdout or stderr */
	SEND,    /* buffer and length */
	SENDMSG, /* struct msghdr */
	SENDMMSG,
	CLONE,  /* flags in argument 0: not a thread */
	CLONE3, /* the same in struct clone_args */
	IOCTL,  /* TUNSETIFF, TUNSETPERSIST */
};

/* args: one letter each. s a path, f a descriptor, d a directory descriptor, x a number. */
static const struct call {
	long nr;
	const char *name;
	enum rule rule;
	unsigned at;
	const char *args;
} calls[] = {
	{SYS_openat, "openat", OPEN, 2, "dsx"},
	{SYS_openat2, "openat2", OPENAT2, 2, "ds"},
	{SYS_renameat, "renameat", ALWAYS, 0, "dsds"},
	{SYS_renameat2, "renameat2", ALWAYS, 0, "dsds"},
	{SYS_unlinkat, "unlinkat", ALWAYS, 0, "ds"},
	{SYS_mkdirat, "mkdirat", ALWAYS, 0, "ds"},
	{SYS_mknodat, "mknodat", ALWAYS, 0, "ds"},
	{SYS_symlinkat, "symlinkat", ALWAYS, 0, "sds"},
	{SYS_linkat, "linkat", ALWAYS, 0, "dsds"},
	{SYS_fchmodat, "fchmodat", ALWAYS, 0, "dsx"},
	{SYS_fchownat, "fchownat", ALWAYS, 0, "dsxx"},
	{SYS_fchmod, "fchmod", ALWAYS, 0, "fx"},
	{SYS_fchown, "fchown", ALWAYS, 0, "fxx"},
	{SYS_ftruncate, "ftruncate", ALWAYS, 0, "fx"},
	{SYS_truncate, "truncate", ALWAYS, 0, "sx"},
	{SYS_fallocate, "fallocate", ALWAYS, 0, "fx"},
#ifdef SYS_open /* the older forms, which newer machines do not have */
	{SYS_open, "open", OPEN, 1, "sx"},
	{SYS_creat, "creat", ALWAYS, 0, "sx"},
	{SYS_rename, "rename", ALWAYS, 0, "ss"},
	{SYS_unlink, "unlink", ALWAYS, 0, "s"},
	{SYS_mkdir, "mkdir", ALWAYS, 0, "s"},
	{SYS_rmdir, "rmdir", ALWAYS, 0, "s"},
	{SYS_mknod, "mknod", ALWAYS, 0, "s"},
	{SYS_symlink, "symlink", ALWAYS, 0, "ss"},
	{SYS_link, "link", ALWAYS, 0, "ss"},
	{SYS_chmod, "chmod", ALWAYS, 0, "sx"},
	{SYS_chown, "chown", ALWAYS, 0, "sxx"},
	{SYS_fork, "fork", ALWAYS, 0, ""},
	{SYS_vfork, "vfork", ALWAYS, 0, ""},
#endif
	{SYS_write, "write", WRITE, 0, "f"},
	{SYS_writev, "writev", WRITE, 0, "f"},
	{SYS_pwrite64, "pwrite64", WRITE, 0, "f"},
	{SYS_pwritev, "pwritev", WRITE, 0, "f"},
	{SYS_pwritev2, "pwritev2", WRITE, 0, "f"},
	{SYS_sendto, "sendto", SEND, 0, ""},
	{SYS_sendmsg, "sendmsg", SENDMSG, 0, ""},
	{SYS_sendmmsg, "sendmmsg", SENDMMSG, 0, ""},
	{SYS_bind, "bind", ALWAYS, 0, "f"},
	{SYS_connect, "connect", ALWAYS, 0, "f"},
	{SYS_setns, "setns", ALWAYS, 0, "fx"},
	{SYS_unshare, "unshare", ALWAYS, 0, "x"},
	{SYS_mount, "mount", ALWAYS, 0, "sssx"},
	{SYS_umount2, "umount2", ALWAYS, 0, "sx"},
	{SYS_pivot_root, "pivot_root", ALWAYS, 0, "ss"},
	{SYS_move_mount, "move_mount", ALWAYS, 0, "dsds"},
	{SYS_sethostname, "sethostname", ALWAYS, 0, ""},
	{SYS_clone, "clone", CLONE, 0, "x"},
	{SYS_clone3, "clone3", CLONE3, 0, ""},
	{SYS_execve, "execve", ALWAYS, 0, "s"},
	{SYS_execveat, "execveat", ALWAYS, 0, "ds"},
	{SYS_ioctl, "ioctl", IOCTL, 0, "fx"},
};

/* Text under construction; what does not fit is cut off. */
struct out {
	char *p;
	size_t size, len;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->p + o->len, o->size - o->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len = o->len + (size_t)n < o->size ? o->len + (size_t)n : o->size - 1;
}

static size_t peek(pid_t tid, uint64_t addr, void *into, size_t len)
{
	struct iovec to = {into, len}, from = {(void *)(uintptr_t)addr, len};
	ssize_t n = process_vm_readv(tid, &to, 1, &from, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

static void put_string(struct out *o, pid_t tid, uint64_t addr)
{
	char text[96];
	size_t len = 0;

	if (addr == 0) {
		put(o, "NULL");
		return;
	}
	/* Byte by byte: the next page may not be there. */
	while (len < sizeof(text) - 1 && peek(tid, addr + len, text + len, 1) == 1 && text[len])
		len++;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	text[len] = '\0';
	put(o, "\"%s\"", text);
}

static void put_fd(struct out *o, pid_t tid, int fd)
{
	char path[48], link[96];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	put(o, "%d<%s>", fd, link);
}

static void put_args(struct out *o, pid_t tid, const char *kinds, const uint64_t args[6])
{
	for (size_t i = 0; kinds[i]; i++) {
		if (i > 0)
			put(o, ", ");
		if (kinds[i] == 's')
			put_string(o, tid, args[i]);
		else if (kinds[i] == 'x')
			put(o, "0x%llx", (unsigned long long)args[i]);
		else if ((int)args[i] == AT_FDCWD)
			put(o, ".");
		else
			put_fd(o, tid, (int)args[i]);
	}
}

static bool is_regular(pid_t tid, int fd)
{
	char path[48];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static pid_t process_of(pid_t tid)
{
	char path[48], line[128];
	int tgid = tid;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f)
		(void)fclose(f);
	return tgid;
}

/* The family and protocol of a socket of the stopped process, asked of a copy of its descriptor. */
static bool socket_kind(pid_t tid, int fd, int *ret_family, int *ret_protocol)
{
	int pidfd = (int)syscall(SYS_pidfd_open, process_of(tid), 0), copy;
	socklen_t len = sizeof(int);
	bool ok;

	copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ok = copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_DOMAIN, ret_family, &len) == 0 &&
	     getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, ret_protocol, &len) == 0;
	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return ok;
}

/* Does a message of this type only ask? Types as in rtnetlink.h, nfnetlink.h, nf_tables.h,
 * nfnetlink_conntrack.h, sock_diag.h; of others nothing is known, so they count. */
static bool is_query(int protocol, unsigned type)
{
	static const unsigned char nft_get[] = {1, 4, 7, 10, 13, 16, 19, 23};
	unsigned subsys = type >> 8, msg = type & 0xff;

	if (type < NLMSG_MIN_TYPE)
		return true; /* no-ops, errors and ends */
	switch (protocol) {
	case NETLINK_ROUTE:
		return type % 4 == 2;
	case NETLINK_SOCK_DIAG:
		return type == 20;
	case NETLINK_NETFILTER:
		if (subsys == 0) /* the brackets of a batch, for any subsystem */
			return true;
		if (subsys == 1 || subsys == 2)
			return msg == 1 || (subsys == 1 && msg >= 4 && msg <= 7);
		return subsys == 10 && memchr(nft_get, (int)msg, sizeof(nft_get));
	default:
		return false;
	}
}

/* Shows the types of all messages; true when one of them is not a query. */
static bool judge_netlink(struct out *o, int protocol, const char *p, size_t len)
{
	bool changes = false;
	size_t at = 0;

	put(o, "netlink %d:", protocol);
	while (at + sizeof(struct nlmsghdr) <= len) {
		struct nlmsghdr h;

		memcpy(&h, p + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h))
			break;
		put(o, " 0x%x", h.nlmsg_type);
		changes |= !is_query(protocol, h.nlmsg_type);
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	return changes || at == 0;
}

static bool judge_send(struct out *o, pid_t tid, int fd, const char *p, size_t len)
{
	int family = 0, protocol = 0;

	if (!socket_kind(tid, fd, &family, &protocol))
		return false;
	if (family == AF_NETLINK)
		return judge_netlink(o, protocol, p, len);
	if (family != AF_UNIX)
		return false;
	put_fd(o, tid, fd);
	return true;
}

static bool judge_msghdr(struct out *o, pid_t tid, int fd, uint64_t addr)
{
	static char data[NETLINK_READ_MAX];
	size_t len = 0;
	struct msghdr m;

	if (peek(tid, addr, &m, sizeof(m)) != sizeof(m))
		return false;
	for (size_t i = 0; i < m.msg_iovlen && len < sizeof(data); i++) {
		struct iovec v;
		size_t want;

		if (peek(tid, (uintptr_t)(m.msg_iov + i), &v, sizeof(v)) != sizeof(v))
			break;
		want = v.iov_len < sizeof(data) - len ? v.iov_len : sizeof(data) - len;
		len += peek(tid, (uintptr_t)v.iov_base, data + len, want);
	}
	return judge_send(o, tid, fd, data, len);
}

static bool judge_mmsg(struct out *o, pid_t tid, const uint64_t args[6])
{
	bool counts = false;

	for (unsigned i = 0; i < (unsigned)args[2] && i < 1024; i++)
		counts |= judge_msghdr(o, tid, (int)args[0], args[1] + i * sizeof(struct mmsghdr));
	return counts;
}

static bool judge_buffer(struct out *o, pid_t tid, const uint64_t args[6])
{
	static char data[NETLINK_READ_MAX];
	size_t len = args[2] < sizeof(data) ? (size_t)args[2] : sizeof(data);

	len = peek(tid, args[1], data, len);
	return judge_send(o, tid, (int)args[0], data, len);
}

static bool judge(struct out *o, pid_t tid, const struct call *c, const uint64_t args[6])
{
	uint64_t flags = 0;

	switch (c->rule) {
	case ALWAYS:
		return true;
	case OPEN:
		return args[c->at] & (O_CREAT | O_TRUNC);
	case OPENAT2: /* the flags are the first member of struct open_how, and of clone_args */
		(void)peek(tid, args[c->at], &flags, sizeof(flags));
		return flags & (O_CREAT | O_TRUNC);
	case WRITE:
		return args[0] != 1 && args[0] != 2 && is_regular(tid, (int)args[0]);
	case SEND:
		return judge_buffer(o, tid, args);
	case SENDMSG:
		return judge_msghdr(o, tid, (int)args[0], args[1]);
	case SENDMMSG:
		return judge_mmsg(o, tid, args);
	case CLONE:
		return !(args[0] & CLONE_THREAD);
	case CLONE3:
		(void)peek(tid, args[0], &flags, sizeof(flags));
		put(o, "0x%llx", (unsigned long long)flags);
		return !(flags & CLONE_THREAD);
	case IOCTL:
		return args[1] == TUNSETIFF || args[1] == TUNSETPERSIST;
	}
	return false;
}

bool calls_counts(pid_t tid, uint64_t nr, const uint64_t args[6], char *show, size_t size)
{
	struct out o = {show, size, 0};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if ((uint64_t)calls[i].nr != nr)
			continue;
		put(&o, "%s(", calls[i].name);
		if (!judge(&o, tid, &calls[i], args))
			return false;
		put_args(&o, tid, calls[i].args, args);
		put(&o, ")");
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of probes.h. Raw system calls, for the C library would put others in their place. */
#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NC (SOCK_NONBLOCK | SOCK_CLOEXEC)

static struct {
	int epoll, timer, pipe[2], tcp, udp, udp6;
	char *page;
} have;

int probes_prepare(void)
{
	have.epoll = epoll_create1(EPOLL_CLOEXEC);
	have.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	have.tcp = socket(AF_INET, SOCK_STREAM | NC, IPPROTO_TCP);
	have.udp = socket(AF_INET, SOCK_DGRAM | NC, IPPROTO_UDP);
	have.udp6 = socket(AF_INET6, SOCK_DGRAM | NC, IPPROTO_UDP);
	have.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (have.epoll < 0 || have.timer < 0 || have.tcp < 0 || have.udp < 0 || have.udp6 < 0 ||
	    have.page == MAP_FAILED || pipe2(have.pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int end(long r)
{
	return r < 0 ? errno : 0;
}

#define CALL(name, ...)                                                                            \
	static int do_##name(void)                                                                 \
	{                                                                                          \
		return end(syscall(__VA_ARGS__));                                                  \
	}
#define SOCK(name, family, type, proto)                                                            \
	static int do_##name(void)                                                                 \
	{                                                                                          \
		long fd = syscall(SYS_socket, family, type, proto);                                \
		int r = end(fd);                                                                   \
                                                                                                   \
		if (fd >= 0)                                                                       \
			syscall(SYS_close, fd);                                                    \
		return r;                                                                          \
	}
#define OPTION(name, fd, level, option)                                                            \
	static int do_##name(void)                                                                 \
	{                                                                                          \
		int v[8] = {1, 1};                                                                 \
                                                                                                   \
		return end(syscall(SYS_setsockopt, have.fd, level, option, v, sizeof(v)));         \
	}
#define QUERY(name, fd, level, option)                                                             \
	static int do_##name(void)                                                                 \
	{                                                                                          \
		char v[512];                                                                       \
		socklen_t len = sizeof(v);                                                         \
                                                                                                   \
		return end(syscall(SYS_getsockopt, have.fd, level, option, v, &len));              \
	}

SOCK(tcp4, AF_INET, SOCK_STREAM | NC, IPPROTO_TCP)
SOCK(tcp6, AF_INET6, SOCK_STREAM | NC, IPPROTO_TCP)
SOCK(udp4, AF_INET, SOCK_DGRAM | NC, IPPROTO_UDP)
SOCK(udp6, AF_INET6, SOCK_DGRAM | NC, IPPROTO_UDP)
SOCK(mptcp, AF_INET, SOCK_STREAM | NC, 262)
SOCK(sctp, AF_INET, SOCK_STREAM | NC, IPPROTO_SCTP)
SOCK(any_proto, AF_INET, SOCK_STREAM | NC, 0)
SOCK(blocking, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP)
SOCK(raw, AF_INET, SOCK_RAW | NC, IPPROTO_ICMP)
SOCK(raw6, AF_INET6, SOCK_RAW | NC, IPPROTO_ICMPV6)
SOCK(packet, AF_PACKET, SOCK_RAW | NC, 0)
SOCK(unix, AF_UNIX, SOCK_STREAM | NC, 0)
SOCK(netlink, AF_NETLINK, SOCK_RAW | NC, 0)
SOCK(vsock, AF_VSOCK, SOCK_STREAM | NC, 0)
SOCK(alg, AF_ALG, SOCK_SEQPACKET | NC, 0)

OPTION(reuseaddr, tcp, SOL_SOCKET, SO_REUSEADDR)
OPTION(sndbuf, tcp, SOL_SOCKET, SO_SNDBUF)
OPTION(rcvbuf, tcp, SOL_SOCKET, SO_RCVBUF)
OPTION(linger, tcp, SOL_SOCKET, SO_LINGER)
OPTION(zerocopy, tcp, SOL_SOCKET, SO_ZEROCOPY)
OPTION(nodelay, tcp, IPPROTO_TCP, TCP_NODELAY)
OPTION(quickack, tcp, IPPROTO_TCP, TCP_QUICKACK)
OPTION(user_timeout, tcp, IPPROTO_TCP, TCP_USER_TIMEOUT)
OPTION(keepidle, tcp, IPPROTO_TCP, TCP_KEEPIDLE)
OPTION(no_port, tcp, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT)
OPTION(recverr, udp, IPPROTO_IP, IP_RECVERR)
OPTION(ttl, udp, IPPROTO_IP, IP_TTL)
OPTION(tos, udp, IPPROTO_IP, IP_TOS)
OPTION(recverr6, udp6, IPPROTO_IPV6, IPV6_RECVERR)
OPTION(hops6, udp6, IPPROTO_IPV6, IPV6_UNICAST_HOPS)
OPTION(mtu6, udp6, IPPROTO_IPV6, IPV6_MTU_DISCOVER)
OPTION(v6only, udp6, IPPROTO_IPV6, IPV6_V6ONLY)
OPTION(gro, udp, IPPROTO_UDP, 104)
OPTION(segment, udp, IPPROTO_UDP, 103)
OPTION(mark, tcp, SOL_SOCKET, SO_MARK)
OPTION(to_device, tcp, SOL_SOCKET, SO_BINDTODEVICE)
OPTION(attach_filter, tcp, SOL_SOCKET, SO_ATTACH_FILTER)
OPTION(attach_bpf, tcp, SOL_SOCKET, SO_ATTACH_BPF)
OPTION(transparent, tcp, IPPROTO_IP, IP_TRANSPARENT)
OPTION(ipt_replace, tcp, IPPROTO_IP, 64)
OPTION(hdrincl, udp, IPPROTO_IP, IP_HDRINCL)
OPTION(ulp, tcp, IPPROTO_TCP, 31)
OPTION(repair, tcp, IPPROTO_TCP, TCP_REPAIR)
OPTION(join, udp, IPPROTO_IP, IP_ADD_MEMBERSHIP)
QUERY(error, tcp, SOL_SOCKET, SO_ERROR)
QUERY(info, tcp, IPPROTO_TCP, TCP_INFO)
QUERY(peercred, tcp, SOL_SOCKET, SO_PEERCRED)
QUERY(get_filter, tcp, SOL_SOCKET, SO_GET_FILTER)

static int do_connect(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(9)};

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return end(syscall(SYS_connect, have.udp, &sa, sizeof(sa)));
}

static int do_connect_long(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/x"};

	return end(syscall(SYS_connect, have.udp, &sa, sizeof(sa)));
}

static int bind_port(int fd, in_port_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

	return end(syscall(SYS_bind, fd, &sa, sizeof(sa)));
}

static int do_bind(void)
{
	return bind_port(have.tcp, 0);
}

static int do_bind_udp(void)
{
	return bind_port(have.udp6, 0);
}

static int do_sendto(void)
{
	int r = do_connect();

	if (r == 0)
		r = end(syscall(SYS_sendto, have.udp, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
				0));
	return r == ECONNREFUSED ? 0 : r;
}

static int do_recvmmsg(void)
{
	struct mmsghdr m = {.msg_len = 0};
	int r = end(syscall(SYS_recvmmsg, have.udp, &m, 1, MSG_DONTWAIT, NULL));

	return r == EAGAIN || r == ECONNREFUSED ? 0 : r;
}

static int do_splice(void)
{
	int r = end(syscall(SYS_splice, have.tcp, NULL, have.pipe[1], NULL, 4096,
			    SPLICE_F_NONBLOCK | SPLICE_F_MOVE));

	return r == EAGAIN || r == ENOTCONN ? 0 : r;
}

static int do_epoll(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int r = end(syscall(SYS_epoll_ctl, have.epoll, EPOLL_CTL_ADD, have.timer, &ev));

	return r ? r : end(syscall(SYS_epoll_pwait, have.epoll, &ev, 1, 0, NULL, 8));
}

static int do_timer(void)
{
	struct itimerspec t = {.it_value = {.tv_sec = 1}};

	return end(syscall(SYS_timerfd_settime, have.timer, 0, &t, NULL));
}

static int do_clock(void)
{
	struct timespec t;

	return end(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
}

static int do_dontneed(void)
{
	return end(syscall(SYS_madvise, have.page, 4096, MADV_DONTNEED));
}

CALL(oob, SYS_sendto, have.tcp, "x", 1, MSG_OOB | MSG_DONTWAIT, NULL, 0)
CALL(fastopen, SYS_sendto, have.tcp, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT, NULL, 0)
CALL(listen, SYS_listen, have.tcp, 1)
CALL(accept_plain, SYS_accept4, have.tcp, NULL, NULL, 0)
CALL(splice_more, SYS_splice, have.tcp, NULL, have.pipe[1], NULL, 1, SPLICE_F_MORE)
CALL(remove, SYS_madvise, have.page, 4096, MADV_REMOVE)
CALL(populate, SYS_madvise, have.page, 4096, 23 /* MADV_POPULATE_WRITE */)
CALL(hugepage, SYS_madvise, have.page, 4096, MADV_HUGEPAGE)
CALL(open_root, SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY)
CALL(open_passwd, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)
CALL(create, SYS_openat, AT_FDCWD, "/x", O_CREAT | O_WRONLY, 0600)
CALL(mkdir, SYS_mkdirat, AT_FDCWD, "/x", 0700)
CALL(unlink, SYS_unlinkat, AT_FDCWD, "/x", 0)
CALL(stat, SYS_faccessat, AT_FDCWD, "/proc/self", 0)
CALL(readlink, SYS_readlinkat, AT_FDCWD, "/proc/self/exe", have.page, 100)
CALL(memory, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(protect, SYS_mprotect, have.page, 4096, PROT_READ)
CALL(kill_others, SYS_kill, 2, 0)
CALL(tgkill, SYS_tgkill, 1, 1, 0)
CALL(pidfd_open, SYS_pidfd_open, 1, 0)
CALL(getpid, SYS_getpid)
CALL(ioctl, SYS_ioctl, have.tcp, 0x541b, have.page)
CALL(fcntl, SYS_fcntl, have.tcp, F_GETFL)
CALL(dup, SYS_dup, have.tcp)
CALL(pipe, SYS_pipe2, have.page, O_CLOEXEC)
CALL(memfd, SYS_memfd_create, "x", 0)
CALL(eventfd, SYS_eventfd2, 0, 0)
CALL(inotify, SYS_inotify_init1, 0)
CALL(epoll_create, SYS_epoll_create1, 0)
CALL(timer_create, SYS_timerfd_create, CLOCK_MONOTONIC, 0)
CALL(prctl, SYS_prctl, 38, 0, 0, 0, 0)
CALL(seccomp, SYS_seccomp, 0, 0, NULL)
CALL(landlock, SYS_landlock_create_ruleset, NULL, 0, 1)
CALL(setuid, SYS_setresuid, 0, 0, 0)
CALL(prlimit, SYS_prlimit64, 0, 7, NULL, have.page)
CALL(sysinfo, SYS_sysinfo, have.page)
CALL(uname, SYS_uname, have.page)
CALL(shm, SYS_shmget, 0, 4096, 0600 | 01000)
CALL(msg, SYS_msgget, 0, 0600 | 01000)
CALL(syslog, SYS_syslog, 3, have.page, 100)
CALL(sethostname, SYS_sethostname, "x", 1)
CALL(futex, SYS_futex, have.page, 1, 1, NULL, NULL, 0)

CALL(execve, SYS_execve, "/bin/true", NULL, NULL)
CALL(execveat, SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0)
CALL(clone, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
CALL(clone3, SYS_clone3, have.page, 64)
CALL(unshare, SYS_unshare, CLONE_NEWUSER)
CALL(unshare_net, SYS_unshare, CLONE_NEWNET)
CALL(setns, SYS_setns, 0, CLONE_NEWNET)
CALL(ptrace, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)
CALL(vm_readv, SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0)
CALL(vm_writev, SYS_process_vm_writev, 1, NULL, 0, NULL, 0, 0)
CALL(pidfd_getfd, SYS_pidfd_getfd, 0, 0, 0)
CALL(mount, SYS_mount, "x", "/", "tmpfs", 0, NULL)
CALL(umount, SYS_umount2, "/", 0)
CALL(pivot_root, SYS_pivot_root, "/", "/")
CALL(chroot, SYS_chroot, "/")
CALL(fsopen, SYS_fsopen, "tmpfs", 0)
CALL(open_tree, SYS_open_tree, AT_FDCWD, "/", 0)
CALL(move_mount, SYS_move_mount, 0, "", 0, "", 0)
CALL(bpf, SYS_bpf, 0, NULL, 0)
CALL(perf, SYS_perf_event_open, NULL, 0, -1, -1, 0)
CALL(userfaultfd, SYS_userfaultfd, 0)
CALL(keyctl, SYS_keyctl, 0, 0, 0, 0, 0)
CALL(add_key, SYS_add_key, "user", "x", "x", 1, -1)
CALL(request_key, SYS_request_key, "user", "x", NULL, 0)
CALL(kexec, SYS_kexec_load, 0, 0, NULL, 0)
CALL(init_module, SYS_init_module, NULL, 0, "")
CALL(finit_module, SYS_finit_module, -1, "", 0)
CALL(delete_module, SYS_delete_module, "x", 0)
CALL(io_uring, SYS_io_uring_setup, 1, have.page)
CALL(by_handle, SYS_open_by_handle_at, 0, have.page, 0)
CALL(map_code, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(make_code, SYS_mprotect, have.page, 4096, PROT_READ | PROT_EXEC)
#ifdef __x86_64__
CALL(fork, SYS_fork)
CALL(vfork, SYS_vfork)
CALL(x32, 0x40000000 | SYS_getpid)

/* i386's getpid. A kernel without i386 answers with a fault, which ends the process as well. */
static int do_i386(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)-r : 0;
}
#endif

#define GOES(name)                                                                                 \
	{                                                                                          \
#name, do_##name, PROBE_GOES, 0                                                    \
	}
#define DENIED(name)                                                                               \
	{                                                                                          \
#name, do_##name, EPERM, 0                                                         \
	}
/* Denied by the filter, and without it by another layer, with this errno. */
#define TWICE(name, bare)                                                                          \
	{                                                                                          \
#name, do_##name, EPERM, bare                                                      \
	}
#define KILLS(name)                                                                                \
	{                                                                                          \
#name, do_##name, PROBE_KILLS, 0                                                   \
	}
#define KILLS_TWICE(name, bare)                                                                    \
	{                                                                                          \
#name, do_##name, PROBE_KILLS, bare                                                \
	}

const struct probe_case probe_cases[] = {
	GOES(tcp4),
	GOES(tcp6),
	GOES(udp4),
	GOES(udp6),
	GOES(connect),
	GOES(sendto),
	GOES(recvmmsg),
	GOES(splice),
	GOES(epoll),
	GOES(clock),
	GOES(dontneed),
	GOES(remove),
	GOES(populate),
	GOES(sndbuf),
	GOES(rcvbuf),
	GOES(linger),
	GOES(nodelay),
	GOES(keepidle),
	GOES(no_port),
	GOES(recverr),
	GOES(ttl),
	GOES(tos),
	GOES(recverr6),
	GOES(hops6),
	GOES(mtu6),
	GOES(v6only),
	GOES(gro),
	GOES(error),
	DENIED(timer),
	DENIED(reuseaddr),
	DENIED(zerocopy),
	DENIED(quickack),
	DENIED(user_timeout),
	DENIED(segment),
	DENIED(info),
	DENIED(mptcp),
	DENIED(sctp),
	DENIED(any_proto),
	DENIED(blocking),
	TWICE(raw, EPERM),
	TWICE(raw6, EPERM),
	TWICE(packet, EPERM),
	DENIED(unix),
	DENIED(netlink),
	DENIED(vsock),
	DENIED(alg),
	TWICE(mark, EPERM),
	DENIED(to_device),
	DENIED(attach_filter),
	DENIED(attach_bpf),
	TWICE(transparent, EPERM),
	TWICE(ipt_replace, EPERM),
	DENIED(hdrincl),
	DENIED(ulp),
	TWICE(repair, EPERM),
	DENIED(join),
	DENIED(peercred),
	DENIED(get_filter),
	DENIED(connect_long),
	TWICE(bind, EACCES),
	DENIED(bind_udp),
	DENIED(oob),
	DENIED(fastopen),
	DENIED(listen),
	DENIED(accept_plain),
	DENIED(splice_more),
	DENIED(hugepage),
	TWICE(open_root, EACCES),
	TWICE(open_passwd, ENOENT),
	TWICE(create, EROFS),
	TWICE(mkdir, EROFS),
	TWICE(unlink, EROFS),
	TWICE(stat, ENOENT),
	TWICE(readlink, ENOENT),
	DENIED(memory),
	DENIED(protect),
	TWICE(kill_others, ESRCH),
	DENIED(tgkill),
	DENIED(pidfd_open),
	DENIED(getpid),
	DENIED(ioctl),
	DENIED(fcntl),
	DENIED(dup),
	DENIED(pipe),
	DENIED(memfd),
	DENIED(eventfd),
	DENIED(inotify),
	DENIED(epoll_create),
	DENIED(timer_create),
	DENIED(prctl),
	DENIED(seccomp),
	DENIED(landlock),
	TWICE(setuid, EINVAL),
	DENIED(prlimit),
	DENIED(sysinfo),
	DENIED(uname),
	DENIED(shm),
	DENIED(msg),
	TWICE(syslog, EPERM),
	TWICE(sethostname, EPERM),
	DENIED(futex),
	KILLS(execve),
	KILLS(execveat),
	KILLS_TWICE(clone, EAGAIN),
	KILLS(clone3),
	KILLS_TWICE(unshare, EPERM),
	KILLS_TWICE(unshare_net, EPERM),
	KILLS(setns),
	KILLS(ptrace),
	KILLS(vm_readv),
	KILLS(vm_writev),
	KILLS(pidfd_getfd),
	KILLS_TWICE(mount, EPERM),
	KILLS_TWICE(umount, EPERM),
	KILLS_TWICE(pivot_root, EPERM),
	KILLS_TWICE(chroot, EPERM),
	KILLS_TWICE(fsopen, EPERM),
	KILLS(open_tree),
	KILLS_TWICE(move_mount, EPERM),
	KILLS(bpf),
	KILLS(perf),
	KILLS(userfaultfd),
	KILLS(keyctl),
	KILLS(add_key),
	KILLS(request_key),
	KILLS(kexec),
	KILLS(init_module),
	KILLS(finit_module),
	KILLS(delete_module),
	KILLS(io_uring),
	KILLS(by_handle),
	KILLS(map_code),
	KILLS_TWICE(make_code, EACCES),
#ifdef __x86_64__
	KILLS_TWICE(fork, EAGAIN),
	KILLS(vfork),
	KILLS(x32),
	KILLS(i386),
#endif
};
const size_t n_probe_cases = sizeof(probe_cases) / sizeof(probe_cases[0]);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jail: what the forwarder runs without: files (its root is an empty read-only file system that has
 * no other mount in it, and Landlock denies every file right), capabilities, the bounding set,
 * root's user, new processes, debuggers, and all system calls but the few below. Order matters:
 * what needs a privilege comes before that privilege goes. Steps that a kernel or a container
 * runtime may lack are skipped (Landlock, the empty root without CAP_SYS_ADMIN and CAP_SYS_CHROOT);
 * the others must work.
 *
 * System calls that are not on the list give EPERM, for the C library may try one on an error path;
 * those that no honest path of ours has kill the process. Read: capabilities(7), landlock(7),
 * seccomp(2), fsmount and move_mount in Documentation/filesystems/mount_api.rst.
 */
#include "fwd/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define NOBODY 65534

/* Rights and scopes newer than the headers of the oldest system we build on (Landlock ABI 3 to 6).
 */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

static int set_limits(void)
{
	const struct rlimit none = {0, 0};
	const struct rlimit files = {JAIL_NOFILE, JAIL_NOFILE};
	static const int forbidden[] = {RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_MSGQUEUE,
					RLIMIT_MEMLOCK};
	struct rlimit now;

	/* Without privilege as much as there is: tables may then fill up by EMFILE. */
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		if (getrlimit(RLIMIT_NOFILE, &now) < 0)
			return -errno;
		now.rlim_cur = now.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &now) < 0)
			return -errno;
	}
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (setrlimit(forbidden[i], &none) < 0)
			return -errno;
	return 0;
}

/* A file system of our own that is mounted nowhere: no mount namespace, no directory of the host,
 * and nothing left when the process is gone. */
static int open_void(void)
{
	CLEAN_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int fd = fsmount(fs, FSMOUNT_CLOEXEC,
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				 MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

static int enter_void(void)
{
	CLEAN_FD int fd = open_void();

	/* A user namespace that has no mount namespace of its own yet. */
	if (fd == -EPERM && unshare(CLONE_NEWNS) == 0)
		fd = open_void();
	if (fd >= 0) {
		if (fchdir(fd) < 0 || chroot(".") < 0)
			return -errno;
		/* Left open: to close it is to unmount, which waits for milliseconds, and it shows
		 * no more than our root. */
		fd_take(&fd);
		return 0;
	}
	/* Next best: a directory of the kernel that holds nothing but numbers of our descriptors.
	 */
	if (chroot("/proc/self/fdinfo") < 0 && errno != EPERM && errno != ENOENT)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

static int drop_bounding_set(void)
{
	for (unsigned long cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			/* EINVAL: past the last one there is; EPERM: no privilege, so none to lose
			 */
			return errno == EINVAL || errno == EPERM ? 0 : -errno;
	return 0;
}

/* Root stays user 0 where its user namespace has nobody else, but then without any capability. */
static int drop_user(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (geteuid() == 0) {
		if (setgroups(0, NULL) < 0 && errno != EPERM)
			return -errno;
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
			return -errno;
		if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
		if (setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
			return -errno;
	}
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int forbid_gains(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* Handled and allowed nowhere: every right on files, binding TCP ports, signals to others, and
 * connecting to abstract sockets of others. */
static int enter_landlock(void)
{
	struct {
		uint64_t fs, net, scoped;
	} attr = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return 0;
	attr.fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	if (abi >= 2)
		attr.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		attr.net = NET_BIND_TCP;
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	CLEAN_FD int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

static const int plain[] = {
	SCMP_SYS(epoll_wait),   SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(splice),       SCMP_SYS(shutdown),    SCMP_SYS(close),
	SCMP_SYS(connect),      SCMP_SYS(getsockname), SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),     SCMP_SYS(recvfrom),    SCMP_SYS(sendto),
	SCMP_SYS(sendmmsg),     SCMP_SYS(sendmsg),     SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group),  SCMP_SYS(restart_syscall),
};

static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(open_by_handle_at),
};

/* setsockopt (level, name) pairs; getsockopt takes SOL_SOCKET's reading ones. */
static const int set_options[][2] = {
	{SOL_SOCKET, SO_LINGER},    {SOL_SOCKET, SO_KEEPALIVE},  {IPPROTO_TCP, TCP_NODELAY},
	{IPPROTO_TCP, TCP_SYNCNT},  {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT},
};
static const int get_options[] = {SO_ERROR, SO_PEERCRED, SO_PROTOCOL, SO_ACCEPTCONN};

static int allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const int types[][2] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}};
	int r = 0;

	for (int f = 0; r == 0 && f < 2; f++)
		for (int t = 0; r == 0 && t < 2; t++)
			r = seccomp_rule_add(
				ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
				SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)families[f]),
				SCMP_A1_32(SCMP_CMP_EQ,
					   (uint32_t)(types[t][0] | SOCK_NONBLOCK | SOCK_CLOEXEC)),
				SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)types[t][1]));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 1,
				     SCMP_A3_32(SCMP_CMP_EQ, SOCK_NONBLOCK | SOCK_CLOEXEC));
	for (size_t i = 0; r == 0 && i < sizeof(set_options) / sizeof(set_options[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
				     SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)set_options[i][0]),
				     SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)set_options[i][1]));
	for (size_t i = 0; r == 0 && i < sizeof(get_options) / sizeof(get_options[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
				     SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET),
				     SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)get_options[i]));
	return r;
}

static int allow_pipes(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(pipe2), 1,
				 SCMP_A1_32(SCMP_CMP_EQ, O_NONBLOCK | O_CLOEXEC));

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1_32(SCMP_CMP_EQ, F_SETPIPE_SZ));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1_32(SCMP_CMP_EQ, F_GETPIPE_SZ));
	return r;
}

static int enter_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = 0;

	if (!ctx)
		return -ENOMEM;
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* Foreign instruction sets (i386, x32) have no honest use here either. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r == 0 && i < sizeof(plain) / sizeof(plain[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain[i], 0);
	for (size_t i = 0; r == 0 && i < sizeof(deadly) / sizeof(deadly[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (r == 0)
		r = allow_sockets(ctx);
	if (r == 0)
		r = allow_pipes(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

int jail_enter(const char **ret_step)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} steps[] = {
		{"rlimit", set_limits},
		{"chroot", enter_void},
		{"bounding set", drop_bounding_set},
		{"user", drop_user},
		{"capabilities", drop_capabilities},
		{"no new privileges", forbid_gains},
		{"landlock", enter_landlock},
		{"seccomp", enter_seccomp},
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: each step as the kernel wants it, and what to do where it has less. It decides nothing
 * about who is confined how. Read capabilities(7), landlock(7), pivot_root(2), fsmount and
 * move_mount in Documentation/filesystems/mount_api.rst.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/probe.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#define MDWE_REFUSE_EXEC_GAIN 1UL

/* Rights and scopes newer than the headers of the oldest system we build on (Landlock ABI 3 to 6).
 */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)
#define RULE_NET_PORT 2

int sandbox_limit(rlim_t n_files, bool may_write)
{
	const struct rlimit none = {0, 0};
	const struct rlimit files = {n_files, n_files};
	static const int forbidden[] = {RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_MSGQUEUE, RLIMIT_MEMLOCK};
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
	return may_write || setrlimit(RLIMIT_FSIZE, &none) == 0 ? 0 : -errno;
}

/* A file system of our own that is mounted nowhere: no directory of the host is needed for it, and
 * nothing is left when the process is gone. */
static int open_void(void)
{
	CLEAN_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

int sandbox_enter_void(void)
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

int sandbox_pivot_void(void)
{
	CLEAN_FD int fd = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	fd = open_void();
	if (fd < 0)
		return fd;
	/* On top of the old root, then in its place. */
	if (move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(fd) < 0)
		return -errno;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

int sandbox_drop_bounding(uint64_t but)
{
	for (unsigned long cap = 0; cap <= 63; cap++)
		if (!(but & 1ULL << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			/* EINVAL: past the last one there is; EPERM: no privilege, so none to lose
			 */
			return errno == EINVAL || errno == EPERM ? 0 : -errno;
	return 0;
}

int sandbox_lock_securebits(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0 && errno != EPERM ? -errno : 0;
}

int sandbox_become(uid_t uid, gid_t gid)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	/* EINVAL: a user namespace that has one number. */
	if (setresgid(gid, gid, gid) < 0 && errno != EINVAL)
		return -errno;
	if (setresuid(uid, uid, uid) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

int sandbox_keep_capabilities(uint64_t mask)
{
	int r = sandbox_drop_bounding(mask);

	return r < 0 ? r : sandbox_drop_capabilities(mask);
}

int sandbox_drop_capabilities(uint64_t but)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capget, &head, d) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		d[i].permitted &= (uint32_t)(but >> 32 * i);
		d[i].effective &= (uint32_t)(but >> 32 * i);
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, d) < 0 ? -errno : 0;
}

int sandbox_capabilities(uint64_t *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, d) < 0)
		return -errno;
	*ret = d[0].effective | (uint64_t)d[1].effective << 32;
	return 0;
}

/* The kernel's permission goes by the user who sets the owner, and by him who is to be killed:
 * after what changes users. Read F_SETSIG in fcntl(2). */
int sandbox_die_with_pipe(int fd)
{
	struct pollfd p = {.fd = fd};
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETFL, flags | O_ASYNC) < 0)
		return -errno;
	return poll(&p, 1, 0) > 0 ? -EPIPE : 0;
}

int sandbox_forbid_gains(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	/* Linux 6.3; an older one does not know it. */
	(void)prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	return 0;
}

struct ruleset {
	uint64_t fs, net, scoped;
};

static struct ruleset all_rights(int abi)
{
	struct ruleset r = {.fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

	if (abi >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= SANDBOX_LANDLOCK_NET)
		r.net = NET_BIND_TCP;
	if (abi >= SANDBOX_LANDLOCK_SCOPE)
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	return r;
}

static int allow_below(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr attr = {.allowed_access = access};
	CLEAN_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* What is not there needs no permission. */
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	attr.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0
		       ? -errno
		       : 0;
}

static int add_rules(int ruleset, int abi, const struct sandbox_paths *allow)
{
	const struct {
		uint64_t access, port;
	} any_port = {NET_BIND_TCP, 0};
	int r = 0;

	for (size_t i = 0; r == 0 && allow->readable && allow->readable[i]; i++)
		r = allow_below(ruleset, allow->readable[i],
				LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
	for (size_t i = 0; r == 0 && allow->removable && allow->removable[i]; i++)
		r = allow_below(ruleset, allow->removable[i], LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (r == 0 && allow->may_bind_any && abi >= SANDBOX_LANDLOCK_NET &&
	    syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &any_port, 0) < 0)
		r = -errno;
	return r;
}

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1 || !probe_allowed(PROBE_LANDLOCK))
		return 0;
	if (abi >= SANDBOX_LANDLOCK_NET && !probe_allowed(PROBE_LANDLOCK_NET))
		return SANDBOX_LANDLOCK_NET - 1;
	if (abi >= SANDBOX_LANDLOCK_SCOPE && !probe_allowed(PROBE_LANDLOCK_SCOPE))
		return SANDBOX_LANDLOCK_SCOPE - 1;
	return (int)abi;
}

int sandbox_landlock(const struct sandbox_paths *allow)
{
	int abi = sandbox_landlock_abi(), r;
	struct ruleset attr = all_rights(abi);
	CLEAN_FD int fd = -1;
	size_t size;

	if (abi == 0)
		return 0;
	if (allow && allow->only_files)
		attr.net = attr.scoped = 0;
	if (allow && allow->may_bind_ports)
		attr.net = 0;
	size = abi >= SANDBOX_LANDLOCK_SCOPE ? sizeof(attr)
	       : abi >= SANDBOX_LANDLOCK_NET ? 2 * sizeof(uint64_t)
					     : sizeof(uint64_t);
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	r = allow ? add_rules(fd, abi, allow) : 0;
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	return r;
}

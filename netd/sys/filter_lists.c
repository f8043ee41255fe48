/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_lists: what more than one process is left with, and what kills whoever tries it. */
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "sys/filter.h"

static const struct filter_rule always[] = {
	FILTER_ANY(close),           FILTER_ANY(clock_gettime), FILTER_ANY(rt_sigreturn),
	FILTER_ANY(restart_syscall), FILTER_ANY(exit_group),
};
const struct filter_list filter_always = FILTER_LIST(always);

static const struct filter_rule inet[] = {
	FILTER_SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	FILTER_SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	FILTER_SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	FILTER_SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
};
const struct filter_list filter_inet = FILTER_LIST(inet);

#define READ_ONLY (O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE)

static const struct filter_rule look[] = {
	FILTER_FLAGS(openat, 2, READ_ONLY),
	/* fstat(2) and stat(2), as C libraries have them. */
	FILTER_ANY(fstat),
	FILTER_ANY(stat),
	FILTER_ANY(newfstatat),
	FILTER_ANY(readlink),
	FILTER_ANY(readlinkat),
	FILTER_ANY(inotify_add_watch),
	/* The index of an interface that a resolver's scope names. */
	{SCMP_SYS(socket), {{0, FILTER_EQ, AF_INET}, {1, FILTER_EQ, SOCK_DGRAM | SOCK_CLOEXEC}}},
	{SCMP_SYS(ioctl), {{1, FILTER_EQ, SIOCGIFINDEX}}},
};
const struct filter_list filter_look = FILTER_LIST(look);

static const struct filter_rule memory[] = {
	FILTER_ANY(brk),     FILTER_ANY(munmap), FILTER_ANY(mremap),
	FILTER_ANY(madvise), FILTER_ANY(futex),
};
const struct filter_list filter_memory = FILTER_LIST(memory);

static const struct filter_rule deadly[] = {
	FILTER_ANY(execve),
	FILTER_ANY(execveat),
	FILTER_ANY(fork),
	FILTER_ANY(vfork),
	FILTER_ANY(clone),
	FILTER_ANY(clone3),
	FILTER_ANY(setns),
	FILTER_ANY(unshare),
	FILTER_ANY(mount),
	FILTER_ANY(umount2),
	FILTER_ANY(fsopen),
	FILTER_ANY(fsconfig),
	FILTER_ANY(fsmount),
	FILTER_ANY(fspick),
	FILTER_ANY(open_tree),
	FILTER_ANY(move_mount),
	FILTER_ANY(mount_setattr),
	FILTER_ANY(pivot_root),
	FILTER_ANY(chroot),
	{SCMP_SYS(mmap), {{2, FILTER_HAS, PROT_EXEC}}},
	{SCMP_SYS(mprotect), {{2, FILTER_HAS, PROT_EXEC}}},
	{SCMP_SYS(pkey_mprotect), {{2, FILTER_HAS, PROT_EXEC}}},
};
const struct filter_list filter_deadly = FILTER_LIST(deadly);

static const struct filter_rule alien[] = {
	FILTER_ANY(ptrace),
	FILTER_ANY(process_vm_readv),
	FILTER_ANY(process_vm_writev),
	FILTER_ANY(pidfd_getfd),
	FILTER_ANY(bpf),
	FILTER_ANY(perf_event_open),
	FILTER_ANY(userfaultfd),
	FILTER_ANY(keyctl),
	FILTER_ANY(add_key),
	FILTER_ANY(request_key),
	FILTER_ANY(kexec_load),
	FILTER_ANY(kexec_file_load),
	FILTER_ANY(init_module),
	FILTER_ANY(finit_module),
	FILTER_ANY(delete_module),
	FILTER_ANY(io_uring_setup),
	FILTER_ANY(io_uring_enter),
	FILTER_ANY(io_uring_register),
	FILTER_ANY(open_by_handle_at),
};
const struct filter_list filter_alien = FILTER_LIST(alien);

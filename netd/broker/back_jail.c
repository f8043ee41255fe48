/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_jail: what the back and its workers keep, and why; all else goes for good.
 */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/resource.h>

#include "broker/back.h"
#include "sys/filter.h"
#include "sys/sandbox.h"

#define BACK_FILES 1024
#define CAP(c) (1ULL << (c))

static const uint64_t kept =
	CAP(CAP_NET_ADMIN)          /* links, rules, addresses of the host */
	| CAP(CAP_SYS_ADMIN)        /* setns into a user's namespaces, as their owner
				     */
	| CAP(CAP_NET_RAW)          /* ARP and ND announcements of a chosen MAC */
	| CAP(CAP_NET_BIND_SERVICE) /* reservations of ports the policy allows */
	/* the front and the forwarder give up root with these, then these too */
	| CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_SETPCAP) |
	CAP(CAP_SYS_CHROOT)
	/* a front or a worker that is not of our user any more is ended */
	| CAP(CAP_KILL);

#define NEVER(call)                                                                                \
	{                                                                                          \
		SCMP_SYS(call),                                                                    \
		{                                                                                  \
			{                                                                          \
				0                                                                  \
			}                                                                          \
		}                                                                                  \
	}

/* What neither the engine does, nor the front and the forwarder on the way to their own filters.
 * Kept of the usual list: new processes and the forwarder's program, setns into users' namespaces,
 * and what an empty root is made of. */
static const struct filter_rule never[] = {
	NEVER(ptrace),
	NEVER(process_vm_readv),
	NEVER(process_vm_writev),
	NEVER(pidfd_getfd),
	NEVER(mount),
	NEVER(umount2),
	NEVER(pivot_root),
	NEVER(open_tree),
	NEVER(move_mount),
	NEVER(fspick),
	NEVER(mount_setattr),
	NEVER(swapon),
	NEVER(swapoff),
	NEVER(reboot),
	NEVER(settimeofday),
	NEVER(clock_settime),
	NEVER(adjtimex),
	NEVER(clock_adjtime),
	NEVER(sethostname),
	NEVER(setdomainname),
	NEVER(acct),
	NEVER(quotactl),
	NEVER(syslog),
	NEVER(bpf),
	NEVER(perf_event_open),
	NEVER(userfaultfd),
	NEVER(keyctl),
	NEVER(add_key),
	NEVER(request_key),
	NEVER(kexec_load),
	NEVER(kexec_file_load),
	NEVER(init_module),
	NEVER(finit_module),
	NEVER(delete_module),
	NEVER(io_uring_setup),
	NEVER(io_uring_enter),
	NEVER(io_uring_register),
	NEVER(open_by_handle_at),
	NEVER(mknod),
	NEVER(mknodat),
};

int back_jail(struct err *e)
{
	const struct filter_spec spec = {.kill = {FILTER_LIST(never)}, .is_open = true};
	struct filter program;
	const struct rlimit files = {BACK_FILES, BACK_FILES}, none = {0, 0};
	int r = filter_compile(&spec, &program, e);

	if (r < 0)
		return r;
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		r = -errno;
	/* Without privilege as many as there are. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (r == 0)
		r = sandbox_keep_capabilities(kept);
	if (r == 0)
		r = sandbox_forbid_gains();
	if (r == 0)
		r = filter_load(&program);
	filter_free(&program);
	return r < 0 ? err_sys(e, -r, "giving up privilege") : 0;
}

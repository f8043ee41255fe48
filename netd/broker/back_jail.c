/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_jail: what the back and its workers keep, and why; all else goes for good.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/hash.h"
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

static uint32_t mark_of(const struct filter *program)
{
	return crc32c(program->code, program->n * sizeof(program->code[0]));
}

/* What neither the engine does, nor the front and the forwarder on the way to their own filters.
 * Kept of the usual list: new processes and programs (the forwarder, the netd that comes
 * next), setns into users' namespaces, and what an empty root is made of. */
static const struct filter_rule never[] = {
	FILTER_ANY(mount),         FILTER_ANY(umount2),       FILTER_ANY(pivot_root),
	FILTER_ANY(open_tree),     FILTER_ANY(move_mount),    FILTER_ANY(fspick),
	FILTER_ANY(mount_setattr), FILTER_ANY(swapon),        FILTER_ANY(swapoff),
	FILTER_ANY(reboot),        FILTER_ANY(settimeofday),  FILTER_ANY(clock_settime),
	FILTER_ANY(adjtimex),      FILTER_ANY(clock_adjtime), FILTER_ANY(sethostname),
	FILTER_ANY(setdomainname), FILTER_ANY(acct),          FILTER_ANY(quotactl),
	FILTER_ANY(syslog),        FILTER_ANY(mknod),         FILTER_ANY(mknodat),
};

/* A filter that is on the process stays there for good: the same one once more would be of no use,
 * and they cannot be added without end. */
static int confine(const struct filter *program, const struct handover *from)
{
	struct rlimit files = {BACK_FILES, BACK_FILES}, none = {0, 0};
	int r = setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;

	/* Without privilege as many as there are. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (r == 0)
		r = sandbox_keep_capabilities(kept);
	if (r == 0)
		r = sandbox_forbid_gains();
	if (r == 0 && (!from || from->filter != mark_of(program)))
		r = filter_load(program);
	return r;
}

int back_jail(const struct handover *from, struct back_marks *ret, struct err *e)
{
	const struct filter_spec spec = {.kill = {FILTER_LIST(never), filter_alien},
					 .is_open = true};
	struct filter program;
	uint64_t caps = 0;
	int r = filter_compile(&spec, &program, e);

	if (r < 0)
		return r;
	r = confine(&program, from);
	if (r == 0)
		r = sandbox_capabilities(&caps);
	if (r == 0)
		*ret = (struct back_marks){
			.wanted = kept, .caps = caps, .filter = mark_of(&program)};
	filter_free(&program);
	if (r < 0)
		return err_sys(e, -r, "giving up privilege");
	if (from && ((kept & ~from->wanted) || caps != (from->caps & kept)))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "capabilities are needed that the program before it has given up: "
			       "a restart is needed");
	return 0;
}

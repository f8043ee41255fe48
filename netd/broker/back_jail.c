/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_jail: what the back and its workers keep, and why; all else goes for good.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/resource.h>

#include "broker/back.h"
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

int back_jail(struct err *e)
{
	const struct rlimit files = {BACK_FILES, BACK_FILES}, none = {0, 0};
	int r = 0;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		r = -errno;
	/* Without privilege as many as there are. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (r == 0)
		r = sandbox_keep_capabilities(kept);
	if (r == 0)
		r = sandbox_forbid_gains();
	return r < 0 ? err_sys(e, -r, "giving up privilege") : 0;
}

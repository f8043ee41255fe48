/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_del: takes links away. The kernel's acknowledgement of a deletion comes after an RCU barrier
 * of some 15 ms, in which the link is gone already; its RTM_DELLINK message comes before. The echo
 * variant returns on that message and leaves the sending task, which is stuck in the kernel,
 * behind.
 *
 * That task is a process of its own, not a thread: exit_group would wait for a thread. It shares
 * the memory (a copy would cost more than it saves) and therefore must not touch anything that
 * belongs to the C library: not errno, not malloc, no instrumented code; raw system calls on its
 * own stack only. It has its own descriptor table and keeps two sockets, so a reader of our
 * standard output sees the end of file when we exit. Read clone(2), close_range(2).
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/link.h"
#include "net/rtnl_wire.h"

#define WHAT "deleting a link"
#define TURN_MS 15000 /* for its turn behind the deletions of others: each has such a barrier */

static struct nl_msg *del_msg(uint16_t flags, uint32_t index)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};

	return rtnl_msg(RTM_DELLINK, flags, &ifi, sizeof(ifi));
}

/* Turns "no such link" into the positive result. */
static int del_result(int w, const struct err *mine, struct err *e)
{
	if (w == -ENODEV)
		return 1;
	if (w < 0 && e)
		*e = *mine;
	return w;
}

int link_del(struct rtnl *r, uint32_t index, struct err *e)
{
	struct err mine = ERR_INIT;
	int w;

	if (index == 0)
		return err_invalid(e, ERR_INTERNAL, WHAT " without an index");
	w = rtnl_call(r, del_msg(0, index), NULL, NULL, NULL, WHAT, &mine);
	return del_result(w, &mine, e);
}

int link_del_group(struct rtnl *r, uint32_t group, struct err *e)
{
	struct nl_msg *m;
	struct err mine = ERR_INIT;
	int w;

	if (group == 0)
		return err_invalid(e, ERR_INTERNAL, "group 0 is every link's");
	m = del_msg(0, 0);
	if (m)
		m = rtnl_msg_done(m, nla_put_u32(m, IFLA_GROUP, group));
	w = rtnl_call(r, m, NULL, NULL, NULL, "deleting the links of a group", &mine);
	return del_result(w, &mine, e);
}

/* ---- the task that stays behind ---- */

#if defined(__x86_64__)
#define HAVE_RAW_CALL 1
#define RAW_ATTRIBUTES __attribute__((no_sanitize("address", "undefined"), no_stack_protector))
#define RAW_CALL(ret, nr, a, b, c, d, f, g)                                                        \
	do {                                                                                       \
		register long r10_ __asm__("r10") = (long)(d);                                     \
		register long r8_ __asm__("r8") = (long)(f);                                       \
		register long r9_ __asm__("r9") = (long)(g);                                       \
		__asm__ volatile("syscall"                                                         \
				 : "=a"(ret)                                                       \
				 : "0"((long)(nr)), "D"((long)(a)), "S"((long)(b)),                \
				   "d"((long)(c)), "r"(r10_), "r"(r8_), "r"(r9_)                   \
				 : "rcx", "r11", "memory");                                        \
	} while (0)
#elif defined(__aarch64__)
#define HAVE_RAW_CALL 1
#define RAW_ATTRIBUTES __attribute__((no_sanitize("address", "undefined"), no_stack_protector))
#define RAW_CALL(ret, nr, a, b, c, d, f, g)                                                        \
	do {                                                                                       \
		register long x8_ __asm__("x8") = (long)(nr);                                      \
		register long x0_ __asm__("x0") = (long)(a);                                       \
		register long x1_ __asm__("x1") = (long)(b);                                       \
		register long x2_ __asm__("x2") = (long)(c);                                       \
		register long x3_ __asm__("x3") = (long)(d);                                       \
		register long x4_ __asm__("x4") = (long)(f);                                       \
		register long x5_ __asm__("x5") = (long)(g);                                       \
		__asm__ volatile("svc 0"                                                           \
				 : "+r"(x0_)                                                       \
				 : "r"(x8_), "r"(x1_), "r"(x2_), "r"(x3_), "r"(x4_), "r"(x5_)      \
				 : "memory");                                                      \
		(ret) = x0_;                                                                       \
	} while (0)
#endif

#ifdef HAVE_RAW_CALL

#define STACK_BYTES ((size_t)16 << 10)

/* Memory of one such task, used again once it has ended. */
struct slot {
	struct slot *next;
	pid_t pid;     /* 0: free */
	int low, high; /* the descriptors it keeps, in order; low is -1 when there is one only */
	int sock;
	long result; /* of sendto: 1 until it has returned */
	size_t len;
	struct nlmsghdr msg;
	char attrs[64];
	char stack[STACK_BYTES] __attribute__((aligned(16)));
};

static struct slot *slots;

RAW_ATTRIBUTES static int stay_behind(void *arg)
{
	struct slot *s = arg;
	long r;

	if (s->low > 0)
		RAW_CALL(r, SYS_close_range, 0, s->low - 1, 0, 0, 0, 0);
	if (s->high > s->low + 1)
		RAW_CALL(r, SYS_close_range, s->low + 1, s->high - 1, 0, 0, 0, 0);
	RAW_CALL(r, SYS_close_range, s->high + 1, UINT32_MAX, 0, 0, 0, 0);
	/* Nor should it keep a directory from being unmounted. */
	RAW_CALL(r, SYS_chdir, "/", 0, 0, 0, 0, 0);
	RAW_CALL(r, SYS_sendto, s->sock, &s->msg, s->len, 0, 0, 0);
	__atomic_store_n(&s->result, r, __ATOMIC_RELEASE);
	RAW_CALL(r, SYS_exit, 0, 0, 0, 0, 0, 0);
	return 0; /* not reached */
}

/* Its exit signal is 0: only a wait with __WCLONE sees it, so that it can hide from whatever else
 * the program waits for. When the program is gone, init takes care of it. */
static bool slot_has_ended(struct slot *s)
{
	if (s->pid != 0 && waitpid(s->pid, NULL, __WCLONE | WNOHANG) == 0)
		return false;
	s->pid = 0;
	return true;
}

static struct slot *slot_get(void)
{
	struct slot *s, *ret = NULL;

	for (s = slots; s; s = s->next)
		if (slot_has_ended(s))
			ret = s;
	if (ret)
		return ret;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return NULL;
	s->next = slots;
	slots = s;
	return s;
}

/* The C library's own call leaves two signals unblocked. */
static void set_signals(const uint64_t *mask, uint64_t *old)
{
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, sizeof(*mask));
}

static int slot_start(struct slot *s)
{
	uint64_t all = UINT64_MAX, old = 0;
	int pid;

	s->result = 1;
	set_signals(&all, &old);
	pid = clone(stay_behind, s->stack + sizeof(s->stack), CLONE_VM, s);
	set_signals(&old, NULL);
	if (pid < 0)
		return -errno;
	s->pid = pid;
	return 0;
}

static void slot_fill(struct slot *s, const struct nlmsghdr *h, int sock, int hold_fd)
{
	memcpy(&s->msg, h, h->nlmsg_len);
	s->len = h->nlmsg_len;
	s->sock = sock;
	s->low = hold_fd >= 0 && hold_fd < sock ? hold_fd : -1;
	s->high = sock;
	if (hold_fd > sock) {
		s->low = sock;
		s->high = hold_fd;
	}
}

/* Kernels that do not echo a deletion announce it to a group. */
static void join_links(struct rtnl *r)
{
	int group = RTNLGRP_LINK;

	(void)setsockopt(rtnl_fd(r), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

static bool is_gone_msg(const struct nlmsghdr *h, uint32_t index)
{
	const struct ifinfomsg *ifi = nlmsg_data(h);

	/* A bridge tells of a port that leaves in the same way, but for the family. */
	return h->nlmsg_type == RTM_DELLINK && nlmsg_datalen(h) >= (int)sizeof(*ifi) &&
	       ifi->ifi_family == AF_UNSPEC && ifi->ifi_index == (int)index;
}

/* Reads until the link is known to be gone, or not to be. */
static int await_gone(struct rtnl *r, struct slot *s, uint32_t index, struct err *e)
{
	uint64_t end = clock_ms() + TURN_MS;
	struct nlmsghdr *h;
	const char *text;
	long result;
	bool has_ended;
	int w;

	for (;;) {
		has_ended = slot_has_ended(s);
		result = __atomic_load_n(&s->result, __ATOMIC_ACQUIRE);
		/* Short slices: a task that fails before it has asked leaves nothing to read. */
		w = rtnl_next(r, has_ended || result < 0 ? 0 : clock_ms() + 50, &h);
		if (w == -ETIMEDOUT && result < 0)
			return err_sys(e, (int)-result, WHAT ": asking the kernel");
		if (w == -ETIMEDOUT && (has_ended || clock_ms() >= end))
			return rtnl_fail_next(w, WHAT, e);
		if (w == -ETIMEDOUT || w == -ENOBUFS)
			continue;
		if (w < 0)
			return rtnl_fail_next(w, WHAT, e);
		if (is_gone_msg(h, index))
			return 0;
		if (h->nlmsg_type != NLMSG_ERROR || !rtnl_is_answer(r, h, s->msg.nlmsg_seq))
			continue;
		w = rtnl_errno(h, &text);
		return w == 0 ? 0 : rtnl_fail(w, text, WHAT, e);
	}
}

int link_del_echo(struct rtnl *r, uint32_t index, int hold_fd, struct err *e)
{
	bool has_echo = rtnl_echoes(r);
	struct err mine = ERR_INIT;
	struct nl_msg *m;
	struct slot *s;
	int w;

	if (index == 0)
		return err_invalid(e, ERR_INTERNAL, WHAT " without an index");
	m = del_msg(NLM_F_ACK | (has_echo ? NLM_F_ECHO : 0), index);
	if (!m)
		return err_sys(e, ENOMEM, WHAT);
	s = slot_get();
	w = -ENOMEM;
	if (s) {
		(void)rtnl_stamp(r, nlmsg_hdr(m));
		slot_fill(s, nlmsg_hdr(m), rtnl_fd(r), hold_fd);
		if (!has_echo)
			join_links(r);
		w = slot_start(s);
	}
	nlmsg_free(m);
	/* No process to be had: it takes longer, that is all. */
	if (w < 0)
		return link_del(r, index, e);
	w = await_gone(r, s, index, &mine);
	return del_result(w, &mine, e);
}

#else /* a machine whose system call convention is not known here */

int link_del_echo(struct rtnl *r, uint32_t index, int hold_fd, struct err *e)
{
	(void)hold_fd;
	return link_del(r, index, e);
}

#endif

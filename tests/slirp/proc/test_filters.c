/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system call filters as the kernel will run them, against their tables: every call number of
 * three instruction sets with arguments from the tables, their neighbours, and at random. The
 * programs are evaluated here by an interpreter of the few instructions that seccomp(2) admits.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "proc/filters.h"

#define X32_BIT 0x40000000u
#define N_CALLS 600
#define N_RANDOM 120

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define EPERM_ACTION (SECCOMP_RET_ERRNO | 1u)

/* The action of the program for the call; UINT32_MAX: the program is broken. */
static uint32_t run(const struct filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (unsigned pc = 0; pc < f->n;) {
		const struct sock_filter *i = &f->code[pc++];
		uint32_t k = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k + 4 > sizeof(*d))
				return UINT32_MAX;
			memcpy(&a, (const char *)d + i->k, 4);
			break;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & k ? i->jt : i->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= k;
			break;
		case BPF_ST:
			mem[i->k % BPF_MEMWORDS] = a;
			break;
		case BPF_LD | BPF_MEM:
			a = mem[i->k % BPF_MEMWORDS];
			break;
		default:
			return UINT32_MAX;
		}
	}
	return UINT32_MAX;
}

static bool holds(const struct filter_cmp *c, uint64_t arg)
{
	uint32_t low = (uint32_t)arg;

	switch (c->op) {
	case FILTER_EQ:
		return low == c->value;
	case FILTER_WITHIN:
		return (low & ~c->value) == 0;
	case FILTER_HAS:
		return (low & c->value) == c->value;
	default:
		return arg <= c->value;
	}
}

static bool matches(const struct filter_list *l, const struct seccomp_data *d)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct filter_rule *r = &l->rules[i];
		bool all = r->nr == d->nr;

		for (int c = 0; all && c < 3 && r->cmp[c].op; c++)
			all = holds(&r->cmp[c], d->args[r->cmp[c].arg]);
		if (all)
			return true;
	}
	return false;
}

static uint32_t expected(const struct filter_spec *s, const struct seccomp_data *d)
{
	/* No call of any instruction set: what a tracer puts in to have a call skipped. */
	if (d->arch == NATIVE && d->nr == -1)
		return EPERM_ACTION;
	if (d->arch != NATIVE || (d->arch == AUDIT_ARCH_X86_64 && (uint32_t)d->nr >= X32_BIT))
		return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < 2; i++)
		if (matches(&s->kill[i], d))
			return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < FILTER_LISTS; i++)
		if (matches(&s->allow[i], d))
			return SECCOMP_RET_ALLOW;
	return EPERM_ACTION;
}

static uint64_t seed = 0x9e3779b97f4a7c15ULL;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A value that some rule of the call compares with, or one beside it, or any. */
static uint64_t pick(const struct filter_spec *s, int nr)
{
	const struct filter_list *l = rnd() & 1 ? &s->allow[rnd() % FILTER_LISTS] : &s->kill[0];
	uint64_t v = rnd();

	for (int tries = 0; l->n && tries < 64; tries++) {
		const struct filter_rule *r = &l->rules[rnd() % l->n];
		const struct filter_cmp *c = &r->cmp[rnd() % 3];

		if (r->nr == nr && c->op) {
			v = c->value;
			break;
		}
	}
	switch (rnd() % 8) {
	case 0:
		return v + 1;
	case 1:
		return v - 1;
	case 2:
		return v | 1ULL << (rnd() % 64);
	case 3:
		return v | rnd() << 32;
	case 4:
		return rnd() % 64;
	case 5:
		return 0;
	default:
		return v;
	}
}

static void check(const struct filter_spec *s, const struct filter *f, const struct seccomp_data *d)
{
	uint32_t got = run(f, d), want = expected(s, d);

	if (got == want)
		return;
	fail_msg("call %d arch %x args %llx %llx %llx %llx: %x, the table says %x", d->nr, d->arch,
		 (unsigned long long)d->args[0], (unsigned long long)d->args[1],
		 (unsigned long long)d->args[2], (unsigned long long)d->args[3], got, want);
}

static void check_all(const struct filter_spec *s)
{
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};
	struct filter f;
	struct err e = ERR_INIT;

	assert_int_equal(filter_compile(s, &f, &e), 0);
	assert_in_range(f.n, 20, 600);
	for (int nr = -2; nr < N_CALLS; nr++)
		for (int k = 0; k < N_RANDOM; k++) {
			struct seccomp_data d = {.nr = nr, .arch = NATIVE};

			for (int i = 0; i < 6; i++)
				d.args[i] = pick(s, nr);
			check(s, &f, &d);
			d.arch = arches[k % 3];
			check(s, &f, &d);
			d.arch = NATIVE;
			d.nr = (int)((uint32_t)nr | X32_BIT);
			check(s, &f, &d);
		}
	filter_free(&f);
}

static void test_worker(void **state)
{
	const struct filter_spec s = filters_worker(false);

	(void)state;
	check_all(&s);
}

static void test_worker_bind(void **state)
{
	const struct filter_spec s = filters_worker(true);

	(void)state;
	check_all(&s);
}

static void test_supervisor(void **state)
{
	const struct filter_spec s = filters_supervisor();

	(void)state;
	check_all(&s);
}

static void test_nsd(void **state)
{
	const struct filter_spec s = filters_nsd(false), bound = filters_nsd(true);

	(void)state;
	check_all(&s);
	check_all(&bound);
}

struct sample {
	int nr;
	uint64_t args[4];
	uint32_t want;
};

static void check_samples(const struct filter_spec *s, const struct sample *samples, size_t n)
{
	struct filter f;

	assert_int_equal(filter_compile(s, &f, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		struct seccomp_data d = {.nr = samples[i].nr, .arch = NATIVE};

		memcpy(d.args, samples[i].args, sizeof(samples[i].args));
		if (run(&f, &d) != samples[i].want)
			fail_msg("sample %zu: %x", i, run(&f, &d));
	}
	filter_free(&f);
}

/* What the tables must say, whoever edits them. */
static void test_meaning(void **state)
{
	const uint64_t nc = SOCK_NONBLOCK | SOCK_CLOEXEC;
	const struct sample samples[] = {
		{SCMP_SYS(socket), {AF_INET, SOCK_STREAM | nc, IPPROTO_TCP}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(socket), {AF_INET6, SOCK_DGRAM | nc, 58}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(socket), {AF_INET, SOCK_STREAM | nc, 262}, EPERM_ACTION}, /* MPTCP */
		{SCMP_SYS(socket), {AF_INET, SOCK_STREAM, IPPROTO_TCP}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_INET, SOCK_RAW | nc, 1}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_UNIX, SOCK_STREAM | nc, 0}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_NETLINK, SOCK_DGRAM | nc, 0}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_PACKET, SOCK_DGRAM | nc, 17}, EPERM_ACTION},
		{SCMP_SYS(sendto), {3, 0, 0, MSG_DONTWAIT | MSG_NOSIGNAL}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(sendto), {3, 0, 0, MSG_FASTOPEN}, EPERM_ACTION},
		{SCMP_SYS(sendmsg), {3, 0, MSG_OOB}, EPERM_ACTION},
		{SCMP_SYS(sendmsg), {3, 0, MSG_ZEROCOPY}, EPERM_ACTION},
		{SCMP_SYS(recvmsg), {3, 0, MSG_ERRQUEUE | MSG_DONTWAIT}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(recvfrom), {3, 0, 0, MSG_ERRQUEUE | MSG_DONTWAIT}, EPERM_ACTION},
		{SCMP_SYS(bind), {3, 0, 16}, EPERM_ACTION},
		{SCMP_SYS(listen), {3, 1}, EPERM_ACTION},
		{SCMP_SYS(epoll_wait), {3}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(epoll_pwait), {3}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(epoll_pwait2), {3, 0, 1}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(epoll_pwait2), {3, 0, 2}, EPERM_ACTION},
		{SCMP_SYS(timerfd_settime), {3}, EPERM_ACTION},
		{SCMP_SYS(openat), {0, 0, 0}, EPERM_ACTION},
		{SCMP_SYS(kill), {1, 9}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_ATTACH_FILTER}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_MARK}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_ZEROCOPY}, EPERM_ACTION},
		{SCMP_SYS(getsockopt), {3, IPPROTO_TCP, TCP_INFO}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_KEEPALIVE}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(setsockopt), {3, IPPROTO_TCP, TCP_SYNCNT}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(pipe2), {0, O_NONBLOCK | O_CLOEXEC}, EPERM_ACTION},
		{SCMP_SYS(mmap), {0, 4096, PROT_READ}, EPERM_ACTION},
		{SCMP_SYS(mmap), {0, 4096, PROT_READ | PROT_EXEC}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(execve), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(clone), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(ptrace), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(setns), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(io_uring_setup), {0}, SECCOMP_RET_KILL_PROCESS},
	};
	const struct filter_spec s = filters_worker(false);

	(void)state;
	check_samples(&s, samples, sizeof(samples) / sizeof(samples[0]));
}

/* What no honest path of it makes any more, it cannot make. */
static void test_meaning_of_supervisor(void **state)
{
	const struct sample samples[] = {
		{SCMP_SYS(openat), {0, 0, O_RDONLY | O_CLOEXEC | O_NOCTTY}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(openat), {0, 0, O_WRONLY}, EPERM_ACTION},
		{SCMP_SYS(openat), {0, 0, O_RDONLY | O_CREAT}, EPERM_ACTION},
		{SCMP_SYS(dup2), {7, 2}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(dup2), {7, 3}, EPERM_ACTION},
		{SCMP_SYS(dup3), {7, 3}, EPERM_ACTION},
		{SCMP_SYS(fcntl), {3, F_SETOWN, 1}, EPERM_ACTION},
		{SCMP_SYS(fcntl), {3, F_DUPFD_CLOEXEC, 9}, EPERM_ACTION},
		{SCMP_SYS(sendto), {3, 0, 0, MSG_OOB}, EPERM_ACTION},
		{SCMP_SYS(recvmsg), {3, 0, MSG_PEEK}, EPERM_ACTION},
		{SCMP_SYS(connect), {3, 0, 16}, EPERM_ACTION},
		{SCMP_SYS(kill), {1, 9}, EPERM_ACTION},
		{SCMP_SYS(mmap), {0, 4096, PROT_READ | PROT_EXEC}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(execve), {0}, SECCOMP_RET_KILL_PROCESS},
	};
	const struct filter_spec s = filters_supervisor();

	(void)state;
	check_samples(&s, samples, sizeof(samples) / sizeof(samples[0]));
}

/* Sockets are made and handed on, not used. */
static void test_meaning_of_nsd(void **state)
{
	const uint64_t nc = SOCK_NONBLOCK | SOCK_CLOEXEC;
	const struct sample samples[] = {
		{SCMP_SYS(socket), {AF_INET, SOCK_STREAM | nc, IPPROTO_TCP}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(socket), {AF_INET6, SOCK_DGRAM | nc, IPPROTO_UDP}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(socket), {AF_INET6, SOCK_DGRAM | nc, IPPROTO_ICMPV6}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_INET, SOCK_STREAM, IPPROTO_TCP}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_INET, SOCK_RAW | nc, 1}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_UNIX, SOCK_STREAM | nc, 0}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_NETLINK, SOCK_RAW | nc, 4}, EPERM_ACTION},
		{SCMP_SYS(recvmsg), {3, 0, MSG_DONTWAIT | MSG_CMSG_CLOEXEC}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(recvmsg), {3, 0, MSG_PEEK}, EPERM_ACTION},
		{SCMP_SYS(connect), {3, 0, 16}, EPERM_ACTION},
		{SCMP_SYS(bind), {3, 0, 16}, EPERM_ACTION},
		{SCMP_SYS(listen), {3, 1}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_REUSEADDR}, EPERM_ACTION},
		{SCMP_SYS(sendto), {3, 0, 0, 0}, EPERM_ACTION},
		{SCMP_SYS(read), {3}, EPERM_ACTION},
		{SCMP_SYS(write), {2}, EPERM_ACTION},
		{SCMP_SYS(openat), {0, 0, 0}, EPERM_ACTION},
		{SCMP_SYS(kill), {1, 9}, EPERM_ACTION},
		{SCMP_SYS(setns), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(unshare), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(execve), {0}, SECCOMP_RET_KILL_PROCESS},
		{SCMP_SYS(ptrace), {0}, SECCOMP_RET_KILL_PROCESS},
	};
	const struct filter_spec s = filters_nsd(false);

	(void)state;
	check_samples(&s, samples, sizeof(samples) / sizeof(samples[0]));
}

/* With addresses of others they are bound, and nothing else. */
static void test_meaning_of_nsd_bound(void **state)
{
	const uint64_t nc = SOCK_NONBLOCK | SOCK_CLOEXEC;
	const struct sample samples[] = {
		{SCMP_SYS(bind), {3, 0, 28}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(bind), {3, 0, 110}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, IPPROTO_IP, IP_TRANSPARENT}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(setsockopt), {3, IPPROTO_IPV6, IPV6_TRANSPARENT}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_MARK}, SECCOMP_RET_ALLOW},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_ATTACH_FILTER}, EPERM_ACTION},
		{SCMP_SYS(setsockopt), {3, SOL_SOCKET, SO_BINDTODEVICE}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_INET, SOCK_RAW | nc, 1}, EPERM_ACTION},
		{SCMP_SYS(socket), {AF_PACKET, SOCK_DGRAM | nc, 17}, EPERM_ACTION},
		{SCMP_SYS(connect), {3, 0, 16}, EPERM_ACTION},
		{SCMP_SYS(listen), {3, 1}, EPERM_ACTION},
		{SCMP_SYS(sendto), {3, 0, 0, 0}, EPERM_ACTION},
		{SCMP_SYS(setns), {0}, SECCOMP_RET_KILL_PROCESS},
	};
	const struct filter_spec s = filters_nsd(true);

	(void)state;
	check_samples(&s, samples, sizeof(samples) / sizeof(samples[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meaning),        cmocka_unit_test(test_meaning_of_supervisor),
		cmocka_unit_test(test_meaning_of_nsd), cmocka_unit_test(test_meaning_of_nsd_bound),
		cmocka_unit_test(test_worker),         cmocka_unit_test(test_worker_bind),
		cmocka_unit_test(test_supervisor),     cmocka_unit_test(test_nsd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

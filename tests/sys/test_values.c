/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What needs no privilege: the resolv.conf filter and its file rules, sysctl keys, the boot id, the
 * switching off of probes, and what sockets are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/bootid.h"
#include "sys/probe.h"
#include "sys/resolv.h"
#include "sys/sockopt.h"
#include "sys/sysctl.h"

static void expect_filter(const char *in, size_t n, const char *want)
{
	struct buf out = BUF_INIT;

	assert_int_equal(resolv_filter(in, strlen(in), &out), n);
	assert_string_equal(out.p ? out.p : "", want);
	buf_free(&out);
}

static void filter_addresses(void **state)
{
	static const char *const dropped[] = {
		"127.0.0.1",
		"127.0.0.53",
		"127.1",
		"0.0.0.0",
		"0.1.2.3",
		"224.0.0.1",
		"255.255.255.255",
		"::1",
		"::",
		"fe80::1",
		"fe80::1%eth0",
		"febf::1",
		"ff02::fb",
		"::ffff:127.0.0.1",
		"::ffff:0.0.0.0",
		"2001:db8::1%eth0",
		"host.example",
		"",
		"198.51.100.256",
		"198.51.100.1;id",
		"198.51.100.01x",
	};
	char line[128];

	(void)state;
	expect_filter("nameserver 198.51.100.1\nnameserver 2001:DB8:0::35\nnameserver fec0::1\n"
		      "nameserver 169.254.169.253\nnameserver ::ffff:203.0.113.9",
		      5,
		      "nameserver 198.51.100.1\nnameserver 2001:db8::35\nnameserver fec0::1\n"
		      "nameserver 169.254.169.253\nnameserver ::ffff:203.0.113.9\n");
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		(void)snprintf(line, sizeof(line), "nameserver %s\nnameserver 203.0.113.5\n",
			       dropped[i]);
		expect_filter(line, 1, "nameserver 203.0.113.5\n");
	}
}

static void filter_lines(void **state)
{
	(void)state;
	expect_filter("", 0, "");
	expect_filter("# nameserver 198.51.100.1\n; nameserver 198.51.100.1\n"
		      " nameserver 198.51.100.1\nnameserver\nnameservers 198.51.100.1\n\n\n",
		      0, "");
	expect_filter("nameserver\t 198.51.100.1 # why\r\nsortlist 203.0.113.0\nfamily inet4\n", 1,
		      "nameserver 198.51.100.1\n");
	/* Of domain and search the last counts; a bad word goes, the others stay. */
	expect_filter("domain a.example\nsearch b.example _c.example d$(id) -e f.example.\n", 0,
		      "search b.example _c.example f.example.\n");
	expect_filter("search b.example\ndomain a.example x.example\n", 0, "search a.example\n");
	expect_filter("search .\n", 0, "search .\n");
	expect_filter("search a\"b c\\d e`f g\th\n", 0, "search g h\n");
	expect_filter("options ndots:2 edns0 -x ndots: ndots:x ndots:123456 a=b rotate\n"
		      "options trust-ad\n",
		      0, "options ndots:2 edns0 rotate trust-ad\n");
}

static void filter_any_bytes(void **state)
{
	struct buf out = BUF_INIT;
	char in[4096];
	uint32_t x = 1;

	(void)state;
	assert_int_equal(resolv_filter(NULL, 0, &out), 0);
	assert_int_equal(resolv_filter("nameserver 198.51.100.1\0x\n", 25, &out), 0);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(in); i++) {
			x = x * 1664525 + 1013904223;
			in[i] = (char)(x >> 24);
			/* Keywords now and then, so that their arguments are reached. */
			if (x % 97 == 0 && i + 12 < sizeof(in)) {
				memcpy(in + i, x % 2 ? "\nsearch " : "\noptions ", 8);
				i += 8;
			}
		}
		out.len = 0;
		(void)resolv_filter(in, sizeof(in), &out);
		for (size_t i = 0; i < out.len; i++)
			assert_true(out.p[i] == '\n' || (out.p[i] >= ' ' && out.p[i] < 0x7f));
	}
	buf_free(&out);
}

static char dir[64];

static const char *write_tmp(const char *name, const char *text)
{
	static char path[2][128];
	static int turn;
	char *p = path[turn++ % 2];
	FILE *f;

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	if (text) {
		f = fopen(p, "we");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	return p;
}

static void expect_load(const char *a, const char *b, int n, const char *want)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(resolv_load(a, b, &out, &e), n);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(out.p ? out.p : "", want);
	buf_free(&out);
}

static void load_falls_back(void **state)
{
	const char *a = write_tmp("a", "nameserver 127.0.0.53\noptions trust-ad\nsearch x\n");
	const char *b = write_tmp("b", "nameserver 203.0.113.5\nsearch y\n");
	char none[128];

	(void)state;
	(void)snprintf(none, sizeof(none), "%s/none", dir);
	expect_load(a, b, 1, "nameserver 203.0.113.5\nsearch y\n");
	expect_load(b, a, 1, "nameserver 203.0.113.5\nsearch y\n");
	expect_load(none, b, 1, "nameserver 203.0.113.5\nsearch y\n");
	expect_load(a, none, 0, "search x\noptions trust-ad\n");
	expect_load(none, none, 0, "");
}

static void load_is_bounded(void **state)
{
	const char *fifo = write_tmp("fifo", NULL), *big;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(resolv_load(fifo, fifo, &out, &e) < 0);
	assert_non_null(strstr(e.text, "fifo"));
	assert_true(resolv_load(dir, dir, &out, &e) < 0);
	assert_true(resolv_load("/dev/zero", "/dev/zero", &out, &e) < 0);
	big = write_tmp("big", "nameserver 198.51.100.1\n");
	assert_int_equal(truncate(big, (off_t)RESOLV_MAX), 0);
	assert_int_equal(resolv_load(big, big, &out, &e), 1);
	assert_int_equal(truncate(big, (off_t)RESOLV_MAX + 1), 0);
	err_reset(&e);
	assert_int_equal(resolv_load(big, big, &out, &e), -EFBIG);
	assert_non_null(strstr(e.text, "big"));
	buf_free(&out);
}

static void sysctl_keys(void **state)
{
	static const char *const bad[] = {"",    "/",   "a//b", "../x", "a/..",
					  "./a", "a/.", "a/",   "/a",   "net/ipv4/conf/a b/x",
					  "a\nb"};
	struct err e = ERR_INIT;
	char long_key[400];
	int v = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_reset(&e);
		assert_true(sysctl_get_int(bad[i], &v, &e) < 0);
		assert_int_equal(e.kind, ERR_INTERNAL);
	}
	memset(long_key, 'a', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	assert_true(sysctl_get_int(long_key, &v, &e) < 0);
	err_reset(&e);
	assert_int_equal(sysctl_get_int("net/ipv4/conf/none.1/forwarding", &v, &e), -ENOENT);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_true(sysctl_get_int("kernel/ostype", &v, &e) < 0);
	assert_int_equal(e.kind, ERR_PROTOCOL);
	assert_true(sysctl_get_int("kernel", &v, &e) < 0);
	assert_int_equal(v, 77);
	assert_int_equal(sysctl_get_int("kernel/pid_max", &v, &e), 0);
	assert_true(v >= 301);
}

static void boot_id(void **state)
{
	char a[37], b[37];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(bootid_get(a, &e), 0);
	assert_int_equal(bootid_get(b, &e), 0);
	assert_int_equal(strlen(a), 36);
	assert_string_equal(a, b);
}

static void expect_off(const char *value, unsigned off)
{
	if (value)
		setenv("NETNS_UP_WITHOUT", value, 1);
	else
		unsetenv("NETNS_UP_WITHOUT");
	for (unsigned p = 0; p < N_PROBES; p++) {
		assert_int_equal(probe_allowed((enum probe)p), !(off & 1u << p));
		if (off & 1u << p)
			assert_false(probe_has((enum probe)p));
	}
	unsetenv("NETNS_UP_WITHOUT");
}

static void probes_forced_off(void **state)
{
	const unsigned ff = 1u << PROBE_IPV6_FORCE_FORWARDING, get = 1u << PROBE_PIDFD_GET_NETNS,
		       open = 1u << PROBE_PIDFD_OPEN, ct = 1u << PROBE_CT_FILTER_FLUSH,
		       uso = 1u << PROBE_TUN_USO, locks = 1u << PROBE_LANDLOCK,
		       ports = 1u << PROBE_LANDLOCK_NET, scope = 1u << PROBE_LANDLOCK_SCOPE,
		       own = 1u << PROBE_NFT_OWNER, keep = 1u << PROBE_NFT_KEEP,
		       bounds = 1u << PROBE_NFT_BOUNDS, ring = 1u << PROBE_RING_SOCKET,
		       counters = 1u << PROBE_NFT_COUNTERS;

	(void)state;
	expect_off(NULL, 0);
	expect_off("", 0);
	expect_off(",,", 0);
	expect_off("pidfd", 0);
	expect_off("pidfd-openx,xpidfd-open", 0);
	expect_off("pidfd-open", open);
	expect_off("ct-filter-flush,ipv6-force-forwarding", ct | ff);
	expect_off("linux-6.17", 0);
	expect_off("linux-6.16", ff);
	expect_off("linux-6.2", ff | get | ct | ports | scope | own);
	expect_off("linux-6.1", ff | get | ct | uso | ports | scope | own);
	expect_off("linux-6.10,pidfd-open", ff | get | ct | open | scope);
	expect_off("linux-5.2", ff | get | ct | open | uso | locks | ports | scope | own | keep |
					bounds | ring | counters);
	expect_off("linux-", 0);
	expect_off("linux-6", 0);
	for (unsigned p = 0; p < N_PROBES; p++)
		expect_off(probe_name((enum probe)p), 1u << p);
}

/* The running kernel decides, and whoever asked before with the probe off has not settled it. */
static void probes_tried(void **state)
{
	unsigned major, minor;
	struct utsname u;

	(void)state;
	assert_int_equal(uname(&u), 0);
	assert_int_equal(sscanf(u.release, "%u.%u", &major, &minor), 2);
	unsigned a = 0, b = 0;
	assert_true(probe_release(&a, &b));
	assert_int_equal(a, major);
	assert_int_equal(b, minor);
	assert_true(probe_has(PROBE_PIDFD_OPEN));
	assert_int_equal(probe_has(PROBE_PIDFD_GET_NETNS), major * 1000 + minor >= 6011);
	assert_int_equal(probe_has(PROBE_CT_FILTER_FLUSH), major * 1000 + minor >= 6011);
	assert_int_equal(probe_has(PROBE_IPV6_FORCE_FORWARDING), major * 1000 + minor >= 6017);
}

static int make_dir(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/netns-up-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"a", "b", "fifo", "big"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(write_tmp(names[i], NULL));
	return rmdir(dir);
}

static void sockets_asked(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(sockopt_int(pair[0], SO_DOMAIN), AF_UNIX);
	assert_int_equal(sockopt_int(pair[0], SO_TYPE), SOCK_SEQPACKET);
	assert_int_equal(sockopt_int(pair[0], SO_ACCEPTCONN), 0);
	assert_int_equal(sockopt_int(pair[0], -1), -1);
	assert_true(sockopt_is_from(pair[0], geteuid()));
	assert_int_equal(sockopt_is_from(pair[0], geteuid() + 1), geteuid() == 0);
	close(pair[0]);
	close(pair[1]);
	/* No socket at all. */
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(sockopt_int(pair[0], SO_TYPE), -1);
	assert_false(sockopt_is_from(pair[0], geteuid()));
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(sockopt_int(-1, SO_TYPE), -1);
	assert_false(sockopt_is_from(-1, geteuid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_addresses), cmocka_unit_test(filter_lines),
		cmocka_unit_test(filter_any_bytes), cmocka_unit_test(load_falls_back),
		cmocka_unit_test(load_is_bounded),  cmocka_unit_test(sysctl_keys),
		cmocka_unit_test(boot_id),          cmocka_unit_test(probes_forced_off),
		cmocka_unit_test(probes_tried),     cmocka_unit_test(sockets_asked),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

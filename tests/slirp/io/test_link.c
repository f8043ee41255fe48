/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real tap in a network namespace of the test, with all offloads and with each forced off; frames
 * there and back through a packet socket. Then sockets in the place of a tap, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "io/link.h"

static uint8_t buf[LINK_FRAME_MAX + 64];

static int make_tap(short flags)
{
	struct ifreq ifr = {.ifr_flags = flags};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), ctl;

	if (fd < 0)
		fail_msg("/dev/net/tun: %s", strerror(errno));
	(void)strcpy(ifr.ifr_name, "tap0");
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(ctl, SIOCSIFFLAGS, &ifr), 0);
	close(ctl);
	return fd;
}

static int packet_socket(void)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(0x88b5), /* IEEE local experimental */
				 .sll_ifindex = (int)if_nametoindex("tap0")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static const uint8_t sent[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5, 1, 2, 3};

/* The kernel sends frames of its own (IPv6): ours is the one with our type. */
static void expect_frame(struct link *l)
{
	struct link_meta m;
	const uint8_t *frame;
	ssize_t n;

	do {
		struct pollfd p = {.fd = l->fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 30000), 1);
		n = link_read(l, buf, sizeof(buf), &frame, &m);
		assert_true(n > 14);
	} while (frame[12] != 0x88 || frame[13] != 0xb5);
	assert_int_equal(n, sizeof(sent));
	assert_memory_equal(frame, sent, sizeof(sent));
	assert_int_equal(m.gso, LINK_GSO_NONE);
	assert_false(m.is_partial);
}

static void both_ways(struct link *l)
{
	struct iovec iov[3] = {{(void *)(uintptr_t)sent, 14},
			       {(void *)(uintptr_t)(sent + 14), 1},
			       {(void *)(uintptr_t)(sent + 15), sizeof(sent) - 15}};
	struct link_meta m = {.is_valid = true};
	int fd = packet_socket();

	assert_int_equal(send(fd, sent, sizeof(sent), 0), sizeof(sent));
	expect_frame(l);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_write(l, i ? &m : NULL, iov, 3), 0);
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), sizeof(sent));
		assert_memory_equal(buf, sent, sizeof(sent));
	}
	close(fd);
}

static void tap(void **state)
{
	static const struct {
		const char *without;
		bool has_vnet, has_tso, has_uso;
	} cases[] = {
		{"", true, true, true},           {"tun-uso", true, true, false},
		{"linux-6.1", true, true, false}, {"tun-offload", true, false, false},
		{"", false, false, false},
	};
	unsigned major, minor;
	struct utsname u;

	(void)state;
	assert_int_equal(uname(&u), 0);
	assert_int_equal(sscanf(u.release, "%u.%u", &major, &minor), 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		short vnet = cases[i].has_vnet ? IFF_VNET_HDR : 0;
		int fd = make_tap((short)(IFF_TAP | IFF_NO_PI | vnet));
		bool has_uso = cases[i].has_uso && major * 1000 + minor >= 6002;
		struct link l;

		setenv("NETNS_UP_WITHOUT", cases[i].without, 1);
		assert_int_equal(link_init(&l, fd, false, NULL), 0);
		unsetenv("NETNS_UP_WITHOUT");
		assert_int_equal(l.caps.has_vnet_hdr, cases[i].has_vnet);
		assert_int_equal(l.caps.has_csum, cases[i].has_tso);
		assert_int_equal(l.caps.has_tso, cases[i].has_tso);
		assert_int_equal(l.caps.has_uso, has_uso);
		both_ways(&l);
		close(fd);
	}
}

/* A link that is down loses frames; one whose device has gone says so. */
static void gone(void **state)
{
	int fd = make_tap(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), ctl;
	struct iovec iov = {(void *)(uintptr_t)sent, sizeof(sent)};
	struct ifreq ifr = {.ifr_flags = 0};
	struct link l;

	(void)state;
	assert_int_equal(link_init(&l, fd, false, NULL), 0);
	ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)strcpy(ifr.ifr_name, "tap0");
	assert_int_equal(ioctl(ctl, SIOCSIFFLAGS, &ifr), 0);
	assert_int_equal(link_write(&l, NULL, &iov, 1), -EAGAIN);
	close(ctl);
	close(fd);
	assert_int_equal(link_write(&l, NULL, &iov, 1), -EBADF);
}

static void no_tap(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), tun;
	struct link l;
	struct err e = ERR_INIT;

	(void)state;
	assert_true(link_init(&l, fd, false, &e) < 0);
	assert_true(e.kind != ERR_NONE);
	close(fd);
	tun = make_tap(IFF_TUN);
	assert_true(link_init(&l, tun, false, NULL) < 0);
	close(tun);
}

static void raw(void **state)
{
	struct iovec iov = {(void *)(uintptr_t)sent, sizeof(sent)};
	struct link_meta m;
	const uint8_t *frame;
	struct link l;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(link_init(&l, pair[0], true, NULL), 0);
	assert_int_equal(link_read(&l, buf, sizeof(buf), &frame, &m), 0);
	assert_int_equal(write(pair[1], sent, sizeof(sent)), sizeof(sent));
	assert_int_equal(link_read(&l, buf, sizeof(buf), &frame, &m), sizeof(sent));
	assert_memory_equal(frame, sent, sizeof(sent));
	assert_false(m.is_valid);
	assert_int_equal(link_write(&l, NULL, &iov, 1), 0);
	assert_int_equal(read(pair[1], buf, sizeof(buf)), sizeof(sent));
	while (link_write(&l, NULL, &iov, 1) == 0) /* full: one is lost, the link is not */
		;
	assert_int_equal(link_write(&l, NULL, &iov, 1), -EAGAIN);
	close(pair[1]);
	assert_true(link_read(&l, buf, sizeof(buf), &frame, &m) < 0);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tap),
		cmocka_unit_test(gone),
		cmocka_unit_test(no_tap),
		cmocka_unit_test(raw),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

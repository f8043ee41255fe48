/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nsd: what the process in the container's namespace says, and what is said to it. The first
 * byte chooses: the list of ports that the supervisor reads, the kernel's dump of sockets, or the
 * worker's reading of answers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc/nsdports.h"
#include "proc/nsdscan.h"
#include "relay/inside.h"

#include "fuzz.h"

static void on_change(void *arg, uint8_t proto, uint16_t port, uint8_t was, uint8_t is)
{
	MUST(proto == IPPROTO_TCP || proto == IPPROTO_UDP);
	MUST(port != 0 && was != is && (was | is) <= (NSDPORTS_V4 | NSDPORTS_V6));
	(*(unsigned *)arg)++;
}

static void ports(const uint8_t *data, size_t len)
{
	static struct nsdports p;
	static const struct nsdports none;
	unsigned n = 0;

	if (nsdports_decode(data, len, &p) < 0)
		return;
	MUST(p.n <= NSDPORTS_MAX && nsdports_size(&p) == len);
	nsdports_diff(&none, &p, on_change, &n);
	MUST(n == p.n);
	nsdports_diff(&p, &p, on_change, &n);
	MUST(n == p.n);
	nsdports_diff(&p, &none, on_change, &n);
	MUST(n == 2 * p.n);
}

static void dump(const uint8_t *data, size_t len)
{
	static struct nsdscan_sets sets;
	static struct nsdports p, again;
	const struct nsdscan_range ephemeral = {32768, 60999};

	memset(&sets, 0, sizeof(sets));
	for (int udp = 0; udp < 2; udp++) {
		int r = nsdscan_feed(data, len, 1, udp ? IPPROTO_UDP : IPPROTO_TCP, &ephemeral,
				     &sets);
		MUST(r <= 1 && r >= -4095);
	}
	nsdscan_list(&sets, &p);
	MUST(nsdports_decode(&p, nsdports_size(&p), &again) == 0);
	for (uint32_t i = 0; i < p.n; i++)
		MUST(p.list[i].proto == IPPROTO_TCP || p.list[i].port < 32768 ||
		     p.list[i].port > 60999);
}

/* Answers to a pool that has asked. The data is cut into packets of 12 bytes, the size of one. */
static void answers(const uint8_t *data, size_t len)
{
	struct inside *in;
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
	MUST(inside_new(fd[0], &in) == 0);
	MUST(inside_take(in, AF_INET, SOCK_STREAM, 1) == -EAGAIN);
	for (size_t at = 0; at < len; at += 12)
		MUST(send(fd[1], data + at, len - at < 12 ? len - at : 12, MSG_DONTWAIT) >= 0);
	for (int i = 0; i < 64; i++)
		(void)inside_event(in, 2);
	MUST(inside_count(in) == 0);
	MUST(inside_is_open(in));
	inside_free(in);
	close(fd[0]);
	close(fd[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		ports(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		dump(data + 1, size - 1);
	else
		answers(data + 1, size - 1 < 600 ? size - 1 : 600);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_local: a program of events for the gateway's services, on the stand-ins of their unit tests:
 * an opcode, a selector, a length, and that many bytes. The container sends ARP, neighbour
 * discovery, DHCP and DNS; resolvers answer and fail; time passes. Whatever comes, every answer is
 * from an address of ours, nothing is learned about our addresses, and sockets are bounded.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "fake.h"
#include "fuzz.h"

static const char *const sources[8] = {
	"::", "fe80::1", "fd00::64", "fd00::2", "2001:db8::1", "ff02::1", "fe80::5055:aff:fe00:202",
	"::1"};
static const char *const targets[4] = {"fd00::2", "ff02::1:ff00:2", "ff02::1", "ff02::2"};
static const char *const sources4[4] = {"0.0.0.0", "10.0.2.100", "10.0.2.2", "198.51.100.1"};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	MUST(ip_parse(text, &ip, NULL) == 0);
	return ip;
}

static void on_ndp(uint8_t select, const uint8_t *p, size_t len)
{
	struct ip_packet k = {.src = ip_of(sources[select & 7]),
			      .dst = ip_of(targets[select >> 3 & 3]),
			      .proto = IPPROTO_ICMPV6,
			      .ttl = select & 0x80 ? 64 : 255,
			      .payload = p,
			      .len = len};

	local_ndp(fake.local, &k, true, fake.now);
}

static struct fake_socket *open_socket(uint8_t select)
{
	for (size_t i = 0; i < fake.n_sockets; i++) {
		struct fake_socket *s = fake_socket_at((i + select) % fake.n_sockets);

		if (s->is_open)
			return s;
	}
	return NULL;
}

/* A resolver's message: with the right id unless the selector is odd. */
static void on_message(uint8_t select, const uint8_t *p, size_t len)
{
	struct fake_socket *s = open_socket(select >> 1);
	static uint8_t message[256];

	if (!s)
		return;
	memcpy(message, p, len);
	if (!(select & 1) && len >= 2)
		memcpy(message, s->sent, 2);
	fake_receive(s, message, len);
}

/* Each byte names a resolver; the first one may be unreachable. */
static void on_resolvers(uint8_t select, const uint8_t *p, size_t len)
{
	struct ip ip[16];
	uint32_t scope[16] = {0};
	size_t n = len < 16 ? len : 16;

	for (size_t i = 0; i < n; i++) {
		ip[i] = ip_of(p[i] & 1 ? "2001:db8::53" : "198.51.100.53");
		ip[i].b[3] = p[i];
	}
	fake.unreachable.family = 0;
	if (n > 0 && (select & 1))
		fake.unreachable = ip[0];
	local_set_resolvers(fake.local, ip, scope, n);
}

static void event(uint8_t op, uint8_t select, const uint8_t *p, size_t len)
{
	struct fake_socket *s;

	switch (op % 8) {
	case 0:
		local_arp(fake.local, p, len);
		break;
	case 1:
		on_ndp(select, p, len);
		break;
	case 2:
		fake_udp(sources4[select & 3], 68, select & 4 ? "10.0.2.2" : "255.255.255.255", 67,
			 p, len);
		break;
	case 3:
		fake_udp(sources[select & 7], 546, "ff02::1:2", 547, p, len);
		break;
	case 4:
		fake_udp("10.0.2.100", select, "10.0.2.3", 53, p, len);
		break;
	case 5:
		on_message(select, p, len);
		break;
	case 6:
		s = open_socket(select);
		if (s && (select & 1))
			fake_fail(s, ECONNREFUSED);
		else
			fake_advance(select * 20u);
		break;
	default:
		on_resolvers(select, p, len);
		break;
	}
}

static bool is_ours(const struct ip *ip)
{
	static const char *const ours[] = {"10.0.2.2", "10.0.2.3", "fd00::2", "fd00::3",
					   "fe80::5055:aff:fe00:202"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct ip o = ip_of(ours[i]);

		if (ip_equal(&o, ip))
			return true;
	}
	return false;
}

static void check(void)
{
	struct fake_frame *f;

	while ((f = fake_last()))
		MUST(f->ethertype || (is_ours(&f->h.src) && !is_ours(&f->h.dst)));
	for (; fake.n_learned > 0; fake.n_learned--) {
		const struct fake_learned *x = &fake.learned[(fake.n_learned - 1) % 16];

		MUST(!is_ours(&x->ip) && !ip_is_any(&x->ip) && !ip_is_multicast(&x->ip));
		MUST(!(x->mac.b[0] & 1) && memcmp(&x->mac, &fake.plan.our_mac, 6) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t one;

	MUST(fake_setup(NULL) == 0);
	on_resolvers(0, &one, 1);
	while (size >= 3) {
		uint8_t op = data[0], select = data[1];
		size_t len = data[2];

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		event(op, select, data, len);
		check();
		data += len;
		size -= len;
	}
	fake_advance(5000);
	check();
	MUST(fake.n_open == 0); /* every query is over */
	MUST(fake_teardown(NULL) == 0);
	return 0;
}

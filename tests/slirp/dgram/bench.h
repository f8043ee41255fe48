/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench: a struct udp on the fake host, what is given to it and what is seen of it. Tests nothing.
 */
#ifndef TESTS_SLIRP_DGRAM_BENCH_H
#define TESTS_SLIRP_DGRAM_BENCH_H

#include "dgram/fake.h"

#define GUEST "10.0.2.100"
#define GUEST6 "fd00::100"
#define OUT "198.51.100.7"
#define OUT6 "2001:db8::7"

extern struct udp *u;
extern uint8_t data[65535];
extern const struct link_meta plain;

int bench_set_up(void **state);
int bench_tear_down(void **state);
void bench_give(const struct packet *p);
void bench_give_simple(uint16_t sport, const char *dst, uint16_t dport, size_t len);
void bench_flush(void);
void bench_arrive(int fd, const char *from, uint16_t port, size_t len, uint16_t seg);
void bench_assert_sent(unsigned i, int fd, const char *to, uint16_t port, size_t len, uint16_t seg);
const struct fake_frame *bench_frame(unsigned i);
void bench_assert_answer(unsigned i, const char *from, uint16_t sport, uint16_t dport, size_t len,
			 uint16_t seg);
struct ip_packet bench_assert_error(unsigned i, uint8_t type, uint8_t code, uint32_t info,
				    const char *from, const char *dst, uint16_t sport,
				    uint16_t dport, size_t len);
uint64_t bench_stat_of(enum stat_id s);

#endif

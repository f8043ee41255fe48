/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats: why packets were dropped and what was served: one counter a reason, each with a name. The
 * packet path has verdicts and counts, never error texts. Extend the list; keep it sorted by room.
 */
#ifndef SLIRP_FLOW_STATS_H
#define SLIRP_FLOW_STATS_H

#include <stdint.h>

#define STATS(X)                                                                                   \
	X(FRAMES_IN, "frames_in")                                                                  \
	X(FRAMES_OUT, "frames_out")                                                                \
	X(BYTES_IN, "bytes_in")                                                                    \
	X(BYTES_OUT, "bytes_out")                                                                  \
	X(DROP_ETH, "drop_eth")           /* short, not for us, unknown type */                    \
	X(DROP_IP, "drop_ip")             /* malformed header, wrong length */                     \
	X(DROP_CHECKSUM, "drop_checksum") /* of any layer */                                       \
	X(DROP_SOURCE, "drop_source")     /* policy_source_ok said no */                           \
	X(DROP_POLICY, "drop_policy")     /* policy_check said REFUSE */                           \
	X(DROP_EGRESS, "drop_egress")     /* policy_check said FORBID */                           \
	X(DROP_NAME, "drop_name")         /* addresses that no name may stand for */               \
	X(DROP_FRAGMENT, "drop_fragment") /* overlap, arena full, timed out */                     \
	X(DROP_PROTO, "drop_proto")       /* no such transport here */                             \
	X(DROP_TCP, "drop_tcp")           /* malformed or unacceptable segment */                  \
	X(DROP_UDP, "drop_udp")                                                                    \
	X(DROP_ICMP, "drop_icmp")                                                                  \
	X(DROP_ARP, "drop_arp")                                                                    \
	X(DROP_NDP, "drop_ndp")                                                                    \
	X(DROP_DHCP, "drop_dhcp")                                                                  \
	X(DROP_DNS, "drop_dns")                                                                    \
	X(DROP_TABLE_FULL, "drop_table_full") /* no flow slot */                                   \
	X(DROP_RATE, "drop_rate")             /* more new connections than may be made */          \
	X(DROP_MEMORY, "drop_memory")         /* no buffer */                                      \
	X(DROP_SOCKET, "drop_socket")         /* the host gave no socket: EMFILE, ENOBUFS */       \
	X(DROP_LINK, "drop_link")             /* the tap took no frame */                          \
	X(DROP_TTL, "drop_ttl")               /* its hops are over (RFC 1812 5.3.1) */             \
	X(DROP_SEND, "drop_send")             /* datagrams that the host's socket did not take */  \
	X(DROP_LIMIT, "drop_limit")           /* datagrams above a limit of bytes */               \
	X(DROP_ANSWER, "drop_answer")     /* from a source that may not write to the container */  \
	X(DGRAM_EVICTED, "dgram_evicted") /* UDP and ping: idle longest when one more came */      \
	X(TCP_OPENED, "tcp_opened")                                                                \
	X(TCP_RETRANSMIT, "tcp_retransmit")                                                        \
	X(TCP_TIMEOUT, "tcp_timeout")       /* retransmission timer fired */                       \
	X(TCP_CHALLENGE, "tcp_challenge")   /* RFC 5961 challenge ACKs */                          \
	X(TCP_LEFT, "tcp_left")             /* left by a worker that died, asked to be reset */    \
	X(THROUGH_OPENED, "through_opened") /* by the kernel's own TCP on both sides */            \
	X(THROUGH_LOST, "through_lost")     /* the container did not finish its handshake */       \
	X(THROUGH_IN, "through_in")         /* bytes delivered to the container */                 \
	X(THROUGH_OUT, "through_out")       /* bytes of it delivered */                            \
	X(UDP_OPENED, "udp_opened")                                                                \
	X(PING_OPENED, "ping_opened")                                                              \
	X(DNS_QUERIES, "dns_queries")                                                              \
	X(DNS_FAILOVER, "dns_failover")

enum stat_id {
#define STATS_ENUM(id, name) STAT_##id,
	STATS(STATS_ENUM)
#undef STATS_ENUM
		N_STATS
};

struct stats {
	uint64_t n[N_STATS];
};

const char *stats_name(enum stat_id s);

#endif

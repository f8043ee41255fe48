/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow: one connection, and what the parts of the glue (flows.c, open.c, rx.c, tx.c) do with it for
 * each other. Nothing outside this room sees it.
 *
 * A flow's life: open.c adds it with the container's SYN; it is `connecting` until the host has
 * answered; then both directions run; it goes when its machine is CLOSED and the host has all its
 * bytes (or either side was reset). Only flow_end frees it; functions that may have done so return
 * false.
 */
#ifndef SLIRP_TCP_FLOW_H
#define SLIRP_TCP_FLOW_H

#include "flow/bucket.h"
#include "flow/limit.h"
#include "flow/ring.h"
#include "flow/table.h"
#include "tcp/flows.h"
#include "tcp/isn.h"
#include "tcp/tcb.h"

struct tcp_flow;

/* A list of flows; a flow is in at most one of each kind. */
struct flow_list {
	struct tcp_flow *first, *last;
};

/* Payloads in order of one flow, in frames that the caller keeps, for one sendmsg. */
struct gather {
	struct tcp_flow *f; /* NULL: empty */
	struct iovec iov[TCP_HELD_MAX];
	int n;
	size_t len;
};

/* What the connections of one source have: see share.c. */
#define N_SHARES 256u
#define SHARE_OPENING 16u /* of the table: this part of it */
struct share {
	uint32_t n_opening, n_chunks;
	bool is_full;
};

enum gate_dir { GATE_IN, GATE_OUT, N_GATES }; /* to the container, from it */

/* A limit of what passes, and who waits for it. */
struct gate {
	struct tcp *owner;
	struct limit *limit; /* NULL: none */
	struct flow_list waiting;
	struct timer timer; /* set while somebody waits */
};

struct tcp {
	struct gather gather;
	struct gate gate[N_GATES];
	struct tcp_env env;
	struct table *table;
	struct left *left; /* NULL: nobody left anything */
	bool is_kept;
	struct siphash_key secret;
	struct flow_list dirty;    /* to be flushed, in the order in which they became so */
	struct flow_list waiting;  /* TIME_WAIT, oldest first */
	struct flow_list promised; /* those with a reservation in the pool */
	struct flow_list others;   /* those with is_others, oldest first */
	uint32_t n_waiting, n_others;
	bool is_starved;       /* some flow is */
	struct timer reclaim;  /* set while promised is not empty */
	uint64_t challenge_at; /* the second in which n_challenges were sent (RFC 5961 7) */
	uint32_t n_challenges;
	struct bucket opens;
	struct share shares[N_SHARES];
	uint16_t mss[N_FAM]; /* ours */
};

struct flow_links {
	struct tcp_flow *prev, *next;
};

enum flow_links_kind {
	LINKS_DIRTY,
	LINKS_OTHER, /* waiting, promised or others */
	N_LINKS,
	LINKS_GATE_IN = N_LINKS,
	LINKS_GATE_OUT
};

struct tcp_flow {
	struct table_node node;
	uint8_t share, n_charged; /* which one, and its chunks in it */
	struct tcb tcb;
	struct source src; /* fd -1: the host's side is done */
	struct timer timer;
	struct tcp *owner;
	struct ring rx, tx;
	struct flow_links links[N_LINKS];
	/* Where there are limits no other TCP takes anything. */
	union {
		struct syn syn; /* when is_others */
		struct flow_links gate_links[N_GATES];
	};
	struct port_tally *tally; /* of the port it came by; NULL: the container's own */
	uint32_t taken;         /* bytes the host took since the window last grew or looked idle */
	uint64_t began;         /* DNS: the order of the resolvers is that of this time */
	uint8_t attempt;        /* which one */
	bool is_gated[N_GATES]; /* waits in the gate's line */
	bool has_turn[N_GATES]; /* is first in it, until it was flushed */
	bool is_dirty : 1, is_waiting : 1, is_promised : 1;
	bool is_connecting : 1;
	bool is_opening : 1; /* counted as such in its share */
	bool is_dns : 1;
	bool is_readable : 1; /* the host's socket may hold bytes, or its end */
	bool is_hung_up : 1;  /* the host has ended its side: read on until that is seen */
	bool is_blocked : 1;  /* the host's socket is full */
	bool is_failed : 1;   /* the host's socket has an error to tell */
	bool is_guest_eof : 1, is_shut : 1; /* FIN of the container; handed on */
	bool is_host_eof : 1;
	bool is_delay_off : 1; /* TCP_NODELAY is set */
	bool has_sent : 1;     /* something to the host */
	bool is_starved : 1;   /* the pool had no chunk to read into */
	bool is_others : 1;    /* goes to hand_over when the host has connected */
	bool is_near : 1;      /* node.key.peer is held in emit */
	bool is_ungated : 1;   /* no limit: its last bytes */
	bool is_over : 1;      /* the machine is done; the host has bytes to take */
};
_Static_assert(sizeof(struct tcp_flow) <= 1024, "an idle connection holds no more than this");

/* flows.c */
void flow_list_add(struct flow_list *l, struct tcp_flow *f, enum flow_links_kind kind);
void flow_list_remove(struct flow_list *l, struct tcp_flow *f, enum flow_links_kind kind);
void flow_mark(struct tcp_flow *f); /* to be flushed */
/* From now on a close of the host's socket that nobody means, by the death of this process, resets:
 * what was cut must not look like the end of a stream. */
void flow_guard_host(const struct tcp *t, int fd);
/* Ends it: the socket, which is guarded, is closed (is_abort: with RST), everything given back. */
void flow_end(struct tcp_flow *f, bool is_abort);
void flow_close_host(struct tcp_flow *f, bool is_abort);
void flow_set_others(struct tcp_flow *f, bool is_others);
struct tcp_flow *flow_new(struct tcp *t, const struct flow_key *k); /* NULL: the table is full */
void flow_stray(struct tcp *t, const struct flow_key *k, const struct tcphdr_v *h, uint32_t len);
void flow_emit(struct tcp *t, const struct flow_key *k, struct tcphdr_v *h,
	       const struct iovec *data, int n, uint16_t gso_size);
void flow_promise(struct tcp_flow *f,
		  unsigned n_chunks); /* sets its reservation, if there is room */

/* gate.c: how many bytes may pass now, SIZE_MAX where there is no limit. 0: it waits in line, and
 * is marked when its turn comes. */
void gate_init(struct tcp *t);
void gate_set(struct tcp *t, enum gate_dir d, struct limit *l);
size_t gate_room(struct tcp_flow *f, enum gate_dir d);
bool gate_is_open(const struct tcp_flow *f, enum gate_dir d); /* for who does not wait */
void gate_pass(struct tcp_flow *f, enum gate_dir d, size_t n);
uint64_t gate_rate(const struct tcp *t, enum gate_dir d); /* bytes a second; 0: no limit */
void gate_end_turn(struct tcp_flow *f);                   /* after it was flushed */
void gate_forget(struct tcp_flow *f);

/* share.c. For a flow that is new; its host's answer is waited for (false: too many of its source
 * are), and waited for no longer; what its rings hold now. */
void share_begin(struct tcp_flow *f);
bool share_open(struct tcp_flow *f);
void share_opened(struct tcp_flow *f);
void share_charge(struct tcp_flow *f);
/* Its source gets no more of the pool. */
bool share_is_full(const struct tcp_flow *f);

/* open.c: a SYN for a key that has no flow. */
void open_passive(struct tcp *t, const struct flow_key *k, const struct tcphdr_v *syn,
		  const struct ip_packet *packet, uint64_t now);

/* rx.c: from the container to the host. */
/* How much of a segment can be taken: never less than what was promised while there is memory. */
uint32_t rx_accept(struct tcp_flow *f);
/* What the machine said of a segment with this payload, which may be held until rx_settle when
 * may_hold. False: the host's side has failed. */
bool rx_take(struct tcp_flow *f, const struct tcb_result *r, const uint8_t *payload, bool may_hold);
void rx_settle(struct tcp *t); /* gives the host what is held */
/* The host's socket has room again, or has failed (false). */
bool rx_drain(struct tcp_flow *f);

/* tx.c: from the host to the container. */
/* Reads from the host what may be sent now. True: there is more at once. */
bool tx_pump(struct tcp_flow *f, uint64_t now);
void tx_output(struct tcp_flow *f, uint64_t now);

#endif

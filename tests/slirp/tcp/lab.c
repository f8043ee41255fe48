/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab: see lab.h. */
#include "lab.h"

static const char *const names[N_TCP_STATES] = {
	[TCP_CLOSED] = "CLOSED",           [TCP_SYN_HELD] = "SYN-HELD",
	[TCP_SYN_SENT] = "SYN-SENT",       [TCP_SYN_RCVD] = "SYN-RECEIVED",
	[TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT_2] = "FIN-WAIT-2",   [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_CLOSING] = "CLOSING",         [TCP_LAST_ACK] = "LAST-ACK",
	[TCP_TIME_WAIT] = "TIME-WAIT",
};

#define fail_at(line, ...)                                                                         \
	do {                                                                                       \
		print_error("line %d: ", line);                                                    \
		fail_msg(__VA_ARGS__);                                                             \
	} while (0)

struct lab lab_new(void)
{
	return (struct lab){
		.now = 1000 * 1000,
		.iss = 0xfffff000u, /* both wrap soon */
		.irs = 0xffffff00u,
		.room = 65536,
		.wnd = 0xffff,
		.has_ts = true,
		.has_sack = true,
		.has_wscale = true,
		.peer_mss = 1460,
		.conf = {.isn = 0xfffff000u,
			 .mss = 1460,
			 .segment_max = 64000,
			 .window = 65536,
			 .ts_base = 77},
	};
}

struct tcphdr_v lab_header(const struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tcphdr_v h = {
		.seq = l->irs + seq,
		.ack = (flags & A) ? l->iss + ack : 0,
		.flags = flags,
		.wnd = l->wnd,
		.has_ts = l->has_ts,
	};

	if (l->has_ts) {
		h.tsval = l->tsval ? l->tsval : (uint32_t)l->now;
		h.tsecr = (flags & A) ? (uint32_t)l->now + l->conf.ts_base : 0;
	}
	if (flags & S) {
		h.mss = l->peer_mss;
		h.has_sack_ok = l->has_sack;
		h.has_wscale = l->has_wscale;
		h.wscale = 2;
	}
	return h;
}

void lab_feed(struct lab *l, const struct tcphdr_v *h, uint32_t len)
{
	tcb_input(&l->t, h, len, l->room, l->now, &l->r);
}

void lab_in_(struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct tcphdr_v h = lab_header(l, flags, seq, ack);

	lab_feed(l, &h, len);
}

void lab_out_(struct lab *l, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len, int line)
{
	const struct tcphdr_v *h = &l->out.h;

	if (!tcb_output(&l->t, l->now, &l->out))
		fail_at(line, "nothing was sent");
	if (h->flags != flags || h->seq - l->iss != seq || l->out.data_len != len ||
	    ((flags & A) && h->ack - l->irs != ack))
		fail_at(line, "sent flags %02x seq %u ack %u len %u", h->flags, h->seq - l->iss,
			h->ack - l->irs, l->out.data_len);
}

void lab_quiet_(struct lab *l, int line)
{
	if (tcb_output(&l->t, l->now, &l->out))
		fail_at(line, "sent flags %02x seq %u ack %u len %u", l->out.h.flags,
			l->out.h.seq - l->iss, l->out.h.ack - l->irs, l->out.data_len);
}

void lab_wait_(struct lab *l, uint64_t ms, int line)
{
	uint64_t end = l->now + ms;

	while (tcb_deadline(&l->t) <= end) {
		l->now = tcb_deadline(&l->t) > l->now ? tcb_deadline(&l->t) : l->now;
		if (tcb_timeout(&l->t, l->now) != TCB_GO_ON)
			fail_at(line, "it ended");
	}
	l->now = end;
}

void lab_due_(struct lab *l, uint64_t ms, enum tcb_timeout_result want, int line)
{
	uint64_t at = tcb_deadline(&l->t);
	enum tcb_timeout_result got;

	if (at == UINT64_MAX)
		fail_at(line, "no timer runs");
	if (at != l->now + ms)
		fail_at(line, "due in %lld ms", (long long)(at - l->now));
	/* One that comes too early does nothing. */
	if (at > l->now && tcb_timeout(&l->t, at - 1) != TCB_GO_ON)
		fail_at(line, "ended too early");
	l->now = at;
	got = tcb_timeout(&l->t, at);
	if (got != want)
		fail_at(line, "the time-out said %d", got);
}

const char *lab_state_name(enum tcp_state s)
{
	return s < N_TCP_STATES ? names[s] : "?";
}

void lab_state_(const struct lab *l, enum tcp_state s, int line)
{
	if (l->t.state != s)
		fail_at(line, "state is %s, not %s", lab_state_name(l->t.state), lab_state_name(s));
}

void lab_equal_(uint64_t a, uint64_t b, const char *what, int line)
{
	if (a != b)
		fail_at(line, "%s is %llu, not %llu", what, (unsigned long long)a,
			(unsigned long long)b);
}

void lab_establish(struct lab *l)
{
	struct tcphdr_v syn = lab_header(l, S, 0, 0);

	tcb_open_passive(&l->t, &l->conf, &syn, l->now);
	tcb_accept(&l->t, l->now);
	lab_out(l, S | A, 0, 1, 0);
	lab_in(l, A, 1, 1, 0);
	lab_true(l->r.is_connected);
	lab_state(l, TCP_ESTABLISHED);
	lab_quiet(l);
}

void lab_queue(struct lab *l, uint32_t n)
{
	tcb_set_queued(&l->t, n);
}

/* Our FIN is sent as sequence number 1; the container's is 1, too. */
static void reach_closing(struct lab *l, enum tcp_state s)
{
	tcb_shutdown(&l->t);
	lab_out(l, F | A, 1, 1, 0);
	if (s == TCP_FIN_WAIT_1)
		return;
	if (s == TCP_CLOSING) {
		lab_in(l, F | A, 1, 1, 0);
		lab_out(l, A, 2, 2, 0);
		return;
	}
	lab_in(l, A, 1, 2, 0);
	lab_quiet(l);
	if (s == TCP_FIN_WAIT_2)
		return;
	lab_in(l, F | A, 1, 2, 0);
	lab_out(l, A, 2, 2, 0);
}

void lab_reach(struct lab *l, enum tcp_state s)
{
	struct tcphdr_v syn = lab_header(l, S, 0, 0);

	memset(&l->t, 0, sizeof(l->t));
	l->t.rtx_at = l->t.ack_at = l->t.life_at = UINT64_MAX;
	switch (s) {
	case TCP_CLOSED:
		break;
	case TCP_SYN_HELD:
	case TCP_SYN_RCVD:
		tcb_open_passive(&l->t, &l->conf, &syn, l->now);
		if (s == TCP_SYN_HELD)
			break;
		tcb_accept(&l->t, l->now);
		lab_out(l, S | A, 0, 1, 0);
		break;
	case TCP_SYN_SENT:
		tcb_open_active(&l->t, &l->conf, l->now);
		lab_out(l, S, 0, 0, 0);
		break;
	default:
		lab_establish(l);
		if (s == TCP_ESTABLISHED)
			break;
		if (s == TCP_CLOSE_WAIT || s == TCP_LAST_ACK) {
			lab_in(l, F | A, 1, 1, 0);
			lab_out(l, A, 1, 2, 0);
			if (s == TCP_CLOSE_WAIT)
				break;
			tcb_shutdown(&l->t);
			lab_out(l, F | A, 1, 2, 0);
			break;
		}
		reach_closing(l, s);
	}
	lab_state(l, s);
}

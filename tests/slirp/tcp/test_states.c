/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every state and every event: RFC 9293 3.10 as a table. A cell is "STATE OUT RESULT".
 * STATE: C closed, H syn-held, S syn-sent, R syn-received, E established, 1 and 2 fin-wait, W
 * close-wait, G closing, L last-ack, T time-wait.
 * OUT, in order: s SYN, b SYN|ACK, a ACK, d data, f FIN (with what data there is), r RST; -
 * nothing. RESULT: c connected, t data taken, e end of file, x reset by the container, z closed, o
 * reopen, ! challenge, . dropped, g given up, q expired; - nothing.
 */
#include "lab.h"

#include "tcp/tcb_parts.h"

static const char letters[N_TCP_STATES] = {
	[TCP_CLOSED] = 'C',     [TCP_SYN_HELD] = 'H',    [TCP_SYN_SENT] = 'S',
	[TCP_SYN_RCVD] = 'R',   [TCP_ESTABLISHED] = 'E', [TCP_FIN_WAIT_1] = '1',
	[TCP_FIN_WAIT_2] = '2', [TCP_CLOSE_WAIT] = 'W',  [TCP_CLOSING] = 'G',
	[TCP_LAST_ACK] = 'L',   [TCP_TIME_WAIT] = 'T',
};

/* A segment: its sequence number is counted from what we expect next (is_rel) or from the
 * container's SYN, its ACK from what we sent last or from our SYN. */
struct event {
	const char *name;
	uint8_t flags;
	bool is_rel, is_ack_rel;
	int32_t seq, ack;
	uint32_t len;
	const char *want;
};

/* clang-format off */
static const struct event events[] = {
	{"the same SYN", S, false, false, 0, 0, 0,
	 "C - .|H - -|R b -|R b -  |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|C - o"},
	{"a new SYN", S, false, false, 5000, 0, 0,
	 "C - .|H - -|R b -|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|C - o"},
	{"SYN,ACK of our SYN", S | A, false, false, 0, 1, 0,
	 "C - .|H - .|E a c|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"SYN,ACK of something else", S | A, false, false, 0, 0, 0,
	 "C - .|H - .|S r .|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"SYN,FIN", S | F, false, false, 0, 0, 0,
	 "C - .|H - .|S - .|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"ACK of all", A, true, true, 0, 0, 0,
	 "C - .|H - .|S - .|E - c  |E - - |2 - - |2 - - |W - - |T - - |C - z |T - -"},
	{"ACK of our SYN only", A, true, false, 0, 1, 0,
	 "C - .|H - .|S - .|E - c  |E - - |1 - - |2 - - |W - - |G - - |L - - |T - -"},
	{"ACK of what was not sent", A, true, true, 0, 1, 0,
	 "C - .|H - .|S r .|R r .  |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"data", A | P, true, true, 0, 0, 10,
	 "C - .|H - .|S - .|E a ct |E a t |2 a t |2 a t |W a - |T - - |C - z |T a -"},
	{"data ahead", A | P, true, true, 100, 0, 10,
	 "C - .|H - .|S - .|E a ct |E a t |2 a t |2 a t |W a - |T - - |C - z |T a -"},
	{"data beyond the window", A | P, true, true, 100000, 0, 10,
	 "C - .|H - .|S - .|R a .  |E a . |1 a . |2 a . |W a . |G a . |L a . |T a ."},
	{"data before", A | P, true, true, -20, 0, 10,
	 "C - .|H - .|S - .|R a .  |E a . |1 a . |2 a . |W a . |G a . |L a . |T a ."},
	{"empty beyond the window", A, true, true, 100000, 0, 0,
	 "C - .|H - .|S - .|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"FIN, ACK of all", F | A, true, true, 0, 0, 0,
	 "C - .|H - .|S - .|W a ce |W a e |T a e |T a e |W a - |T - - |C - z |T a -"},
	{"FIN, ACK of our SYN only", F | A, true, false, 0, 1, 0,
	 "C - .|H - .|S - .|W a ce |W a e |G a e |T a e |W a - |G a - |L a - |T a -"},
	{"data and FIN", F | A, true, true, 0, 0, 10,
	 "C - .|H - .|S - .|W a cte|W a te|T a te|T a te|W a - |T - - |C - z |T a -"},
	{"FIN again", F | A, true, true, -1, 0, 0,
	 "C - .|H - .|S - .|R a .  |E a . |1 a . |2 a . |W a . |G a . |L a . |T a ."},
	{"RST, exact", R, true, false, 0, 0, 0,
	 "C - .|C - x|S - .|C - x  |C - x |C - x |C - x |C - x |C - z |C - z |C - z"},
	{"RST, in the window", R, true, false, 100, 0, 0,
	 "C - .|H - .|S - .|R - !. |E - !.|1 - !.|2 - !.|W - !.|G - !.|L - !.|T - !."},
	{"RST, outside", R, true, false, 100000, 0, 0,
	 "C - .|H - .|S - .|R - .  |E - . |1 - . |2 - . |W - . |G - . |L - . |T - ."},
	{"RST,ACK of our SYN", R | A, false, false, 0, 1, 0,
	 "C - .|H - .|C - x|R - .  |E - . |1 - . |2 - . |W - . |G - . |L - . |T - ."},
	{"no flags", 0, true, false, 0, 0, 10,
	 "C - .|H - .|S - .|R - .  |E - . |1 - . |2 - . |W - . |G - . |L - . |T - ."},
	{"keep-alive", A, true, true, -1, 0, 0,
	 "C - .|H - .|S - .|R a .  |E a . |1 a . |2 a . |W a . |G a . |L a . |T a ."},
};

enum call { CALL_ACCEPT, CALL_QUEUE, CALL_SHUTDOWN, CALL_RESET, CALL_ACK, CALL_TIMEOUT, N_CALLS };

static const struct {
	const char *name, *want;
} calls[N_CALLS] = {
	{"tcb_accept",
	 "C - -|R b -|S - -|R - -  |E - - |1 - - |2 - - |W - - |G - - |L - - |T - -"},
	{"tcb_set_queued",
	 "C - -|H - -|S - -|R - -  |E d - |1 - - |2 - - |W d - |G - - |L - - |T - -"},
	{"tcb_shutdown",
	 "C - -|H - -|S - -|R - -  |1 f - |1 - - |2 - - |L f - |G - - |L - - |T - -"},
	{"tcb_reset",
	 "C - -|C r -|C - -|C r -  |C r - |C r - |C r - |C r - |C - - |C - - |C - -"},
	{"tcb_ack_now",
	 "C - -|H - -|S - -|R a -  |E a - |1 a - |2 a - |W a - |G a - |L a - |T a -"},
	{"the next time-out",
	 "C - -|H - -|S s -|R b -  |E a - |1 f - |C r g |W a - |G f - |L f - |C - q"},
};
/* clang-format on */

static void describe(struct lab *l, enum tcb_timeout_result r, char *out)
{
	char *p = out;

	/* What goes out belongs to the new state, which a RST may change. */
	char sent[16], *q = sent;

	while (tcb_output(&l->t, l->now, &l->out) && q < sent + sizeof(sent) - 2) {
		uint8_t f = l->out.h.flags;

		*q++ = (f & R)           ? 'r'
		       : (f & S)         ? ((f & A) ? 'b' : 's')
		       : (f & F)         ? 'f'
		       : l->out.data_len ? 'd'
					 : 'a';
	}
	*q = '\0';
	*p++ = letters[l->t.state];
	p += sprintf(p, " %s ", q == sent ? "-" : sent);
	q = p;
	if (l->r.is_connected)
		*p++ = 'c';
	if (l->r.advance || l->r.data_len)
		*p++ = 't';
	if (l->r.is_eof)
		*p++ = 'e';
	if (l->r.is_reset)
		*p++ = 'x';
	if (l->r.is_closed)
		*p++ = 'z';
	if (l->r.is_reopen)
		*p++ = 'o';
	if (l->r.is_challenge)
		*p++ = '!';
	if (l->r.is_drop)
		*p++ = '.';
	if (r == TCB_GIVE_UP)
		*p++ = 'g';
	if (r == TCB_EXPIRED)
		*p++ = 'q';
	if (p == q)
		*p++ = '-';
	*p = '\0';
}

static void check(const char *name, enum tcp_state s, const char *want, const char *got, bool *ok)
{
	const char *cell = want;
	size_t len;

	for (enum tcp_state k = 0; k < s && cell; k++) {
		cell = strchr(cell, '|');
		cell = cell ? cell + 1 : NULL;
	}
	len = cell ? strcspn(cell, "|") : 0;
	while (len > 0 && cell[len - 1] == ' ')
		len--;
	if (len == strlen(got) && memcmp(cell, got, len) == 0)
		return;
	print_error("%s in %s: \"%s\"\n", name, lab_state_name(s), got);
	*ok = false;
}

static void test_segments(void **state)
{
	bool ok = true;

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		const struct event *e = &events[i];

		for (enum tcp_state s = 0; s < N_TCP_STATES; s++) {
			struct lab l = lab_new();
			enum tcp_state before;
			char got[64];
			uint32_t seq, ack;

			lab_reach(&l, s);
			l.now += 5;
			before = l.t.state;
			seq = e->is_rel ? l.t.rcv_nxt - l.irs : 0;
			if (s == TCP_CLOSED || s == TCP_SYN_SENT)
				seq = 0; /* the container's number is not known yet */
			ack = e->is_ack_rel && s > TCP_SYN_HELD ? l.t.snd_nxt - l.iss : 0;
			lab_in(&l, e->flags, seq + (uint32_t)e->seq, ack + (uint32_t)e->ack,
			       e->len);
			describe(&l, TCB_GO_ON, got);
			check(e->name, s, e->want, got, &ok);
			assert_true(l.t.state == before || tcb_may_move(before, l.t.state) ||
				    before == TCP_SYN_RCVD || before == TCP_SYN_SENT ||
				    before == TCP_FIN_WAIT_1);
		}
	}
	assert_true(ok);
}

static void test_calls(void **state)
{
	bool ok = true;

	(void)state;
	for (enum call c = 0; c < N_CALLS; c++) {
		for (enum tcp_state s = 0; s < N_TCP_STATES; s++) {
			struct lab l = lab_new();
			enum tcb_timeout_result r = TCB_GO_ON;
			char got[64];

			lab_reach(&l, s);
			switch (c) {
			case CALL_ACCEPT:
				tcb_accept(&l.t, l.now);
				break;
			case CALL_QUEUE:
				tcb_set_queued(&l.t, 10);
				break;
			case CALL_SHUTDOWN:
				tcb_shutdown(&l.t);
				break;
			case CALL_RESET:
				tcb_reset(&l.t);
				break;
			case CALL_ACK:
				tcb_ack_now(&l.t);
				break;
			default:
				if (tcb_deadline(&l.t) == UINT64_MAX)
					break;
				l.now = tcb_deadline(&l.t);
				r = tcb_timeout(&l.t, l.now);
			}
			l.r = (struct tcb_result){0};
			describe(&l, r, got);
			check(calls[c].name, s, calls[c].want, got, &ok);
		}
	}
	assert_true(ok);
}

/* The moves that the machine may make are those of RFC 9293 figure 5, SYN-HELD beside them. */
static void test_moves(void **state)
{
	static const char *const figure[] = {
		"CH", "CS", "HR", "HC", "SR", "SE", "SC", "RE", "RC", "E1", "EW", "EC",
		"12", "1G", "1T", "1C", "2T", "2C", "WL", "WC", "GT", "GC", "LC", "TC",
	};

	(void)state;
	for (enum tcp_state a = 0; a < N_TCP_STATES; a++) {
		for (enum tcp_state b = 0; b < N_TCP_STATES; b++) {
			bool is_in = false;

			for (size_t i = 0; i < sizeof(figure) / sizeof(*figure); i++)
				is_in |= figure[i][0] == letters[a] && figure[i][1] == letters[b];
			assert_int_equal(tcb_may_move(a, b), is_in);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_moves),
	};

	return cmocka_run_group_tests_name("tcp states", tests, NULL, NULL);
}

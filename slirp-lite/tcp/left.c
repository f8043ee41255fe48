/* SPDX-License-Identifier: GPL-2.0-or-later */
/* left: see left.h. Places in the memory file, the first that is none ends them. What the last
 * worker noted there stays as it is, then comes what it had in its table; only when all of that
 * stands there the table is emptied. Killed in between, a worker leaves some of it twice. */
#include "tcp/left.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/kept.h"
#include "tcp/flow.h"

/* As many as a table has. The oldest, which have been asked before, make way for more. */
#define LEFT_MAX 65536u
/* So many at a time: the tap's queue and the container's have room for them. */
#define LEFT_A_TURN 64
#define LEFT_TURN_MS 5
/* An answer may be lost, as may a question, and on a busy machine the way between the tap and the
 * container is not there at once: after 1, 3, 7 and 15 seconds all are asked again. */
#define LEFT_ROUNDS 5
#define LEFT_ROUND_MS 1000u
#define LEFT_WINDOW 1024
#define LEFT_MARK 0x6c656631u /* another one for another struct one */

struct one {
	uint32_t mark;
	uint32_t snd_una, rcv_nxt, ts_base, ts_recent;
	struct flow_key key;
	uint8_t has_ts, is_near, is_held; /* bytes: anything may be in them */
};
_Static_assert(LEFT_MAX * sizeof(struct one) <= LEFT_BYTES, "they have room");

struct left {
	struct timer timer;
	const struct tcp_env *env;
	struct tcp *tcp;
	struct one *one; /* NULL: the file has no room for any */
	size_t there;    /* bytes of it that are memory */
	uint32_t n, n_over, at;
	unsigned n_rounds;
};

static bool is_whole(const struct flow_key *k)
{
	return (k->guest.family == AF_INET || k->guest.family == AF_INET6) &&
	       k->peer.family == k->guest.family && k->guest_port && k->peer_port &&
	       !ip_is_any(&k->guest) && !ip_is_any(&k->peer) && !ip_is_multicast(&k->guest) &&
	       !ip_is_multicast(&k->peer);
}

/* How many there are in the file, LEFT_MAX at most. They are read, as the table's slots are. */
static uint32_t count(int fd)
{
	struct one some[64];
	uint32_t n = 0;

	for (;;) {
		ssize_t len = pread(fd, some, sizeof(some), (off_t)(n * sizeof(some[0])));

		for (size_t k = 0; k < 64; k++, n++)
			if (n == LEFT_MAX || (ssize_t)((k + 1) * sizeof(some[0])) > len ||
			    some[k].mark != LEFT_MARK || !is_whole(&some[k].key))
				return n;
	}
}

static bool has_room(struct left *l, uint32_t n)
{
	return l->one && kept_grow(l->one, &l->there, n * sizeof(*l->one));
}

struct left *left_new(const struct tcp_env *env)
{
	struct left *l = calloc(1, sizeof(*l));
	const int fd = env->kept_fd;
	struct stat st;
	void *p;

	if (!l)
		return NULL;
	l->env = env;
	/* One that is new, or too short, has nothing in it. */
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)LEFT_BYTES)
		return l;
	p = mmap(NULL, LEFT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return l;
	l->one = p;
	l->n = count(fd);
	if (!has_room(l, l->n))
		l->n = 0;
	/* Whatever else there is would come to count when it is reached. */
	(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)(l->n * sizeof(*l->one)),
			(off_t)(LEFT_BYTES - l->n * sizeof(*l->one)));
	return l;
}

static void release(struct left *l)
{
	for (uint32_t i = 0; l->tcp && i < l->n; i++)
		if (l->one[i].is_held)
			emit_near_release(l->env->emit, &l->one[i].key.peer);
	l->n = 0;
}

void left_free(struct left *l)
{
	if (!l)
		return;
	timer_clear(l->env->wheel, &l->timer);
	release(l);
	if (l->one)
		munmap(l->one, LEFT_BYTES);
	free(l);
}

/* The container's end is one that waits for something of ours, or may be: its answer to our SYN is
 * lost with the worker. Where it has not had that SYN it says nothing to a question, and goes on
 * with its own (RFC 9293 3.10.7.3). */
static bool is_open(uint8_t state)
{
	return state == TCP_SYN_RCVD || state == TCP_ESTABLISHED || state == TCP_FIN_WAIT_1 ||
	       state == TCP_FIN_WAIT_2 || state == TCP_CLOSE_WAIT || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK;
}

void left_note(void *arg, const void *slot)
{
	const struct tcp_flow *f = slot;
	struct left *l = arg;
	uint32_t at;

	if (!l || !is_open(f->tcb.state) || !is_whole(&f->node.key))
		return;
	if (l->n < LEFT_MAX && !has_room(l, l->n + 1))
		return;
	at = l->n < LEFT_MAX ? l->n++ : l->n_over++ % LEFT_MAX;
	/* A SYN of ours that is not acknowledged is behind what an end that had it expects. */
	l->one[at] = (struct one){.mark = LEFT_MARK,
				  .key = f->node.key,
				  .snd_una = f->tcb.snd_una + (f->tcb.state == TCP_SYN_RCVD),
				  .rcv_nxt = f->tcb.rcv_nxt,
				  .ts_base = f->tcb.ts_base,
				  .ts_recent = f->tcb.ts_recent,
				  .has_ts = f->tcb.has_ts,
				  .is_near = f->is_near};
}

/* Its own time stamps go on, or it might be taken for an old segment (RFC 7323 5.2). */
static void ask(const struct left *l, const struct one *o, uint64_t now)
{
	struct tcphdr_v h = {.flags = TCP_ACK,
			     .seq = o->snd_una - 1,
			     .ack = o->rcv_nxt,
			     .wnd = LEFT_WINDOW,
			     .has_ts = o->has_ts != 0,
			     .tsval = (uint32_t)now + o->ts_base,
			     .tsecr = o->ts_recent};

	/* One that has been opened again since then is somebody else's. */
	if (!tcp_has(l->tcp, &o->key))
		flow_emit(l->tcp, &o->key, &h, NULL, 0, 0);
}

static void on_turn(struct timer *timer, uint64_t now)
{
	struct left *l = (struct left *)((char *)timer - offsetof(struct left, timer));

	if (l->n_rounds == LEFT_ROUNDS) {
		release(l);
		l->one[0].mark = 0;
		kept_forget(l->one, &l->there, LEFT_BYTES);
		return;
	}
	for (unsigned k = 0; k < LEFT_A_TURN && l->at < l->n; k++)
		ask(l, &l->one[l->at++], now);
	if (l->at < l->n) {
		timer_set(l->env->wheel, timer, now + LEFT_TURN_MS);
		return;
	}
	l->at = 0;
	timer_set(l->env->wheel, timer, now + (LEFT_ROUND_MS << l->n_rounds));
	l->n_rounds++;
}

void left_begin(struct left *l, struct tcp *t, uint64_t now)
{
	if (!l)
		return;
	/* Whose address is on the container's link is looked for there, until the last answer. */
	for (uint32_t i = 0; i < l->n; i++)
		l->one[i].is_held =
			l->one[i].is_near && emit_near_hold(l->env->emit, &l->one[i].key.peer);
	l->env->stats->n[STAT_TCP_LEFT] += l->n;
	l->tcp = t;
	l->timer.fn = on_turn;
	if (l->n > 0)
		timer_set(l->env->wheel, &l->timer, now);
}

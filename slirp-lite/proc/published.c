/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * published: rules in the order they came, sockets in numbered slots. A slot's life: free -> fresh
 * (bound, the worker has it not) -> sent (in the message under way) -> held -> doomed (closed here,
 * the worker has not been told) -> told (in the message under way) -> free. Only the worker's
 * answer makes a slot free again, so a number never means two sockets; one that was sent in vain is
 * fresh again, but the worker may hear of it yet.
 */
#include "proc/published.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "proc/listen.h"

#define RESEND_MS 500
/* Descriptors that are left for the rest of the process: clients who take ports back, and what a
 * new worker needs. */
#define FILES_RESERVE 32

enum slot_state { SLOT_FREE, SLOT_FRESH, SLOT_SENT, SLOT_HELD, SLOT_DOOMED, SLOT_TOLD };

struct slot {
	int fd;
	uint32_t rule; /* its place */
	uint16_t port; /* of the container */
	uint8_t family, state;
	bool may_be_held; /* it was in a message */
};

struct rule {
	struct published_rule r;
	enum port_local local;
	bool is_going; /* while rules are removed */
	uint32_t place;
};

struct published {
	struct rule *rule;
	size_t n_rules, rule_room;
	uint32_t last_id;
	struct slot *slot; /* PORTS_MAX of them; pages that are not used cost nothing */
	uint32_t n_ever, n_used;
	uint32_t n_fresh, n_doomed;       /* to be told */
	uint32_t free_from;               /* no free slot below */
	uint32_t fresh_from;              /* no fresh or doomed one below */
	uint32_t message;                 /* id of the one under way, 0: none */
	uint32_t under_way[CTLMSG_DROPS]; /* the slots it names */
	uint32_t n_under_way;
	uint32_t last_message;
	uint64_t resend_at;
	struct publish taken; /* count 0: none */
	rlim_t files_max;     /* no socket has a number from here on */
};

/* The kernel gives the lowest number that is free. */
static rlim_t files_max(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return RLIM_INFINITY;
	return lim.rlim_cur > (rlim_t)2 * FILES_RESERVE ? lim.rlim_cur - FILES_RESERVE
							: lim.rlim_cur / 2;
}

int published_new(struct published **ret, struct err *e)
{
	struct published *t = calloc(1, sizeof(*t));

	if (t)
		t->slot = calloc(PORTS_MAX, sizeof(*t->slot));
	if (!t || !t->slot) {
		free(t);
		return err_set(e, ERR_INTERNAL, ENOMEM, "published ports");
	}
	t->files_max = files_max();
	*ret = t;
	return 0;
}

void published_close(struct published *t)
{
	for (uint32_t i = 0; i < t->n_ever; i++)
		if (t->slot[i].state != SLOT_FREE) {
			fd_closep(&t->slot[i].fd);
			t->slot[i].state = SLOT_FREE;
		}
	t->n_rules = 0;
	t->n_ever = t->n_used = t->n_fresh = t->n_doomed = t->n_under_way = t->message = 0;
	t->free_from = t->fresh_from = 0;
}

void published_free(struct published *t)
{
	if (!t)
		return;
	published_close(t);
	free(t->slot);
	free(t->rule);
	free(t);
}

static void set_state(struct published *t, struct slot *s, enum slot_state to)
{
	t->n_fresh -= s->state == SLOT_FRESH;
	t->n_doomed -= s->state == SLOT_DOOMED;
	t->n_used -= s->state != SLOT_FREE;
	s->state = (uint8_t)to;
	t->n_fresh += to == SLOT_FRESH;
	t->n_doomed += to == SLOT_DOOMED;
	t->n_used += to != SLOT_FREE;
	if (to == SLOT_FREE && (uint32_t)(s - t->slot) < t->free_from)
		t->free_from = (uint32_t)(s - t->slot);
	if ((to == SLOT_FRESH || to == SLOT_DOOMED) && (uint32_t)(s - t->slot) < t->fresh_from)
		t->fresh_from = (uint32_t)(s - t->slot);
}

static struct slot *take_slot(struct published *t)
{
	for (uint32_t i = t->free_from; i < PORTS_MAX; i++)
		if (t->slot[i].state == SLOT_FREE) {
			t->free_from = i + 1;
			if (i >= t->n_ever)
				t->n_ever = i + 1;
			return &t->slot[i];
		}
	return NULL;
}

/* ---- adding ---- */

static int take_socket(struct published *t, size_t rule, int family, uint16_t port, int fd,
		       struct err *e)
{
	char text[PUBLISH_STRLEN];
	struct slot *s;

	if ((rlim_t)fd >= t->files_max) {
		close(fd);
		return err_set(e, ERR_QUOTA, EMFILE, "%s: no more open files (RLIMIT_NOFILE)",
			       publish_str(&t->rule[rule].r.p, text));
	}
	s = take_slot(t);
	if (!s) {
		close(fd);
		return err_set(e, ERR_QUOTA, ENOSPC, "published ports: at most %d sockets",
			       PORTS_MAX);
	}
	*s = (struct slot){
		.fd = fd, .rule = (uint32_t)rule, .port = port, .family = (uint8_t)family};
	set_state(t, s, SLOT_FRESH);
	t->rule[rule].r.n_sockets++;
	return 0;
}

/* Who of ours has it: the error says so. */
static int say_owner(struct published *t, const struct publish *p, size_t but, struct err *e)
{
	char text[PUBLISH_STRLEN];

	for (size_t i = 0; i < t->n_rules; i++)
		if (i != but && publish_overlaps(&t->rule[i].r.p, p))
			return err_set(e, ERR_CONFLICT, EADDRINUSE, "%s is published already (%u)",
				       publish_str(&t->rule[i].r.p, text), t->rule[i].r.id);
	t->taken = *p;
	return -EADDRINUSE;
}

static bool is_wanted(const struct rule *r, int family)
{
	const struct publish *p = &r->r.p;
	int fam = family == AF_INET ? FAM4 : FAM6;

	return publish_covers(p, fam) && (p->proto == IPPROTO_TCP || r->r.guest[fam].family != 0);
}

/* The n-th port of a rule. */
static int bind_port(struct published *t, size_t rule, uint32_t n, struct err *e)
{
	struct rule *r = &t->rule[rule];
	struct publish one = r->r.p;
	struct listen_set set;
	int k;

	one.count = 1;
	one.host_port = (uint16_t)(one.host_port ? one.host_port + n : 0);
	one.ctr_port = (uint16_t)(one.ctr_port + n);
	k = listen_open(&one, is_wanted(r, AF_INET), is_wanted(r, AF_INET6), &set, e);
	if (k == -EADDRINUSE)
		k = say_owner(t, &one, rule, e);
	if (k < 0)
		return k;
	if (r->r.p.host_port == 0)
		r->r.p.host_port = set.port;
	for (size_t i = 0; i < set.n; i++) {
		if (k == 0)
			k = take_socket(t, rule, set.family[i], one.ctr_port, set.fd[i], e);
		else
			close(set.fd[i]);
	}
	return k;
}

static int add_rule(struct published *t, const struct published_request *q, const struct publish *p,
		    struct err *e)
{
	char text[PUBLISH_STRLEN];
	struct rule *more;
	int r = 0;

	if (t->n_rules == t->rule_room) {
		size_t room = t->rule_room ? t->rule_room * 2 : 16;

		more = realloc(t->rule, room * sizeof(*more));
		if (!more)
			return err_set(e, ERR_INTERNAL, ENOMEM, "published ports");
		t->rule = more;
		t->rule_room = room;
	}
	t->rule[t->n_rules++] = (struct rule){
		.r = {.id = ++t->last_id,
		      .p = *p,
		      .guest = {q->guest[FAM4], q->guest[FAM6]},
		      .is_auto = q->is_auto},
		.local = q->local,
	};
	if (!is_wanted(&t->rule[t->n_rules - 1], AF_INET) &&
	    !is_wanted(&t->rule[t->n_rules - 1], AF_INET6))
		return err_set(e, ERR_USAGE, EAFNOSUPPORT,
			       "%s: the container has no address of this family",
			       publish_str(p, text));
	for (uint32_t n = 0; r == 0 && n < p->count; n++)
		r = bind_port(t, t->n_rules - 1, n, e);
	return r;
}

/* Sockets of the rules from `first` on that the worker never heard of. */
static void take_back(struct published *t, size_t first, uint32_t last_id)
{
	uint32_t n = 0;

	for (size_t i = first; i < t->n_rules; i++)
		n += t->rule[i].r.n_sockets;
	for (uint32_t i = 0; n > 0 && i < t->n_ever; i++)
		if (t->slot[i].state == SLOT_FRESH && t->slot[i].rule >= first) {
			fd_closep(&t->slot[i].fd);
			set_state(t, &t->slot[i], SLOT_FREE);
		}
	t->n_rules = first;
	t->last_id = last_id;
}

int published_add(struct published *t, const struct published_request *q, uint32_t *ret_id,
		  struct err *e)
{
	size_t first = t->n_rules;
	uint32_t last_id = t->last_id;
	int r = 0;

	t->taken.count = 0;
	if (t->n_rules + q->n > PUBLISH_MAX)
		return err_set(e, ERR_QUOTA, E2BIG, "published ports: at most %d runs",
			       PUBLISH_MAX);
	for (size_t i = 0; i < q->n && r == 0; i++)
		r = add_rule(t, q, &q->list[i], e);
	if (r < 0) {
		take_back(t, first, last_id);
		return r;
	}
	*ret_id = last_id + 1;
	return 0;
}

bool published_taken(const struct published *t, struct publish *ret)
{
	if (t->taken.count == 0)
		return false;
	*ret = t->taken;
	return true;
}

/* ---- removing ---- */

static size_t place_of(const struct published *t, uint32_t id)
{
	size_t low = 0, high = t->n_rules;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->rule[mid].r.id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* NULL: there is none. */
static struct rule *rule_of(struct published *t, uint32_t id)
{
	size_t at = place_of(t, id);

	return at == t->n_rules || t->rule[at].r.id != id ? NULL : &t->rule[at];
}

static void end_slot(struct published *t, struct slot *s)
{
	fd_closep(&s->fd);
	set_state(t, s, s->state == SLOT_FRESH && !s->may_be_held ? SLOT_FREE : SLOT_DOOMED);
}

void published_remove_all(struct published *t, const uint32_t *ids, size_t n)
{
	uint32_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct rule *r = rule_of(t, ids[i]);

		if (r)
			r->is_going = true;
	}
	for (size_t i = 0; i < t->n_rules; i++)
		t->rule[i].place = t->rule[i].is_going ? 0 : kept++;
	for (uint32_t i = 0; i < t->n_ever; i++) {
		struct slot *s = &t->slot[i];

		if (s->state == SLOT_FREE || s->state == SLOT_DOOMED || s->state == SLOT_TOLD)
			continue;
		if (t->rule[s->rule].is_going)
			end_slot(t, s);
		else
			s->rule = t->rule[s->rule].place;
	}
	for (size_t i = 0; i < t->n_rules; i++)
		if (!t->rule[i].is_going)
			t->rule[t->rule[i].place] = t->rule[i];
	t->n_rules = kept;
}

int published_remove(struct published *t, uint32_t id)
{
	if (!rule_of(t, id))
		return -ENOENT;
	published_remove_all(t, &id, 1);
	return 0;
}

uint32_t published_find(const struct published *t, const struct publish *p)
{
	for (size_t i = 0; i < t->n_rules; i++) {
		const struct publish *q = &t->rule[i].r.p;

		if (q->proto == p->proto && ip_equal(&q->host_ip, &p->host_ip) &&
		    q->host_port == p->host_port && q->count == p->count)
			return t->rule[i].r.id;
	}
	return 0;
}

bool published_next(const struct published *t, size_t *cursor, struct published_rule *ret)
{
	if (*cursor >= t->n_rules)
		return false;
	*ret = t->rule[(*cursor)++].r;
	return true;
}

size_t published_count(const struct published *t)
{
	return t->n_rules;
}

/* ---- the worker's part ---- */

static struct port_spec spec_of(const struct published *t, uint32_t i)
{
	const struct slot *s = &t->slot[i];
	const struct rule *r = &t->rule[s->rule];

	return (struct port_spec){
		.slot = i,
		.proto = r->r.p.proto,
		.family = s->family,
		.local = (uint8_t)r->local,
		.is_wild = r->r.p.host_ip.family == 0 || ip_is_any(&r->r.p.host_ip),
		.port = s->port,
		.guest = {r->r.guest[FAM4], r->r.guest[FAM6]},
	};
}

/* Slots in state `from` become part of the message under way; how many. */
static uint32_t gather(struct published *t, enum slot_state from, uint32_t max)
{
	enum slot_state to = from == SLOT_FRESH ? SLOT_SENT : SLOT_TOLD;
	uint32_t n = 0, i;

	for (i = t->fresh_from; i < t->n_ever && n < max; i++)
		if (t->slot[i].state == from)
			t->under_way[n++] = i;
	for (uint32_t k = 0; k < n; k++)
		set_state(t, &t->slot[t->under_way[k]], to);
	/* Those of the other kind may lie below. */
	if ((from == SLOT_FRESH ? t->n_doomed : t->n_fresh) == 0)
		t->fresh_from = i;
	t->n_under_way = n;
	return n;
}

static void tell_doomed(struct published *t, struct ctlmsg *m)
{
	m->type = CTLMSG_PORTS_DROP;
	m->drop.n = gather(t, SLOT_DOOMED, CTLMSG_DROPS);
	memcpy(m->drop.slot, t->under_way, m->drop.n * sizeof(m->drop.slot[0]));
}

static void send_fresh(struct published *t, struct ctlmsg *m, int *fds)
{
	m->type = CTLMSG_PORTS_ADD;
	m->add.n = gather(t, SLOT_FRESH, CTLMSG_PORTS);
	for (uint32_t i = 0; i < m->add.n; i++) {
		fds[i] = t->slot[t->under_way[i]].fd;
		t->slot[t->under_way[i]].may_be_held = true;
		m->add.port[i] = spec_of(t, t->under_way[i]);
	}
}

/* The message under way is over: its slots are in the state they get by it, or were in before. */
static void end_message(struct published *t, bool is_done)
{
	for (uint32_t i = 0; i < t->n_under_way; i++) {
		struct slot *s = &t->slot[t->under_way[i]];

		if (s->state == SLOT_SENT)
			set_state(t, s, is_done ? SLOT_HELD : SLOT_FRESH);
		else if (s->state == SLOT_TOLD)
			set_state(t, s, is_done ? SLOT_FREE : SLOT_DOOMED);
	}
	t->message = t->n_under_way = 0;
}

bool published_message(struct published *t, uint64_t now, struct ctlmsg *ret, int fds[CTLMSG_PORTS])
{
	if (t->message && now < t->resend_at)
		return false;
	end_message(t, false);
	if (t->n_doomed == 0 && t->n_fresh == 0)
		return false;
	t->last_message = t->last_message == UINT32_MAX ? 1 : t->last_message + 1;
	*ret = (struct ctlmsg){.id = t->last_message};
	if (t->n_doomed > 0)
		tell_doomed(t, ret);
	else
		send_fresh(t, ret, fds);
	t->message = ret->id;
	t->resend_at = now + RESEND_MS;
	return true;
}

void published_unsent(struct published *t)
{
	end_message(t, false);
}

void published_done(struct published *t, uint32_t id)
{
	if (id != 0 && id == t->message)
		end_message(t, true);
}

void published_restart(struct published *t)
{
	end_message(t, false);
	for (uint32_t i = 0; i < t->n_ever; i++) {
		struct slot *s = &t->slot[i];

		s->may_be_held = false;
		if (s->state == SLOT_HELD)
			set_state(t, s, SLOT_FRESH);
		else if (s->state == SLOT_DOOMED)
			set_state(t, s, SLOT_FREE);
	}
}

bool published_is_settled(const struct published *t)
{
	return t->message == 0 && t->n_fresh == 0 && t->n_doomed == 0;
}

uint64_t published_deadline(const struct published *t)
{
	return t->message ? t->resend_at : UINT64_MAX;
}

void published_clear_tallies(struct published *t)
{
	for (size_t i = 0; i < t->n_rules; i++)
		t->rule[i].r.tally = (struct port_tally){0};
}

void published_add_tally(struct published *t, const struct ctlmsg_port *p)
{
	struct port_tally *to;

	if (p->slot >= t->n_ever || t->slot[p->slot].state != SLOT_HELD)
		return;
	to = &t->rule[t->slot[p->slot].rule].r.tally;
	to->flows += p->tally.flows;
	to->in += p->tally.in;
	to->out += p->tally.out;
}

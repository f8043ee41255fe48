/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipes: see pipes.h. The kernel counts the pages of all pipes of a user (pipe(7),
 * pipe-user-pages-soft, 64 MiB by default) and gives tiny pipes beyond that: with those splice is
 * slower than copying, so they are not used. A few pipes are widened, which is what makes one bulk
 * stream fast; the rest keep the default size, so that the quota goes a long way.
 */
#include "relay/pipes.h"

#include <fcntl.h>
#include <unistd.h>

#define WIDE_SIZE (256 * 1024)
#define WIDE_MAX 32
#define MIN_SIZE (32 * 1024)
#define KEEP_IDLE 16

void pipes_init(struct pipes *p)
{
	p->wide = p->narrow = PIPES_NONE;
	p->unmade = 0;
	p->n_idle = p->n_wide = 0;
	p->is_fixed = false;
	for (uint16_t i = 0; i < PIPES_MAX; i++)
		p->pair[i] = (struct pipe_pair){-1, -1, 0,
						i + 1 < PIPES_MAX ? (uint16_t)(i + 1) : PIPES_NONE};
}

static uint16_t make(struct pipes *p, uint16_t wide_max)
{
	uint16_t i = p->unmade;
	int fd[2];

	if (i == PIPES_NONE || pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return PIPES_NONE;
	int size = -1;
	if (p->n_wide < wide_max)
		size = fcntl(fd[1], F_SETPIPE_SZ, WIDE_SIZE);
	if (size < 0)
		size = fcntl(fd[1], F_GETPIPE_SZ);
	if (size < MIN_SIZE) {
		close(fd[0]);
		close(fd[1]);
		return PIPES_NONE;
	}
	struct pipe_pair *pair = &p->pair[i];
	p->unmade = pair->next;
	p->n_wide += size >= WIDE_SIZE;
	*pair = (struct pipe_pair){.in = fd[1], .out = fd[0], .size = (uint32_t)size};
	return i;
}

static void put(struct pipes *p, uint16_t i)
{
	uint16_t *list = p->pair[i].size >= WIDE_SIZE ? &p->wide : &p->narrow;

	p->pair[i].next = *list;
	*list = i;
	p->n_idle++;
}

void pipes_init_fixed(struct pipes *p, unsigned n, unsigned n_wide)
{
	pipes_init(p);
	p->is_fixed = true;
	for (unsigned k = 0; k < n; k++) {
		uint16_t i = make(p, (uint16_t)n_wide);

		if (i == PIPES_NONE)
			return;
		put(p, i);
	}
}

/* The wide ones first: few streams at a time are the rule. */
static uint16_t get(struct pipes *p)
{
	uint16_t *list = p->wide != PIPES_NONE ? &p->wide : &p->narrow;
	uint16_t i = *list;

	if (i == PIPES_NONE)
		return i;
	*list = p->pair[i].next;
	p->n_idle--;
	return i;
}

uint16_t pipes_take(struct pipes *p)
{
	uint16_t i = get(p);

	return i == PIPES_NONE && !p->is_fixed ? make(p, WIDE_MAX) : i;
}

static void drop(struct pipes *p, uint16_t i)
{
	struct pipe_pair *pair = &p->pair[i];

	p->n_wide -= pair->size >= WIDE_SIZE;
	close(pair->in);
	close(pair->out);
	*pair = (struct pipe_pair){-1, -1, 0, p->unmade};
	p->unmade = i;
}

void pipes_close(struct pipes *p)
{
	for (uint16_t i; (i = get(p)) != PIPES_NONE;)
		drop(p, i);
}

static void drain(const struct pipe_pair *pair)
{
	char scrap[16384];

	while (read(pair->out, scrap, sizeof(scrap)) > 0)
		;
}

void pipes_give(struct pipes *p, uint16_t i, bool drained)
{
	if (p->is_fixed && !drained)
		drain(&p->pair[i]);
	if (p->is_fixed || (drained && p->n_idle < KEEP_IDLE))
		put(p, i);
	else
		drop(p, i);
}

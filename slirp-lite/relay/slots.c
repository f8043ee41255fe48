/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slots: see slots.h. Freed slots are reused last in, first out: they are warm, and the highest
 * index ever used stays low. */
#include "relay/slots.h"

#include <errno.h>
#include <string.h>

#include "base/pages.h"

int slots_init(struct slots *s, uint32_t max, size_t size)
{
	void *p = max > 0 ? pages_map((size_t)max * size) : NULL;

	if (max > 0 && !p)
		return -ENOMEM;
	*s = (struct slots){.mem = p, .size = size, .max = max};
	return 0;
}

void slots_free(struct slots *s)
{
	pages_unmap(s->mem, (size_t)s->max * s->size);
	*s = (struct slots){0};
}

void *slots_at(const struct slots *s, uint32_t i)
{
	return s->mem + (size_t)i * s->size;
}

uint32_t slots_take(struct slots *s)
{
	uint32_t i;
	struct slot *p;

	if (s->free_head) {
		i = s->free_head - 1;
		p = slots_at(s, i);
		s->free_head = p->next_free;
	} else if (s->n_touched < s->max) {
		i = s->n_touched++;
		p = slots_at(s, i);
	} else {
		return SLOT_NONE;
	}
	uint32_t gen = p->gen;
	memset(p, 0, s->size);
	p->gen = gen;
	p->used = true;
	s->n_used++;
	return i;
}

void slots_give(struct slots *s, uint32_t i)
{
	struct slot *p = slots_at(s, i);

	p->used = false;
	p->gen = (p->gen + 1) & SLOT_GEN_MASK;
	p->next_free = s->free_head;
	s->free_head = i + 1;
	s->n_used--;
}

void *slots_live(const struct slots *s, uint32_t i, uint32_t gen)
{
	if (i >= s->n_touched)
		return NULL;
	struct slot *p = slots_at(s, i);
	return p->used && p->gen == gen ? p : NULL;
}

uint32_t slots_next(const struct slots *s, uint32_t i)
{
	for (; i < s->n_touched; i++)
		if (((struct slot *)slots_at(s, i))->used)
			return i;
	return SLOT_NONE;
}

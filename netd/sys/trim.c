/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trim: read-only parts of programs are the same as in their files: the kernel maps a page of them
 * again when it is used, and has it in its cache. Parts that may be written are left alone.
 */
#include "sys/trim.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int drop(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = *(uintptr_t *)arg;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t begin = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t end = info->dlpi_addr + p->p_vaddr + p->p_memsz;

		/* An error costs memory, and nothing else. */
		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void trim_setup(void)
{
	/* As a number of its own it stays what it is. */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

void trim_now(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(drop, &page);
}

void trim_wake(struct trim *t, uint64_t now_ms)
{
	if (!t->is_awake)
		t->first_ms = now_ms;
	t->last_ms = now_ms;
	t->is_awake = true;
}

int trim_turn(struct trim *t, uint64_t now_ms, bool is_idle)
{
	uint64_t at = t->last_ms + TRIM_REST_MS;

	if (!t->is_awake || !is_idle)
		return -1;
	if (at > t->first_ms + TRIM_LATEST_MS)
		at = t->first_ms + TRIM_LATEST_MS;
	if (now_ms < at)
		return (int)(at - now_ms);
	trim_now();
	t->is_awake = false;
	return -1;
}

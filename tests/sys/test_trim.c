/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trim: when memory is given back, and that it is. */
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/trim.h"

static void test_when(void **state)
{
	struct trim t = {0};

	(void)state;
	assert_int_equal(trim_turn(&t, 1000, true), -1); /* nothing was done yet */
	trim_wake(&t, 1000);
	assert_int_equal(trim_turn(&t, 1000, false), -1);
	/* After a rest, which begins anew with what is done, and work ends. */
	assert_int_equal(trim_turn(&t, 1001, true), TRIM_REST_MS - 1);
	trim_wake(&t, 1500);
	assert_int_equal(trim_turn(&t, 1000 + TRIM_REST_MS, true), 500);
	assert_int_equal(trim_turn(&t, 1500 + TRIM_REST_MS, false), -1);
	assert_true(t.is_awake);
	assert_int_equal(trim_turn(&t, 1500 + TRIM_REST_MS, true), -1);
	assert_false(t.is_awake);
	assert_int_equal(trim_turn(&t, 1501 + TRIM_REST_MS, true), -1);
	/* And late. */
	trim_wake(&t, 5000);
	assert_int_equal(trim_turn(&t, 1000000, true), -1);
	assert_false(t.is_awake);
	/* Who never rests: from time to time. */
	for (uint64_t now = 2000000; now < 2000000 + TRIM_LATEST_MS; now += 10) {
		trim_wake(&t, now);
		assert_true(trim_turn(&t, now, true) > 0);
		assert_true(t.is_awake);
	}
	assert_int_equal(trim_turn(&t, 2000000 + TRIM_LATEST_MS, true), -1);
	assert_false(t.is_awake);
}

/* Of files, in kB. */
static unsigned long resident(void)
{
	unsigned long found = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "RssFile:", 8) == 0)
			found = strtoul(line + 8, NULL, 10);
	fclose(f);
	return found;
}

/* Sums up a byte of each page of what trim_now may drop, and the pages. */
static int touch(struct dl_phdr_info *info, size_t size, void *arg)
{
	unsigned long *sum = arg;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const volatile char *at = (const char *)(info->dlpi_addr + p->p_vaddr);

		if (p->p_type != PT_LOAD || p->p_flags & PF_W || !(p->p_flags & PF_R))
			continue;
		for (uintptr_t k = 0; k < p->p_filesz; k += page) {
			sum[0] += (unsigned char)at[k];
			sum[1]++;
		}
	}
	return 0;
}

static void test_drops(void **state)
{
	unsigned long first[2] = {0}, again[2] = {0}, full, less;
	char *large;

	(void)state;
	trim_setup();
	large = malloc(1 << 20);
	assert_non_null(large);
	memset(large, 1, 1 << 20);
	dl_iterate_phdr(touch, first);
	full = resident();
	trim_now();
	less = resident();
	print_message("%lu kB of files are resident, then %lu\n", full, less);
	assert_true(less < full);
	/* Of what was touched most is gone; pages that were used since came back in groups. */
	assert_true(full - less >= first[1] * (unsigned long)sysconf(_SC_PAGESIZE) / 1024 / 4);
	/* All is still there, and what it was. */
	dl_iterate_phdr(touch, again);
	assert_memory_equal(first, again, sizeof(first));
	assert_int_equal(large[(1 << 20) - 1], 1);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

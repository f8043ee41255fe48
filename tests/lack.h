/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lack: allocations of the code under test that fail. For programs with the dependency `lack`,
 * whose linker puts these functions in the place of the C library's allocator; what libraries that
 * are linked dynamically allocate does not count.
 */
#ifndef TESTS_LACK_H
#define TESTS_LACK_H

#include <stdbool.h>
#include <stddef.h>

/* From here on the nth allocation (from 1 on) fails; for_good: and every one after it. */
void lack_begin(size_t nth, bool for_good);
/* Memory is there again. True: an allocation has failed. */
bool lack_end(void);
/* How many there were since lack_begin, which failed or not. */
size_t lack_count(void);

#endif

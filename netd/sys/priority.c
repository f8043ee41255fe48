/* SPDX-License-Identifier: GPL-2.0-or-later */
/* priority: of the process, by setpriority(2). An error is no harm: all goes on, only later. */
#include "sys/priority.h"

#include <errno.h>
#include <sys/resource.h>

#define RAISED (-10)

void priority_raise(void)
{
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) == 0 && errno == 0)
		(void)setpriority(PRIO_PROCESS, 0, RAISED);
}

void priority_settle(void)
{
	int saved = errno;

	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) < 0 && errno == 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
	errno = saved;
}

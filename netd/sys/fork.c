/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork: the raw system call, for the C library's wrapper takes a stack and a function. It owns no
 * process. Read clone(2), "C library/kernel differences" on the order of the arguments.
 */
#include "sys/fork.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t fork_into(unsigned long flags, int *ret_pidfd)
{
	int pidfd = -1;
	pid_t pid;

	flags |= CLONE_PIDFD | SIGCHLD;
	/* Without a stack it is fork. The order of the first three arguments is the same on all
	 * machines but s390, where the stack comes first. */
#ifdef __s390__
	pid = (pid_t)syscall(SYS_clone, NULL, flags, &pidfd, NULL, NULL);
#else
	pid = (pid_t)syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
#endif
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

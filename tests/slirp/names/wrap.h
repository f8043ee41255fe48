/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wrap: what stand-ins of system calls share: a refusal, and whether a descriptor was left open. */
#ifndef TESTS_SLIRP_NAMES_WRAP_H
#define TESTS_SLIRP_NAMES_WRAP_H

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

/* What a call returns that fails with that number, 0 for none. */
static int refuse(int sys)
{
	errno = sys;
	return sys ? -1 : 0;
}

/* The same before and after: none was left open. */
static int lowest_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

#endif

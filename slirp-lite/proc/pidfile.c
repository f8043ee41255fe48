/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidfile: it never removes the file; whoever asked for it knows when it is of no more use. */
#include "proc/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int pidfile_open(const char *path, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_invalid(e, ERR_USAGE, "%s: not a regular file", path);
	if (ftruncate(fd, 0) < 0)
		return err_sys(e, errno, "%s", path);
	*ret_fd = fd_take(&fd);
	return 0;
}

int pidfile_write(int *fd, pid_t pid, struct err *e)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)pid), r;

	if (*fd < 0)
		return 0;
	r = fd_write_all(*fd, text, (size_t)n, e);
	fd_closep(fd);
	return r;
}

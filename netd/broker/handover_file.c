/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover_file: the record in memfd_create(2)'s file, which nobody can change any more, not even
 * its writer; and its way through execve(2): a number in the environment. Only the process that
 * wrote it, or for a trial its child, takes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "broker/handover.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int handover_make(const struct handover *h, int *ret_fd, struct err *e)
{
	CLEAN_FD int fd = memfd_create("netd-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(e, errno, "handing over");
	if (fd_write_all(fd, h, sizeof(*h), e) < 0)
		return -EIO;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, errno, "handing over");
	*ret_fd = fd_take(&fd);
	return 0;
}

static int mark(int fd, bool is_cloexec)
{
	return fd >= 0 && fcntl(fd, F_SETFD, is_cloexec ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int handover_mark(const struct handover *h, bool is_cloexec)
{
	int r = 0;

	for (int i = 0; i < N_HANDOVER_FDS; i++)
		r = r < 0 ? r : mark(h->fd[i], is_cloexec);
	for (uint32_t i = 0; i < h->n_conn; i++)
		r = r < 0 ? r : mark(h->conn[i], is_cloexec);
	return r;
}

static int read_record(int fd, struct handover *ret, struct err *e)
{
	struct stat st;
	ssize_t n;
	int r;

	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &st) < 0)
		return err_invalid(e, ERR_PROTOCOL, HANDOVER_ENV ": that is no sealed file");
	n = pread(fd, ret, sizeof(*ret), 0);
	if (n < 0)
		return err_sys(e, errno, "what was handed over");
	/* One of another layout may be longer: it says so itself. */
	r = handover_check(ret, (size_t)n - (st.st_size > (off_t)n), e);
	if (r < 0)
		return r;
	if (ret->pid != (uint32_t)(ret->is_trial ? getppid() : getpid()))
		return err_invalid(e, ERR_PROTOCOL, "what was handed over is for another process");
	return 0;
}

int handover_take(struct handover *ret, struct err *e)
{
	const char *text = getenv(HANDOVER_ENV);
	CLEAN_FD int fd = -1;
	uint32_t n = 0;
	int r;

	if (!text)
		return 1;
	r = parse_u32(text, 3, HANDOVER_FILES - 1, &n);
	unsetenv(HANDOVER_ENV);
	if (r < 0)
		return err_set(e, ERR_USAGE, 0, HANDOVER_ENV ": expected a descriptor's number");
	fd = (int)n;
	r = read_record(fd, ret, e);
	if (r == 0 && handover_mark(ret, true) < 0)
		r = err_invalid(e, ERR_PROTOCOL, "a descriptor that was handed over is not there");
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outside_ring: one request at a time, each with its own mapping: it is asked once or twice in the
 * life of a program. Read io_uring_setup(2), io_uring_register(2) on IORING_REGISTER_PERSONALITY,
 * io_uring_enter(2) on IORING_OP_SOCKET.
 */
#include "sys/outside_ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define OP_SOCKET 45 /* IORING_OP_SOCKET, Linux 5.19: headers may be older than the kernel */
#define N_ENTRIES 1

int outside_ring_open(struct outside_ring *r)
{
	struct io_uring_params p = {0};
	CLEAN_FD int fd = (int)syscall(SYS_io_uring_setup, N_ENTRIES, &p);
	int n;

	if (fd < 0)
		return -errno;
	n = (int)syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	if (n < 0)
		return -errno;
	*r = (struct outside_ring){.personality = n,
				   .sq_array = p.sq_off.array,
				   .sq_tail = p.sq_off.tail,
				   .cqes = p.cq_off.cqes,
				   .n_sq = p.sq_entries,
				   .n_cq = p.cq_entries};
	r->fd = fd_take(&fd);
	return 0;
}

void outside_ring_close(struct outside_ring *r)
{
	fd_closep(&r->fd);
}

static void *map(const struct outside_ring *r, size_t len, off_t at)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, at);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t len)
{
	if (p)
		(void)munmap(p, len);
}

static int submit(const struct outside_ring *r, char *sq, struct io_uring_sqe *entry,
		  const struct io_uring_sqe *what)
{
	unsigned *tail = (unsigned *)(void *)(sq + r->sq_tail);
	unsigned *array = (unsigned *)(void *)(sq + r->sq_array);
	int n;

	*entry = *what;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	do
		n = (int)syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 1 ? 0 : -EIO;
}

int outside_ring_socket(const struct outside_ring *r, int domain, int type, int protocol)
{
	const struct io_uring_sqe what = {.opcode = OP_SOCKET,
					  .fd = domain,
					  .off = (__u64)(unsigned)type,
					  .len = (unsigned)protocol,
					  .personality = (__u16)r->personality,
					  .user_data = 1};
	size_t sq_len = r->sq_array + r->n_sq * sizeof(unsigned);
	size_t cq_len = r->cqes + r->n_cq * sizeof(struct io_uring_cqe);
	size_t entry_len = r->n_sq * sizeof(struct io_uring_sqe);
	char *sq = map(r, sq_len, IORING_OFF_SQ_RING);
	char *cq = map(r, cq_len, IORING_OFF_CQ_RING);
	struct io_uring_sqe *entry = map(r, entry_len, (off_t)IORING_OFF_SQES);
	int n = sq && cq && entry ? submit(r, sq, entry, &what) : -ENOMEM;

	/* The first and only answer of this ring. */
	if (n == 0)
		n = ((struct io_uring_cqe *)(void *)(cq + r->cqes))->res;
	unmap(entry, entry_len);
	unmap(cq, cq_len);
	unmap(sq, sq_len);
	return n;
}

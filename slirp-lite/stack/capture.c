/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: frames as records of the classic capture format (draft-ietf-opsawg-pcap section 5), one
 * write each, so that a reader never sees half of one but at the end of a full disk. The file is a
 * means of looking for faults: what cannot be written is not.
 */
#include <sys/uio.h>
#include <time.h>

#include "stack/internal.h"

#define PIECES 17

void capture_frame(void *arg, const struct iovec *iov, int n)
{
	const struct worker *w = arg;
	struct timespec now;
	struct {
		uint32_t sec, usec, kept, len;
	} head = {0};
	struct iovec all[PIECES + 1] = {{&head, sizeof(head)}};
	ssize_t r;

	if (n > PIECES)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	head.sec = (uint32_t)now.tv_sec;
	head.usec = (uint32_t)(now.tv_nsec / 1000);
	for (int i = 0; i < n; i++) {
		all[i + 1] = iov[i];
		head.len += (uint32_t)iov[i].iov_len;
	}
	head.kept = head.len;
	r = writev(w->fds.pcap, all, n + 1);
	(void)r;
}

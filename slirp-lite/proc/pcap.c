/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap: the file header of the classic capture format; draft-ietf-opsawg-pcap section 4. A worker
 * that takes over from one that died goes on with the same file, so the header cannot be its
 * business.
 */
#include "proc/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "base/fd.h"

int pcap_create(const char *path, int *ret_fd, struct err *e)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, linktype;
	} head = {0xa1b2c3d4, 2, 4, 0, 0, PCAP_SNAPLEN, 1};
	CLEAN_FD int fd = -1;
	int r;

	do
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY,
			  0600);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	r = fd_write_all(fd, &head, sizeof(head), e);
	if (r < 0)
		return err_ctx(e, r, "%s", path);
	*ret_fd = fd_take(&fd);
	return 0;
}

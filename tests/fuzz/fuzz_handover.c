/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_handover: the record that one netd leaves for the next, as if its writer had been mad: a
 * good one, bytes of which are others, with a checksum that fits. What is let through names each
 * descriptor once, and none that there cannot be.
 */
#include <string.h>

#include "broker/handover.h"

#include "fuzz.h"

static void see(bool seen[HANDOVER_FILES], int fd)
{
	MUST(fd >= 3 && fd < HANDOVER_FILES && !seen[fd]);
	seen[fd] = true;
}

/* data: offsets of two bytes and a byte for there, again and again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct handover h;
	bool seen[HANDOVER_FILES] = {false};
	uint8_t *p = (uint8_t *)&h;

	handover_begin(&h);
	for (int i = 0; i < N_HANDOVER_FDS; i++)
		h.fd[i] = 3 + i;
	h.is_trial = 1;
	for (; size >= 3; data += 3, size -= 3)
		p[(data[0] << 8 | data[1]) % sizeof(h)] = data[2];
	(void)handover_check(&h, sizeof(h), NULL);
	handover_seal(&h);
	if (handover_check(&h, sizeof(h), NULL) < 0)
		return 0;
	MUST(strlen(h.version) < sizeof(h.version) && h.n_conn <= HANDOVER_CONNS);
	for (int i = 0; i < N_HANDOVER_FDS; i++)
		if (h.fd[i] != -1)
			see(seen, h.fd[i]);
	for (uint32_t i = 0; i < h.n_conn; i++)
		see(seen, h.conn[i]);
	MUST(h.fd[HANDOVER_LISTENER] >= 3 && h.fd[HANDOVER_WATCH] >= 3);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bootid: the identity of this boot, so that a record of an earlier one is recognised. Never
 * writes. Read random(4), section "/proc interfaces".
 */
#include "sys/bootid.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/fd.h"

#define BOOTID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOTID_LEN 36

static bool is_uuid(const char *s)
{
	for (size_t i = 0; i < BOOTID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');

		if (dash ? s[i] != '-' : !hex)
			return false;
	}
	return true;
}

int bootid_get(char out[37], struct err *e)
{
	CLEAN_FREE char *text = NULL;
	size_t len;
	int r;

	r = fd_read_file(AT_FDCWD, BOOTID_PATH, 64, &text, &len, e);
	if (r < 0)
		return r;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len != BOOTID_LEN || !is_uuid(text))
		return err_invalid(e, ERR_PROTOCOL, "%s: expected a UUID", BOOTID_PATH);
	memcpy(out, text, BOOTID_LEN);
	out[BOOTID_LEN] = '\0';
	return 0;
}

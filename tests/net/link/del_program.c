/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that deletes one link and ends: `del_program echo|wait IFINDEX`. Its exit status is 0
 * when the link was there, 1 when not, 2 on failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/link.h"

int main(int argc, char **argv)
{
	CLEAN_RTNL struct rtnl *r = NULL;
	struct err e = ERR_INIT;
	uint32_t index;
	int w;

	if (argc != 3)
		return 2;
	index = (uint32_t)strtoul(argv[2], NULL, 10);
	w = rtnl_open(&r, &e);
	if (w == 0 && strcmp(argv[1], "echo") == 0)
		w = link_del_echo(r, index, -1, &e);
	else if (w == 0)
		w = link_del(r, index, &e);
	if (w < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	(void)puts("done");
	return w;
}

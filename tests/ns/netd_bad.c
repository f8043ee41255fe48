/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netd_bad: lies where a new netd should, for tests. The file `mode` beside it says what it does:
 * crash, or hang.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	char path[PATH_MAX + 8], mode[16] = "";
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	FILE *f;

	if (n <= 0)
		return 1;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/mode");
	f = fopen(path, "re");
	if (!f || !fgets(mode, sizeof(mode), f))
		return 1;
	fclose(f);
	if (strncmp(mode, "crash", 5) == 0)
		abort();
	while (strncmp(mode, "hang", 4) == 0)
		pause();
	return 0;
}

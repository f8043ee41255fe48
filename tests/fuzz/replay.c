/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: runs a fuzz target over its corpus without a fuzzer: every file, every prefix of it, and
 * the file with each byte replaced by each of a few that mean something: in texts, or with
 * REPLAY_EVENTS in programs of events (the first opcodes, small and large numbers). An empty corpus
 * is a failure. Usage: replay-TARGET DIRECTORY
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"

#include "fuzz.h"

#define FILE_MAX 65536

/* In memory of its exact size, so that a sanitizer sees the first byte read beyond the end. */
static void feed(const char *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	MUST(copy);
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static size_t replay(char *data, size_t len)
{
#ifdef REPLAY_EVENTS
	static const char bytes[] = {0, 1, 2, 3, 4, 5, 6, 0x40, '\x7f', '\xff'};
#else
	static const char bytes[] = {'\0', '\n', ' ', '"', '-', '.', '/', '0', '1',    '9',
				     ':',  '[',  ']', 'a', 'f', '{', '}', ',', '\x7f', '\xff'};
#endif
	size_t runs = 0;
#if defined(REPLAY_EVENTS) && defined(__SANITIZE_ADDRESS__)
	/* Rooms of megabytes for each run, all of whose shadow is written: where the sweeps are
	 * thinned (`./dev check`), a third of them each. */
	const size_t step = getenv("SWEEP_EVERY") ? 3 : 1;
#else
	const size_t step = 1;
#endif

	for (size_t n = 0; n <= len; n++, runs++)
		feed(data, n);
	for (size_t i = 0; i < len; i++) {
		char kept = data[i];

		for (size_t k = i % step; k < sizeof(bytes); k += step, runs++) {
			data[i] = bytes[k];
			feed(data, len);
		}
		data[i] = kept;
	}
	return runs;
}

int main(int argc, char **argv)
{
	size_t files = 0, runs = 0;
	struct err e = ERR_INIT;
	struct dirent *entry;
	DIR *dir;

	dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (!dir) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(dir))) {
		CLEAN_FREE char *data = NULL;
		size_t len;

		if (entry->d_name[0] == '.')
			continue;
		if (fd_read_file(dirfd(dir), entry->d_name, FILE_MAX, &data, &len, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			return 1;
		}
		runs += replay(data, len);
		files++;
	}
	closedir(dir);
	printf("%zu files, %zu runs\n", files, runs);
	return files > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flow table against an array of the keys that are in it; SipHash against its published
 * vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/siphash.h"
#include "flow/table.h"

#define MAX 100
#define KEYS 300
#define AT 65536 /* in a file: where the table begins */

struct slot {
	struct table_node node;
	uint32_t number;
	uint8_t rest[50];
};

static struct flow_key key_of(uint32_t i)
{
	struct flow_key k = {.guest = {.family = AF_INET, .b = {10, 0, 2, 100}},
			     .peer = {.family = AF_INET, .b = {198, 51, 100, (uint8_t)(i % 7)}},
			     .guest_port = (uint16_t)(i / 7),
			     .peer_port = 80};

	return k;
}

static void random_walk(void **state)
{
	struct slot *in[KEYS] = {0}, *s;
	struct table *t;
	uint32_t n = 0, n_full = 0, seen;

	(void)state;
	srand(11);
	assert_int_equal(table_new(MAX, sizeof(struct slot), &t, NULL), 0);
	for (int round = 0; round < 100000; round++) {
		uint32_t i = (uint32_t)rand() % KEYS;
		struct flow_key k = key_of(i);

		s = table_find(t, &k);
		assert_ptr_equal(s, in[i]);
		if (s && rand() % 3) {
			assert_int_equal(s->number, i);
			table_remove(t, s);
			in[i] = NULL;
			n--;
		} else if (!s) {
			s = table_add(t, &k);
			assert_true((s != NULL) == (n < MAX));
			if (!s) {
				n_full++;
				continue;
			}
			for (size_t b = 0; b < sizeof(s->rest); b++)
				assert_int_equal(s->rest[b], 0);
			memset(s->rest, 0xff, sizeof(s->rest));
			s->number = i;
			in[i] = s;
			n++;
		}
		assert_int_equal(table_count(t), n);
	}
	assert_true(n_full > 100);
	seen = 0;
	for (s = table_next(t, NULL); s; s = table_next(t, s)) {
		assert_ptr_equal(in[s->number], s);
		seen++;
	}
	assert_int_equal(seen, n);
	table_free(t);
}

static uint32_t n_left, left_numbers[MAX];

static void note_left(void *arg, const void *slot)
{
	const struct slot *s = slot;

	assert_ptr_equal(arg, left_numbers);
	assert_true(n_left < MAX);
	left_numbers[n_left++] = s->number;
}

static struct table *open_kept(int fd, size_t slot_size)
{
	struct table *t;

	n_left = 0;
	assert_int_equal(table_new_kept(MAX, slot_size, fd, AT, note_left, left_numbers, &t, NULL),
			 0);
	return t;
}

static bool say(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_said = write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return is_said;
}

/* We may mount, where nobody sees it. */
static bool go_apart(void)
{
	char users[32], groups[32];

	assert_true(snprintf(users, sizeof(users), "0 %u 1", geteuid()) > 0);
	assert_true(snprintf(groups, sizeof(groups), "0 %u 1", getegid()) > 0);
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && say("/proc/self/setgroups", "deny") &&
	       say("/proc/self/uid_map", users) && say("/proc/self/gid_map", groups);
}

/* A file without a name on a file system of that size. */
static int open_small(size_t size)
{
	static const char dir[] = "/tmp";
	char options[32];
	int fd;

	assert_true(snprintf(options, sizeof(options), "size=%zu", size) > 0);
	assert_int_equal(mount("small", dir, "tmpfs", 0, options), 0);
	fd = open(dir, O_RDWR | O_CLOEXEC | O_TMPFILE, 0600);
	assert_true(fd >= 0);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	return fd;
}

/* What is in a kept table when its process ends is told to the next one, once, and nothing else is.
 */
static void kept(void **state)
{
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct table *t;
	struct stat st;
	char word[5] = "";

	(void)state;
	assert_int_equal(pwrite(fd, "word", 4, 0), 4);
	t = open_kept(fd, sizeof(struct slot));
	assert_int_equal(n_left, 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct flow_key k = key_of(i);
		struct slot *s = table_add(t, &k);

		s->number = i;
	}
	for (uint32_t i = 0; i < 20; i++) {
		struct flow_key k = key_of(i);

		if (i % 3 != 1)
			table_remove(t, table_find(t, &k));
	}
	table_free(t); /* its slots stay as they are */
	t = open_kept(fd, sizeof(struct slot));
	assert_int_equal(n_left, 7);
	for (uint32_t i = 0; i < n_left; i++)
		assert_int_equal(left_numbers[i], 3 * i + 1);
	assert_int_equal(table_count(t), 0);
	assert_null(table_next(t, NULL));
	/* Nothing of it is memory any more but the page that tells of the slots; what is before it
	 * is as it was. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks * 512, 2 * sysconf(_SC_PAGESIZE));
	assert_int_equal(pread(fd, word, 4, 0), 4);
	assert_string_equal(word, "word");
	table_free(t);
	t = open_kept(fd, sizeof(struct slot));
	assert_int_equal(n_left, 0);
	table_free(t);
	close(fd);
}

/* Of slots of another size, of a file that was cut, and of one in which anything is, nothing is
 * told, and the table is as good as any. */
static void kept_and_wrong(void **state)
{
	static const uint32_t wrong[] = {MAX + 1, 1u << 20, UINT32_MAX};
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct flow_key k = key_of(1);
	struct table *t = open_kept(fd, sizeof(struct slot));
	struct err e = ERR_INIT;
	uint8_t noise[8192];

	(void)state;
	table_add(t, &k);
	table_free(t);
	t = open_kept(fd, sizeof(struct slot) + 8);
	assert_int_equal(n_left, 0);
	table_add(t, &k);
	table_free(t);
	assert_int_equal(ftruncate(fd, AT + 4096), 0);
	t = open_kept(fd, sizeof(struct slot) + 8);
	assert_int_equal(n_left, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		table_add(t, &k);
		table_free(t);
		/* How many slots were in use. */
		assert_int_equal(pwrite(fd, &wrong[i], 4, AT + 12), 4);
		t = open_kept(fd, sizeof(struct slot) + 8);
		assert_int_equal(n_left, 0);
	}
	table_free(t);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)rand();
	assert_int_equal(pwrite(fd, noise, sizeof(noise), AT), sizeof(noise));
	t = open_kept(fd, sizeof(struct slot));
	assert_int_equal(n_left, 0);
	assert_non_null(table_add(t, &k));
	assert_non_null(table_find(t, &k));
	table_free(t);
	close(fd);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(table_new_kept(MAX, sizeof(struct slot), fd, AT, note_left, left_numbers, &t,
				   &e) < 0);
	assert_non_null(strstr(e.text, "memory file"));
	close(fd);
}

/* A file on a file system that is full when it has three pages: a slot for which there is no
 * memory is none, and nobody dies of it. */
static void kept_and_full(void **state)
{
	struct table *t;
	uint32_t n = 0;
	int fd;

	(void)state;
	if (!go_apart())
		skip(); /* it may not be so on this machine */
	fd = open_small(3 * (size_t)sysconf(_SC_PAGESIZE));
	t = open_kept(fd, 1024);
	for (; n < MAX; n++) {
		struct flow_key k = key_of(n);

		if (!table_add(t, &k))
			break;
	}
	assert_int_equal(n, 2 * (uint32_t)sysconf(_SC_PAGESIZE) / 1024);
	assert_int_equal(table_count(t), n);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_key k = key_of(i), other = key_of(i + n);

		assert_non_null(table_find(t, &k));
		table_remove(t, table_find(t, &k));
		assert_non_null(table_add(t, &other)); /* one that was there already is */
	}
	assert_int_equal(ftruncate(fd, 0), 0);
	table_free(t);
	close(fd);
	/* Not even the page that tells of them: there is no such table. */
	fd = open_small((size_t)sysconf(_SC_PAGESIZE));
	assert_int_equal(pwrite(fd, "word", 4, 0), 4);
	assert_true(table_new_kept(MAX, 1024, fd, AT, note_left, left_numbers, &t, NULL) < 0);
	close(fd);
}

/* Appendix A of the paper, and the first of the reference implementation's table. */
static void siphash_vectors(void **state)
{
	struct siphash_key k;
	uint8_t in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		k.b[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(siphash(&k, in, 15) == 0xa129ca6149be45e5);
	assert_true(siphash(&k, in, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(&k, in, 8) == 0x93f5f5799a932462);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk),     cmocka_unit_test(kept),
		cmocka_unit_test(kept_and_wrong),  cmocka_unit_test(kept_and_full),
		cmocka_unit_test(siphash_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

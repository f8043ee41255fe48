/* SPDX-License-Identifier: GPL-2.0-or-later */
/* delegate: programs of the test in a CNI_PATH of its own: found or not, answers, junk, hanging,
 * writing without end, children left behind. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#include "base/clock.h"
#include "cni-plugin/delegate.h"

static char dir[64] = "/tmp/netns-up-delegate.XXXXXX", path[256];

static void program(const char *name, const char *body, mode_t mode)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "#!/bin/sh\n%s\n", body) > 0);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	close_range(3, ~0u, 0); /* what the caller of the test left open */
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), ":/nope:%s", dir);
	program("good",
		"read -r x; echo \"{\\\"cmd\\\":\\\"$CNI_COMMAND\\\",\\\"in\\\":\\\"$x\\\"}\"",
		0755);
	program("silent", "exit 0", 0755);
	program("deaf", "exec <&-; echo '{}'", 0755);
	program("fails", "echo '{\"code\":77,\"msg\":\"no luck\",\"details\":\"why\"}'; exit 1",
		0755);
	program("junk", "echo 'Segmentation fault'; exit 3", 0755);
	program("dies", "kill -9 $$", 0755);
	program("hangs", "sleep 600 & sleep 600", 0755);
	program("leaves", "sleep 600 >/dev/null </dev/null & echo $!", 0755);
	program("floods",
		"while :; do echo "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
		0755);
	program("fds", "ls /proc/self/fd | wc -l", 0755);
	program("plain", "exit 0", 0644);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"good",  "silent", "deaf",   "fails", "junk", "dies",
					    "hangs", "leaves", "floods", "fds",   "plain"};
	char file[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	rmdir(dir);
	return 0;
}

static int run(const char *type, int timeout_ms, char **out, struct fault *f)
{
	struct delegate_call c = {.path = path,
				  .type = type,
				  .command = CMD_DEL,
				  .text = "hello\n",
				  .len = 6,
				  .timeout_ms = timeout_ms};
	size_t len;

	*f = (struct fault)FAULT_INIT;
	*out = NULL;
	return delegate_run(&c, out, &len, f);
}

static void test_answers(void **state)
{
	struct fault f;
	char *out;

	(void)state;
	setenv("CNI_COMMAND", "ADD", 1);
	assert_int_equal(run("good", 20000, &out, &f), 0);
	assert_string_equal(out, "{\"cmd\":\"DEL\",\"in\":\"hello\"}\n");
	free(out);
	assert_int_equal(run("silent", 20000, &out, &f), 0);
	assert_string_equal(out, "");
	free(out);
	assert_int_equal(run("deaf", 20000, &out, &f), 0);
	assert_string_equal(out, "{}\n");
	free(out);
	assert_int_equal(run("fails", 20000, &out, &f), -1);
	assert_int_equal(f.code, 77);
	assert_string_equal(f.msg, "no luck");
	assert_string_equal(f.details, "why");
	assert_int_equal(run("junk", 20000, &out, &f), -1);
	assert_int_equal(f.code, FAULT_INTERNAL);
	MUST_HAVE(f.details, "Segmentation fault");
	assert_int_equal(run("dies", 20000, &out, &f), -1);
	MUST_HAVE(f.msg, "signal 9");
}

static void test_not_found(void **state)
{
	static const char *const names[] = {"absent", "plain"};
	struct fault f;
	char *out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run(names[i], 20000, &out, &f), -1);
		assert_int_equal(f.code, FAULT_CONFIG);
		MUST_HAVE(f.msg, names[i]);
		MUST_HAVE(f.msg, dir);
	}
}

/* The time-out ends it with its children, of which the pipe would tell. */
static void test_hangs(void **state)
{
	uint64_t start = clock_ms();
	struct fault f;
	char *out;

	(void)state;
	assert_int_equal(run("hangs", 300, &out, &f), -1);
	assert_int_equal(f.code, FAULT_AGAIN);
	assert_true(clock_ms() - start < 60000);
	assert_int_equal(run("floods", 20000, &out, &f), -1);
	assert_int_equal(f.code, FAULT_DECODE);
}

/* What it leaves behind with other descriptors does not keep us waiting. */
static void test_leaves(void **state)
{
	struct fault f;
	char *out;

	(void)state;
	assert_int_equal(run("leaves", 20000, &out, &f), 0);
	pid_t pid = (pid_t)atoi(out);
	assert_true(pid > 1);
	kill(pid, SIGKILL);
	free(out);
}

static void test_descriptors(void **state)
{
	int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct fault f;
	char *out;

	(void)state;
	assert_true(extra >= 0);
	assert_int_equal(run("fds", 20000, &out, &f), 0);
	/* 0, 1, 2, and that of the listing */
	assert_int_equal(atoi(out), 4);
	free(out);
	close(extra);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),     cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_hangs),       cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_descriptors),
	};

	/* As the plugin has it: who does not read what he is sent may be gone by then. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}

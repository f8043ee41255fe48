/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forwarder's life: started once however many ask, gone with the last port, started again when
 * it was killed; what it holds on to while it runs, and what is left of it (nothing). */
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/fwdstart.h"
#include "world.h"

#define PORT 8080
#define CTR_PORT 18080
#define KEY "c1@eth0"

static pid_t server;

static void say_hello(int fd)
{
	send(fd, "hello", 5, MSG_NOSIGNAL);
}

static bool is_served(uint16_t port)
{
	char buf[8] = "";
	int fd = world_connect("127.0.0.1", port, SOCK_STREAM);

	if (fd < 0)
		return false;
	bool ok = recv(fd, buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0;
	close(fd);
	return ok;
}

static bool address_is_free(void)
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/self/net/unix", "re");

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "netns-up") != NULL;
	fclose(f);
	return !found;
}

static int stop_all(void **state)
{
	(void)state;
	world_stop(&server);
	world_release(KEY);
	pid_t pid = world_forwarder();
	if (pid && world_reap(pid) != 0)
		return -1;
	return world_forwarder() == 0 && address_is_free() ? 0 : -1;
}

static bool has_line(const char *path, const char *want)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, want) == 0;
	}
	fclose(f);
	return found;
}

static void assert_link(pid_t pid, const char *name, const char *want)
{
	char path[64], link[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	assert_memory_equal(link, want, strlen(want));
}

/* Uid 0 is all there is in a user namespace made without root. */
static bool has_nobody(void)
{
	char line[64];
	unsigned int first = 0, outside = 0, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");

	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_int_equal(sscanf(line, "%u %u %u", &first, &outside, &count), 3);
	return count > 65534;
}

static void assert_empty_root(pid_t pid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%d/root/.", (int)pid);
	assert_int_equal(stat("/", &own), 0);
	assert_int_equal(stat(path, &its), 0);
	assert_int_not_equal(own.st_dev, its.st_dev);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *ent; (ent = readdir(d));)
		assert_true(strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0);
	closedir(d);
	assert_link(pid, "cwd", "/");
}

static void test_sandbox(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"Threads:\t1",
		"NoNewPrivs:\t1",
		"Seccomp:\t2",
		"CapInh:\t0000000000000000",
		"CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000",
		"CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000",
		"SigBlk:\t0000000000000000",
		"SigIgn:\t0000000000001000", /* SIGPIPE */
#ifndef __SANITIZE_ADDRESS__                 /* which catches faults */
		"SigCgt:\t0000000000000000",
#endif
	};
	static const char *const limits[] = {
		"Max core file size        0                    0                    bytes     ",
		"Max file size             0                    0                    bytes     ",
		"Max processes             0                    0                    processes ",
	};
	char path[64];
	sigset_t blocked, old;

	/* None of this may get through to it. */
	signal(SIGINT, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGINT, SIG_DFL);
	pid_t pid = world_forwarder();
	assert_true(pid > 0);
	assert_int_equal(getsid(pid), pid);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!has_line(path, lines[i]))
			fail_msg("%s: no line \"%s\"", path, lines[i]);
	if (has_nobody()) {
		assert_true(has_line(path, "Uid:\t65534\t65534\t65534\t65534"));
		assert_true(has_line(path, "Gid:\t65534\t65534\t65534\t65534"));
		assert_true(has_line(path, "Groups:\t "));
	}
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (!has_line(path, limits[i]))
			fail_msg("%s: no line \"%s\"", path, limits[i]);
	for (int fd = 0; fd < 3; fd++) {
		snprintf(path, sizeof(path), "fd/%d", fd);
		assert_link(pid, path, "/dev/null");
	}
	assert_link(pid, "fd/3", "socket:");
	assert_empty_root(pid);
	/* Nobody may look into it: not dumpable, so what is in /proc belongs to root. */
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

/* A caller that reads our output until its end must not wait for the forwarder. */
static void test_inherits_nothing(void **state)
{
	(void)state;
	int p[2];
	char c;

	assert_int_equal(pipe(p), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 1);
		dup2(p[1], 2);
		dup2(p[1], 50);
		close(p[1]);
		world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 0);
	assert_int_equal(world_reap(pid), 0);
	assert_true(world_forwarder() > 0);
	close(p[0]);
}

static void test_gone_with_last(void **state)
{
	(void)state;
	struct publish p = {.proto = IPPROTO_TCP, .host_port = PORT, .count = 1};
	struct err e = ERR_INIT;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	pid_t pid = world_forwarder();
	world_publish(IPPROTO_TCP, PORT + 1, CTR_PORT, false);
	assert_int_equal(world_forwarder(), pid);
	world_release("other@eth0");
	CLEAN_RESERVE struct reserve *r = NULL;
	assert_int_equal(reserve_open(-1, &r, &e), 0);
	assert_int_equal(reserve_release(r, KEY, &p, 1, &e), 0);
	/* On return the port is free, not a little later. */
	assert_int_equal(world_connect("127.0.0.1", PORT, SOCK_STREAM), -ECONNREFUSED);
	assert_true(is_served(PORT + 1));
	p.host_port = PORT + 1;
	assert_int_equal(reserve_release(r, KEY, &p, 1, &e), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* as long as we are connected */
	reserve_closep(&r);
	int status = world_reap(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(address_is_free());
	world_release(KEY); /* nobody there: success */
	assert_int_equal(world_forwarder(), 0);
}

/* Bound, but given up before anything was handed over: the early start leaves nothing either. */
static void test_gone_without_any(void **state)
{
	(void)state;
	struct publish p = {.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = 1, .count = 1};
	const bool has[N_FAM] = {true, false};
	struct err e = ERR_INIT;
	struct reserve *r = NULL;

	assert_int_equal(reserve_open(-1, &r, &e), 0);
	assert_int_equal(reserve_bind(r, &p, has, &e), 0);
	assert_true(reserve_started(r));
	reserve_closep(&r);
	assert_true(world_reap_all());
	assert_true(address_is_free());
}

/* Who only looks whether ports are free starts nothing and takes no client. */
static void test_only_probe(void **state)
{
	(void)state;
	struct publish p = {.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = 1, .count = 1};
	struct publish q = {.proto = IPPROTO_TCP, .host_port = 0, .ctr_port = 1, .count = 1};
	const struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 1}}};
	const bool has[N_FAM] = {true, false};
	struct err e = ERR_INIT;
	CLEAN_RESERVE struct reserve *r = NULL;

	assert_int_equal(reserve_open(-1, &r, &e), 0);
	reserve_only_probe(r);
	assert_int_equal(reserve_bind(r, &p, has, &e), 0);
	assert_int_equal(reserve_bind(r, &q, has, &e), 0);
	assert_int_not_equal(q.host_port, 0);
	assert_int_equal(reserve_n_bound(r), 2);
	assert_false(reserve_started(r));
	assert_int_equal(world_forwarder(), 0);
	assert_false(is_served(PORT));
	assert_true(reserve_commit(r, KEY, target, &e) < 0);
}

static void test_killed(void **state)
{
	(void)state;
	struct publish p = {
		.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = CTR_PORT, .count = 1};
	struct err e = ERR_INIT;
	size_t has = 9, want = 9;
	CLEAN_RESERVE struct reserve *r = NULL;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	assert_int_equal(reserve_open(-1, &r, &e), 0);
	for (int i = 0; i < 5; i++) {
		world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
		assert_true(is_served(PORT));
		pid_t pid = world_forwarder();
		assert_int_equal(reserve_count(r, KEY, &p, 1, &has, &want, &e), 0);
		assert_int_equal(has, 1);
		assert_int_equal(want, 1);
		kill(pid, SIGKILL);
		world_reap(pid);
		assert_true(address_is_free());
		/* r is still connected to the dead one, and finds that out. */
		assert_int_equal(reserve_count(r, KEY, &p, 1, &has, &want, &e), 0);
		assert_int_equal(has, 0);
		assert_int_equal(want, 1);
		assert_int_equal(world_forwarder(), 0);
	}
}

/* Some of an attachment's ports are served, some are not: counted, bound again, committed. */
static void test_repair(void **state)
{
	(void)state;
	struct publish p[2] = {
		{.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = CTR_PORT, .count = 1},
		{.proto = IPPROTO_TCP, .host_port = PORT + 1, .ctr_port = CTR_PORT, .count = 3}};
	const struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 5}}};
	const bool fams[N_FAM] = {true, false};
	struct err e = ERR_INIT;
	size_t has = 0, want = 0;
	CLEAN_RESERVE struct reserve *r = NULL;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
	world_publish(IPPROTO_TCP, PORT + 2, CTR_PORT + 1, false);
	assert_int_equal(reserve_open(-1, &r, &e), 0);
	assert_int_equal(reserve_count(r, KEY, p, 2, &has, &want, &e), 0);
	assert_int_equal(has, 2);
	assert_int_equal(want, 4);
	assert_int_equal(reserve_bind(r, &p[0], fams, &e), 0);
	assert_int_equal(reserve_bind(r, &p[1], fams, &e), 0);
	assert_int_equal(reserve_commit(r, KEY, target, &e), 0);
	assert_int_equal(reserve_count(r, KEY, p, 2, &has, &want, &e), 0);
	assert_int_equal(has, 4);
	assert_true(is_served(PORT));
	assert_true(is_served(PORT + 1));
}

/* Asked ahead is asked once, and whoever dies in between is asked again. */
static void test_ask_ahead(void **state)
{
	(void)state;
	struct publish p = {
		.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = CTR_PORT, .count = 3};
	const struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 5}}};
	const bool fams[N_FAM] = {true, false};
	struct err e = ERR_INIT;
	size_t has = 0, want = 0;

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	for (int dies = 0; dies < 2; dies++) {
		CLEAN_RESERVE struct reserve *r = NULL;

		assert_int_equal(reserve_open(-1, &r, &e), 0);
		assert_int_equal(reserve_bind(r, &p, fams, &e), 0);
		/* It dies before it has answered: what it had promised would be gone with it. */
		pid_t dead = dies ? world_forwarder() : 0;
		int status;

		if (dead) {
			kill(dead, SIGSTOP);
			assert_int_equal(waitpid(dead, &status, WUNTRACED), dead);
		}
		reserve_ask(r, KEY, target);
		if (dead) {
			kill(dead, SIGKILL);
			world_reap(dead);
		}
		assert_int_equal(dead != 0, dies);
		assert_int_equal(reserve_commit(r, KEY, target, &e), 0);
		assert_int_equal(reserve_n_bound(r), 0);
		assert_int_equal(reserve_count(r, KEY, &p, 1, &has, &want, &e), 0);
		assert_int_equal(has, 3);
		assert_true(is_served(PORT));
		reserve_ask_release(r, KEY);
		for (pid_t pid = dies ? world_forwarder() : 0; pid; pid = 0) {
			kill(pid, SIGKILL);
			world_reap(pid);
		}
		assert_int_equal(reserve_release(r, KEY, NULL, 0, &e), 0);
		assert_int_equal(reserve_count(r, KEY, &p, 1, &has, &want, &e), 0);
		assert_int_equal(has, 0);
		assert_int_equal(want, 3);
	}
}

static void test_start_race(void **state)
{
	(void)state;
	enum { RACERS = 16 };
	pid_t racer[RACERS];
	int gate[2];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < RACERS; i++) {
		racer[i] = fork();
		if (racer[i] == 0) {
			char c;
			close(gate[1]);
			if (read(gate[0], &c, 1) == 0)
				world_publish(IPPROTO_TCP, (uint16_t)(PORT + i), CTR_PORT, false);
			_exit(0);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(world_reap(racer[i]), 0);
	pid_t pid = world_forwarder();
	assert_true(pid > 0);
	for (int i = 0; i < RACERS; i++)
		assert_true(is_served((uint16_t)(PORT + i)));
	world_release(KEY);
	assert_int_equal(world_reap(pid), 0);
	/* All sixteen were with that one. */
	assert_int_equal(world_forwarder(), 0);
}

/* Publishing and letting go over and over: most commits meet a forwarder that is about to end. */
static void test_end_race(void **state)
{
	(void)state;
	enum { RACERS = 6, ROUNDS = 60 };
	pid_t racer[RACERS];

	server = world_serve("127.0.0.5", CTR_PORT, SOCK_STREAM, say_hello);
	for (int i = 0; i < RACERS; i++) {
		racer[i] = fork();
		if (racer[i] == 0) {
			struct publish p = {.proto = IPPROTO_TCP, .count = 1};
			bool ok = true;
			p.host_port = (uint16_t)(PORT + i);
			for (int k = 0; ok && k < ROUNDS; k++) {
				struct err e = ERR_INIT;
				CLEAN_RESERVE struct reserve *r = NULL;
				world_publish(IPPROTO_TCP, p.host_port, CTR_PORT, false);
				ok = is_served(p.host_port) && reserve_open(-1, &r, &e) == 0 &&
				     reserve_release(r, KEY, &p, 1, &e) == 0;
			}
			_exit(ok ? 0 : 1);
		}
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(world_reap(racer[i]), 0);
	for (pid_t pid; (pid = world_forwarder());)
		assert_int_equal(world_reap(pid), 0);
}

/* Killed in the middle of a commit, at every point in turn: nothing stays that release does not
 * clear. */
static void test_caller_killed(void **state)
{
	(void)state;

	for (unsigned int us = 0; us < 2000; us += 50) {
		pid_t pid = fork();
		if (pid == 0) {
			world_publish(IPPROTO_TCP, PORT, CTR_PORT, false);
			_exit(0);
		}
		usleep(us);
		kill(pid, SIGKILL);
		world_reap(pid);
		world_release(KEY);
		/* Orphans in between, forwarders before exec, forwarders: all end by themselves. */
		uint64_t deadline = clock_ms() + WORLD_WAIT_MS;
		while (waitpid(-1, NULL, WNOHANG) >= 0) {
			assert_true(clock_left(deadline) > 0);
			/* The one that was killed may have handed over after our release. */
			world_release(KEY);
			world_nap(1);
		}
		assert_int_equal(errno, ECHILD);
		assert_true(address_is_free());
	}
}

/* The forwarder that cannot build its sandbox says which step it was. */
static void test_sandbox_fails(void **state)
{
	(void)state;
	struct publish p = {.proto = IPPROTO_TCP, .host_port = PORT, .ctr_port = 1, .count = 1};
	const struct ip target[N_FAM] = {{.family = AF_INET, .b = {127, 0, 0, 5}}};
	const bool has[N_FAM] = {true, false};

	pid_t pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;
		CLEAN_RESERVE struct reserve *r = NULL;
		scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
		bool ok = ctx &&
			  seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(capset), 0) == 0 &&
			  seccomp_load(ctx) == 0 && reserve_open(-1, &r, &e) == 0 &&
			  reserve_bind(r, &p, has, &e) == 0 &&
			  reserve_commit(r, KEY, target, &e) == -ENOSYS &&
			  strstr(e.text, "sandbox (capabilities)");
		if (!ok)
			fprintf(stderr, "%s\n", e.text);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(world_reap(pid), 0);
	for (pid_t left; (left = world_forwarder());)
		assert_int_equal(WEXITSTATUS(world_reap(left)), 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sandbox, stop_all),
		cmocka_unit_test_teardown(test_inherits_nothing, stop_all),
		cmocka_unit_test_teardown(test_gone_with_last, stop_all),
		cmocka_unit_test_teardown(test_gone_without_any, stop_all),
		cmocka_unit_test_teardown(test_only_probe, stop_all),
		cmocka_unit_test_teardown(test_killed, stop_all),
		cmocka_unit_test_teardown(test_repair, stop_all),
		cmocka_unit_test_teardown(test_ask_ahead, stop_all),
		cmocka_unit_test_teardown(test_start_race, stop_all),
		cmocka_unit_test_teardown(test_end_race, stop_all),
		cmocka_unit_test_teardown(test_caller_killed, stop_all),
		cmocka_unit_test_teardown(test_sandbox_fails, stop_all),
	};

	world_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

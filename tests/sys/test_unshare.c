/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command in new namespaces sees, and what its starter is told: statuses, errors,
 * namespaces, host name, resolv.conf, descriptors, signal mask, ids. Runs as root in namespaces of
 * its own; the cases for callers without privilege give up root first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "play.h"
#include "sys/netns.h"
#include "sys/sysctl.h"
#include "here.h"

static void statuses(void **state)
{
	static const unsigned flags[] = {0, RUN_PID, RUN_USER, RUN_PID | RUN_USER};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(PLAY(sh(flags[i], "exit 0")), 0);
		assert_int_equal(PLAY(sh(flags[i], "exit 7")), 7);
		assert_int_equal(PLAY(sh(flags[i], "exit 255")), 255);
		assert_int_equal(PLAY(sh(flags[i], "kill -TERM $$")), 128 + SIGTERM);
		assert_int_equal(PLAY(sh(flags[i], "kill -KILL $$")), 128 + SIGKILL);
		assert_int_equal(PLAY(sh(flags[i], "ulimit -c 0; kill -SEGV $$")), 128 + SIGSEGV);
	}
}

static void exec_errors(void **state)
{
	static const struct {
		const char *cmd;
		int status;
		const char *kind;
	} cases[] = {
		{"/run/no-such-file", 127, "absent: /run/no-such-file: "},
		{"no-such-command-anywhere", 127, "absent: no-such-command-anywhere: "},
		{"/run/plain", 126, "denied: /run/plain: "},
		{"/run", 126, "denied: /run: "},
		{"/run/plain/x", 126, "kernel: /run/plain/x: "},
	};

	(void)state;
	assert_int_equal(mknod("/run/plain", S_IFREG | 0644, 0), 0);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p = {.spec = {.flags = i % 2 ? RUN_PID : 0},
				 .words = {cases[i / 2].cmd, NULL}};

		assert_int_equal(play(&p), cases[i / 2].status);
		assert_memory_equal(text, cases[i / 2].kind, strlen(cases[i / 2].kind));
	}
}

static void words_that_are_wrong(void **state)
{
	static const char *const hosts[] = {"", "-a", ".a", "a b", "a/b", "a\n", "h\xc3\xb6st"};
	struct play p = sh(0, "echo ran");
	char long_name[66];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		p.spec.hostname = hosts[i];
		assert_int_equal(play(&p), FAILED);
		assert_memory_equal(text, "usage: host name", 16);
	}
	memset(long_name, 'a', 65);
	long_name[65] = '\0';
	p.spec.hostname = long_name;
	assert_int_equal(play(&p), FAILED);
	long_name[64] = '\0';
	assert_int_equal(play(&p), 0);
	p.words[0] = NULL;
	assert_int_equal(play(&p), FAILED);
	p.words[0] = "";
	assert_int_equal(play(&p), FAILED);
	assert_memory_equal(text, "usage: ", 7);
}

static int set_ttl(void *arg, struct err *e)
{
	(void)arg;
	return sysctl_set_int("net/ipv4/ip_default_ttl", 99, e);
}

static int plumb(struct run_child *c)
{
	CLEAN_FD int fd = -1;
	struct err e = ERR_INIT;

	(void)poll(NULL, 0, 100);
	if (access("/run/began", F_OK) == 0)
		return 11;
	if (netns_open_pid(c->pid, &fd, NULL, &e) < 0 || is_here(fd))
		return 12;
	return netns_call(fd, set_ttl, NULL, &e) < 0 ? 13 : 0;
}

static void network_comes_first(void **state)
{
	struct play p = sh(RUN_PID, "touch /run/began; cat /proc/sys/net/ipv4/ip_default_ttl");

	(void)state;
	p.before_go = plumb;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "99\n");
	assert_int_equal(unlink("/run/began"), 0);
}

static void each_kind(void **state)
{
	static const struct {
		unsigned flag;
		const char *name;
	} kinds[] = {{RUN_PID, "pid"}, {RUN_MOUNT, "mnt"}, {RUN_UTS, "uts"},
		     {RUN_IPC, "ipc"}, {RUN_USER, "user"}, {RUN_CGROUP, "cgroup"}};

	(void)state;
	for (size_t i = 0; i <= 6; i++) {
		unsigned flags = i < 6 ? kinds[i].flag : 0;

		assert_int_equal(PLAY(sh(flags, "cd /proc/self/ns; readlink *")), 0);
		for (size_t k = 0; k < 6; k++) {
			char path[64], link[64];
			ssize_t n;

			(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[k].name);
			n = readlink(path, link, sizeof(link) - 1);
			assert_true(n > 0);
			link[n] = '\0';
			/* A new pid namespace brings a mount namespace, for its /proc. */
			if (kinds[k].flag == flags ||
			    (flags == RUN_PID && kinds[k].flag == RUN_MOUNT))
				assert_null(strstr(text, link));
			else
				assert_non_null(strstr(text, link));
		}
	}
}

static void always_a_network(void **state)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/net", link, sizeof(link) - 1);

	(void)state;
	assert_true(n > 0);
	link[n] = '\0';
	assert_int_equal(PLAY(sh(0, "readlink /proc/self/ns/net; ls /sys/class/net >/dev/null")),
			 0);
	assert_memory_equal(text, "net:[", 5);
	assert_null(strstr(text, link));
}

static void host_name(void **state)
{
	struct play p = sh(0, "uname -n");
	char before[65], after[65];

	(void)state;
	assert_int_equal(gethostname(before, sizeof(before)), 0);
	p.spec.hostname = "box-1.example";
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "box-1.example\n");
	p.spec.flags = RUN_USER;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "box-1.example\n");
	assert_int_equal(gethostname(after, sizeof(after)), 0);
	assert_string_equal(before, after);
}

static void put(const char *path, const char *s)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(s, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#define RESOLV "nameserver 203.0.113.5\n"

static void resolv_conf(void **state)
{
	static const unsigned flags[] = {0, RUN_PID, RUN_USER | RUN_PID};
	struct play p = sh(0, "exec 2>/dev/null; cat /etc/resolv.conf; ls -A /etc; grep -c "
			      "size=256k /proc/mounts;"
			      "stat -Lc %a /etc/resolv.conf; echo x >>/etc/resolv.conf");

	(void)state;
	p.spec.resolv_conf = RESOLV;
	for (size_t i = 0; i < 3; i++) {
		p.spec.flags = flags[i];
		assert_int_equal(play(&p), 0); /* the last word of the script makes the file */
		assert_non_null(strstr(text, "no resolv.conf\n"));
		assert_int_equal(unlink("/etc/resolv.conf"), 0);

		put("/etc/resolv.conf", "nameserver 127.0.0.53\n");
		assert_int_equal(play(&p), 0);
		assert_string_equal(text, RESOLV "resolv.conf\n1\n644\n");

		/* A chain of links, as a resolver service makes it, out of the directory. */
		assert_int_equal(unlink("/etc/resolv.conf"), 0);
		put("/run/stub", "nameserver 127.0.0.53\n");
		assert_int_equal(symlink("../run/stub", "/etc/resolv.conf"), 0);
		assert_int_equal(play(&p), 0);
		assert_string_equal(text, RESOLV "resolv.conf\n1\n644\n");
		assert_int_equal(PLAY(sh(0, "cat /run/stub")), 0);
		assert_string_equal(text, "nameserver 127.0.0.53\n");

		assert_int_equal(unlink("/run/stub"), 0);
		assert_int_equal(play(&p), 0);
		assert_non_null(strstr(text, "no resolv.conf\n"));
		assert_int_equal(unlink("/run/stub"), 0);
		assert_int_equal(unlink("/etc/resolv.conf"), 0);
	}
}

static void keep_fds(void)
{
	int fd = open("/dev/null", O_RDWR);

	for (int i = 3; i < 200; i++)
		if (i != fd)
			(void)dup2(fd, i);
	(void)dup2(fd, 900);
}

/* As a command: lists the descriptors of a process, but for the one that it reads the list on. */
static void list_fds(const char *path, char *ret, size_t size)
{
	DIR *d = opendir(path);
	struct dirent *de;

	ret[0] = '\0';
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.' &&
		    (atoi(de->d_name) != dirfd(d) || strcmp(path, "/proc/self/fd") != 0))
			(void)snprintf(ret + strlen(ret), size - strlen(ret), "%s ", de->d_name);
	if (d)
		closedir(d);
}

static int show_fds(void)
{
	uint64_t deadline = clock_ms() + LONG_MS;
	char fds[4096];

	list_fds("/proc/self/fd", fds, sizeof(fds));
	dprintf(1, "%s\n", fds);
	/* init closes its end of the channel while we run */
	do
		list_fds("/proc/1/fd", fds, sizeof(fds));
	while (strcmp(fds, "0 1 2 ") != 0 && clock_left(deadline) > 0);
	dprintf(1, "%s\n", fds);
	return 0;
}

static void descriptors(void **state)
{
	struct play p = own(RUN_PID, "fds");
	struct play q =
		sh(0, "for f in 3 4 5 50 199 900; do test -e /proc/$$/fd/$f && echo $f; done; :");

	(void)state;
	p.early = keep_fds;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0 1 2 \n0 1 2 \n");
	q.early = keep_fds;
	assert_int_equal(play(&q), 0);
	assert_string_equal(text, "");
}

/* A lock of the caller must be free when the caller lets go, whatever its child still waits for. */
static int lock_is_free(struct run_child *c)
{
	struct flock l = {.l_type = F_WRLCK, .l_len = 1};
	int a = open("/run/plain", O_RDWR | O_CLOEXEC), b = open("/run/plain", O_RDWR | O_CLOEXEC);

	(void)c;
	close(200); /* early_lock's */
	if (fcntl(a, F_OFD_SETLK, &l) < 0)
		return 21;
	return fcntl(b, F_OFD_SETLK, &l) < 0 ? 0 : 22;
}

static void early_lock(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_len = 1};
	int fd = open("/run/plain", O_RDWR | O_CLOEXEC);

	if (fcntl(fd, F_OFD_SETLK, &l) < 0 || dup3(fd, 200, O_CLOEXEC) < 0)
		_exit(23);
	close(fd);
}

static void locks_are_not_kept(void **state)
{
	struct play p = sh(RUN_PID, "exit 3");

	(void)state;
	p.early = early_lock;
	p.before_go = lock_is_free;
	assert_int_equal(play(&p), 3);
}

static void ignore_chld(void)
{
	sigset_t set;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void mask_and_dispositions(void **state)
{
	/* No shell: it would change some. */
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct play p = {.spec = {.flags = i ? RUN_PID : 0},
				 .words = {"grep", "^Sig[BI][lg]", "/proc/self/status", NULL}};

		assert_int_equal(play(&p), 0);
		assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
		p.early = ignore_chld;
		assert_int_equal(play(&p), 0); /* a status although SIGCHLD was ignored */
		assert_string_equal(text, "SigBlk:\t0000000000000800\nSigIgn:\t0000000000010200\n");
	}
}

static void init_reaps(void **state)
{
	(void)state;
	assert_int_equal(
		PLAY(sh(RUN_PID,
			"cat /proc/1/comm; "
			"i=0; while [ $i -lt 100 ]; do (sh -c 'exit 3' &); i=$((i+1)); done;"
			"sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status;"
			"[ $$ = 2 ] && exit 9")),
		9);
	assert_string_equal(text, "netns-up-init\n");
	/* The end of the command ends all that is left (the pipe would not end otherwise). */
	assert_int_equal(PLAY(sh(RUN_PID, "setsid sleep 1000 & exit 8")), 8);
	/* Only the forwarded signals, and none that a process inside makes up, end init. */
	assert_int_equal(PLAY(sh(RUN_PID, "kill -KILL 1; kill -ABRT 1; kill -PIPE 1; exit 7")), 7);
	assert_int_equal(PLAY(sh(RUN_PID, "trap 'exit 12' TERM; kill -TERM 1; sleep 5; exit 1")),
			 12);
}

static int kill_child(struct run_child *c)
{
	return kill(c->pid, SIGKILL);
}

static int give_up(struct run_child *c)
{
	sigset_t now;
	pid_t pid = c->pid;

	unshare_end(c);
	unshare_end(c);
	sigprocmask(SIG_SETMASK, NULL, &now);
	return kill(pid, 0) < 0 && errno == ESRCH && sigismember(&now, SIGTERM) == 0 ? 33 : 34;
}

static void child_lost_or_given_up(void **state)
{
	struct play p = sh(RUN_PID, "echo ran");

	(void)state;
	p.before_go = give_up;
	assert_int_equal(play(&p), 33);
	assert_string_equal(text, "");
	p.before_go = kill_child;
	(void)play(&p);
	assert_null(strstr(text, "ran"));
}

static void without_privilege(void **state)
{
	const unsigned all = RUN_PID | RUN_MOUNT | RUN_UTS | RUN_IPC | RUN_USER | RUN_CGROUP;
	struct play p = sh(0, "echo ran");

	(void)state;
	p.uid = NOBODY;
	assert_int_equal(play(&p), FAILED);
	assert_memory_equal(text, "denied: new namespaces need root", 32);
	p = sh(all, "id -u; id -g; cat /proc/self/uid_map; cat /proc/self/setgroups; echo $$;"
		    "cat /etc/resolv.conf; uname -n; exit 5");
	p.uid = NOBODY;
	p.spec.resolv_conf = RESOLV;
	p.spec.hostname = "nest";
	put("/etc/resolv.conf", "nameserver 127.0.0.53\n");
	assert_int_equal(play(&p), 5);
	assert_string_equal(text,
			    "0\n0\n         0       1500          1\ndeny\n2\n" RESOLV "nest\n");
	(void)unlink("/etc/resolv.conf");
}

static int check_65536(struct run_child *c)
{
	return c->n_ids == 65536 ? 0 : 41;
}

static int check_1(struct run_child *c)
{
	return c->n_ids == 1 ? 0 : 42;
}

static void id_maps(void **state)
{
	struct play p = sh(RUN_USER, "id -u; cat /proc/self/uid_map /proc/self/gid_map");

	(void)state;
	p.before_go = check_65536;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0\n         0          0      65536\n"
				  "         0          0      65536\n");
	p.uid = NOBODY;
	p.before_go = check_1;
	assert_int_equal(play(&p), 0);
	assert_string_equal(text, "0\n         0       1500          1\n"
				  "         0       1500          1\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(exec_errors),
		cmocka_unit_test(words_that_are_wrong),
		cmocka_unit_test(network_comes_first),
		cmocka_unit_test(each_kind),
		cmocka_unit_test(always_a_network),
		cmocka_unit_test(host_name),
		cmocka_unit_test(resolv_conf),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(locks_are_not_kept),
		cmocka_unit_test(mask_and_dispositions),
		cmocka_unit_test(init_reaps),
		cmocka_unit_test(child_lost_or_given_up),
		cmocka_unit_test(without_privilege),
		cmocka_unit_test(id_maps),
	};

	/* nohup and the like leave these ignored, and then nobody can be told by them. */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);

	if (argc > 1 && strcmp(argv[1], "fds") == 0)
		return show_fds();
	(void)alarm(100); /* a wait that never ends ends the test */
	return cmocka_run_group_tests(tests, make_world, NULL);
}

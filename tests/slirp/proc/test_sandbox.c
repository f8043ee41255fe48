/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sandbox from inside, as an unprivileged user: a zygote with a worker that makes the calls it
 * is told to, one by one. Then once more without the filter: what the other layers stop by
 * themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probes.h"
#include "proc/sandbox.h"
#include "proc/zygote.h"
#include "stack/ctlmsg.h"
#include "stack/worker.h"
#include "sys/fork.h"

#define USER 1500
#define ANSWER_MS 30000

const struct host_ops host_kernel;

/* ---- the worker: a number in, the errno of that probe out ---- */

struct worker {
	struct worker_fds fds;
};

int worker_new(const struct worker_config *conf, const struct worker_fds *fds,
	       const struct host_ops *host, struct worker **ret, struct err *e)
{
	static struct worker w;

	(void)conf;
	(void)host;
	w.fds = *fds;
	*ret = &w;
	/* As if it had its connections there. */
	if (fds->kept > 0 && (pwrite(fds->kept, "w", 1, 0) != 1 ||
			      mmap(NULL, 1, PROT_READ, MAP_SHARED, fds->kept, 0) == MAP_FAILED ||
			      close(fds->kept) < 0))
		return err_sys(e, errno, "memory file");
	return probes_prepare() < 0 ? err_sys(e, errno, "probes") : 0;
}

int worker_run(struct worker *w)
{
	int32_t i, r;

	/* The control socket does not block, and poll(2) is none of the worker's calls. */
	for (;;) {
		ssize_t n = recv(w->fds.control, &i, sizeof(i), MSG_DONTWAIT);

		if (n == 0)
			return 0;
		if (n != (ssize_t)sizeof(i))
			continue;
		r = probe_cases[i].run();
		if (send(w->fds.control, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return 72;
	}
}

void worker_free(struct worker *w)
{
	(void)w;
}

/* ---- the test ---- */

struct world {
	struct zygote zygote;
	int control, log, link;
};

static void await(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, ANSWER_MS), 1);
}

static void start(struct world *w)
{
	const struct resolvers none = {0};
	const struct rates no_limit = {0};
	struct worker_fds fds = {.link = w->link,
				 .log = 2,
				 .pcap = -1,
				 .inside = -1,
				 .listen = {-1, -1},
				 .kept = -1};
	struct zygote_report z;
	struct ctlmsg m;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	w->control = pair[0];
	fds.control = pair[1];
	assert_int_equal(zygote_request(&w->zygote, &fds, &none, &no_limit), 0);
	close(pair[1]);
	await(w->zygote.sock);
	assert_int_equal(zygote_read(&w->zygote, &z), 1);
	assert_int_equal(z.what, ZYGOTE_STARTED);
	await(w->control);
	assert_int_equal(ctlmsg_recv(w->control, &m, NULL), 1);
	assert_int_equal(m.type, CTLMSG_READY);
}

static int status_of_end(struct world *w)
{
	struct zygote_report z;

	close(w->control);
	await(w->zygote.sock);
	assert_int_equal(zygote_read(&w->zygote, &z), 1);
	assert_int_equal(z.what, ZYGOTE_ENDED);
	return z.status;
}

/* The probe's errno, or PROBE_KILLS. */
static int ask(struct world *w, size_t i)
{
	int32_t number = (int32_t)i, r;

	assert_int_equal(send(w->control, &number, sizeof(number), 0), sizeof(number));
	await(w->control);
	if (recv(w->control, &r, sizeof(r), 0) == (ssize_t)sizeof(r))
		return r;
	return PROBE_KILLS;
}

static struct zygote make_zygote_with(struct worker_config *c, int kept)
{
	struct zygote_spec s = {.config = c, .sandbox = SANDBOX_STRICT, .kept_fd = kept};
	struct zygote z = ZYGOTE_INIT;
	struct err e = ERR_INIT;

	*c = (struct worker_config){.tcp_max = 100, .udp_max = 100, .ping_max = 10};
	assert_int_equal(zygote_start(&s, &z, &e), 0);
	return z;
}

static struct zygote make_zygote(struct worker_config *c)
{
	return make_zygote_with(c, -1);
}

static void test_probes(void **state)
{
	static struct worker_config c;
	struct world w = {.link = -1};
	size_t n_wrong = 0;

	(void)state;
	/* A kernel without i386 answers its probe with a fault, by which the worker has to end: not
	 * by what cmocka's handler, which it inherits, makes of that. */
	signal(SIGSEGV, SIG_DFL);
	w.zygote = make_zygote(&c);
	w.link = open("/dev/null", O_RDWR | O_CLOEXEC);
	start(&w);
	for (size_t i = 0; i < n_probe_cases; i++) {
		int want = probe_cases[i].want, got = ask(&w, i);
		bool good = want == PROBE_GOES ? got != EPERM && got != PROBE_KILLS : got == want;

		if (!good) {
			n_wrong++;
			print_error("%s: %d (%s)\n", probe_cases[i].name, got,
				    got >= 0 ? strerror(got) : "killed");
		}
		if (got == PROBE_KILLS) {
			int status = status_of_end(&w);

			if (!WIFSIGNALED(status))
				fail_msg("%s: ended with status %#x", probe_cases[i].name, status);
			if (strcmp(probe_cases[i].name, "i386") != 0)
				assert_int_equal(WTERMSIG(status), SIGSYS);
			start(&w);
		}
	}
	assert_int_equal(n_wrong, 0);
	assert_int_equal(status_of_end(&w), 0);
	close(w.link);
	zygote_end(&w.zygote);
}

static char first_byte(int fd)
{
	char c = 0;

	assert_true(pread(fd, &c, 1, 0) >= 0);
	return c;
}

/* The memory file is one zygote's at a time, until the last worker's memory is gone. */
static void test_kept(void **state)
{
	static struct worker_config c;
	int file = memfd_create("flows", MFD_CLOEXEC);
	struct world one = {.zygote = make_zygote_with(&c, file)}, two = {.link = -1};

	(void)state;
	one.link = open("/dev/null", O_RDWR | O_CLOEXEC);
	start(&one);
	assert_int_equal(first_byte(file), 'w');
	assert_int_equal(ftruncate(file, 0), 0);
	two.zygote = make_zygote_with(&c, file);
	two.link = one.link;
	start(&two);
	assert_int_equal(first_byte(file), 0); /* it has one of its own */
	zygote_end(&two.zygote);
	close(two.control);
	zygote_end(&one.zygote);
	close(one.control);
	two.zygote = make_zygote_with(&c, file);
	start(&two);
	assert_int_equal(first_byte(file), 'w');
	zygote_end(&two.zygote);
	close(two.control);
	close(one.link);
	close(file);
}

/* What is given for it and is none stays as it is. */
static void test_not_kept(void **state)
{
	static struct worker_config c;
	FILE *file = tmpfile();
	struct zygote_report z = {0};
	struct zygote of[2];

	(void)state;
	assert_non_null(file);
	assert_int_equal(fwrite("word", 1, 4, file), 4);
	assert_int_equal(fflush(file), 0);
	of[0] = make_zygote_with(&c, fileno(file));
	of[1] = make_zygote_with(&c, 999);
	for (int i = 0; i < 2; i++) {
		await(of[i].sock);
		assert_int_equal(zygote_read(&of[i], &z), 1);
		assert_int_equal(z.what, ZYGOTE_FAILED);
		assert_non_null(strstr(z.text, "is no memory file"));
		zygote_end(&of[i]);
	}
	assert_int_equal(first_byte(fileno(file)), 'w');
	(void)fclose(file);
}

static void test_restart(void **state)
{
	static struct worker_config c;
	struct world w = {.zygote = make_zygote(&c)};
	uint64_t best = UINT64_MAX;

	(void)state;
	w.link = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 10; i++) {
		uint64_t before = clock_ns(), took;

		start(&w);
		took = clock_ns() - before;
		best = took < best ? took : best;
		assert_int_equal(status_of_end(&w), 0);
	}
	print_message("a worker is ready after %.2f ms\n", (double)best / 1e6);
	close(w.link);
	zygote_end(&w.zygote);
}

/* In a process that was born as a worker is: every step but the filter. */
static int without_filter(struct sandbox *s)
{
	static struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	const char *step = "";
	int n_wrong = 0, r;

	s->filter = (struct filter){all, 1};
	if (probes_prepare() < 0)
		return 100;
	r = sandbox_enter(s, &step);
	if (r < 0) {
		dprintf(2, "%s: %s\n", step, strerror(-r));
		return 101;
	}
	for (size_t i = 0; i < n_probe_cases; i++) {
		if (!probe_cases[i].bare)
			continue;
		r = probe_cases[i].run();
		if (r != probe_cases[i].bare) {
			dprintf(2, "%s: %s, expected %s\n", probe_cases[i].name, strerror(r),
				strerror(probe_cases[i].bare));
			n_wrong++;
		}
	}
	return n_wrong;
}

static void test_layers(void **state)
{
	struct worker_config c = {.tcp_max = 100, .udp_max = 100, .ping_max = 10};
	struct sandbox s;
	struct err e = ERR_INIT;
	int status, pidfd;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_prepare(SANDBOX_STRICT, &c, &s, &e) < 0) {
			dprintf(2, "%s\n", e.text);
			_exit(102);
		}
		pid = fork_into(sandbox_clone_flags(&s), &pidfd);
		if (pid == 0)
			_exit(without_filter(&s));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
			_exit(103);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The limit of open files is what flows may have, in the shares of the configuration. */
static void test_limits(void **state)
{
	struct rlimit old, small = {1000, 1000};
	static struct worker_config c;
	struct world w = {.zygote = ZYGOTE_INIT};
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	pid = fork();
	if (pid == 0) {
		if (setrlimit(RLIMIT_NOFILE, &small) < 0)
			_exit(1);
		w.zygote = make_zygote(&c);
		w.link = open("/dev/null", O_RDWR | O_CLOEXEC);
		start(&w);
		_exit(status_of_end(&w) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes),   cmocka_unit_test(test_kept),
		cmocka_unit_test(test_not_kept), cmocka_unit_test(test_restart),
		cmocka_unit_test(test_layers),   cmocka_unit_test(test_limits),
	};

	if (geteuid() == 0 && (setresgid(USER, USER, USER) < 0 || setresuid(USER, USER, USER) < 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: libnftables, opened at first use and never linked. Each call makes a context, lets it write
 * to buffers only (nothing of ours goes to stdout or stderr), and reads its answer.
 *
 * libnftables 1.0.6 ends the process when it cannot open its netlink socket, and aborts when that
 * socket's number does not fit into select(2)'s sets. Both are found out beforehand with a socket
 * of the same kind; with a number too high a child closes what it inherited and does the call. What
 * only a child uses only a child opens: the library takes 2.5 MB of memory.
 */
#include "net/nft.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <nftables/libnftables.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/ruleset.h"

#define LIBRARY "libnftables.so.1"
/* Descriptors that libnftables opens besides its socket, and a margin. */
#define FD_MARGIN 16
#define CHILD_MS 60000

struct lib {
	struct nft_ctx *(*ctx_new)(uint32_t flags);
	void (*ctx_free)(struct nft_ctx *c);
	void (*ctx_output_set_flags)(struct nft_ctx *c, unsigned int flags);
	int (*ctx_buffer_output)(struct nft_ctx *c);
	int (*ctx_buffer_error)(struct nft_ctx *c);
	const char *(*ctx_get_output_buffer)(struct nft_ctx *c);
	const char *(*ctx_get_error_buffer)(struct nft_ctx *c);
	int (*run_cmd_from_buffer)(struct nft_ctx *c, const char *buf);
};

static bool child_always;

void nft_use_child(bool always)
{
	child_always = always;
}

static const struct lib *load(struct err *e)
{
	static struct lib lib;
	static bool is_loaded;
	const struct {
		const char *name;
		void *to;
	} symbols[] = {
		{"nft_ctx_new", &lib.ctx_new},
		{"nft_ctx_free", &lib.ctx_free},
		{"nft_ctx_output_set_flags", &lib.ctx_output_set_flags},
		{"nft_ctx_buffer_output", &lib.ctx_buffer_output},
		{"nft_ctx_buffer_error", &lib.ctx_buffer_error},
		{"nft_ctx_get_output_buffer", &lib.ctx_get_output_buffer},
		{"nft_ctx_get_error_buffer", &lib.ctx_get_error_buffer},
		{"nft_run_cmd_from_buffer", &lib.run_cmd_from_buffer},
	};
	void *handle;

	if (is_loaded)
		return &lib;
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		err_set(e, ERR_UNSUPPORTED, 0, "nftables library: %s", dlerror());
		return NULL;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *f = dlsym(handle, symbols[i].name);

		if (!f) {
			err_set(e, ERR_UNSUPPORTED, 0, LIBRARY " has no %s", symbols[i].name);
			dlclose(handle);
			return NULL;
		}
		memcpy(symbols[i].to, &f, sizeof(f));
	}
	is_loaded = true;
	return &lib;
}

/* ---- errors ---- */

/* Turns the first line of libnftables' message into an error. The library keeps the kernel's errno
 * to itself, so it is read back from its text. */
static int translate(const char *message, struct err *e)
{
	static const int known[] = {EPERM,      EACCES,  ENOENT,       EEXIST, EBUSY,  ENOMEM,
				    EOPNOTSUPP, ENOBUFS, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE};
	const char *begin = strstr(message, "Error: ");
	size_t len;
	char line[256];

	begin = begin ? begin + strlen("Error: ") : message;
	len = strcspn(begin, "\n");
	if (len >= sizeof(line))
		len = sizeof(line) - 1;
	memcpy(line, begin, len);
	line[len] = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *reason = strerror(known[i]);
		char *at = strstr(line, reason);

		if (!at)
			continue;
		if (strlen(reason) == strlen(at) && at >= line + 2 && at[-2] == ':')
			at[-2] = '\0'; /* err_sys says it again */
		return err_sys(e, known[i], "nft: %s", line);
	}
	return err_set(e, strstr(line, "syntax error") ? ERR_INTERNAL : ERR_KERNEL, 0, "nft: %s",
		       line[0] ? line : "failed without a message");
}

/* ---- one call ---- */

static int run_here(const struct lib *lib, const char *text, struct buf *out, struct err *e)
{
	struct nft_ctx *c = lib->ctx_new(NFT_CTX_DEFAULT);
	const char *s;
	int r = 0;

	if (!c)
		return err_set(e, ERR_INTERNAL, ENOMEM, "nft: context");
	if (lib->ctx_buffer_output(c) || lib->ctx_buffer_error(c)) {
		r = err_set(e, ERR_INTERNAL, ENOMEM, "nft: buffers");
		goto out;
	}
	lib->ctx_output_set_flags(c, NFT_CTX_OUTPUT_STATELESS);
	if (lib->run_cmd_from_buffer(c, text) != 0) {
		s = lib->ctx_get_error_buffer(c);
		r = translate(s ? s : "", e);
		goto out;
	}
	s = lib->ctx_get_output_buffer(c);
	if (out && s)
		buf_add(out, s, strlen(s));
	if (out && out->failed)
		r = err_set(e, ERR_INTERNAL, ENOMEM, "nft: listing");
out:
	lib->ctx_free(c);
	return r;
}

/* What the child writes before its output. */
struct report {
	int r;
	struct err e;
};

/* Leaves report_fd as 3 and keep_fd (or none) as 4, and nothing else from 3 on. */
static int keep_only(int report_fd, int keep_fd)
{
	/* Both out of the way of both numbers first. */
	int report = fcntl(report_fd, F_DUPFD, 5), keep = -1;

	if (keep_fd >= 0)
		keep = fcntl(keep_fd, F_DUPFD, 5);
	if (report < 0 || (keep_fd >= 0 && keep < 0) || dup2(report, 3) < 0 ||
	    (keep_fd >= 0 && dup2(keep, 4) < 0))
		return -errno;
	return close_range(keep_fd >= 0 ? 5 : 4, ~0U, 0) < 0 ? -errno : 0;
}

static void __attribute__((noreturn))
child_main(const char *text, int keep_fd, pid_t parent, int report_fd)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	struct report rep = {0};
	const struct lib *lib;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || keep_only(report_fd, keep_fd) < 0)
		_exit(1);
	lib = load(&rep.e);
	rep.r = lib ? run_here(lib, text, &out, &rep.e) : -EIO;
	if (fd_write_all(3, &rep, sizeof(rep), NULL) < 0 ||
	    (out.len && fd_write_all(3, out.p, out.len, NULL) < 0))
		_exit(1);
	_exit(0);
}

static int drain(int fd, struct buf *to, struct err *e)
{
	int r = fd_drain(fd, clock_ms() + CHILD_MS, SIZE_MAX, to);

	if (r == -ETIMEDOUT)
		return err_set(e, ERR_KERNEL, ETIMEDOUT, "nft: no answer");
	return r < 0 ? err_sys(e, -r, "nft: answer") : 0;
}

static void reap(pid_t pid, bool kill_first)
{
	if (kill_first)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* keep_fd: the child keeps it until it ends; -1: none. */
static int run_in_child(const char *text, int keep_fd, struct buf *out, struct err *e)
{
	const pid_t parent = getpid();
	CLEAN_BUF struct buf answer = BUF_INIT;
	CLEAN_FD int rd = -1, wr = -1;
	struct report rep;
	int p[2], r;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "nft: pipe");
	rd = p[0];
	wr = p[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "nft: fork");
	if (pid == 0)
		child_main(text, keep_fd, parent, wr);
	fd_closep(&wr);
	r = drain(rd, &answer, e);
	reap(pid, r < 0);
	if (r < 0)
		return r;
	if (answer.len < sizeof(rep))
		return err_set(e, ERR_INTERNAL, EPIPE, "nft: the helper process died");
	memcpy(&rep, answer.p, sizeof(rep));
	if (rep.r < 0) {
		if (e)
			*e = rep.e;
		return rep.r;
	}
	if (out)
		buf_add(out, answer.p + sizeof(rep), answer.len - sizeof(rep));
	return out && out->failed ? err_set(e, ERR_INTERNAL, ENOMEM, "nft: listing") : 0;
}

static int run(const char *text, int keep_fd, struct buf *out, struct err *e)
{
	const struct lib *lib;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return err_sys(e, errno, "nft: netlink socket");
	close(fd);
	if (child_always || fd >= FD_SETSIZE - FD_MARGIN)
		return run_in_child(text, keep_fd, out, e);
	lib = load(e);
	return lib ? run_here(lib, text, out, e) : -EIO;
}

int nft_run(const char *text, struct err *e)
{
	return nft_run_locked(text, -1, e);
}

int nft_run_locked(const char *text, int fd, struct err *e)
{
	return run(text, fd, NULL, e);
}

/* Is there a line like this in the text? */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strcspn(p, "\n") == len && memcmp(p, line, len) == 0)
			return true;
	}
	return false;
}

/* The listing of a table without the line of its flags, the empty line that they bring with them,
 * and the mark of its owner: a table that somebody holds is listed like any other. */
static void add_table(const char *text, struct buf *out)
{
	static const char flags[] = "\tflags ", owner[] = " # progname ";
	bool has_more = false;

	for (const char *line = text; line && *line;) {
		size_t len = strcspn(line, "\n"), n = len;
		const char *mark = line == text ? strstr(line, owner) : NULL;

		if (mark && mark < line + len)
			n = (size_t)(mark - line);
		if (strncmp(line, flags, sizeof(flags) - 1) == 0) {
			has_more = true;
		} else if (has_more && len == 0) {
			has_more = false;
		} else {
			buf_add(out, line, n);
			buf_add(out, "\n", 1);
		}
		line += len + (line[len] == '\n');
	}
}

int nft_list(struct buf *out, struct err *e)
{
	static const char *const tables[] = {"table inet " RULESET_TABLE,
					     "table bridge " RULESET_TABLE};
	CLEAN_BUF struct buf names = BUF_INIT;
	int r = run("list tables\n", -1, &names, e);

	/* One call each: the cache of a call holds what its last command asks for. */
	for (size_t i = 0; i < 2 && r == 0; i++) {
		CLEAN_BUF struct buf one = BUF_INIT;
		char cmd[64];

		if (!has_line(names.p, tables[i]))
			continue;
		snprintf(cmd, sizeof(cmd), "list %s\n", tables[i]);
		r = run(cmd, -1, &one, e);
		if (r == 0)
			add_table(one.p, out);
	}
	return r == 0 && out->failed ? err_set(e, ERR_INTERNAL, ENOMEM, "nft: listing") : r;
}

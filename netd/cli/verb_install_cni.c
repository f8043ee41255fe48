/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_install_cni: `netns-up install-cni DIR`: the CNI plugin into a directory of plugins, as one
 * file and a link for each name it answers to. Files are replaced by rename(2), so a runtime that
 * executes one meanwhile gets the old or the new one. Names that are somebody else's plugins are
 * left alone unless --replace is given; `netd` is always ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"

#define PLUGIN "netns-up-cni"
#define FORWARDER "netns-up-forwarder"
#define LIBEXEC_CNI NETNS_UP_LIBEXECDIR "/cni"

struct install_opts {
	struct cli_common common; /* first */
	bool replace;
};

static int set_replace(void *into, const char *value, struct err *e)
{
	(void)value;
	(void)e;
	((struct install_opts *)into)->replace = true;
	return 0;
}

static const struct opt opts[] = {
	{0, "replace", NULL, "also take the names of plugins that are there already", set_replace},
	CLI_OPT_QUIET,
	{0},
};

/* NAME beside this program, else in dir. */
static int open_program(const char *name, const char *dir, struct err *e)
{
	char path[PATH_MAX], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd = -1;

	if (n > 0) {
		self[n] = 0;
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = 0;
		if (snprintf(path, sizeof(path), "%s/%s", self, name) < (int)sizeof(path))
			fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : err_sys(e, errno, "%s", path);
}

static int copy_bytes(int from, int to, struct err *e)
{
	char part[65536];
	ssize_t n;

	while ((n = read(from, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read");
		int r = fd_write_all(to, part, (size_t)n, e);
		if (r < 0)
			return r;
	}
	if (fchmod(to, 0755) < 0 || fsync(to) < 0)
		return err_sys(e, errno, "write");
	return 0;
}

static const char *temp_name(const char *name, char out[64])
{
	snprintf(out, 64, ".%s.%d", name, (int)getpid());
	return out;
}

static int place(int dir, const char *temp, const char *name, struct err *e)
{
	if (renameat(dir, temp, dir, name) == 0)
		return 0;
	int r = err_sys(e, errno, "%s", name);
	unlinkat(dir, temp, 0);
	return r;
}

static int put_file(int dir, int from, const char *name, struct err *e)
{
	char temp[64];

	temp_name(name, temp);
	unlinkat(dir, temp, 0);
	CLEAN_FD int to =
		openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
	if (to < 0)
		return err_sys(e, errno, "%s", name);
	int r = copy_bytes(from, to, e);
	if (r < 0) {
		unlinkat(dir, temp, 0);
		return err_ctx(e, r, "%s", name);
	}
	fd_closep(&to); /* a file open for writing cannot be executed */
	return place(dir, temp, name, e);
}

/* 1: the name is a plugin of somebody else. */
static int put_link(int dir, const char *name, bool replace, struct err *e)
{
	char temp[64], to[sizeof(PLUGIN) + 1];
	struct stat st;
	ssize_t n = readlinkat(dir, name, to, sizeof(to));
	bool is_ours = n == (ssize_t)strlen(PLUGIN) && memcmp(to, PLUGIN, (size_t)n) == 0;

	if (is_ours)
		return 0;
	if (!replace && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	temp_name(name, temp);
	unlinkat(dir, temp, 0);
	if (symlinkat(PLUGIN, dir, temp) < 0)
		return err_sys(e, errno, "%s", name);
	return place(dir, temp, name, e);
}

static int put_links(int dir, const struct install_opts *o, struct err *e)
{
	static const char *const names[] = {"netd",      "bridge",   "ptp",
					    "portmap",   "firewall", "host-local",
					    "bandwidth", "tuning",   "loopback"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = put_link(dir, names[i], o->replace || i == 0, e);
		if (r < 0)
			return r;
		if (!o->common.quiet)
			printf("%s %s\n", names[i],
			       r ? "left alone: it is another program (--replace takes it)"
				 : "installed");
	}
	return 0;
}

static int install(const struct install_opts *o, const char *to, struct err *e)
{
	CLEAN_FD int dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "%s", to);
	CLEAN_FD int plugin = open_program(PLUGIN, LIBEXEC_CNI, e);
	if (plugin < 0)
		return plugin;
	/* Beside the plugin, because the directory may be seen where nothing else of ours is. */
	CLEAN_FD int forwarder = open_program(FORWARDER, NETNS_UP_LIBEXECDIR, e);
	if (forwarder < 0)
		return forwarder;
	int r = put_file(dir, forwarder, FORWARDER, e);
	if (r == 0)
		r = put_file(dir, plugin, PLUGIN, e);
	return r < 0 ? r : put_links(dir, o, e);
}

static int main_install(const struct verb *v, int argc, char **argv)
{
	struct install_opts o = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r = cli_parse(v, argc, argv, &o, &n);

	if (r >= 0)
		return r;
	return install(&o, argv[1], &e) < 0 ? cli_fail(&e) : EXIT_OK;
}

const struct verb verb_install_cni = {
	.v = {.name = "install-cni",
	      .operands = "DIR",
	      .summary = "put the CNI plugin into a directory of plugins",
	      .notes = "DIR is what the container runtime searches, /opt/cni/bin for most. The "
		       "plugin\n"
		       "answers to the type netd, and to the names of the reference plugins that "
		       "it\n"
		       "can stand in for.",
	      .opts = opts,
	      .min_operands = 1,
	      .max_operands = 1},
	.main = main_install,
};

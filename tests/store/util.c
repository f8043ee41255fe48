/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util: see util.h. */
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

void util_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (uid != 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			die("unshare a user namespace");
		put("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		put("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		put("/proc/self/gid_map", map);
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("unshare a mount namespace");
	if (mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0700") < 0 || chdir("/tmp") < 0)
		die("tmpfs on /tmp");
}

int util_fresh(void **state)
{
	(void)state;
	if (chdir("/") < 0 || umount2("/tmp", MNT_DETACH) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0700") < 0 || chdir("/tmp") < 0)
		die("tmpfs on /tmp");
	umask(022);
	return 0;
}

struct store *util_open(void)
{
	struct store *s = NULL;

	must(0, store_open(DIR_NAME, true, COOKIE, BOOT, &s, e));
	assert_non_null(s);
	return s;
}

struct ip util_ip(const char *text)
{
	struct ip ip;

	must(0, ip_parse(text, &ip, e));
	return ip;
}

struct network util_network(const char *name, const char *subnet4, const char *subnet6)
{
	struct network n = {.mode = NET_BRIDGE, .masquerade = true};

	snprintf(n.name, sizeof(n.name), "%s", name);
	if (subnet4)
		must(0, prefix_parse(subnet4, &n.subnet[FAM4], e));
	if (subnet6)
		must(0, prefix_parse(subnet6, &n.subnet[FAM6], e));
	must(0, network_complete(&n, e));
	return n;
}

struct attachment *util_attachment(const char *id, const char *addr4, const char *spec)
{
	struct attachment *a = calloc(1, sizeof(*a));
	struct publish p;

	assert_non_null(a);
	snprintf(a->id, sizeof(a->id), "%s", id);
	strcpy(a->ifname, "eth0");
	strcpy(a->network, "default");
	a->mode = NET_BRIDGE;
	name_bridge("default", a->bridge);
	name_host_ifname(a->id, a->ifname, a->host_ifname);
	must(0, prefix_parse("10.88.0.2/16", &a->addr[FAM4], e));
	if (addr4)
		a->addr[FAM4].ip = util_ip(addr4);
	a->gateway[FAM4] = util_ip("10.88.0.1");
	a->mac = mac_from_ip(&a->addr[FAM4].ip);
	a->mtu = 1500;
	a->netns_cookie = 99;
	a->created = 1700000000;
	strcpy(a->boot_id, BOOT);
	strcpy(a->netns_path, "/run/netns/x");
	if (spec) {
		must(0, publish_parse(spec, &p, e));
		must(0, attachment_add_publish(a, &p, 1, e));
	}
	return a;
}

int util_count(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *de;
	int n = 0;

	if (!d)
		return -1;
	while ((de = readdir(d))) {
		char sub[600];
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, de->d_name);
		if (lstat(sub, &st) == 0 && S_ISDIR(st.st_mode))
			n += util_count(sub);
		else
			n++;
	}
	closedir(d);
	return n;
}

static int see_record(const struct attachment *a, void *arg)
{
	(void)a;
	++*(size_t *)arg;
	return 0;
}

static void see_broken(const char *name, const struct err *why, void *arg)
{
	(void)name;
	(void)why;
	++*(size_t *)arg;
}

size_t util_records(struct store *s)
{
	size_t n = 0;

	must(0, store_each_attachment(s, see_record, see_broken, &n, e));
	return n;
}

void util_write(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

pid_t util_fork(int (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(arg));
	return pid;
}

int util_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

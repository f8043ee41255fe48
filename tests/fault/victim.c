/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * victim: does a known row of state changes in an empty directory, for the test of killat. Exit
 * status: 0, or the number of the first change that was refused. "wait" adds a child that makes a
 * file only after the main process is gone; "linger" one that never ends by itself.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int netlink(int s, int type, int flags)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = {
		.h = {.nlmsg_len = sizeof(m),
		      .nlmsg_type = (unsigned short)type,
		      .nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags)},
		.i = {.ifi_index = 0x7ffffff0},
	};

	return send(s, &m, sizeof(m), 0) == (ssize_t)sizeof(m) ? 0 : -1;
}

/* Changes 9 and 10 happen in the child. */
static int in_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return 8;
	if (pid == 0) {
		int fd = open("child", O_WRONLY | O_CREAT, 0600);

		if (fd < 0)
			_exit(9);
		_exit(write(fd, "c", 1) == 1 ? 0 : 10);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 90;
	/* A killed child is not this program's failure to report. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 91;
}

static int changes(void)
{
	int fd, s;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 1;
	if (mkdir("dir", 0700) < 0)
		return 2;
	fd = open("dir/a", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return 3;
	if (write(fd, "a", 1) != 1)
		return 4;
	if (rename("dir/a", "b") < 0)
		return 5;
	(void)close(open("b", O_RDONLY)); /* changes nothing */
	if (symlink("b", "l") < 0)
		return 6;
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	(void)netlink(s, RTM_GETLINK, 0);
	(void)netlink(s, RTM_GETLINK, NLM_F_DUMP);
	if (netlink(s, RTM_DELLINK, 0) < 0)
		return 7;
	return in_child();
}

static void after(const char *what)
{
	int gone[2];
	char c;

	if (pipe(gone) < 0 || fork() != 0)
		return;
	close(gone[1]);
	if (read(gone[0], &c, 1) == 0 && strcmp(what, "wait") == 0)
		close(open("survivor", O_WRONLY | O_CREAT, 0600));
	while (strcmp(what, "linger") == 0)
		(void)poll(NULL, 0, 1000);
	_exit(0);
}

int main(int argc, char **argv)
{
	int r;

	if (argc > 1)
		after(argv[1]);
	(void)!write(1, "out\n", 4); /* never counted */
	r = changes();
	if (r == 0 && unlink("l") < 0)
		return 11;
	return r;
}

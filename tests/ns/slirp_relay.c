/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp_relay PID PROFILE: a bad link between a container and slirp-lite.
 *
 * Runs in the namespace of slirp-lite's tap, which it joins to a tap of its own by a bridge, and
 * makes the container's interface in the network namespace of PID. Frames between the two are lost,
 * doubled, held back, damaged as the file PROFILE says ("loss 0.01 dup 0.05 reorder 0.25 corrupt
 * 0.01 burst 200 seed 1"), which is read again on SIGHUP. Says `ready` when the link is up,
 * `changed` for each profile. The same seed, the same decisions in the same order.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 65536, LATE_MAX = 4096, AT_ONCE = 64, ETH_LEN = 14 };
#define BURST_EVERY 1.0 /* s between losses of everything */
#define HELD_BACK 0.003 /* s that a frame is late at most */

static struct profile {
	double loss, dup, reorder, corrupt, burst, seed;
} profile;
static uint64_t rng;
static volatile sig_atomic_t is_changed = 1;

struct late {
	double due;
	size_t len;
	uint8_t *frame;
};

/* Frames one way. Those that are late wait in the order in which they came; they are few. */
struct way {
	int from, to, n;
	struct late late[LATE_MAX];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* splitmix64. */
static uint64_t next(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double share(void)
{
	return (double)(next() >> 11) / (double)(1ULL << 53);
}

static bool chance(double of)
{
	return share() < of;
}

static void on_hangup(int number)
{
	(void)number;
	is_changed = 1;
}

static int tap(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
		die(name);
	return fd;
}

static void sh(const char *lines)
{
	if (system(lines) != 0) {
		fprintf(stderr, "slirp_relay: failed: %s\n", lines);
		exit(1);
	}
}

static void make_ends(const char *pid, int *outer, int *inner)
{
	char path[64];
	int net;

	*outer = tap("relay0");
	sh("set -e; ip link add br0 type bridge forward_delay 0; ip addr flush dev tap0; ip link "
	   "set tap0 master br0;"
	   "ip link set relay0 master br0; ip link set relay0 up; ip link set br0 up");
	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	net = open(path, O_RDONLY | O_CLOEXEC);
	if (net < 0 || setns(net, CLONE_NEWNET) < 0)
		die(path);
	close(net);
	*inner = tap("eth0");
	sh("set -e; ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.100/24 dev eth0;"
	   "ip addr add fd00::100/64 dev eth0 nodad; ip route add default via 10.0.2.2; ip -6 "
	   "route add default via fd00::2");
}

static void read_profile(const char *path)
{
	static const struct {
		const char *name;
		double *value;
	} known[] = {{"loss", &profile.loss},       {"dup", &profile.dup},
		     {"reorder", &profile.reorder}, {"corrupt", &profile.corrupt},
		     {"burst", &profile.burst},     {"seed", &profile.seed}};
	char name[16];
	double value;
	FILE *f = fopen(path, "re");

	if (!f)
		die(path);
	profile = (struct profile){0};
	while (fscanf(f, "%15s %lf", name, &value) == 2) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].name, name) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			fprintf(stderr, "slirp_relay: %s: unknown word %s\n", path, name);
			exit(2);
		}
		*known[i].value = value;
	}
	fclose(f);
	rng = (uint64_t)profile.seed;
}

/* Sends a frame; when the queue there is full, it is one more that is lost. */
static void send_frame(const struct way *w, const uint8_t *frame, size_t len)
{
	ssize_t n = write(w->to, frame, len);

	(void)n;
}

static void hold_back(struct way *w, const uint8_t *frame, size_t len, double at)
{
	struct late *l = &w->late[w->n];

	if (w->n == LATE_MAX)
		return;
	*l = (struct late){at + HELD_BACK * share(), len, malloc(len)};
	if (!l->frame)
		die("malloc");
	memcpy(l->frame, frame, len);
	w->n++;
}

static void put(struct way *w, uint8_t *frame, size_t len, double at)
{
	int times;

	if (profile.burst > 0 && at / BURST_EVERY - (double)(long)(at / BURST_EVERY) <
					 profile.burst / 1000 / BURST_EVERY)
		return;
	if (chance(profile.loss))
		return;
	if (len > ETH_LEN && chance(profile.corrupt)) /* nothing guards what is before */
		frame[ETH_LEN + next() % (len - ETH_LEN)] ^= (uint8_t)(1U << next() % 8);
	for (times = chance(profile.dup) ? 2 : 1; times > 0; times--) {
		if (chance(profile.reorder))
			hold_back(w, frame, len, at);
		else
			send_frame(w, frame, len);
	}
}

/* Sends what has been late for long enough; when the next one is due, or a second hence. */
static double send_due(struct way *w, double at)
{
	double next_due = at + 1;
	int i, kept = 0;

	for (i = 0; i < w->n; i++) {
		if (w->late[i].due <= at) {
			send_frame(w, w->late[i].frame, w->late[i].len);
			free(w->late[i].frame);
			continue;
		}
		next_due = w->late[i].due < next_due ? w->late[i].due : next_due;
		w->late[kept++] = w->late[i];
	}
	w->n = kept;
	return next_due;
}

static void take(struct way *w)
{
	static uint8_t frame[FRAME_MAX];
	double at = now();
	ssize_t n;
	int i;

	for (i = 0; i < AT_ONCE; i++) {
		n = read(w->from, frame, sizeof(frame));
		if (n <= 0)
			return;
		put(w, frame, (size_t)n, at);
	}
}

int main(int argc, char **argv)
{
	static struct way ways[2];
	struct sigaction hangup = {.sa_handler = on_hangup};
	int outer, inner, i;

	if (argc != 3)
		return 2;
	make_ends(argv[1], &outer, &inner);
	ways[0].from = ways[1].to = outer;
	ways[1].from = ways[0].to = inner;
	sigaction(SIGHUP, &hangup, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (bool is_first = true;; is_first = false) {
		struct pollfd fds[2] = {{ways[0].from, POLLIN, 0}, {ways[1].from, POLLIN, 0}};
		double at = now(), due = send_due(&ways[0], at), other = send_due(&ways[1], at),
		       wait;

		wait = (other < due ? other : due) - at;
		if (is_changed) {
			is_changed = 0;
			read_profile(argv[2]);
			puts(is_first ? "ready" : "changed");
		}
		if (ppoll(fds, 2,
			  &(struct timespec){(time_t)wait,
					     (long)((wait - (double)(time_t)wait) * 1e9)},
			  NULL) < 0) {
			if (errno == EINTR)
				continue;
			die("ppoll");
		}
		for (i = 0; i < 2; i++) {
			if (fds[i].revents & POLLIN)
				take(&ways[i]);
		}
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients of the control socket are answered, word for word where they know the words, and
 * when: a port when the worker serves it, a question when the worker has answered, or is gone; what
 * was refused has changed nothing. Clients and ports are real, in a network namespace of the test's
 * own; the worker, and the clock, are played.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/requests.h"

static struct {
	struct requests *q;
	struct published *published;
	struct plan plan;
	struct sockaddr_un name;
	socklen_t name_len;
	int listener;
	/* The worker. */
	int tell_sys; /* it cannot be told */
	unsigned n_told;
	struct ctlmsg told;
	/* The supervisor. */
	unsigned n_stops;
	struct rates rates;
	int rates_sys;
	uint64_t now_ms; /* nothing passes but by the test */
} k;

uint64_t __wrap_clock_ms(void);

uint64_t __wrap_clock_ms(void)
{
	return k.now_ms;
}

static int tell(void *arg, const struct ctlmsg *m)
{
	(void)arg;
	k.n_told++;
	k.told = *m;
	return -k.tell_sys;
}

static void describe(void *arg, struct status *ret)
{
	static struct options options;
	static struct worker_config config;
	static struct resolvers resolvers;

	(void)arg;
	ret->options = &options;
	ret->config = &config;
	ret->resolvers = &resolvers;
}

static void stop(void *arg)
{
	(void)arg;
	k.n_stops++;
}

static void get_rates(void *arg, struct rates *ret)
{
	(void)arg;
	*ret = k.rates;
}

static int set_rates(void *arg, const struct rates *r)
{
	(void)arg;
	if (k.rates_sys)
		return -k.rates_sys;
	k.rates = *r;
	return 0;
}

static void start(bool is_tap_alone)
{
	struct requests_env env = {.published = k.published,
				   .plan = &k.plan,
				   .is_configured = true,
				   .tell = tell,
				   .describe = describe,
				   .stop = stop,
				   .is_tap_alone = is_tap_alone,
				   .get_rates = get_rates,
				   .set_rates = set_rates};
	struct err e = ERR_INIT;

	k.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(k.listener, &(struct sockaddr){AF_UNIX}, sizeof(sa_family_t)), 0);
	k.name_len = sizeof(k.name);
	getsockname(k.listener, (struct sockaddr *)&k.name, &k.name_len);
	assert_int_equal(listen(k.listener, 16), 0);
	if (requests_new(&env, k.listener, &k.q, &e) < 0)
		fail_msg("%s", e.text);
}

static int set_up(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	k.now_ms = 1000000;
	k.plan.net[FAM4] = (struct prefix){{AF_INET, {10, 0, 2, 0}}, 24};
	k.plan.guest[FAM4] = (struct ip){AF_INET, {10, 0, 2, 100}};
	assert_int_equal(published_new(&k.published, NULL), 0);
	start(true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	requests_free(k.q);
	published_free(k.published);
	return 0;
}

/* All that is there, as of now and what was let pass. */
static void turn(void)
{
	struct pollfd p[CTL_N_POLL];

	for (int i = 0; i < 4; i++) {
		requests_poll(k.q, p);
		assert_true(poll(p, CTL_N_POLL, 0) >= 0);
		requests_serve(k.q, p, k.now_ms);
	}
}

/* The worker takes over what it is told of ports. */
static void settle(void)
{
	int fds[CTLMSG_PORTS];
	struct ctlmsg m;

	while (published_message(k.published, k.now_ms, &m, fds))
		published_done(k.published, m.id);
	assert_true(published_is_settled(k.published));
	turn();
}

static int asks(const char *text)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&k.name, k.name_len), 0);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn();
	return fd;
}

static bool is_silent(int fd)
{
	return recv(fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static json_t *hears(int fd)
{
	static char text[65536];
	size_t n = 0;
	ssize_t r;

	while ((r = recv(fd, text + n, sizeof(text) - n, MSG_DONTWAIT)) > 0)
		n += (size_t)r;
	assert_int_equal(r, 0); /* and it is closed */
	close(fd);
	json_t *o = json_loadb(text, n, 0, NULL);
	if (!o)
		fail_msg("%.*s is no JSON", (int)n, text);
	return o;
}

static void expect(int fd, const char *want)
{
	json_t *o = hears(fd), *w = json_loads(want, 0, NULL);

	assert_non_null(w);
	if (!json_equal(o, w)) {
		char *got = json_dumps(o, JSON_COMPACT);

		fail_msg("%s, not %s", got, want);
	}
	json_decref(o);
	json_decref(w);
}

/* An error with this description, kind and errno; other words of it are ours. */
static void refused(const char *request, const char *desc, const char *kind, int sys)
{
	json_t *o = hears(asks(request)), *e = json_object_get(o, "error");
	const char *its = json_string_value(json_object_get(e, "kind"));

	assert_string_equal(json_string_value(json_object_get(e, "desc")), desc);
	if (strcmp(its ? its : "", kind ? kind : "") != 0)
		fail_msg("%s: %s", request, its ? its : "no kind");
	assert_int_equal(json_integer_value(json_object_get(e, "errno")), sys);
	json_decref(o);
}

#define ADD(port)                                                                                  \
	"{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\",\"host_addr\":"             \
	"\"127.0.0.1\",\"host_port\":" #port ",\"guest_port\":80}}"
#define LIST "{\"execute\":\"list_hostfwd\"}"
#define REMOVE(id) "{\"execute\":\"remove_hostfwd\",\"arguments\":{\"id\":" #id "}}"

static void test_hostfwd(void **state)
{
	int fd = asks(ADD(8080)), other;

	(void)state;
	/* Not before the worker has it. */
	assert_true(is_silent(fd));
	settle();
	expect(fd, "{\"return\":{\"id\":1}}");
	json_t *o = hears(asks(LIST));
	json_t *list = json_object_get(o, "entries");
	assert_true(json_equal(list, json_object_get(json_object_get(o, "return"), "entries")));
	assert_int_equal(json_array_size(list), 1);
	json_t *entry = json_array_get(list, 0);
	assert_int_equal(json_integer_value(json_object_get(entry, "host_port")), 8080);
	assert_string_equal(json_string_value(json_object_get(entry, "guest_addr")), "10.0.2.100");
	json_decref(o);
	refused(ADD(8080), "bad request: add_hostfwd: slirp_add_hostfwd failed", "conflict",
		EADDRINUSE);
	refused(REMOVE(2), "bad request: remove_hostfwd: bad arguments.id", "absent", ENOENT);
	refused(REMOVE("1"), "bad request: remove_hostfwd: bad arguments.id", NULL, 0);
	refused("{\"execute\":\"remove_hostfwd\"}", "bad request: remove_hostfwd: bad arguments.id",
		NULL, 0);
	refused(ADD(0.5), "bad request: add_hostfwd: bad arguments.host_port", NULL, 0);
	assert_int_equal(published_count(k.published), 1);
	/* A worker that does not answer keeps nobody waiting for ever. */
	fd = asks(REMOVE(1));
	other = asks(ADD(8081));
	assert_true(is_silent(fd) && is_silent(other));
	k.now_ms += 5000; /* less than who says nothing is given */
	turn();
	expect(fd, "{\"return\":{}}");
	expect(other, "{\"return\":{\"id\":2}}");
	assert_int_equal(published_count(k.published), 1);
}

/* A port of somebody else's is named. */
static void test_taken(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(9001),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(taken, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(taken, 1), 0);
	json_t *o = hears(asks("{\"execute\":\"publish\",\"arguments\":{\"ports\":["
			       "\"127.0.0.1:9000-9002:80-82\"]}}"));
	json_t *e = json_object_get(o, "error");
	assert_string_equal(json_string_value(json_object_get(e, "desc")), "publish failed");
	assert_string_equal(json_string_value(json_object_get(e, "kind")), "conflict");
	assert_int_equal(json_integer_value(json_object_get(e, "errno")), EADDRINUSE);
	assert_string_equal(json_string_value(json_object_get(e, "port")), "127.0.0.1:9001:81/tcp");
	json_decref(o);
	assert_int_equal(published_count(k.published), 0);
	close(taken);
}

#define PORTS(verb, ...) "{\"execute\":\"" verb "\",\"arguments\":{\"ports\":[" __VA_ARGS__ "]}}"

static void test_publish(void **state)
{
	int fd = asks(PORTS("publish", "\"127.0.0.1:8000:80\",\"127.0.0.1:8001:81/udp\""));

	(void)state;
	assert_true(is_silent(fd));
	settle();
	json_t *o = hears(fd), *list = json_object_get(json_object_get(o, "return"), "ports");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "id")), 2);
	json_decref(o);
	/* All or nothing, both ways. */
	refused(PORTS("publish", "\"127.0.0.1:8002:80\",\"127.0.0.1:8000:80\""), "publish failed",
		"conflict", EADDRINUSE);
	refused(PORTS("unpublish", "\"127.0.0.1:8000:80\",\"127.0.0.1:8003:80\""),
		"unpublish failed", "absent", ENOENT);
	refused(PORTS("publish", "\"x\""), "bad request: publish: bad arguments.ports", "usage", 0);
	refused(PORTS("unpublish", "7"), "bad request: unpublish: bad arguments.ports", "usage", 0);
	refused("{\"execute\":\"publish\"}", "bad request: publish: bad arguments.ports", "usage",
		0);
	assert_int_equal(published_count(k.published), 2);
	fd = asks(PORTS("unpublish", "\"127.0.0.1:8000:80\",\"127.0.0.1:8001:81/udp\""));
	settle();
	expect(fd, "{\"return\":{}}");
	assert_int_equal(published_count(k.published), 0);
}

static void answer_stats(void)
{
	struct ctlmsg m = {.type = CTLMSG_STATS, .id = k.told.id};

	assert_int_equal(k.told.type, CTLMSG_STATS_GET);
	m.stats.stats.n[STAT_TCP_OPENED] = 7;
	requests_message(k.q, &m, k.now_ms);
	turn();
}

static void test_limit(void **state)
{
	static const char *const bad[] = {
		"{}",          "{\"in\":\"1000000\"}",       "{\"in\":7999}",
		"{\"in\":-1}", "{\"in\":1000000,\"out\":1}", "{\"out\":1e300}"};
	char text[256];
	int fd;

	(void)state;
	k.rates = (struct rates){1000000, 0};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"execute\":\"limit\",\"arguments\":%s}", bad[i]);
		refused(text, "bad request: limit: bad arguments", "usage", 0);
	}
	k.rates_sys = EPIPE;
	refused("{\"execute\":\"limit\",\"arguments\":{\"in\":8000}}", "limit failed", "failed",
		EPIPE);
	assert_int_equal(k.rates.in, 1000000);
	k.rates_sys = 0;
	assert_int_equal(k.n_told, 0);
	/* What is not said stays; it is answered when the worker has heard of it. */
	fd = asks("{\"execute\":\"limit\",\"arguments\":{\"out\":8000}}");
	assert_true(is_silent(fd));
	answer_stats();
	expect(fd, "{\"return\":{\"in\":1000000,\"out\":8000}}");
	fd = asks("{\"execute\":\"limit\",\"arguments\":{\"in\":null}}");
	answer_stats();
	expect(fd, "{\"return\":{\"in\":null,\"out\":8000}}");
	/* Where not all that passes can be limited, nothing is. */
	requests_free(k.q);
	start(false);
	refused("{\"execute\":\"limit\",\"arguments\":{\"in\":8000}}", "limit failed",
		"unsupported", 0);
	assert_int_equal(k.rates.in, 0);
}

static json_t *returned(json_t *o)
{
	json_t *r = json_object_get(o, "return");

	assert_non_null(r);
	return r;
}

/* One gathering for all who have asked before it began; the next for who came later. */
static void test_questions(void **state)
{
	int one = asks("{\"execute\":\"status\"}"), two, flows;
	json_t *o;

	(void)state;
	assert_int_equal(k.n_told, 1);
	two = asks("{\"execute\":\"status\"}");
	flows = asks("{\"execute\":\"flows\"}");
	assert_int_equal(k.n_told, 1);
	assert_true(is_silent(one) && is_silent(two) && is_silent(flows));
	answer_stats();
	o = hears(one);
	assert_non_null(json_object_get(returned(o), "counters"));
	json_decref(o);
	assert_true(is_silent(two));
	assert_int_equal(k.n_told, 2);
	/* An answer to something else is none. */
	struct ctlmsg m = {.type = CTLMSG_STATS, .id = k.told.id + 1};
	requests_message(k.q, &m, k.now_ms);
	turn();
	assert_true(is_silent(two));
	answer_stats();
	assert_int_equal(k.told.type, CTLMSG_LIST_GET);
	/* The worker dies: what it has said is told, and that the rest is missing. */
	requests_forget_worker(k.q);
	turn();
	o = hears(two);
	assert_non_null(json_object_get(returned(o), "counters"));
	json_decref(o);
	expect(flows, "{\"return\":{\"flows\":[],\"complete\":false,\"answered\":false}}");
	/* It is silent, or cannot be told. */
	one = asks("{\"execute\":\"flows\"}");
	assert_true(is_silent(one));
	k.now_ms += 5000; /* less than who says nothing is given */
	turn();
	expect(one, "{\"return\":{\"flows\":[],\"complete\":false,\"answered\":false}}");
	k.tell_sys = EPIPE;
	expect(asks("{\"execute\":\"flows\"}"),
	       "{\"return\":{\"flows\":[],\"complete\":false,\"answered\":false}}");
}

/* It has stopped when that is answered. */
static void test_stop(void **state)
{
	int fd = asks("{\"execute\":\"stop\"}"), other = asks("{\"execute\":\"status\"}");

	(void)state;
	assert_int_equal(k.n_stops, 1);
	k.now_ms += 1000;
	turn();
	assert_true(is_silent(fd));
	requests_flush(k.q, 1000);
	expect(fd, "{\"return\":{}}");
	json_decref(hears(other));
}

static void test_unknown(void **state)
{
	static const char *const bad[] = {"{\"execute\":\"quit\"}", "{}", "[]", "{\"execute\":7}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *o = hears(asks(bad[i]));

		assert_non_null(json_object_get(json_object_get(o, "error"), "desc"));
		json_decref(o);
	}
	assert_int_equal(k.n_told + k.n_stops, 0);
}

static int loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e = ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return e;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hostfwd),   TEST(test_taken), TEST(test_publish), TEST(test_limit),
		TEST(test_questions), TEST(test_stop),  TEST(test_unknown),
	};

	/* Ports of nobody else. */
	if ((unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) ||
	    loopback_up() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

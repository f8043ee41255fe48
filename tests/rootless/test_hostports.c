/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of published ports: what the engine publishes for each, and what its record says to
 * the user, by records as they may be found. What is written is for tests/ns/user_net.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootless/host_int.h"
#include "store/file.h"

static struct host host;
static char dir[32];

static int set_up(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/hostports.XXXXXX", sizeof("/tmp/hostports.XXXXXX"));
	if (!mkdtemp(dir))
		return -1;
	host.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return host.fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlinkat(host.fd, "ports", 0);
	close(host.fd);
	return rmdir(dir);
}

static void record(const char *ports)
{
	char text[1000];
	int n = snprintf(text, sizeof(text), "{\"ports\":[%s]}", ports);

	assert_int_equal(file_put(host.fd, "ports", text, (size_t)n, false, NULL), 0);
}

static int inner(const char *id, const char *spec, struct publish *ret)
{
	assert_int_equal(publish_parse(spec, ret, NULL), 0);
	return host_inner_ports(&host, id, "eth0", ret, 1, NULL);
}

#define ENTRY(id, spec) "{\"id\":\"" id "\",\"interface\":\"eth0\",\"spec\":\"" spec "\""
#define THREE                                                                                      \
	ENTRY("a", "127.0.0.1:80:8080")                                                            \
	"}," ENTRY("a", "[::1]:80:8080") ",\"inner\":32768}," ENTRY(                               \
		"b", "198.51.100.1:80-89:8080-8089") ",\"inner\":65526}"

static void there_and_back(void **state)
{
	static const struct {
		const char *id, *spec;
		uint16_t inner;
	} cases[] = {
		{"a", "127.0.0.1:80:8080", 80}, /* it does not say: the same */
		{"a", "[::1]:80:8080", 32768},
		{"b", "198.51.100.1:80-89:8080-8089", 65526},
	};
	char text[PUBLISH_STRLEN], want[PUBLISH_STRLEN];

	(void)state;
	record(THREE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct publish p, wanted;
		struct attachment a = {.n_publish = 1, .publish = &p};

		assert_int_equal(inner(cases[i].id, cases[i].spec, &p), 0);
		assert_int_equal(p.host_port, cases[i].inner);
		assert_true(p.is_unheld && !p.host_ip.family);
		(void)snprintf(a.id, sizeof(a.id), "%s", cases[i].id);
		(void)snprintf(a.ifname, sizeof(a.ifname), "eth0");
		host_outer_ports(&host, &a);
		assert_false(p.is_unheld);
		assert_int_equal(publish_parse(cases[i].spec, &wanted, NULL), 0);
		assert_string_equal(publish_str(&p, text), publish_str(&wanted, want));
	}
}

static void absent(void **state)
{
	struct publish p;

	(void)state;
	record(THREE);
	assert_true(inner("b", "127.0.0.1:80:8080", &p) < 0);
	assert_true(inner("a", "80:8080", &p) < 0);
	assert_true(inner("a", "127.0.0.1:81:8080", &p) < 0);
	assert_int_equal(host_inner_ports(&host, "a", "eth0", NULL, 0, NULL), 0);
}

/* A record that says what cannot be. */
static void broken(void **state)
{
	static const char *const cases[] = {"0", "65536", "65527", "-1", "\"80\"", "1.5"};
	char text[300];
	struct publish p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(text, sizeof(text),
			       ENTRY("b", "198.51.100.1:80-89:8080-8089") ",\"inner\":%s}",
			       cases[i]);
		record(text);
		assert_true(inner("b", "198.51.100.1:80-89:8080-8089", &p) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(absent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(broken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

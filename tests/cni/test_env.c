/* SPDX-License-Identifier: GPL-2.0-or-later */
/* env: which variables a command needs, names that are refused, CNI_ARGS. */
#include "util.h"

#include "cni-plugin/env.h"

static const char *const vars[] = {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"};

static void set_all(const char *command)
{
	setenv("CNI_COMMAND", command, 1);
	setenv("CNI_CONTAINERID", "7f3c", 1);
	setenv("CNI_NETNS", "/run/netns/x", 1);
	setenv("CNI_IFNAME", "eth0", 1);
	setenv("CNI_PATH", "/opt/cni/bin", 1);
	setenv("CNI_ARGS", "", 1);
	unsetenv("CNI_NETNS_OVERRIDE");
}

static int read_code(void)
{
	struct fault f = FAULT_INIT;
	struct env v;

	return env_read(false, &v, &f) < 0 ? f.code : 0;
}

static void test_command(void **state)
{
	static const char *const bad[] = {"FOO", "add", "ADD ", "VERSIO"};
	struct fault f = FAULT_INIT;
	struct env v;

	(void)state;
	set_all("ADD");
	assert_int_equal(env_read(false, &v, &f), 0);
	assert_int_equal(v.command, CMD_ADD);
	assert_string_equal(v.id, "7f3c");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("CNI_COMMAND", bad[i], 1);
		assert_int_equal(env_read(false, &v, &f), -1);
		assert_int_equal(f.code, FAULT_ENV);
		MUST_HAVE(f.msg, "CNI_COMMAND");
	}
	unsetenv("CNI_COMMAND");
	assert_int_equal(env_read(false, &v, &f), 1);
	setenv("CNI_COMMAND", "", 1);
	assert_int_equal(env_read(false, &v, &f), 1);
}

/* Which of vars each command needs, as bits. */
static void test_missing(void **state)
{
	static const struct {
		const char *command;
		unsigned int needs;
	} table[] = {{"ADD", 15}, {"CHECK", 15}, {"DEL", 13},
		     {"GC", 8},   {"STATUS", 8}, {"VERSION", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (unsigned int unset = 0; unset < 16; unset++) {
			char list[128] = "[";
			struct fault f = FAULT_INIT;
			struct env v;

			set_all(table[i].command);
			for (unsigned int k = 0; k < 4; k++) {
				if (!(unset & (1u << k)))
					continue;
				/* libcni sets them empty, others not at all */
				if (unset & 1)
					unsetenv(vars[k]);
				else
					setenv(vars[k], "", 1);
				if (table[i].needs & (1u << k)) {
					strcat(list, list[1] ? "," : "");
					strcat(list, vars[k]);
				}
			}
			strcat(list, "]");
			int r = env_read(false, &v, &f);
			if (!(unset & table[i].needs)) {
				assert_int_equal(r, 0);
				continue;
			}
			assert_int_equal(r, -1);
			assert_int_equal(f.code, FAULT_ENV);
			MUST_HAVE(f.msg, list);
		}
}

static void test_names(void **state)
{
	static const char *const ids[] = {"../x", "a/b", "-a", ".a", "a b", "\xc3\xa9", "a\n"};
	static const char *const ifnames[] = {
		"abcdefghijklmnop", ".", "..", "a/b", "a:b", "a b", "a\t", "a%d", "all", "default"};
	char long_id[4097];
	struct env v;

	(void)state;
	set_all("ADD");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		setenv("CNI_CONTAINERID", ids[i], 1);
		assert_int_equal(read_code(), FAULT_ENV);
	}
	memset(long_id, 'a', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = 0;
	setenv("CNI_CONTAINERID", long_id, 1);
	assert_int_equal(read_code(), FAULT_ENV);
	set_all("ADD");
	for (size_t i = 0; i < sizeof(ifnames) / sizeof(ifnames[0]); i++) {
		setenv("CNI_IFNAME", ifnames[i], 1);
		assert_int_equal(read_code(), FAULT_ENV);
	}
	setenv("CNI_IFNAME", "abcdefghijklmno", 1);
	assert_int_equal(read_code(), 0);
	setenv("CNI_IFNAME", "lo", 1);
	assert_int_equal(read_code(), FAULT_CONFIG);
	assert_int_equal(env_read(true, &v, NULL), 0); /* the loopback plugin */
	/* VERSION comes with dummies, which nobody looks at. */
	set_all("VERSION");
	setenv("CNI_IFNAME", "../", 1);
	assert_int_equal(read_code(), 0);
}

static int args(const char *text, struct env *v)
{
	struct fault f = FAULT_INIT;

	*v = (struct env){0};
	return env_parse_args(text, v, &f) < 0 ? f.code : 0;
}

static void test_args(void **state)
{
	struct env v;
	char s[IP_STRLEN], m[MAC_STRLEN];

	(void)state;
	assert_int_equal(args(NULL, &v), 0);
	assert_int_equal(args("IgnoreUnknown=1;K8S_POD_NAME=a=b;IP=10.1.2.3;MAC=02:00:00:00:00:07;"
			      "GATEWAY=10.1.2.1",
			      &v),
			 0);
	assert_int_equal(v.n_ips, 1);
	assert_string_equal(ip_str(&v.ips[0].ip, s), "10.1.2.3");
	assert_int_equal(v.ips[0].len, ENV_NO_LEN);
	assert_true(v.has_mac);
	assert_string_equal(mac_str(&v.mac, m), "02:00:00:00:00:07");
	assert_string_equal(ip_str(&v.gateway, s), "10.1.2.1");
	assert_int_equal(args("IP=10.1.2.3/24,fd00::5/64", &v), 0);
	assert_int_equal(v.n_ips, 2);
	assert_int_equal(v.ips[1].len, 64);
	assert_int_equal(args("K8S_POD_NAME=a;IgnoreUnknown=true", &v), 0);
	assert_int_equal(args("IP=;MAC=", &v), 0);
	assert_int_equal(v.n_ips, 0);
	assert_int_equal(args("IP=1.2.3.4=5", &v), FAULT_ENV);
	assert_int_equal(args("K8S_POD_NAME=a", &v), FAULT_ENV);
	assert_int_equal(args("K8S_POD_NAME=a;IgnoreUnknown=0", &v), FAULT_ENV);
	assert_int_equal(args("IgnoreUnknown=maybe", &v), FAULT_ENV);
	assert_int_equal(args("IgnoreUnknown", &v), FAULT_ENV);
	assert_int_equal(args("MAC=01:00:5e:00:00:01", &v), FAULT_ENV);
	assert_int_equal(args("MAC=00:00:00:00:00:00", &v), FAULT_ENV);
}

static void test_override(void **state)
{
	static const struct {
		const char *value;
		bool is;
	} table[] = {{"1", true}, {"TRUE", true}, {"true", true}, {"0", false}, {"yes", false}};
	struct env v;

	(void)state;
	set_all("ADD");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		setenv("CNI_NETNS_OVERRIDE", table[i].value, 1);
		assert_int_equal(env_read(false, &v, NULL), 0);
		assert_int_equal(v.may_be_own, table[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),  cmocka_unit_test(test_missing),
		cmocka_unit_test(test_names),    cmocka_unit_test(test_args),
		cmocka_unit_test(test_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

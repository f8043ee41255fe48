/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawings of invented networks: what is in them, and that names that came from an enemy end as
 * text. Such names never pass name_check_*; here they are put into the value as they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/graph.h"
#include "cli/style.h"

static struct publish many[GRAPH_PORTS + 5];

static void put_name(char *to, size_t size, const char *name)
{
	(void)snprintf(to, size, "%s", name);
}

static struct network net(const char *name)
{
	struct network n = {.mode = NET_BRIDGE, .bridge = "nb-web", .isolate = true};

	put_name(n.name, sizeof(n.name), name);
	assert_int_equal(prefix_parse("192.0.2.0/24", &n.subnet[FAM4], NULL), 0);
	assert_int_equal(prefix_parse("2001:db8::/64", &n.subnet[FAM6], NULL), 0);
	return n;
}

static void add(struct graph *g, const char *network, const char *id, const char *ifname,
		size_t n_publish, enum graph_by by)
{
	struct attachment a = {.phase = ATTACH_COMMITTED, .n_publish = n_publish, .publish = many};

	put_name(a.network, sizeof(a.network), network);
	put_name(a.id, sizeof(a.id), id);
	put_name(a.ifname, sizeof(a.ifname), ifname);
	assert_int_equal(prefix_parse("192.0.2.7/24", &a.addr[FAM4], NULL), 0);
	assert_int_equal(prefix_parse("2001:db8::7/64", &a.addr[FAM6], NULL), 0);
	graph_add(g, &a, by);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		char spec[32];

		(void)snprintf(spec, sizeof(spec), "%zu:80", 8080 + i);
		assert_int_equal(publish_parse(spec, &many[i], NULL), 0);
	}
	return 0;
}

/* The same shape with whatever names. */
static void build(struct graph *g, const char *network, const char *id, const char *ifname)
{
	struct network n = net(network);

	graph_add_network(g, &n);
	add(g, network, id, ifname, 2, GRAPH_ENGINE);
	add(g, network, "db", "eth0", 0, GRAPH_ENGINE);
	add(g, "user", id, "eth0", 1, GRAPH_SLIRP);
	assert_false(g->failed);
}

static void test_tree(void **state)
{
	CLEAN_GRAPH struct graph g = {0};
	CLEAN_BUF struct buf plain = BUF_INIT, lines = BUF_INIT;

	(void)state;
	build(&g, "web", "a", "eth0");
	graph_text(&g, false, false, &plain);
	assert_string_equal(plain.p, "host\n"
				     "|- web  bridge nb-web, isolated  192.0.2.0/24 2001:db8::/64\n"
				     "|  |- a eth0  192.0.2.7 2001:db8::7\n"
				     "|  |  |- 8080:80/tcp\n"
				     "|  |  `- 8081:80/tcp\n"
				     "|  `- db eth0  192.0.2.7 2001:db8::7\n"
				     "`- user  slirp-lite, each alone\n"
				     "   `- a eth0  192.0.2.7 2001:db8::7\n"
				     "      `- 8080:80/tcp\n");
	graph_text(&g, true, true, &lines);
	assert_non_null(strstr(lines.p, "\033[2m├─ \033[0m\033[35mweb\033[0m"));
	assert_non_null(strstr(lines.p, "\033[2m│  │  └─ \033[0m\033[32m8081:80/tcp\033[0m\n"));
}

static void test_empty(void **state)
{
	struct graph g = {0};
	CLEAN_BUF struct buf text = BUF_INIT, dot = BUF_INIT, svg = BUF_INIT;
	CLEAN_JSON json_t *doc = graph_json(&g);

	(void)state;
	graph_text(&g, false, false, &text);
	assert_string_equal(text.p, "host\n");
	graph_dot(&g, &dot);
	assert_non_null(strstr(dot.p, "host [label=\"host\""));
	graph_svg(&g, &svg);
	assert_non_null(strstr(svg.p, ">no networks</text>"));
	assert_int_equal(json_array_size(json_object_get(doc, "networks")), 0);
}

/* Members of one name in different hands stay apart, and what is not up is said to be so. */
static void test_hands(void **state)
{
	CLEAN_GRAPH struct graph g = {0};
	CLEAN_BUF struct buf text = BUF_INIT;
	struct attachment half = {.id = "h", .ifname = "eth0", .network = "web"};
	struct attachment leaving = {
		.id = "l", .ifname = "eth0", .network = "web", .phase = ATTACH_LEAVING};

	(void)state;
	build(&g, "web", "a", "eth0");
	add(&g, "web", "n", "eth0", 0, GRAPH_NETD);
	graph_add(&g, &half, GRAPH_ENGINE);
	graph_add(&g, &leaving, GRAPH_ENGINE);
	graph_text(&g, false, false, &text);
	assert_non_null(strstr(text.p, "`- web  bridge, by netd\n   `- n eth0"));
	assert_non_null(strstr(text.p, "|  |- h eth0  half made\n"));
	assert_non_null(strstr(text.p, "|  `- l eth0  leaving\n"));
}

static void test_many_ports(void **state)
{
	CLEAN_GRAPH struct graph g = {0};
	CLEAN_BUF struct buf text = BUF_INIT, dot = BUF_INIT, svg = BUF_INIT;
	CLEAN_JSON json_t *doc = NULL;
	json_t *list;

	(void)state;
	add(&g, "web", "a", "eth0", GRAPH_PORTS + 1, GRAPH_ENGINE);
	graph_text(&g, false, false, &text);
	assert_null(strstr(text.p, "more"));
	add(&g, "web", "b", "eth0", GRAPH_PORTS + 5, GRAPH_ENGINE);
	graph_text(&g, false, false, &text);
	graph_dot(&g, &dot);
	graph_svg(&g, &svg);
	assert_non_null(strstr(text.p, "`- ... and 5 more\n"));
	assert_non_null(strstr(dot.p, "\\n... and 5 more\"];\n"));
	assert_non_null(strstr(svg.p, ">... and 5 more</text>\n"));
	doc = graph_json(&g);
	list = json_object_get(json_array_get(json_object_get(doc, "networks"), 0), "containers");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_array_size(json_object_get(json_array_get(list, 1), "published")),
			 GRAPH_PORTS + 5);
}

/* ---- names of an enemy ---- */

static const char *const enemy[] = {
	"\"];evil[label=\"",
	"\\\"];evil[label=\"",
	"\\",
	"x\\",
	"</text><script>alert(1)</script>",
	"\" onload=\"alert(1)",
	"&lt;b&gt;&#0;",
	"]]>",
	"<!--",
	"-->",
	"<![CDATA[",
	"a\nb];\nevil -> host",
	"\033[31m\033]0;t\007",
	"\xff\xfe\xc3\x28",
	"\xef\xbf\xbf",
	"'",
	"%s%n",
	"\t{}\r",
};
#define N_ENEMY (sizeof(enemy) / sizeof(enemy[0]))

/* What is left of DOT when each quoted string is one Q. */
static void dot_skeleton(const char *p, struct buf *out)
{
	for (; *p; p++) {
		if (*p != '"') {
			buf_add(out, p, 1);
			continue;
		}
		for (p++; *p != '"'; p++) {
			assert_true(*p >= 0x20 && *p < 0x7f);
			if (*p == '\\')
				p++;
			assert_true(*p);
		}
		buf_add(out, "Q", 1);
	}
}

/* What is left of XML without text, numbers and the values of widths. */
static void svg_skeleton(const char *p, struct buf *out)
{
	bool is_tag = false;

	for (; *p; p++) {
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
		if (*p == '<') {
			assert_false(is_tag);
			is_tag = true;
		}
		if (*p == '&') {
			assert_true(!is_tag);
			assert_true(!strncmp(p, "&amp;", 5) || !strncmp(p, "&lt;", 4) ||
				    !strncmp(p, "&gt;", 4) || !strncmp(p, "&quot;", 6) ||
				    !strncmp(p, "&#39;", 5));
		}
		if (is_tag && !(*p >= '0' && *p <= '9'))
			buf_add(out, p, 1);
		if (*p == '>') {
			assert_true(is_tag);
			is_tag = false;
		}
	}
}

static void test_enemy_dot(void **state)
{
	CLEAN_GRAPH struct graph good = {0};
	CLEAN_BUF struct buf drawn = BUF_INIT, wanted = BUF_INIT;

	(void)state;
	build(&good, "web", "a", "eth0");
	graph_dot(&good, &drawn);
	dot_skeleton(drawn.p, &wanted);
	for (size_t i = 0; i < N_ENEMY; i++) {
		CLEAN_GRAPH struct graph g = {0};
		CLEAN_BUF struct buf out = BUF_INIT, got = BUF_INIT;

		build(&g, enemy[i], enemy[(i + 1) % N_ENEMY], enemy[(i + 2) % N_ENEMY]);
		graph_dot(&g, &out);
		dot_skeleton(out.p, &got);
		assert_string_equal(got.p, wanted.p);
	}
}

static void test_enemy_svg(void **state)
{
	CLEAN_GRAPH struct graph good = {0};
	CLEAN_BUF struct buf drawn = BUF_INIT, wanted = BUF_INIT;

	(void)state;
	build(&good, "web", "a", "eth0");
	graph_svg(&good, &drawn);
	svg_skeleton(drawn.p, &wanted);
	for (size_t i = 0; i < N_ENEMY; i++) {
		CLEAN_GRAPH struct graph g = {0};
		CLEAN_BUF struct buf out = BUF_INIT, got = BUF_INIT;

		build(&g, enemy[i], enemy[(i + 1) % N_ENEMY], enemy[(i + 2) % N_ENEMY]);
		graph_svg(&g, &out);
		svg_skeleton(out.p, &got);
		assert_string_equal(got.p, wanted.p);
	}
}

static void test_enemy_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ENEMY; i++) {
		CLEAN_GRAPH struct graph g = {0};
		CLEAN_BUF struct buf out = BUF_INIT;
		CLEAN_JSON json_t *doc = NULL;
		size_t lines = 0;

		build(&g, enemy[i], enemy[(i + 1) % N_ENEMY], enemy[(i + 2) % N_ENEMY]);
		graph_text(&g, false, false, &out);
		for (const char *p = out.p; *p; p++) {
			assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
			lines += *p == '\n';
		}
		assert_int_equal(lines, 9);
		doc = graph_json(&g);
		assert_non_null(doc);
	}
}

/* ---- colours ---- */

static void test_colour(void **state)
{
	CLEAN_BUF struct buf out = BUF_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(style_has_colour(ends[1]));
	assert_false(style_has_lines(ends[1]));
	close(ends[0]);
	close(ends[1]);
	style_put(&out, false, STYLE_BAD, "ab", 4);
	style_put(&out, true, STYLE_PLAIN, "cd", 4);
	style_put(&out, true, STYLE_BAD, "ef", 4);
	style_put(&out, true, STYLE_BAD, "toolong", 4);
	assert_string_equal(out.p, "ab  cd  \033[31mef\033[0m  \033[31mtoolong\033[0m");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),       cmocka_unit_test(test_empty),
		cmocka_unit_test(test_hands),      cmocka_unit_test(test_many_ports),
		cmocka_unit_test(test_enemy_dot),  cmocka_unit_test(test_enemy_svg),
		cmocka_unit_test(test_enemy_text), cmocka_unit_test(test_colour),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util: what the tests of the CNI plugin share: cmocka with what it needs, configurations from text
 * with ' in place of ". */
#ifndef TESTS_CNI_UTIL_H
#define TESTS_CNI_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "cni-plugin/call.h"

/* A copy with ' turned into ". */
static inline char *quoted(const char *text)
{
	char *s = strdup(text);

	assert_non_null(s);
	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

/* Parses {"cniVersion":VERSION,"name":"web",REST}. */
static inline int parse_conf(const char *version, const char *rest, struct conf *c, struct fault *f)
{
	char *text;

	*c = (struct conf)CONF_INIT;
	assert_true(asprintf(&text, "{'cniVersion':'%s','name':'web'%s%s}", version,
			     *rest ? "," : "", rest) > 0);
	char *q = quoted(text);
	free(text);
	return conf_parse(q, strlen(q), c, f);
}

#define MUST_HAVE(text, part)                                                                      \
	do {                                                                                       \
		if (!strstr((text), (part)))                                                       \
			fail_msg("\"%s\" is not in \"%s\"", (part), (text));                       \
	} while (0)

#endif

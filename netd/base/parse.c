/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse: numbers from text, one text for each value: digits only and no leading zero, which other
 * programs read as octal. Nothing here depends on the locale or on errno.
 */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

int parse_u64_n(const char *s, size_t len, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	bool is_over = false;

	if (len == 0 || (len > 1 && s[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit;

		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		digit = (uint64_t)(s[i] - '0');
		/* Go on after an overflow: bytes that are no digits are -EINVAL wherever they are.
		 */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			is_over = true;
	}
	if (is_over || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	return parse_u64_n(s, strlen(s), min, max, ret);
}

int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, min, max, &v);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

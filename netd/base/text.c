/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text: the filter between foreign bytes and everything that prints. It never grows a text and
 * never changes printable ASCII. Well-formed UTF-8 passes (paths of people are not ASCII), see the
 * Unicode standard, table 3-7; escape sequences and torn characters do not.
 */
#include "base/text.h"

#include <stdint.h>

/* Length of the well-formed, printable character at s, or 0. */
static size_t char_len(const uint8_t *s, size_t left)
{
	uint8_t lo = 0x80, hi = 0xbf;
	size_t n;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (left < n)
		return 0;
	switch (s[0]) {
	case 0xc2: /* U+0080..U+009F are the C1 controls */
	case 0xe0: /* below: overlong */
		lo = 0xa0;
		break;
	case 0xed: /* above: surrogates */
		hi = 0x9f;
		break;
	case 0xf0:
		lo = 0x90;
		break;
	case 0xf4:
		hi = 0x8f;
		break;
	}
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

void text_clean(char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n = char_len((const uint8_t *)s + i, len - i);

		if (n == 0)
			s[i] = '?';
		i += n ? n : 1;
	}
}

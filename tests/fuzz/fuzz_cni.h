/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_cni: what the targets of the CNI plugin share: a configuration around the input, and what
 * must hold of a fault. */
#ifndef TESTS_FUZZ_FUZZ_CNI_H
#define TESTS_FUZZ_FUZZ_CNI_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni-plugin/conf.h"

#include "fuzz.h"

/* malloc'd, NUL-terminated: head, the input, tail. */
static inline char *fuzz_wrap(const char *head, const uint8_t *data, size_t size, const char *tail,
			      size_t *ret_len)
{
	size_t h = strlen(head), t = strlen(tail);
	char *text = malloc(h + size + t + 1);

	MUST(text);
	memcpy(text, head, h);
	memcpy(text + h, data, size);
	memcpy(text + h + size, tail, t + 1);
	*ret_len = h + size + t;
	return text;
}

/* Every failure has a code, and one line of text that JSON can hold. */
static inline void fuzz_fault(const struct fault *f)
{
	json_t *doc = result_fault_json(f, V110);

	MUST(f->code > 0 && f->msg[0] && doc);
	MUST(!strpbrk(f->msg, "\n\r\x1b") && !strpbrk(f->details, "\n\r\x1b"));
	json_decref(doc);
}

#endif

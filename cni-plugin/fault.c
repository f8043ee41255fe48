/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault: codes and texts of failures, and the one table from the engine's kinds to them. Prints
 * nothing. */
#include "cni-plugin/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int fault_set(struct fault *f, int code, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return -1;
	f->code = code;
	f->details[0] = 0;
	va_start(ap, fmt);
	vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
	va_end(ap);
	text_clean(f->msg, strlen(f->msg));
	return -1;
}

int fault_details(struct fault *f, const char *fmt, ...)
{
	va_list ap;

	if (!f)
		return -1;
	va_start(ap, fmt);
	vsnprintf(f->details, sizeof(f->details), fmt, ap);
	va_end(ap);
	text_clean(f->details, strlen(f->details));
	return -1;
}

int fault_err_as(struct fault *f, int code, const struct err *e)
{
	static const struct {
		int code;
		const char *msg;
	} titles[] = {
		{FAULT_PORT, "a host port is taken"},
		{FAULT_IFACE, "the interface exists"},
		{FAULT_MISMATCH, "the attachment differs from what was made"},
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].code == code) {
			fault_set(f, code, "%s", titles[i].msg);
			return fault_details(f, "%s", e->text);
		}
	return fault_set(f, code, "%s", e->text[0] ? e->text : err_kind_name(e->kind));
}

int fault_err(struct fault *f, const struct err *e)
{
	static const int codes[] = {
		[ERR_NONE] = FAULT_INTERNAL,     [ERR_USAGE] = FAULT_CONFIG,
		[ERR_DENIED] = FAULT_DENIED,     [ERR_CONFLICT] = FAULT_CONFIG,
		[ERR_ABSENT] = FAULT_INTERNAL,   [ERR_BUSY] = FAULT_AGAIN,
		[ERR_QUOTA] = FAULT_QUOTA,       [ERR_UNSUPPORTED] = FAULT_CONFIG,
		[ERR_KERNEL] = FAULT_INTERNAL,   [ERR_IO] = FAULT_IO,
		[ERR_PROTOCOL] = FAULT_INTERNAL, [ERR_INTERNAL] = FAULT_INTERNAL,
	};

	return fault_err_as(f, codes[e->kind], e);
}

void fault_gather(struct fault *into, const struct fault *from)
{
	size_t used;

	if (!into || !from->code)
		return;
	if (!into->code) {
		*into = *from;
		return;
	}
	used = strlen(into->details);
	snprintf(into->details + used, sizeof(into->details) - used, "%s%s%s%s", used ? "; " : "",
		 from->msg, from->details[0] ? ": " : "", from->details);
	text_clean(into->details, strlen(into->details));
}

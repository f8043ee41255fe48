/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: the memory behind the one growing part of an attachment, its published ports. Meaning
 * is checked elsewhere (publish, codec); here is only who frees what.
 */
#include "model/attachment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void attachment_clear(struct attachment *a)
{
	if (!a)
		return;
	free(a->publish);
	memset(a, 0, sizeof(*a));
}

void attachment_free(struct attachment *a)
{
	attachment_clear(a);
	free(a);
}

void attachment_freep(struct attachment **a)
{
	attachment_free(*a);
	*a = NULL;
}

int attachment_add_publish(struct attachment *a, const struct publish *p, size_t n, struct err *e)
{
	struct publish *list;

	if (n == 0)
		return 0;
	if (n > PUBLISH_MAX || a->n_publish > PUBLISH_MAX - n)
		return err_invalid(e, ERR_QUOTA, "more than %d published port runs for %s",
				   PUBLISH_MAX, a->id);
	list = realloc(a->publish, (a->n_publish + n) * sizeof(*list));
	if (!list)
		return err_sys(e, ENOMEM, "adding published ports");
	memcpy(list + a->n_publish, p, n * sizeof(*p));
	a->publish = list;
	a->n_publish += n;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment: the memory behind the growing parts of an attachment, and its list of addresses.
 * Meaning is checked elsewhere (publish, attach, codec); here is only who frees what.
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
	free(a->route);
	free(a->sysctl);
	free(a->alias);
	free(a->note);
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

const char *attach_phase_str(enum attach_phase phase)
{
	switch (phase) {
	case ATTACH_INTENT:
		return "half made";
	case ATTACH_COMMITTED:
		return "up";
	case ATTACH_LEAVING:
		return "leaving";
	}
	return "unknown";
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

size_t attachment_ips(const struct attachment *a, struct attach_ip ret[ATTACH_IP_MAX])
{
	bool placed[N_FAM] = {!a->addr[FAM4].ip.family, !a->addr[FAM6].ip.family};
	size_t n = 0, extra = 0;

	for (;;) {
		int f = FAM4;

		while (f < N_FAM && (placed[f] || a->position[f] > n))
			f++;
		/* No extra address left: what has its place further back comes now. */
		for (int g = FAM4; f == N_FAM && extra == a->n_extra && g < N_FAM; g++)
			if (!placed[g])
				f = g;
		if (f < N_FAM) {
			ret[n++] = (struct attach_ip){a->addr[f], a->gateway[f]};
			placed[f] = true;
		} else if (extra < a->n_extra) {
			ret[n++] = a->extra[extra++];
		} else {
			return n;
		}
	}
}

bool attachment_has_ip(const struct attachment *a, const struct ip *ip)
{
	for (int f = 0; f < N_FAM; f++)
		if (ip->family && ip_equal(&a->addr[f].ip, ip))
			return true;
	for (size_t i = 0; i < a->n_extra; i++)
		if (ip_equal(&a->extra[i].addr.ip, ip))
			return true;
	return false;
}

int attachment_add_ip(struct attachment *a, const struct attach_ip *ip, struct err *e)
{
	int f = ip_fam(&ip->addr.ip);
	size_t n = a->n_extra;

	for (int g = 0; g < N_FAM; g++)
		n += a->addr[g].ip.family != 0;
	if (attachment_has_ip(a, &ip->addr.ip))
		return err_invalid(e, ERR_USAGE, "the same address twice");
	if (!a->addr[f].ip.family) {
		a->addr[f] = ip->addr;
		a->gateway[f] = ip->gateway;
		a->position[f] = (uint8_t)n;
		return 0;
	}
	if (a->n_extra == ATTACH_EXTRA_MAX)
		return err_invalid(e, ERR_QUOTA, "more than %d addresses", ATTACH_IP_MAX);
	a->extra[a->n_extra++] = *ip;
	return 0;
}

int attachment_set_routes(struct attachment *a, const struct attach_route *r, size_t n,
			  struct err *e)
{
	struct attach_route *list = NULL;

	if (n > ATTACH_ROUTE_MAX)
		return err_invalid(e, ERR_QUOTA, "more than %d routes", ATTACH_ROUTE_MAX);
	if (n) {
		list = calloc(n, sizeof(*list));
		if (!list)
			return err_sys(e, ENOMEM, "routes");
		memcpy(list, r, n * sizeof(*list));
	}
	free(a->route);
	a->route = list;
	a->n_route = n;
	return 0;
}

int attachment_add_sysctls(struct attachment *a, const struct attach_sysctl *s, size_t n,
			   struct err *e)
{
	struct attach_sysctl *list;
	size_t have = a->n_sysctl;

	if (n == 0)
		return 0;
	/* A copy with room for one too many: what is there stays as it is when they do not fit. */
	list = calloc(ATTACH_SYSCTL_MAX + 1, sizeof(*list));
	if (!list)
		return err_sys(e, ENOMEM, "sysctls");
	if (have)
		memcpy(list, a->sysctl, have * sizeof(*list));
	for (size_t i = 0; i < n && have <= ATTACH_SYSCTL_MAX; i++) {
		size_t k = 0;

		while (k < have && strcmp(list[k].key, s[i].key) != 0)
			k++;
		list[k] = s[i];
		have += k == have;
	}
	if (have > ATTACH_SYSCTL_MAX) {
		free(list);
		return err_invalid(e, ERR_QUOTA, "more than %d sysctls", ATTACH_SYSCTL_MAX);
	}
	free(a->sysctl);
	a->sysctl = list;
	a->n_sysctl = have;
	return 0;
}

int attachment_set_aliases(struct attachment *a, const char *const *alias, size_t n, struct err *e)
{
	char(*list)[ALIAS_STRLEN] = NULL;

	if (n > ATTACH_ALIAS_MAX)
		return err_invalid(e, ERR_QUOTA, "more than %d aliases", ATTACH_ALIAS_MAX);
	for (size_t i = 0; i < n; i++)
		if (name_check_alias(alias[i], "alias", e) < 0)
			return -EINVAL;
	if (n) {
		list = calloc(n, sizeof(*list));
		if (!list)
			return err_sys(e, ENOMEM, "aliases");
	}
	for (size_t i = 0; i < n; i++)
		strcpy(list[i], alias[i]);
	free(a->alias);
	a->alias = list;
	a->n_alias = n;
	return 0;
}

int attachment_set_note(struct attachment *a, const char *note, struct err *e)
{
	char *copy = NULL;

	if (note && strlen(note) > ATTACH_NOTE_MAX)
		return err_invalid(e, ERR_QUOTA, "a note of more than %d bytes", ATTACH_NOTE_MAX);
	if (note) {
		copy = strdup(note);
		if (!copy)
			return err_sys(e, ENOMEM, "a note");
	}
	free(a->note);
	a->note = copy;
	return 0;
}

bool attachment_has_names(const struct attachment *a)
{
	return a->kind == ATTACH_VETH && !a->is_l2 &&
	       (a->resolver[FAM4].family || a->resolver[FAM6].family);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec_in: see codec_in.h. The rules for single values are those of the model (name, addr,
 * network); what is here is where in a document the value stands. */
#include "model/codec_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "model/codec.h"

int in_wrong(const struct in *in, const char *key)
{
	if (in->e)
		in->e->kind = ERR_PROTOCOL;
	return err_ctx(in->e, -EINVAL, "%s%s%s", in->path, *in->path && *key ? "." : "", key);
}

int in_bad(const struct in *in, const char *key, const char *what)
{
	return json_bad(in->path, key, in->e, what);
}

int in_str(const struct in *in, const char *key, enum json_need need, const char **ret)
{
	return json_get_str(in->obj, in->path, key, need, ret, in->e);
}

int in_u32(const struct in *in, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = json_get_u64(in->obj, in->path, key, JSON_REQUIRED, min, max, &v, in->e);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int in_opt_u32(const struct in *in, const char *key, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = json_get_u64(in->obj, in->path, key, JSON_OPTIONAL, min, max, &v, in->e);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int in_opt_u64(const struct in *in, const char *key, uint64_t *ret)
{
	return json_get_u64(in->obj, in->path, key, JSON_OPTIONAL, 0, INT64_MAX, ret, in->e);
}

int in_opt_bool(const struct in *in, const char *key, bool *ret)
{
	return json_get_bool(in->obj, in->path, key, JSON_OPTIONAL, ret, in->e);
}

int in_opt_arr(const struct in *in, const char *key, size_t max, json_t **ret, size_t *ret_n)
{
	int r = json_get_arr(in->obj, in->path, key, JSON_OPTIONAL, ret, in->e);

	*ret_n = r == 0 ? json_array_size(*ret) : 0;
	return r == 0 && *ret_n > max ? in_bad(in, key, "too many elements") : r;
}

int in_bool(const struct in *in, const char *key, bool *ret)
{
	return json_get_bool(in->obj, in->path, key, JSON_REQUIRED, ret, in->e);
}

int in_name(const struct in *in, const char *key, enum json_need need,
	    int (*check)(const char *, const char *, struct err *), char *ret, size_t size)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	if (check(s, "name", in->e) < 0)
		return in_wrong(in, key);
	snprintf(ret, size, "%s", s);
	return 0;
}

int in_mac(const struct in *in, const char *key, enum json_need need, struct mac *ret)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	return mac_parse(s, ret, in->e) < 0 ? in_wrong(in, key) : 0;
}

int in_ip(const struct in *in, const char *key, enum json_need need, struct ip *ret)
{
	const char *s;
	int r = in_str(in, key, need, &s);

	if (r != 0)
		return r;
	return ip_parse(s, ret, in->e) < 0 ? in_wrong(in, key) : 0;
}

int in_prefix(const struct in *in, const char *key, struct prefix *ret)
{
	const char *s;
	int r = in_str(in, key, JSON_REQUIRED, &s);

	if (r != 0)
		return r;
	return prefix_parse(s, ret, in->e) < 0 ? in_wrong(in, key) : 0;
}

int in_version(const struct in *in)
{
	char what[96];
	uint64_t v;
	int r = json_get_u64(in->obj, in->path, "version", JSON_REQUIRED, 0, INT64_MAX, &v, in->e);

	if (r < 0)
		return r;
	if (v == CODEC_VERSION)
		return 0;
	snprintf(what, sizeof(what), "this program reads version %d, found %" PRIu64, CODEC_VERSION,
		 v);
	return in_bad(in, "version", what);
}

int in_mode(const struct in *in, enum net_mode *ret_mode, char ret_bridge[IFNAME_STRLEN])
{
	const char *s;
	int r = in_str(in, "mode", JSON_REQUIRED, &s);

	if (r < 0)
		return r;
	if (net_mode_parse(s, ret_mode, in->e) < 0)
		return in_wrong(in, "mode");
	if (*ret_mode == NET_BRIDGE)
		return in_name(in, "bridge", JSON_REQUIRED, name_check_ifname, ret_bridge,
			       IFNAME_STRLEN);
	if (json_object_get(in->obj, "bridge"))
		return in_bad(in, "bridge", "a routed network has none");
	return 0;
}

int in_item(const struct in *in, json_t *arr, const char *key, size_t i, char path[PATH_STRLEN],
	    struct in *ret)
{
	snprintf(path, PATH_STRLEN, "%s[%zu]", key, i);
	*ret = (struct in){.obj = json_array_get(arr, i), .path = path, .e = in->e};
	if (!json_is_object(ret->obj))
		return in_bad(ret, "", "expected an object");
	return 0;
}

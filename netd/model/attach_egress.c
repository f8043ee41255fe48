/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach_egress: see attach_egress.h. */
#include "model/attach_egress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/parse.h"

#define TEXT_MAX (ATTACH_NAME_STRLEN + 16)
#define LABEL_MAX 63

bool attach_egress_is_only(const struct attach_egress *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->dest[i].is_denied)
			return true;
	return false;
}

bool attach_names_match(const char *pattern, const char *name)
{
	size_t n = strlen(name), tail;

	if (pattern[0] != '*')
		return pattern[0] && strcmp(pattern, name) == 0;
	tail = strlen(pattern + 1);
	return n > tail && strcmp(name + n - tail, pattern + 1) == 0;
}

bool attach_names_deny(const struct attach_egress *x, const struct attach_names *names,
		       const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->dest[i].is_denied && attach_names_match(names->name[i], name))
			return true;
	return false;
}

bool attach_egress_has_names(const struct attach_egress *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->dest[i].to.ip.family == 0)
			return true;
	return false;
}

static bool is_within(const struct attach_dest *d, const struct ip *dst, uint16_t port,
		      bool is_named)
{
	if (d->to.ip.family == 0)
		return is_named && (d->low == 0 || (d->low <= port && port <= d->high));
	return prefix_contains(&d->to, dst) && (d->low == 0 || (d->low <= port && port <= d->high));
}

bool attach_egress_allows(const struct attach_egress *x, const struct ip *dst, uint16_t port,
			  uint32_t named)
{
	bool is_listed = false;

	for (size_t i = 0; i < x->n; i++) {
		if (!is_within(&x->dest[i], dst, port, named >> i & 1))
			continue;
		if (x->dest[i].is_denied)
			return false;
		is_listed = true;
	}
	return is_listed || !attach_egress_is_only(x);
}

static bool is_same(const struct attach_dest *a, const struct attach_dest *b)
{
	return a->is_denied == b->is_denied && a->low == b->low && a->high == b->high &&
	       prefix_equal(&a->to, &b->to);
}

bool attach_egress_equal(const struct attach_egress *a, const struct attach_egress *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!is_same(&a->dest[i], &b->dest[i]))
			return false;
	return a->n == b->n;
}

bool attach_names_equal(const struct attach_names *a, const struct attach_names *b)
{
	for (size_t i = 0; i < ATTACH_DEST_MAX; i++)
		if (strcmp(a->name[i], b->name[i]) != 0)
			return false;
	return true;
}

/* RFC 6890: this network, loopback, link-local (metadata services among it), multicast and above.
 */
static bool is_far4(const uint8_t *b)
{
	return b[0] != 0 && b[0] != 127 && b[0] < 224 && !(b[0] == 169 && b[1] == 254);
}

/* RFC 4291: not multicast, link-local, ::/96 (which has ::1) and IPv4-mapped ones. */
static bool is_far6(const uint8_t *b)
{
	static const uint8_t zero[10];

	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	return memcmp(b, zero, sizeof(zero)) != 0 ||
	       !((b[10] == 0 && b[11] == 0) || (b[10] == 0xff && b[11] == 0xff));
}

bool attach_name_may_be(const struct ip *ip)
{
	return ip->family == AF_INET    ? is_far4(ip->b)
	       : ip->family == AF_INET6 ? is_far6(ip->b)
					: false;
}

/* Would both be elements of one set, and have a packet in common? */
static bool collides(const struct attach_dest *a, const struct attach_dest *b)
{
	if (a->to.ip.family == 0 || b->to.ip.family == 0)
		return false;
	if (a->is_denied != b->is_denied || (a->low == 0) != (b->low == 0) ||
	    a->to.ip.family != b->to.ip.family || !prefix_overlaps(&a->to, &b->to))
		return false;
	return a->low == 0 || (a->low <= b->high && b->low <= a->high);
}

static int check_dest(const struct attach_egress *x, size_t i, struct err *e)
{
	const struct attach_dest *d = &x->dest[i];
	struct prefix net = prefix_network(&d->to);
	char s[ATTACH_DEST_STRLEN], t[ATTACH_DEST_STRLEN];

	if (d->to.ip.family != 0 && !prefix_equal(&net, &d->to))
		return err_invalid(e, ERR_USAGE, "destination %s: host bits are set",
				   attach_dest_str(x, NULL, i, s));
	if (d->low > d->high || (d->low == 0 && d->high))
		return err_invalid(e, ERR_USAGE, "destination %s: ports",
				   attach_dest_str(x, NULL, i, s));
	for (size_t k = 0; k < i; k++)
		if (collides(d, &x->dest[k]))
			return err_invalid(e, ERR_USAGE, "destination %s overlaps %s",
					   attach_dest_str(x, NULL, i, s),
					   attach_dest_str(x, NULL, k, t));
	return 0;
}

/* Both may become addresses of one set, and the same address. */
static bool may_collide(const struct attach_dest *a, const struct attach_dest *b)
{
	if (a->to.ip.family != 0 || b->to.ip.family != 0 || a->low == 0 || b->low == 0 ||
	    (a->low == b->low && a->high == b->high))
		return false;
	return a->low <= b->high && b->low <= a->high;
}

static int check_names(const struct attach_egress *x, size_t i, struct err *e)
{
	const struct attach_dest *d = &x->dest[i];

	for (size_t k = 0; k < i; k++)
		if (may_collide(d, &x->dest[k]))
			return err_invalid(e, ERR_USAGE,
					   "ports %u-%u and %u-%u of names overlap: each name "
					   "takes the same ones, or others",
					   x->dest[k].low, x->dest[k].high, d->low, d->high);
	return 0;
}

int attach_egress_check(const struct attach_egress *x, struct err *e)
{
	for (size_t i = 0; i < x->n; i++)
		if (check_dest(x, i, e) < 0 || check_names(x, i, e) < 0)
			return -EINVAL;
	return 0;
}

static int parse_ports(char *s, struct attach_dest *d)
{
	char *dash = strchr(s, '-');
	uint32_t low, high;

	if (dash)
		*dash = '\0';
	if (parse_u32(s, 1, UINT16_MAX, &low) < 0 ||
	    parse_u32(dash ? dash + 1 : s, low, UINT16_MAX, &high) < 0)
		return -EINVAL;
	d->low = (uint16_t)low;
	d->high = (uint16_t)high;
	return 0;
}

static int parse_prefix(const char *s, struct prefix *ret)
{
	if (strchr(s, '/'))
		return prefix_parse(s, ret, NULL);
	if (ip_parse(s, &ret->ip, NULL) < 0)
		return -EINVAL;
	ret->len = ip_fam(&ret->ip) == FAM4 ? 32 : 128;
	return 0;
}

/* Cuts the text into prefix and ports (NULL: none). */
static int split(char *s, char **ret_prefix, char **ret_ports)
{
	char *colon = strchr(s, ':'), *end;

	*ret_prefix = s;
	*ret_ports = NULL;
	if (s[0] == '[') {
		end = strchr(s, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*end = '\0';
		*ret_prefix = s + 1;
		*ret_ports = end[1] ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*ret_ports = colon + 1;
	}
	return 0;
}

/* One label of a name, in lower case; n: its length so far. */
static bool is_label_char(char c, size_t n)
{
	if (n >= LABEL_MAX)
		return false;
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c == '-' && n > 0);
}

/* Labels with dots between them (RFC 1123 2.1, and `_` as services have it). A last one of digits
 * alone is an address that was meant. */
static int parse_name(const char *s, char out[ATTACH_NAME_STRLEN])
{
	const char *at = strncmp(s, "*.", 2) == 0 ? s + 2 : s;
	size_t len = strlen(s), n = 0, n_digits = 0;

	if (len >= ATTACH_NAME_STRLEN)
		return -EINVAL;
	memcpy(out, s, len + 1);
	for (size_t i = 0; i < len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] + ('a' - 'A'));
	for (size_t i = (size_t)(at - s); i < len; i++) {
		if (out[i] == '.') {
			if (n == 0 || out[i - 1] == '-')
				return -EINVAL;
			n = n_digits = 0;
			continue;
		}
		if (!is_label_char(out[i], n))
			return -EINVAL;
		n++;
		n_digits += out[i] >= '0' && out[i] <= '9';
	}
	return n == 0 || out[len - 1] == '-' || n_digits == n ? -EINVAL : 0;
}

static int wrong(const char *s, bool has_names, bool is_denied, struct err *e)
{
	return err_invalid(e, ERR_USAGE, "\"%.80s\": expected %s or %s:PORT[-PORT]", s,
			   has_names ? "PREFIX, NAME" : "PREFIX",
			   has_names && !is_denied ? "either" : "PREFIX");
}

int attach_egress_parse(const char *s, bool is_denied, struct attach_egress *into,
			struct attach_names *names, struct err *e)
{
	struct attach_dest d = {.is_denied = is_denied};
	char copy[TEXT_MAX], *prefix, *ports;
	size_t len = strlen(s);

	if (into->n == ATTACH_DEST_MAX)
		return err_set(e, ERR_QUOTA, 0, "more than %d destinations", ATTACH_DEST_MAX);
	if (len >= sizeof(copy))
		return err_invalid(e, ERR_USAGE, "a destination of %zu characters", len);
	memcpy(copy, s, len + 1);
	if (split(copy, &prefix, &ports) < 0 || (ports && parse_ports(ports, &d) < 0))
		return wrong(s, names, is_denied, e);
	if (names)
		memset(names->name[into->n], 0, ATTACH_NAME_STRLEN);
	if (parse_prefix(prefix, &d.to) < 0) {
		d.to = (struct prefix){.len = 0};
		if (!names || (is_denied && ports) || prefix != copy ||
		    parse_name(prefix, names->name[into->n]) < 0)
			return wrong(s, names, is_denied, e);
	}
	into->dest[into->n] = d;
	if (check_dest(into, into->n, e) < 0)
		return -EINVAL;
	into->n++;
	return 0;
}

int attach_egress_parse_list(const char *s, bool is_denied, struct attach_egress *into,
			     struct attach_names *names, struct err *e)
{
	char one[TEXT_MAX];

	for (;;) {
		size_t len = strcspn(s, ",");

		if (len >= sizeof(one))
			return err_invalid(e, ERR_USAGE, "a destination of %zu characters", len);
		memcpy(one, s, len);
		one[len] = '\0';
		if (attach_egress_parse(one, is_denied, into, names, e) < 0)
			return -EINVAL;
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

const char *attach_dest_str(const struct attach_egress *x, const struct attach_names *names,
			    size_t i, char out[ATTACH_DEST_STRLEN])
{
	const struct attach_dest *d = &x->dest[i];
	bool in_brackets = d->low && d->to.ip.family && ip_fam(&d->to.ip) == FAM6;
	char s[PREFIX_STRLEN], ports[16] = "";
	const char *to = d->to.ip.family ? prefix_str(&d->to, s) : names ? names->name[i] : "";

	if (d->low && d->low == d->high)
		snprintf(ports, sizeof(ports), ":%u", d->low);
	else if (d->low)
		snprintf(ports, sizeof(ports), ":%u-%u", d->low, d->high);
	snprintf(out, ATTACH_DEST_STRLEN, "%s%s%s%s", in_brackets ? "[" : "", to,
		 in_brackets ? "]" : "", ports);
	return out;
}

const char *attach_egress_str(const struct attach_egress *x, const struct attach_names *names,
			      bool is_denied, char out[ATTACH_EGRESS_STRLEN])
{
	char s[ATTACH_DEST_STRLEN];
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < x->n; i++)
		if (x->dest[i].is_denied == is_denied)
			at += (size_t)snprintf(out + at, ATTACH_EGRESS_STRLEN - at, "%s%s",
					       at ? "," : "", attach_dest_str(x, names, i, s));
	return out;
}

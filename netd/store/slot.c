/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slot: names of port claims, and the question whether a claim found on disk is still good.
 * Decides, but changes nothing.
 */
#include "store/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "model/name.h"

static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

void slot_of(const struct publish *p, int f, struct slot *ret)
{
	*ret = (struct slot){
		.proto = p->proto,
		.fam = f,
		.is_range = publish_is_interval(p),
		.first = p->host_port,
		.last = (uint16_t)(p->host_port + p->count - 1),
	};
	if (p->host_ip.family != 0 && !ip_is_any(&p->host_ip))
		ret->host = p->host_ip;
}

bool slot_overlaps(const struct slot *a, const struct slot *b)
{
	return a->proto == b->proto && a->fam == b->fam && a->first <= b->last &&
	       b->first <= a->last &&
	       (a->host.family == 0 || b->host.family == 0 || ip_equal(&a->host, &b->host));
}

const char *slot_str(const struct slot *sl, char out[SLOT_STRLEN])
{
	char host[IP_STRLEN] = "", ports[16];

	if (sl->first == sl->last)
		snprintf(ports, sizeof(ports), "%u", sl->first);
	else
		snprintf(ports, sizeof(ports), "%u-%u", sl->first, sl->last);
	if (sl->host.family == 0)
		snprintf(out, SLOT_STRLEN, "port %s/%s (IPv%c)", ports, proto_str(sl->proto),
			 sl->fam == FAM4 ? '4' : '6');
	else
		snprintf(out, SLOT_STRLEN, sl->fam == FAM4 ? "port %s:%s/%s" : "port [%s]:%s/%s",
			 ip_str(&sl->host, host), ports, proto_str(sl->proto));
	return out;
}

void slot_port_name(const struct slot *sl, uint16_t port, char out[SLOT_STRLEN])
{
	snprintf(out, SLOT_STRLEN, "%s.%c.%u", proto_str(sl->proto), sl->fam == FAM4 ? '4' : '6',
		 port);
}

void slot_range_name(const struct slot *sl, char out[SLOT_STRLEN])
{
	char host[IP_STRLEN];

	snprintf(out, SLOT_STRLEN, "%s.%c.%u-%u.%s", proto_str(sl->proto),
		 sl->fam == FAM4 ? '4' : '6', sl->first, sl->last,
		 sl->host.family ? ip_str(&sl->host, host) : "any");
}

/* "tcp.4." at *s; moves *s behind it. */
static int parse_head(const char **s, struct slot *ret)
{
	const char *dot = strchr(*s, '.');
	size_t len = dot ? (size_t)(dot - *s) : 0;

	for (size_t i = 0; dot && i < sizeof(protos); i++) {
		const char *p = proto_str(protos[i]);

		if (strlen(p) != len || memcmp(p, *s, len) != 0)
			continue;
		if ((dot[1] != '4' && dot[1] != '6') || dot[2] != '.')
			return -EINVAL;
		ret->proto = protos[i];
		ret->fam = dot[1] == '4' ? FAM4 : FAM6;
		*s = dot + 3;
		return 0;
	}
	return -EINVAL;
}

static int parse_port(const char *s, size_t len, uint16_t *ret)
{
	uint64_t v;

	if (parse_u64_n(s, len, 1, 65535, &v) < 0 || (len > 1 && s[0] == '0'))
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* Of family fam, a single address, and written as we write it. */
static int parse_host(const char *s, int fam, struct ip *ret)
{
	char again[IP_STRLEN];

	if (ip_parse(s, ret, NULL) < 0 || ip_fam(ret) != fam || ip_is_any(ret) ||
	    strcmp(ip_str(ret, again), s) != 0)
		return -EINVAL;
	return 0;
}

int slot_parse_port(const char *name, const char *inner, struct slot *ret)
{
	struct slot sl = {0};

	if (parse_head(&name, &sl) < 0 || parse_port(name, strlen(name), &sl.first) < 0)
		return -EINVAL;
	sl.last = sl.first;
	if (inner && parse_host(inner, sl.fam, &sl.host) < 0)
		return -EINVAL;
	*ret = sl;
	return 0;
}

int slot_parse_range(const char *name, struct slot *ret)
{
	struct slot sl = {.is_range = true};
	const char *minus, *dot;

	if (parse_head(&name, &sl) < 0)
		return -EINVAL;
	minus = strchr(name, '-');
	dot = minus ? strchr(minus, '.') : NULL;
	if (!dot || parse_port(name, (size_t)(minus - name), &sl.first) < 0 ||
	    parse_port(minus + 1, (size_t)(dot - minus - 1), &sl.last) < 0 || sl.first > sl.last)
		return -EINVAL;
	if (strcmp(dot + 1, "any") != 0 && parse_host(dot + 1, sl.fam, &sl.host) < 0)
		return -EINVAL;
	*ret = sl;
	return 0;
}

static bool is_key(const char *s)
{
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];

	return name_parse_key(s, id, ifname) == 0;
}

int owner_read(int dirfd, const char *name, char ret[KEY_STRLEN], struct err *e)
{
	char target[KEY_STRLEN + 1];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0 && errno == ENOENT)
		return 1;
	if (n < 0 && errno == EINVAL) {
		struct stat st;

		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 1 : err_sys(e, errno, "cannot look at it");
		if (S_ISDIR(st.st_mode))
			return OWNER_DIR;
		return err_set(e, ERR_PROTOCOL, 0, "not a symbolic link");
	}
	if (n < 0)
		return err_sys(e, errno, "cannot read the link");
	if ((size_t)n >= KEY_STRLEN)
		n = 0; /* longer than any key */
	target[n] = 0;
	memcpy(ret, is_key(target) ? target : "", is_key(target) ? (size_t)n + 1 : 1);
	return 0;
}

enum owner_state owner_state(struct store *s, const char *key, struct attachment **ret)
{
	char id[ID_STRLEN], ifname[IFNAME_STRLEN];
	int r;

	if (name_parse_key(key, id, ifname) < 0)
		return OWNER_DEAD;
	if (guard_key_is_busy(s, key))
		return OWNER_LIVE;
	r = store_get_attachment(s, id, ifname, ret, NULL);
	if (r > 0)
		return OWNER_DEAD;
	return r < 0 ? OWNER_LIVE : OWNER_RECORD;
}

bool owner_lists_addr(const struct attachment *a, const struct ip *ip)
{
	return attachment_has_ip(a, ip);
}

bool owner_lists_slot(const struct attachment *a, const struct slot *sl)
{
	for (size_t i = 0; i < a->n_publish; i++) {
		const struct publish *p = &a->publish[i];
		struct slot own;

		if (!publish_covers(p, sl->fam))
			continue;
		slot_of(p, sl->fam, &own);
		if (own.proto != sl->proto || own.is_range != sl->is_range ||
		    !ip_equal(&own.host, &sl->host))
			continue;
		if (sl->is_range ? own.first == sl->first && own.last == sl->last
				 : own.first <= sl->first && sl->last <= own.last)
			return true;
	}
	return false;
}

int owner_check_call(const struct store *s, const char *key, struct err *e)
{
	if (!s->is_locked)
		return err_set(e, ERR_INTERNAL, EPERM, "claims need the global lock");
	if (key && !is_key(key))
		return err_set(e, ERR_INTERNAL, EINVAL, "'%s' is no attachment's key", key);
	return 0;
}

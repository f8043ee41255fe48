/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world: see world.h. Everything made here goes with the process's namespaces. */
#include "world.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

struct err err;

int host_enter(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "size=8m") < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		perror("new namespaces");
		return -1;
	}
	if (!sh("ip link set lo up"))
		return -1;
	for (unsigned int i = 0; i < N_CTR; i++)
		if (!sh("ip netns add c%u", i))
			return -1;
	return 0;
}

int host_is_clean(void **state)
{
	(void)state;
	if (sh("test ! -e /run/netd && test -z \"$(ip -o link | grep -v ' lo:')\" && "
	       "test -z \"$(nft list tables)\""))
		return 0;
	sh("ls -R /run/netd; ip -o link; nft list tables");
	for (unsigned int i = 0; i < N_CTR; i++) /* the next test begins on a clean host */
		down(i);
	sh("for l in $(ip -o link | cut -d: -f2 | cut -d@ -f1); do ip link del $l; done");
	return -1;
}

int ctr_fd(unsigned int i)
{
	static int fds[N_CTR];
	char path[32];

	snprintf(path, sizeof(path), "/run/netns/c%u", i);
	if (fds[i] > 0)
		close(fds[i]);
	fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fds[i] >= 0);
	return fds[i];
}

void ctr_renew(unsigned int i)
{
	MUST("ip netns del c%u && ip netns add c%u", i, i);
	ctr_fd(i);
}

bool sh(const char *fmt, ...)
{
	char cmd[1024], line[1100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "{ %s; } >&2", cmd);
	return system(line) == 0;
}

static struct ip ip_of(const char *s)
{
	struct ip ip = {0};

	if (s)
		OK(ip_parse(s, &ip, &err));
	return ip;
}

static struct prefix prefix_of(const char *s)
{
	struct prefix p = {0};

	OK(prefix_parse(s, &p, &err));
	return p;
}

void want_init(struct want *w, unsigned int i)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->id, sizeof(w->id), "c%u", i);
	strcpy(w->net.name, "web");
	w->net.is_spec = w->net.is_gateway = w->net.masquerade = true;
	strcpy(w->net.bridge, "br-web");
	w->req = (struct up_request){.id = w->id,
				     .ifname = "eth0",
				     .network = w->net.name,
				     .netns_fd = ctr_fd(i),
				     .netns_path = "",
				     .net_spec = &w->net,
				     .set = w->set,
				     .want = w->asked,
				     .given = w->given,
				     .route = w->route,
				     .sysctl = w->sysctl,
				     .publish = w->publish,
				     .is_default_route = {true, true}};
}

void want_set(struct want *w, const char *subnet)
{
	struct addr_set *s = &w->set[w->req.n_set++];

	s->r[s->n++].subnet = prefix_of(subnet);
	OK(pool_complete(w->set, w->req.n_set, &err));
}

void want_given(struct want *w, const char *addr, const char *gateway)
{
	w->given[w->req.n_given++] =
		(struct attach_ip){.addr = prefix_of(addr), .gateway = ip_of(gateway)};
}

void want_ip(struct want *w, const char *ip)
{
	w->asked[w->req.n_want++] = ip_of(ip);
}

struct attach_route *want_route(struct want *w, const char *dst, const char *gw)
{
	struct attach_route *r = &w->route[w->req.n_route++];

	*r = (struct attach_route){.dst = prefix_of(dst), .gw = ip_of(gw)};
	return r;
}

void want_sysctl(struct want *w, const char *key, const char *value)
{
	OK(attach_sysctl_parse(key, value, w->req.ifname, &w->sysctl[w->req.n_sysctl++], &err));
}

void want_publish(struct want *w, const char *spec)
{
	OK(publish_parse(spec, &w->publish[w->req.n_publish++], &err));
}

struct engine *open_engine(void)
{
	struct engine *g = NULL;

	OK(engine_open(NULL, false, &g, &err));
	return g;
}

int up(const struct want *w, struct attachment **ret)
{
	CLEAN_ATTACHMENT struct attachment *a = NULL;
	CLEAN_ENGINE struct engine *g = open_engine();
	int r = engine_up(g, &w->req, &a, &err);

	if (r >= 0 && ret) {
		*ret = a;
		a = NULL;
	}
	return r;
}

int down(unsigned int i)
{
	CLEAN_ENGINE struct engine *g = open_engine();
	char id[8];

	snprintf(id, sizeof(id), "c%u", i);
	return engine_down(g, id, "eth0", &err);
}

int check(unsigned int i)
{
	CLEAN_ENGINE struct engine *g = open_engine();
	CLEAN_BUF struct buf out = BUF_INIT;
	char id[8];

	snprintf(id, sizeof(id), "c%u", i);
	int r = engine_check(g, id, "eth0", ctr_fd(i), &out, &err);
	if (r > 0)
		fprintf(stderr, "check: %s", out.p);
	return r;
}

const char *addr_of(const struct attachment *a, size_t i)
{
	static char s[PREFIX_STRLEN];
	struct attach_ip list[ATTACH_IP_MAX];

	assert_true(i < attachment_ips(a, list));
	return prefix_str(&list[i].addr, s);
}

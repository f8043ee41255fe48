/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: the order of the steps. The worker's user namespace has no id mapped: nothing in it can
 * be owned or become anybody, and the host's number stays what it was, which is what sockets are
 * accounted to. Where user namespaces are denied the worker runs in the host's, with all other
 * steps; --sandbox=strict refuses that. Read user_namespaces(7), landlock(7).
 */
#include "proc/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/log.h"
#include "proc/filters.h"
#include "sys/confine.h"

#define NAMESPACES                                                                                 \
	((unsigned long)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |               \
			 CLONE_NEWPID | CLONE_NEWCGROUP))

/* What this kernel does not have: an error when it was asked for strictly; else it is as it is, and
 * no news to anybody. */
static int lacks(enum sandbox_mode mode, const char *what, struct err *e)
{
	if (mode == SANDBOX_STRICT)
		return err_invalid(e, ERR_UNSUPPORTED, "--sandbox=strict: %s", what);
	log_debug("sandbox: %s", what);
	return 0;
}

int sandbox_prepare(enum sandbox_mode mode, const struct worker_config *c, struct sandbox *ret,
		    struct err *e)
{
	bool may_bind = c->policy.outbound[FAM4].family || c->policy.outbound[FAM6].family;
	const struct filter_spec spec = filters_worker(may_bind);
	const struct confine nobody = {.uid = CONFINE_NOBODY, .gid = CONFINE_NOBODY};
	const char *step;
	struct sandbox s = {
		.mode = mode,
		.has_namespaces = mode != SANDBOX_OFF,
		.may_bind = may_bind,
		.may_write = c->is_pcap,
		.n_files = (rlim_t)c->tcp_max + c->udp_max + c->ping_max + 3 * c->local_max +
			   PORTS_MAX + SANDBOX_FILES,
	};
	int r = 0;

	if (mode == SANDBOX_OFF) {
		*ret = s;
		return 0;
	}
	if (sandbox_landlock_abi() < SANDBOX_LANDLOCK_NET)
		r = lacks(mode,
			  sandbox_landlock_abi() < 1 ? "this kernel has no Landlock"
						     : "this kernel's Landlock knows no TCP ports",
			  e);
	if (r == 0)
		r = filter_compile(&spec, &s.filter, e);
	/* What a zygote needs no longer. A worker's own user namespace gives it all capabilities
	 * there, to be dropped once more; where there is none, this is what holds. */
	if (r == 0 && (r = confine_drop_power(&nobody, &step)) < 0)
		r = err_sys(e, -r, "sandbox of the zygote: %s", step);
	if (r == 0)
		*ret = s;
	else
		filter_free(&s.filter);
	return r;
}

unsigned long sandbox_clone_flags(const struct sandbox *s)
{
	return s->has_namespaces ? NAMESPACES : 0;
}

bool sandbox_without_namespaces(struct sandbox *s, int sys)
{
	/* What user_namespaces(7) and the limits of the host answer; memory is another matter. */
	if (!s->has_namespaces || s->mode != SANDBOX_ON ||
	    (sys != EPERM && sys != EACCES && sys != ENOSPC && sys != EUSERS && sys != EINVAL &&
	     sys != ENOSYS))
		return false;
	s->has_namespaces = false;
	return true;
}

static int enter_root(const struct sandbox *s)
{
	int r = s->has_namespaces ? sandbox_pivot_void() : -EPERM;

	/* Security modules let some users have namespaces, but nothing in them. Without an empty
	 * root no file can be opened all the same: Landlock and the filter see to that. */
	if ((r == -EPERM || r == -EACCES) && s->mode == SANDBOX_ON) {
		(void)dprintf(2, "sandbox: the root directory stays the host's, out of reach\n");
		return 0;
	}
	return r;
}

int sandbox_enter(const struct sandbox *s, const char **ret_step)
{
	const struct sandbox_paths allow = {.may_bind_any = s->may_bind};
	const struct confine c = {
		.n_files = s->n_files,
		.may_write = s->may_write,
		.paths = &allow,
		.filter = &s->filter,
	};
	int r;

	if (s->mode == SANDBOX_OFF)
		return 0;
	*ret_step = "empty root";
	r = enter_root(s);
	return r < 0 ? r : confine_enter(&c, ret_step);
}

/* The directory of path into out. */
static const char *directory_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);

	if (n == 0 || n >= size)
		return ".";
	memcpy(out, path, n);
	out[n] = '\0';
	return out;
}

int sandbox_supervisor(enum sandbox_mode mode, const char *const *resolv_dirs, const char *api,
		       struct err *e)
{
	const struct filter_spec spec = filters_supervisor();
	struct filter filter = {0};
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *removable[] = {api ? directory_of(api, dir, sizeof(dir)) : NULL, NULL};
	const struct sandbox_paths allow = {
		.readable = resolv_dirs, .removable = removable, .only_files = true};
	int r;

	if (mode == SANDBOX_OFF)
		return 0;
	r = filter_compile(&spec, &filter, e);
	if (r < 0)
		return r;
	r = sandbox_drop_bounding(0);
	/* Root's: ports below 1024 are published by request, too. */
	if (r == 0)
		r = sandbox_drop_capabilities(1ULL << CAP_NET_BIND_SERVICE);
	if (r == 0)
		r = sandbox_forbid_gains();
	if (r == 0)
		r = sandbox_landlock(&allow);
	if (r == 0)
		r = filter_load(&filter);
	filter_free(&filter);
	return r < 0 ? err_sys(e, -r, "sandbox of the supervisor") : 0;
}

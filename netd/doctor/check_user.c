/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_user: PURE. What keeps ordinary users from networks of their own (slirp-lite). */

#include "doctor/facts.h"
#include "doctor/finding.h"

/* Root sees it coming for others: not an error of his. */
static enum severity severity_of(const struct facts *f)
{
	return f->is_powerful ? SEVERITY_WARNING : SEVERITY_ERROR;
}

static void check_ping(const struct facts *f, struct findings *out)
{
	bool is_in = f->is_powerful && f->ping_low <= f->ping_high;

	for (size_t i = 0; !f->is_powerful && i < f->n_gid; i++)
		is_in = is_in || (f->gid[i] >= f->ping_low && f->gid[i] <= f->ping_high);
	if (is_in)
		return;
	struct finding *to = findings_add(out, SEVERITY_WARNING, "ping");
	buf_printf(&to->what, "ping does not work from containers of %s",
		   f->is_powerful ? "ordinary users" : "yours");
	buf_printf(&to->evidence, "net.ipv4.ping_group_range is %u to %u", f->ping_low,
		   f->ping_high);
	finding_sysctl(to, "net/ipv4/ping_group_range", "0 2147483647");
}

static void check_tun(const struct facts *f, struct findings *out)
{
	struct finding *to;

	if (f->tun == TUN_ABSENT) {
		to = findings_add(out, severity_of(f), "tun");
		buf_printf(&to->what, "slirp-lite cannot make its tap");
		buf_printf(&to->evidence, "/dev/net/tun is not there");
		buf_printf(&to->remedy, "modprobe tun && mkdir -p /dev/net && mknod -m 0666 "
					"/dev/net/tun c 10 200");
		to->fix.kind = FIX_TUN;
	} else if (f->tun == TUN_DENIED) {
		to = findings_add(out, severity_of(f), "tun");
		buf_printf(&to->what, "%s cannot make taps, which slirp-lite needs",
			   f->is_powerful ? "ordinary users" : "you");
		buf_printf(&to->evidence, "/dev/net/tun has mode %04o", f->tun_mode);
		buf_printf(&to->remedy, "chmod 0666 /dev/net/tun");
		to->fix.kind = FIX_TUN;
	}
}

static void check_userns(const struct facts *f, struct findings *out)
{
	struct finding *to;

	if (f->max_userns == 0) {
		to = findings_add(out, severity_of(f), "userns-max");
		buf_printf(&to->what, "nobody can make a user namespace");
		buf_printf(&to->evidence, "user.max_user_namespaces is 0");
		finding_sysctl(to, "user/max_user_namespaces", "15000");
	}
	if (f->userns_clone == 0) {
		to = findings_add(out, severity_of(f), "userns-clone");
		buf_printf(&to->what, "ordinary users cannot make user namespaces");
		buf_printf(&to->evidence, "kernel.unprivileged_userns_clone is 0");
		finding_sysctl(to, "kernel/unprivileged_userns_clone", "1");
	}
	if (f->apparmor_userns == 1 && !f->has_profile) {
		to = findings_add(out, severity_of(f), "userns-apparmor");
		buf_printf(&to->what, "ordinary users have no power in the user namespaces that "
				      "they make");
		buf_printf(&to->evidence,
			   "kernel.apparmor_restrict_unprivileged_userns is 1, and no profile "
			   "for netns-up and slirp-lite is loaded");
		buf_printf(&to->remedy,
			   "apparmor_parser -r " NETNS_UP_SYSCONFDIR
			   "/apparmor.d/netns-up " NETNS_UP_SYSCONFDIR "/apparmor.d/slirp-lite");
	}
}

static void check_subids(const struct facts *f, struct findings *out)
{
	const char *name = f->user[0] ? f->user : "NAME";
	struct finding *to;

	if (!f->has_subuid || !f->has_subgid) {
		to = findings_add(out, SEVERITY_WARNING, "subids");
		buf_printf(&to->what, "there is one user id alone in your containers");
		buf_printf(&to->evidence, "no range for %s in %s", name,
			   !f->has_subuid ? "/etc/subuid" : "/etc/subgid");
		buf_printf(&to->remedy, "usermod%s%s %s",
			   f->has_subuid ? "" : " --add-subuids 100000-165535",
			   f->has_subgid ? "" : " --add-subgids 100000-165535", name);
	} else if (!f->has_newuidmap || !f->has_newgidmap) {
		to = findings_add(out, SEVERITY_WARNING, "newuidmap");
		buf_printf(&to->what, "there is one user id alone in your containers");
		buf_printf(&to->evidence, "the program %s is missing, or has no privilege",
			   f->has_newuidmap ? "newgidmap" : "newuidmap");
		buf_printf(&to->remedy, "install the package uidmap (shadow-utils)");
	}
}

void check_user(const struct facts *f, struct findings *out)
{
	if (!f->has_user)
		return;
	check_userns(f, out);
	check_tun(f, out);
	check_ping(f, out);
	/* Where there is no name for it, there is nothing to be given. */
	if (!f->is_powerful && f->uid != 0)
		check_subids(f, out);
}

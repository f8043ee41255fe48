/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_host: PURE. Who asks and what he may, what the kernel has, and our own tables. */
#include <string.h>

#include "doctor/facts.h"
#include "doctor/finding.h"

void check_who(const struct facts *f, struct findings *out)
{
	struct finding *to;

	if (f->uid == 0 && !f->is_powerful && !f->is_nested) {
		to = findings_add(out, SEVERITY_ERROR, "capabilities");
		buf_printf(&to->what, "root may not change the network here");
		buf_printf(&to->evidence, "CAP_NET_ADMIN or CAP_SYS_ADMIN is missing");
		buf_printf(&to->remedy, "give the process both (a container engine: "
					"--cap-add=NET_ADMIN,SYS_ADMIN), or use netns-up as an "
					"ordinary user");
	}
	if (f->is_nested && f->uid == 0 && !f->is_powerful) {
		to = findings_add(out, SEVERITY_NOTE, "nested");
		buf_printf(&to->what, "this is root of a user namespace in a network that is not "
				      "its own: containers get their network from slirp-lite");
		buf_printf(&to->evidence, "the network namespace belongs to a user namespace "
					  "outside");
		buf_printf(&to->remedy, "unshare --net, or rootlesskit --net, gives a network of "
					"one's own");
	}
	if (f->is_nested && f->is_powerful) {
		to = findings_add(out, SEVERITY_NOTE, "nested");
		buf_printf(&to->what, "from a user namespace no kernel module is loaded by name, "
				      "no device made and no limit above one's own raised");
		buf_printf(&to->evidence, "/proc/self/ns/user is not the first one");
		buf_printf(&to->remedy, "do that outside, where it is wanted");
	}
	if (f->is_proc_read_only) {
		to = findings_add(out, SEVERITY_ERROR, "proc-sys");
		buf_printf(&to->what, "forwarding cannot be switched on");
		buf_printf(&to->evidence, "/proc/sys/net cannot be written");
		buf_printf(&to->remedy, "mount -o remount,bind,rw /proc/sys (a container engine: "
					"--privileged, or --security-opt systempaths=unconfined)");
	}
}

void check_kernel(const struct facts *f, struct findings *out)
{
	static const struct {
		const char *what, *option, *module;
	} features[N_FEATURES] = {
		[FEATURE_NETNS] = {"network namespaces", "CONFIG_NET_NS", NULL},
		[FEATURE_VETH] = {"veth pairs", "CONFIG_VETH", "veth"},
		[FEATURE_BRIDGE] = {"bridges", "CONFIG_BRIDGE", "bridge"},
		[FEATURE_NFT_INET] = {"nftables for IPv4 and IPv6", "CONFIG_NF_TABLES_INET",
				      "nf_tables"},
		[FEATURE_NFT_BRIDGE] = {"nftables for bridges", "CONFIG_NF_TABLES_BRIDGE",
					"nf_tables"},
		[FEATURE_NFT_NAT] = {"translated addresses", "CONFIG_NFT_NAT", "nft_chain_nat"},
		[FEATURE_NFT_MASQ] = {"masquerading", "CONFIG_NFT_MASQ", "nft_masq"},
		[FEATURE_NFT_FIB] = {"look-ups of local addresses", "CONFIG_NFT_FIB_INET",
				     "nft_fib_inet"},
		[FEATURE_NFT_CT] = {"rules about connections", "CONFIG_NFT_CT", "nft_ct"},
		[FEATURE_TUN] = {"taps", "CONFIG_TUN", "tun"},
		[FEATURE_USERNS] = {"user namespaces", "CONFIG_USER_NS", NULL},
		[FEATURE_IPV6] = {"IPv6", "CONFIG_IPV6", "ipv6"},
	};

	for (int i = 0; i < N_FEATURES; i++) {
		if (!f->is_tried[i] || !f->missing[i])
			continue;
		struct finding *to = findings_add(
			out, i == FEATURE_IPV6 ? SEVERITY_WARNING : SEVERITY_ERROR, "kernel");
		buf_printf(&to->what, "the kernel gives no %s", features[i].what);
		buf_printf(&to->evidence, "tried in a namespace of its own: %s",
			   strerror(f->missing[i]));
		if (features[i].module)
			buf_printf(&to->remedy, "modprobe %s, or a kernel with %s",
				   features[i].module, features[i].option);
		else
			buf_printf(&to->remedy, "a kernel with %s", features[i].option);
	}
}

void check_state(const struct facts *f, struct findings *out)
{
	struct finding *to;

	if (f->is_elsewhere) {
		to = findings_add(out, SEVERITY_ERROR, "state-dir");
		buf_printf(&to->what, "this host's containers cannot be managed from here");
		buf_printf(&to->evidence, "%s", f->elsewhere);
		buf_printf(&to->remedy, "use the --state-dir (NETNS_UP_STATE_DIR) that the others "
					"use, or end the process that holds the tables");
		return;
	}
	if (f->n_attached == 0 || f->tables == TABLES_UNSEEN || f->tables == TABLES_OK)
		return;
	to = findings_add(out, SEVERITY_ERROR, "tables");
	if (f->tables == TABLES_ABSENT)
		buf_printf(&to->what, "our tables are gone: no published port, no way out, no "
				      "guard");
	else
		buf_printf(&to->what, "our tables are those of another version");
	buf_printf(&to->evidence, "%zu containers are on record, table inet or bridge netd is %s",
		   f->n_attached, f->tables == TABLES_ABSENT ? "missing" : "not as it should be");
	buf_printf(&to->remedy, "netns-up gc");
	to->fix.kind = FIX_GC;
}

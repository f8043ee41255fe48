#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel without a feature: the error names the feature, its exit code says "unsupported", and nothing
# is left. LACKOF is lackof.c: it makes this kernel refuse in its own words.
. "$(dirname "$0")/../ns/lib.sh"

lacking() { # FEATURE PATTERN
	local out rc
	out=$(on host env LD_PRELOAD="$LACKOF" LACK="$1" "$NETNS_UP" up "$pid" -p 8080:80 2>&1)
	rc=$?
	is "without $1: exit code" "$rc" 8
	like "without $1: says what is missing" "$out" "$2"
	residue host "$NS_TMP/before" "without $1: nothing is left"
}

ns_world
container_new c1 host
pid=$(ns_pid c1)
snapshot host >"$NS_TMP/before"
lacking veth '*CONFIG_VETH*'
lacking bridge '*CONFIG_BRIDGE*'
lacking nfnetlink '*CONFIG_NETFILTER_NETLINK*'
lacking nf_tables '*CONFIG_NF_TABLES)*'
lacking nat '*CONFIG_NFT_NAT*'
lacking libnftables '*libnftables*'
# The same wrapper takes nothing away when told nothing.
ok 'with everything there' on host env LD_PRELOAD="$LACKOF" LACK= "$NETNS_UP" up "$pid" -q
ok 'and down again' on host "$NETNS_UP" down "$pid"
residue host "$NS_TMP/before" 'nothing is left'
ns_done

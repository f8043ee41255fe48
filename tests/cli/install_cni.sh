#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `netns-up install-cni DIR`: files, links, names that are taken, installing over a plugin that runs.
# Needs no root. TAP.
n=0 failed=0
ok() { # DESCRIPTION CMD...
	n=$((n + 1))
	what=$1
	shift
	"$@" >"$T/out" 2>&1 || { failed=$((failed + 1)); printf 'not '; sed 's/^/# /' "$T/out"; }
	printf 'ok %d - %s\n' $n "$what"
}
T=$(mktemp -d) || exit 99
trap 'rm -rf "$T"' EXIT
mkdir "$T/bin" "$T/cni" "$T/none"
cp "$NETNS_UP" "$T/bin/netns-up"
cp "$NETNS_UP_CNI" "$T/bin/netns-up-cni"
cp "$NETNS_UP_FORWARDER" "$T/bin/netns-up-forwarder"
names='netd bridge ptp portmap firewall host-local bandwidth tuning loopback'

echo 'somebody else' >"$T/cni/bridge"
ok 'installs' "$T/bin/netns-up" install-cni "$T/cni"
cp "$T/out" "$T/said"
ok 'says what it left alone' grep -q 'bridge left alone' "$T/said"
ok "a plugin of somebody else's stays" grep -q 'somebody else' "$T/cni/bridge"
for name in $names; do
	[ "$name" = bridge ] || ok "$name answers" sh -c "CNI_COMMAND=VERSION '$T/cni/$name' </dev/null | grep -q '1\.1\.0'"
done
ok '--replace takes the name' "$T/bin/netns-up" install-cni --replace -q "$T/cni"
ok 'bridge answers' sh -c "CNI_COMMAND=VERSION '$T/cni/bridge' </dev/null | grep -q '1\.1\.0'"
ok 'the forwarder is beside it' cmp "$T/cni/netns-up-forwarder" "$T/bin/netns-up-forwarder"

# One that runs while it is replaced: it waits for its standard input.
mkfifo "$T/in"
CNI_COMMAND=VERSION "$T/cni/netd" <"$T/in" >"$T/version" &
exec 3>"$T/in"
ok 'installs over a plugin that runs' "$T/bin/netns-up" install-cni -q "$T/cni"
exec 3>&-
wait
ok 'which ends well' grep -q '1\.1\.0' "$T/version"
ok 'nothing half made is left' sh -c "[ \"\$(ls -A '$T/cni' | wc -l)\" -eq 11 ]"
ok 'no such directory' sh -c "! '$T/bin/netns-up' install-cni '$T/absent'"
rm "$T/bin/netns-up-cni"
ok 'without the plugin nothing is put there' sh -c \
	"! '$T/bin/netns-up' install-cni '$T/none' && [ -z \"\$(ls -A '$T/none')\" ]"
echo "1..$n"
[ $failed -eq 0 ]

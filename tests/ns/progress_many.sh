#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How far work on 1,000 containers is: gc of as many leases (one of CNI's host-local by name, the others copied from it)
# whose namespace is gone, at a terminal and in a pipe. The work is made long enough to be told of by holding up each file that goes, by half a millisecond.
. "$(dirname "$0")/lib.sh"
TERMINAL=$(dirname "$0")/terminal.py
# The leak check of a sanitizer build is itself a tracer.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
HOLD='strace -qq -o /dev/null -e trace=unlinkat -e inject=unlinkat:delay_enter=500'
N=1000
mkdir "$NS_TMP/cni"
ln -s "$NETNS_UP_CNI" "$NS_TMP/cni/host-local" || bail 'no plugin'
esc=$(printf '\033')
cr=$(printf '\r')

ns_world
# DIR: N leases of the container c, which then goes.
lease_all() {
	container_new c host
	echo '{"cniVersion":"1.1.0","name":"many","type":"x","ipam":{"type":"host-local","subnet":"10.90.0.0/16"}}' >"$NS_TMP/conf"
	ok 'a lease' on host env CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_IFNAME=eth0 CNI_PATH="$NS_TMP/cni" \
		CNI_NETNS="/proc/$(ns_pid c)/ns/net" NETNS_UP_STATE_DIR="$1" sh -c '"$1" <"$2"' sh "$NS_TMP/cni/host-local" "$NS_TMP/conf"
	ok 'and many of them' python3 -B "$(dirname "$0")/copy_lease.py" "$1" $N
	is 'all are read' "$(on host "$NETNS_UP" ls --state-dir "$1" --json | jq length)" $N
	is "$N leases" "$(on host find "$1/attachments" -type f | wc -l)" $N
	ns_kill c
}
snapshot host >"$NS_TMP/before"
mkdir "$NS_TMP/state" "$NS_TMP/state2"
lease_all "$NS_TMP/state"
cp -a "$NS_TMP/state/." "$NS_TMP/state2/"
# shellcheck disable=SC2086 # words
out=$(on host env TERM=xterm timeout 200 python3 -B "$TERMINAL" ERR $HOLD "$NETNS_UP" gc --state-dir "$NS_TMP/state")
is 'gc' $? 0
printf '%s\n' "$out" | tr '\r' '\n' | sed -n "s/.*containers: \([0-9]*\) of $N.*/\1/p" >"$NS_TMP/told"
ok 'it says how far it is, more than once' [ "$(wc -l <"$NS_TMP/told")" -gt 1 ]
ok 'further each time' sort -nuc "$NS_TMP/told"
like 'and takes the line away' "$out" "*of $N*$cr$esc\\[K*"
is 'none is left' "$(on host find "$NS_TMP/state/attachments" -type f | wc -l)" 0
# shellcheck disable=SC2086
on host timeout 200 $HOLD "$NETNS_UP" gc --state-dir "$NS_TMP/state2" 2>&1 | cat >"$NS_TMP/piped"
nok 'nothing of it in a pipe' grep -q 'containers:' "$NS_TMP/piped"
nok 'and no escape' grep -q "$esc" "$NS_TMP/piped"
is 'none is left there' "$(on host find "$NS_TMP/state2/attachments" -type f | wc -l)" 0
residue host "$NS_TMP/before" 'nothing is left'
ns_done

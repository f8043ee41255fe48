#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How far work on 1,000 containers or ports is: gc of as many leases (one of CNI's host-local by name, the others copied
# from it) whose namespace is gone, at a terminal and in a pipe, and a publish of ports one by one. Each file that goes or
# comes is held up by a millisecond, so that there is time to tell.
. "$(dirname "$0")/lib.sh"
TERMINAL=$(dirname "$0")/terminal.py
# The leak check of a sanitizer build is itself a tracer.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
HOLD='strace -qq -o /dev/null -e trace=unlinkat,symlinkat -e inject=unlinkat,symlinkat:delay_enter=1000'
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
at_tty() { on host env TERM=xterm timeout 200 python3 -B "$TERMINAL" ERR $HOLD "$NETNS_UP" "$@"; }
told() { # WHAT OUTPUT
	printf '%s\n' "$2" | tr '\r' '\n' | sed -n "s/.*$1: \([0-9]*\) of $N.*/\1/p" >"$NS_TMP/told"
	ok "$1: it says how far it is, more than once" [ "$(wc -l <"$NS_TMP/told")" -gt 1 ]
	ok "$1: further each time" sort -nuc "$NS_TMP/told"
	like "$1: and takes the line away" "$2" "*of $N*$cr$esc\\[K*"
}
out=$(at_tty gc --state-dir "$NS_TMP/state")
is 'gc' $? 0
told containers "$out"
is 'none is left' "$(on host find "$NS_TMP/state/attachments" -type f | wc -l)" 0
# shellcheck disable=SC2086
on host timeout 200 $HOLD "$NETNS_UP" gc --state-dir "$NS_TMP/state2" 2>&1 | cat >"$NS_TMP/piped"
nok 'nothing of it in a pipe' grep -q 'containers:' "$NS_TMP/piped"
nok 'and no escape' grep -q "$esc" "$NS_TMP/piped"
is 'none is left there' "$(on host find "$NS_TMP/state2/attachments" -type f | wc -l)" 0

container_new p host
ok 'up' on host "$NETNS_UP" up "$(ns_pid p)" --name p -q
# shellcheck disable=SC2046 # a list
out=$(at_tty publish p $(seq -f '%g:80' 7001 $((7000 + N))))
is 'publish' $? 0
told ports "$out"
is 'all of them' "$(on host "$NETNS_UP" status p | grep -c published)" $N
ok 'down' on host "$NETNS_UP" down p -q
residue host "$NS_TMP/before" 'nothing is left'
ns_done

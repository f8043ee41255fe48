#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kill sweep and the errno sweep over `up` and `down`: at every state-changing system call.
#
#   sweep.sh kill      SIGKILL the whole tree at call K of up, then down / gc / up again; the same of
#                      down; on an empty host and beside another container; residue must be nothing.
#   sweep.sh kill-main the same, but only the main process dies
#   sweep.sh kill-described  as kill, for an attachment to a described network with routes, sysctls,
#                      settings and rates, on an empty host
#   sweep.sh takeover  `down` is killed at call K, or its call K fails; then another container asks for
#                      the same port and address, and after it the first one again
#   sweep.sh malloc    an allocation of up fails (each of the first, then one in 61): the same
#   sweep.sh errno ERRNO... call K of up fails: up succeeds, or fails and has left nothing without any down
#
# SWEEP_EVERY=N: each sweep takes one call in N, the next sweep another one, and tomorrow's others again. Of N sweeps
# that differ only in what comes after, each call is in one.
. "$(dirname "$0")/../ns/lib.sh"
EVERY=${SWEEP_EVERY:-1}
[ "$EVERY" -eq 1 ] && WHICH='every call' || WHICH="one call in $EVERY"
TURN=$(($(date +%-j) % EVERY))
begin() { # sets k so that the first call is k + EVERY
	TURN=$((TURN + 1))
	k=$((TURN % EVERY + 1 - EVERY))
}
what=$1
shift
# Made anew for each round; the place where the search for a free address goes on.
NS_IGNORE='^mount: /run/netns/c |/run/netd/cursors/default$'
ONE="-q -p 8080:80 -p 5353:53/udp -p 9000-9002"
UP="$NETNS_UP up c $ONE"

nu() { on host "$NETNS_UP" "$@"; }
killat() { on host "$KILLAT" -w 60 "$@" 2>"$NS_TMP/killat.out"; }
fresh() { # the container of a round
	on host sh -c 'ip netns del c 2>/dev/null; ip netns add c'
}
dead() { # the container is gone, and the kernel has taken its link away
	on host ip netns del c
	ns_until 20 _links_are "$LINKS"
}
_links_are() {
	[ "$(on host ip -o link show group 28277 | wc -l)" -eq "$1" ]
}
LINKS=0

# clean ROUND BEFORE: the residue check of one round; silent when all is well.
BAD=0
clean() {
	has_residue host "$2" || return 0
	BAD=$((BAD + 1))
	[ $BAD -gt 5 ] || note "$1: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 12)"
	nu down c -q 2>/dev/null
	nu gc -q 2>/dev/null
	return 1
}
broken() { # ROUND: a command failed that must not
	BAD=$((BAD + 1))
	[ $BAD -gt 5 ] || note "$*"
}

# calls K: what is known of their number when K was the first that was not made.
calls() { if [ "$EVERY" -eq 1 ]; then echo $(($1 - 1)); else echo "$(($1 - EVERY)) to $(($1 - 1))"; fi; }

# sweep_kill DESCRIPTION [-m]: kills `up`, then recovers in each of three ways; then kills `down`.
sweep_kill() {
	local k how n before rc
	before=$NS_TMP/before.$2
	BAD=0
	fresh # and at the end of each round
	for how in down gc again; do
		begin
		while :; do
			k=$((k + EVERY))
			# shellcheck disable=SC2086
			killat $3 $k -- $UP
			rc=$?
			[ $rc -eq 0 ] || [ $rc -eq 3 ] || broken "up, $how, call $k: $(cat "$NS_TMP/killat.out")"
			case $how in
			down) nu down c -q 2>"$NS_TMP/err" || broken "down after call $k: $(cat "$NS_TMP/err")" ;;
			gc)
				dead
				nu gc -q 2>"$NS_TMP/err" || broken "gc after call $k: $(cat "$NS_TMP/err")"
				;;
			again)
				# shellcheck disable=SC2086
				on host $UP 2>"$NS_TMP/err" || broken "up again after call $k: $(cat "$NS_TMP/err")"
				nu check c -q || broken "check after call $k: $(nu check c)"
				nu down c -q || broken "down after up again, call $k"
				;;
			esac
			fresh
			clean "up killed at call $k, then $how" "$before"
			[ $rc -eq 0 ] || break
			[ $k -lt 300 ] || { broken 'no end of calls'; break; }
		done
		n=$k
	done
	note "$1: up makes $(calls $n) state-changing calls"
	is "$1: up killed at $WHICH leaves nothing" $BAD 0
	BAD=0
	for how in down gc; do
		begin
		while :; do
			k=$((k + EVERY))
			# shellcheck disable=SC2086
			on host $UP || broken "up before down, call $k"
			# shellcheck disable=SC2086
			killat $3 $k -- "$NETNS_UP" down c -q
			rc=$?
			[ $how = down ] || dead
			# shellcheck disable=SC2046
			nu $([ $how = down ] && echo down c || echo gc) -q 2>"$NS_TMP/err" ||
				broken "$how after down killed at call $k: $(cat "$NS_TMP/err")"
			fresh
			clean "down killed at call $k, then $how" "$before"
			[ $rc -eq 0 ] || break
			[ $k -lt 300 ] || { broken 'no end of calls'; break; }
		done
		n=$k
	done
	note "$1: down makes $(calls $n) state-changing calls"
	is "$1: down killed at $WHICH leaves nothing" $BAD 0
	[ -z "$3" ] || return 0
	BAD=0
	begin
	while :; do
		k=$((k + EVERY))
		# shellcheck disable=SC2086
		on host $UP || broken "up before gc, call $k"
		dead
		killat $k -- "$NETNS_UP" gc -q
		rc=$?
		nu gc -q 2>"$NS_TMP/err" || broken "gc after gc killed at call $k: $(cat "$NS_TMP/err")"
		fresh
		clean "gc killed at call $k" "$before"
		[ $rc -eq 0 ] || break
		[ $k -lt 400 ] || { broken 'no end of calls'; break; }
	done
	note "$1: gc makes $(calls $k) state-changing calls"
	is "$1: gc killed at $WHICH leaves nothing" $BAD 0
}

# takeover_round ROUND: c may be half gone. Whoever has its port and its address by now is whole.
takeover_round() {
	local rc
	# shellcheck disable=SC2086
	on host $TAKE 2>"$NS_TMP/err"
	rc=$?
	[ $rc -eq 0 ] || grep -q 'c/eth0\|c@eth0' "$NS_TMP/err" || broken "$1: taking over: $(cat "$NS_TMP/err")"
	# shellcheck disable=SC2086
	if on host $UP 2>"$NS_TMP/err"; then
		[ $rc -ne 0 ] || broken "$1: both have it"
		nu check c -q || broken "$1: $(nu check c)"
	else
		[ $rc -eq 0 ] || broken "$1: neither can have it: $(cat "$NS_TMP/err")"
		grep -q 'd/eth0\|d@eth0' "$NS_TMP/err" || broken "$1: up again: $(cat "$NS_TMP/err")"
	fi
	[ $rc -ne 0 ] || nu check d -q || broken "$1: $(nu check d)"
	nu down c -q || broken "$1: down c"
	nu down d -q || broken "$1: down d"
}

# sweep_takeover DESCRIPTION BEFORE [-e ERRNO]
sweep_takeover() {
	local k rc n=0
	BAD=0
	begin
	while :; do
		k=$((k + EVERY))
		n=$((n + 1))
		# shellcheck disable=SC2086
		on host $UP 2>"$NS_TMP/err" || broken "up, call $k: $(cat "$NS_TMP/err")"
		# shellcheck disable=SC2086
		killat $3 $k -- "$NETNS_UP" down c -q
		rc=$?
		# A process that was killed ends with 0 here, one that ran to its end with 3.
		if [ -z "$3" ]; then
			[ $rc -eq 0 ] || break
		else
			grep -q '^injected' "$NS_TMP/killat.out" || break
		fi
		takeover_round "down ${3:-killed} at call $k"
		clean "down ${3:-killed} at call $k" "$2"
		[ $k -lt 300 ] || { broken 'no end of calls'; break; }
	done
	nu down c -q
	note "$1: $((n - 1)) rounds"
	ok "$1: there were rounds" [ $((n - 1)) -gt $((15 / EVERY)) ]
	is "$1: down ${3:-killed}: what it had has one owner" $BAD 0
}

sweep_errno() { # BEFORE ERRNO...
	local k errno rc before n=0
	before=$1
	shift
	BAD=0
	for errno; do
		begin
		while :; do
			k=$((k + EVERY))
			# shellcheck disable=SC2086
			killat -e $errno $k -- "$NETNS_UP" up c $ONE
			rc=$?
			n=$((n + 1))
			grep -q '^injected' "$NS_TMP/killat.out" || break
			[ $rc -lt 128 ] || broken "$errno at call $k: $(cat "$NS_TMP/killat.out")"
			[ $rc -ne 0 ] || nu down c -q || broken "down after $errno at call $k"
			# The way home from the container's namespace failed: nothing can be done from
			# there, the process ends at once, like a killed one.
			[ $rc -ne 70 ] || nu gc -q || broken "gc after $errno at call $k"
			clean "$errno at call $k (exit $rc)" "$before"
			[ $k -lt 300 ] || { broken 'no end of calls'; break; }
		done
		nu down c -q
	done
	note "$n runs"
	is 'a call that fails: success, or an error that leaves nothing' $BAD 0
}

sweep_malloc() {
	local k n rc
	BAD=0
	# shellcheck disable=SC2086
	n=$(on host env LD_PRELOAD="$FAILMALLOC" FAIL_COUNT=1 "$NETNS_UP" up c $ONE 9>&1)
	nu down c -q || broken 'down'
	ok 'allocations are counted' [ "$n" -gt 200 ]
	begin
	k=$((k + EVERY))
	while [ $k -le "$n" ]; do
		# shellcheck disable=SC2086
		on host env LD_PRELOAD="$FAILMALLOC" FAIL_AT=$k "$NETNS_UP" up c $ONE 2>"$NS_TMP/err"
		rc=$?
		[ $rc -lt 126 ] || broken "allocation $k of $n: exit $rc: $(cat "$NS_TMP/err")"
		[ $rc -ne 0 ] || nu down c -q || broken "down after allocation $k failed"
		clean "allocation $k of $n (exit $rc)" "$1"
		if [ $k -lt 160 ]; then
			k=$((k + EVERY))
		else
			k=$((k + 61 * EVERY))
		fi
	done
	is 'an allocation that fails: success, or an error that leaves nothing' $BAD 0
}

# A second allocation fails on the way back.
sweep_malloc_twice() {
	local k d rc
	BAD=0
	for k in 12 25 40 60 90; do
		for d in 1 2 3 5 8 13 21 34; do
			TURN=$((TURN + 1))
			[ $((TURN % EVERY)) -eq 0 ] || continue
			# shellcheck disable=SC2086
			on host env LD_PRELOAD="$FAILMALLOC" FAIL_AT=$k FAIL_AGAIN=$d "$NETNS_UP" up c $ONE 2>"$NS_TMP/err"
			rc=$?
			[ $rc -lt 126 ] || broken "allocations $k and $d more: exit $rc: $(cat "$NS_TMP/err")"
			[ $rc -ne 0 ] || nu down c -q || broken "down after allocations $k and $d more failed"
			clean "allocations $k and $d more (exit $rc)" "$1"
		done
	done
	is 'two allocations that fail: success, or an error that leaves nothing' $BAD 0
}

ns_world
on host sh -c 'mkdir -p /run/netns && mount --bind /run/netns /run/netns && mount --make-shared /run/netns'
fresh
snapshot host >"$NS_TMP/before.empty"
case $what in
kill | kill-main)
	m=$([ $what = kill ] || echo -m)
	sweep_kill 'empty host' empty "$m"
	if [ $what = kill-main ]; then
		ns_done
	fi
	on host ip netns add other
	nu up other --name other -q -p 9090:90
	snapshot host >"$NS_TMP/before.other"
	LINKS=1
	sweep_kill 'beside another container' other "$m"
	is 'the other one is healthy after all that' "$(nu check other)" 'other eth0: healthy'
	nu down other -q
	on host ip netns del other
	clean 'at the end' "$NS_TMP/before.empty"
	;;
kill-described)
	# The forwarder is looked for beside the program.
	cp "$ATTACH" "$(dirname "$NETNS_UP")/attach"
	UP="$(dirname "$NETNS_UP")/attach c"
	sweep_kill 'described' empty ''
	;;
takeover)
	fresh
	on host ip netns add d
	snapshot host >"$NS_TMP/before.empty"
	nu up c -q
	IP=$(nu ls --json | jq -r '.[0].addresses[0].address' | sed 's|/.*||')
	nu down c -q
	UP="$NETNS_UP up c -q -p 8080:80 --ip $IP"
	TAKE="$NETNS_UP up d -q -p 8080:80 --ip $IP"
	sweep_takeover 'the last of the host' "$NS_TMP/before.empty" ''
	on host ip netns add other
	nu up other --name other -q -p 9090:90 --ip "${IP%.*}.77"
	snapshot host >"$NS_TMP/before.other"
	sweep_takeover 'beside another container' "$NS_TMP/before.other" '-e EINTR'
	is 'the other one is healthy after all that' "$(nu check other)" 'other eth0: healthy'
	;;
malloc)
	sweep_malloc "$NS_TMP/before.empty"
	sweep_malloc_twice "$NS_TMP/before.empty"
	;;
errno)
	[ $# -gt 0 ] || { fail 'no errno was named'; ns_done; }
	sweep_errno "$NS_TMP/before.empty" "$@"
	;;
esac
ns_done

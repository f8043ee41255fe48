#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# No memory for the daemon: all its processes are in a memory cgroup of 24 MiB, then less and less, while a user's container is
# attached, and the kernel kills one or another in the middle of that. The user has a network all the same (by slirp-lite,
# and is told so), or an error where a half made interface is in the way of that; with the next daemon the same call
# succeeds, and after down and gc nothing is left.
# Environment: OOM_SECONDS (20). Needs a memory cgroup controller.
. "$(dirname "$0")/netd_lib.sh"
. "$(dirname "$0")/group_lib.sh"
SECONDS_ALL=${OOM_SECONDS:-20}
NS_IGNORE='/run/netd/cursors/|/run/user/[0-9]*/netns-up' # the user's own folder, once slirp-lite has carried one
MOST=6291456

into_group() {
	for p in $NETD_PID $(cat "/proc/$NETD_PID/task/$NETD_PID/children"); do
		(echo "$p" >&9) 2>/dev/null || [ ! -e "/proc/$p/exe" ] || return 1 # one of its tasks has ended
	done
}
broken() {
	bad=$((bad + 1))
	[ $bad -gt 5 ] || note "$*"
}
up() { nta up "$BOX" --name c -v -p 8080:80 -p 9000-9050:9000-9050/udp; }
reached() { # by the container's link
	inside c ip -o link show up dev eth0 | grep -q .
}

netd_world
policy "allow $UID_A default attach,publish ports=200 rate=100000"
box c $UID_A
netd_start
like 'with memory netd attaches it' "$(up 2>&1)" 'c eth0 10.77.*'
ok 'down' nta down c -q
snapshot host >"$NS_TMP/before"
bad=0 rounds=0 killed=0 by_netd=0 by_slirp=0 failed=0 size=$((4 * MOST))
end=$(($(date +%s) + SECONDS_ALL))
while [ "$(date +%s)" -lt "$end" ] || [ $rounds -lt 8 ]; do
	kills=$(group_kills)
	into_group || broken 'the daemon does not get into the group'
	group_limit $size
	if up >"$NS_TMP/up.out" 2>&1; then
		reached || broken "no link with $size bytes: $(cat "$NS_TMP/up.out")"
		case $(cat "$NS_TMP/up.out") in
		*'slirp-lite carries it: netd'*) by_slirp=$((by_slirp + 1)) ;;
		*) by_netd=$((by_netd + 1)) ;;
		esac
	else
		failed=$((failed + 1))
	fi
	group_limit $((16 * MOST))
	[ "$(group_kills)" -eq "$kills" ] || killed=$((killed + 1))
	kill -KILL "$NETD_PID" 2>/dev/null
	netd_killed
	netd_start
	up >"$NS_TMP/out" 2>&1 || broken "the same call again after $size bytes: $(cat "$NS_TMP/out")"
	nta down c -q >"$NS_TMP/out" 2>&1 || broken "down after $size bytes: $(cat "$NS_TMP/out")"
	on host "$NETNS_UP" gc -q >"$NS_TMP/out" 2>&1 || broken "gc after $size bytes: $(cat "$NS_TMP/out")"
	if has_residue host "$NS_TMP/before"; then
		broken "residue after $size bytes: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 8)"
	fi
	rounds=$((rounds + 1))
	size=$((size / 2))
	[ $size -ge 32768 ] || size=$((MOST / 4 - rounds * 65536 % (MOST / 8)))
done
note "$killed of $rounds daemons lost processes to the kernel, $(group_kills) in all; $by_netd containers were attached by netd, $by_slirp by slirp-lite, $failed by neither"
is "$rounds daemons without memory: what went wrong" $bad 0
ok 'some were killed' [ "$killed" -gt 0 ]
ok 'some containers were not attached by netd' [ $((by_slirp + failed)) -gt 0 ]
like 'netd attaches it at the end' "$(up 2>&1)" 'c eth0 10.77.*'
ok 'down' nta down c -q
ok 'it ends' netd_stop
group_done
ns_done

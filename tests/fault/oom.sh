#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # text in single quotes is for the shell inside the host
# No memory: `up` in a memory cgroup of every size up to 6 MiB, in which the kernel kills it in the middle of
# its work. Afterwards it is recovered in turns by `down`, by `gc` and by the same call again, and nothing is
# left. With all of the 6 MiB it succeeds.
# Environment: OOM_SECONDS (20). Needs a memory cgroup controller.
. "$(dirname "$0")/../ns/lib.sh"
. "$(dirname "$0")/../ns/group_lib.sh"
SECONDS_ALL=${OOM_SECONDS:-20}
NS_IGNORE='^mount: /run/netns/c |/run/netd/cursors/'
MOST=6291456 LEAST=65536

nu() { on host "$NETNS_UP" "$@"; }

# Whatever of it lives on may have all that it needs, so that only this call is killed.
limited() { # BYTES CMD...: in the host, in a group of that size
	group_limit "$1"
	shift
	on host sh -c 'echo $$ >&9 && exec "$@" 9>&-' limited "$@"
}
fresh() { on host sh -c 'ip netns del c 2>/dev/null; ip netns add c'; }
links() { on host ip -o link show group 28277 | wc -l; }
links_are() { [ "$(links)" -eq "$1" ]; }
broken() {
	bad=$((bad + 1))
	[ $bad -gt 5 ] || note "$*"
}

ns_world
container_new stays host
# The forwarder is made by a container that stays, outside of the group.
ok 'a container that stays' nu up "$(ns_pid stays)" --name stays -p 7000:80 -q
fresh
stay=$(links)
snapshot host >"$NS_TMP/before"
bad=0 rounds=0 killed=0 midway=0 succeeded=0 failed=0
# First the least size with which it succeeds is looked for, then sizes below it are gone through.
low=$LEAST high=$MOST below=0
end=$(($(date +%s) + SECONDS_ALL))
while [ "$(date +%s)" -lt "$end" ] || [ $rounds -lt 12 ]; do
	if [ $((high - low)) -gt 65536 ]; then
		size=$(((low + high) / 8192 * 4096))
	else
		below=$((below % 64 + 1))
		size=$((high - below * (high / 128 / 4096 * 4096 + 4096)))
		[ $size -ge $LEAST ] || size=$LEAST
	fi
	fresh
	limited $size "$NETNS_UP" up c -q -p 8080:80 -p 9000-9050:9000-9050/udp >"$NS_TMP/up.out" 2>&1
	case $? in
	0)
		succeeded=$((succeeded + 1))
		[ $size -ge $high ] || high=$size
		;;
	137)
		killed=$((killed + 1))
		[ "$(links)" -eq "$stay" ] || midway=$((midway + 1))
		;;
	*) failed=$((failed + 1)) ;;
	esac
	[ $size -le $low ] || [ $size -ge $high ] || low=$size
	case $((rounds % 3)) in
	0) nu down c -q >"$NS_TMP/out" 2>&1 || broken "down after $size bytes: $(cat "$NS_TMP/out")" ;;
	1)
		on host ip netns del c
		ns_until 20 links_are "$stay" || broken "$size bytes: the link of a dead container stays"
		nu gc -q >"$NS_TMP/out" 2>&1 || broken "gc after $size bytes: $(cat "$NS_TMP/out")"
		;;
	2)
		nu up c -q -p 8080:80 -p 9000-9050:9000-9050/udp >"$NS_TMP/out" 2>&1 ||
			broken "up again after $size bytes: $(cat "$NS_TMP/out")"
		nu check c -q >"$NS_TMP/out" 2>&1 || broken "check after $size bytes: $(cat "$NS_TMP/out")"
		nu down c -q >"$NS_TMP/out" 2>&1 || broken "down after up again: $(cat "$NS_TMP/out")"
		;;
	esac
	fresh
	if has_residue host "$NS_TMP/before"; then
		broken "residue after $size bytes: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 8)"
		nu down c -q >"$NS_TMP/out" 2>&1
		nu gc -q >"$NS_TMP/out" 2>&1
	fi
	rounds=$((rounds + 1))
done
note "$killed killed ($midway with a link made), $failed failed by themselves, $succeeded succeeded, with $high bytes at least; the kernel counts $(group_kills) kills"
is "$rounds calls without memory: recoveries that failed, and residues" $bad 0
ok 'some were killed' [ "$killed" -gt 0 ]
fresh
ok "with $MOST bytes it succeeds" limited $MOST "$NETNS_UP" up c -q -p 8080:80
ok 'down' nu down c -q
group_done
ns_done

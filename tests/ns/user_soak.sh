#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers that start and stop by the hundred in an ordinary user's networks, several at once, on two networks, with
# and without ports, some killed with who started them, beside one that stays and is reached all the while. Before and
# after it: the processes of ours, what they have open, the machine's namespaces and mounts, the files on record. Not one
# more of anything may be left.
# user_soak.sh [STARTS]: NETNS_UP_SOAK_SECONDS: none begins after so long (3600).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
N=${1:-${NETNS_UP_SOAK:-24}}
LIMIT=${NETNS_UP_SOAK_SECONDS:-3600}
LANES=4
FILES=/run/user/$UID_A/netns-up

serve_http out 80
snapshot host >"$NS_TMP/before"
ok 'a network' nna network create web -q
ok 'another' nna network create db -q --mode routed
box stays $UID_A "$NETNS_UP" run --network web --name stays -p 8000:80 -- busybox httpd -f -p 80 -h "$NS_TMP"
echo stays >"$NS_TMP/hello"
reached() { [ "$(http out "http://$HOST4:8000/hello" 2>/dev/null)" = stays ]; }
ok 'a container that stays' ns_until 30 reached

# One lane: starts and stops containers until the count is full or the time is over; says how many, and what failed.
cat >"$NS_TMP/lane.sh" <<'S'
lane=$1 n=$2 end=$3 lanes=$4 out=$5
i=0 failed=0
while [ $i -lt "$n" ] && [ "$(date +%s)" -le "$end" ]; do
	i=$((i + 1))
	case $((i % 4)) in
	0) set -- --network db -- true ;;
	1) set -- --network web -p "$((20000 + lane * 8)):80" -- true ;;
	2) set -- --network web --name "l$lane" -- sh -c "curl -sS -m 60 -o /dev/null http://$out/hello" ;;
	3) set -- --network web -p "$((20000 + lane * 8 + 1)):80/udp" -- sleep 600 ;;
	esac
	if [ $((i % 4)) -eq 3 ]; then # killed with all that is its own: nobody takes anything back
		"$NETNS_UP" run -q "$@" >/dev/null 2>&1 &
		p=$!
		tries=0
		until c=$(pgrep -P $p -x sleep) || [ $tries -ge 600 ] || ! kill -0 $p 2>/dev/null; do
			tries=$((tries + 1))
			sleep 0.1
		done
		[ -n "$c" ] || { failed=$((failed + 1)); echo "$lane: $i: no command" >&2; }
		kill -KILL $p
		wait $p 2>/dev/null
		[ -z "$c" ] || kill -KILL "$c" 2>/dev/null
		"$NETNS_UP" gc -q || failed=$((failed + 1))
	elif ! "$NETNS_UP" run -q "$@"; then
		failed=$((failed + 1))
		echo "$lane: $i: run $*" >&2
	fi
done
echo "$i $failed"
S
lanes() { # STARTS: in all lanes together; the number of those that were, and of those that failed
	local l
	end=$(($(date +%s) + LIMIT))
	set -- "$1" ''
	for l in $(seq $LANES); do
		as $UID_A env NETNS_UP="$NETNS_UP" sh "$NS_TMP/lane.sh" "$l" $(($1 / LANES)) $end $LANES "$OUT4" \
			>"$NS_TMP/lane.$l" 2>"$NS_TMP/lane.$l.err" &
		set -- "$1" "$2 $!"
	done
	# shellcheck disable=SC2086 # a list
	wait $2
	cat "$NS_TMP"/lane.[0-9] | awk '{ n += $1; f += $2 } END { print n + 0, f + 0 }'
}
# What there is: our processes by name with what they have open, namespaces, mounts, files.
census() {
	all_named | awk '{ print "process " $2 }'
	all_named | while read -r p name; do
		case $name in netns-up* | slirp-*) find "/proc/$p/fd" -mindepth 1 -printf "$name has %l\n" 2>/dev/null ;; esac
	done | sed -E 's/:.*//'
	for kind in net user mnt pid; do
		find /proc -maxdepth 3 -path "/proc/[0-9]*/ns/$kind" -printf '%l\n' 2>/dev/null
	done | sort -u | sed 's/:.*/ namespace/' | sort | uniq -c
	awk '{ print "mount " $5 }' "/proc/$(ns_pid host)/mountinfo"
	on host find $FILES ! -path '*/cursors/*' -printf 'file %P\n'
	nna ls
}
settled() { # as before, within a while: the kernel takes links and namespaces away when it has the time
	nna gc -q
	census | sort >"$NS_TMP/census.now"
	diff -U0 "$NS_TMP/census" "$NS_TMP/census.now" >"$NS_TMP/census.diff"
}
rss() { awk '/^Rss(Anon|Shmem)/ { n += $2 } END { print n + 0 }' "/proc/$1/status"; }

# What is made at first use is no growth.
is 'warm-up' "$(lanes $((LANES * 4)))" "$((LANES * 4)) 0"
nna gc -q
census | sort >"$NS_TMP/census"
uplink=$(uplink_pid) worker=$(named slirp-worker)
before=$(rss "$worker")
said=$(lanes "$N")
note "${said% *} containers started and stopped"
is 'none failed' "${said#* }" 0
[ "${said#* }" = 0 ] || note "$(cat "$NS_TMP"/lane.*.err | head -n 20 | tr '\n' ';')"
if ns_until 120 settled; then
	pass "after ${said% *} starts and stops nothing is left over"
else
	fail "after ${said% *} starts and stops nothing is left over" "$(cat "$NS_TMP/census.diff")"
fi
ok 'the one that stayed is reached' reached
is 'the way out is the same' "$(uplink_pid) $(uplink restarts)" "$uplink 0"
grown=$(($(rss "$worker") - before))
note "the worker's own memory grew by $grown KiB"
ok 'its memory grew by less than 1 MiB' test "$grown" -lt 1024

kill -TERM "$box_stays"
gone() { ! ns_alive "$box_stays"; }
ok 'the one that stayed ends' ns_until 60 gone
ok 'web' nna network rm web
ok 'db' nna network rm db
ok 'no keeper' ns_until 30 has_keepers 0
ok 'no way out' ns_until 30 no_slirp
on host rm -rf $FILES
residue host "$NS_TMP/before" 'nothing is left'
ns_done

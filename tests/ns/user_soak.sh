#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers that start and stop by the hundred in an ordinary user's networks, several at once, on two networks and alone,
# with and without ports, some killed with who started them, some that somebody else made, beside one that stays and is
# reached all the while. Before and after it: the processes of ours, what they have open, the machine's namespaces and
# mounts, the files on record. Not one more of anything may be left.
# user_soak.sh [STARTS]: NETNS_UP_SOAK_SECONDS: none begins after so long (3600).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
. "$(dirname "$0")/user_names_lib.sh"
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
bad() {
	failed=$((failed + 1))
	echo "$lane: $i: $*" >&2
}
cut_short() { # killed with all that is its own: nobody takes anything back
	"$NETNS_UP" run -q "$@" -- sleep 600 >/dev/null 2>&1 &
	p=$!
	tries=0
	until c=$(pgrep -P $p -x sleep) || [ $tries -ge 600 ] || ! kill -0 $p 2>/dev/null; do
		tries=$((tries + 1))
		sleep 0.1
	done
	[ -n "$c" ] || bad 'no command'
	kill -KILL $p
	wait $p 2>/dev/null
	[ -z "$c" ] || kill -KILL "$c" 2>/dev/null
	"$NETNS_UP" gc -q || bad gc
}
others() { # one that is there already; every other one is taken down, the rest just die
	unshare -Urn sleep 600 &
	p=$!
	until [ "$(cat /proc/$p/comm)" = sleep ] || ! kill -0 $p 2>/dev/null; do sleep 0.1; done
	"$NETNS_UP" up $p -q "$@" || bad "up $*"
	[ $((i % 12)) -ge 6 ] || "$NETNS_UP" down $p -q || bad "down $*"
	kill -KILL $p
	wait $p 2>/dev/null
	"$NETNS_UP" gc -q || bad gc
}
while [ $i -lt "$n" ] && [ "$(date +%s)" -le "$end" ]; do
	i=$((i + 1))
	port=$((20000 + lane * 8))
	case $((i % 6)) in
	0) "$NETNS_UP" run -q --network db -- true || bad 'run on db' ;;
	1) "$NETNS_UP" run -q --network web -p "$port:80" -- true || bad 'run with a port' ;;
	2) "$NETNS_UP" run -q --network web --name "l$lane" -- curl -sS -m 60 -o /dev/null "http://$out/hello" || bad curl ;;
	3) cut_short --network web -p "$((port + 1)):80/udp" ;;
	4) others --network web -p "$((port + 2)):80" ;;
	5) "$NETNS_UP" run -q -p "$((port + 3)):80" -- true || bad 'run alone' ;;
	esac
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
	ns_ours | awk '{ print "process " $2 }'
	ns_ours | while read -r p name; do
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
# Each process of ours that lasts, with its own memory and how much it has open.
lasting() {
	local p name
	{
		ns_ours | grep -E ' (netns-up|slirp-)'
		responders "$(host_of)" | sed 's/$/ names/'
	} | sort -n | while read -r p name; do
		echo "$p $name $(rss "$p") $(find "/proc/$p/fd" -mindepth 1 2>/dev/null | wc -l)"
	done
}
# What is freed comes back to be used again; a sanitizer keeps it for a long while, up to 256 MiB.
room=1024
lasted() { # the same, none of them larger
	lasting >"$NS_TMP/lasting.now"
	awk -v room=$room 'NR == FNR { kib[$1] = $3; fds[$1] = $4; n++; next }
		{ print $2 ": " kib[$1] " " $3 " KiB, " fds[$1] " " $4; n-- }
		!($1 in kib) || $3 - kib[$1] >= room || $4 > fds[$1] { bad = 1 }
		END { exit bad || n != 0 }' "$NS_TMP/lasting" "$NS_TMP/lasting.now" >"$NS_TMP/lasted"
}

# What is made at first use is no growth.
is 'warm-up' "$(lanes $((LANES * 6)))" "$((LANES * 6)) 0"
nna gc -q
census | sort >"$NS_TMP/census"
uplink=$(uplink_pid) worker=$(named slirp-worker)
before=$(rss "$worker")
lasting >"$NS_TMP/lasting"
begun=$(date +%s)
said=$(lanes "$N")
note "${said% *} containers started and stopped in $(($(date +%s) - begun)) s"
is 'none failed' "${said#* }" 0
[ "${said#* }" = 0 ] || note "$(cat "$NS_TMP"/lane.*.err | head -n 20 | tr '\n' ';')"
if ns_until 120 settled; then
	pass "after ${said% *} starts and stops nothing is left over"
else
	fail "after ${said% *} starts and stops nothing is left over" "$(cat "$NS_TMP/census.diff")"
fi
ok 'the one that stayed is reached' reached
is 'the way out is the same' "$(uplink_pid) $(uplink restarts)" "$uplink 0"
grep -q 'lib[a]san' "/proc/$uplink/maps" && room=$((260 * 1024))
grown=$(($(rss "$worker") - before))
note "the worker's own memory grew by $grown KiB"
ok 'its memory grew by less than 1 MiB' test "$grown" -lt 1024
ok 'the processes that last are the same, none grew by 1 MiB or has more open' ns_until 60 lasted
note "processes that last, KiB of their own and descriptors, each before and after:
$(cat "$NS_TMP/lasted")"

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

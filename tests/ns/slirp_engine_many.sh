#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Four thousand connections by the relay engine that rest, of two containers and both families: that each carries
# data, what it holds of ours (the kernel's sockets apart), that they cost no processor time, that others go on
# beside them, and that in the end, and in the end of a container that is killed with all of them open, every
# descriptor is given back.
# SLIRP_TEST_RELAYED: how many (4,000); each takes two descriptors of the worker.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"
. "$(dirname "$0")/slirp_behind.sh"

FLOWS=${SLIRP_TEST_RELAYED:-4000}
HALF=$((FLOWS / 2))
ulimit -n 20000 || bail 'this test needs 20,000 descriptors'
slirp_world
serve out "$PYTHON" "$PROBE" serve_many 7100
wait_port out tcp 7100
serve_probe out tcp 7000 serve_tcp
box_new r host -6 --for-network --engine=relay
behind a r 1
behind b r 2
is 'the relay engine' "$(told r engine)" relay
w=$(worker r)
anon() { awk '/^(RssAnon|RssShmem)/ { n += $2 * 1024 } END { print n }' "/proc/$w/status"; }
at_rest() { # the same, when it is less no more
	local n last
	last=$(anon)
	while sleep 1 && n=$(anon) && [ "$n" -lt "$last" ]; do last=$n; done
	echo "$n"
}
cpu_us() { awk '{ print int($1 / 1000) }' "/proc/$w/schedstat"; }
# All that the processes of the user's have open.
n_all_fds() {
	local p n
	n=0
	# shellcheck disable=SC2154 # set by eval
	for p in $slirp_r $(_descendants "$slirp_r"); do
		n=$((n + $(n_fds "$p")))
	done
	echo $n
}

# many NAME ADDRESS: opens HALF connections from NAME; fd 7 (a) or 8 (b) is what it reads words from.
many() {
	mkfifo "$NS_TMP/words.$1"
	(inside_exec "$1" "$PYTHON" "$PROBE" tcp_many "$2" 7100 $HALF "$NS_TMP/api/many.$1") \
		<"$NS_TMP/words.$1" >"$NS_TMP/many.$1.log" 2>&1 &
	eval "many_$1=$!"
	NS_SERVERS="$NS_SERVERS $!"
}
said() { # NAME WORD: it did, or is dead
	local p
	eval "p=\$many_$1"
	grep -q "$2" "$NS_TMP/api/many.$1" 2>/dev/null || ! ns_alive "$p"
}
say() { cat "$NS_TMP/api/many.$1" "$NS_TMP/many.$1.log"; }

# Buffers and tables in use once, before anything is measured.
is 'bytes before, up' "$(probe_in a tcp_up $OUT4 7000 10000000)" equal
is 'and down' "$(probe_in a tcp_down $OUT4 7000 10000000)" equal
probe_in a tcp_many $OUT4 7100 100 "$NS_TMP/api/few" </dev/null
is 'a hundred' "$(cat "$NS_TMP/api/few")" '100 open'
rests() { [ "$(told r through_flows)" = 0 ]; }
ok 'they end' ns_until 30 rests
sleep 1.5 # for idle buffers to be given back
before=$(at_rest) fds=$(n_fds "$w") all=$(n_all_fds)

# Neither has the other's end of its words.
many a $OUT4
many b $OUT6
exec 7>"$NS_TMP/words.a" 8>"$NS_TMP/words.b"
ns_until 90 said a open
ns_until 90 said b open
is "IPv4: $HALF connections" "$(say a)" "$HALF open"
is "IPv6: $HALF connections" "$(say b)" "$HALF open"
is 'all by the relay engine' "$(told r through_flows)" "$FLOWS"
has_two_each() { [ "$(n_fds "$w")" -eq $((fds + 2 * FLOWS)) ]; }
ns_until 10 has_two_each
is 'each has two sockets and nothing else' "$(n_fds "$w")" $((fds + 2 * FLOWS))
is 'none by the tap engine' "$(told r tcp_flows)" 0
sleep 1.5
each=$((($(at_rest) - before) / FLOWS))
note "$each bytes each"
ok 'at most 1 KiB each' [ $each -le 1024 ]
ok 'but it is they that are measured' [ $each -ge 64 ]
is_cheap() { # once what was begun is done
	t=$(cpu_us)
	sleep 2
	t=$(($(cpu_us) - t))
	note "$t us of processor time in 2 s"
	[ $t -lt 20000 ]
}
ns_until 5 is_cheap
ok 'resting costs less than 1 % of a processor' [ $t -lt 20000 ]
is 'others beside them, up' "$(probe_in a tcp_up $OUT6 7000 20000000)" equal
is 'and down' "$(probe_in b tcp_down $OUT4 7000 20000000)" equal
echo again >&7
echo again >&8
ns_until 60 said a right
ns_until 60 said b right
is 'all of them work, IPv4' "$(tail -n 1 "$NS_TMP/api/many.a")" "$HALF right"
is 'and IPv6' "$(tail -n 1 "$NS_TMP/api/many.b")" "$HALF right"

# One container closes, the other is killed with all of its connections open.
exec 7>&-
half_gone() { [ "$(told r through_flows)" = $HALF ] && [ "$(n_fds "$w")" = $((fds + 2 * HALF)) ]; }
ok 'closed: their sockets are given back' ns_until 60 half_gone
eval "kill -KILL \$many_b"
gone() { rests && [ "$(n_fds "$w")" = "$fds" ] && [ "$(n_all_fds)" -le "$all" ]; }
ok 'killed: no descriptor is left, of any process' ns_until 60 gone
exec 8>&-
is 'none was lost on the way' "$(told r through_lost)" 0
is 'the worker is the same' "$(worker r)" "$w"
behind_end a
behind_end b
box_end r
ns_done

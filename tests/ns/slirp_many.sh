#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ten thousand connections that rest: what each holds in the worker, that they cost no processor time, that
# others go on beside them, that all of them still work and give everything back.
# SLIRP_TEST_FLOWS: how many (10,000).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

FLOWS=${SLIRP_TEST_FLOWS:-10000}
ulimit -n 20000 || bail 'this test needs 20,000 descriptors'
slirp_world
serve out "$PYTHON" "$PROBE" serve_many 7100
wait_port out tcp 7100
serve_probe out tcp 7000 serve_tcp
box_new a host -6
w=$(worker a)
anon() { awk '/^(RssAnon|RssShmem)/ { n += $2 * 1024 } END { print n }' "/proc/$w/status"; }
at_rest() { # the same, when it is less no more
	local n last
	last=$(anon)
	while sleep 1 && n=$(anon) && [ "$n" -lt "$last" ]; do last=$n; done
	echo "$n"
}
cpu_us() { awk '{ print int($1 / 1000) }' "/proc/$w/schedstat"; }

# Buffers and tables in use once, before anything is measured.
is 'bytes before, up' "$(probe_in a tcp_up $OUT4 7000 30000000)" equal
is 'and down' "$(probe_in a tcp_down $OUT4 7000 30000000)" equal
probe_in a tcp_many $OUT4 7100 100 "$NS_TMP/api/few" </dev/null
is 'a hundred' "$(cat "$NS_TMP/api/few")" '100 open'
sleep 2.5 # for idle buffers to be given back
before=$(at_rest) fds=$(n_fds "$w")

mkfifo "$NS_TMP/words"
(inside_exec a "$PYTHON" "$PROBE" tcp_many $OUT4 7100 "$FLOWS" "$NS_TMP/api/many") <"$NS_TMP/words" >"$NS_TMP/many.log" 2>&1 &
many=$!
NS_SERVERS="$NS_SERVERS $many"
exec 7>"$NS_TMP/words"
said() { grep -q "$1" "$NS_TMP/api/many" 2>/dev/null || ! ns_alive $many; }
ns_until 60 said open
is "$FLOWS connections" "$(cat "$NS_TMP/api/many" "$NS_TMP/many.log")" "$FLOWS open"
ok 'each has a socket of the host' [ $(($(n_fds "$w") - fds)) -ge "$FLOWS" ]
ok 'and is known' [ "$(told a tcp_flows)" -ge "$FLOWS" ]
sleep 2.5
each=$((($(at_rest) - before) / FLOWS))
note "$each bytes each"
ok 'at most 1 KiB each' [ $each -le 1100 ] # whole pages, and what the allocator adds
ok 'but it is they that are measured' [ $each -ge 256 ]
is 'no payload is held' "$(told a memory)" 0
is_cheap() { # once what was begun is done
	t=$(cpu_us)
	sleep 2
	t=$(($(cpu_us) - t))
	note "$t us of processor time in 2 s"
	[ $t -lt 20000 ]
}
ns_until 5 is_cheap
ok 'resting costs less than 1 % of a processor' [ $t -lt 20000 ]
is 'others beside them, up' "$(probe_in a tcp_up $OUT6 7000 50000000)" equal
is 'and down' "$(probe_in a tcp_down $OUT4 7000 50000000)" equal
echo again >&7
ns_until 60 said right
is 'all of them work' "$(tail -n 1 "$NS_TMP/api/many")" "$FLOWS right"
is 'nothing was sent twice' "$(told a tcp_timeout)" 0
exec 7>&-

# Ends, full buffers and readers that do not read: no event comes again and again.
mkfifo "$NS_TMP/end"
(inside_exec a "$PYTHON" "$PROBE" tcp_odd $OUT4 7000 20 "$NS_TMP/api/odd") <"$NS_TMP/end" >"$NS_TMP/odd.log" 2>&1 &
odd=$!
NS_SERVERS="$NS_SERVERS $odd"
exec 8>"$NS_TMP/end"
are_odd() { [ -s "$NS_TMP/api/odd" ] || ! ns_alive $odd; }
ns_until 30 are_odd
is 'ended by one side, not read by the other' "$(cat "$NS_TMP/api/odd" "$NS_TMP/odd.log")" '60 odd'
sleep 1.5
ns_until 5 is_cheap
ok 'they too cost less than 1 % of a processor' [ $t -lt 20000 ]
exec 8>&-
closed() { [ "$(n_fds "$w")" -le $((fds + 2)) ]; }
ok 'closed: their sockets are given back' ns_until 30 closed
is 'the worker is the same' "$(worker a)" "$w"
box_end a
ns_done

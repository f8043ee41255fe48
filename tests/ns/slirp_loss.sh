#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad links on both sides of slirp-lite, with two kernels' TCP at the ends: between it and the container
# (slirp_relay.c: loss, bursts of loss, disorder, doubles, damage) and between it and the server
# (nft numgen). What is sent is what arrives, both ways at once, within a bounded time.
# SLIRP_TEST_BYTES: how much is sent each way on the best of them (4 MB); bad ones get a part of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

BYTES=${SLIRP_TEST_BYTES:-4000000}
LIMIT=180 # seconds for each
cp "${SLIRP_RELAY:-no SLIRP_RELAY}" "$NS_TMP/relay" || exit 99
slirp_world
serve_probe out tcp 7000 serve_tcp
box_new a host -6

# The container is a namespace of its own behind the relay.
(inside_exec a unshare -n sleep 7200) &
inner=$!
NS_SERVERS="$NS_SERVERS $inner"
ns_until 20 _box_is_apart "$inner" host || bail 'no namespace behind the relay'
apart_from_box() { [ "$(readlink "/proc/$inner/ns/net")" != "$(readlink "/proc/$box_a/ns/net")" ]; }
ns_until 20 apart_from_box || bail 'no namespace behind the relay'
echo 'loss 0' >"$NS_TMP/profile"
(inside_exec a "$NS_TMP/relay" "$inner" "$NS_TMP/profile") >"$NS_TMP/relay.log" 2>&1 &
relay=$!
NS_SERVERS="$NS_SERVERS $relay"
is_ready() { grep -q ready "$NS_TMP/relay.log"; }
ns_until 20 is_ready || bail "no relay: $(cat "$NS_TMP/relay.log")"
behind() { nsenter -t "$box_a" -U -- nsenter -t "$inner" -n --wdns=/ env "$NS_MARK" timeout $LIMIT "$PYTHON" "$PROBE" "$@" 2>&1; }

n_changed() { grep -c changed "$NS_TMP/relay.log"; }
profile() { # WORD...
	local before
	before=$(n_changed)
	echo "$* seed 7" >"$NS_TMP/profile"
	kill -HUP "$relay"
	more() { [ "$(n_changed)" -gt "$before" ]; }
	ns_until 20 more || bail 'the relay does not listen'
}
drop() { # PER-MILLE: of what comes to the server, and to the host
	local h
	for h in host out; do
		on $h nft -f - <<-N
			table inet loss
			delete table inet loss
			table inet loss {
				chain c {
					type filter hook input priority -300
					tcp sport 7000 numgen random mod 1000 < $1 drop
					tcp dport 7000 numgen random mod 1000 < $1 drop
				}
			}
		N
	done
}

# both DESCRIPTION BYTES HOST: up and down at the same time.
both() {
	local begun up
	begun=$(date +%s%N)
	behind tcp_up "$3" 7000 "$2" >"$NS_TMP/up" &
	up=$!
	behind tcp_down "$3" 7000 "$2" >"$NS_TMP/down"
	wait $up
	note "$1: $(($2 * 16 / (($(date +%s%N) - begun) / 1000000 + 1) / 1000)) Mbit/s, both ways together"
	is "$1: up" "$(cat "$NS_TMP/up")" equal
	is "$1: down" "$(cat "$NS_TMP/down")" equal
}
first=$(worker a)

both 'a good link' "$BYTES" $OUT4
profile loss 0.001
both 'the container: 0.1 % lost' "$BYTES" $OUT6
profile loss 0.01
both 'the container: 1 % lost' "$BYTES" $OUT4
profile loss 0.05
both 'the container: 5 % lost' $((BYTES / 8)) $OUT6
profile loss 0.1
both 'the container: 10 % lost' $((BYTES / 20)) $OUT4
profile reorder 0.25 dup 0.05
both 'the container: 25 % late, 5 % twice' $((BYTES / 4)) $OUT4
profile corrupt 0.01
both 'the container: 1 % damaged' $((BYTES / 2)) $OUT6
profile burst 200
both 'the container: 200 ms of each second lost' $((BYTES / 4)) $OUT4
profile loss 0.01 reorder 0.1 dup 0.02 corrupt 0.005
both 'the container: a little of all' $((BYTES / 8)) $OUT4
ok 'retransmissions were needed' [ "$(told a tcp_retransmit)" -gt 20 ]
ok 'damage was seen' [ "$(told a drop_checksum)" -gt 5 ]
profile loss 0
drop 1
both 'the server: 0.1 % lost' "$BYTES" $OUT4
drop 10
both 'the server: 1 % lost' "$BYTES" $OUT6
drop 50
both 'the server: 5 % lost' $((BYTES / 8)) $OUT4
drop 100
both 'the server: 10 % lost' $((BYTES / 20)) $OUT6
drop 10
profile loss 0.01
both 'both: 1 % lost' $((BYTES / 2)) $OUT4
is 'the worker is the same' "$(worker a)" "$first"
unserve "$relay"
unserve "$inner"
box_end a
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A container whose root writes whatever it likes into the tap: the worker lives, gives everything back,
# serves on, and nothing reaches the host's loopback. SLIRP_TEST_SECONDS: how long for each seed (3);
# SLIRP_TEST_FRAMES: how many at the least (20000); SLIRP_TEST_SEEDS: which (1 2).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

FRAMES=${SLIRP_TEST_FRAMES:-20000}
cp "${SLIRP_BLAST:-no SLIRP_BLAST}" "$NS_TMP/blast" || exit 99
slirp_world
serve_probe out tcp 7000 serve_tcp
serve_probe out udp 7000 serve_udp
# Whatever comes over the host's loopback to one of its addresses there is counted.
on host nft -f - <<'N'
table inet watch {
	counter loopback { }
	chain c {
		type filter hook output priority 0
		ip daddr 127.0.0.0/8 counter name loopback
		ip6 daddr ::1 counter name loopback
	}
}
N
box_new a host -6
w=$(worker a)
fds=$(n_fds "$w")
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
our=$(inside a ip -o link show tap0 | sed 's/.*link.ether \([0-9a-f:]*\) .*/\1/')
gateway=$(inside a sh -c 'ping -q -c1 -W20 10.0.2.2 >/dev/null; ip -4 neigh show 10.0.2.2' | awk '{ print $5 }')
like 'both ends have an address' "$our $gateway" '??:??:??:??:??:?? ??:??:??:??:??:??'

like 'a conversation before' "$(probe_in a udp_who $OUT4 7000)" "$HOST4 *"
n_seeds=0
for seed in ${SLIRP_TEST_SEEDS:-1 2}; do
	before=$(told a frames_in)
	n=$(inside a "$NS_TMP/blast" "${SLIRP_TEST_SECONDS:-3}" "$FRAMES" $seed "$our" "$gateway")
	after=$(told a frames_in)
	note "seed $seed: $n, $((after - before)) taken in; RSS $(rss "$w") KiB, $(n_fds "$w") descriptors"
	n_seeds=$((n_seeds + 1))
	[ $n_seeds -ne 2 ] || second=$(rss "$w")
	ok "seed $seed: frames were sent" [ "${n%% *}" -ge "$FRAMES" ]
	ok "seed $seed: and taken in" [ $((after - before)) -ge $((FRAMES / 4)) ]
	is "seed $seed: the worker is the same" "$(worker a)" "$w"
	is "seed $seed: UDP at once" "$(probe_in a udp_who $OUT4 7000 | cut -d' ' -f1)" "$HOST4"
	is "seed $seed: TCP at once" "$(probe_in a tcp_up $OUT6 7000 1000000)" equal
	ok "seed $seed: ping at once" inside a ping -q -c 1 -W 20 $OUT4
done
is "nothing went to the host's loopback" \
	"$(on host nft list counters table inet watch | awk '$1 == "packets" { print $2 }')" 0
is_idle() {
	t=$(ticks "$w")
	sleep 1
	[ $(($(ticks "$w") - t)) -le 10 ]
}
ok 'then it is idle' ns_until 10 is_idle
ok 'its memory is bounded' [ "$(rss "$w")" -lt 80000 ]
# What the first two seeds have touched is there.
[ $n_seeds -le 2 ] || ok "more seeds, no more memory: $second KiB, now $(rss "$w")" [ $(($(rss "$w") - second)) -lt 256 ]
# What is open belongs to flows that are known, apart from queries for names under way.
flows=$(($(told a tcp_flows) + $(told a udp_flows) + $(told a ping_flows)))
ok "no descriptor is lost: $(n_fds "$w") of which $fds at the start, $flows of flows" \
	[ "$(n_fds "$w")" -le $((fds + flows + 16)) ]
is 'no restart' "$(told a restarts)" 0
ok 'frames were dropped for a reason' [ "$(told a drop_ip)" -gt 100 ]
ok 'and destinations' [ "$(told a drop_policy)" -gt 100 ]
is 'no message of a worker that died' "$(grep -A20 'died\|restart\|signal\|Sanitizer\|runtime error' "$NS_TMP/a.log")" ''
box_end a
ns_done

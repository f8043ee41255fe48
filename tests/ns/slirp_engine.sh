#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The relay engine around its data path: which engine is chosen and said, what a container costs that
# does not read, ports used again, an idle connection, a worker that is killed, a container that floods
# with SYNs, its own or spoofed, and one that cuts its own side.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"
. "$(dirname "$0")/slirp_behind.sh"

cp "$(dirname "$0")/slirp_syns.py" "$NS_TMP/syns.py" || exit 99
cp "$(dirname "$0")/slirp_probe_relay.py" "$NS_TMP/probe_relay.py" || exit 99
ulimit -n 16384
slirp_world
serve_probe out tcp 7000 serve_tcp
serve_probe out udp 7000 serve_udp
serve out "$PYTHON" "$NS_TMP/probe_relay.py" serve 7100
wait_port out tcp 7100
relay_in() { # NAME ARGUMENT...: slirp_probe_relay.py in the container
	local name
	name=$1
	shift
	inside "$name" "$PYTHON" "$NS_TMP/probe_relay.py" "$@" 2>&1
}

api() { "$PYTHON" "$PROBE" api "$NS_TMP/api/$1" "$2"; }

# Which engine.
box_new s host
is 'one container: the tap engine' "$(told s engine): $(told s engine_why)" 'tap: the default'
box_end s
NETNS_UP_WITHOUT=tproxy
box_new t host -6 --for-network
unset NETNS_UP_WITHOUT
is 'a network' "$(told t engine): $(told t engine_why)" 'tap: the default'
behind x t 9
is 'is served' "$(probe_in x tcp_up $OUT4 7000 1000000)" equal
behind_end x
box_end t
NETNS_UP_WITHOUT=policy-routing
box_new p host --for-network
unset NETNS_UP_WITHOUT
like 'answers cannot be led back to the tap: it says so' "$(cat "$NS_TMP/p.log")" \
	"*addresses of the namespace's own networks are not served: no policy routing*"
box_end p
box_new n host -6 --for-network --engine=tap
behind x n 9
is 'a network, by the tap engine' "$(told n engine): $(told n engine_why)" 'tap: asked for'
(inside_exec x "$PYTHON" "$PROBE" tcp_hold $OUT6 7000 1 100) >/dev/null 2>&1 &
held=$!
NS_SERVERS="$NS_SERVERS $held"
whose() { api n '{"execute":"flows"}' | jq -r '[.return.flows[] | select(.proto == "tcp" and .state == "ESTABLISHED") | .guest] | unique | join(" ")'; }
is_whose() { [ "$(whose)" = "$1" ]; }
ok 'it is told whose a connection is' ns_until 20 is_whose fd88:9::2
unserve $held
behind_end x
box_end n
(_box_exec host unshare -Urn sleep 7200) &
apart=$!
NS_SERVERS="$NS_SERVERS $apart"
ns_until 20 _box_is_apart $apart host
said=$(_box_exec host env NETNS_UP_WITHOUT=tproxy "$SLIRP_LITE" -c --engine=relay ${SLIRP_OPTIONS:-} $apart 2>&1)
is 'by force it is an error' "$?" 1
like 'which says why' "$said" '*relay engine: no transparent proxying*'
unserve $apart

box_new r host -6 --for-network --engine=relay
behind a r 1
behind b r 2
is 'a network: the relay engine' "$(told r engine): $(told r engine_why)" 'relay: asked for'
is 'segments to a container wait for no timer' "$(inside r cat /proc/sys/net/ipv4/tcp_congestion_control)" reno
w=$(worker r)
fds=$(n_fds "$w")
is 'the box itself' "$(probe_in r tcp_up $OUT4 7000 1000000)" equal
is 'does not need it' "$(told r through_opened)" 0
is 'a container does' "$(probe_in a tcp_up $OUT4 7000 1000000)" equal
ok 'and it is counted' [ "$(told r through_out)" -ge 1000000 ]
is 'UDP, by the tap' "$(probe_in a udp_sizes $OUT4 7000 10 1400 2>&1)" exact
is 'UDP of the box itself' "$(probe_in r udp_sizes $OUT4 7000 10 1400 2>&1)" exact
ok 'ping, by the tap' inside a ping -q -c 1 -W 20 $OUT4
is 'nothing of it is tracked' "$(inside r sh -c 'cat /proc/net/nf_conntrack 2>/dev/null | grep -c "tcp.*10.88"')" 0

caps() { # of all its processes, those that have any
	local p
	for p in $slirp_r $(_descendants "$slirp_r"); do
		echo "$(cat "/proc/$p/comm") $(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$p/status")"
	done | grep -v '0000000000000000$'
}
is 'no process of it keeps a capability but one, which has CAP_NET_RAW there' "$(caps)" 'slirp-nsd 0000000000002000'

# A published port of a container (tests/ns/slirp_shown.sh has the rest).
(inside_exec a "$PYTHON" "$PROBE" serve_tcp 7200) >/dev/null 2>&1 &
NS_SERVERS="$NS_SERVERS $!"
ns_until 20 inside a sh -c 'ss -Hlnt "sport = 7200" | grep -q .'
like 'a port of a container is published' "$(as_user host "$PYTHON" "$PROBE" api "$NS_TMP/api/r" \
	'{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_port":8080,"guest_addr":"10.88.1.2","guest_port":7200}}')" '*"id"*'
is 'a remote client comes with its own address' "$(probe_on out tcp_who $HOST4 8080 10401)" "$OUT4 10401"
is 'and its bytes' "$(probe_on out tcp_up $HOST4 8080 4000000)" equal
like 'a client of the host' "$(probe_on host tcp_who 127.0.0.1 8080)" '10.88.1.1 *'

# What one connection holds.
n=$(relay_in a stalled_down $OUT4 7100)
ok "of a reader that has stopped at most 2 MiB are under way: $n" [ "$n" -le $((2 << 20)) ]
n=$(relay_in a stalled_up $OUT4 7100)
ok "of a server that has stopped, too: $n" [ "$n" -le $((2 << 20)) ]
is 'a port is used again at once, 200 times' "$(relay_in a same_port $OUT4 7000 200)" '200 right'
is 'over IPv6' "$(relay_in a same_port $OUT6 7000 200)" '200 right'
is 'and a new SYN on an old connection' "$(relay_in a reborn $OUT4 7000)" right
is 'small writes are answered one by one' "$(relay_in a ping_pong $OUT4 7000 2000)" '2000 right'
is 'urgent bytes hold up nothing' "$(relay_in a urgent $OUT4 7000 1000)" '1000 right'
is 'an idle connection goes on' "$(relay_in a idle $OUT4 7000 3)" right

# What is listed of them.
flows() { # NAME JQ-EXPRESSION
	as_user host "$PYTHON" "$PROBE" api "$NS_TMP/api/$1" '{"execute":"flows"}' | jq -r "[.return.flows[] | select($2)]
		| sort_by(.peer) | .[] | [.proto, .guest, .guest_port > 0, .peer, .peer_port, .state, .relayed, .inward] | join(\" \")"
}
(inside_exec a "$PYTHON" "$NS_TMP/probe_relay.py" idle $OUT4 7000 200) >/dev/null &
four=$!
(inside_exec b "$PYTHON" "$NS_TMP/probe_relay.py" idle $OUT6 7000 200) >/dev/null &
six=$!
NS_SERVERS="$NS_SERVERS $four $six"
both() { [ "$(flows r '.relayed and .peer_port == 7000 and .state == "ESTABLISHED"' | wc -l)" = 2 ]; }
ok 'two connections are listed' ns_until 20 both
is 'as the containers know them' "$(flows r '.relayed and .peer_port == 7000')" "tcp 10.88.1.2 true $OUT4 7000 ESTABLISHED true false
tcp fd88:2::2 true $OUT6 7000 ESTABLISHED true false"
kept() { [ "$(on host ss -Htno state established dport = :7000 | grep -c keepalive)" -ge 2 ]; }
ok 'that a peer vanishes would be noticed' ns_until 20 kept
kept_inside() { [ "$(inside r ss -Htno state established sport = :7000 | grep -c keepalive)" -ge 2 ]; }
ok 'that a container vanishes, too' ns_until 20 kept_inside
unserve $four
unserve $six
none() { [ -z "$(flows r '.relayed and .peer_port == 7000')" ]; }
ok 'and are not when they have ended' ns_until 20 none

# A worker that is killed.
before=$(told r through_flows)
relay_in a await_end $OUT4 7100 >"$NS_TMP/cut" &
waits=$!
under_way() { [ "$(told r through_flows)" = $((before + 1)) ]; }
ok 'a connection is under way' ns_until 20 under_way
kill -KILL "$w"
wait $waits
is 'when the worker is killed it is reset' "$(cat "$NS_TMP/cut")" ECONNRESET
is 'the next one serves at once' "$(probe_in a tcp_up $OUT4 7000 1000000)" equal
is 'by the relay engine' "$(told r through_opened)" 1
w=$(worker r)
fds=$(n_fds "$w")

# SYNs.
inside a nft -f - <<'N'
table inet t {
	chain c {
		type filter hook input priority 0
		tcp sport 7100 drop
	}
}
N
for sources in own net any; do
	inside a "$PYTHON" "$NS_TMP/syns.py" $OUT4 7100 2 $sources >"$NS_TMP/syns" &
	flood=$!
	sleep 0.5
	is "SYNs of $sources: the neighbour is served" "$(probe_in b tcp_connect $OUT4 7000 30)" connected
	wait $flood
	note "SYNs of $sources: $(cat "$NS_TMP/syns"), held $(told r through_flows), $(n_fds "$w") descriptors"
	is "SYNs of $sources: the neighbour's bytes" "$(probe_in b tcp_up $OUT4 7000 1000000)" equal
	ok "SYNs of $sources: what is held is bounded" [ "$(told r through_flows)" -le 4096 ]
done
is 'IPv6 is as before' "$(probe_in b tcp_up $OUT6 7000 1000000)" equal
inside a nft delete table inet t
before=0
gone() { [ "$(told r through_flows)" = 0 ] && [ "$(n_fds "$w")" -le $((fds + 2)) ]; }
ok 'in the end nothing of it is left' ns_until 45 gone
ok 'it was given up' [ "$(told r through_lost)" -gt 100 ]
is 'the worker is the same' "$(worker r)" "$w"

# One that cuts its own side: the host's socket is found out by the keep-alive, others do not notice.
relay_in a await_end $OUT4 7100 >/dev/null &
cut=$!
ok 'a connection again' ns_until 20 under_way
inside a ip link set eth0 down
is 'the neighbour of a container that went' "$(probe_in b tcp_up $OUT4 7000 1000000)" equal
kill $cut
wait $cut 2>/dev/null
behind_end a
behind_end b
is 'no message of a worker that died by itself' "$(grep 'Sanitizer\|runtime error\|signal 11\|signal 6\|signal 31' "$NS_TMP/r.log")" ''
box_end r
ns_done

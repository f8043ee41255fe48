#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Remote clients of ports that a network publishes: they come by sockets of the namespace that have the client's own
# address and port, where a rule translates them, where they are for the container's own address, and where the
# server is in the namespace itself; what one process may do for it, and how they come when it does not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"
. "$(dirname "$0")/slirp_behind.sh"

cp "$(dirname "$0")/slirp_probe_relay.py" "$NS_TMP/probe_relay.py" || exit 99
ulimit -n 16384
slirp_world
api() { "$PYTHON" "$PROBE" api "$NS_TMP/api/$1" "$2"; }
serve_in() { # NAME PORT
	(inside_exec "$1" "$PYTHON" "$PROBE" serve_tcp "$2") >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 inside "$1" sh -c 'ss -Hltn "sport = $1" | grep -q .' sh "$2" || bail "no server on $2 of $1"
}
process_of() { # NAME COMM
	local p
	eval "p=\$slirp_$1"
	_descendants "$p" | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != "$2" ] || echo "$p"
	done | tail -n 1
}
# translate NAME: what a network's rules do with ports 8080, 8083 (to the container's 7000, 7100) and 8082 (nobody there).
translate() {
	inside "$1" nft -f - <<-'N' || bail 'rules'
		table inet engine {
			chain publish {
				fib daddr type != local return
				meta nfproto ipv4 tcp dport 8080 dnat ip to 10.88.1.2:7000
				meta nfproto ipv4 tcp dport 8082 dnat ip to 10.88.1.2:7001
				meta nfproto ipv4 tcp dport 8083 dnat ip to 10.88.1.2:7100
				meta nfproto ipv6 tcp dport 8083 dnat ip6 to [fd88:1::2]:7100
				meta nfproto ipv6 tcp dport 8080 dnat ip6 to [fd88:1::2]:7000
				meta nfproto ipv6 tcp dport 8082 dnat ip6 to [fd88:1::2]:7001
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				jump publish
			}
			chain output {
				type nat hook output priority -100
				jump publish
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "veth1" ct status dnat fib saddr type local masquerade
			}
			chain forward {
				type filter hook forward priority filter
				ct state established,related accept
				ct status dnat accept
				oifname "veth1" drop
			}
		}
	N
}
# by NAME PORT: how a connection to this port inside is carried: inside, tap, none.
by() {
	api "$1" '{"execute":"flows"}' | jq -r "[.return.flows[] | select(.proto == \"tcp\" and .inward and
		.guest_port == $2 and .state == \"ESTABLISHED\") | if .relayed then \"inside\" else \"tap\" end] | unique | join(\" \")"
}
is_by() { [ "$(by "$1" "$2")" = "$3" ]; }
hold() { # HOST PORT: a connection that says nothing, until `unserve $held`
	(_box_exec out "$PYTHON" "$PROBE" tcp_hold "$1" "$2" 1 100) >/dev/null 2>&1 &
	held=$!
	NS_SERVERS="$NS_SERVERS $held"
}

box_new r host -6 --for-network --engine=relay -p 8080:8080 -p 8082:8082 -p 8083:8083 -p 8090:7000
behind a r 1
translate r
serve_in a 7000
serve_in r 7000
(inside_exec a "$PYTHON" "$NS_TMP/probe_relay.py" serve 7100) >/dev/null 2>&1 &
NS_SERVERS="$NS_SERVERS $!"
ns_until 20 inside a sh -c 'ss -Hltn "sport = 7100" | grep -q .'
relay_on() { as_user out "$PYTHON" "$NS_TMP/probe_relay.py" "$@" 2>&1; }
like 'to the address of the container itself' "$(api r '{"execute":"add_hostfwd","arguments":{"proto":"tcp",
	"host_port":8081,"guest_addr":"10.88.1.2","guest_port":7000}}')" '*"id"*'
nsd=$(process_of r slirp-nsd)
w=$(worker r)

kept() { inside r ss -Htno state established dport = :8080 | grep -q keepalive; }
for f in 4 6; do
	eval "host=\$HOST$f own=\$OUT$f"
	for port in 8080 8090; do
		is "IPv$f, $port: its own address and port" "$(probe_on out tcp_who $host $port 2${f}001)" "$own 2${f}001"
		is "IPv$f, $port: to the server" "$(probe_on out tcp_up $host $port 8000000)" equal
		is "IPv$f, $port: and from it" "$(probe_on out tcp_down $host $port 8000000)" equal
		is "IPv$f, $port: half close" "$(probe_on out tcp_half $host $port 3000000)" 'ours equal theirs equal'
		is "IPv$f, $port: reset" "$(probe_on out tcp_reset $host $port)" 'theirs ECONNRESET ours ECONNRESET'
	done
	is "IPv$f: a port of root's" "$(on out "$PYTHON" "$PROBE" tcp_who $host 8080 70$f)" "$own 70$f"
	is "IPv$f: a port is used again at once, 100 times" "$(relay_on same_port $host 8080 100)" '100 right'
	is "IPv$f: small writes are answered one by one" "$(relay_on ping_pong $host 8080 500)" '500 right'
	is "IPv$f: nobody there" "$(probe_on out tcp_who $host 8082)" ECONNRESET
	hold $host 8080
	ok "IPv$f: it is carried by a socket inside" ns_until 20 is_by r 8080 inside
	ok "IPv$f: that the container vanishes would be noticed" ns_until 20 kept
	unserve $held
	ok "IPv$f: and gone with its client" ns_until 20 is_by r 8080 ''
done
hold $HOST6 8090
ok 'so is one to the namespace itself' ns_until 20 is_by r 7000 inside
is 'unpublished, it is cut' "$(api r '{"execute":"unpublish","arguments":{"ports":["8090"]}}')" '{"return":{}}'
ok 'and nothing is listed' ns_until 20 is_by r 7000 ''
unserve $held
is 'no translation: its own address' "$(probe_on out tcp_who $HOST4 8081 24003)" "$OUT4 24003"
is 'no translation: bytes' "$(probe_on out tcp_down $HOST4 8081 4000000)" equal
is 'a thousand at once' "$(probe_on out tcp_parallel $HOST4 8080 1000)" '1000 right'
is 'the same over IPv6' "$(probe_on out tcp_parallel $HOST6 8080 1000)" '1000 right'
like 'a client of the host is the gateway still' "$(probe_on host tcp_who 127.0.0.1 8080)" '10.88.1.1 *'
is 'and its bytes' "$(probe_on host tcp_up ::1 8080 4000000)" equal
serve_probe out tcp 7000 serve_tcp
is 'a container has its way out' "$(probe_in a tcp_up $OUT4 7000 1000000)" equal
is 'so has the namespace' "$(probe_in r tcp_up $OUT6 7000 1000000)" equal

# What it takes: one capability, in the namespace's user namespace alone, of the process that makes sockets there.
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
for set in CapPrm CapEff CapBnd; do
	is "the maker of sockets: $set is CAP_NET_RAW" "$(status "$nsd" $set)" 0000000000002000
done
is 'in the user namespace of the container' "$(readlink "/proc/$nsd/ns/user")" "$(readlink "/proc/$box_r/ns/user")"
case ${SLIRP_OPTIONS:-} in
*sandbox=off*) ;;
*) is 'the worker has none' "$(status "$w" CapPrm) $(status "$w" CapBnd)" '0000000000000000 0000000000000000' ;;
esac
box_new s host -p 8190:7000
is 'for a single container nobody has one' "$(status "$(process_of s slirp-nsd)" CapPrm)" 0000000000000000
box_end s

# It does not answer, and then it does.
quiet() { [ "$(told r local_flows)" = 0 ]; }
ok 'all of it is over' ns_until 20 quiet
fds=$(n_fds "$w")
kill -STOP "$nsd"
hold $HOST4 8080
gone=$held
sleep 0.3 # its end, too, is to come before the socket does
unserve $gone
is 'the maker of sockets is stopped: its own address' "$(probe_on out tcp_who $HOST4 8080 24004)" "$OUT4 24004"
is 'and of the next' "$(probe_on out tcp_who $HOST6 8080 24005)" "$OUT6 24005"
hold $HOST4 8080
ok 'by the tap' ns_until 20 is_by r 8080 tap
unserve $held
kill -CONT "$nsd"
again() {
	hold $HOST4 8080
	ns_until 2 is_by r 8080 inside
	set -- $?
	unserve $held
	return "$1"
}
ok 'it goes on: by a socket inside' ns_until 20 again
tidy() { quiet && [ "$(n_fds "$w")" -le $((fds + 1)) ]; }
ok 'nothing is left of those who did not wait' ns_until 20 tidy
for f in 4 6; do
	eval "host=\$HOST$f"
	n=$(relay_on stalled_down $host 8083)
	ok "IPv$f: of a reader that has stopped at most 2 MiB are under way: $n" [ "$n" -le $((2 << 20)) ]
	n=$(relay_on stalled_up $host 8083)
	ok "IPv$f: of a server that has stopped, too: $n" [ "$n" -le $((2 << 20)) ]
done
kill -KILL "$nsd"
for f in 4 6; do
	eval "host=\$HOST$f own=\$OUT$f"
	is "it is killed, IPv$f: its own address all the same" "$(probe_on out tcp_who $host 8080 2${f}006)" "$own 2${f}006"
	is "IPv$f: and bytes" "$(probe_on out tcp_up $host 8080 4000000)" equal
done
is 'the worker is the same' "$(worker r)" "$w"
box_end r

# Without descriptors for all; without transparent proxying.
printf '#!/bin/sh\nulimit -n 160\nexec "%s" "$@"\n' "$SLIRP_LITE" >"$NS_TMP/few"
chmod 755 "$NS_TMP/few"
whole=$SLIRP_LITE
SLIRP_LITE=$NS_TMP/few
box_new few host --for-network --engine=relay -p 8480:7000
SLIRP_LITE=$whole
serve_in few 7000
is 'clients without a descriptor wait: all are served' "$(probe_on out tcp_crowd $HOST4 8480 300)" 'answered 300'
probe_on out tcp_hold $HOST4 8480 300 2 >"$NS_TMP/held" &
held=$!
ns_until 20 sh -c 'grep -q 300 "$1"' sh "$NS_TMP/held"
wait $held
is 'with descriptors it goes on' "$(probe_on out tcp_who $HOST4 8480 24007)" "$OUT4 24007"
box_end few
box_new t host -6 --for-network -p 8580:7000
serve_in t 7000
is 'by the tap engine' "$(probe_on out tcp_who $HOST6 8580 24008)" "$OUT6 24008"
is 'and nobody has a capability' "$(status "$(process_of t slirp-nsd)" CapPrm)" 0000000000000000
box_end t
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# TCP of an ordinary user's container: curl, iperf3, both half closes, resets, a slow reader, much data,
# many connections, path MTU, and what connect() says compared with the same call on the host.
# Argument relay: of a container behind the box, by the relay engine; network: of one behind it, by the tap engine.
# SLIRP_TEST_BYTES: how much is sent each way (64 MiB); over IPv4 and MTU 1500 SLIRP_TEST_MANY_BYTES (1 GB).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"
. "$(dirname "$0")/slirp_behind.sh"

BYTES=${SLIRP_TEST_BYTES:-67108864}
MANY_BYTES=${SLIRP_TEST_MANY_BYTES:-1000000000}
ulimit -n 8192
slirp_world
serve_probe out tcp 7000 serve_tcp
serve_probe far tcp 7000 serve_tcp
serve_http out 80
serve out iperf3 -s
wait_port out tcp 5201
case ${1:-} in
relay | network)
	[ "$1" = relay ] && how=--engine=relay || how='--for-network --engine=tap'
	# shellcheck disable=SC2086 # words
	box_new r host -6 --host-loopback=tcp:7500 $how
	behind a r 1
	box=r
	;;
*)
	box_new a host -6 --host-loopback=tcp:7500
	box=a
	;;
esac
first_worker=$(worker $box)
fds=$(n_fds "$first_worker")

is 'curl' "$(inside a curl -sS -m 60 http://$OUT4/hello)" 'hello from out'
is 'curl over IPv6' "$(inside a curl -sS -g -m 60 "http://[$OUT6]/hello")" 'hello from out'
is 'the client as the server sees it' "$(inside a curl -sS -m 60 http://$OUT4/cgi-bin/peer)" "$HOST4"
for f in 4 6; do
	eval "out=\$OUT$f far=\$FAR$f"
	is "IPv$f: $BYTES bytes up" "$(probe_in a tcp_up $out 7000 "$BYTES")" equal
	is "IPv$f: $BYTES bytes down" "$(probe_in a tcp_down $out 7000 "$BYTES")" equal
	is "IPv$f: half close" "$(probe_in a tcp_half $out 7000 3000000)" 'ours equal theirs equal'
	is "IPv$f: reset" "$(probe_in a tcp_reset $out 7000)" 'theirs ECONNRESET ours ECONNRESET'
	is "IPv$f: a path with a smaller MTU, up" "$(probe_in a tcp_up $far 7000 8000000)" equal
	is "IPv$f: and down" "$(probe_in a tcp_down $far 7000 8000000)" equal
done
is "$MANY_BYTES bytes up" "$(probe_in a tcp_up $OUT4 7000 "$MANY_BYTES")" equal
is "$MANY_BYTES bytes down" "$(probe_in a tcp_down $OUT4 7000 "$MANY_BYTES")" equal
is 'a slow reader' "$(probe_in a tcp_down $OUT4 7000 12000000 5)" equal
is '1000 at once' "$(probe_in a tcp_parallel $OUT4 7000 1000)" '1000 right'
is 'and over IPv6' "$(probe_in a tcp_parallel $OUT6 7000 1000)" '1000 right'
for r in '' -R; do
	wait_port out tcp 5201 # between two tests the server does not listen
	ok "iperf3 ${r:-up}" ns_iperf inside a timeout 120 iperf3 -c $OUT4 -t 1 $r
	wait_port out tcp 5201
	ok "iperf3, 8 streams ${r:-up}" ns_iperf inside a timeout 120 iperf3 -c $OUT6 -t 1 -P 8 $r
done
on out sysctl -qw net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0
inside a sysctl -qw net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0
is 'a container without options, up' "$(probe_in a tcp_up $OUT4 7000 8000000)" equal
is 'and down' "$(probe_in a tcp_down $OUT4 7000 8000000)" equal
inside a sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_sack=1 net.ipv4.tcp_window_scaling=1

# The host's loopback.
serve_probe host tcp 7500 serve_tcp
serve_probe host tcp 7600 serve_tcp
like 'an open port of the loopback' "$(probe_in a tcp_peer 10.0.2.2 7500)" '*127.0.0.1 *'
like 'and over IPv6' "$(probe_in a tcp_peer fd00::2 7500)" '::1 *'
is 'no other port' "$(probe_in a tcp_connect 10.0.2.2 7600)" ECONNREFUSED
is 'nor over IPv6' "$(probe_in a tcp_connect fd00::2 7600)" ECONNREFUSED

# connect(): the same call in the container and on the host.
same_connect() { # DESCRIPTION HOST PORT [SECONDS]
	local what direct
	what=$1
	shift
	probe_on host tcp_connect "$@" >"$NS_TMP/direct" & # both at once: some answers take seconds
	direct=$!
	probe_in a tcp_connect "$@" >"$NS_TMP/inside"
	wait $direct
	direct=$(cat "$NS_TMP/direct")
	case $direct in E[A-Z]* | connected | silence) ;; *) direct="not '$direct', which is no errno" ;; esac
	is "$what: $direct" "$(cat "$NS_TMP/inside")" "$direct"
}
on out nft -f - <<'N'
table inet t {
	chain c {
		type filter hook input priority 0
		tcp dport 101 reject with icmp type net-unreachable
		tcp dport 102 reject with icmp type host-unreachable
		tcp dport 103 reject with icmp type prot-unreachable
		tcp dport 104 reject with icmp type port-unreachable
		tcp dport 105 reject with icmp type net-prohibited
		tcp dport 106 reject with icmp type host-prohibited
		tcp dport 107 reject with icmp type admin-prohibited
		tcp dport 108 reject with tcp reset
		tcp dport 201 reject with icmpv6 type no-route
		tcp dport 202 reject with icmpv6 type admin-prohibited
		tcp dport 203 reject with icmpv6 type addr-unreachable
		tcp dport 204 reject with icmpv6 type port-unreachable
		tcp dport 205 reject with icmpv6 type policy-fail
		tcp dport 206 reject with icmpv6 type reject-route
		tcp dport 300 drop
	}
}
N
same_connect 'open' $OUT4 7000
same_connect 'closed' $OUT4 9
same_connect 'IPv6 closed' $OUT6 9
same_connect 'closed beyond a router' $FAR4 9
for p in 101 102 103 104 105 106 107 108; do same_connect "IPv4 reject $p" $OUT4 $p; done
for p in 201 202 203 204 108; do same_connect "IPv6 reject $p" $OUT6 $p; done
same_connect 'IPv4 filtered' $OUT4 300 1.5
same_connect 'IPv6 filtered' $OUT6 300 1.5
on host ip -4 route add unreachable 192.0.2.1
on host ip -6 route add unreachable 2001:db8:f::1
on host ip -6 route add prohibit 2001:db8:f::2
same_connect 'unreachable route' 192.0.2.1 9
same_connect 'IPv6 unreachable route' 2001:db8:f::1 9
same_connect 'IPv6 prohibited route' 2001:db8:f::2 9
same_connect 'a neighbour that is not there' 198.51.100.99 9 30
# IPv4 has no error that a kernel shows as EACCES: "administratively prohibited" is as near as it gets.
on host ip -4 route add prohibit 192.0.2.2
is 'prohibited route' "$(probe_in a tcp_connect 192.0.2.2 9)" EHOSTUNREACH
on host ip -4 route del default
same_connect 'no route' 192.0.2.99 9
on host ip -4 route add default via $OUT4

is 'the worker is the same' "$(worker $box)" "$first_worker"
# The host still tries the two that are filtered: their clients gave up without a word.
as_before() { [ "$(n_fds "$first_worker")" -le $((fds + 2)) ]; }
ok "its sockets are closed: $fds at the start" ns_until 20 as_before
is 'no connection stays' "$(inside a ss -Htan state established | wc -l)" 0
if [ $box = r ]; then
	if [ "$1" = relay ]; then
		ok 'nearly all went by the relay engine' [ "$(told r through_opened)" -gt 2000 ]
		is 'none is left' "$(told r through_flows)" 0
	else
		is 'by the tap engine' "$(told r engine): $(told r through_opened)" 'tap: 0'
	fi
	behind_end a
	box_end r
	ns_done
	exit
fi
box_end a
box_new b host -6 --mtu=65520
is 'MTU 65520: up' "$(probe_in b tcp_up $OUT4 7000 "$BYTES")" equal
is 'MTU 65520: down' "$(probe_in b tcp_down $OUT4 7000 "$BYTES")" equal
box_end b
ns_done

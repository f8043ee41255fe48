#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients of published ports, and servers, whose addresses the container looks for on its own link: of the same
# network as its own (which happens to be a network of the host's too, or was copied from the host), link-local.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world
# What the host and its neighbour have here too: the network that a container is given unasked.
wire_more() {
	on host ip addr add "$1/$3" dev eth0
	on out ip addr add "$2/$3" dev eth0
}
wire_more 10.0.2.200 10.0.2.7 24
wire_more fd00::200 fd00::7 64
wire_more 169.254.9.200 169.254.9.7 16
wire_more fe80::200 fe80::7 64
on out ip route replace fe80::200 dev eth0 src fe80::7
seen_as() { # tcp|udp SERVER PORT: the client's address as the container has it, without what names its link
	probe_on out "$1"_who "$2" "$3" | cut -d' ' -f1 | cut -d% -f1
}

box_new a host -6 -p 8080:7000 -p 9000:7000/udp
serve_in a tcp 7000 serve_tcp
serve_in a udp 7000 serve_udp
while read -r what server client udp; do
	is "$what: TCP, its own address" "$(seen_as tcp "$server" 8080)" "$client"
	is "$what: UDP" "$(seen_as udp "$server" 9000)" "${udp:-$client}"
	is "$what: 4 MB" "$(probe_on out tcp_down "$server" 8080 4000000)" equal
	is "$what: datagrams of all sizes" "$(probe_on out udp_sizes "$server" 9000 1 1400 30000)" exact
done <<'N'
same-network 10.0.2.200 10.0.2.7
same-network,IPv6 fd00::200 fd00::7
link-local fe80::200%eth0 fe80::7 fd00::2
link-local,IPv4 169.254.9.200 169.254.9.7
N
like 'others as ever' "$(probe_on out tcp_who $HOST4 8080 10401)" "$OUT4 10401"
like 'over IPv6' "$(probe_on out tcp_who $HOST6 8080 10402)" "$OUT6 10402"

# A client is there, and stays. Nobody learns from that that its address is taken, or how to get there.
hold() { # connects and stays; its end is a reset
	serve out "$PYTHON" -c 'import socket, struct, time
s = socket.create_connection(("10.0.2.200", 8080))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
time.sleep(600)'
}
hold
_has_client() { inside a ss -Hnt state established "dst 10.0.2.7" | grep -q .; }
ok 'a client that stays' ns_until 20 _has_client
ok 'duplicate address detection is not answered' inside a busybox arping -D -q -c 1 -I tap0 10.0.2.7
ok 'while the client is found' inside a busybox arping -q -c 1 -w 10 -I tap0 -s 10.0.2.100 10.0.2.7
nok 'and its neighbour not' inside a busybox arping -q -c 1 -w 1 -I tap0 -s 10.0.2.100 10.0.2.8
client=$SERVED
serve_probe out tcp 7100 serve_tcp
is 'the container opens nothing there' "$(probe_in a tcp_connect 10.0.2.7 7100 0.5)" silence
ok 'which is counted' [ "$(told a drop_policy)" -gt 0 ]
unserve "$client"
_has_no_client() { ! _has_client; }
ok 'the client ends' ns_until 20 _has_no_client
# UDP clients are remembered for two minutes: a container of its own for what is afterwards.
box_end a
box_new b host -6 -p 8080:7000
serve_in b tcp 7000 serve_tcp
_is_found() { inside b busybox arping -q -c 1 -w 1 -I tap0 -s 10.0.2.100 10.0.2.7; }
nok 'no client: its address is not found' _is_found
hold
ok 'a client: it is' ns_until 20 _is_found
unserve "$SERVED"
_is_lost() { ! _is_found; }
ok 'no client: it is not' ns_until 20 _is_lost
box_end b

# In a network that was copied from the host: its neighbours, in and out.
PASTA=$NS_TMP/pasta
ln -s "$SLIRP_LITE" "$PASTA"
on out ip -4 addr add 198.51.100.77/24 dev eth0
on out ip -6 addr add 2001:db8:1::77/64 dev eth0 nodad
on out ip -4 route add $HOST4/32 dev eth0 src 198.51.100.77
on out ip -6 route add $HOST6/128 dev eth0 src 2001:db8:1::77
serve_probe out tcp 7000 serve_tcp
serve_probe out udp 7000 serve_udp
(_box_exec host unshare -Urn sleep 7200) &
box_p=$!
NS_SERVERS="$NS_SERVERS $box_p"
ns_until 20 _box_is_apart "$box_p" host || bail 'no namespace'
is 'copied from the host' "$(as_user host "$PASTA" ${SLIRP_OPTIONS:-} -q --config-net -t 8080:7000 -u 9000:7000 "$box_p" 2>&1)" ''
_settled() { _box_settled p; }
ok 'and settled' ns_until 20 _settled
serve_in p tcp 7000 serve_tcp
serve_in p udp 7000 serve_udp
while read -r what server client; do
	is "$what: TCP, its own address" "$(seen_as tcp "$server" 8080)" "$client"
	is "$what: UDP" "$(seen_as udp "$server" 9000)" "$client"
	is "$what: and to it, TCP" "$(probe_in p tcp_peer "$client" 7000 | sed 's/^::ffff://; s/ .*//')" "$server"
	is "$what: UDP" "$(probe_in p udp_who "$client" 7000 | cut -d' ' -f1)" "$server"
	is "$what: a closed port" "$(probe_in p tcp_connect "$client" 7001)" ECONNREFUSED
	ok "$what: ping" inside p ping -q -c1 -W20 "$client"
done <<N
neighbour $HOST4 198.51.100.77
neighbour,IPv6 $HOST6 2001:db8:1::77
N
is 'link-local: TCP' "$(seen_as tcp fe80::200%eth0 8080)" fe80::7
is 'link-local: UDP, as the gateway' "$(seen_as udp fe80::200%eth0 9000)" $OUT6
is 'nobody there' "$(probe_in p tcp_connect 198.51.100.99 7000 30)" EHOSTUNREACH
ok 'duplicate address detection is not answered' inside p busybox arping -D -q -c 1 -I eth0 198.51.100.77
ok 'nor by the container itself' inside p busybox arping -D -q -c 1 -I eth0 $HOST4
unserve "$box_p"
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports, in the mode that $1 names (bridge or routed): every protocol, family and form of
# SPEC, from the outside, from the host, from loopback, from the container itself and its neighbours.
. "$(dirname "$0")/lib.sh"
mode=${1:-bridge}

nu() { on host "$NETNS_UP" "$@"; }
addr() { # CONTAINER 4|6
	case $2 in
	4) on "$1" ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/' ;;
	6) on "$1" ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/' ;;
	esac
}

ns_world
host_new far
wire far eth0 203.0.113.2/24 2001:db8:3::2/64 out eth1 203.0.113.1/24 2001:db8:3::1/64
on far ip route add default via 203.0.113.1
on far ip -6 route add default via 2001:db8:3::1
on out sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
on host ip addr add 198.51.100.9/24 dev eth0
snapshot host >"$NS_TMP/before"

ok "a $mode network" nu network create web --mode "$mode"
container_new c1 host
container_new c2 host
p1=$(ns_pid c1)
p2=$(ns_pid c2)
ok 'up with ports' nu up "$p1" --network web --name one -p 8080:80 -p 5353:53/udp -p 9000-9003 \
	-p 198.51.100.9:8443:443 -p 40000-40999 -p '[2001:db8:1::1]:8444:443'
ok 'a neighbour' nu up "$p2" --network web --name two
serve_http c1 80
serve_peer c1 udp 53
serve_peer c1 tcp 443
serve_peer c1 tcp 9003
serve_peer c1 tcp 40500
serve_peer c1 tcp 81

is 'from the outside, IPv4' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
is 'from the outside, IPv6' "$(http out "http://[$HOST6]:8080/hello")" 'hello from c1'
like "the client's real address, IPv4" "$(http far http://$HOST4:8080/cgi-bin/peer)" '*203.0.113.2*'
like "the client's real address, IPv6" "$(http far "http://[$HOST6]:8080/cgi-bin/peer")" '*2001:db8:3::2*'
is 'UDP, real address, IPv4' "$(ask far udp $HOST4 5353)" 203.0.113.2
is 'UDP, real address, IPv6' "$(ask far udp $HOST6 5353)" 2001:db8:3::2
is 'a port of a short range' "$(ask far tcp $HOST4 9003)" 203.0.113.2
is 'a port of a wide range' "$(ask far tcp $HOST4 40500)" 203.0.113.2
is 'a port of a wide range, IPv6' "$(ask far tcp $HOST6 40500)" 2001:db8:3::2
is 'a host address of its own' "$(ask far tcp 198.51.100.9 8443)" 203.0.113.2
is 'an IPv6 host address of its own' "$(ask far tcp $HOST6 8444)" 2001:db8:3::2
is 'not on the other host address' "$(ask far tcp $HOST4 8443)" ''
is 'not in the other family' "$(ask far tcp $HOST4 8444)" ''
is 'an unpublished port is closed' "$(ask far tcp $HOST4 81)" ''

is 'from the host by its own address' "$(http host http://$HOST4:8080/hello)" 'hello from c1'
is 'from the host by its own IPv6 address' "$(http host "http://[$HOST6]:8080/hello")" 'hello from c1'
is 'from 127.0.0.1' "$(http host http://127.0.0.1:8080/hello)" 'hello from c1'
is 'from ::1' "$(http host 'http://[::1]:8080/hello')" 'hello from c1'
is 'route_localnet is off everywhere' "$(on host sh -c 'cat /proc/sys/net/ipv4/conf/*/route_localnet' | sort -u)" 0
isnt 'UDP from 127.0.0.1' "$(ask host udp 127.0.0.1 5353)" ''
isnt 'a port of a wide range from 127.0.0.1' "$(ask host tcp 127.0.0.1 40500)" ''
isnt 'from ::1' "$(ask host tcp ::1 40500)" ''
ok 'a range on 127.0.0.1 alone' nu publish one 127.0.0.1:43000-43099:81-180 -q
isnt 'a port of it' "$(ask host tcp 127.0.0.1 43000)" ''
is 'not from outside' "$(ask far tcp $HOST4 43000)" ''
ok 'and back' nu unpublish one 127.0.0.1:43000-43099 -q
nu publish one 127.0.0.1:43000-44024:81-1105 2>"$NS_TMP/err"
is 'more than 1024 are not served there' $? 8
like 'and that is said' "$(cat "$NS_TMP/err")" '*at most 1024 ports*'
isnt 'UDP from ::1' "$(ask host udp ::1 5353)" ''

ok 'publish on loopback alone' nu publish one 127.0.0.1:8090:80 '[::1]:8091:80' 127.0.0.1:5390:53/udp
is 'reached from 127.0.0.1' "$(http host http://127.0.0.1:8090/hello)" 'hello from c1'
is 'reached from ::1' "$(http host 'http://[::1]:8091/hello')" 'hello from c1'
isnt 'reached by UDP' "$(ask host udp 127.0.0.1 5390)" ''
is 'not from the outside' "$(http out http://$HOST4:8090/hello)" ''
is 'nor by the other address' "$(http host http://$HOST4:8090/hello)" ''
ok 'unpublish it' nu unpublish one 127.0.0.1:8090 '[::1]:8091' 127.0.0.1:5390/udp

# Bulk data, both directions, from outside and over loopback.
ok 'publish iperf3' nu publish one 5201
serve c1 iperf3 -s
wait_port c1 tcp 5201
for to in "out $HOST4" "out $HOST6" 'host 127.0.0.1' 'host ::1'; do
	for way in '' -R; do
		# shellcheck disable=SC2086
		ok "iperf3 from ${to% *} to ${to#* } $way" ns_iperf on ${to% *} iperf3 -c ${to#* } -n 20M $way
	done
done
ok 'unpublish it' nu unpublish one 5201

for nf in 0 1; do
	on host sysctl -qw net.bridge.bridge-nf-call-iptables=$nf net.bridge.bridge-nf-call-ip6tables=$nf
	container_new "h$nf" host
	ok "up with br_netfilter $nf" nu up "$(ns_pid h$nf)" --network web --name "h$nf" -p "81$nf:80"
	serve_http "h$nf" 80
	is "br_netfilter $nf: a neighbour by the published port, IPv4" \
		"$(http c2 http://$HOST4:81$nf/hello)" "hello from h$nf"
	is "br_netfilter $nf: a neighbour by the published port, IPv6" \
		"$(http c2 "http://[$HOST6]:81$nf/hello")" "hello from h$nf"
	is "br_netfilter $nf: itself by its published port, IPv4" \
		"$(http h$nf http://$HOST4:81$nf/hello)" "hello from h$nf"
	is "br_netfilter $nf: itself by its published port, IPv6" \
		"$(http h$nf "http://[$HOST6]:81$nf/hello")" "hello from h$nf"
	is "br_netfilter $nf: the neighbour directly" "$(http c2 "http://$(addr h$nf 4)/hello")" "hello from h$nf"
	is "br_netfilter $nf: the neighbour directly, IPv6" \
		"$(http c2 "http://[$(addr h$nf 6)]/hello")" "hello from h$nf"
	ok "down with br_netfilter $nf" nu down "h$nf"
done
on host sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1

# Publishing while it runs.
ok 'publish' nu publish one 8081:80 7000:443/tcp
is 'reached' "$(http out http://$HOST4:8081/hello)" 'hello from c1'
is 'reached from loopback' "$(http host http://127.0.0.1:8081/hello)" 'hello from c1'
ok 'publish of the same again' nu publish one 8081:80
ok 'unpublish by the host side' nu unpublish one 8081
is 'closed' "$(http out http://$HOST4:8081/hello)" ''
is 'closed on loopback' "$(http host http://127.0.0.1:8081/hello)" ''
is 'the others stay' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
nok 'unpublish of what is not published' nu unpublish one 8081

picked=$(nu publish one 0:80 | sed -nE 's/^published ([0-9]+):80\/tcp$/\1/p' | grep -v '^8080$')
isnt 'port 0 picks one and says which' "$picked" ''
is 'it works' "$(http out "http://$HOST4:$picked/hello")" 'hello from c1'

# A picked port keeps out of the ranges of the same call and of the attachment: nearly all that the
# kernel picks from is in them. No connection of this host was made from these ports, which would
# hold them for a minute after its end.
picks=$(on host sysctl -n net.ipv4.ip_local_port_range)
on host sysctl -qw net.ipv4.ip_local_port_range='20000 20199'
container_new c3 host
for order in '-p 20000-20189 -p 0:80' '-p 0:80 -p 20000-20189'; do
	# shellcheck disable=SC2086 # a list
	ok "up $order" nu up "$(ns_pid c3)" --network web --name three $order
	like 'its record can be read' "$(nu ls)" '*three*'
	ok 'a further one is picked' nu publish three 0:81
	for to in 80 81; do
		picked=$(nu ls | sed -nE "s|^three.* ([0-9]+):$to/tcp.*|\\1|p")
		isnt "a port for $to is picked" "$picked" ''
		ok "it is outside of the range" test "${picked:-20000}" -lt 20000 -o "${picked:-20000}" -gt 20189
	done
	ok 'down' nu down three
done
on host sysctl -qw net.ipv4.ip_local_port_range="$picks"

# Clients from before a port was published, each with an address and a port of its own all the time.
early() { # NUMBER tcp|udp ADDRESS PORT: asks in vain, waits until the port is published, asks again
	on far python3 -c '
import os, socket, sys, time
number, proto, host, port, go = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
def ask(timeouts):
    with socket.socket(family, kind) as s:
        s.bind(("", 20070 + int(number)))
        s.settimeout(60)
        try:
            s.connect((host, int(port)))
            for t in timeouts:
                s.settimeout(t)
                s.send(b"question\n")
                try:
                    return "answered" if s.recv(256) else "closed"
                except TimeoutError:
                    pass
        except ConnectionRefusedError:
            pass
        return "not"
print(ask([0.2]), flush=True)
while not os.path.exists(go):
    time.sleep(0.01)
print(ask([60] if proto == "tcp" else [4] * 15))
' "$1" "$2" "$3" "$4" "$NS_TMP/go"
}
serve_peer c3 tcp 80
serve_peer c3 udp 53
asking=''
for who in "1 tcp $HOST4 8600" "2 tcp $HOST6 8600" "3 udp $HOST4 5600" "4 udp $HOST6 5600"; do
	# shellcheck disable=SC2086 # a list
	early $who >"$NS_TMP/early.${who%% *}" &
	asking="$asking $!"
	until [ -s "$NS_TMP/early.${who%% *}" ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
done
ok 'up with ports that were asked for' nu up "$(ns_pid c3)" --network web --name three -p 8600:80 -p 5600:53/udp
: >"$NS_TMP/go"
# shellcheck disable=SC2086 # a list
wait $asking
for who in '1 TCP, IPv4' '2 TCP, IPv6' '3 UDP, IPv4' '4 UDP, IPv6'; do
	is "who asked before is answered after it: ${who#? }" "$(tr '\n' ' ' <"$NS_TMP/early.${who%% *}")" 'not answered '
done
ok 'down' nu down three

# Conflicts name the owner and change nothing.
conflict() { # DESCRIPTION SPEC PATTERN
	local out rc
	snapshot host | grep -v '^process: ' >"$NS_TMP/c.before"
	out=$(nu publish two "$2" 2>&1)
	rc=$?
	is "$1: exit code" "$rc" 4
	like "$1: the owner is named" "$out" "$3"
	snapshot host | grep -v '^process: ' >"$NS_TMP/c.after"
	is "$1: nothing changed" "$(diff "$NS_TMP/c.before" "$NS_TMP/c.after")" ''
}
conflict 'a taken port' 8080:80 '*one*'
conflict 'a taken port by host address' 198.51.100.1:8080:80 '*one*'
conflict 'a wildcard over a host address' 8443:80 '*one*'
conflict 'a port of a wide range' 40007:80 '*one*'
conflict 'a range over a port' 39990-40100 '*one*'
conflict 'an IPv6 wildcard over both' '[::]:8080:80' '*one*'
serve host socat TCP-LISTEN:6000,fork PIPE
wait_port host tcp 6000
conflict 'a port of a program of the host' 6000:80 '*socat*'
unserve "$SERVED"
out=$(nu publish two 192.0.2.77:1234:80 2>&1)
is "an address that is not the host's" "$?" 2
like 'is named' "$out" '*192.0.2.77*'

ok 'sctp is published by rules alone' nu publish two 9900:9900/sctp
like 'the map has it' "$(on host nft list ruleset)" '*sctp . 9900*'

ok 'down of one' nu down one
is 'the ports are closed' "$(ask far tcp $HOST4 40500)" ''
ok 'down of two' nu down two
host_new bare
wire bare eth0 192.0.2.1/24 2001:db8:9::1/64 far eth9 192.0.2.2/24 2001:db8:9::2/64
container_new every bare
serve_http every 80
ok 'all 65,535 ports at once' on bare "$NETNS_UP" up "$(ns_pid every)" --name every -q -p 1-65535
is 'reached' "$(http far http://192.0.2.1:80/hello)" 'hello from every'
ok 'down' on bare "$NETNS_UP" down every -q
ok 'the network goes' nu network rm web
residue host "$NS_TMP/before" 'nothing is left'
ns_done

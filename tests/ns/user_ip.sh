#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses that an ordinary user asks for, of a container that is alone: it has them, in a network around them, and all
# that stands beside it follows: gateway, DNS server, resolv.conf, published ports. Those that no host can have, or that
# are somebody's, are refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

refused() { # EXIT-CODE PATTERN ARGUMENT...
	local code pattern out rc
	code=$1 pattern=$2
	shift 2
	out=$(nna "$@" 2>&1)
	rc=$?
	is "$*: exit code" "$rc" "$code"
	like "$*: says why" "$out" "$pattern"
}
gateway() { inside "$1" ip -"$2" route show default | awk '{ print $3 }'; }
ask() { inside "$1" dig +short +time=20 +tries=2 "@$2" host.containers.internal "$3"; } # the gateway's name

serve_http out 80
www in two
snapshot host >"$NS_TMP/before"
foreign c $UID_A
foreign d $UID_A
# shellcheck disable=SC2154 # set by foreign
{ c=$box_c d=$box_d; }

is 'up with both' "$(nna up "$c" --name c --ip 10.5.6.7 --ip6 fd12:34::7 --mac 02:00:00:00:00:07 -p 8080:80)" \
	'c eth0 10.5.6.7/24 fd12:34::7/64
published 8080:80/tcp'
is 'it has the one' "$(addr_of "$c" 4)" 10.5.6.7
is 'and the other' "$(addr_of "$c" 6)" fd12:34::7
is 'the gateway' "$(gateway "$c" 4)" 10.5.6.2
is 'of IPv6' "$(gateway "$c" 6)" fd12:34::2
is 'the DNS server' "$(ask "$c" 10.5.6.3 A)" 10.5.6.2
is 'over IPv6' "$(ask "$c" fd12:34::3 AAAA)" fd12:34::2
like 'the MAC address' "$(inside "$c" ip link show eth0)" '*02:00:00:00:00:07*'
is 'ls' "$(nna ls | awk '$1 == "c" { print $2, $4, $5 }')" 'eth0 10.5.6.7 fd12:34::7'
like 'status' "$(nna status c)" '*10.5.6.7/24 gateway 10.5.6.2*fd12:34::7/64 gateway fd12:34::2*dns        10.5.6.3*dns        fd12:34::3*'
is 'status --json' "$(nna status c --json | jq -r '.[0] | .ipv4.net, .ipv4.guest, .ipv6.guest, .ipv6.dns' | tr '\n' ' ')" \
	'10.5.6.0/24 10.5.6.7 fd12:34::7 fd12:34::3 '
is 'out' "$(get "$c" "http://$OUT4/hello")" 'hello from out'
is 'over IPv6' "$(get "$c" "http://[$OUT6]/hello")" 'hello from out'
is 'who is seen is the host' "$(get "$c" "http://$OUT4/cgi-bin/peer")" "$HOST4"
ok 'ping' inside "$c" ping -q -c 1 -W 20 $OUT4
serve_in "$c" in
is 'in' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
is 'over IPv6' "$(http out "http://[$HOST6]:8080/cgi-bin/peer")" "$OUT6"
is 'from the host' "$(http host http://127.0.0.1:8080/hello)" 'hello from in'
ok 'a port at run time' nna publish c 8081:80 -q
is 'leads there, too' "$(http out "http://$HOST4:8081/hello")" 'hello from in'

ok 'the same again' nna up "$c" --name c --ip 10.5.6.7 --ip6 fd12:34::7 -q
ok 'and without naming them' nna up "$c" --name c -q
refused 4 '*up with other addresses (--ip, --ip6)*' up "$c" --name c --ip 10.5.6.8
refused 4 '*up with other addresses*' up "$c" --name c --ip 10.5.6.7 --ip6 fd12:34::8

# Each has its link for itself. Who is number 2, or 3, leaves that place to nobody else.
ok 'another has the same, and the address of the gateway' nna up "$d" --name d --ip 10.5.6.2 --ip6 fd12:34::3 -q
is 'whose gateway is another then' "$(gateway "$d" 4)" 10.5.6.1
is 'as is the DNS server' "$(ask "$d" fd12:34::1 AAAA)" fd12:34::2
is 'out' "$(get "$d" "http://$OUT4/hello")" 'hello from out'
is 'over IPv6' "$(get "$d" "http://[$OUT6]/hello")" 'hello from out'
ok 'down' nna down d -q
ok 'one of the two' nna up "$d" --name d --ip 172.20.1.254 -q
like 'the other is as ever' "$(nna status d)" '*172.20.1.254/24 gateway 172.20.1.2*fd00::100/64 gateway fd00::2*'
ok 'goes' nna down d -q

# One of a network that the machine is in: whoever is there is hidden, but for clients of published ports.
near=${HOST4%.*}.77
like 'of a network of the machine: a warning' "$(nna up "$d" --name d --ip "$near" -p 8082:80 2>&1)" \
	"*warning: --ip: its network ${HOST4%.*}.0/24 overlaps ${HOST4%.*}.0/24*d eth0 $near/24*"
serve_in "$d" two
is 'a client of that network' "$(http out "http://$HOST4:8082/cgi-bin/peer")" "$OUT4"
ok 'who cannot be reached from it' closed_to "$d" $OUT4
is 'but over the other family' "$(get "$d" "http://[$OUT6]/hello")" 'hello from out'
ok 'it goes' nna down d -q

is 'run' "$(nna run -q --ip 10.9.8.7 --ip6 fd98::7 -- sh -c 'ip -o addr show dev eth0 scope global | awk "{ print \$4 }"
	grep nameserver /etc/resolv.conf' | tr '\n' ' ')" \
	'10.9.8.7/24 fd98::7/64 nameserver 10.9.8.3 nameserver fd98::3 '
is 'its name service' "$(nna run -q --ip 10.9.8.3 -- dig +short +time=20 +tries=2 host.containers.internal A)" 10.9.8.2

while read -r option address why; do
	refused 2 "*$option: *$why*" up "$d" --name d "$option" "$address"
done <<'W'
--ip 0.0.0.0 0.0.0.0 is no address for a host
--ip 127.0.0.1 no address for a host
--ip 169.254.7.7 no address for a host
--ip 224.0.0.5 no address for a host
--ip 255.255.255.255 no address for a host
--ip 10.1.2.0 the address of the network 10.1.2.0/24 itself
--ip 10.1.2.255 the broadcast address of 10.1.2.0/24
--ip 10.1.2.3/24 10.1.2.3/24
--ip fd00::5 IPv4
--ip6 ::1 no address for a host
--ip6 fe80::5 no address for a host
--ip6 ff02::5 no address for a host
--ip6 fd12:34:: the address of the network fd12:34::/64 itself
--ip6 10.1.2.3 IPv6
W
refused 4 "*--ip: $HOST4 is an address of this machine's own, on eth0*" up "$d" --name d --ip $HOST4
refused 4 "*--ip6: $HOST6 is an address of this machine's own, on eth0*" up "$d" --name d --ip6 $HOST6
refused 4 "*--ip: 198.51.100.53 is a resolver of this machine's*" up "$d" --name d --ip 198.51.100.53
refused 4 "*--ip6: 2001:db8:1::53 is a resolver of this machine's*" up "$d" --name d --ip6 2001:db8:1::53
refused 125 '*--ip: 10.1.2.255 is the broadcast address*' run --ip 10.1.2.255 -- true
is 'nothing of it is up' "$(nna ls | wc -l)" 2
ok 'down of the first' nna down c -q
kill -KILL "$c" "$d"
ok 'no process stays' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

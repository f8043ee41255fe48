#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses that a user's networks and others both have: remote clients of published ports with addresses of the network's
# own subnet, and of another network's; and subnets that are chosen are none that the machine has a route to. Argument
# relay: by the relay engine, which is asked for.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

snapshot host >"$NS_TMP/before"
PROBE=$NS_TMP/probe.py
for f in '' _ports _many; do
	cp "$(dirname "$0")/slirp_probe$f.py" "$NS_TMP/probe$f.py" && chmod 644 "$NS_TMP/probe$f.py" || bail 'no probe'
done
# What the host and its neighbour have here: 192.0.2.0/24 and 2001:db8:2::/64 are the network's own as well.
N4=192.0.2.7 N6=2001:db8:2::7
on host ip -4 addr add 192.0.2.200/24 dev eth0
on host ip -6 addr add 2001:db8:2::200/64 dev eth0 nodad
on out ip -4 addr add $N4/24 dev eth0
on out ip -6 addr add $N6/64 dev eth0 nodad
seen() { # tcp|udp ADDRESS PORT: as who the client is seen
	on out python3 "$PROBE" "$1_who" "$2" "$3" | cut -d' ' -f1 | sed 's/^::ffff://'
}
engine=${1:-tap}
case $engine in relay) asks='--engine relay' ;; *) asks='' ;; esac
# shellcheck disable=SC2086 # words
is 'subnets that the machine has are taken by their user alone, who is told' \
	"$(nna network create near $asks --subnet 192.0.2.0/24 --subnet 2001:db8:2::/64 2>&1 | grep -c 'warning: subnet .* overlaps .* containers of near do not')" 2
on host ip route add 10.128.0.0/16 via $OUT4
on host ip route add 0.0.0.0/1 via $OUT4
ok 'a network, wherever' nna network create web -q
subnets() { nna network inspect "$1" | jq -r '.subnets[].subnet'; }
like 'it is where there is no route to' "$(subnets web | paste -sd' ')" '10.1[2-9]?.*/22 fd*/64'
is 'and not where there is one' "$(subnets web | grep -c '^10\.128\.')" 0
for net in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7; do
	case $net in *:*) via=$OUT6 ;; *) via=$OUT4 ;; esac
	on host ip route add "$net" via "$via"
done
ok 'with routes to everywhere there is one all the same' nna network create more -q
ok 'which goes' nna network rm more
for net in 0.0.0.0/1 10.128.0.0/16 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7; do
	on host ip route del $net
done

servers=''
serve_both() { # PID
	local s
	for s in tcp udp; do
		(inside "$1" setpriv --pdeathsig KILL python3 "$PROBE" serve_$s 7000) >/dev/null 2>&1 &
		NS_SERVERS="$NS_SERVERS $!" servers="$servers $!"
	done
	ns_until 20 sh -c 'for o in t u; do nsenter -t "$1" -U -n ss -Hl${o}n "sport = 7000" | grep -q . || exit 1; done' sh "$1" ||
		bail 'no servers'
}
foreign a $UID_A
foreign b $UID_A
# shellcheck disable=SC2154 # set by foreign
{ a=$box_a b=$box_b; }
ok 'a container, with ports' nna up "$a" --network near -q -p 8080:7000 -p 9000:7000/udp
ok 'one on the other network' nna up "$b" --network web -q -p 8081:7000 -p 9001:7000/udp
serve_both "$a"
serve_both "$b"
is 'by this engine' "$(uplink engine)" "$engine"
while read -r what server client gateway; do
	is "$what: of its own network: TCP, as the gateway" "$(seen tcp "$server" 8080)" "$gateway"
	is "$what: a MB to it" "$(on out python3 "$PROBE" tcp_up "$server" 8080 1000000)" equal
	is "$what: and from it" "$(on out python3 "$PROBE" tcp_down "$server" 8080 1000000)" equal
	is "$what: UDP" "$(seen udp "$server" 9000)" "$gateway"
	is "$what: of the other network: TCP, its own address" "$(seen tcp "$server" 8081)" "$client"
	is "$what: UDP, too" "$(seen udp "$server" 9001)" "$client"
	is "$what: datagrams of all sizes" "$(on out python3 "$PROBE" udp_sizes "$server" 9001 1 1400 30000)" exact
done <<N
IPv4 192.0.2.200 $N4 192.0.2.1
IPv6 2001:db8:2::200 $N6 2001:db8:2::1
N
# The maker of sockets does not answer: by the tap.
kill -STOP "$(named slirp-nsd)"
is 'by the tap: as the gateway' "$(seen tcp 192.0.2.200 8080)" 192.0.2.1
is 'by the tap: of the other network: its own address' "$(seen tcp 2001:db8:2::200 8081)" $N6
kill -CONT "$(named slirp-nsd)"
is 'others as ever' "$(seen tcp $HOST4 8080)" $OUT4
is 'out of it as ever' "$(inside "$b" ping -q -c1 -W20 $OUT4 >/dev/null; echo $?)" 0
for p in $servers $a $b; do unserve "$p"; done
gc_removes() { nna gc -q; [ "$(nna ls | wc -l)" -le 1 ]; }
ok 'the containers are killed' ns_until 20 gc_removes
ok 'near goes' nna network rm near
ok 'web goes' nna network rm web
ok 'and all processes' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up
on host ip -4 addr del 192.0.2.200/24 dev eth0
on host ip -6 addr del 2001:db8:2::200/64 dev eth0
on out ip -4 addr del $N4/24 dev eth0
on out ip -6 addr del $N6/64 dev eth0
residue host "$NS_TMP/before" 'nothing is left'
ns_done

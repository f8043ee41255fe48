#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks: bridge and routed, isolated, internal, without masquerade, apart from each other.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }
addr() { # CONTAINER 4|6
	case $2 in
	4) on "$1" ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/' ;;
	6) on "$1" ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/' ;;
	esac
}
up() { # CONTAINER NETWORK [OPTION]...
	local c n
	c=$1 n=$2
	shift 2
	container_new "$c" host
	ok "up $c on $n" nu up "$(ns_pid "$c")" --name "$c" --network "$n" "$@"
}
reach() { on "$1" ping -q -c1 -W10 "$2" >/dev/null 2>&1; }
reach_soon() { on "$1" ping -q -c1 -W1 "$2" >/dev/null 2>&1; } # where it should not

ns_world
snapshot host >"$NS_TMP/before"
is 'the default network exists without having been made' "$(nu network ls)" \
	'default bridge (subnets are chosen at first use)'
like 'in JSON too' "$(nu network ls --json)" '*"name": "default"*"implicit": true*'
like 'and alone' "$(nu network inspect default)" '*"bridge": "nb-default"*"subnets": [[]]*"implicit": true*'
residue host "$NS_TMP/before" 'looking makes nothing'

for mode in bridge routed; do
	ok "$mode: open network" nu network create "o-$mode" --mode $mode
	ok "$mode: isolated network" nu network create "i-$mode" --mode $mode --isolate
	ok "$mode: internal network" nu network create "n-$mode" --mode $mode --internal
	ok "$mode: network with given subnets" nu network create "g-$mode" --mode $mode \
		--subnet "10.20.$([ $mode = bridge ] && echo 1 || echo 2).0/24" \
		--subnet "fd20:0:0:$([ $mode = bridge ] && echo 1 || echo 2)::/64" \
		--no-masquerade 198.51.100.0/24 --no-masquerade 2001:db8:1::/64 --mtu 1400
	ok "$mode: network without masquerade of IPv4" nu network create "h-$mode" --mode $mode \
		--no-masquerade 0.0.0.0/0
	up a o-$mode
	up b o-$mode -p 8080:80
	up i1 i-$mode
	up i2 i-$mode -p 8081:80
	up n1 n-$mode
	up n2 n-$mode
	up g1 g-$mode
	up h1 h-$mode
	serve_http b 80
	serve_http i2 80
	for f in 4 6; do
		eval "out=\$OUT$f"
		eval "h=\$HOST$f"
		case $f in 4) url=http://$h ;; 6) url="http://[$h]" ;; esac
		ok "$mode v$f: neighbours reach each other" reach a "$(addr b $f)"
		ok "$mode v$f: both reach the outside" reach b "$out"
		nok "$mode v$f: isolated ones do not reach each other" reach_soon i1 "$(addr i2 $f)"
		ok "$mode v$f: but the outside" reach i1 "$out"
		nok "$mode v$f: internal ones do not reach the outside" reach_soon n1 "$out"
		ok "$mode v$f: but each other" reach n1 "$(addr n2 $f)"
		nok "$mode v$f: networks do not reach each other" reach_soon a "$(addr i1 $f)"
		nok "$mode v$f: nor an internal one" reach_soon a "$(addr n1 $f)"
		nok "$mode v$f: nor an internal one out of itself" reach_soon n1 "$(addr a $f)"
		is "$mode v$f: published ports are reached across networks" "$(http i1 "$url:8080/hello")" 'hello from b'
		is "$mode v$f: and from the outside on an isolated one" "$(http out "$url:8081/hello")" 'hello from i2'
		serve_peer out tcp 70$f
		is "$mode v$f: without masquerade the address is kept" "$(ask g1 tcp "$out" 70$f)" "$(addr g1 $f)"
		is "$mode v$f: with it, it is the host's" "$(ask a tcp "$out" 70$f)" "$h"
		is "$mode v$f: without it for IPv4 alone" "$(ask h1 tcp "$out" 70$f)" \
			"$([ $f = 4 ] && addr h1 4 || echo "$h")"
		unserve "$SERVED"
	done
	like "$mode: the given MTU" "$(on g1 ip -o link show eth0)" '*mtu 1400*'
	like "$mode: the given subnet" "$(addr g1 4)" '10.20.*'
	nok "$mode: nothing is published from an internal network" nu publish n1 8090:80
	out=$(nu network rm "o-$mode" 2>&1)
	is "$mode: a network in use is not removed" "$?" 6
	like "$mode: its users are named" "$out" '*a, b*'
	for c in a b i1 i2 n1 n2 g1 h1; do
		nu down $c -q || fail "down $c"
		ns_kill $c
	done
	for n in o i n g h; do
		ok "$mode: network rm $n" nu network rm "$n-$mode"
	done
	residue host "$NS_TMP/before" "$mode: nothing is left"
done

# Subnets.
ok 'create' nu network create x --subnet 10.30.0.0/24
ok 'create again, the same' nu network create x --subnet 10.30.0.0/24
nok 'create again, different' nu network create x --subnet 10.31.0.0/24
nok 'a subnet of another network' nu network create y --subnet 10.30.0.128/25
nok "a subnet of the host's" nu network create y --subnet 198.51.100.0/25
# However many routes the host has, networks and the last of the routes are seen.
seq 5000 | awk '{ printf "route add 172.16.%d.%d/32 dev eth0\n", $1 / 250, $1 % 250 }' >"$NS_TMP/routes"
ok 'many routes' on host ip -batch "$NS_TMP/routes"
nok 'a subnet of another network, with many routes' nu network create y --subnet 10.30.0.128/25
nok 'a subnet of the last of many routes' nu network create y --subnet 172.16.20.0/24
sed 's/add/del/' "$NS_TMP/routes" >"$NS_TMP/unroutes"
on host ip -batch "$NS_TMP/unroutes"
nok 'host bits in a subnet' nu network create y --subnet 10.32.0.1/24
like 'inspect' "$(nu network inspect x)" '*"subnet": "10.30.0.0/24"*'
nok 'inspect of none' nu network inspect nosuch
is 'ls' "$(nu network ls)" 'default bridge (subnets are chosen at first use)
x bridge 10.30.0.0/24'
# An IPv4-only network gets no IPv6 at all.
up v4only x
nok 'no IPv6 address inside' sh -c '[ -n "$1" ]' sh "$(addr v4only 6)"
ok 'IPv4 works' reach v4only $OUT4
nu down v4only -q
on host ip link add nb-y type bridge
ok 'create y' nu network create y
container_new cy host
out=$(nu up "$(ns_pid cy)" --network y 2>&1)
is 'a foreign bridge of that name is left alone' "$?" 4
like 'and named' "$out" '*nb-y*'
on host ip link del nb-y
# A pool of one: .1 is the gateway, .2 the only other host address of a /30.
ok 'a tiny network' nu network create tiny --subnet 10.33.0.0/30
up t1 tiny
container_new t2 host
out=$(nu up "$(ns_pid t2)" --network tiny 2>&1)
is 'an exhausted pool' "$?" 7
like 'is named' "$out" '*10.33.0.0/30*'
out=$(nu up "$(ns_pid t2)" --network tiny --ip 10.33.0.2 2>&1)
is 'a taken address' "$?" 4
like 'its owner is named' "$out" '*t1*'
nu down t1 -q
ok 'a given address' nu up "$(ns_pid t2)" --network tiny --ip 10.33.0.2 --name t2
nu down t2 -q
for n in x y tiny; do nu network rm $n; done
residue host "$NS_TMP/before" 'networks that were removed leave nothing'

# The default network, made on purpose while it is there by itself, stays.
up d1 default
net=$(nu network ls)
like 'it has subnets now' "$net" 'default bridge 10.*'
ok 'create it' nu network create default
like 'it is not implicit any more' "$(nu network inspect default)" '*"implicit": false*'
nu down d1 -q
is 'it stays without containers' "$(nu network ls)" "$net"
ok 'create it again' nu network create default
ok 'rm' nu network rm default
residue host "$NS_TMP/before" 'nothing is left of it'

# A member whose record cannot be read keeps its network.
ok 'create' nu network create z
up z1 z
on host sh -c 'f=/run/netd/attachments/z1@eth0; head -c 100 $f >$f.x; mv $f.x $f'
out=$(nu network rm z 2>&1)
is 'a network whose member has a broken record is busy' "$?" 6
like 'and what to do is said' "$out" '*gc*'
ok 'gc' nu gc -q
ok 'then it can be removed' nu network rm z
residue host "$NS_TMP/before" 'nothing is left at the end'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# Where a container may go, by policy: the outside, the host, other containers, in both families and
# modes; what is refused is told at once, and nothing that the container does inside changes it.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
serve_http out 80
serve_http out 81
serve_http host 82
get() { # BOX URL: the page's text, or curl's number
	local r
	r=$(inside "$1" curl -sS -g --connect-timeout 10 -m 60 "$2/hello" 2>/dev/null)
	case $? in
	0) echo "$r" ;;
	*) echo "no $?" ;;
	esac
}
REFUSED='no 7' # told at once; a time-out would be 28
pings() { inside "$1" ping -q -c 1 -W "$3" "$2" >/dev/null 2>&1; }
pt() { on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user nta; }

policy "allow nta * attach,publish nics=9 to=$OUT4:80,[$OUT6]:80-81" 'allow ntb * attach nics=9'
like 'policy test tells' "$(pt)" "*to=$OUT4/32:80,\[$OUT6/128\]:80-81*granted*"
netd_start
ok 'a routed network' on host "$NETNS_UP" network create routed --mode routed
box two $UID_B
ok 'a neighbour who may go everywhere' ntb "$BOX" --name two -q
addr_two=$(inside two ip -4 -o addr show eth0 | sed -nE 's/.* inet ([^/]*).*/\1/p')
serve_inside two busybox httpd -f -p 80 -h "$NS_TMP/www.out"
served_two=$SERVED
container_new c host # root's, whose port is not isolated
ok 'a container of root' on host "$NETNS_UP" up "$(ns_pid c)" --name c -q
addr_c=$(on c ip -4 -o addr show eth0 | sed -nE 's/.* inet ([^/]*).*/\1/p')
serve c busybox httpd -f -p 80 -h "$NS_TMP/www.out"
served_c=$SERVED
wait_port c tcp 80

for net in default routed; do
	[ $net = default ] && gw=10.77.0.1 || gw=$HOST4
	box one $UID_A
	ok "$net: up" nta "$BOX" --name one --network $net -p 8080:80 -q
	serve_inside one busybox httpd -f -p 80 -h "$NS_TMP/www.out"
	served=$SERVED
	_up() { [ -n "$(inside one ss -Hlnt 'sport = :80')" ]; }
	ns_until 20 _up
	is "$net: where it may" "$(get one "http://$OUT4")" 'hello from out'
	is "$net: IPv6" "$(get one "http://[$OUT6]:81")" 'hello from out'
	is "$net: not the next port" "$(get one "http://$OUT4:81")" "$REFUSED"
	is "$net: not the host" "$(get one "http://$HOST4:82")" "$REFUSED"
	is "$net: by no address" "$(get one "http://$gw:82")" "$REFUSED"
	is "$net: IPv6 neither" "$(get one "http://[$HOST6]:82")" "$REFUSED"
	nok "$net: no ping" pings one "$OUT4" 2
	nok "$net: none to the host" pings one "$gw" 2
	is "$net: no neighbour" "$(get one "http://$addr_two" | sed 's/no .*/no/')" no
	is "$net: nor root's container" "$(get one "http://$addr_c" | sed 's/no .*/no/')" no
	is "$net: its published port is reached" "$(http out "http://$HOST4:8080/hello")" 'hello from out'
	ok "$net: it is on record" on host "$NETNS_UP" check "user-$UID_A.one"
	is "$net: the neighbour goes where he likes" "$(get two "http://$OUT4:81") $(get two "http://$HOST4:82")" \
		'hello from out hello from host'

	# He is root inside.
	inside one ip addr add 10.77.99.99/16 dev eth0
	is "$net: another address does not help" "$(inside one curl -sS -m 2 --interface 10.77.99.99 \
		"http://$OUT4:81/hello" 2>/dev/null)" ''
	inside one ip addr del 10.77.99.99/16 dev eth0
	inside one ip route add "$addr_c/32" via "$(inside one ip -4 route show default | sed -nE 's/.*via ([^ ]*).*/\1/p')" dev eth0 onlink
	is "$net: nor a way by the gateway" "$(get one "http://$addr_c")" "$REFUSED"
	unserve "$served"
	ok "$net: down" nta down one -q
	ns_kill one
done

# --- everywhere else -------------------------------------------------------------------------------
policy "allow nta * attach nics=9 not-to=$OUT4:81,$HOST4,[$OUT6]:80"
box four $UID_A
ok 'up' nta "$BOX" --name four -q
is 'where it may not' "$(get four "http://$OUT4:81"), $(get four "http://$HOST4:82"), $(get four "http://[$OUT6]")" \
	"$REFUSED, $REFUSED, $REFUSED"
is 'else it may' "$(get four "http://$OUT4"), $(get four "http://[$OUT6]:81")" 'hello from out, hello from out'
ok 'ping too' pings four "$OUT4" 30
nok 'but for the address that is denied' pings four "$HOST4" 2
ok 'the end' netd_stop
on host nft flush ruleset
ok 'loaded again' on host "$NETNS_UP" gc -q
is 'as it was' "$(get four "http://$OUT4:81"), $(get four "http://$OUT4")" "$REFUSED, hello from out"
ok 'down by root' on host "$NETNS_UP" down "user-$UID_A.four" -q
is 'no element is left of it' "$(on host nft list table inet netd | grep -c "user-$UID_A")" 0
unserve "$served_two"
unserve "$served_c"
for b in four two c; do ns_kill $b; done
has_links_soon 0
ok 'all dead ones go' on host "$NETNS_UP" gc -q
ok 'and the network' on host "$NETNS_UP" network rm routed
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

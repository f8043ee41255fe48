#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Destinations by name in the daemon's policy, and of root's containers while it runs: what the
# network's resolver answers is reached by who may, with the tables the daemon's own; the keeper and
# the daemon ended, started again, upgraded.
. "$(dirname "$0")/netd_lib.sh"
RESOLVER=10.77.0.1
get() { # WHERE URL: the page's text, or curl's number; 7 is refused at once
	local r
	case $1 in
	c) r=$(on c curl -sS -g --connect-timeout 10 -m 60 "$2/hello" 2>/dev/null) ;;
	*) r=$(inside "$1" curl -sS -g --connect-timeout 10 -m 60 "$2/hello" 2>/dev/null) ;;
	esac
	case $? in
	0) echo "$r" ;;
	*) echo "no $?" ;;
	esac
}
REFUSED='no 7'
PAGE='hello from out'
look() { # WHERE NAME [TYPE]
	local in
	[ "$1" = c ] && in='on c' || in="inside $1"
	$in dig +short +time=20 +tries=1 "@$RESOLVER" -q "$2" -t "${3:-A}" | tr '\n' ' '
}
rcode() { inside "$1" dig +time=20 +tries=1 "@$RESOLVER" -q "$2" -t A | sed -nE 's/.*status: ([A-Z]+),.*/\1/p'; }
pt() { on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user nta; }
named() { # COMM: pids
	_ns_strays | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$1" ] && echo "$p"
	done
}
keeper() { named netns-up-keeper; }
learned() { on host nft list table inet netd | grep -o 'expires' | wc -l; }

netd_world
FAR4=203.0.113.80
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -4 addr add $FAR4/32 dev lo
serve_http out 80
serve_http out 81
serve out python3 "$(dirname "$0")/slirp_names_dns.py" 198.51.100.53 53 \
	"one.example@3600=$OUT4,$OUT6" other.example@3600=$FAR4 sub.wild.example@3600=$FAR4 bad.wild.example@3600=$OUT4 \
	"trap.example@3600=$HOST4,10.77.0.1,127.0.0.1"
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
serve_http host 82
snapshot host >"$NS_TMP/before"

policy 'allow nta * attach,publish nics=9 to=one.example:80,*.wild.example,trap.example:82 not-to=bad.wild.example' 'allow ntb * attach nics=9'
like 'policy test tells' "$(pt)" '*to=one.example:80,\*.wild.example,trap.example:82 not-to=bad.wild.example*granted*'
netd_start
box one $UID_A
ok 'up' nta "$BOX" --name one -q
is 'nothing is open' "$(get one "http://$OUT4")" "$REFUSED"
is 'a name that he may' "$(look one one.example)" "$OUT4 "
is 'is reached' "$(get one "http://$OUT4")" "$PAGE"
is 'by its port alone' "$(get one "http://$OUT4:81")" "$REFUSED"
is 'IPv6' "$(look one one.example AAAA)$(get one "http://[$OUT6]")" "$OUT6 $PAGE"
is 'another name opens nothing' "$(look one other.example)$(get one "http://$FAR4")" "$FAR4 $REFUSED"
is 'a wildcard does' "$(look one sub.wild.example)$(get one "http://$FAR4:81")" "$FAR4 $PAGE"
is 'but what is denied below it: not told' "$(rcode one bad.wild.example)" REFUSED
isnt 'a name that leads to the host' "$(look one trap.example)" ''
is 'does not lead there' "$(get one "http://$HOST4:82") $(get one "http://$RESOLVER:82")" "$REFUSED $REFUSED"
ok 'it is on record' on host "$NETNS_UP" check "user-$UID_A.one" -q
like 'with its names' "$(on host "$NETNS_UP" status "user-$UID_A.one" --json | tr -d ' \n')" '*{"to":"one.example:80"}*'
box two $UID_B
ok 'a neighbour who may go everywhere' ntb "$BOX" --name two -q
is 'goes there' "$(look two other.example)$(get two "http://$FAR4")" "$FAR4 $PAGE"
p=$(keeper)
is 'one keeper, with one capability' "$(sed -nE 's/^Cap(Prm|Eff|Bnd):\s*(.*)/\2/p' "/proc/$p/status" | sort -u)" 0000000000001000
is 'as anybody else in its turn' "$(ps -o ni= -p "$p" | tr -d ' ')" 0

# Root's beside them, by the same tables.
container_new c host
ok "root's container" on host "$NETNS_UP" up "$(ns_pid c)" --name c --to other.example:81 -q
is 'is let by its own names' "$(look c other.example)$(get c "http://$FAR4:81") $(get c "http://$FAR4")" "$FAR4 $PAGE $REFUSED"
is 'and by no other' "$(look c one.example)$(get c "http://$OUT4")" "$OUT4 $REFUSED"
is 'still one keeper' "$(keeper | wc -l)" 1

# The daemon goes and comes back: what was learned stays, and there is more to learn.
ok 'the end' netd_stop
is 'without it: what was learned' "$(get one "http://$OUT4")" "$PAGE"
is 'and what is now' "$(look c other.example)$(get c "http://$FAR4:81")" "$FAR4 $PAGE"
netd_start
is 'again' "$(look one one.example)$(get one "http://$OUT4")" "$OUT4 $PAGE"
ok 'names go on opening' ns_until 20 eval 'look one sub.wild.example >/dev/null && [ "$(get one "http://$FAR4:81")" = "$PAGE" ]'

# Its keeper killed: nothing is heard until somebody asks for something; the responder's end takes
# it along, and the daemon brings both back by itself.
ns_end "$(keeper)"
is 'keeper killed: nothing is heard' "$(rcode one one.example)" SERVFAIL
is 'but by who needs none' "$(rcode two one.example)" NOERROR
ok 'the next up' nta "$(ns_pid one)" --name one -q
is 'brings it back' "$(rcode one one.example)" NOERROR
responder=$(_ns_strays | while read -r p; do
	tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q 'netns-up-forwarder names' && echo "$p"
done)
# shellcheck disable=SC2086 # a list
ns_end $responder
both_are_back() { [ "$(rcode one one.example)" = NOERROR ] && [ -n "$(keeper)" ]; }
ok 'responder killed: both come back by themselves' ns_until 30 both_are_back
is 'and names open' "$(look one sub.wild.example)$(get one "http://$FAR4:81")" "$FAR4 $PAGE"

ok 'down' nta down one -q
is 'nothing of it is left' "$(on host nft list table inet netd | grep -c "user-$UID_A")" 0
ok 'down by root' on host "$NETNS_UP" down c -q
is 'nothing is learned any more' "$(learned)" 0
ok 'the neighbour, too' ntb down two -q
_no_keeper() { [ -z "$(keeper)" ]; }
ok 'the keeper goes' ns_until 20 _no_keeper

on host "$NETNS_UP" network create mute --no-names -q
box three $UID_A
nta "$BOX" --name three --network mute -q --json >"$NS_TMP/mute" 2>&1
isnt 'a network without a resolver: not by the daemon' \
	"$(on host "$NETNS_UP" status "user-$UID_A.three" >/dev/null 2>&1; echo $?)" 0
nta down three -q >/dev/null 2>&1
on host "$NETNS_UP" network rm mute
for b in one two three c; do ns_kill $b; done
ok 'the end once more' netd_stop
ok 'all dead ones go' on host "$NETNS_UP" gc -q
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

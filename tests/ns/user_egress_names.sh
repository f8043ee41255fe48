#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names as destinations on networks of ordinary users: what the network's resolver answers is reached, and never the
# machine, whichever of its addresses a name is led to; the keeper and the responder killed; nobody who is stopped
# holds the namespace.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
. "$(dirname "$0")/user_names_lib.sh"

FAR4=203.0.113.80
MORE4=198.51.100.77 # of the machine's, from the middle of it on
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -4 addr add $FAR4/32 dev lo
for p in 80 81; do serve_http out $p; done
serve_http host 82
serve out python3 "$(dirname "$0")/slirp_names_dns.py" 198.51.100.53 53 \
	"one.example@3600=$OUT4,$OUT6" other.example@3600=$FAR4 sub.wild.example@3600=$FAR4 \
	"trap.example@3600=$HOST4,$HOST6,127.0.0.1,::1,10.0.2.100,10.0.2.2" later.example@3600=$MORE4
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
snapshot host >"$NS_TMP/before"
code() { # PID URL: 0, or what curl says; 7 is refused at once
	inside "$1" curl -sS -g --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' "$2/hello" 2>/dev/null
	echo $?
}

foreign a $UID_A
foreign b $UID_A
# shellcheck disable=SC2154 # set by foreign
{ a=$box_a b=$box_b; }
nna network create web -q
host=$(host_of)
TO='one.example:80,*.wild.example,trap.example,later.example:82'
ok 'up' nna up "$a" --network web --name a --to "$TO" -q
ok 'a neighbour who may go everywhere' nna up "$b" --network web --name b -q
s4=$(resolver_of a 4)
is 'before it is asked for' "$(code "$a" http://$OUT4)" 7
is 'a name' "$(look "$a" "$s4" one.example A)" $OUT4
is 'reached' "$(code "$a" http://$OUT4)" 0
is 'at its port alone' "$(code "$a" http://$OUT4:81)" 7
is 'IPv6' "$(look "$a" "$s4" one.example AAAA) $(code "$a" "http://[$OUT6]")" "$OUT6 0"
is 'another name opens nothing' "$(look "$a" "$s4" other.example A) $(code "$a" http://$FAR4)" "$FAR4 7"
is 'a wildcard does' "$(look "$a" "$s4" sub.wild.example A) $(code "$a" http://$FAR4:81)" "$FAR4 0"
is 'its neighbour goes everywhere' "$(look "$b" "$s4" one.example A) $(code "$b" http://$OUT4:81)" "$OUT4 0"
is 'his asking opens nothing for others' "$(code "$a" http://$OUT4:81)" 7
is 'the neighbour reaches the machine' "$(code "$b" http://$HOST4:82)" 0
isnt 'names that lead to it' "$(look "$a" "$s4" trap.example A)$(look "$a" "$s4" trap.example AAAA)" ''
is 'do not' "$(code "$a" http://$HOST4:82) $(code "$a" "http://[$HOST6]:82")" '7 7'
on host ip addr add $MORE4/24 dev eth0
is 'an address that the machine got since' "$(look "$a" "$s4" later.example A) $(code "$a" http://$MORE4:82)" "$MORE4 7"
is 'which the neighbour reaches' "$(code "$b" http://$MORE4:82)" 0
on host ip addr del $MORE4/24 dev eth0
like 'on record' "$(nna status a --json | tr -d ' \n')" '*{"to":"one.example:80"}*'
ok 'the same once more' nna up "$a" --network web --name a --to "$TO" -q
nna up "$a" --network web --name a --to one.example:80 -q >/dev/null 2>&1
is 'with others' $? 4

# --- its life ---
keeper() { named netns-up-keeper; }
is 'one keeper' "$(keeper | wc -l)" 1
is 'with one capability, in its user namespace' "$(sed -nE 's/^Cap(Prm|Eff|Bnd):\s*(.*)/\2/p' "/proc/$(keeper)/status" | sort -u)" \
	0000000000001000
kill -KILL "$(keeper)"
is 'killed: nothing is heard' "$(rcode "$a" "$s4" one.example A | cut -d' ' -f1)" SERVFAIL
is 'but by who needs none' "$(rcode "$b" "$s4" one.example A | cut -d' ' -f1)" NOERROR
ok 'gc' nna gc -q
is 'brings it back' "$(look "$a" "$s4" one.example A) $(code "$a" http://$OUT4)" "$OUT4 0"
# shellcheck disable=SC2046 # a list
kill -KILL $(responders "$host")
both() { [ -n "$(keeper)" ] && [ "$(rcode "$a" "$s4" one.example A | cut -d' ' -f1)" = NOERROR ]; }
ok 'responder killed: both come back by themselves' ns_until 30 both
is 'and still know the machine' "$(look "$a" "$s4" trap.example A | wc -l) $(code "$a" http://$HOST4:82)" '4 7'

is_stopped() { grep -qs '^State:.T' "/proc/$1/status"; }
k=$(keeper)
kill -STOP "$k"
ns_until 20 is_stopped "$k"
hold_keepers
# shellcheck disable=SC2046 # a list
kill -KILL $(named netns-up-host)
ok 'the keeper is stopped, who keeps the namespace is killed: it goes' ns_until 30 is_empty "$host"
ok 'and so does it' ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$k"
nna ls >/dev/null 2>&1

nna network create web -q
ok 'anew' nna up "$a" --network web --name a --to one.example:80 -q
s4=$(resolver_of a 4)
is 'run' "$(nna run -q --network web --to one.example:80 -- curl -sS --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' \
	-w '%{http_code}' http://one.example/hello)" 200
ok 'down' nna down a -q
no_keeper() { [ -z "$(keeper)" ]; }
ok 'the keeper goes' ns_until 20 no_keeper
ok 'the network' nna network rm web
ok 'nobody is left' ns_until 30 has_keepers 0
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

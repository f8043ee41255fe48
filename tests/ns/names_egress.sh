#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names as destinations with root: what the network's resolver answers is reached, by the rule that names it and no
# further, in the kernel's rules before the container hears it; aliases, wildcards, both families, both modes; what no
# name may stand for; rules lost, keeper and responder killed; nothing stays.
. "$(dirname "$0")/lib.sh"
RESOLVER4=10.77.0.1

nu() { on host "$NETNS_UP" "$@"; }
look() { on "$1" dig +short +time=20 +tries=1 "@${3:-$RESOLVER4}" -q "$2" -t "${4:-A}" ${5:+"$5"} | tr '\n' ' '; }
rcode() { on "$1" dig +time=20 +tries=1 "@$RESOLVER4" -q "$2" -t "${3:-A}" ${4:+"$4"} | sed -nE 's/.*status: ([A-Z]+),.*/\1/p'; }
get() { # CONTAINER ADDRESS PORT: 0, or what curl says; 7 is refused at once, 28 a time-out
	local a
	case $2 in *:*) a="[$2]" ;; *) a=$2 ;; esac
	on "$1" curl -sS -g --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' "http://$a:$3/hello" 2>/dev/null
	echo $?
}
learned() { on host nft list table inet netd | grep -o 'expires' | wc -l; }
keeper() { # its pids
	_ns_strays | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = netns-up-keeper ] && echo "$p"
	done
}
responder() {
	_ns_strays | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q 'netns-up-forwarder names' && echo "$p"
	done
}

ns_world
FAR4=203.0.113.80
FAR6=2001:db8:ff::80
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -4 addr add $FAR4/32 dev lo
on out ip -6 addr add $FAR6/128 dev lo nodad
for p in 80 81; do serve_http out $p; done
serve_http host 80
many() { # N: a name with 64 addresses of its own
	echo "many$1.example@3600=$(seq -s, -f "100.64.$1.%g" 1 64)"
}
# shellcheck disable=SC2046 # a list
serve out python3 "$(dirname "$0")/slirp_names_dns.py" 198.51.100.53 53 \
	one.example@3600=$OUT4,$OUT6 other.example=$FAR4 alias.example@100000=b.example b.example@700=c.example \
	c.example@80000=$FAR4 wild.example=$FAR6 x.y.wild.example=$FAR6 bad.wild.example=$OUT6 x.worse.wild.example=$FAR4 aside.example=one.example \
	"trap.example=127.0.0.1,$RESOLVER4,10.77.0.2,169.254.169.254,$HOST4,0.0.0.0,255.255.255.255,::1,fe80::1,$HOST6,::ffff:7f00:1,fd5c:1f3a:90de::2" \
	$(for i in 1 2 3 4 5; do many $i; done)
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
for c in a b c; do container_new $c host; done
snapshot host >"$NS_TMP/before"
TO='--to one.example:80 --to alias.example:80,*.wild.example,trap.example,*.example:82 --not-to bad.wild.example,*.worse.wild.example'
up_a() { # shellcheck disable=SC2086
	nu up "$(ns_pid a)" --name a $TO "$@" -q
}

for mode in bridge routed; do
	nu network create web --mode $mode --subnet 10.77.0.0/16 --subnet fd5c:1f3a:90de::/64 -q
	ok "$mode: a neighbour who may go everywhere" nu up "$(ns_pid b)" --name b --network web --alias near -q
	is "$mode: nobody needs a keeper" "$(keeper)" ''
	ok "$mode: up" up_a --network web
	addr_b=$(nu status b --json | jq -r '.[0].addresses[0].address' | sed 's,/.*,,')
	isnt "$mode: there is a keeper" "$(keeper)" ''
	like "$mode: the record tells" "$(nu status a --json | tr -d ' \n')" '*{"to":"one.example:80"},{"to":"alias.example:80"},{"to":"\*.wild.example"}*'
	ok "$mode: check is content" nu check a -q
	is "$mode: before it is asked for" "$(get a $OUT4 80)" 7
	is "$mode: the answer is as it was" "$(look a oNe.exAMPle)" "$OUT4 "
	is "$mode: reached" "$(get a $OUT4 80)" 0
	is "$mode: at its port alone" "$(get a $OUT4 81)" 7
	is "$mode: no other family, which was not asked for" "$(get a $OUT6 80)" 7
	is "$mode: over TCP" "$(look a one.example $RESOLVER4 AAAA +tcp)" "$OUT6 "
	is "$mode: it is" "$(get a $OUT6 80)" 0
	is "$mode: a name that is not listed for it" "$(look a other.example)" "$FAR4 "
	is "$mode: opens nothing" "$(get a $FAR4 80)" 7
	is "$mode: nor does an alias that leads to one that is" "$(look a aside.example)" "one.example. $OUT4 "
	is "$mode: an alias" "$(look a alias.example)" "b.example. c.example. $FAR4 "
	is "$mode: opens where it leads" "$(get a $FAR4 80)" 0
	is "$mode: a wildcard: not the name itself" "$(look a wild.example $RESOLVER4 AAAA) $(get a $FAR6 80)" "$FAR6  7"
	is "$mode: names below it" "$(look a x.y.wild.example $RESOLVER4 AAAA) $(get a $FAR6 80)" "$FAR6  0"
	is "$mode: but what is denied below it: not told" "$(rcode a BAD.wild.example AAAA) $(rcode a x.worse.wild.example A +tcp)" 'REFUSED REFUSED'
	is "$mode: nor reached" "$(get a $OUT6 81) $(get a $FAR4 81)" '7 7'
	is "$mode: its neighbour is told" "$(look b bad.wild.example $RESOLVER4 AAAA)" "$OUT6 "
	ok "$mode: to every protocol" on a ping -q -c 1 -W 20 $FAR6
	nok "$mode: others are not" on a ping -q -c 1 -W 2 $OUT4
	is "$mode: who has no destinations opens nothing by asking" "$(look b other.example) $(get a $FAR4 81)" "$FAR4  7"
	is "$mode: a name that is not there" "$(rcode a nothing.example)" NXDOMAIN
	is "$mode: a neighbour's name is told" "$(look a near)" "$addr_b "
	is "$mode: and leads nowhere" "$(get a "$addr_b" 80 | sed 's/^[1-9].*/no/')" no

	# Ten seconds more than it counts; at least a minute.
	is "$mode: each for its time" "$(on host nft list table inet netd | sed -nE 's/.* ([0-9a-f.:]+) \. 80 timeout ([0-9hms]+) .*/\1 \2/p' |
		LC_ALL=C sort | tr '\n' ' ')" "$OUT4 1h10s $OUT6 1h10s $FAR4 11m50s "
	like "$mode: one that is over at once" "$(on host nft list set inet netd named6)" "*$FAR6 timeout 1m10s*"
	isnt "$mode: a trap" "$(look a trap.example)" ''
	isnt "$mode: a trap over IPv6" "$(look a trap.example $RESOLVER4 AAAA)" ''
	for ip in $HOST4 $HOST6 $RESOLVER4 169.254.169.254 "$addr_b"; do
		is "$mode: $ip: closed" "$(get a "$ip" 80 | sed 's/^[1-9].*/no/')" no
	done
	is "$mode: none of what every host has becomes an element" \
		"$(on host nft list table inet netd | grep -cE 'a/eth0.*expires.*(127\.0|169\.254)')" 0
	ok "$mode: the same once more" up_a --network web
	nu up "$(ns_pid a)" --name a --network web --to one.example:80 -q >/dev/null 2>&1
	is "$mode: with others" $? 4

	# Rules lost: what was learned is, too, and nothing else.
	on host nft flush ruleset
	ok "$mode: loaded again" nu gc -q
	is "$mode: nothing is open" "$(learned) $(get a $OUT4 80)" '0 7'
	is "$mode: until it is asked for" "$(look a one.example) $(get a $OUT4 80)" "$OUT4  0"

	# shellcheck disable=SC2046 # a list
	ns_end $(keeper)
	is "$mode: keeper killed: who needs it hears nothing" "$(rcode a one.example) $(rcode a one.example A +tcp)" 'SERVFAIL SERVFAIL'
	is "$mode: who does not hears all" "$(look b one.example)" "$OUT4 "
	nu check a -q
	is "$mode: check misses it" $? 10
	ok "$mode: gc starts it again" nu gc -q
	ok "$mode: check is content again" nu check a -q
	is "$mode: names open again" "$(look a alias.example) $(get a $FAR4 80)" "b.example. c.example. $FAR4  0"
	# shellcheck disable=SC2046 # a list
	ns_end $(responder)
	_no_keeper() { [ -z "$(keeper)" ]; }
	ok "$mode: responder killed: the keeper ends" ns_until 20 _no_keeper
	is "$mode: what nobody asked for stays closed" "$(get a $OUT4 81)" 7
	ok "$mode: gc brings both back" nu gc -q
	is "$mode: names open" "$(look a x.y.wild.example $RESOLVER4 AAAA) $(get a $FAR6 80)" "$FAR6  0"

	# Addresses of one container are bounded.
	ok "$mode: down and up" nu down a -q
	is "$mode: nothing is left of what was learned" "$(learned)" 0
	is "$mode: nor of it" "$(on host nft list table inet netd | grep -c '"a/eth0"')" 0
	up_a --network web
	is "$mode: it begins anew" "$(get a $FAR4 80)" 7
	for i in 1 2 3 4; do
		is "$mode: many addresses: $i" "$(look a many$i.example | wc -w) $(learned)" "64 $((64 * i))"
	done
	is "$mode: one too many" "$(rcode a many5.example) $(learned)" 'SERVFAIL 256'
	is "$mode: others find room" "$(rcode b many5.example)" NOERROR
	p=$(keeper)
	is "$mode: the keeper has one capability" "$(sed -nE 's/^Cap(Prm|Eff|Bnd):\s*(.*)/\2/p' "/proc/$p/status" | sort -u)" 0000000000001000
	is "$mode: and can get none" "$(sed -nE 's/^NoNewPrivs:\s*//p' "/proc/$p/status")" 1
	nu down a -q
	nu down b -q
	ok "$mode: the keeper goes with the responder" ns_until 20 _no_keeper
	nu network rm web
	residue host "$NS_TMP/before" "$mode: nothing is left"
done

is 'run' "$(nu run -q --to one.example:80 -- curl -sS --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' \
	-w '%{http_code}' http://one.example/hello)" 200
is 'run: not elsewhere' "$(nu run -q --to one.example:80 -- curl -sS --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' \
	http://other.example/hello 2>/dev/null; echo $?)" 7
nu network create mute --no-names -q
nu up "$(ns_pid c)" --name c --network mute --to one.example -q >/dev/null 2>"$NS_TMP/mute"
is 'a network without names: exit code' $? 8
like 'says why' "$(cat "$NS_TMP/mute")" '*has no resolver*'
nu up "$(ns_pid c)" --name c --to one.example:80-90,other.example:90-99 -q >/dev/null 2>"$NS_TMP/overlap"
is 'ports that overlap: exit code' $? 2
like 'says which' "$(cat "$NS_TMP/overlap")" '*80-90 and 90-99*'
nu network rm mute
residue host "$NS_TMP/before" 'nothing is left at all'
ns_done

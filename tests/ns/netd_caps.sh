#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# Caps by policy: connections at once, connections and packets a second, of containers behind a
# bridge and of routed ones. Who floods harms himself: a neighbour's connections and pings go on. No
# rule comes with a container.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
serve_http out 80
cp "$(dirname "$0")/netd_flood.py" "$NS_TMP/flood.py"
chmod 644 "$NS_TMP/flood.py"
serve out "$PYTHON" "$NS_TMP/flood.py" listen 5353
wait_port out tcp 5353
flood() { # BOX VERB N ADDRESS
	local box
	box=$1
	shift
	inside "$box" "$PYTHON" "$NS_TMP/flood.py" "$@"
}
# held N ADDRESS...: so many were made by box one; they are held until drop.
mkfifo "$NS_TMP/leash" || bail 'no fifo'
held() { # FILE N ADDRESS...
	local to
	to=$1
	shift
	flood one hold "$@" <"$NS_TMP/leash" >"$to" &
	HELD=$!
	exec 9>"$NS_TMP/leash"
	ns_until 30 test -s "$to" || bail 'nothing is held'
}
drop() {
	exec 9>&-
	wait "$HELD"
}
rules() { for f in inet bridge; do on host nft -j list table $f netd; done | jq '.nftables[] | select(.rule) | .rule.handle' | wc -l; }
tracked() { on host cat /proc/sys/net/netfilter/nf_conntrack_count; }
within() { [ "$1" -le "$2" ] || { echo "# $1 > $2" && false; }; } # A B
answers() { # BOX: every one of ten connections, and most of 20 pings (who is late may lose one in a queue)
	[ "$(inside "$1" curl -sS -m 30 "http://$OUT4/hello?[1-10]" | grep -o 'hello from out' | wc -l)" -eq 10 ] &&
		[ "$(inside "$1" ping -q -c 20 -i 0.01 -W 5 "$OUT4" | sed -n 's/.*, \([0-9]*\) received.*/\1/p')" -ge 12 ]
}
policy 'allow nta default attach conns=20 conn-rate=400 packet-rate=20000' 'allow ntb default attach nics=9' \
	'allow nta routed attach nics=9 conns=15 conn-rate=400' 'allow ntb routed attach nics=9'
netd_start
ok 'a routed network' on host "$NETNS_UP" network create routed --mode routed
like 'policy test tells' "$(on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user nta)" \
	'*limits: nics=4 rate=60 conns=20 conn-rate=400 packet-rate=20000*'
box two $UID_B
two=$BOX
ok 'a neighbour without caps' ntb "$two" --name two -q
n_rules=$(rules)

for net in default routed; do
	[ $net = default ] && most=20 || most=15
	box one $UID_A
	ok "$net: up" nta "$BOX" --name one --network $net -q
	is "$net: no rule comes with it" "$(rules)" "$n_rules"
	like "$net: its caps are on record" "$(ask_netd $UID_A list)" "*\"cap\":{\"conns\":$most,\"connRate\":400*"

	# Both families together, and those that wait for an answer are none.
	held "$NS_TMP/held.$net" 30 $OUT4 $OUT6
	is "$net: $most connections at once, and no more" "$(cat "$NS_TMP/held.$net")" $most
	is "$net: not one more to the host itself" "$(inside one curl -sS -m 1 "http://$HOST4/" 2>&1 | sed 's/.*\(timed out\).*/\1/')" 'timed out'
	ok "$net: the neighbour has his" answers two
	drop
	again() { [ "$(inside one curl -sS -m 10 "http://$OUT4/hello" 2>/dev/null)" = 'hello from out' ]; }
	ok "$net: when they are closed there is room" ns_until 30 again
	[ $net = routed ] || { ok "$net: down" nta down one -q && ns_kill one; }
done

# --- how many anew ---------------------------------------------------------------------------------
policy 'allow nta default attach nics=9 conn-rate=50' 'allow nta routed attach nics=9 packet-rate=300' \
	'allow ntb * attach'
has_new() { ask_netd $UID_A list | grep -q '"cap":{"conns":4096,"connRate":500,"packetRate":300,'; }
ok 'what is up gets the new caps' ns_until 30 has_new
ok 'its user asks for it once more' nta "$BOX" --name one --network routed -q
ok 'it has the new ones still' has_new
is 'in the kernel too' "$(on host nft -j list set inet netd conns_link | jq -c '[.nftables[] | .set.elem? // empty | .[].elem["ct count"].val]')" '[4096]'
like 'and what was not there before' "$(on host nft list set inet netd packets_link)" '*limit rate over 300/second*'
ok 'all is as it should be' on host "$NETNS_UP" check "user-$UID_A.one"
ok 'down' nta down one -q
ns_kill one
box three $UID_A
ok 'what is made anew has the new ones' nta "$BOX" --name three -q
before=$(tracked)
took=$(flood three flows 3000 $OUT4)
ok 'no more flows are tracked than may be opened' within $(($(tracked) - before)) $((50 + 50 * (took + 1) + 20))
ok 'the neighbour opens his' answers two

# --- how many packets ------------------------------------------------------------------------------
for net in default routed; do
	policy "allow nta $net attach nics=9 packet-rate=300"
	box p$net $UID_A
	ok "$net: up" nta "$BOX" --name p$net --network $net -q
	serve out "$PYTHON" "$NS_TMP/flood.py" sink 5353
	wait_port out udp 5353
	sink=$SERVED_LOG
	took=$(flood p$net packets 20000 $OUT4)
	ns_until 30 test -s "$sink"
	ok "$net: some arrive" test "$(cat "$sink")" -gt 0
	ok "$net: no more than may be sent" within "$(cat "$sink")" $((30 + 300 * (took + 1)))
done

# --- a flood ---------------------------------------------------------------------------------------
policy 'allow nta default attach nics=9 conns=100 packet-rate=2000'
box four $UID_A
ok 'up' nta "$BOX" --name four -q
flood four drown 3 $OUT4 &
drown=$!
ok 'under a flood the neighbour has his connections and his pings' answers two
ok 'once more' answers two
ok 'and netd answers' nta status four
wait $drown

# --- rules that are lost, and a kernel without -----------------------------------------------------
ok 'the end' netd_stop
on host nft flush ruleset
ok 'loaded again' on host "$NETNS_UP" gc -q
like 'with the caps' "$(on host nft list set inet netd conns_port)" \
	"*ct count over 100 comment \"user-$UID_A.four/eth0\"*"
is 'the same rules' "$(rules)" "$n_rules"
ok 'all is as it should be' on host "$NETNS_UP" check "user-$UID_A.four"
on host nft "delete element inet netd conns_port { $(on host nft list set inet netd conns_port | tr , '\n' |
	sed -n "s/.*\(\"[^\"]*\" \. [0-9a-f:]*\) ct count over 100 comment \"user-$UID_A.four.*/\1/p") }"
nok 'a cap that is lost is found' on host "$NETNS_UP" check "user-$UID_A.four"
for b in three pdefault prouted four two; do ns_kill $b; done
has_links_soon 0
ok 'all dead ones go' on host "$NETNS_UP" gc -q
ok 'and the network' on host "$NETNS_UP" network rm routed
export NETNS_UP_WITHOUT=nft-bounds
netd_start
box five $UID_A
like 'a kernel without: not with caps' "$(ask_netd $UID_A attach five "/proc/$BOX/ns/net")" '*"unsupported"*'
ok 'and why' grep -q 'CONFIG_NFT_CONNLIMIT' "$NETD_LOG"
policy 'allow nta default attach'
ok 'without any' nta "$BOX" --name five -q
ok 'which is whole' on host "$NETNS_UP" check "user-$UID_A.five"
ok 'down' nta down five -q
ok 'the end' netd_stop
unset NETNS_UP_WITHOUT
ns_kill five
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# Caps that an interface has without a word of the policy, and those of what comes to it: connections
# from elsewhere, from the host and by way of loopback, at once and anew a second. Neither hurts another
# container, and what a server is usually asked for passes.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
cp "$(dirname "$0")/netd_flood.py" "$NS_TMP/flood.py"
chmod 644 "$NS_TMP/flood.py"
mkfifo "$NS_TMP/leash" || bail 'no fifo'
held() { # HOST FILE N ADDRESS...: so many were made by a host; they are held until drop
	local from to
	from=$1 to=$2
	shift 2
	on "$from" "$PYTHON" "$NS_TMP/flood.py" hold "$@" <"$NS_TMP/leash" >"$to" &
	HELD=$!
	exec 9>"$NS_TMP/leash"
	ns_until 30 test -s "$to" || bail 'nothing is held'
}
drop() {
	exec 9>&-
	wait "$HELD"
}
rules() { for f in inet bridge; do on host nft -j list table $f netd; done | jq '.nftables[] | select(.rule) | .rule.handle' | wc -l; }
cap_of() { ask_netd $UID_A list | jq -c ".attachments[] | select(.id == \"$1\") | .cap"; }
# opens HOST ADDRESS PORT N: so many connections, one after the other; how many were made at once.
cat >"$NS_TMP/opens.py" <<'PY'
import socket, sys, time
made, began = 0, time.monotonic()
for _ in range(int(sys.argv[3])):
    s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(float(sys.argv[4]))
    try:
        s.connect((sys.argv[1], int(sys.argv[2])))
        made += 1
    except TimeoutError:
        pass
    s.close()
print(made, int(time.monotonic() - began) + 1)
PY
opens() {
	local from
	from=$1
	shift
	on "$from" "$PYTHON" "$NS_TMP/opens.py" "$@"
}

policy 'allow nta default attach,publish in-conns=12 in-conn-rate=300' 'allow ntb default attach,publish' \
	'allow nta routed attach,publish in-conns=8 in-conn-rate=300'
netd_start
ok 'a routed network' on host "$NETNS_UP" network create routed --mode routed
box two $UID_B
ok 'a neighbour whose rule says nothing' ntb "$BOX" --name two -p 8081:5353 -q
is 'has the usual caps' "$(ask_netd $UID_B list | jq -c '.attachments[0].cap')" \
	'{"conns":4096,"connRate":500,"inConns":8192,"inConnRate":2000}'
like 'policy test tells' "$(on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user ntb)" \
	'*limits: nics=4 rate=60 conns=4096 conn-rate=500 in-conns=8192 in-conn-rate=2000*'
serve_inside two "$PYTHON" "$NS_TMP/flood.py" listen 5353
two_server=$SERVED
listens() { inside "$1" ss -Hlnt 'sport = :5353' | grep -q .; }
ns_until 20 listens two || bail 'no server'
n_rules=$(rules)
for net in default routed; do
	[ $net = default ] && most=12 || most=8
	box one $UID_A
	ok "$net: up" nta "$BOX" --name one --network $net -p 5353:5353 -q
	is "$net: no rule comes with it" "$(rules)" "$n_rules"
	serve_inside one "$PYTHON" "$NS_TMP/flood.py" listen 5353
	server=$SERVED
	ns_until 20 listens one || bail 'no server'
	held out "$NS_TMP/held.$net" 30 $HOST4
	is "$net: $most connections come at once, and no more" "$(cat "$NS_TMP/held.$net")" $most
	is "$net: not one more from the host" "$(opens host $HOST4 5353 1 0.5 | cut -d' ' -f1)" 0
	is "$net: nor by another port or family" "$(opens out $HOST6 5353 3 5 | cut -d' ' -f1)" 3
	is "$net: the neighbour is reached" "$(opens out $HOST4 8081 20 20 | cut -d' ' -f1)" 20
	drop
	again() { [ "$(opens out $HOST4 5353 1 2 | cut -d' ' -f1)" = 1 ]; }
	ok "$net: when they are closed there is room" ns_until 60 again
	held host "$NS_TMP/local.$net" 30 127.0.0.1
	n=$(on host ss -Hnt state established '( dport = :5353 )' | grep -vc 127.0.0.1)
	ok "$net: by way of loopback it is no more" test "$n" -ge 1 -a "$n" -le $((2 * most))
	drop
	ok "$net: down" nta down one -q
	unserve "$server"
	ns_kill one
done

# --- how many anew ---------------------------------------------------------------------------------
policy 'allow nta default attach,publish in-conn-rate=10'
box three $UID_A
ok 'up' nta "$BOX" --name three -p 5353:5353 -q
is 'the rest is as usual' "$(cap_of three)" '{"conns":4096,"connRate":500,"inConns":8192,"inConnRate":10}'
serve_inside three "$PYTHON" "$NS_TMP/flood.py" listen 5353
three_server=$SERVED
ns_until 20 listens three || bail 'no server'
# Of a burst of ten and ten a second.
# shellcheck disable=SC2046 # two words
set -- $(opens out $HOST4 5353 60 0.05)
ok 'no more come than may be opened' test "$1" -le $((10 + 10 * ($2 + 1)))
ok 'and some do' test "$1" -ge 1
policy 'allow nta default attach,publish conns=0 in-conns=0'
box four $UID_A
ok 'without any' nta "$BOX" --name four -p 5354:5353 -q
is 'if the policy says so' "$(cap_of four)" null
ok 'all is as it should be' on host "$NETNS_UP" check "user-$UID_A.three"
for s in "$two_server" "$three_server"; do unserve "$s"; done
for b in three four two; do ns_kill $b; done
has_links_soon 0
ok 'the end' netd_stop
ok 'all dead ones go' on host "$NETNS_UP" gc -q
ok 'and the network' on host "$NETNS_UP" network rm routed

# --- a kernel without --------------------------------------------------------------------------------
export NETNS_UP_WITHOUT=nft-bounds
policy 'allow nta default attach' 'allow ntb default attach in-conns=5'
netd_start
box five $UID_A
ok 'a kernel without: up all the same' nta "$BOX" --name five -q
is 'without caps' "$(cap_of five)" null
ok 'which the log says' grep -q "user-$UID_A.five/eth0 has no caps: the kernel lacks them" "$NETD_LOG"
ok 'it is whole' on host "$NETNS_UP" check "user-$UID_A.five"
box six $UID_B
like 'not where the policy names one' "$(ask_netd $UID_B attach six "/proc/$BOX/ns/net")" '*"unsupported"*'
ok 'down' nta down five -q
ok 'the end' netd_stop
for b in five six; do ns_kill $b; done
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

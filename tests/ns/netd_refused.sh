#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# What the policy's destinations refuse is a line of the log: whose it was, and where it wanted to go. Who
# floods has his lines cut, and nobody else's.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
serve_http out 80
line() { printf 'audit: uid=%s id=user-%s\\.%s ifname=eth0 result=refused to=%s$' "$1" "$1" "$2" "$3"; } # UID ID TO
said() { ok "$1" ns_until 30 grep -q "$(line "$2" "$3" "$4")" "$NETD_LOG"; } # WHAT UID ID TO
n_said() { netd_log "$(line "$1" "$2" '.*')"; }                              # UID ID
try() { inside "$1" curl -sS -g -m 20 "$2" >/dev/null 2>&1; }                # BOX URL
datagrams() { # BOX N PORT: to the outside
	inside "$1" "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(int(sys.argv[2])):
    try:
        s.sendto(b"x", (sys.argv[1], int(sys.argv[3])))
    except OSError:
        pass
' "$OUT4" "$2" "$3"
}

policy "allow nta * attach nics=9 to=$OUT4:80,[$OUT6]:80" "allow ntb * attach nics=9 not-to=$OUT4"
netd_start
ok 'a routed network' on host "$NETNS_UP" network create routed --mode routed
for net in default routed; do
	box $net $UID_A
	ok "$net: up" nta "$BOX" --name $net --network $net -q
	ok "$net: where he may" try $net "http://$OUT4"
	nok "$net: where he may not" try $net "http://$OUT4:81"
	said "$net: is told" $UID_A $net "tcp $OUT4:81"
	nok "$net: IPv6" try $net "http://[$OUT6]:81"
	said "$net: is told, too" $UID_A $net "tcp \\[$OUT6\\]:81"
	inside $net ping -q -c 1 -W 1 "$HOST4" >/dev/null 2>&1
	said "$net: ping" $UID_A $net "icmp $HOST4"
	datagrams $net 1 53
	said "$net: a datagram" $UID_A $net "udp $OUT4:53"
	is "$net: what is allowed is not told" "$(netd_log "refused to=tcp $OUT4:80")" 0
	ok "$net: it is whole" on host "$NETNS_UP" check "user-$UID_A.$net"
done

# Ten at once and one a second: of thousands a few, however long it takes.
before=$(n_said $UID_A default)
began=$(date +%s)
datagrams default 5000 54
took=$(($(date +%s) - began))
box two $UID_B
ok 'another one' ntb "$BOX" --name two -q
nok 'where he may not' try two "http://$OUT4"
said 'his is told beside a flood' $UID_B two "tcp $OUT4:80"
more=$(($(n_said $UID_A default) - before))
ok "of 5000 few are told ($more)" test $more -le $((10 + 2 * (took + 10 + $(date +%s) - began)))
ok 'and some' test $more -ge 1

# Another netd listens.
kill -USR2 "$NETD_PID"
ok 'netd becomes another program' ns_until 60 grep -q 'has taken over from' "$NETD_LOG"
nok 'where he may not' try routed "http://$OUT4:82"
again() { try routed "http://$OUT4:82"; grep -q "$(line $UID_A routed "tcp $OUT4:82")" "$NETD_LOG"; }
ok 'which tells of it' ns_until 30 again
kill -KILL "$NETD_PID"
netd_killed
netd_start
ok 'so does the next one' ns_until 30 again
ok 'the end' netd_stop

# A kernel that does not tell refuses all the same.
export NETNS_UP_WITHOUT=nft-log
on host nft flush ruleset
ok 'loaded again' on host "$NETNS_UP" gc -q
nok 'a kernel without: where he may not' try default "http://$OUT4:81"
ok 'where he may' try default "http://$OUT4"
is 'no rule tells' "$(on host nft list table inet netd | grep -c 'log group')" 0
ok 'it is whole' on host "$NETNS_UP" check "user-$UID_A.default"
unset NETNS_UP_WITHOUT
for b in default routed two; do ns_kill $b; done
has_links_soon 0
ok 'all dead ones go' on host "$NETNS_UP" gc -q
ok 'and the network' on host "$NETNS_UP" network rm routed
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

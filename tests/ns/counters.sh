#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# How many connections each published port has had: of every form of SPEC, in both families, told by
# root's status and, through netd, by a user's; kept where the tables change hands. No rule comes
# with a port, and a kernel that cannot count says nothing.
. "$(dirname "$0")/netd_lib.sh"
netd_world
on host ip addr add 198.51.100.9/24 dev eth0
snapshot host >"$NS_TMP/before"
nu() { on host "$NETNS_UP" "$@"; }
cat >"$NS_TMP/flows.py" <<'PY'
# tcp|udp ADDRESS PORT N: so many connections, or datagrams from as many sockets, of which each is sent twice.
import socket, sys
proto, address, port, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
kept = []
for i in range(n):
    s = socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM)
    s.settimeout(60)
    s.connect((address, port))
    if proto == 'udp':
        s.send(b'one')
        s.send(b'two')
    else:
        s.sendall(b'GET /hello HTTP/1.0\r\n\r\n')
        while s.recv(4096):
            pass
    kept.append(s)
PY
flows() { # HOST PROTO ADDRESS PORT N
	local from
	from=$1
	shift
	on "$from" "$PYTHON" "$NS_TMP/flows.py" "$@"
}
counts() { jq -c '[.[0].ports[].flows]'; }
rules() { on host nft -j list table inet netd | jq '.nftables[] | select(.rule) | .rule.handle' | wc -l; }

# --- root alone -----------------------------------------------------------------------------------
container_new c1 host
container_new c2 host
ok 'up with ports' nu up "$(ns_pid c1)" --name one -p 8080:80 -p 8081:80 -p 198.51.100.9:8082:80 -p 9000-9003 \
	-p 40000-40999 -p 198.51.100.9:41000-41999:41000-41999 -p 5353:53/udp -p 127.0.0.1:8083:80 -q
ok 'a neighbour' nu up "$(ns_pid c2)" --name two -p 8090:80 -q
n_rules=$(rules)
serve_http c1 80
serve_http c2 80
for p in 9003 40500 41500; do serve c1 busybox httpd -f -p $p -h "$NS_TMP/www.c1" && wait_port c1 tcp $p; done
serve_peer c1 udp 53
is 'nothing yet' "$(nu status one --json | counts)" '[0,0,0,0,0,0,0,null]'
ok 'connections, IPv4' flows out tcp $HOST4 8080 5
ok 'and IPv6' flows out tcp $HOST6 8080 2
ok 'to a host address' flows out tcp 198.51.100.9 8082 3
ok 'to the same port by another one' flows out tcp $HOST4 8081 1
ok 'to a short range' flows out tcp $HOST4 9003 4
ok 'to a wide range' flows out tcp $HOST6 40500 6
ok 'to a wide range of a host address' flows out tcp 198.51.100.9 41500 7
ok 'flows of two datagrams each' flows out udp $HOST4 5353 8
ok 'of the host itself' flows host tcp $HOST4 8080 1
ok 'of the neighbour' flows c2 tcp $HOST4 8080 1
is 'each port has its own' "$(nu status one --json | counts)" '[9,1,3,4,6,7,8,null]'
is 'the neighbour has none' "$(nu status two --json | counts)" '[0]'
text=$(nu status one)
like 'in words' "$text" '*published  8080:80/tcp  9 connections
*published  8081:80/tcp  1 connection
*'
like 'a flow of UDP' "$text" '*5353:53/udp  8 flows*'
like 'on loopback alone: nobody counts' "$text" '*published  127.0.0.1:8083:80/tcp'
ok 'more ports' nu publish one 8100-8163 -q
is 'no rule comes with a port' "$(rules)" "$n_rules"
is 'what was there goes on' "$(nu status one --json | counts)" '[9,1,3,4,6,7,8,null,0]'
ok 'off' nu unpublish one 8080:80 -q
ok 'and on again' nu publish one 8080:80 -q
is 'begins anew' "$(nu status one --json | jq '[.[0].ports[] | select(.hostPort == 8080) | .flows]' -c)" '[0]'
ok 'the same once more changes nothing' nu publish one 8081:80 -q
ok 'all is as it should be' nu check one
is 'nor has it' "$(nu status one --json | jq '[.[0].ports[] | select(.hostPort == 8081) | .flows]' -c)" '[1]'

# --- through netd ---------------------------------------------------------------------------------
policy 'allow nta default attach,publish'
netd_start
is 'what netd takes up keeps its counts' "$(nu status one --json | jq '[.[0].ports[] | select(.hostPort == 9000) | .flows]' -c)" '[4]'
box web $UID_A
ok 'a user, by netd' nta "$BOX" --name web -p 8200:80 -p 8201:80 -q
serve_inside web busybox httpd -f -p 80 -h "$NS_TMP/www.c1"
up() { inside web ss -Hlnt 'sport = :80' | grep -q .; }
ns_until 20 up || bail 'no server'
ok 'connections' flows out tcp $HOST4 8200 3
is 'his status tells' "$(nta status web --json | counts)" '[3,0]'
like 'in words' "$(nta status web)" '*published  8200:80/tcp  3 connections
*published  8201:80/tcp  0 connections*'
is 'root sees the same' "$(nu status "user-$UID_A.web" --json | counts)" '[3,0]'
like 'who asks for it on the socket' "$(ask_netd $UID_A list --flows true)" '*"flows":3*'
not_in() { case $2 in *"$1"*) return 1 ;; esac; }
ok 'and who does not' not_in flows "$(ask_netd $UID_A list)"
ok 'down' nta down web -q
ok 'the end of netd' netd_stop
is 'the counts stay when it ends' "$(nu status one --json | jq '[.[0].ports[] | select(.hostPort == 9000) | .flows]' -c)" '[4]'

# --- a kernel that does not count -----------------------------------------------------------------
on host nft flush ruleset
NETNS_UP_WITHOUT=nft-counters${NETNS_UP_WITHOUT:+,$NETNS_UP_WITHOUT}
export NETNS_UP_WITHOUT
ok 'loaded without' nu gc -q
ok 'connections all the same' flows out tcp $HOST4 8081 1
is 'nothing is told' "$(nu status one --json | counts)" '[null,null,null,null,null,null,null,null,null]'
text=$(nu status one)
like 'which is said' "$text" '*counted    no: this kernel has no counters in maps*'
ok 'all is as it should be' nu check one
ok 'down' nu down one -q
ok 'down' nu down two -q
for b in web c1 c2; do ns_kill $b; done
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

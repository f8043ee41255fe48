#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# explain: the path to a published port and to a container's address, as it is and with each stretch of
# it broken; for root, and for an ordinary user's slirp-lite.
. "$(dirname "$0")/lib.sh"

UID_A=$NS_UID
ns_world
printf 'nea:x:%s:%s::/:/bin/sh\n' $UID_A $UID_A | cat /etc/passwd - >"$NS_TMP/passwd"
on host sh -c '
	set -e
	mount -n --bind "$1/passwd" /etc/passwd
	mkdir -p -m 755 /run/user
	mkdir -m 700 /run/user/$2
	chown $2:$2 /run/user/$2' sh "$NS_TMP" $UID_A || bail 'cannot prepare the host'
nu() { on host "$NETNS_UP" "$@"; }
nea() {
	on host setpriv --reuid $UID_A --regid $UID_A --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" "$NS_MARK" "$NETNS_UP" "$@"
}
says() { # DESCRIPTION QUERY PATTERN
	like "$1" "$(nu explain "$2" 2>&1; echo "exit $?")" "$3"
}

snapshot host >"$NS_TMP/before"
says 'nobody has it' 8080 '*missing  record: no container publishes 8080/tcp*missing  verdict: 8080/tcp reaches no container*exit 3'
serve host socat TCP-LISTEN:8081,fork,reuseaddr /dev/null
wait_port host tcp 8081
says 'a program of the host has it' 8081 '*no container publishes 8081/tcp; on the host socat (pid *) listens there*exit 3'
nu explain eighty 2>"$NS_TMP/err"
is 'what is no port and no address' $? 2
like 'what is no port and no address: the text' "$(cat "$NS_TMP/err")" '*PORT*found "eighty"*'

container_new c1 host
nu up "$(ns_pid c1)" --name c1 -p 8080:80 -p 5300-5301:53-54/udp >/dev/null || bail 'up c1'
says 'nobody listens inside' 8080 '*missing  inside: nobody listens on 80/tcp*verdict: 8080/tcp does not reach c1: 1 step is missing*exit 10'
serve_http c1 80
serve_peer c1 udp 54
C1=$(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/')
C1V6=$(on c1 ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/')
whole="ok       record: c1 eth0 on network default publishes 8080:80/tcp
ok       tables: inet netd and bridge netd are loaded
ok       127.0.0.1 and ::1: the local forwarder holds 1 of 1 sockets
ok       prerouting, IPv4: map entry to $C1:80
ok       prerouting, IPv6: map entry to \\[$C1V6\\]:80
ok       forward, priority 0: inet netd forward: ours, to_container accepts translated destinations (ct status dnat)
ok       route: $C1 leads to nb-default
ok       route: $C1V6 leads to nb-default
ok       link: nu* is up
ok       bridge: nu* is a port of nb-default
ok       guard: the elements of nu* are there
ok       inside: eth0 is up
ok       inside: eth0 has $C1
ok       inside: eth0 has $C1V6
ok       inside: busybox (pid *) listens on 80/tcp
ok       verdict: 8080/tcp reaches c1
exit 0"
says 'a published port, every step' 8080 "$whole"
says 'by an address of the host' "$HOST4:8080" '*verdict: '"$HOST4"':8080/tcp reaches c1*exit 0'
says 'by an IPv6 address of the host' "[$HOST6]:8080/tcp" '*reaches c1*exit 0'
says 'the second port of a run' 5301/udp '*publishes 5300-5301:53-54/udp*map entry to '"$C1"':54*listens on 54/udp*reaches c1*exit 0'
says 'the other protocol is nobody'"'"'s' 8080/udp '*no container publishes 8080/udp*exit 3'
says "a container's address" "$C1" '*record: c1 eth0 on network default (bridge)*note     from elsewhere*the way out is open*is c1'"'"'s, and connected*exit 0'
says "a container's IPv6 address and port" "[$C1V6]:80" '*busybox (pid *) listens on 80/tcp*exit 0'
says "an address that is nobody's" 192.0.2.77 '*no container has the address 192.0.2.77*exit 3'
like 'JSON' "$(nu explain 8080 --json | jq -r '.[-1] | .state + " " + .step')" 'ok verdict: 8080/tcp reaches c1'

on host nft -f - <<-N
	table ip early { chain c { type filter hook forward priority -10; policy accept; }; }
	table ip late { chain c { type filter hook forward priority 10; policy drop; tcp dport 80 accept; }; }
	table ip6 later { chain c { type filter hook forward priority 20; policy drop; }; }
N
says 'chains of others, in their order' 8080 '*ok       forward, priority -10: ip early c, policy accept: passes
ok       forward, priority 0: inet netd*
note     forward, priority 10: ip late c, policy drop: may be dropped (`netns-up doctor`*
missing  forward, priority 20: ip6 later c, policy drop: is dropped*verdict: 8080/tcp does not reach c1*exit 10'
on host sh -c 'nft delete table ip early; nft delete table ip late; nft delete table ip6 later'

on host nft delete element inet netd fwd4_any '{ tcp . 8080 }'
says 'a map entry is gone' 8080 '*missing  prerouting, IPv4: map entry to*ok       prerouting, IPv6*1 step is missing*exit 10'
veth=$(nu status c1 --json | jq -r '.[0].hostIfname')
on host ip link set "$veth" nomaster
says 'no port of the bridge' 8080 "*missing  bridge: $veth is no port of nb-default*exit 10"
on host ip link set "$veth" down
says 'the link is down' 8080 "*missing  link: $veth is down*exit 10"
on c1 ip addr flush dev eth0
says 'no address inside' 8080 "*missing  inside: eth0 lacks $C1*exit 10"
on c1 ip addr add "$C1/16" dev eth0
on c1 ip -6 addr add "$C1V6/64" dev eth0 nodad
on host nft flush ruleset
says 'no tables' 8080 '*missing  tables: inet netd and bridge netd are missing (`netns-up gc`)*missing  guard:*exit 10'
nu gc >/dev/null
says 'mended' 8080 "$whole"

nu network create r --mode routed >/dev/null || bail 'network create'
container_new c2 host
nu up "$(ns_pid c2)" --name c2 --network r -p 8082:80 >/dev/null || bail 'up c2'
serve_http c2 80
says 'a routed container' 8082 '*route: * leads to nu*inside: busybox*verdict: 8082/tcp reaches c2*exit 0'
ok 'down c2' nu down c2
ok 'network rm' nu network rm r

# An ordinary user's.
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups --pdeathsig KILL \
	env -i PATH="$PATH" "$NS_MARK" unshare -Urn sleep 7200) &
NS_SERVERS="$NS_SERVERS $!"
pid=$!
is_ready() { [ "$(cat "/proc/$pid/comm")" = sleep ]; }
ns_until 100 is_ready
ok 'up, an ordinary user' nea up "$pid" -p 9090:90
like 'a port of his' "$(nea explain 9090; echo "exit $?")" "ok       record: pid-$pid eth0, carried by slirp-lite (pid *)
ok       host: slirp-lite holds 9090:90/tcp
ok       inside: it connects to 10.0.2.100, port 90
ok       verdict: *exit 0"
like "another's" "$(nea explain 8080; echo "exit $?")" "missing  record: none of your containers has it; others' are root's*exit 3"
like 'his address' "$(nea explain 10.0.2.100; echo "exit $?")" '*published ports alone are reached*exit 0'
says 'root sees who holds it' 9090 '*no container publishes 9090/tcp; on the host slirp-lite* (pid *) listens there*exit 3'
nea down "$pid" >/dev/null

ok 'down c1' nu down c1
NS_IGNORE='/run/user'
residue host "$NS_TMP/before" 'nothing is left'
ns_done

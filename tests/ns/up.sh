#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# up and down: every way to name a target, both families, idempotence, and nothing left behind.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

ns_world
snapshot host >"$NS_TMP/before"
container_new c1 host
pid=$(ns_pid c1)

ok 'a plan is printed' nu up "$pid" --dry-run -p 8080:80
plan=$(nu up "$pid" --dry-run -p 8080:80)
like 'the plan names the link' "$plan" '*link nu*create*'
like 'the plan names the port' "$plan" '*publish: 8080:80/tcp*'
residue host "$NS_TMP/before" 'a plan changes nothing'

ok 'netns-up PID' nu "$pid"
is 'the plan of the same call is empty' "$(nu up "$pid" --dry-run 2>&1; echo $?)" 0
nok 'that of another one is refused' nu up "$pid" --dry-run -p 8080:80
on host nft delete table bridge netd
like 'what is lost is in it' "$(nu up "$pid" --dry-run 2>&1)" '*table bridge netd*'
ok 'and comes back by the call itself' nu up "$pid" -q
a4=$(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/')
a6=$(on c1 ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/')
ok 'loopback is up inside' on c1 ping -q -c1 -W10 127.0.0.1
ok 'the container reaches the outside by IPv4' on c1 ping -q -c1 -W10 "$OUT4"
ok 'the container reaches the outside by IPv6' on c1 ping -q -c1 -W10 "$OUT6"
serve_peer out tcp 7000
is 'the outside sees the host (IPv4)' "$(ask c1 tcp "$OUT4" 7000)" "$HOST4"
is 'the outside sees the host (IPv6)' "$(ask c1 tcp "$OUT6" 7000)" "$HOST6"
serve_peer out udp 7001
is 'also by UDP' "$(ask c1 udp "$OUT4" 7001)" "$HOST4"
ok 'the host reaches the container by IPv4' on host ping -q -c1 -W10 "$a4"
ok 'the host reaches the container by IPv6' on host ping -q -c1 -W10 "$a6"
nok 'the outside does not reach the container directly (IPv4)' on out ping -q -c1 -W1 "$a4"
nok 'the outside does not reach the container directly (IPv6)' on out ping -q -c1 -W1 "$a6"
is 'the MTU is that of the default route' "$(on c1 cat /sys/class/net/eth0/mtu 2>/dev/null ||
	on c1 ip -o link show eth0 | sed -E 's/.* mtu ([0-9]+).*/\1/')" 1500

first=$(nu up "$pid" --json)
is 'the same call made again gives the same answer' "$(nu up "$pid" --json)" "$first"
is 'it is one attachment' "$(nu ls --json | grep -c '"id"')" 1
like 'ls shows it' "$(nu ls)" "*pid-$pid*eth0*default*$a4*"
like 'status shows it' "$(nu status "$pid")" "*address*$a4*"
like 'status speaks JSON' "$(nu status "pid-$pid" --json)" "*\"address\": \"$a4/*"
ok 'check says healthy' nu check "$pid"
nok 'other settings under the same name are refused' nu up "$pid" --mtu 1400

ok 'down by pid' nu down "$pid"
ok 'down again' nu down "$pid"
residue host "$NS_TMP/before" 'nothing is left after down'

# By path and by name, with given addresses.
ok 'create NAME' nu create web
like 'ip netns sees it' "$(on host ip netns list)" '*web*'
nok 'a second one of that name is refused' nu create web
ok 'up by name with a MAC, an MTU and an interface name' \
	nu up web --mac 02:00:00:00:00:07 --mtu 1400 --ifname net0 --network default
like 'they are so inside' "$(on host ip -n web -o link show net0)" '*mtu 1400*02:00:00:00:00:07*'
ok 'up by path, a second interface' nu up /run/netns/web --ifname net1
is 'two interfaces' "$(nu ls --json | grep -c '"ifname"')" 2
ok 'ip netns exec reaches the outside' on host ip netns exec web ping -q -c1 -W10 "$OUT4"
ok 'down takes both' nu down web
is 'none is left' "$(nu ls --json | grep -c '"ifname"')" 0
ok 'a namespace made by ip netns works too' on host ip netns add ipns
ok 'up by that name' nu up ipns
ok 'delete takes its network down first' nu delete ipns
ok 'it is gone' on host sh -c '! ip netns exec ipns true'
ok 'delete NAME' nu delete web
ok 'delete of what is gone' nu delete web

# delete means the namespace, not what has its name.
ok 'create another' nu create web
ok 'up of a container with the name of a namespace' nu up "$pid" --name web
ok 'delete of the namespace' nu delete web
like 'leaves the container alone' "$(nu ls)" '*web*eth0*'
ok 'its network works' on c1 ping -q -c1 -W10 "$OUT4"
ok 'down by pid of one interface' nu down "$pid" --ifname eth0
is 'finds it under its name' "$(nu ls --json | grep -c '"id"')" 0
ok 'create once more' nu create web
ok 'up under another name' nu up web --name store
ok 'delete' nu delete web
is 'takes it down all the same' "$(nu ls --json | grep -c '"id"')" 0
ok 'create a last one' nu create web
ok 'up of it' nu up web --name store
on host sh -c 'umount /run/netns/web && rm /run/netns/web'
ok 'delete of a namespace that has lost its name' nu delete web
is 'knows it by the path that led there' "$(nu ls --json | grep -c '"id"')" 0

# The namespace dies first.
container_new c2 host
pid2=$(ns_pid c2)
ok 'up of a container that will die' nu up "$pid2" -p 8080:80
ns_kill c2
ok 'down after its death, by its pid' nu down "$pid2"
on host sh -c '[ ! -d /run/netns ] || { umount /run/netns; rmdir /run/netns; }' 2>/dev/null
residue host "$NS_TMP/before" 'nothing is left after all that'

# Unprivileged.
ok 'up without privilege says what is missing' sh -c '
	out=$(nsenter -t '"$(ns_pid host)"' -n -m setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$1" up '"$pid"' 2>&1); rc=$?
	echo "$out"; [ $rc -ne 0 ] && case $out in *CAP_*|*"ermission"*|*"not permitted"*) true ;; *) false ;; esac' sh "$NETNS_UP"
residue host "$NS_TMP/before" 'and leaves nothing'
ns_done

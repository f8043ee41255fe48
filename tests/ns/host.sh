#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What others do to the host, and what we must not do to it: links set down or taken away, a second state
# directory, forwarding for others.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }
addr() { # CONTAINER 4|6
	case $2 in
	4) on "$1" ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/' ;;
	6) on "$1" ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/' ;;
	esac
}
reach() { on "$1" ping -q -c1 -W "${3:-10}" "$2" >/dev/null 2>&1; } # FROM TO [SECONDS]

ns_world
# A LAN behind the host, which is no router.
host_new lan
wire host eth1 203.0.113.1/24 2001:db8:3::1/64 lan eth0 203.0.113.2/24 2001:db8:3::2/64
ns_until 20 on host ping -q -c1 -W1 203.0.113.2 >/dev/null || bail 'no way to the LAN'
ns_settled host
on lan ip route add default via 203.0.113.1
on lan ip -6 route add default via 2001:db8:3::1
# An interface that was there when it was looked at, and whose setting is not there any more when it is to be written.
container_new v host
snapshot host >"$NS_TMP/first"
vanishing() {
	on host env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -qq -o "$NS_TMP/trace" -e trace=openat \
		-P /proc/sys/net/ipv4/conf/eth1/forwarding -e inject=openat:error=ENOENT:when=2+ "$NETNS_UP" up "$(ns_pid v)" --name v -q
}
ok 'an interface goes while a network is made' vanishing
ok 'it was to be written' grep -q 'O_WRONLY.*INJECTED' "$NS_TMP/trace"
is 'the other interface forwards' "$(on host cat /proc/sys/net/ipv4/conf/eth0/forwarding)" 1
is 'that one does not, and is not on record' "$(on host cat /proc/sys/net/ipv4/conf/eth1/forwarding; on host grep -rl 'ipv4/conf/eth1/forwarding' /run/netd)" 0
opened() { on host nft list ruleset | sed -n '/set opened4 {/,/^	}/p' | grep -o 'eth[0-9]' | sort -u; }
is 'nor in the rules' "$(opened)" eth0
ok 'down' nu down v -q
residue host "$NS_TMP/first" 'nothing is left of it'
snapshot host >"$NS_TMP/before"
container_new a host
container_new b host
container_new c host

nok 'before: the host routes for nobody' reach out 203.0.113.2 1
ok 'up' nu up "$(ns_pid a)" --name a -p 8080:80 -q
ok 'up' nu up "$(ns_pid b)" --name b -q
serve_http a 80
nok 'after: still not, IPv4' reach out 203.0.113.2 1
nok 'after: still not, IPv6' reach out 2001:db8:3::2 1
nok 'nor the other way' reach lan $OUT4 1
is 'published ports are reached from both sides' "$(http lan http://203.0.113.1:8080/hello)$(http out http://$HOST4:8080/hello)" \
	'hello from ahello from a'
ok 'the containers reach both sides' reach b 203.0.113.2
ok 'and the outside' reach b $OUT6

# The bridge set down and up again, taken apart, deleted.
on host ip link set nb-default down
nu check a -q
is 'check misses the bridge' "$?" 10
ok 'the next up completes it' nu up "$(ns_pid c)" --name c -q
ok 'the others are still on it' reach a "$(addr b 4)"
ok 'the new one too' reach c "$(addr a 6)"
is 'the port is reached' "$(http out http://$HOST4:8080/hello)" 'hello from a'
link=$(nu status a | sed -nE 's/.*host link +([^ ]+).*/\1/p')
on host ip link set "$link" nomaster
nu check a -q
is 'check misses the port' "$?" 10
ok 'gc puts it back' nu gc -q
ok 'it works' reach b "$(addr a 4)"
on host ip link set "$link" down
nu check a -q
is 'check misses that the link is down' "$?" 10
ok 'gc sets it up' nu gc -q
is 'the port is reached' "$(http out http://$HOST4:8080/hello)" 'hello from a'
on host ip link del nb-default
ok 'gc makes the bridge anew' nu gc -q
ok 'with everybody on it' reach c "$(addr b 4)"
ok 'IPv6 too' reach b "$(addr a 6)"
is 'the port is reached' "$(http out http://$HOST4:8080/hello)" 'hello from a'

# Rules lost or edited, sets left.
for edit in 'flush table inet netd' 'flush chain inet netd forward' 'flush table bridge netd' \
	'insert rule inet netd forward accept'; do
	# shellcheck disable=SC2086
	on host nft $edit
	nu check a -q
	is "check sees: nft $edit" "$?" 10
	ok 'gc mends it' nu gc -q
	ok 'check is content' nu check a -q
done
is 'the port is reached' "$(http out http://$HOST4:8080/hello)" 'hello from a'

# An address changes its MAC address: the neighbours hear of it.
container_new e host
mine=$(addr b 4)
mine6=$(addr b 6)
ok 'a knows b' reach a "$mine"
ok 'by IPv6 too' reach a "$mine6"
nu down b -q
ok 'the address moves' nu up "$(ns_pid e)" --name e --ip "$mine" --ip6 "$mine6" --mac 02:00:00:00:00:77 -q
ok 'a reaches it at once' reach a "$mine"
ok 'by IPv6 too' reach a "$mine6"
like 'by its new MAC address' "$(on a ip neigh show "$mine")" '*02:00:00:00:00:77*'
like 'by IPv6 too' "$(on a ip neigh show "$mine6")" '*02:00:00:00:00:77*'
nu down e -q
ok 'b is back' nu up "$(ns_pid b)" --name b -q

# Another state directory on the same host.
container_new d host
for verb in "up $(ns_pid d) -q" "up $(ns_pid d) --dry-run" gc; do
	# shellcheck disable=SC2086
	out=$(nu $verb --state-dir /run/other 2>&1)
	is "another state directory: ${verb%% *} is refused" "$?" 4
	like 'and says why' "$out" '*another state directory*'
done
is 'nothing happened to the first' "$(http out http://$HOST4:8080/hello)" 'hello from a'
ok 'all healthy' sh -c 'for i in a b c; do nsenter -t "$1" -n -m "$2" check $i -q || exit 1; done' sh "$(ns_pid host)" "$NETNS_UP"

for i in a b c; do nu down $i -q; done
residue host "$NS_TMP/before" 'nothing is left'

# A routed internal network by itself: its containers reach each other, in both families.
ok 'network' nu network create ri --mode routed --internal
ok 'up' nu up "$(ns_pid a)" --name a --network ri -q
ok 'up' nu up "$(ns_pid b)" --name b --network ri -q
ok 'IPv4' reach a "$(addr b 4)"
ok 'IPv6' reach a "$(addr b 6)"
nu down a -q
nu down b -q
nu network rm ri
residue host "$NS_TMP/before" 'nothing is left'
ns_done

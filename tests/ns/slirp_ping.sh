#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Echo requests of a container: both families, several at once, the gateway, sizes, hop limits, errors;
# a host that allows this user no ping sockets.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world
box_new a host -6

for f in 4 6; do
	eval "out=\$OUT$f far=\$FAR$f"
	ok "IPv$f: ping" inside a ping -c 2 -i 0.1 -W 30 "$out"
	ok "IPv$f: beyond a router" inside a ping -c 1 -W 30 "$far"
	ok "IPv$f: 60000 bytes" inside a ping -c 1 -W 30 -s 60000 "$out"
	ok "IPv$f: a pattern comes back" sh -c \
		"! nsenter -t $box_a -U -n -- ping -c 1 -W 30 -s 1000 -p deadbeef $out | grep -q 'wrong data'"
	# Several at once, each with an id of its own.
	for i in 1 2 3 4 5 6 7 8; do
		(inside a ping -q -c 3 -i 0.2 -W 30 "$out" >"$NS_TMP/ping.$i" 2>&1) &
		eval "p$i=$!"
	done
	n=0
	for i in 1 2 3 4 5 6 7 8; do
		eval "wait \$p$i" && grep -q '3 packets transmitted, 3 received, 0% packet loss' "$NS_TMP/ping.$i" &&
			n=$((n + 1))
	done
	is "IPv$f: eight at once" $n 8
done
ok 'the gateway' inside a ping -c 1 -W 30 10.0.2.2
ok 'the gateway over IPv6' inside a ping -c 1 -W 30 fd00::2
ok 'the DNS server' inside a ping -c 1 -W 30 10.0.2.3
gateway=$(inside a ip -6 route show default | sed -n 's/.* via \(fe80[^ ]*\) .*/\1/p')
[ -z "$gateway" ] || ok 'the router as it announces itself' inside a ping -c 1 -W 30 "$gateway%tap0"
nok 'nobody else lives in its network' inside a ping -c 1 -W 1 10.0.2.77

# Errors as the host sees them.
said() { sed -n 's/^From \([^ ]*\) icmp_seq=1 \(.*\)$/\1 \2/p' | head -n 1; }
said_in() { inside a ping -n -c 1 -W 20 "$@" 2>&1 | said; }
said_on() { on host ping -n -c 1 -W 20 "$@" 2>&1 | said; }
is 'hops over: the gateway' "$(said_in -t 1 $FAR4)" '10.0.2.2 Time to live exceeded'
is 'hops over: the next router' "$(said_in -t 2 $FAR4)" "$(said_on -t 1 $FAR4)"
is 'IPv6 hops over: the gateway' "$(said_in -t 1 $FAR6)" 'fd00::2 Time exceeded: Hop limit'
is 'IPv6 hops over: the next router' "$(said_in -t 2 $FAR6)" "$(said_on -t 1 $FAR6)"
on out nft -f - <<'N'
table inet t {
	chain c {
		type filter hook input priority 0
		ip daddr 198.51.100.31 icmp type echo-request reject with icmp type net-unreachable
		ip daddr 198.51.100.32 icmp type echo-request reject with icmp type host-unreachable
		ip daddr 198.51.100.33 icmp type echo-request reject with icmp type admin-prohibited
		ip6 daddr 2001:db8:1::31 icmpv6 type echo-request reject with icmpv6 type no-route
		ip6 daddr 2001:db8:1::32 icmpv6 type echo-request reject with icmpv6 type addr-unreachable
		ip6 daddr 2001:db8:1::33 icmpv6 type echo-request reject with icmpv6 type admin-prohibited
	}
}
N
for n in 31 32 33; do
	on out ip -4 addr add 198.51.100.$n/24 dev eth0
	on out ip -6 addr add 2001:db8:1::$n/64 dev eth0 nodad
	isnt "IPv4 reject $n: the host sees it" "$(said_on 198.51.100.$n)" ''
	is "IPv4 reject $n" "$(said_in 198.51.100.$n)" "$(said_on 198.51.100.$n)"
	is "IPv6 reject $n" "$(said_in 2001:db8:1::$n)" "$(said_on 2001:db8:1::$n)"
done
like 'too big for the path, not to be cut' "$(inside a ping -n -c 1 -W 20 -M "do" -s 1400 $FAR4 2>&1)" '*mtu = 1280*'
ok 'cut by the network' inside a ping -n -c 1 -W 30 -M dont -s 1400 $FAR4
box_end a

# The host keeps ping sockets from this user: one answer a flow, and no more.
on host sh -c 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
box_new b host -6
inside b nft -f - <<'N'
table inet t {
	counter four { }
	counter six { }
	chain c {
		type filter hook input priority 0
		icmp type destination-unreachable counter name four
		icmpv6 type destination-unreachable counter name six
	}
}
N
said=$(inside b ping -n -c 4 -i 0.2 -W 5 $OUT4 2>&1)
like 'ping_group_range closed: prohibited' "$said" '*From 10.0.2.2 icmp_seq=1 Packet filtered*'
said=$(inside b ping -n -c 4 -i 0.2 -W 5 $OUT6 2>&1)
like 'and over IPv6' "$said" '*From fd00::2 icmp_seq=1 *Administratively prohibited*'
is 'once' "$(inside b nft list counters table inet t | awk '$1 == "packets" { print $2 }' | tr '\n' ' ')" '1 1 '
ok 'the gateway answers all the same' inside b ping -c 1 -W 30 10.0.2.2
box_end b
ns_done

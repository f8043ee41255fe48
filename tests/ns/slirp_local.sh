#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that configures itself: the kernel's SLAAC and duplicate address detection, a DHCP client,
# ARP as others ask it, fragments as the kernel makes them. slirp-lite runs without --configure.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world

# box_bare NAME OPTION...: as box_new, but the interface is left as the kernel makes it.
box_bare() {
	name=$1
	shift
	(_box_exec host unshare -Urn sleep 7200) &
	pid=$!
	NS_SERVERS="$NS_SERVERS $pid"
	eval "box_$name=$pid"
	ns_until 20 _box_is_apart "$pid" host || bail "no namespace for box $name"
	mkfifo "$NS_TMP/$name.ready"
	(_box_exec host "$SLIRP_LITE" --ready-fd=9 "$@" "$pid" tap0 9>"$NS_TMP/$name.ready") \
		>"$NS_TMP/$name.log" 2>&1 </dev/null &
	eval "slirp_$name=$!"
	NS_SERVERS="$NS_SERVERS $!"
	[ "$(timeout 60 head -c 1 "$NS_TMP/$name.ready")" = 1 ] ||
		bail "slirp-lite of $name does not start: $(cat "$NS_TMP/$name.log")"
}
box_bare a -6 -m 1400
inside a ip link set lo up
inside a sysctl -qw net.ipv6.conf.tap0.accept_ra=2
inside a ip link set tap0 up

has_slaac() { inside a ip -6 -o addr show tap0 scope global -tentative | grep -q 'inet6 fd00::'; }
ok 'an address by SLAAC' ns_until 20 has_slaac
like 'a default route by the router advertisement' "$(inside a ip -6 route show default)" 'default via fe80::* dev tap0 proto ra *'
is 'the MTU by it' "$(inside a sysctl -n net.ipv6.conf.tap0.mtu)" 1400
ok 'the gateway is there' inside a ping -q -c 1 -W 20 fd00::2
like 'and a router' "$(inside a ip -6 neigh show fd00::2)" '*router REACHABLE*'
ok 'far is reached' inside a ping -q -c 1 -W 20 $FAR6
# Duplicate address detection: the gateway's is taken, one beside it is not.
inside a ip -6 addr add fd00::2/64 dev tap0
has_failed() { inside a ip -6 -o addr show tap0 | grep -q 'fd00::2/64.*dadfailed'; }
ok 'the address of the gateway is found taken' ns_until 20 has_failed
inside a ip -6 addr del fd00::2/64 dev tap0
inside a ip -6 addr add fd00::77/64 dev tap0
is_settled() { inside a ip -6 -o addr show tap0 -tentative | grep -q fd00::77; }
ok 'another is free' ns_until 20 is_settled

# IPv4: nobody told the guest anything yet.
cat >"$NS_TMP/lease" <<'S'
#!/bin/sh
[ "$1" != bound ] || echo "$ip $mask $router $dns $mtu $broadcast $lease" "$domain$search"
S
chmod 755 "$NS_TMP/lease"
is 'a lease' "$(inside a busybox udhcpc -i tap0 -n -q -f -t 20 -T 3 -O mtu -s "$NS_TMP/lease" 2>/dev/null)" \
	'10.0.2.100 24 10.0.2.2 10.0.2.3 1400 10.0.2.255 86400 '
arp() { inside a busybox arping "$@" | tail -n 1; }
like 'a probe for the gateway is answered' "$(arp -D -c 1 -w 20 -I tap0 10.0.2.2)" '*Received 1 response*'
like 'and for the DNS server' "$(arp -D -c 1 -w 20 -I tap0 10.0.2.3)" '*Received 1 response*'
like 'nobody answers for others' "$(arp -D -c 1 -w 1 -I tap0 10.0.2.77)" '*Received 0 response*'
inside a ip addr add 10.0.2.100/24 dev tap0
inside a ip route add default via 10.0.2.2
ok 'far is reached over IPv4' inside a ping -q -c 1 -W 20 $FAR4
for s in 10.0.2.3 fd00::3; do
	is "$s: the gateway's name, IPv4" "$(inside a dig +short +time=10 @$s Host.Containers.Internal A)" 10.0.2.2
	is "$s: IPv6" "$(inside a dig +short +time=10 @$s host.containers.internal AAAA)" fd00::2
done

# Datagrams above the MTU leave the guest in fragments; pings come back in fragments.
for s in 1500 9000 65000; do
	ok "$s bytes in fragments" inside a ping -q -c 1 -W 20 -s $s $OUT4
	ok "$s bytes in fragments, IPv6" inside a ping -q -c 1 -W 20 -s $s $OUT6
done
box_end a

# Configured from outside: nothing is offered.
box_new b host -6
nok 'no lease for who is configured' inside b busybox udhcpc -i tap0 -n -q -f -t 2 -T 1 -s "$NS_TMP/lease" 2>/dev/null
like 'and no route by advertisements' "$(inside b ip -6 route show default proto ra) none" ' none'
box_end b

# An address that was asked for is what is offered, in a network of its own; the one it takes from the DNS server.
box_bare c -6 --guest-addr 10.44.5.3 --guest-addr6 fd44::3
inside c ip link set tap0 up
is 'a lease of what was asked for' \
	"$(inside c busybox udhcpc -i tap0 -n -q -f -t 20 -T 3 -O mtu -s "$NS_TMP/lease" 2>/dev/null)" \
	'10.44.5.3 24 10.44.5.2 10.44.5.1 1500 10.44.5.255 86400 '
has_prefix() { inside c ip -6 -o addr show tap0 scope global -tentative | grep -q 'inet6 fd44::'; }
ok 'its network by SLAAC' ns_until 20 has_prefix
inside c ip addr add 10.44.5.3/24 dev tap0
inside c ip route add default via 10.44.5.2
ok 'far is reached from there' inside c ping -q -c 1 -W 20 $FAR4
ok 'and over IPv6' inside c ping -q -c 1 -W 20 $FAR6
is 'the DNS server is beside it' "$(inside c dig +short +time=10 @10.44.5.1 host.containers.internal A)" 10.44.5.2
is 'and over IPv6, too' "$(inside c dig +short +time=10 @fd44::1 host.containers.internal AAAA)" fd44::2
box_end c
ns_done

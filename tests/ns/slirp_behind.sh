# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# slirp_behind.sh: containers behind a box of slirp_lib.sh, which forwards for them over veths: what a
# network without privilege is to slirp-lite. For tests that source lib.sh and slirp_lib.sh before.

# behind NAME BOX N: a network namespace NAME (for inside, probe_in) with 10.88.N.2 and fd88:N::2, whose
# gateway is BOX.
behind() {
	local name box n pid
	name=$1 box=$2 n=$3
	(inside_exec "$box" unshare -n sleep 7201) &
	pid=$!
	NS_SERVERS="$NS_SERVERS $pid"
	eval "box_$name=$pid"
	ns_until 20 _behind_is_apart "$pid" "$box" || bail "no namespace for $name behind $box"
	inside "$box" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0 || bail 'sysctl'
	inside "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.dad_transmits=0
	inside "$box" ip link add "veth$n" type veth peer name eth0 netns "$pid" || bail "veth of $name"
	inside "$box" ip addr add "10.88.$n.1/24" dev "veth$n"
	inside "$box" ip addr add "fd88:$n::1/64" dev "veth$n" nodad
	inside "$box" sysctl -qw "net.ipv4.conf.veth$n.rp_filter=1"
	inside "$box" ip link set "veth$n" up
	inside "$name" ip link set lo up
	inside "$name" ip addr add "10.88.$n.2/24" dev eth0
	inside "$name" ip addr add "fd88:$n::2/64" dev eth0 nodad
	inside "$name" ip link set eth0 up
	inside "$name" ip route add default via "10.88.$n.1"
	inside "$name" ip -6 route add default via "fd88:$n::1"
}
_behind_is_apart() {
	local p
	eval "p=\$box_$2"
	grep -q '^sleep$' "/proc/$1/comm" 2>/dev/null &&
		[ "$(readlink "/proc/$1/ns/net")" != "$(readlink "/proc/$p/ns/net")" ]
}
# behind_end NAME
behind_end() {
	local p
	eval "p=\$box_$1"
	unserve "$p"
}

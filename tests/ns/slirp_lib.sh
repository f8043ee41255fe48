# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# slirp_lib.sh: containers of an ordinary user behind slirp-lite, for tests that source lib.sh before.
# A box is a user and network namespace that uid BOX_UID made on a host of the test, with slirp-lite of
# the same uid beside it. slirp_probe.py is what runs on both ends.

BOX_UID=$NS_UID
[ -x "${SLIRP_LITE:-}" ] || bail 'SLIRP_LITE names no program'
cp "$SLIRP_LITE" "$NS_TMP/slirp-lite" || exit 99
cp "$(dirname "$0")/slirp_probe.py" "$NS_TMP/probe.py" || exit 99
cp "$(dirname "$0")/slirp_probe_ports.py" "$NS_TMP/probe_ports.py" || exit 99
cp "$(dirname "$0")/slirp_probe_many.py" "$NS_TMP/probe_many.py" || exit 99
SLIRP_LITE=$NS_TMP/slirp-lite
mkdir "$NS_TMP/api" && chown $BOX_UID "$NS_TMP/api" || exit 99
PYTHON=/usr/bin/python3 # one that an ordinary user may run
[ -x "$PYTHON" ] || PYTHON=$(command -v python3)
PROBE=$NS_TMP/probe.py

# The world of ns_world, and `far` behind `out` over a link with an MTU of 1280. Addresses are usable
# at once: nobody else could have them.
# shellcheck disable=SC2034 # for the tests
FAR4=203.0.113.2 FAR6=2001:db8:2::2
slirp_world() {
	local h
	for h in host out far; do
		host_new $h
		on $h sysctl -qw net.ipv6.conf.default.dad_transmits=0 net.ipv6.conf.default.accept_dad=0
		# Errors are compared one by one: no kernel on the way holds some back.
		on $h sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
		on $h sysctl -qw net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=10000
	done
	wire host eth0 $HOST4/24 $HOST6/64 out eth0 $OUT4/24 $OUT6/64
	wire out eth1 203.0.113.1/24 2001:db8:2::1/64 far eth0 $FAR4/24 $FAR6/64
	on out ip link set eth1 mtu 1280
	on far ip link set eth0 mtu 1280
	on out sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	on host ip -4 route add default via $OUT4
	on host ip -6 route add default via $OUT6
	on far ip -4 route add default via 203.0.113.1
	on far ip -6 route add default via 2001:db8:2::1
	on host sh -c 'echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range'
	ns_until 20 on host ping -q -c1 -W1 $FAR4 >/dev/null || bail 'no IPv4 between host and far'
	ns_until 20 on host ping -q -c1 -W1 $FAR6 >/dev/null || bail 'no IPv6 between host and far'
}

# as_user HOST CMD...: on the host, without any privilege.
as_user() {
	local host
	host=$1
	shift
	on "$host" setpriv --reuid $BOX_UID --regid $BOX_UID --clear-groups --inh-caps=-all \
		--bounding-set=-all "$@"
}

_box_exec() { # HOST CMD...: the same in place of the shell
	local p
	p=$(ns_pid "$1") || exit 125
	shift
	exec nsenter -t "$p" -n -m --wdns=/ -- setpriv --reuid $BOX_UID --regid $BOX_UID --clear-groups \
		--inh-caps=-all --bounding-set=-all --pdeathsig KILL \
		env -i PATH="$PATH" "$NS_MARK" ${NETNS_UP_WITHOUT:+NETNS_UP_WITHOUT="$NETNS_UP_WITHOUT"} "$@"
}

# box_new NAME HOST [OPTION...]: a container and its slirp-lite with these options. Its pids are in
# box_NAME (the container) and slirp_NAME; slirp-lite's messages in $NS_TMP/NAME.log, its control socket
# is $NS_TMP/api/NAME. SLIRP_OPTIONS: more options for all (--sandbox=off, for a build with sanitizers).
box_new() {
	local name host pid
	name=$1 host=$2
	shift 2
	(_box_exec "$host" unshare -Urn sleep 7200) &
	pid=$!
	NS_SERVERS="$NS_SERVERS $pid"
	eval "box_$name=$pid"
	ns_until 20 _box_is_apart "$pid" "$host" || bail "no namespace for box $name"
	mkfifo "$NS_TMP/$name.ready"
	(_box_exec "$host" "$SLIRP_LITE" -c --ready-fd=9 --api-socket="$NS_TMP/api/$name" ${SLIRP_OPTIONS:-} "$@" "$pid" tap0 9>"$NS_TMP/$name.ready") \
		>"$NS_TMP/$name.log" 2>&1 </dev/null &
	eval "slirp_$name=$!"
	NS_SERVERS="$NS_SERVERS $!"
	[ "$(timeout 60 head -c 1 "$NS_TMP/$name.ready")" = 1 ] ||
		bail "slirp-lite of $name does not start: $(cat "$NS_TMP/$name.log")"
	[ -z "$(inside "$name" ip -6 addr show dev tap0 scope global)" ] || ns_until 20 _box_settled "$name"
}
_box_is_apart() {
	grep -q '^sleep$' "/proc/$1/comm" 2>/dev/null &&
		[ "$(readlink "/proc/$1/ns/net")" != "$(readlink "/proc/$(ns_pid "$2")/ns/net")" ]
}
_box_settled() { [ -z "$(inside "$1" ip -6 -o addr show tentative)" ]; }

# box_end NAME: ends both.
box_end() {
	local a b
	eval "a=\$slirp_$1 b=\$box_$1"
	unserve "$a"
	unserve "$b"
	rm -f "$NS_TMP/$1.ready"
}

# inside NAME CMD...: in the container, as its root.
inside() {
	local p
	eval "p=\$box_$1"
	shift
	nsenter -t "$p" -U -n --wdns=/ -- env "$NS_MARK" "$@"
}
# The same in place of the calling subshell.
inside_exec() {
	local p
	eval "p=\$box_$1"
	shift
	exec nsenter -t "$p" -U -n --wdns=/ -- \
		setpriv --pdeathsig KILL env "$NS_MARK" "$@"
}

# worker NAME: the pid of the process with the packet code.
worker() {
	local p
	eval "p=\$slirp_$1"
	_descendants "$p" | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != slirp-worker ] || echo "$p"
	done | tail -n 1
}
_descendants() {
	local c
	for c in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$c"
		_descendants "$c"
	done
}
# told NAME FIELD: a number of what slirp-lite says of itself.
told() { "$PYTHON" "$PROBE" status "$NS_TMP/api/$1" "$2"; }
n_fds() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

probe_in() { # NAME ARGUMENT...: slirp_probe.py in the container
	local name
	name=$1
	shift
	inside "$name" "$PYTHON" "$PROBE" "$@" 2>&1
}
probe_on() { # HOST ARGUMENT...: slirp_probe.py on a host, without privilege
	local name
	name=$1
	shift
	as_user "$name" "$PYTHON" "$PROBE" "$@" 2>&1
}
serve_probe() { # HOST tcp|udp PORT ARGUMENT...: a server of slirp_probe.py
	local name proto port
	name=$1 proto=$2 port=$3
	shift 3
	serve "$name" "$PYTHON" "$PROBE" "$@" "$port"
	wait_port "$name" "$proto" "$port"
}
serve_in() { # NAME tcp|udp PORT VERB: a server of slirp_probe.py in the container
	(inside_exec "$1" "$PYTHON" "$PROBE" "$4" "$3") >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 inside "$1" sh -c 'ss -Hln"$1" "sport = $2" | grep -q .' sh "$(echo "$2" | cut -c1)" "$3" ||
		bail "no server on $2 $3 of $1"
}

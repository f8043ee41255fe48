#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC2016
# The harness on trial: hosts are hosts, assertions can fail, a residue of each kind is seen, and nothing
# outlives the test.
# shellcheck source=tests/ns/lib.sh
. "$(dirname "$0")/lib.sh"

ns_world

# Hosts.
isnt 'a host has a network namespace of its own' "$(on host readlink /proc/self/ns/net)" \
	"$(readlink /proc/self/ns/net)"
is 'its /run is empty' "$(on host ls -A /run)" ''
is 'its /sys shows its own links' "$(on host ls /sys/class/net | tr '\n' ' ')" 'eth0 lo '
is 'commands run in the directory of the test' "$(on host pwd)" "$PWD"
is 'anybody may open its /dev/net/tun' "$(on host stat -c %a /dev/net/tun)" 666
ok 'IPv4 between host and out' on host ping -q -c1 -W10 "$OUT4"
ok 'IPv6 between host and out' on out ping -q -c1 -W10 "$HOST6"
ok 'ip netns works inside' on host ip netns add inside
nok '... and stays inside' test -e /run/netns/inside
ok '... and goes' on host ip netns del inside
on host umount /run/netns
on host rmdir /run/netns

# Containers, servers, clients.
container_new box host
is 'a container begins with lo alone' "$(on box ip -o link | wc -l)" 1
wire host cable 203.0.113.1/24 2001:db8:2::1/64 box eth0 203.0.113.2/24 2001:db8:2::2/64
ns_settled host
ns_settled box
ok 'a web server starts' serve_http box 80
web=$SERVED
is 'it answers over IPv4' "$(http host http://203.0.113.2/hello)" 'hello from box'
is 'it answers over IPv6' "$(http host 'http://[2001:db8:2::2]/hello')" 'hello from box'
is 'it tells the IPv4 address of its client' "$(http host http://203.0.113.2/cgi-bin/peer)" 203.0.113.1
is 'it tells the IPv6 address of its client' "$(http host 'http://[2001:db8:2::2]/cgi-bin/peer')" 2001:db8:2::1
for proto in tcp udp; do
	ok "a $proto server that names its clients" serve_peer box $proto 7000
	is "$proto over IPv4 shows the client" "$(ask host $proto 203.0.113.2 7000)" 203.0.113.1
	is "$proto over IPv6 shows the client" "$(ask host $proto 2001:db8:2::2 7000)" 2001:db8:2::1
	unserve "$SERVED"
done
is 'an ended server answers no more' "$(ask host tcp 203.0.113.2 7000)" ''
unserve "$web"
nok 'nothing listens after that' _ns_listens box t 80
on host ip link del cable
pid=$(ns_pid box)
ns_kill box
nok 'a killed container is gone' test -d "/proc/$pid/ns"

# Assertions can fail: each is run where its output is looked at.
wrong() { # DESCRIPTION CMD...: CMD must print "not ok"
	local what out
	what=$1
	shift
	out=$("$@")
	like "$what" "$out" '*not ok*'
}
wrong 'ok fails when its command fails' ok x false
wrong 'nok fails when its command succeeds' nok x true
wrong 'nok fails when its command is killed' nok x sh -c 'kill -KILL $$'
wrong 'is fails on a difference' is x a b
wrong 'isnt fails on equality' isnt x a a
wrong 'like fails when the pattern differs' like x abc 'a?'

# Each kind of residue is seen, and its removal too.
snapshot host >"$NS_TMP/before"
residue host "$NS_TMP/before" 'a host equals its own snapshot'
left() { # KIND MAKE UNDO
	on host sh -c "$2" || fail "$1 could not be made"
	_ns_residue_once host "$NS_TMP/before"
	is "left behind and seen: $1" $? 1
	on host sh -c "$3"
	residue host "$NS_TMP/before" "... and gone: $1"
}
left 'a link' 'ip link add d0 type bridge' 'ip link del d0'
left 'an address' 'ip addr add 203.0.113.9/32 dev lo' 'ip addr del 203.0.113.9/32 dev lo'
left 'a route' 'ip route add 203.0.113.0/24 via 198.51.100.2' 'ip route del 203.0.113.0/24'
left 'a route in another table' 'ip -6 route add 2001:db8:9::/64 via 2001:db8:1::2 table 77' \
	'ip -6 route flush table 77'
left 'a rule' 'ip rule add from 203.0.113.0/24 table 77' 'ip rule del from 203.0.113.0/24 table 77'
left 'a permanent neighbour' 'ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev eth0' \
	'ip neigh del 198.51.100.9 dev eth0'
left 'a forwarding entry' 'bridge fdb add 02:00:00:00:00:08 dev eth0' \
	'bridge fdb del 02:00:00:00:00:08 dev eth0'
left 'an nft element' 'nft "add table inet t; add set inet t s { type inet_service; elements = { 1 }; }"' \
	'nft delete table inet t'
left 'a sysctl' 'sysctl -qw net.ipv4.conf.eth0.forwarding=1' 'sysctl -qw net.ipv4.conf.eth0.forwarding=0'
left 'a file in /run' 'mkdir /run/x; echo 1 >/run/x/y' 'rm -r /run/x'
left 'a mount' 'mount -t tmpfs none /mnt' 'umount /mnt'
on host sh -c 'echo 1 >/run/x'
snapshot host >"$NS_TMP/changed"
on host sh -c 'echo 2 >/run/x'
_ns_residue_once host "$NS_TMP/changed"
is 'left behind and seen: a changed file' $? 1
on host rm /run/x
on host sh -c 'sleep 300 & ' >/dev/null
_ns_residue_once host "$NS_TMP/before"
is 'left behind and seen: a process' $? 1
is '... by its command line' "$(_ns_processes)" 'process: sleep 300 '
hidden=$(_ns_strays)
kill "$hidden"
residue host "$NS_TMP/before" '... and gone: a process'
on host unshare --net sleep 301 &
sleeps() { for p in $(_ns_strays); do [ "$(cat "/proc/$p/comm")" = sleep ] && return; done; }
ns_until 20 sleeps
for p in $(_ns_strays); do kill "$p"; done
wait $!
residue host "$NS_TMP/before" 'a process in a namespace of its own is found by its mark'
env -i unshare --net sleep 302 &
foreign=$!
ns_until 20 grep -qs sleep "/proc/$foreign/comm"
is "somebody else's process is left alone" "$(_ns_strays)" ''
kill $foreign
wait $foreign

# Cleanup: a test that ends too early says so and leaves nobody behind, nor does one that is stopped.
early=$NS_TMP/early.sh
cat >"$early" <<'END'
. "$1"
host_new host
serve host sleep 299
on host sh -c 'env -i setsid sleep 298 &' >/dev/null
ns_until 20 grep -q 'sleep' "/proc/$SERVED/comm"
has_strays() { [ -n "$(_ns_strays)" ]; }
ns_until 20 has_strays
echo "$$ $(ns_pid host) $SERVED $(_ns_strays | tr '\n' ' ')" >"$2"
[ "$3" = end ] || sleep 297
END
# early_left: processes of such a test, and its directory.
early_left() {
	stat -Lc '%i %n' /proc/[0-9]*/ns/pid 2>/dev/null | awk -v ns="$early_ns" '$1 == ns'
	ls -d "$NS_TMP"/nstest.* 2>/dev/null
}
early_is_gone() { [ -z "$(early_left)" ]; }
early_start() { # HOW
	rm -f "$NS_TMP/pids"
	# A shell has its background ignore INT, nohup all HUP, and what is ignored at its start a shell cannot trap.
	TMPDIR=$NS_TMP env --default-signal=INT,HUP setsid sh "$early" "$(dirname "$0")/lib.sh" "$NS_TMP/pids" "$1" \
		>"$NS_TMP/early.out" 2>&1 &
	early_pid=$!
	ns_until 20 test -s "$NS_TMP/pids"
	read -r early_pids <"$NS_TMP/pids"
	is "$1: the test is process 1, and has a holder, a server and a stray" \
		"$(echo "$early_pids" | wc -w) ${early_pids%% *}" '4 1'
}
early_ns=none
early_start end
wait $early_pid
is 'end: a test without its last line is a failure' "$? $(grep -c 'Bail out!' "$NS_TMP/early.out")" '99 1'
ok 'end: nothing of it is left' ns_until 30 early_is_gone
for how in KILL TERM INT HUP; do
	early_start "$how"
	early_ns=$(pgrep -P "$(pgrep -P $early_pid unshare)" | while read -r p; do stat -Lc %i "/proc/$p/ns/pid"; done)
	ok "$how: there is something to be left" test "$(early_left | grep -c /proc/)" -ge 4
	kill -s "$how" $early_pid
	wait $early_pid
	ok "$how: nothing of it is left" ns_until 30 early_is_gone
done

ns_done

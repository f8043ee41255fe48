#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong input: the exit code tells the kind, the text names what is wrong, and nothing changes.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }
wrong() { # EXIT-CODE PATTERN ARGUMENT...
	local code pattern out rc
	code=$1 pattern=$2
	shift 2
	out=$(nu "$@" 2>&1)
	rc=$?
	is "$*: exit code" "$rc" "$code"
	like "$*: says why" "$out" "$pattern"
	_ns_residue_once host "$NS_TMP/before" || residue host "$NS_TMP/before" "$*: nothing changed"
}

ns_world
container_new c1 host
pid=$(ns_pid c1)
sh -c 'exit 0' &
dead=$!
wait $dead
mkfifo "$NS_TMP/fifo"
: >"$NS_TMP/file"
# The directory of /run/netns is made shared by the first `create`; make it part of the picture.
nu create there
snapshot host >"$NS_TMP/before"

wrong 2 '*verb*'
wrong 2 '*frobnicate*' frobnicate
wrong 2 '*TARGET*' up
wrong 2 '*--bogus*' up "$pid" --bogus
wrong 3 "*$dead*" up $dead
wrong 3 '*nosuch*/run/netns*pid*' up nosuch
wrong 3 '*/nosuch*' up /run/netns/nosuch
wrong 2 '*99999999999*' up 99999999999
wrong 2 '*host*' up "$(ns_pid host)"
wrong 2 '*namespace*' up "$NS_TMP/file"
wrong 2 '*namespace*' up "$NS_TMP/fifo"
wrong 2 '*namespace*' up /dev/null
wrong 2 '*namespace*' up /run
wrong 2 '*namespace*' up /proc/self/ns/mnt
wrong 2 '*65536*' up "$pid" -p 65536
wrong 2 '*0*' up "$pid" -p 80:0
wrong 2 '*0*' up "$pid" -p 0
wrong 2 '*9000-8000*' up "$pid" -p 9000-8000
wrong 2 '*80-81*' up "$pid" -p 80-81:80-85
wrong 2 '*8080*' up "$pid" -p 8000-8100 -p 8080:80
wrong 2 '*icmp*' up "$pid" -p 80/icmp
wrong 8 '*127.0.0.1*' up "$pid" -p 127.0.0.1:80:80/sctp
wrong 2 '*127.0.0.0*' up "$pid" -p 127.0.0.0/8:80
wrong 2 '*--ip*' up "$pid" --ip 10.0.0.256
wrong 2 '*IPv4*' up "$pid" --ip fd00::1
wrong 2 '*outside*' up "$pid" --ip 203.0.113.77
wrong 2 '*--mac*' up "$pid" --mac 01:00:00:00:00:01
wrong 2 '*--mtu*' up "$pid" --mtu 67
wrong 2 '*--mtu*' up "$pid" --mtu 65536
wrong 2 '*--ifname*' up "$pid" --ifname 'a/b'
wrong 2 '*--ifname*' up "$pid" --ifname 1234567890123456
wrong 2 '*--ifname*' up "$pid" --ifname lo
wrong 8 '*--host-loopback*without root*on no network*' up "$pid" --host-loopback tcp:5432
wrong 2 '*--name*' up "$pid" --name 'a;b'
wrong 2 '*--name*' up "$pid" --name '../x'
wrong 2 '*--name*pid*123*' up "$pid" --name 123
wrong 3 '*nosuch*' up "$pid" --network nosuch
wrong 2 '*--network*' up "$pid" --network 'x"y'
wrong 2 '*--state-dir*' ls --state-dir relative
wrong 3 '*nothing*' publish nothing 80
wrong 3 '*nothing*' unpublish nothing 80
wrong 3 '*nothing*' check nothing
wrong 3 '*nothing*' status nothing
wrong 2 '*SPEC*' publish "$pid"
wrong 2 '*network*' network
wrong 2 '*bogus*' network bogus
wrong 2 '*--mode*' network create n --mode flat
wrong 2 '*--subnet*' network create n --subnet 10.0.0.0/33
wrong 2 '*10.0.0.0/31*' network create n --subnet 10.0.0.0/31
wrong 2 '*127.0.0.0*' network create n --subnet 127.0.0.0/8
wrong 4 '*there*' create there
wrong 2 '*a b*' create 'a b'
wrong 2 '*pid*123*' create 123
wrong 125 '*--bogus*' run --bogus -- true
wrong 125 '*CMD*' run
wrong 125 '*--name*' run --name 123 -- true
wrong 127 '*nosuchcommand*' run -- nosuchcommand
wrong 126 '*' run -- /etc/passwd

# The interface is there already.
on c1 ip link add eth0 type veth peer name x
wrong 4 '*eth0*' up "$pid"
on c1 ip link del eth0

# What others have, each named: a port, an address, the last address, a link of the bridge's name.
container_new c2 host
nu network create tiny --subnet 10.77.0.0/30 -q
nu network create odd --subnet 10.78.0.0/24 -q
nu up "$(ns_pid c2)" --name first --network tiny -p 8080:80 -q
on host ip link add nb-odd type bridge
snapshot host >"$NS_TMP/before"
wrong 4 '*8080*first*' up "$pid" -p 8080:80
wrong 4 '*8080*first*' up "$pid" -p 9000:90 -p 198.51.100.1:8000-8100:80-180
wrong 4 '*10.77.0.2*first*' up "$pid" --network tiny --ip 10.77.0.2
wrong 7 '*tiny*10.77.0.0/30*' up "$pid" --network tiny
wrong 4 '*nb-odd*' up "$pid" --network odd
on host ip link del nb-odd
nu down first -q
nu network rm tiny
nu network rm odd

# State directory: read-only, full, not a directory, inside something that is none.
on host sh -c 'mkdir /run/ro /run/full && mount -t tmpfs -o ro tmpfs /run/ro &&
	mount -t tmpfs -o nr_inodes=2 tmpfs /run/full && : >/run/plain'
snapshot host >"$NS_TMP/before"
wrong 1 '*/run/ro*' up "$pid" --state-dir /run/ro/state
wrong 1 '*/run/full*' up "$pid" --state-dir /run/full/state
wrong 1 '*/run/plain*' up "$pid" --state-dir /run/plain
wrong 3 '*/run/no/such*' up "$pid" --state-dir /run/no/such/dir
on host sh -c 'umount /run/ro /run/full && mount -t tmpfs -o size=4k tmpfs /run/full'
snapshot host >"$NS_TMP/before"
wrong 1 '*/run/full*' up "$pid" --state-dir /run/full/state -p 8080:80
ns_done

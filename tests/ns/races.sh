#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What one call must not do to another: claims that collide, calls that were killed half-way, and calls
# on the same attachment at the same time.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

ns_world
snapshot host >"$NS_TMP/before"
container_new c1 host
container_new c2 host
p1=$(ns_pid c1)
p2=$(ns_pid c2)

# A MAC is one container's.
ok 'one' nu up "$p1" --name one --mac 02:00:00:00:00:07 -q
out=$(nu up "$p2" --name two --mac 02:00:00:00:00:07 2>&1)
is 'the MAC of another: exit code' "$?" 4
like 'its owner is named' "$out" '*one@eth0*'
bridge=$(on host ip -o link show type bridge | sed -E 's/^[0-9]+: ([^:]+):.*/\1/')
mac=$(on host cat "/sys/class/net/$bridge/address")
out=$(nu up "$p2" --name two --mac "$mac" 2>&1)
is 'the MAC of the bridge: exit code' "$?" 2
like 'it is named' "$out" "*$mac*"
# The MAC that follows from an address is kept for the container that will have it.
# shellcheck disable=SC2046 # three numbers
set -- $(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9]+)\.([0-9]+)\.([0-9]+)\..*/\1 \2 \3/')
out=$(nu up "$p2" --name two --mac "$(printf '72:6e:%02x:%02x:%02x:63' "$@")" 2>&1)
is 'the MAC of an address: exit code' "$?" 2
like 'the address is named' "$out" '*.99 *'
ok 'the first still has a network' on c1 ping -q -c1 -W10 $OUT4
ok 'down' nu down one -q

# IPv6 has a least MTU.
out=$(nu up "$p1" --name one --mtu 1000 2>&1)
is 'an MTU too small for IPv6: exit code' "$?" 2
like 'the least one is named' "$out" '*1280*'
residue host "$NS_TMP/before" 'nothing is left'

# A record that cannot be read does not keep `down` from its work.
ok 'up' nu up "$p1" --name one -p 8080:80 -q
on host sh -c 'f=/run/netd/attachments/one@eth0; head -c 100 $f >$f.x; mv $f.x $f'
ok 'down with a broken record' nu down one
residue host "$NS_TMP/before" 'nothing is left of it'

# A plan changes nothing: neither the next address, nor what another call of that name is making.
ok 'a container keeps the network' nu up "$p2" --name two -q
snapshot host >"$NS_TMP/plan.before"
nu up "$p1" --name one -p 8080:80 --dry-run >"$NS_TMP/plan1"
NS_IGNORE='^file: d .*/run/netd/ports ' # empty
residue host "$NS_TMP/plan.before" 'a plan leaves nothing'
NS_IGNORE=''
nu up "$p1" --name one -p 8080:80 --dry-run >"$NS_TMP/plan2"
is 'two plans are one' "$(cat "$NS_TMP/plan2")" "$(cat "$NS_TMP/plan1")"
ok 'up' nu up "$p1" --name one -p 8080:80 -q
planned=$(sed -nE 's|^container: eth0 up with ([0-9./]+) .*|\1|p' "$NS_TMP/plan1")
is 'it has the planned address' "$(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9./]+) .*/\1/')" "$planned"
nu down one -q
ok 'plans and calls of one name at once' on host sh -c '
	for i in 1 2 3 4 5 6 7 8; do
		"$1" up "$2" --name one -p 8080:80 --dry-run >/dev/null 2>&1 &
		"$1" up "$2" --name one -p 8080:80 -q || exit 1
		"$1" up "$2" --name one -p 8080:80 --dry-run >/dev/null 2>&1
		wait
		"$1" check one || exit 1
		"$1" down one -q || exit 1
	done' sh "$NETNS_UP" "$p1"
nu down two -q
residue host "$NS_TMP/before" 'nothing is left of the plans'

# Killed after the record was written, before the ports were there: the state directory of then.
ok 'up' nu up "$p1" --name one -p 8080:80 -q
serve_http c1 80
ok 'publish' nu publish one 8081:80
on host cp -a /run/netd /run/saved
ok 'unpublish' nu unpublish one 8081
on host sh -c 'rm -r /run/netd && mv /run/saved /run/netd'
is 'on record only' "$(http host http://127.0.0.1:8081/hello)" ''
ok 'the same publish again' nu publish one 8081:80
is 'it is reached' "$(http out http://$HOST4:8081/hello)" 'hello from c1'
is 'on loopback too' "$(http host http://127.0.0.1:8081/hello)" 'hello from c1'

# The tables are loaded anew between the removal of a port's elements and that of its record: the
# lock that the latter takes is held as long as the former takes.
cat >"$NS_TMP/reload.py" <<'P'
import fcntl, os, struct, subprocess, sys, time
lock = os.open('/run/netd/lock', os.O_RDWR)
F_OFD_SETLK = 37
fcntl.fcntl(lock, F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))
call = subprocess.Popen([sys.argv[1], 'unpublish', 'one', '8081', '-q'])
def ports():
    return subprocess.check_output(['nft', 'list', 'map', 'inet', 'netd', 'fwd4_any']).decode()
end = time.monotonic() + 60
while 'tcp . 8081 ' in ports():
    if time.monotonic() > end:
        sys.exit('the port stays')
    time.sleep(0.01)
subprocess.check_call(['nft', 'add element inet netd fwd4_any { %s }' % sys.argv[2]])
try:
    now = int(os.readlink('/run/netd/generation'))
    os.unlink('/run/netd/generation')
except FileNotFoundError:
    now = 0
os.symlink(str(now + 1), '/run/netd/generation')
os.close(lock)
sys.exit(call.wait())
P
entry=$(on host nft list map inet netd fwd4_any | grep -oE 'tcp \. 8081 [^,}]*')
ok 'unpublish while the tables are loaded anew' on host python3 "$NS_TMP/reload.py" "$NETNS_UP" "$entry"
is 'the port is off' "$(on host nft list map inet netd fwd4_any | grep -c 'tcp \. 8081 ')" 0
is 'and closed' "$(http out http://$HOST4:8081/hello)" ''

# A reservation that cannot be had keeps nothing else from being mended.
unheld() { [ -z "$(on host ss -Hlnt "sport = :$1")" ]; }
kill_forwarder() { # PORT: of its sockets
	local p
	p=$(on host ss -Hlntp "sport = :$1" | sed -nE 's/.*"netns-up-forw[^,]*,pid=([0-9]+),.*/\1/p')
	[ -n "$p" ] && ns_end "$p" && ns_until 20 unheld "$1"
}
serve_http c2 80
ok 'a second one' nu up "$p2" --name two -p 8090:80 -p 8091:80 -q
ok 'the forwarder dies' kill_forwarder 8090
serve host socat TCP-LISTEN:8090,fork PIPE
wait_port host tcp 8090
on host nft delete element inet netd fwd4_any '{ tcp . 8091 }'
out=$(nu gc 2>&1)
isnt 'gc says that not all was done' "$?" 0
like 'who has the port is named' "$out" '*8090*socat*'
is 'the elements are back' "$(http out http://$HOST4:8091/hello)" 'hello from c2'
is 'so are the other reservations' "$(http host http://127.0.0.1:8091/hello)" 'hello from c2'
unserve "$SERVED"
ok 'gc is content when the port is free' nu gc -q

# The next call starts the forwarder anew and gives it the ports of all.
ok 'it dies again' kill_forwarder 8090
container_new c3 host
ok 'up' nu up "$(ns_pid c3)" --name three -p 8100:80 -q
is "the first one's loopback works" "$(http host http://127.0.0.1:8080/hello)" 'hello from c1'
is "the second one's too" "$(http host http://127.0.0.1:8090/hello)" 'hello from c2'
ok 'it dies once more' kill_forwarder 8090
ok 'publish' nu publish three 8101:80
is "the first one's loopback works again" "$(http host http://127.0.0.1:8080/hello)" 'hello from c1'
for n in one two three; do
	ok "check $n" nu check "$n"
	nu down "$n" -q
done
residue host "$NS_TMP/before" 'nothing is left at the end'
ns_done

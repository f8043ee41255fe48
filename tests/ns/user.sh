#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Without any privilege: `run` and `up PID` of an ordinary user, with subordinate ids and without; what
# the owner split denies and allows; ls, status, check, down; errors; nothing left whoever is killed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_lib.sh"

ns_world
# Below his own: a group range from the one to the other would be empty. The second one has nothing.
users nua nub 600000 "$UID_A"
cat >"$NS_TMP/ask.py" <<'P'
import ipaddress, socket, sys
proto, host, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in host else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM) as s:
    s.settimeout(60)
    try:
        s.connect((host, int(port)))
        s.send(b'who am I\n')
        seen = ipaddress.ip_address(s.recv(256).split()[0].decode().strip('[]'))
        print(getattr(seen, 'ipv4_mapped', None) or seen)
    except OSError as e:
        print(e.strerror or e)
P
ask_py=$(cat "$NS_TMP/ask.py")

nua() { as $UID_A "$NETNS_UP" "$@"; }
nub() { as $UID_B "$NETNS_UP" "$@"; }
no_slirp() { [ -z "$(ns_ours | grep ' slirp-')" ]; } # the last to end may be one that has the tap open

serve_peer out tcp 7000
serve_peer out udp 7001
serve_http out 80

for u in nua nub; do
	is "$u run: root inside" "$($u run -- id -u)" 0
	$u run -- sh -c 'exit 7'
	is "$u run: the exit status is the command's" $? 7
	$u run -- /nonexistent 2>/dev/null
	is "$u run: a command that is not there" $? 127
	is "$u run: TCP over IPv4" "$($u run -- python3 -c "$ask_py" tcp $OUT4 7000)" "$HOST4"
	is "$u run: TCP over IPv6" "$($u run -- python3 -c "$ask_py" tcp $OUT6 7000)" "$HOST6"
	is "$u run: UDP over IPv4" "$($u run -- python3 -c "$ask_py" udp $OUT4 7001)" "$HOST4"
	is "$u run: UDP over IPv6" "$($u run -- python3 -c "$ask_py" udp $OUT6 7001)" "$HOST6"
	like "$u run: HTTP" "$($u run -- curl -sS -m 60 http://$OUT4/hello)" 'hello from out'
	ok "$u run: ping" $u run -- ping -c 1 -W 30 $OUT4
	ok "$u run: ping over IPv6" $u run -- ping -6 -c 1 -W 30 $OUT6
	is "$u run: a closed port says so" "$($u run -- python3 -c "$ask_py" tcp $OUT4 9)" 'Connection refused'
	is "$u run: the host's loopback is closed" "$($u run -- python3 -c "$ask_py" tcp 10.0.2.2 7000)" \
		'Connection refused'
	nok "$u run: the network cannot be changed" $u run -- ip link set eth0 down
	ok "$u run: low ports can be bound" $u run -- python3 -c \
		'import socket; socket.socket().bind(("0.0.0.0", 80)); socket.socket(socket.AF_INET6).bind(("::", 81))'
	ok "$u run --own-net: it can" $u run --own-net -- ip link set eth0 down
	ok "$u run --pid --ipc --uts: all at once" $u run --pid --ipc --uts --hostname box -- sh -c \
		'[ $$ -lt 5 ] && [ "$(hostname)" = box ]'
	like "$u run: resolvers" "$($u run -- cat /etc/resolv.conf)" '*10.0.2.3*'
	ok "$u: no slirp-lite stays" ns_until 50 no_slirp
done
is 'nua run: subordinate ids are there' "$(nua run -- sh -c 'setpriv --reuid 1000 --clear-groups id -u')" 1000
is 'nub run: without them there is one id' "$(nub run -- sh -c 'tr -s " " </proc/self/uid_map')" ' 0 0 1'

serve host socat TCP-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:read question; echo $SOCAT_PEERADDR'
wait_port host tcp 5432
is "--host-loopback opens one port of the host's 127.0.0.1" \
	"$(nua run --host-loopback tcp:5432 -- python3 -c "$ask_py" tcp 10.0.2.2 5432)" 127.0.0.1
is 'and no other' "$(nua run --host-loopback tcp:5432 -- python3 -c "$ask_py" tcp 10.0.2.2 5433)" \
	'Connection refused'
is 'which no container reaches at 127.0.0.1' \
	"$(nua run --host-loopback tcp:5432 -- python3 -c "$ask_py" tcp 127.0.0.1 5432)" 'Connection refused'

# A container that somebody else made: its pid is all there is.
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups --pdeathsig KILL \
	env -i PATH="$PATH" "$NS_MARK" unshare -Urn sleep 7200) &
NS_SERVERS="$NS_SERVERS $!"
pid=$!
is_ready() { [ "$(cat "/proc/$pid/comm")" = sleep ]; } # its ids are mapped by then
ns_until 100 is_ready
inside() { nsenter -t "$pid" -U -n --preserve-credentials -- "$@"; }
like 'up PID' "$(nua "$pid")" "pid-$pid eth0 10.0.2.100/24 fd00::*/64"
is 'its TCP over IPv4' "$(inside python3 -c "$ask_py" tcp $OUT4 7000)" "$HOST4"
is 'its TCP over IPv6' "$(inside python3 -c "$ask_py" tcp $OUT6 7000)" "$HOST6"
like 'up once more changes nothing' "$(nua up "$pid")" "pid-$pid eth0 10.0.2.100/24*"
is 'one process carries it' "$(nua ls --json | grep -c '"pid"')" 1
like 'ls' "$(nua ls)" "*pid-$pid*eth0*user*10.0.2.100*"
like 'status' "$(nua status "$pid")" "*state*up*user (slirp-lite*10.0.2.100/24 gateway 10.0.2.2*engine     tap: the default*mtu*1500*"
like 'status --json' "$(nua status "$pid" --json)" '*"interface": "eth0"*'
ok 'check' nua check "$pid"
is 'another user does not see it' "$(nub ls | wc -l)" 1
nub up "$pid" 2>"$NS_TMP/err"
is 'another user is refused' $? 5
like 'down' "$(nua down "$pid")" "pid-$pid eth0 down"
is 'down again is nothing' "$(nua down "$pid")" ''
ok 'the interface is gone' sh -c "! nsenter -t $pid -U -n --preserve-credentials -- ip link show eth0 2>/dev/null"
ok 'and slirp-lite' ns_until 50 no_slirp
ok 'with a name, an MTU, a MAC address' nua up "$pid" --name web --mtu 9000 --mac 02:11:22:33:44:55 --ifname net0 -q
like 'as asked for' "$(inside ip link show net0)" '*mtu 9000*02:11:22:33:44:55*'
ok 'down of it' nua down web --ifname net0 -q
# One that can be neither named nor asked.
mkdir "$NS_TMP/odd" && cp "$NETNS_UP" "$NS_TMP/odd/netns-up" && cp "$(dirname "$NETNS_UP")/slirp-lite" "$NS_TMP/odd/slirp-lite.real"
cat >"$NS_TMP/odd/slirp-lite" <<'P'
#!/bin/sh
for word; do
	shift
	[ -z "${skip:-}" ] || { skip= && continue; }
	[ "$word" = --name ] && skip=1 || set -- "$@" "$word"
done
exec "$0.real" "$@"
P
chmod 755 "$NS_TMP/odd" "$NS_TMP/odd/slirp-lite"
like 'one that does not say its name is no success' "$(as $UID_A "$NS_TMP/odd/netns-up" up "$pid" 2>&1)" '*answer of slirp-lite: name*'
ok 'and does not stay' ns_until 50 no_slirp
ok 'up again' nua up "$pid" -q
kill -STOP "$(nua status "$pid" --json | jq '.[0].pid')"
like 'status of one that does not answer' "$(nua status "$pid" 2>&1)" '*slirp-lite does not answer*'
like 'down of one that does not answer' "$(nua down "$pid")" "pid-$pid eth0 down"
ok 'ends it' ns_until 50 no_slirp

# --- published ports ---
serve_inside() { # the client's address, on a port of the container
	(exec nsenter -t "$pid" -U -n -- setpriv --pdeathsig KILL env "$NS_MARK" \
		socat "TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr" 'SYSTEM:read x; echo $SOCAT_PEERADDR') 2>/dev/null &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 sh -c "nsenter -t $pid -U -n -- ss -Hltn 'sport = 80' | grep -q ." || bail 'no server inside'
}
from_out() { # HOST PORT: what a client on `out` is told of its address
	on out "$PYTHON3" -c "$ask_py" tcp "$1" "$2"
}
PYTHON3=/usr/bin/python3
out=$(nua up "$pid" -p 8080:80 -p 8081-8090:80-89 -p 8095:95/udp)
like 'up with ports' "$out" "*published 8080:80/tcp*published 8081-8090:80-89/tcp*published 8095:95/udp"
serve_inside
is 'a client from outside, with its own address' "$(from_out $HOST4 8080)" $OUT4
is 'and over IPv6' "$(from_out $HOST6 8080)" $OUT6
is 'a client on the host' "$(as $UID_A "$PYTHON3" -c "$ask_py" tcp 127.0.0.1 8080 | grep -c '^[0-9.]*$')" 1
like 'status lists them' "$(nua status "$pid")" '*published  8080:80/tcp*'
is 'and as JSON' "$(nua status "$pid" --json | jq -r '[.[0].ports[].spec] | join(" ")')" \
	'8080:80/tcp 8081-8090:80-89/tcp 8095:95/udp'
on out "$PYTHON3" -c 'import socket, sys, time; s = socket.create_connection((sys.argv[1], 8080)); time.sleep(200)' $HOST4 &
held=$!
ns_until 20 sh -c 'sleep 0.1; "$@" | grep -q ESTABLISHED' sh nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups \
	env -i PATH="$PATH" "$NETNS_UP" top "$pid"
like 'top shows ports and flows' "$(nua top "$pid")" "pid-$pid eth0: *published 8080:80/tcp *flows *bytes in *container*peer*tcp  in  10.0.2.100:80*ESTABLISHED*"
like 'top as JSON' "$(nua top --json | jq -r '.[0].flows[0] | .proto + " " + .state')" 'tcp *'
kill $held
refused 3 '*no network from us*' top nothing
like 'publish at run time' "$(nua publish "$pid" 8100:80 0:80)" '*published 8100:80/tcp*published *:80/tcp'
is 'works' "$(from_out $HOST4 8100)" $OUT4
picked=$(nua status "$pid" --json | jq -r '.[0].ports[-1].host_port')
is 'also on the port that was picked' "$(from_out $HOST4 "$picked")" $OUT4
refused 4 '*8081-8090*published*' publish "$pid" 8200:80 8085:80
is 'nothing is half published' "$(from_out $HOST4 8200)" 'Connection refused'
serve host setpriv --reuid $UID_A --regid $UID_A --clear-groups socat TCP-LISTEN:8300,fork,reuseaddr /dev/null
wait_port host tcp 8300
refused 4 '*8300/tcp is taken by socat (pid *)*' publish "$pid" 8300
refused 5 '*ip_unprivileged_port_start*' publish "$pid" 80
refused 2 '*192.0.2.99*no address of this host*' publish "$pid" 192.0.2.99:8400:80
refused 3 '*8400*not published*' unpublish "$pid" 8100 8400
is 'nothing is half taken back' "$(from_out $HOST4 8100)" $OUT4
ok 'unpublish' nua unpublish "$pid" 8100 -q
is 'is served no longer' "$(from_out $HOST4 8100)" 'Connection refused'
ok 'and can be published again at once' nua publish "$pid" 8100:80 -q
(exec setpriv --pdeathsig KILL nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups \
	env -i PATH="$PATH" "$NS_MARK" unshare -Urn sleep 7200) &
other=$!
NS_SERVERS="$NS_SERVERS $other"
ns_until 20 sh -c '[ "$(readlink /proc/$1/ns/net)" != "$(readlink /proc/$2/ns/net)" ] && grep -q "^sleep$" /proc/$1/comm' sh "$other" "$(ns_pid host)"
refused 4 "*8080:80/tcp is published by pid-$pid eth0 already*" up "$other" -p 8080:80
is 'a failed up leaves nothing' "$(nua ls | wc -l)" 2
is 'run with a port' "$(nua run -p 8500:90 -- sh -c 'ip -br addr show eth0 >/dev/null && echo ran')" ran
kill -KILL "$pid"
ok 'slirp-lite ends with the container' ns_until 50 no_slirp
is 'which is not listed any more' "$(nua ls | wc -l)" 1

refused 5 '*may not be opened*' up "$(ns_pid host)" # root's
refused 3 '*process*' up "$pid"
refused 5 '*box: named namespaces are made as root*' create box
refused 125 '*SCTP*' run -p 8080:80/sctp -- true
refused 125 '*network web does not exist*' run --network web -- true
refused 125 '*--host-loopback*tcp:PORT*' run --host-loopback 5432 -- true
refused 3 '*no network from us*' status nothing

# Killed in the middle: the command, and everything with it, ends.
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_B --regid $UID_B --clear-groups --pdeathsig KILL \
	env -i PATH="$PATH" "$NS_MARK" "$NETNS_UP" run -q -- sleep 7200) 2>/dev/null &
killed=$!
NS_SERVERS="$NS_SERVERS $killed"
has_slirp() { ! no_slirp; }
ns_until 100 has_slirp
kill -KILL $killed
ok 'run was killed: slirp-lite ends' ns_until 50 no_slirp
is 'nothing is listed' "$(nub ls | wc -l)" 1
ok 'gc' nub gc -q
is 'no socket stays' "$(on host find "/tmp/netns-up-$UID_B" "/run/user/$UID_A" -type s | wc -l)" 0
rm -f "/tmp/netns-up-$UID_B/lock" && rmdir "/tmp/netns-up-$UID_B"
ns_done

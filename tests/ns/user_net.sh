#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks of several containers without any privilege: within a network and not across, the way out, published
# ports with the client's real address, containers of the user's in other user namespaces, and what becomes of it all
# when one of its processes is killed, when all are, and when the last network goes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
# Argument relay: by the relay engine.
ENGINE=${1:-tap} WHY='the default'
asks=''
[ "$ENGINE" = tap ] || WHY='asked for' asks="--engine $ENGINE"

serve_http out 80
serve_peer out udp 7001
www a b c
snapshot host >"$NS_TMP/before"

# --- networks ---
refused 125 '*network web does not exist: *network create web*' run --network web -- true
# shellcheck disable=SC2086 # none, or two words
is 'create' "$(nna network create web $asks | sed -E 's,[0-9a-f.:]+/,N/,g')" 'web bridge N/22 N/64'
# While its link-local address is looked at for duplicates the host asks nobody for the way out: what comes first waits.
is 'the way out is there at once, over IPv6 too' \
	"$(nsenter -t "$(named slirp-nsd | head -n 1)" -U -n sh -c 'ip -6 -o addr show dev uplink0 scope link | wc -l; ip -6 -o addr show dev uplink0 tentative')" 1
ok 'a second one' nna network create db -q
is 'the same once more is nothing' "$(nna network create web -q; echo $?)" 0
like 'ls' "$(nna network ls)" "db bridge *
web bridge *"
like 'inspect' "$(nna network inspect web)" '*"name": "web"*'
is 'two processes keep them' "$(n_named netns-up-host)" 2
is 'another user sees none' "$(nnb network ls)" ''
is 'one without a network has no process' "$(nnb ls | wc -l)" 1

# --- containers ---
foreign a $UID_A
a=$box_a
foreign c $UID_A
c=$box_c
like 'up of a container in a user namespace of its own' "$(nna up "$a" --network web)" "pid-$a eth0 10.*/22 fd*/64
resolver 10.*.1 fd*::1"
ok 'one on the other network' nna up "$c" --network db -q
ok 'up once more changes nothing' nna up "$a" --network web -q
box b $UID_A "$NETNS_UP" run --network web --name b -p 8080:80 -p 9000:90/udp -- busybox httpd -f -p 80 -h "$NS_TMP/www.b"
pid_of_b() { b=$(pgrep -P "$box_b" busybox); }
ns_until 20 pid_of_b || bail "run does not start: $(cat "$NS_TMP/b.out")"
ns_until 20 sh -c 'nsenter -t "$1" -n ss -Hltn "sport = 80" | grep -q .' sh "$b" || bail 'no server in b'
serve_in "$a" a
serve_in "$c" c
server_c=${NS_SERVERS##* }
a4=$(addr_of "$a" 4) a6=$(addr_of "$a" 6) b4=$(addr_of "$b" 4) b6=$(addr_of "$b" 6) c4=$(addr_of "$c" 4) c6=$(addr_of "$c" 6)
like 'ls' "$(nna ls)" "*b *eth0 *web *$b4 $b6 *8080:80/tcp 9000:90/udp*pid-$a *eth0 *web *$a4 $a6*"
like 'ls of the other network' "$(nna ls)" "*pid-$c *eth0 *db *$c4 $c6*"
like 'ls as JSON' "$(nna ls --json | jq -r '[.[].network] | sort | join(" ")')" 'db web web'
like 'status' "$(nna status b)" "b eth0*network    web*address    $b4/22*published  8080:80/tcp*uplink     slirp-lite, process*
  engine     $ENGINE: $WHY"
like 'status by pid, as JSON' "$(nna status "$a" --json | jq -r '.[0].network')" web
is 'and how it goes out' "$(nna status "$a" --json | jq -r '.[0] | .uplink_engine + ": " + .uplink_engine_why')" \
	"$ENGINE: $WHY"
like 'check' "$(nna check b)" 'b eth0: healthy'
like 'check of the one elsewhere' "$(nna check "$a" 2>&1)" "pid-$a eth0: healthy"

# --- within a network, across networks ---
is 'within a network, IPv4' "$(get "$a" "http://$b4/hello")" 'hello from b'
is 'within a network, IPv6' "$(get "$b" "http://[$a6]/hello")" 'hello from a'
is 'the neighbour is seen' "$(get "$a" "http://$b4/cgi-bin/peer")" "$a4"
# Whether br_netfilter is loaded or not: their connections are the bridge's alone.
is 'nothing of it is tracked' "$(nsenter -t "$(named slirp-nsd | head -n 1)" -U -n sh -c 'cat /proc/net/nf_conntrack 2>/dev/null
	cat /proc/sys/net/bridge/bridge-nf-call-*tables 2>/dev/null | grep -v 0' | grep -c "src=$a4 dst=$b4\|^1")" 0
ok 'not across, IPv4' closed_to "$c" "$b4"
ok 'not across, IPv6' closed_to "$c" "[$a6]"
ok 'nor back' closed_to "$a" "$c4"

# --- the way out ---
for p in "$a" "$b" "$c"; do
	is 'out, IPv4' "$(get "$p" "http://$OUT4/cgi-bin/peer")" "$HOST4"
	is 'out, IPv6' "$(get "$p" "http://[$OUT6]/cgi-bin/peer")" "$HOST6"
done
is 'the way out' "$(uplink engine): $(uplink engine_why)" "$ENGINE: $WHY"
# The kernel's own TCP, or ours.
[ "$ENGINE" = relay ] && least=6 || least=0
ok 'all went that way' [ "$(uplink through_opened)" -ge $least ]
is 'out, UDP' "$(inside "$a" python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(60)
    s.connect((sys.argv[1], 7001))
    s.send(b"who am I\n")
    print(s.recv(256).split()[0].decode())' $OUT4)" '[0000:0000:0000:0000:0000:ffff:c633:6401]' # 198.51.100.1
ok 'out, ping' inside "$a" ping -c 1 -W 30 $OUT4
ok 'out, ping over IPv6' inside "$a" ping -6 -c 1 -W 30 $OUT6
like 'resolvers of run' "$(nna run --network web -- cat /etc/resolv.conf)" 'nameserver 10.*.1
nameserver fd*::1*'
is 'run passes on the exit status' "$(nna run --network web -- sh -c 'exit 7'; echo $?)" 7
# Names, by the responder, the uplink's proxy and the host's resolver.
on out ip addr add 198.51.100.53/24 dev eth0
serve out python3 "$(dirname "$0")/slirp_probe.py" serve_dns 198.51.100.53 53
wait_port out udp 53
is 'run resolves names' "$(nna run --network web -- dig +short +time=20 four.test A)" 192.0.2.4
nok "run: its network cannot be changed" nna run --network web -- ip link set eth0 down
ok 'run --own-net: it can' nna run --network web --own-net -- ip link set eth0 down

# --- published ports ---
is "from outside, the client's own address" "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
is 'over IPv6' "$(http out "http://[$HOST6]:8080/cgi-bin/peer")" "$OUT6"
is 'from 127.0.0.1' "$(http host http://127.0.0.1:8080/hello)" 'hello from b'
like 'as the gateway' "$(http host http://127.0.0.1:8080/cgi-bin/peer)" "${b4%.*}.1"
is 'from a container of the other network, by the address of the host' "$(get "$c" "http://$HOST4:8080/hello")" 'hello from b'
is 'from ::1' "$(http host 'http://[::1]:8080/hello')" 'hello from b'
(inside "$b" setpriv --pdeathsig KILL socat UDP6-RECVFROM:90,ipv6only=0,fork 'SYSTEM:read q; echo $SOCAT_PEERADDR') &
NS_SERVERS="$NS_SERVERS $!"
ns_until 20 sh -c 'nsenter -t "$1" -n ss -Hlun "sport = 90" | grep -q .' sh "$b"
is 'UDP, the same' "$(ask out udp $HOST4 9000)" "$OUT4"
is 'UDP over IPv6' "$(ask out udp $HOST6 9000)" "$OUT6"
# Clients with addresses that the uplink's namespace looks for on the uplink, or does not forward.
on host ip -4 addr add 10.0.2.200/24 dev eth0
on out ip -4 addr add 10.0.2.7/24 dev eth0
on out ip -6 addr add fd00::7/64 dev eth0 nodad
for i in fd00::200 fe80::200; do on host ip -6 addr add $i/64 dev eth0 nodad; done
is "a client in the uplink's network" "$(http out "http://10.0.2.200:8080/cgi-bin/peer")" 10.0.2.7
is 'over IPv6' "$(http out "http://[fd00::200]:8080/cgi-bin/peer")" fd00::7
is 'UDP' "$(ask out udp 10.0.2.200 9000)" 10.0.2.7
is 'UDP over IPv6' "$(ask out udp fd00::200 9000)" fd00::7
is 'link-local: it is served' "$(http out 'http://[fe80::200%25eth0]:8080/hello')" 'hello from b'
on host ip -4 addr del 10.0.2.200/24 dev eth0
for i in fd00::200 fe80::200; do on host ip -6 addr del $i/64 dev eth0; done
like 'publish at run time' "$(nna publish "pid-$a" 8081:80 127.0.0.1:8082:80 0:80)" \
	'*published 8081:80/tcp*published 127.0.0.1:8082:80/tcp*published [3-6]????:80/tcp'
picked=$(nna status "$a" | sed -n 's/.*published  \([0-9]*\):80.tcp/\1/p' | grep -vx 8081)
is 'it works' "$(http out "http://$HOST4:8081/cgi-bin/peer")" "$OUT4"
is 'so does the one that was picked' "$(http out "http://$HOST4:$picked/hello")" 'hello from a'
is 'one for the host alone' "$(http host http://127.0.0.1:8082/hello)" 'hello from a'
nok 'is not reached from outside' http out "http://$HOST4:8082/hello"
refused 4 '*8080:80/tcp is published by b eth0 already*' publish "pid-$a" 8090:80 8080:80
nok 'nothing is half published' http out "http://$HOST4:8090/hello"
serve host setpriv --reuid $UID_A --regid $UID_A --clear-groups socat TCP-LISTEN:8300,fork,reuseaddr /dev/null
wait_port host tcp 8300
refused 4 '*8300/tcp is taken by socat (pid *)*' publish "pid-$a" 8091:80 8300:80
refused 3 '*8999*is not published*' unpublish "pid-$a" 8081 8999
is 'nothing is half taken back' "$(http out "http://$HOST4:8081/hello")" 'hello from a'
ok 'unpublish' nna unpublish "pid-$a" 8081 -q
nok 'it is served no longer' http out "http://$HOST4:8081/hello"
ok 'and can be had by another' nna publish b 8081:80 -q
is 'who serves it' "$(http out "http://$HOST4:8081/hello")" 'hello from b'
# One number on two host addresses, of one container and of two, of both families; the record is as it was written.
on host ip -4 addr add 198.51.100.77/24 dev eth0
like 'one number on three addresses' "$(nna publish b 127.0.0.1:8100:80 '[::1]:8100:80' "$HOST4:8100:80")" \
	'*published 127.0.0.1:8100:80/tcp*published \[::1\]:8100:80/tcp*'
ok 'and on another one for another container' nna publish "pid-$a" 198.51.100.77:8100:80 -q
refused 4 '*:8100:80/tcp is published by b eth0 already*' publish "pid-$a" "$HOST4:8100:80"
refused 4 '*:8100:80/tcp is published by b eth0 already*' publish "pid-$a" 8100:80
two_addresses() { # WHEN
	is "$1: one address" "$(http out "http://$HOST4:8100/hello")" 'hello from b'
	is "$1: another" "$(http out 'http://198.51.100.77:8100/hello')" 'hello from a'
	is "$1: the client's address by it" "$(http out 'http://198.51.100.77:8100/cgi-bin/peer')" "$OUT4"
	is "$1: 127.0.0.1" "$(http host 'http://127.0.0.1:8100/hello')" 'hello from b'
	is "$1: ::1" "$(http host 'http://[::1]:8100/hello')" 'hello from b'
}
two_addresses 'two addresses'
is 'status has them as they were written' "$(nna status b | sed -n 's/.*published  //p' | grep -c ':8100:80/tcp$')" 3
is 'of the other, too' "$(nna status "$a" | sed -n 's/.*published  //p' | grep ':8100')" 198.51.100.77:8100:80/tcp
ok 'the same again changes nothing' nna publish "pid-$a" 198.51.100.77:8100:80 -q
ok 'check' nna check b
hold_keepers # who would be first to start it again
kill -KILL "$(named slirp-lite | head -n 1)"
ns_until 20 no_slirp
ok 'the uplink anew' nna gc -q
free_keepers
two_addresses 'after it was killed'
ok 'unpublish one address' nna unpublish b "127.0.0.1:8100" -q
nok 'it is gone' http host 'http://127.0.0.1:8100/hello'
is 'the others are there' "$(http out "http://$HOST4:8100/hello")$(http out 'http://198.51.100.77:8100/hello')" \
	'hello from bhello from a'
ok 'its number, inside too, can be had' nna publish "pid-$a" 127.0.0.1:8100:80 -q
is 'by the other' "$(http host 'http://127.0.0.1:8100/hello')" 'hello from a'
ok 'all back' nna unpublish "pid-$a" 127.0.0.1:8100 198.51.100.77:8100 -q
ok 'of both' nna unpublish b '[::1]:8100' "$HOST4:8100" -q
nok 'none is left' http out "http://$HOST4:8100/hello"
on host ip -4 addr del 198.51.100.77/24 dev eth0
foreign d $UID_A
refused 4 '*8300/tcp is taken*' up "$box_d" --network web -p 8092:80 -p 8300:80
is 'a failed up leaves nothing' "$(nna ls | grep -c "pid-$box_d")" 0
ok 'nor a port' nna publish b 8092:80 -q
without=${NETNS_UP_WITHOUT:-}
NETNS_UP_WITHOUT=${without:+$without,}ring-socket
refused 8 '*needs io_uring*netns-up run --network*' up "$box_d" --network web -p 8093:80
is 'without io_uring, run goes on' "$(nna run --network web -- curl -sS -m 60 "http://$b4/hello")" 'hello from b'
NETNS_UP_WITHOUT=$without
is 'nothing is left of it' "$(nna ls | grep -w '8093:80/tcp')" ''

# --- other kinds of networks; many at once ---
ok 'a routed one' nna network create r --mode routed -q
is 'out of it' "$(nna run --network r -- curl -sS -m 60 "http://$OUT4/cgi-bin/peer")" "$HOST4"
ok 'an internal one' nna network create i --internal -q
nok 'no way out of it' nna run --network i -- curl -sS -m 2 "http://$OUT4/hello"
ok 'they go' nna network rm r
ok 'both' nna network rm i
for i in 1 2 3 4 5 6; do
	box "m$i" $UID_A "$NETNS_UP" run --network web -p "1870$i:80" -- curl -sS -m 60 "http://$OUT4/hello"
done
for i in 1 2 3 4 5 6; do
	eval "wait \$box_m$i"
	is "six at once ($i)" "$(cat "$NS_TMP/m$i.out")" 'hello from out'
done
is 'and all are gone' "$(nna ls | grep -cw '1870[1-6]:80/tcp')" 0

# --- killed ---
hold_keepers
kill -KILL "$(named slirp-lite | head -n 1)"
ns_until 20 no_slirp
is 'without the way out, containers reach each other' "$(get "$a" "http://$b4/hello")" 'hello from b'
like 'status says so' "$(nna status b)" '*uplink     gone: *'
without=${NETNS_UP_WITHOUT:-}
[ "$ENGINE" = relay ] || NETNS_UP_WITHOUT=${without:+$without,}tproxy
ok 'gc starts it, where the kernel has no tproxy too' nna gc -q
NETNS_UP_WITHOUT=$without
like 'status says how TCP goes out, and why' "$(nna status b)" "*engine     $ENGINE: $WHY*"
is 'out' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'with ports' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
free_keepers
hold_keepers
kill -KILL "$(named slirp-lite | head -n 1)"
ns_until 20 no_slirp
ok 'gc starts it again' nna gc -q
like 'as it was' "$(nna status b)" "*engine     $ENGINE: *"
is 'out again' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'the ports too' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
is 'and that of the host alone' "$(http host http://127.0.0.1:8082/hello)" 'hello from a'
nok 'alone' http out "http://$HOST4:8082/hello"
free_keepers
for i in 1 2 3; do
	one=$(named netns-up-host | head -n 1)
	kill -KILL "$one"
	ok "a keeper is killed ($i): there are two again" ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$one"
	ok 'two' ns_until 20 has_keepers 2
	is 'within the network' "$(get "$a" "http://$b4/hello")" 'hello from b'
	is 'out' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
done
is 'what is up' "$(nna ls | wc -l)" 4
unserve "$server_c"
kill -KILL "$box_d" "$c"
# The kernel takes its links away when it has the time.
gc_removes() { nna gc | grep -q 'your networks: removed: 1 attachments'; }
ok 'a container is killed: gc removes it' ns_until 20 gc_removes
is 'db is free' "$(nna network rm db; echo $?)" 0
refused 6 '*network web is used by b, pid-*' network rm web

# --- all are killed: the next call says so and begins anew ---
keepers=$(named netns-up-host)
# shellcheck disable=SC2086 # a list
kill -STOP $keepers && kill -KILL $keepers
ok 'all keepers are killed: the uplink ends' ns_until 20 no_slirp
like 'ls says so' "$(nna ls 2>&1)" '*your networks had ended*removed*ID *'
is 'once' "$(nna ls 2>&1 | wc -l)" 1
ok 'the containers have no network' ns_until 20 sh -c '! nsenter -t "$1" -U -n ip link show eth0 2>/dev/null' sh "$a"
kill -TERM "$box_b"
ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$box_b"
ok 'a network of the same name' nna network create web -q
ok 'with the container that was on it' nna up "$a" --network web -p 8080:80 -q
is 'it is reached' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
# Logged out: the runtime directory is emptied.
on host rm -rf /run/user/$UID_A/netns-up
ok 'the record is removed: all ends' ns_until 20 has_keepers 0
ok 'the uplink too' ns_until 20 no_slirp

# --- the end, and a user without subordinate ids ---
foreign n $UID_B
ok 'a user with one id: create' nnb network create web -q
ok 'up' nnb up "$box_n" --network web -q -p 8080:80
is 'out' "$(get "$box_n" "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'run' "$(nnb run --network web -- curl -sS -m 60 "http://[$OUT6]/cgi-bin/peer")" "$HOST6"
nnb up "$a" --network web 2>"$NS_TMP/err"
is "another user's container is refused" $? 5
like 'and says why' "$(cat "$NS_TMP/err")" '*may not be opened*'
is 'down' "$(nnb down "$box_n")" "pid-$box_n eth0 down"
nok 'its port is closed' http out "http://$HOST4:8080/hello"
ok 'the last network' nnb network rm web
ok 'ends all processes' ns_until 20 has_keepers 0
ok 'all' ns_until 20 no_slirp
is 'no file stays but a lock' "$(on host find /run/user -type f -o -type s | grep -v 'netns-up/lock$')" ''
on host rm -rf /run/user/$UID_A/netns-up /run/user/$UID_B/netns-up
for p in $box_a $box_n; do kill -KILL "$p"; done
residue host "$NS_TMP/before" 'nothing is left'
ns_done

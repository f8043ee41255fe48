#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports of an ordinary user's container: at start and at run time, TCP and UDP, IPv4 and IPv6,
# remote clients and those on the host, whose address the container sees, how much passes, and what becomes
# of them when a worker dies, when they are taken back, and when all is over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

ulimit -n "$(ulimit -Hn)" # a descriptor for each port in two processes
slirp_world
# api NAME JSON: one request to its control socket.
api() { "$PYTHON" "$PROBE" api "$NS_TMP/api/$1" "$2"; }

nsd_of() { # NAME: the process that makes sockets in the namespace
	local p
	eval "p=\$slirp_$1"
	_descendants "$p" | while read -r p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != slirp-nsd ] || echo "$p"
	done
}
restarts_of() { # a container for it, and 200 slirp-lites one after another
	local pid
	(_box_exec host unshare -Urn sleep 7200) &
	pid=$!
	ns_until 20 _box_is_apart "$pid" host || bail 'no namespace'
	box_r=$pid
	(inside_exec r "$PYTHON" "$PROBE" serve_tcp 7000) >/dev/null 2>&1 &
	ns_until 20 inside r sh -c 'ss -Hlnt "sport = 7000" | grep -q .'
	as_user host "$PYTHON" "$PROBE" restarts 200 "$SLIRP_LITE" "$pid" 8080 $HOST4 2>&1
	kill "$pid"
}

box_new a host -6 -p 8080:7000 -p 8081-8083:7000-7002/tcp -p 9000:7000/udp -p 127.0.0.1:8090:7000
serve_in a tcp 7000 serve_tcp
serve_in a udp 7000 serve_udp

like 'remote client, IPv4: its own address' "$(probe_on out tcp_who $HOST4 8080 10401)" "$OUT4 10401"
like 'remote client, IPv6: its own address' "$(probe_on out tcp_who $HOST6 8080 10402)" "$OUT6 10402"
like 'remote client, UDP over IPv4' "$(probe_on out udp_who $HOST4 9000 10403)" "$OUT4 10403"
like 'remote client, UDP over IPv6' "$(probe_on out udp_who $HOST6 9000 10404)" "$OUT6 10404"
for f in 4 6; do
	eval "host=\$HOST$f"
	is "IPv$f: 16 MB to the container" "$(probe_on out tcp_up $host 8080 16000000)" equal
	is "IPv$f: and from it" "$(probe_on out tcp_down $host 8080 16000000)" equal
	is "IPv$f: half close" "$(probe_on out tcp_half $host 8080 3000000)" 'ours equal theirs equal'
	is "IPv$f: reset" "$(probe_on out tcp_reset $host 8080)" 'theirs ECONNRESET ours ECONNRESET'
	is "IPv$f: datagrams of all sizes" "$(probe_on out udp_sizes $host 9000 1 100 1400 3000 65000)" exact
done
is 'a thousand at once' "$(probe_on out tcp_parallel $HOST4 8080 1000)" '1000 right'
is 'the second of a range leads to a closed port' "$(probe_on out tcp_who $HOST4 8082)" ECONNRESET
is 'a port of the loopback is not for others' "$(probe_on out tcp_connect $HOST4 8090)" ECONNREFUSED

# The answer comes from the address that was asked.
on host ip addr add 198.51.100.77/24 dev eth0
on host ip -6 addr add 2001:db8:1::77/64 dev eth0 nodad
like 'a second address of the host' "$(probe_on out udp_from 198.51.100.77 9000)" "$OUT4 *"
like 'and of IPv6' "$(probe_on out udp_from 2001:db8:1::77 9000)" "$OUT6 *"

# Errors that answers of the container meet.
for f in 4 6; do
	eval "host=\$HOST$f"
	(inside_exec a "$PYTHON" "$PROBE" serve_udp_refused 7777) >"$NS_TMP/refused" 2>&1 &
	refused=$!
	ns_until 20 inside a sh -c 'ss -Hlnu "sport = 7777" | grep -q .' || bail 'no server on 7777'
	api a '{"execute":"publish","arguments":{"ports":["9777:7777/udp"]}}' >/dev/null
	probe_on out udp_leave $host 9777
	wait $refused
	is "IPv$f: a client that is gone is told" "$(cat "$NS_TMP/refused")" ECONNREFUSED
	api a '{"execute":"unpublish","arguments":{"ports":["9777/udp"]}}' >/dev/null
done

# Clients on the host.
for h in 127.0.0.1 $HOST4; do
	like "a client on the host, to $h, is the container itself" "$(probe_on host tcp_who $h 8080)" '10.0.2.100 *'
	like "and over UDP" "$(probe_on host udp_from $h 9000)" '10.0.2.100 *'
done
for h in ::1 $HOST6; do
	like "a client on the host, to $h, is the container itself" "$(probe_on host tcp_who $h 8080)" 'fd00::100 *'
	like "and over UDP" "$(probe_on host udp_from $h 9000)" 'fd00::100 *'
done
like 'a port of the loopback' "$(probe_on host tcp_who 127.0.0.1 8090)" '10.0.2.100 *'
is 'much data to the container' "$(probe_on host tcp_up 127.0.0.1 8080 64000000)" equal
is 'and from it' "$(probe_on host tcp_down ::1 8080 64000000)" equal
is 'half close' "$(probe_on host tcp_half 127.0.0.1 8080 3000000)" 'ours equal theirs equal'
is 'reset' "$(probe_on host tcp_reset 127.0.0.1 8080)" 'theirs ECONNRESET ours ECONNRESET'
is 'a thousand at once from the host' "$(probe_on host tcp_parallel 127.0.0.1 8080 1000)" '1000 right'
is 'a closed port' "$(probe_on host tcp_who 127.0.0.1 8083)" ECONNRESET
is 'datagrams of all sizes' "$(probe_on host udp_sizes 127.0.0.1 9000 1 100 1400 3000 65000)" exact
kill -KILL "$(nsd_of a)"
like 'without the maker of sockets it is the gateway' "$(probe_on host tcp_who 127.0.0.1 8080)" '10.0.2.2 *'
like 'over UDP too' "$(probe_on host udp_from 127.0.0.1 9000)" '10.0.2.2 *'
box_new g host -6 -p 8180:7000 -p 9180:7000/udp --local-client=gateway
serve_in g tcp 7000 serve_tcp
serve_in g udp 7000 serve_udp
for h in 127.0.0.1 $HOST4; do
	like "gateway mode: TCP of the host to $h" "$(probe_on host tcp_who $h 8180)" '10.0.2.2 *'
	like "and UDP" "$(probe_on host udp_from $h 9180)" '10.0.2.2 *'
done
for h in ::1 $HOST6; do
	like "gateway mode: TCP of the host to $h" "$(probe_on host tcp_who $h 8180)" 'fd00::2 *'
	like "and UDP" "$(probe_on host udp_from $h 9180)" 'fd00::2 *'
done
is 'one port of two clients is two' "$(for h in 127.0.0.1 $HOST4; do probe_on host udp_who $h 9180 10410; done | sort -u | wc -l)" 2
box_end g
# A container without IPv6 has IPv6 clients of TCP by its gateway.
box_new four host -p 8280:7000
serve_in four tcp 7000 serve_tcp
like 'an IPv6 client of a container without' "$(probe_on out tcp_who $HOST6 8280)" '10.0.2.2 *'
like 'an IPv4 client of the same port' "$(probe_on out tcp_who $HOST4 8280)" "$OUT4 *"
box_end four

# Run time.
like 'publish' "$(api a '{"execute":"publish","arguments":{"ports":["8300:7000","0:7000","9300:7000/udp"]}}')" \
	'{"return":{"ports":\[{"id":*"spec":"8300:7000/tcp"*'
like 'served at once' "$(probe_on out tcp_who $HOST4 8300 10405)" "$OUT4 10405"
like 'UDP too' "$(probe_on out udp_who $HOST4 9300 10406)" "$OUT4 10406"
like 'taken: all or nothing' "$(api a '{"execute":"publish","arguments":{"ports":["8301:7000","8300:1"]}}')" \
	'*"detail":"8300:7000/tcp is published already*"errno":98,"kind":"conflict"*'
is 'nothing of it' "$(probe_on out tcp_connect $HOST4 8301)" ECONNREFUSED
like 'counters' "$(api a '{"execute":"status"}' | jq -c '.return.ports[0]')" '*"spec":"8080:7000/tcp"*"flows":2*"bytes_in":[1-9]*'
like 'flows' "$(api a '{"execute":"flows"}' | jq -c '.return.flows[] | select(.proto == "udp" and .inward)' | head -n 1)" \
	'*"guest":"*"peer":"*'
like 'metrics' "$(as_user host curl -sS -m 60 --unix-socket "$NS_TMP/api/a" http://x/metrics)" \
	'*slirp_port_bytes_total{port="8080:7000/tcp",direction="in"} *'
is 'back' "$(api a '{"execute":"unpublish","arguments":{"ports":["8300","9300/udp"]}}')" '{"return":{}}'
is 'free' "$(probe_on out tcp_connect $HOST4 8300)" ECONNREFUSED
serve_probe host tcp 8300 serve_tcp
serve_probe host udp 9300 serve_udp
unserve "$SERVED"

# A worker that dies: the next one has the ports, and clients who came meanwhile. Servers that wait for clients of the
# last one are told.
probe_on out tcp_hold $HOST4 8080 3 100 >"$NS_TMP/held" &
held=$!
ns_until 20 sh -c 'grep -q 3 "$1"' sh "$NS_TMP/held"
n_open() { inside a ss -Htn state established 'sport = 7000' | wc -l; }
none_open() { [ "$(n_open)" = 0 ]; }
is 'connections that rest' "$(n_open)" 3
kill -KILL "$(worker a)"
ok 'the worker is killed: their servers learn of it' ns_until 20 none_open
is 'the worker is killed: the next client is served' "$(probe_on out tcp_who $HOST4 8080 10407)" "$OUT4 10407"
is 'of UDP too' "$(probe_on out udp_who $HOST4 9000 10408)" "$OUT4 10408"
is 'one restart' "$(told a restarts)" 1
is 'it had been told of them' "$(told a tcp_left)" 3
unserve $held
# So are they where the next one dies too, before any has heard of it.
probe_on out tcp_hold $HOST4 8080 3 100 >"$NS_TMP/held" &
held=$!
ns_until 20 sh -c 'grep -q 3 "$1"' sh "$NS_TMP/held"
is 'connections that rest again' "$(n_open)" 3
inside a nft 'add table inet deaf; add chain inet deaf in { type filter hook input priority 0; policy drop; }' ||
	bail 'no filter inside'
_restarts() { [ "$(told a restarts)" = "$1" ] && [ "$(told a ready)" = True ]; }
for n in 2 3; do
	kill -KILL "$(worker a)"
	ns_until 20 _restarts $n || bail 'no other worker'
done
is 'the worker is killed, and the next one, and they are deaf' "$(n_open)" 3
inside a nft delete table inet deaf
ok 'the third one tells their servers' ns_until 20 none_open
is 'the third one serves' "$(probe_on out tcp_who $HOST4 8080 10411)" "$OUT4 10411"
unserve $held

# No descriptor for a client: it waits, the listener stays, nothing spins.
printf '#!/bin/sh\nulimit -n 128\nexec "%s" "$@"\n' "$SLIRP_LITE" >"$NS_TMP/few"
chmod 755 "$NS_TMP/few"
whole=$SLIRP_LITE
SLIRP_LITE=$NS_TMP/few
box_new few host -p 8480-8559:7000-7079
SLIRP_LITE=$whole
serve_in few tcp 7000 serve_tcp
w=$(worker few)
is 'clients without a descriptor wait: all are served' "$(probe_on out tcp_crowd $HOST4 8480 200)" 'answered 200'
probe_on out tcp_hold $HOST4 8480 200 5 >"$NS_TMP/held" &
held=$!
ns_until 20 sh -c 'grep -q 200 "$1"' sh "$NS_TMP/held"
t0=$(awk '{ print $14 + $15 }' "/proc/$w/stat")
sleep 1
t1=$(awk '{ print $14 + $15 }' "/proc/$w/stat")
_counted() { [ $(($(told few drop_socket) + $(told few drop_table_full))) -gt 0 ]; }
ok 'and are counted' ns_until 20 _counted
ok "the listener rests ($((t1 - t0)) ticks in a second)" [ $((t1 - t0)) -le 10 ]
wait $held
like 'with descriptors it goes on' "$(probe_on out tcp_who $HOST4 8480 10409)" "$OUT4 10409"
box_end few

# What programs inside serve.
box_new auto host -6 --publish-auto --publish-except 7801 -p 7802:7800
serve_in auto tcp 7800 serve_tcp
served() { probe_on out tcp_connect "$1" "$2" | grep -qx connected; }
not_served() { ! served "$@"; }
ok 'a program listens: its port is published' ns_until 40 served $HOST4 7800
like 'with the address of the client' "$(probe_on out tcp_who $HOST6 7800)" "$OUT6 *"
auto_server=${NS_SERVERS##* }
serve_in auto tcp 7801 serve_tcp
serve_in auto tcp 7802 serve_tcp
serve_in auto udp 7810 serve_udp
like 'UDP too' "$(probe_on out udp_who $HOST4 7810 10418)" "$OUT4 10418"
ok 'not what is excepted' not_served $HOST4 7801
is 'nor what is published otherwise' "$(api auto '{"execute":"status"}' | jq -r '[.return.ports[] | select(.host_port == 7802) | .guest_port] | join(" ")')" 7800
_autos() { [ "$(api auto '{"execute":"status"}' | jq -r '[.return.ports[] | select(.auto)] | length')" -ge 3 ]; }
ns_until 20 _autos # the second socket of UDP may be a look later
is 'what came by itself says so' "$(api auto '{"execute":"status"}' | jq -r '[.return.ports[] | select(.auto) | .host_port] | sort | join(" ")')" '7800 7810 7811'
# One socket for each family, as many programs have it, the second one when the first is published.
serve_in auto tcp 7820 serve_tcp4
ok 'a program listens by IPv4' ns_until 40 served $HOST4 7820
serve_in auto tcp 7820 serve_tcp6
_shown() { probe_on out tcp_who $HOST6 7820 | grep -q "^$OUT6 "; }
ok 'and then by IPv6: by both it is published' ns_until 40 _shown
ok 'still by IPv4' served $HOST4 7820
unserve "$auto_server"
ok 'it ends: so does the port' ns_until 40 not_served $HOST4 7800
box_end auto

# More of them than there are descriptors: some are left for clients and for the next worker.
SLIRP_LITE=$NS_TMP/few
box_new crowd host --publish-auto
SLIRP_LITE=$whole
serve_in crowd tcp 7900 serve_crowd
_crowd() { [ "$(api crowd '{"execute":"list_hostfwd"}' | jq '.entries | length')" -gt 60 ]; }
ok 'the container listens everywhere: as much as there is' ns_until 20 _crowd
kill -KILL "$(worker crowd)"
_is_replaced() { [ "$(told crowd restarts)" = 1 ] && [ "$(told crowd ready)" = True ]; }
ok 'the worker is killed: there is another one, and the control socket answers' ns_until 20 _is_replaced
box_end crowd

# Ten thousand.
box_new many host -6 -p 20000-24999
serve_in many tcp 24999 serve_tcp
like 'the last of a range of thousands' "$(probe_on out tcp_who $HOST6 24999)" "$OUT6 *"
specs=$(seq 25000 29999 | sed 's/.*/"&:24999"/' | paste -sd,)
like 'and one by one in one request' "$(api many "{\"execute\":\"publish\",\"arguments\":{\"ports\":[$specs]}}" | cut -c1-40)" \
	'{"return":*'
like 'the last of them' "$(probe_on out tcp_who $HOST4 29999)" "$OUT4 *"
kill -KILL "$(worker many)"
like 'all are there when the worker was killed' "$(probe_on out tcp_who $HOST4 29999)" "$OUT4 *"
like 'one in the middle' "$(probe_on out tcp_who $HOST4 27001)" "$OUT4 *"
box_end many

# Ended: ports are free when the end is seen.
box_end a
is '200 restarts with one port' "$(restarts_of)" '200 times'
ns_done

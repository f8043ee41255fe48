#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports of an ordinary user's container: at start and at run time, TCP and UDP, IPv4 and IPv6,
# remote clients and those on the host, whose address the container sees, how much passes, and what becomes
# of them when a worker dies, when they are taken back, and when all is over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

ulimit -n 8192
slirp_world
# api NAME JSON: one request to its control socket.
api() { "$PYTHON" "$PROBE" api "$NS_TMP/api/$1" "$2"; }
serve_in() { # NAME tcp|udp PORT VERB: a server of slirp_probe.py in the container
	(inside_exec "$1" "$PYTHON" "$PROBE" "$4" "$3") >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 inside "$1" sh -c 'ss -Hln"$1" "sport = $2" | grep -q .' sh "$(echo "$2" | cut -c1)" "$3" ||
		bail "no server on $2 $3 of $1"
}

box_new a host -6 -p 8080:7000 -p 8081-8083:7000-7002/tcp -p 9000:7000/udp -p 127.0.0.1:8090:7000
serve_in a tcp 7000 serve_tcp
serve_in a udp 7000 serve_udp

like 'remote client, IPv4: its own address' "$(probe_on out tcp_who $HOST4 8080 40001)" "$OUT4 40001"
like 'remote client, IPv6: its own address' "$(probe_on out tcp_who $HOST6 8080 40002)" "$OUT6 40002"
like 'remote client, UDP over IPv4' "$(probe_on out udp_who $HOST4 9000 40003)" "$OUT4 40003"
like 'remote client, UDP over IPv6' "$(probe_on out udp_who $HOST6 9000 40004)" "$OUT6 40004"
for f in 4 6; do
	eval "host=\$HOST$f"
	is "IPv$f: 16 MB to the container" "$(probe_on out tcp_up $host 8080 16000000)" equal
	is "IPv$f: and from it" "$(probe_on out tcp_down $host 8080 16000000)" equal
	is "IPv$f: half close" "$(probe_on out tcp_half $host 8080 3000000)" 'ours equal theirs equal'
	is "IPv$f: reset" "$(probe_on out tcp_reset $host 8080)" 'theirs ECONNRESET ours ECONNRESET'
	is "IPv$f: datagrams of all sizes" "$(probe_on out udp_sizes $host 9000 1 100 1400 3000 65000)" exact
done
is 'a thousand at once' "$(probe_on out tcp_parallel $HOST4 8080 1000)" '1000 right'
is 'the second of a range' "$(probe_on out tcp_connect $HOST4 8082)" ECONNRESET
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# demo.sh BUILDDIR: what netns-up does, shown step by step with the commands and their results, on a host
# and an outside host that are network namespaces made here. Every result is compared with what it has
# to be; the exit status is 0 only when all are right. The machine's own network is not touched.

NETNS_UP=$1/netd/cli/netns-up
NETNS_UP_FORWARDER=$1/slirp-lite/fwd/netns-up-forwarder
SLIRP_LITE=$1/slirp-lite/proc/slirp-lite
# shellcheck source=tests/ns/lib.sh
. "$(dirname "$0")/ns/lib.sh"
PATH=$NS_TMP/bin:$PATH
export PATH
WRONG=0

step() { printf '\n%s\n' "$*"; }

# at HOST CMD...: shows the command and its output, which is also left in $OUTPUT.
at() {
	local rc
	printf '    %s# ' "$1"
	(shift && echo "$*")
	OUTPUT=$(on "$@" 2>&1)
	rc=$?
	[ -z "$OUTPUT" ] || printf '%s\n' "$OUTPUT" | sed 's/^/        /'
	return $rc
}

right() { printf '    [ok] %s\n' "$1"; }
wrong() {
	WRONG=$((WRONG + 1))
	printf '    [WRONG] %s\n' "$1"
}
done_well() { # STATUS WHAT
	if [ "$1" -eq 0 ]; then right "$2"; else wrong "$2 (exit status $1)"; fi
}
says() { # WANTED WHAT
	if [ "$OUTPUT" = "$1" ]; then right "$2"; else wrong "$2: wanted '$1'"; fi
}

step '1. Two hosts joined by a cable, and on the first one a container with no network yet.'
ns_world
serve_http out 9000 || bail 'no web server outside'
snapshot host >"$NS_TMP/before"
container_new web host
pid=$(ns_pid web)
at host ip -br addr show dev eth0
at out ip -br addr show dev eth0
at web ip -br addr
says "$(on web ip -br addr show lo)" 'the container has a loopback and nothing else'
serve_http web 80 || bail 'no web server in the container'
echo "    web# busybox httpd -p 80        (in the container's namespace, process $pid)"

step '2. One command gives it a network and publishes its port 80 as port 8080 of the host.'
at host netns-up up "$pid" --name web -p 8080:80
done_well $? 'the network is up'
at web ip -br addr show dev eth0
ctr4=$(on web ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/')
at host netns-up ls
done_well $? 'the attachment is listed'

step '3. The other host reaches it through the published port, by IPv4 and by IPv6.'
at out curl -sS -m 3 http://$HOST4:8080/hello
says 'hello from web' 'IPv4 answers'
at out curl -sS -m 3 "http://[$HOST6]:8080/hello"
says 'hello from web' 'IPv6 answers'

step '4. The container sees who its clients really are.'
at out curl -sS -m 3 http://$HOST4:8080/cgi-bin/peer
says "$OUT4" "the client's own IPv4 address"
at out curl -sS -m 3 "http://[$HOST6]:8080/cgi-bin/peer"
says "$OUT6" "the client's own IPv6 address"

step '5. What the container sends out carries the address of the host.'
at web curl -sS -m 3 http://$OUT4:9000/cgi-bin/peer
says "$HOST4" 'the outside sees the host (IPv4)'
at web curl -sS -m 3 "http://[$OUT6]:9000/cgi-bin/peer"
says "$HOST6" 'the outside sees the host (IPv6)'

step '6. The port also answers on localhost of the host; the container itself is not open to the outside.'
at host curl -sS -m 3 http://127.0.0.1:8080/hello
says 'hello from web' '127.0.0.1'
at host curl -sS -m 3 'http://[::1]:8080/hello'
says 'hello from web' '::1'
at host curl -sS -m 3 http://$HOST4:8080/hello
says 'hello from web' "the host's own address"
at out curl -sS -m 1 "http://$ctr4/hello"
if [ "$OUTPUT" != 'hello from web' ]; then
	right "the container's address is not reached from outside"
else
	wrong "the container's address is reached from outside"
fi

step '7. A taken port is refused, and the owner is named.'
container_new other host
at host netns-up up "$(ns_pid other)" --name other -p 8080:80
if [ $? -eq 4 ]; then right 'exit status 4: taken'; else wrong 'exit status 4 was expected'; fi
case $OUTPUT in *web*) right 'the error names web' ;; *) wrong 'the error does not name web' ;; esac

step '8. An ordinary user, without any privilege: a command in a network of its own.'
# user CMD...: uid 54321, which has no name, no home and no subordinate ids here.
user() {
	local rc
	printf '    host$ %s\n' "$*"
	OUTPUT=$(on host setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/54321 "$NS_MARK" "$@" 2>&1)
	rc=$?
	[ -z "$OUTPUT" ] || printf '%s\n' "$OUTPUT" | sed 's/^/        /'
	return $rc
}
on host sh -c 'mkdir -p -m 755 /run/user && mkdir -m 700 /run/user/54321 && chown 54321:54321 /run/user/54321'
user netns-up run -- ip -br addr show dev eth0
done_well $? 'it has an interface with addresses'
user netns-up run -- curl -sS -m 3 http://$OUT4:9000/cgi-bin/peer
says "$HOST4" 'the outside sees the host (IPv4)'
user netns-up run -- curl -sS -m 3 "http://[$OUT6]:9000/cgi-bin/peer"
says "$HOST6" 'the outside sees the host (IPv6)'
user netns-up run -- curl -sS -m 3 http://$OUT4:9
if [ $? -eq 7 ]; then right 'a closed port is refused at once, as on the host'; else wrong 'a closed port is not refused'; fi
user netns-up run -- ip link set eth0 down
if [ $? -eq 0 ]; then
	wrong 'root inside can change the network'
else
	right 'root inside has no power over its network'
fi
user netns-up ls
if [ "$(printf '%s\n' "$OUTPUT" | wc -l)" -eq 1 ]; then right 'all is gone with the command'; else wrong 'something is left'; fi
on host rm -rf /run/user

step '9. Down again: nothing is left.'
at host netns-up down web
done_well $? 'the network is down'
at out curl -sS -m 1 http://$HOST4:8080/hello
if [ "$OUTPUT" != 'hello from web' ]; then right 'the port is closed'; else wrong 'the port still answers'; fi
at web ip -br addr
if has_residue host "$NS_TMP/before"; then
	grep '^[-+]' "$NS_TMP/residue.diff" | sed 's/^/        /'
	wrong 'the host differs from what it was'
else
	echo '        links, addresses, routes, rules, neighbours, nft, sysctls, files, mounts, processes:'
	right "$(wc -l <"$NS_TMP/before") facts compared with those before step 1: none differs"
fi
_ns_machine >"$NS_TMP/machine.after"
if ! diff -U0 "$NS_TMP/machine.before" "$NS_TMP/machine.after"; then
	wrong "this machine's own network was touched"
fi

NS_FINISHED=1
echo
if [ $WRONG -gt 0 ]; then
	echo "demo: $WRONG results are not as they should be"
	exit 1
fi
echo 'demo: everything is as it should be'

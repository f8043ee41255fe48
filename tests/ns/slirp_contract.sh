#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# slirp-lite under the name of slirp4netns: its command line, its control socket request by request, the lines
# that podman and rootlesskit start it with, clients of the control socket that are no good, frames over a
# socket; and with all of these the host's loopback stays closed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world
cp "$(dirname "$0")/slirp_contract.py" "$NS_TMP/contract.py" || exit 99
CONTRACT=$NS_TMP/contract.py
ln -s slirp-lite "$NS_TMP/slirp4netns"
S4=$NS_TMP/slirp4netns
API=$NS_TMP/api/s4

ctr_new() {
	(_box_exec host unshare -Urn sleep 7200) &
	CTR=$!
	box_ctr=$CTR # for `inside`
	NS_SERVERS="$NS_SERVERS $CTR"
	ns_until 20 _box_is_apart "$CTR" host || bail 'no namespace'
}
ctr_end() { unserve "$CTR"; }
# start ARGUMENT...: as its clients do, with the exit pipe and the ready pipe on 3 and 4, whichever is which.
start() {
	rm -f "$NS_TMP/ready" "$NS_TMP/exit"
	mkfifo "$NS_TMP/ready" "$NS_TMP/exit"
	sleep 7200 >"$NS_TMP/exit" 2>/dev/null &
	WRITER=$!
	NS_SERVERS="$NS_SERVERS $WRITER"
	if [ "$READY_FD" = 3 ]; then
		(_box_exec host "$S4" "$@" 3>"$NS_TMP/ready" 4<"$NS_TMP/exit") >"$NS_TMP/log" 2>&1 </dev/null &
	else
		(_box_exec host "$S4" "$@" 3<"$NS_TMP/exit" 4>"$NS_TMP/ready") >"$NS_TMP/log" 2>&1 </dev/null &
	fi
	SL=$!
	NS_SERVERS="$NS_SERVERS $SL"
	READY=$(timeout 60 head -c 1 "$NS_TMP/ready")
}
_gone() { ! ns_alive "$SL"; }
ended() {
	ns_until 20 _gone || return 1
	wait "$SL"
	STATUS=$?
	unserve "$WRITER" 2>/dev/null
	NS_SERVERS=$(_ns_without "$SL" "$NS_SERVERS")
}
stop() { kill -TERM "$SL" && ended; }
works() { ns_until 20 inside ctr ping -q -c1 -W1 10.0.2.2 >/dev/null 2>&1; }
contract() { as_user host "$PYTHON" "$CONTRACT" "$@" 2>&1; }

# --- what it says ---

help=$(as_user host "$S4" --help 2>&1)
is '--help: status' $? 0
like '--help: its name' "$help" 'Usage: slirp4netns *'
for word in --configure --exit-fd --ready-fd --mtu --enable-ipv6 --api-socket --cidr --disable-host-loopback \
	--netns-type --userns-path --enable-sandbox --enable-seccomp --outbound-addr --outbound-addr6 --disable-dns \
	--macaddress --target-type --help --version; do
	echo "$help" | grep -qw -e "$word" || fail "--help names $word"
done
is '-h is the same' "$(as_user host "$S4" -h 2>&1)" "$help"
version=$(as_user host "$S4" --version 2>&1)
is '--version: status' $? 0
like '--version' "$version" "slirp4netns version [0-9]*.[0-9]*.[0-9]*
commit: *
libslirp: *
SLIRP_CONFIG_VERSION_MAX: [3-9]
libseccomp: [0-9]*.[0-9]*.[0-9]*"
is '--version: the word stands once' "$(echo "$version" | grep -c version)" 1
is '-v is the same' "$(as_user host "$S4" -v 2>&1)" "$version"

refused() { # PATTERN ARGUMENT...: status 1, a line on standard error, the usage on standard output
	local want out rc
	want=$1
	shift
	out=$(as_user host timeout 60 "$S4" "$@" 2>"$NS_TMP/err")
	rc=$?
	like "refused: $*" "$rc $(cat "$NS_TMP/err") $out" "1 slirp-lite: $want Usage: slirp4netns *"
	[ "$(wc -l <"$NS_TMP/err")" -eq 1 ] || fail 'in one line' "$(cat "$NS_TMP/err")"
}
refused 'expected PID*'
refused '--nonsense: *' --nonsense 1
refused '--mtu: *68..65521*' --mtu 65522 1
refused '--cidr: *' --cidr 10.0.2.0/26 1
refused '--macaddress: *--configure*' --macaddress 52:54:00:12:34:56 1
refused '--configure: conflicts with --target-type=bess*' --target-type=bess -c /x
refused '--api-socket: the specified API socket path is too long*' \
	--api-socket "/$(printf '%0120d' 0)" 1

# --- the control socket ---

ctr_new
READY_FD=3
start -c "$CTR" --api-socket "$API" tap0 -r 3 -e 4 --enable-ipv6 more than that
is 'options after the PID, and too many operands: ready' "$READY" 1
like 'it says so' "$(cat "$NS_TMP/log")" '*Starting slirp*\* MTU:*1500*\* Network:*10.0.2.0
*\* Netmask:*255.255.255.0*\* Recommended IP:*10.0.2.100*'
like 'and warns' "$(cat "$NS_TMP/log")" '*what follows tap0 is ignored*'
like 'every request and its answer' "$(contract api "$API" | tail -n 20)" '[1-9]?? right, 0 wrong'

(inside_exec ctr "$PYTHON" "$PROBE" serve_tcp 7000) >/dev/null 2>&1 &
NS_SERVERS="$NS_SERVERS $!"
ns_until 20 inside ctr sh -c 'ss -Hlnt "sport = 7000" | grep -q .'
as_user host "$PYTHON" "$PROBE" api "$API" '{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_port":8080,"guest_port":7000}}' >"$NS_TMP/out"
like 'add_hostfwd' "$(cat "$NS_TMP/out")" '*"id"*'
like 'a remote client comes with its own address' "$(probe_on out tcp_who $HOST4 8080 10401)" "$OUT4 10401"
like 'one of the host as the gateway' "$(probe_on host tcp_who 127.0.0.1 8080)" '10.0.2.2 *'

# 64 of them, and a transfer beside.
took() { # CMD...: ms of it; what it says in $SAID
	local t
	t=$(date +%s%N)
	SAID=$("$@")
	TOOK=$((($(date +%s%N) - t) / 1000000))
}
serve_probe out tcp 7000 serve_tcp
took probe_in ctr tcp_up $OUT4 7000 60000000
is 'a transfer' "$SAID" equal
alone=$TOOK
serve host setpriv --reuid $BOX_UID --regid $BOX_UID --clear-groups "$PYTHON" "$CONTRACT" hostile "$API" 64
hostile=$SERVED
ns_until 20 grep -q there "$SERVED_LOG"
took probe_in ctr tcp_up $OUT4 7000 60000000
is 'a transfer beside 64 idle and hostile clients' "$SAID" equal
note "alone $alone ms, beside them $TOOK ms"
like 'a request beside them' "$(as_user host "$PYTHON" "$PROBE" api "$API" '{"execute":"list_hostfwd"}')" '*8080*'
is 'and a published port' "$(probe_on out tcp_up $HOST4 8080 3000000)" equal
unserve $hostile
ok 'it lives' ns_alive "$SL"
is 'and its worker is the first' "$(as_user host "$PYTHON" "$PROBE" status "$API" restarts)" 0
unserve "$WRITER"
ended
is 'the exit pipe: its end is the end' "$STATUS" 0
nok 'the socket is gone' test -e "$API"
ctr_end

# --- the host's loopback, with the lines of its clients ---

PORT=7007
serve host "$PYTHON" "$CONTRACT" guard $PORT "$NS_TMP/reached"
wait_port host tcp $PORT
notices() { on host "$PYTHON" "$CONTRACT" reach $PORT >"$NS_TMP/noticed" && grep -q '127.0.0.1 127.0.0.53.*::1' "$NS_TMP/noticed"; }
ns_until 20 notices
like 'the guard: it notices who comes' "$(cat "$NS_TMP/noticed")" '*127.0.0.1 127.0.0.53*::1*'
[ -s "$NS_TMP/reached" ] || fail 'the guard writes down'
has_written() { # all that has come to it
	local n
	n=$(wc -l <"$NS_TMP/reached")
	sleep 1
	[ "$(wc -l <"$NS_TMP/reached")" -eq "$n" ]
}
ns_until 20 has_written
: >"$NS_TMP/reached"

closed() { # NAME ARGUMENT...: of the container, with and without --disable-host-loopback
	local name off
	name=$1
	shift
	for off in --disable-host-loopback ''; do
		ctr_new
		case $name in rootlesskit*)
			as_user host nsenter -t "$CTR" -U -n --preserve-credentials ip tuntap add name tap0 mode tap
			inside ctr ip link set tap0 up
			;;
		esac
		# shellcheck disable=SC2046 # options
		start $off $(printf '%s\n' "$@" | sed "s,PID,$CTR,")
		is "$name $off: ready" "$READY" 1
		case $name in rootlesskit*)
			inside ctr sh -c 'ip addr add 10.0.2.100/24 dev tap0; ip link set lo up; ip route add default via 10.0.2.2
				[ -e /proc/sys/net/ipv6 ] && ip -6 addr add fd00::100/64 dev tap0 nodad && ip -6 route add default via fd00::2'
			;;
		esac
		ok "$name $off: works" works
		is "$name $off: the host's loopback is closed" "$(inside ctr "$PYTHON" "$CONTRACT" reach $PORT $HOST4 $HOST6)" closed
		[ "$name" != podman-4.3-path ] || [ -z "$off" ] || is "$name: the port is published" "$(as_user host "$PYTHON" "$PROBE" api "$API" \
			'{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_addr":"","host_port":8081,"guest_addr":"","guest_port":80}}')" \
			'{"return":{"id":1}}'
		stop
		is "$name $off: ends" "$STATUS" 0
		ctr_end
	done
}
READY_FD=4
closed podman-4.3-path --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -e 3 -r 4 --api-socket "$API" \
	--netns-type=path /proc/PID/ns/net tap0
closed podman-4.3-pid --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -e 3 -r 4 PID tap0
READY_FD=3
closed podman-5.8 --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -r 3 -e 4 --api-socket "$API" \
	--netns-type=path /proc/PID/ns/net tap0
closed podman-bridge --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -r 3 --netns-type=path /proc/PID/ns/net tap0
closed rootlesskit-1.1 --mtu 65520 -r 3 --api-socket "$API" --enable-sandbox --enable-seccomp --enable-ipv6 PID tap0
closed rootlesskit-3 --mtu 65520 -r 3 --api-socket "$API" --enable-seccomp --enable-ipv6 \
	--userns-path=/proc/PID/ns/user --netns-type=path /proc/PID/ns/net tap0
is 'nobody reached the guard' "$(cat "$NS_TMP/reached")" ''

# --- small MTUs ---

ctr_new
for mtu in 68 296 1000; do
	start -c -6 -r 3 -m $mtu "$CTR" tap0
	is "MTU $mtu: ready" "$READY" 1
	like "MTU $mtu: without IPv6" "$(cat "$NS_TMP/log")" '*without IPv6*'
	is "MTU $mtu: up" "$(probe_in ctr tcp_up $OUT4 7000 100000)" equal
	is "MTU $mtu: and down" "$(probe_in ctr tcp_down $OUT4 7000 100000)" equal
	stop
done

# --- who started it dies ---

(_box_exec host "$PYTHON" "$CONTRACT" died "$S4" -c -r READY -a "$API" "$CTR" tap0) >"$NS_TMP/died" &
parent=$!
NS_SERVERS="$NS_SERVERS $parent"
ns_until 20 test -s "$NS_TMP/died"
SL=$(cat "$NS_TMP/died")
all="$SL $(_descendants "$SL")"
is 'three processes' "$(echo $all | wc -w)" 3
kill -KILL $parent
no_tap() { ! inside ctr ip link show tap0 >/dev/null 2>&1; }
none_of() { for p in $all; do ! ns_alive "$p" || return 1; done; }
ok 'the parent-death signal ends them all' ns_until 20 none_of
ok 'and the tap' ns_until 20 no_tap
ctr_end

# --- frames over a socket ---

bess() { # OPTION...: no container: whoever connects
	rm -f "$NS_TMP/ready" "$NS_TMP/word"
	mkfifo "$NS_TMP/ready"
	timeout 60 head -c 1 "$NS_TMP/ready" >"$NS_TMP/word" &
	(_box_exec host "$S4" --target-type=bess -6 -r 3 "$@" "$NS_TMP/api/bess" 3>"$NS_TMP/ready") >"$NS_TMP/log" 2>&1 </dev/null &
	SL=$!
	NS_SERVERS="$NS_SERVERS $SL"
	ns_until 20 test -S "$NS_TMP/api/bess"
}
bess
is 'a guest on a socket' "$(contract bess "$NS_TMP/api/bess" $PORT)" 'arp 10.0.2.2 dhcp 10.0.2.100 ping True loopback closed'
ended
ns_until 20 test -s "$NS_TMP/word"
is 'it was ready' "$(cat "$NS_TMP/word")" 1
is 'its end is the end' "$STATUS" 0
nok 'its path is gone' test -e "$NS_TMP/api/bess"
bess --disable-host-loopback
kill -TERM "$SL"
ended
is 'ended before anybody came' "$STATUS" 0
nok 'its path is gone too' test -e "$NS_TMP/api/bess"
is 'nobody reached the guard in any way' "$(cat "$NS_TMP/reached")" ''
ns_done

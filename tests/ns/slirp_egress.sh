#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by eval
# Where a container of slirp-lite's may go: --to and --not-to, TCP, UDP and ping, both families; what is
# refused is told at once and counted, and nothing that root of the container does inside changes it.
# Argument relay: of a container behind the box, by the relay engine.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"
. "$(dirname "$0")/slirp_behind.sh"

cat >"$NS_TMP/ask.py" <<'P'
import errno, socket, sys
host, port = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(5)
    s.connect((host, port))
    for i in range(4): # what is lost is asked again
        try:
            s.send(b'who')
            print(s.recv(256).decode().split()[0] and 'answered')
            break
        except TimeoutError:
            continue
        except OSError as e:
            print(errno.errorcode[e.errno])
            break
    else:
        print('silence')
P
udp() { inside "$1" "$PYTHON" "$NS_TMP/ask.py" "$2" "$3" 2>&1; } # NAME ADDRESS PORT
tcp() { probe_in "$1" tcp_connect "$2" "$3" 20; }
ping_says() { inside "$1" ping -n -c 1 -W 20 "$2" 2>&1 | grep -Eo '1 received|Packet filtered|Administratively prohibited' | head -n 1; }
# In the box whose slirp-lite has the options, or in one behind it.
container() { # NAME OPTION...
	local name
	name=$1
	shift
	if [ "$engine" = relay ]; then
		box_new "r$name" host -6 --engine=relay "$@"
		behind "$name" "r$name" 1
		eval "slirp_of=r$name"
	else
		box_new "$name" host -6 "$@"
		eval "slirp_of=$name"
	fi
}
container_end() {
	[ "$engine" != relay ] || behind_end "$1"
	box_end "$slirp_of"
}
engine=${1:-tap}

slirp_world
for p in 80 81; do serve_http out $p; done
for p in 7001 7003; do serve_probe out udp $p serve_udp; done
on out ip -4 addr add 198.51.100.53/24 dev eth0
serve_probe out udp 53 serve_dns 198.51.100.53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
serve host socat TCP-LISTEN:5432,bind=127.0.0.1,fork,reuseaddr EXEC:true
wait_port host tcp 5432

# --- nowhere but there ---------------------------------------------------------------------------
container a --host-loopback=tcp:5432 --to="$OUT4:80,$OUT4:7001,[$OUT6]:80-81" --to="[$OUT6]:7001"
is 'which engine' "$(told $slirp_of engine)" "$engine"
is 'where it may' "$(tcp a $OUT4 80)" connected
is 'the next port: refused' "$(tcp a $OUT4 81)" ECONNREFUSED
is 'another address' "$(tcp a $FAR4 80)" ECONNREFUSED
is 'the host' "$(tcp a $HOST4 80)" ECONNREFUSED
is 'IPv6: where it may' "$(tcp a $OUT6 81)" connected
is 'IPv6: not the next port' "$(tcp a $OUT6 82)" ECONNREFUSED
is 'IPv6: not another address' "$(tcp a $FAR6 80)" ECONNREFUSED
is 'UDP: where it may' "$(udp a $OUT4 7001)" answered
is 'UDP: not the next port' "$(udp a $OUT4 7003)" EHOSTUNREACH
is 'UDP over IPv6: where it may' "$(udp a $OUT6 7001)" answered
is 'UDP over IPv6: not the next port' "$(udp a $OUT6 7003)" EACCES
is 'no ping, for ports are listed' "$(ping_says a $OUT4)" 'Packet filtered'
is 'nor over IPv6' "$(ping_says a $OUT6)" 'Administratively prohibited'
is 'no ping of the gateway' "$(ping_says a 10.0.2.2)" 'Packet filtered'
is "nor a port of the host's loopback, unless it is listed" "$(tcp a 10.0.2.2 5432)" ECONNREFUSED
is 'names are answered all the same' "$(inside a dig +short +time=10 +tries=2 @10.0.2.3 four.test A)" 192.0.2.4
is 'over IPv6 and TCP' "$(inside a dig +short +tcp +time=10 +tries=2 @fd00::3 four.test A)" 192.0.2.4
ok 'each is counted' [ "$(told $slirp_of drop_egress)" -ge 11 ]
is 'and nothing else is' "$(told $slirp_of drop_policy)" 0
like 'status lists them' "$(told $slirp_of egress)" "*'to': '$OUT4/32:80'*'to': '\[$OUT6/128\]:7001'*"


# What is refused is said, a destination once a second.
[ "$engine" = relay ] && from=10.88.1.2 from6=fd88:1::2 || from=10.0.2.100 from6=fd00::100
lines() { grep -cF "worker: refused $1 to $2" "$NS_TMP/$slirp_of.log"; }
said() { # WHO TO CMD...: once more in the next second when it is not; another may have had its place
	[ "$(lines "$1" "$2")" -ge 1 ] && return
	shift 2
	"$@" >/dev/null
	false
}
ok 'said: TCP' ns_until 100 said "tcp $from" "$OUT4:81" tcp a $OUT4 81
ok 'said: UDP over IPv6' ns_until 100 said "udp $from6" "[$OUT6]:7003" udp a $OUT6 7003
ok 'said: ping' ns_until 100 said "ping $from" "$OUT4" ping_says a $OUT4
is 'nothing of where it may' "$(lines tcp "$from" | sed 's/$/ /')$(grep -c "to $OUT4:80\$" "$NS_TMP/$slirp_of.log")" '0 0'
since=$(cut -d. -f1 /proc/uptime)
is '200 at once' "$(probe_in a tcp_parallel $OUT4 83 200)" '0 right 200 ECONNREFUSED'
_told() { [ "$(told $slirp_of drop_egress)" -ge 211 ]; }
ok 'all are counted' _told
ok 'said: one of them' ns_until 100 said "tcp $from" "$OUT4:83" tcp a $OUT4 83
ok 'but once a second' [ "$(lines "tcp $from" "$OUT4:83")" -le $(($(cut -d. -f1 /proc/uptime) - since + 2)) ]

# Root of the container, and of the namespace that it is behind.
[ "$engine" = relay ] && other=10.88.1.77/24 || other=10.0.2.77/24
inside a ip addr add "$other" dev "$([ "$engine" = relay ] && echo eth0 || echo tap0)"
inside a curl -sS -m 60 --interface "${other%/*}" http://$FAR4/ 2>"$NS_TMP/curl.err"
is 'another address of its own: refused' $? 7
inside $slirp_of nft flush ruleset
inside a ip route flush cache
is 'its rules gone' "$(tcp a $OUT4 81 | sed 's/silence/ECONNREFUSED/')" ECONNREFUSED
before=$(worker $slirp_of)
kill -9 "$before"
_another() { [ -n "$(worker $slirp_of)" ] && [ "$(worker $slirp_of)" != "$before" ]; }
ok 'a new worker' ns_until 100 _another
is 'has them, too: UDP' "$(udp a $OUT4 7003)" EHOSTUNREACH
is 'ping' "$(ping_says a $OUT4)" 'Packet filtered'
is 'where it may' "$(udp a $OUT4 7001)" answered
container_end a

# --- everywhere else -----------------------------------------------------------------------------
container b --not-to="$OUT4:81,$FAR4/32,[$OUT6]:80" --to="0.0.0.0/0,::/0"
is 'denied, though all is allowed' "$(tcp b $OUT4 81) $(tcp b $OUT6 80) $(udp b $FAR4 7001)" 'ECONNREFUSED ECONNREFUSED EHOSTUNREACH'
is 'all but a port' "$(tcp b $OUT4 80) $(tcp b $OUT6 81) $(udp b $OUT4 7001)" 'connected connected answered'
is 'ping' "$(ping_says b $OUT4) $(ping_says b $OUT6)" '1 received 1 received'
is 'none to the address that is denied' "$(ping_says b $FAR4)" 'Packet filtered'

# Clients of its published ports are answered wherever they are.
[ "$engine" = relay ] && guest=10.88.1.2 || guest=10.0.2.100
(inside_exec b "$PYTHON" "$PROBE" serve_tcp 7200) >/dev/null 2>&1 &
NS_SERVERS="$NS_SERVERS $!"
(inside_exec b "$PYTHON" "$PROBE" serve_udp 7200) >/dev/null 2>&1 &
NS_SERVERS="$NS_SERVERS $!"
_serves() { [ "$(inside b ss -Hlntu 'sport = 7200' | grep -c .)" -ge 2 ]; }
ok 'servers inside' ns_until 100 _serves
for proto in tcp udp; do
	like "publish $proto" "$(as_user host "$PYTHON" "$PROBE" api "$NS_TMP/api/$slirp_of" \
		"{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"$proto\",\"host_port\":8080,\"guest_addr\":\"$guest\",\"guest_port\":7200}}")" '*"id"*'
done
on far ip -4 route replace $HOST4/32 via 203.0.113.1
is 'a client from where it may not go' "$(probe_on far tcp_who $HOST4 8080 10401)" "$FAR4 10401"
like 'by UDP' "$(probe_on far udp_who $HOST4 8080)" "$FAR4 *"
container_end b
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# What passes while the tables are gone, on a kernel where netd cannot hold them: its stand-in keeps
# closed what is closed, and lets connections that are there go on. netd is stopped while it is looked
# at, so that nothing is mended; what began in between is forgotten when it goes on.
. "$(dirname "$0")/netd_lib.sh"
NETNS_UP_WITHOUT=linux-6.1
export NETNS_UP_WITHOUT
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow nta default attach,publish'

nu() { on host "$NETNS_UP" "$@"; }
up() { # CONTAINER NETWORK [OPTION]...
	local c n
	c=$1 n=$2
	shift 2
	container_new "$c" host
	ok "up $c on $n" nu up "$(ns_pid "$c")" -q --name "$c" --network "$n" "$@"
}
addr() { # CONTAINER 4|6
	case $2 in
	4) on "$1" ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/' ;;
	6) on "$1" ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/' ;;
	esac
}
keep() { on host nft list table inet netd-keep 2>/dev/null; }
is_kept() { keep | grep -q 'flags owner'; }
no_keep() { ! keep >/dev/null; }
has_kept() { keep | grep -qF "$1"; }
has_rules() { on host nft list table inet netd >/dev/null 2>&1 && on host nft list table bridge netd >/dev/null 2>&1; }
is_flushed() { # whoever was about to mend has done so
	on host nft flush ruleset
	sleep 0.1
	[ "$(on host nft list tables)" = 'table inet netd-keep' ]
}
# Ten seconds, and a ping in each, until one is answered.
_reach() { on "$1" ping -q -c1 -w10 "$2" >/dev/null 2>&1 && echo "$3" >>"$NS_TMP/reached"; }
reached() { # which of these pairs reach each other, all asked at once
	local pair from to f pids p
	: >"$NS_TMP/reached"
	pids=''
	for f in 4 6; do
		for pair in "$@"; do
			from=${pair%-*} to=${pair#*-}
			case $to-$f in
			out-4) to=$OUT4 ;;
			out-6) to=$OUT6 ;;
			*) eval "to=\$A${f}_$to" ;;
			esac
			_reach "$from" "$to" "$pair/$f" &
			pids="$pids $!"
		done
	done
	for p in $pids; do wait "$p"; done
	sort "$NS_TMP/reached" | tr '\n' ' '
}
udp() { # PORT: the answer to a datagram from that port
	on out python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("", int(sys.argv[2])))
    s.settimeout(3)
    s.connect((sys.argv[1], 8053))
    s.send(b"x\n")
    s.recv(99)
    print("answered")
' "$HOST4" "$1" 2>/dev/null
}
is_answered() { [ "$(udp "$1")" = answered ]; }

up a default -p 8080:80 -p 8053:53/udp
ok 'an isolated network' nu network create i --isolate --mode routed
ok 'an internal one' nu network create n --internal
ok 'a routed one' nu network create r --mode routed
up i1 i
up i2 i
up n1 n
up r1 r
for c in a i1 i2 n1 r1; do eval "A4_$c=$(addr $c 4) A6_$c=$(addr $c 6)"; done
serve a "$NETD_PROBER" serve 80 81
wait_port a tcp 81
serve_peer a udp 53 4
serve out "$NETD_PROBER" serve 90
wait_port out tcp 90

is 'without netd there is no stand-in' "$(keep)" ''
netd_start
ok 'netd watches' ns_until 20 grep -q 'watched, not held' "$NETD_LOG"
ok 'and has a stand-in' ns_until 20 is_kept
up r2 r
eval "A4_r2=$(addr r2 4) A6_r2=$(addr r2 6)"
PAIRS='out-a out-r1 out-i1 a-r1 r1-a a-n1 n1-a i1-i2 n1-out a-out r1-out r1-r2 r2-r1'
is 'what is open' "$(reached $PAIRS)" \
	'a-out/4 a-out/6 r1-out/4 r1-out/6 r1-r2/4 r1-r2/6 r2-r1/4 r2-r1/6 '
ok 'a datagram to the published port' ns_until 20 is_answered 5353

# Connections that are there all the time: in by published ports, out by masquerade.
probe() { # NAME FROM ARGUMENT...
	local name from
	name=$1 from=$2
	shift 2
	serve "$from" "$NETD_PROBER" probe "$NS_TMP/report.$name" "$@"
	eval "probe_$name=$SERVED"
	ns_until 20 grep -q probing "$SERVED_LOG" || bail "no prober: $(cat "$SERVED_LOG")"
}
probe_end() { # NAME
	eval "SERVED=\$probe_$1"
	kill -TERM "$SERVED"
	wait "$SERVED"
	NS_SERVERS=$(_ns_without "$SERVED" "$NS_SERVERS")
	note "$1: $(cat "$NS_TMP/report.$1")"
}
n_of() { sed -nE "s/.*$2 ([0-9]+).*/\1/p" "$NS_TMP/report.$1"; }
probe in out $HOST4:8080 "[$HOST6]:8080" -- "$A4_a:80" "$A4_a:81" "[$A6_a]:81" "$A4_r1:80"
probe way_out a $OUT4:90 "[$OUT6]:90" --
ok 'another datagram, of who is there all the time' ns_until 20 is_answered 5353
kill -STOP "$NETD_PID"
ok 'everything is flushed' ns_until 10 is_flushed
is 'what is open then' "$(reached $PAIRS)" 'r1-r2/4 r1-r2/6 r2-r1/4 r2-r1/6 '
is 'the published port is closed' "$(udp 5354)" ''
ok 'but to who was there' ns_until 20 is_answered 5353
nok 'and nobody else can take the stand-in away' on host nft delete table inet netd-keep
sleep 0.3
kill -CONT "$NETD_PID"
ok 'it is mended' ns_until 20 has_rules
ok 'what began meanwhile arrives now' ns_until 20 is_answered 5354
is 'all is open again' "$(reached a-out r1-out)" 'a-out/4 a-out/6 r1-out/4 r1-out/6 '
probe_end in
probe_end way_out
is 'no closed port was reached' "$(n_of in reached)" 0
is 'no published connection broke' "$(n_of in broken)" 0
is 'nor one from inside' "$(n_of way_out broken)" 0

# It follows the networks.
ok 'another network' nu network create later --subnet 10.99.0.0/24
up l later
ok 'is in it soon' ns_until 20 has_kept 10.99.0.0/24
ok 'down' nu down l
_no_more() { ! has_kept 10.99.0.0/24; }
ok 'and out of it' ns_until 20 _no_more
kill -KILL "$NETD_PID"
netd_killed
ok 'it goes with netd' ns_until 20 no_keep
ok 'and the rules stay' has_rules
netd_start
ok 'the next one has its own' ns_until 20 is_kept
like 'the path of a packet' "$(nu explain 8080)" '*inet netd forward: ours*inet netd-keep forward: ours*'
for c in a i1 i2 n1 r1 r2; do nu down $c -q || fail "down $c"; done
ok 'it goes with the last container' ns_until 20 no_keep
is 'and nothing else is left' "$(on host nft list tables)" ''
ok 'SIGTERM' netd_stop
NETNS_UP_WITHOUT=linux-6.1,nft-owner
netd_start
ok 'where no table has an owner it is said' ns_until 20 grep -q 'open while they are gone: nft-owner is forced off' "$NETD_LOG"
ok 'SIGTERM' netd_stop
for n in i n r later; do nu network rm $n >/dev/null || fail "network rm $n"; done

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

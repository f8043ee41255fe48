#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names of containers: what they find each other by, and what they find of the rest of the world. bridge and
# routed networks, both families; the host's resolvers, loopback ones among them; networks apart; hostile
# clients; the responder killed.
. "$(dirname "$0")/lib.sh"
PROBE=$(dirname "$0")/names_probe.py
DNS=$(dirname "$0")/slirp_probe.py

nu() { on host "$NETNS_UP" "$@"; }
resolv() { # NAMESERVER...: the host's resolv.conf, in place (it is a bind mount)
	printf 'nameserver %s\n' "$@" >"$NS_TMP/host.resolv"
}
# soon DESCRIPTION GOT-BY WANTED: after a change of resolv.conf, which is read when there is time for it.
soon() {
	local what want
	what=$1 want=$2
	shift 2
	_says() {
		SAID=$("$@")
		[ "$SAID" = "$want" ]
	}
	ns_until 20 _says "$@"
	is "$what" "$SAID" "$want"
}
up() { # CONTAINER NETWORK ARGUMENT...
	local c n
	c=$1 n=$2
	shift 2
	nu up "$(ns_pid "$c")" --name "$c" --network "$n" -q "$@"
}
at() { # CONTAINER 4|6: the resolver's address, as recorded
	nu status "$1" --json | jq -r ".[0].resolver$2"
}
addr() { # CONTAINER 4|6
	nu status "$1" | awk -v f="$2" '$1 == "address" && (index($2, ":") > 0) == (f == 6) { sub("/.*", "", $2); print $2 }'
}
look() { # CONTAINER SERVER NAME TYPE [DIG OPTION...]
	local c s n t
	c=$1 s=$2 n=$3 t=$4
	shift 4
	on "$c" dig +short +time=20 +tries=1 "@$s" "$@" -q "$n" -t "$t"
}
rcode() { # the same, the status of the answer and the number of its records
	local c s n t
	c=$1 s=$2 n=$3 t=$4
	shift 4
	on "$c" dig +time=30 +tries=1 "@$s" "$@" -q "$n" -t "$t" | sed -nE 's/.*status: ([A-Z]+),.*/\1/p; s/.*ANSWER: ([0-9]+),.*/\1/p' |
		tr '\n' ' '
}
responder() { # its pids: itself, and the one that reads resolv.conf
	_ns_strays | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q 'netns-up-forwarder names' && echo "$p"
	done
}

ns_world
for c in a b c d other inner; do container_new $c host; done
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -6 addr add 2001:db8:1::53/64 dev eth0 nodad
serve out python3 "$DNS" serve_dns 198.51.100.53 53
upstream=$SERVED
wait_port out udp 53
resolv 198.51.100.53
snapshot host >"$NS_TMP/before"

for mode in bridge routed; do
	nu network create web --mode $mode -q
	ok "$mode: up" up a web --alias www --alias DB.prod
	ok "$mode: another" up b web --alias pool
	ok "$mode: a third" up c web --alias pool
	for f in 4 6; do
		s=$(at a $f)
		case $f in 4) type=A ;; 6) type=AAAA ;; esac
		is "$mode, IPv$f: by the name" "$(look b "$s" a $type)" "$(addr a $f)"
		is "$mode, IPv$f: by an alias, whatever its case" "$(look b "$s" WwW $type)" "$(addr a $f)"
		is "$mode, IPv$f: an alias with dots" "$(look b "$s" db.prod $type)" "$(addr a $f)"
		is "$mode, IPv$f: one alias of two" "$(look a "$s" pool $type | sort)" \
			"$(printf '%s\n' "$(addr b $f)" "$(addr c $f)" | sort)"
		is "$mode, IPv$f: over TCP" "$(look b "$s" a $type +tcp)" "$(addr a $f)"
		is "$mode, IPv$f: the name of an address" "$(on a dig +short +time=20 +tries=1 @"$s" -x "$(addr b $f)")" b.
		is "$mode, IPv$f: nobody's address" "$(on a dig +time=20 +tries=1 @"$s" -x "$(addr b $f | sed 's/.$/e/; s/\.e$/.250/')" |
			sed -nE 's/.*status: ([A-Z]+),.*/\1/p')" NXDOMAIN
		is "$mode, IPv$f: a type that it has not" "$(rcode b "$s" a MX)" 'NOERROR 0 '
		is "$mode, IPv$f: the rest of the world" "$(look b "$s" four.test A)" 192.0.2.4
		is "$mode, IPv$f: over TCP" "$(look b "$s" seven.test A +tcp)" 192.0.2.5
		is "$mode, IPv$f: what is too long for UDP" "$(look b "$s" big.test TXT +noedns | wc -l)" 40
		is "$mode, IPv$f: what is not there" "$(rcode b "$s" nothing.example A)" 'NXDOMAIN 0 '
	done
	is "$mode: both families at once" "$(look b "$(at a 4)" a ANY | sort)" "$(printf '%s\n' "$(addr a 4)" "$(addr a 6)" | sort)"
	like "$mode: up says it, too" "$(nu up "$(ns_pid a)" --name a --network web --alias www --alias DB.prod)" \
		"*resolver $(at a 4) $(at a 6)*"
	ok "$mode: check is content" nu check a -q
	nok "$mode: other aliases are other settings" up a web --alias www
	ok "$mode: down" nu down b -q
	is "$mode: its name is gone at once" "$(look a "$(at a 4)" pool A)" "$(addr c 4)"
	is "$mode: and is a name like any other" "$(rcode a "$(at a 4)" b A)" 'NXDOMAIN 0 '
	nu down a -q
	nu down c -q
	nu network rm web
	residue host "$NS_TMP/before" "$mode: nothing is left"
done

# What programs see.
nu network create web -q
up a web --alias www
is 'run: getent finds the neighbour' "$(nu run -q --network web -- getent ahostsv4 www | awk 'NR == 1 { print $1 }')" "$(addr a 4)"
is 'run: by IPv6' "$(nu run -q --network web -- getent ahostsv6 www | awk 'NR == 1 { print $1 }')" "$(addr a 6)"
is 'run: a name of the world' "$(nu run -q --network web -- getent ahostsv4 four.test | awk 'NR == 1 { print $1 }')" 192.0.2.4
is 'run: the name of an address' "$(nu run -q --network web -- getent hosts "$(addr a 4)" | awk '{ print $2 }')" a

# Networks with the same names; internal; without names.
nu network create two -q
nu network create in --internal -q
nu network create mute --no-names -q
up b web
up c two --alias www
up d two
up inner in --alias www --alias x.y
up other mute
is 'two networks, one name: here' "$(look b "$(at b 4)" www A)" "$(addr a 4)"
is 'and there' "$(look d "$(at d 4)" www A)" "$(addr c 4)"
is "the other network's resolver refuses" "$(rcode d "$(at a 4)" www A)" 'REFUSED 0 '
is 'by TCP it does not even talk' "$(look d "$(at a 4)" www A +tcp +time=3 2>/dev/null | grep -c '^[0-9]')" 0
is 'internal: names' "$(look inner "$(at inner 4)" www A)" "$(addr inner 4)"
is 'internal: nothing else exists' "$(rcode inner "$(at inner 4)" four.test A)" 'NXDOMAIN 0 '
is 'internal: above a name there is something' "$(rcode inner "$(at inner 4)" y A)" 'NOERROR 0 '
is 'internal: by IPv6 too' "$(look inner "$(at inner 6)" www AAAA)" "$(addr inner 6)"
is 'no names: no resolver on record' "$(at other 4)" null
is 'and nobody there' "$(rcode other "$(nu status other | sed -nE 's/.*gateway ([0-9.]+)$/\1/p')" www A +time=1)" ''

# The host's resolvers: on its loopback, several, dead.
unserve "$upstream"
is 'nobody answers: the client is told' "$(rcode b "$(at b 4)" four.test A)" 'SERVFAIL 0 '
is 'by TCP too' "$(rcode b "$(at b 4)" four.test A +tcp)" 'SERVFAIL 0 '
is 'names work all the same' "$(look b "$(at b 4)" www A)" "$(addr a 4)"
serve host python3 "$DNS" serve_dns 127.0.0.53 53
stub=$SERVED
wait_port host udp 53
resolv 198.51.100.54 127.0.0.53
soon 'a stub resolver on the loopback, after a change, after a dead one' 192.0.2.4 look b "$(at b 4)" five.test A
is 'over TCP' "$(look b "$(at b 4)" five.test A +tcp)" 192.0.2.4
unserve "$stub"
printf '# none\n' >"$NS_TMP/host.resolv"
is 'no resolver: the client is told at once' "$(rcode b "$(at b 4)" four.test A)" 'SERVFAIL 0 '

# A resolver of the host that has port 53 of every address, and is the host's own resolver.
serve host python3 "$DNS" serve_dns 0.0.0.0 53
all=$SERVED
wait_port host tcp 53
resolv 127.0.0.1
is 'beside it: names' "$(look b "$(at b 4)" www A)" "$(addr a 4)"
soon 'beside it: the world' 192.0.2.4 look b "$(at b 4)" four.test A
nu down d -q
ok 'a network made beside it' up d two
is 'has names' "$(look d "$(at d 4)" www A)" "$(addr c 4)"

# Clients that do not behave.
# An idle one is sent away after 3 s: where the machine is too busy for all to be there at once, and for a question
# before the first goes, they come again.
s=$(at b 4)
has_64() { [ "$(nsenter -t "$(ns_pid host)" -n ss -Htn state established '( sport >= 1024 )' | wc -l)" -ge 64 ]; }
wait_idle() { [ -s "$NS_TMP/idle.a" ] && [ -s "$NS_TMP/idle.b" ] && [ -s "$NS_TMP/idle.c" ] && [ -s "$NS_TMP/idle.d" ]; }
for try in 1 2 3 4 5 6 7 8; do
	rm -f "$NS_TMP"/idle.?
	for c in a b; do on $c python3 "$PROBE" idle "$s" 16 >"$NS_TMP/idle.$c" & done
	for c in c d; do on $c python3 "$PROBE" idle "$(at c 4)" 16 >"$NS_TMP/idle.$c" & done
	room=there
	while ! wait_idle; do
		has_64 || continue
		room=$(look inner "$(at inner 4)" www A +tcp +time=1 2>/dev/null | grep -c '^[0-9]')
		by_udp=$(look inner "$(at inner 4)" www A)
		break
	done
	[ "$room" != 0 ] || break
	note "no 64 connections when it was asked, try $try"
	ns_until 20 wait_idle
done
is '64 idle TCP clients: there is no room' "$room" 0
is 'but by UDP' "$by_udp" "$(addr inner 4)"
ns_until 20 wait_idle
is 'after three seconds they are closed' "$(cat "$NS_TMP"/idle.? | sort -u)" 'closed 16'
is 'and there is room' "$(look inner "$(at inner 4)" www A +tcp)" "$(addr inner 4)"
nu down c -q
nu down d -q
is 'one more than its share is closed at once' "$(on b python3 "$PROBE" share "$s" 17)" 'at once 1'
is 'half a query, then the end' "$(on b python3 "$PROBE" half "$s")" 'end'
is 'a length without an end' "$(on b python3 "$PROBE" long "$s")" 'end'
is 'hostile packets are answered or not' "$(on b python3 "$PROBE" hostile "$s")" 'alive'
is 'the spelling of a name comes back' "$(on b python3 "$PROBE" spelling "$s" wWw fOUr.TeST)" 'same same'
on b python3 "$PROBE" flood "$s" www >"$NS_TMP/flood" &
flood=$!
served=$(look a "$s" b A +time=3 +tries=8)
wait $flood
is 'a flood is cut, its neighbour is served' "$served $(cat "$NS_TMP/flood")" "$(addr b 4) cut"
ok 'the flood is over' sleep 0.6
is 'names' "$(look b "$s" www A)" "$(addr a 4)"

# Its privileges, and what becomes of it when it is killed.
p=$(responder | head -1)
is 'no capability' "$(sed -nE 's/^Cap(Prm|Eff|Bnd|Inh|Amb):\s*0*$/\1/p' "/proc/$p/status" | wc -l)" 5
is 'no new privileges, a filter' "$(sed -nE 's/^(NoNewPrivs:\s*1|Seccomp:\s*2)$/x/p' "/proc/$p/status" | wc -l)" 2
is 'an empty root' "$(find "/proc/$p/root/" -mindepth 1 2>/dev/null | wc -l)" 0
w=$(responder | tail -n 1)
isnt 'the watcher is another process' "$w" "$p"
is 'the watcher has no capability' "$(sed -nE 's/^Cap(Prm|Eff|Bnd|Inh|Amb):\s*0*$/\1/p' "/proc/$w/status" | wc -l)" 5
is 'the watcher can get none, and has a filter' "$(sed -nE 's/^(NoNewPrivs:\s*1|Seccomp:\s*2)$/x/p' "/proc/$w/status" | wc -l)" 2
is "nobody's" "$(sed -nE 's/^Uid:\s*([0-9]+)\s.*/\1/p' "/proc/$p/status")" 65534
# shellcheck disable=SC2046 # a list
ns_end $(responder)
nu check b -q
is 'killed: check misses it' "$?" 10
like 'and says what' "$(nu check b)" '*serve names*'
ok 'gc starts it again' nu gc -q
ok 'check is content' nu check b -q
is 'at the same port, with all names' "$(look b "$s" www A)" "$(addr a 4)"
# shellcheck disable=SC2046 # a list
ns_end $(responder)
ok 'killed once more: the next up' up c web --alias late
is 'all names are back' "$(look c "$s" www A) $(look c "$s" b A)" "$(addr a 4) $(addr b 4)"
is 'in the other networks too' "$(look inner "$(at inner 4)" www A)" "$(addr inner 4)"
# shellcheck disable=SC2046 # a list
ns_end $(responder)
ok 'killed: down does not mind' nu down c -q
on host nft delete table inet netd
ok 'rules lost: gc' nu gc -q
is 'names' "$(look b "$s" www A)" "$(addr a 4)"

# A command that outlives the responder.
nu run -q --network web --name long -- sh -c 'until [ -e "$1" ]; do sleep 0.1; done' sh "$NS_TMP/long.end" &
long=$!
knows_long() { [ -n "$(look b "$s" long A)" ]; }
ok 'a command has a name' ns_until 20 knows_long
# shellcheck disable=SC2046 # a list
ns_end $(responder)
nu gc -q
ok 'and has it still' knows_long
: >"$NS_TMP/long.end"
wait $long
is 'until it ends' "$(rcode b "$s" long A)" 'NXDOMAIN 0 '

unserve "$all"
for c in a b inner other; do nu down $c -q; done
for n in web two in mute; do nu network rm $n; done
resolv 198.51.100.53
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names in networks of ordinary users: neighbours by name, alias and address, the rest of the world through the uplink,
# internal networks, networks apart; and the life of the responder, which comes back by itself when it was killed, and
# holds the user's host namespace for nobody: beside a dead uplink, and with the keepers, however these end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
. "$(dirname "$0")/user_names_lib.sh"
DNS=$(dirname "$0")/slirp_probe.py

on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -6 addr add 2001:db8:1::53/64 dev eth0 nodad
serve out python3 "$DNS" serve_dns 198.51.100.53 53
upstream=$SERVED
wait_port out udp 53
printf 'nameserver 198.51.100.53\nsearch nothing.example\n' >"$NS_TMP/host.resolv"
snapshot host >"$NS_TMP/before"

is 'create' "$(nna network create web | grep -c 'without names')" 0
nna network create db -q
nna network create in --internal -q
like 'without, where that is wanted' "$(nna network create mute --no-names)" 'mute *without names'
host=$(host_of)
ok 'no container, no responder' n_responders "$host" 0
for n in a c i j m; do foreign "$n" $UID_A; done
# shellcheck disable=SC2154 # set by foreign
{ a=$box_a c=$box_c i=$box_i j=$box_j m=$box_m; }
like 'up says where names are answered' "$(nna up "$a" --network web --name a --alias www --alias DB.prod)" \
	'a eth0 *resolver 10.*.1 fd*::1'
ok 'one on another network' nna up "$c" --network db --name c --alias www -q
ok 'two on an internal one' nna up "$i" --network in --name i -q
ok 'the second' nna up "$j" --network in --name j --alias x.y -q
ok 'one on a network without names' nna up "$m" --network mute --name m -q
box b $UID_A "$NETNS_UP" run --network web --name b --alias shop -- sleep 7200
pid_of_b() { b=$(pgrep -P "$box_b" sleep); }
ns_until 20 pid_of_b || bail "run does not start: $(cat "$NS_TMP/b.out")"

# --- answers ---
s4=$(resolver_of a 4) s6=$(resolver_of a 6)
for f in 4 6; do
	case $f in 4) t=A s=$s4 ;; 6) t=AAAA s=$s6 ;; esac
	is "IPv$f: by the name" "$(look "$b" "$s" a $t)" "$(addr_of "$a" $f)"
	is "IPv$f: back" "$(look "$a" "$s" b $t)" "$(addr_of "$b" $f)"
	is "IPv$f: by an alias" "$(look "$a" "$s" shop $t)" "$(addr_of "$b" $f)"
	is "IPv$f: one with dots, whatever its case" "$(look "$b" "$s" db.PROD $t)" "$(addr_of "$a" $f)"
	is "IPv$f: over TCP" "$(look "$b" "$s" www $t +tcp)" "$(addr_of "$a" $f)"
	is "IPv$f: the name of an address" "$(inside "$a" dig +short +time=20 "@$s" -x "$(addr_of "$b" $f)")" b.
	is "IPv$f: the rest of the world" "$(look "$b" "$s" four.test A)" 192.0.2.4
	is "IPv$f: over TCP" "$(look "$a" "$s" seven.test A +tcp)" 192.0.2.5
	is "IPv$f: what is not there" "$(rcode "$b" "$s" nothing.example A)" 'NXDOMAIN 0 '
done
is 'the other network: its own www' "$(look "$c" "$(resolver_of c 4)" www A)" "$(addr_of "$c" 4)"
is 'not the names of this one' "$(rcode "$c" "$(resolver_of c 4)" a A)" 'NXDOMAIN 0 '
is "this one's resolver tells it nothing" "$(look "$c" "$s4" www A +time=1 +tries=1 2>/dev/null | grep -c '^[0-9]')" 0
is 'internal: names' "$(look "$i" "$(resolver_of i 4)" x.y A)" "$(addr_of "$j" 4)"
is 'internal: over IPv6' "$(look "$i" "$(resolver_of i 6)" j AAAA)" "$(addr_of "$j" 6)"
is 'internal: nothing else' "$(rcode "$i" "$(resolver_of i 4)" four.test A)" 'NXDOMAIN 0 '
is 'without names: no resolver on record' "$(resolver_of m 4)" null
like "run: the network's resolver, the host's search list" "$(inside "$b" true && nna run --network web -q -- cat /etc/resolv.conf)" \
	"nameserver $s4
nameserver $s6
*search nothing.example*"
is 'run: a program finds its neighbour' "$(nna run --network web -q -- getent ahostsv4 www | awk 'NR == 1 { print $1 }')" "$(addr_of "$a" 4)"
is 'run: and the world' "$(nna run --network web -q -- getent ahostsv4 four.test | awk 'NR == 1 { print $1 }')" 192.0.2.4
like 'run: without names, the uplink is its resolver' "$(nna run --network mute -q -- cat /etc/resolv.conf)" '*10.0.2.3*'
ok 'a name is gone when down returns' nna down b -q
is 'it is' "$(rcode "$a" "$s4" b A)" 'NXDOMAIN 0 '
kill -TERM "$box_b"

# --- the host's resolvers, by the uplink ---
unserve "$upstream"
serve host python3 "$DNS" serve_dns 127.0.0.53 53
stub=$SERVED
wait_port host udp 53
printf 'nameserver 127.0.0.53\n' >"$NS_TMP/host.resolv"
by_stub() { [ "$(look "$a" "$s4" five.test A +time=2 +tries=1)" = 192.0.2.4 ]; }
ok "a stub resolver on the host's loopback" ns_until 40 by_stub
unserve "$stub"
is 'nobody answers: the client is told' "$(rcode "$a" "$s4" four.test A)" 'SERVFAIL 0 '

# --- its privileges, and its end ---
foreign d $UID_A
# shellcheck disable=SC2154 # set by foreign
d=$box_d
ok 'a neighbour' nna up "$d" --network web --name d -q
knows_d() { [ "$(look "$a" "$s4" d A +time=20 +tries=1)" = "$(addr_of "$d" 4)" ]; }
ok 'by its name' knows_d
p=$(responders "$host")
is 'one process for all networks' "$(echo "$p" | wc -w)" 1
is 'no capability' "$(sed -nE 's/^Cap(Prm|Eff|Bnd|Inh|Amb):\s*0*$/\1/p' "/proc/$p/status" | wc -l)" 5
is 'no new privileges, a filter' "$(sed -nE 's/^(NoNewPrivs:\s*1|Seccomp:\s*2)$/x/p' "/proc/$p/status" | wc -l)" 2
is 'an empty root' "$(find "/proc/$p/root/" -mindepth 1 2>/dev/null | wc -l)" 0
is 'it is on record' "$(names_pid)" "$p"
hold_keepers
kill -KILL "$p"
ok 'killed' ns_until 20 n_responders "$host" 0
nna check a -q 2>/dev/null
is 'check misses it' $? 10
like 'and says what' "$(nna check a 2>/dev/null)" '*serve names*'
ok 'gc starts it again' nna gc -q
ok 'check is content' nna check a -q
ok 'with all names' knows_d
is 'of all networks' "$(look "$i" "$(resolver_of i 4)" j A)" "$(addr_of "$j" 4)"
kill -KILL "$(responders "$host")"
ns_until 20 n_responders "$host" 0
is 'killed once more: the next call starts it' "$(nna run --network db -q -- getent ahostsv4 c | awk 'NR == 1 { print $1 }')" "$(addr_of "$c" 4)"
ok 'with the names of the others' knows_d
is 'the one that is there is on record' "$(names_pid)" "$(responders "$host")"
free_keepers

# By itself, whichever keeper is the older, with all names.
knows_all() { knows_d && [ "$(look "$i" "$(resolver_of i 4)" j A +time=20 +tries=1)" = "$(addr_of "$j" 4)" ]; }
is_other() { # OLD-PID
	n_responders "$host" 1 && [ "$(responders "$host")" != "$1" ] && [ "$(names_pid)" = "$(responders "$host")" ]
}
for k in 0 1 2; do
	p=$(responders "$host")
	one=$(named netns-up-host | sed -n "${k}p")
	# shellcheck disable=SC2086 # one or two
	kill -KILL $p $one
	ok "killed ($k): another one comes by itself" ns_until 60 is_other "$p"
	ok "killed ($k): it knows all names" ns_until 60 knows_all
	ok "killed ($k): two keepers" ns_until 20 has_keepers 2
done

hold_keepers
kill -KILL "$(named slirp-lite | head -n 1)"
ns_until 20 no_slirp
ok 'the uplink is killed: names are answered' knows_d
is 'the world is not' "$(rcode "$a" "$s4" four.test A)" 'SERVFAIL 0 '
serve out python3 "$DNS" serve_dns 198.51.100.53 53
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
ok 'gc starts the uplink again' nna gc -q
by_out() { [ "$(look "$a" "$s4" four.test A +time=2 +tries=1)" = 192.0.2.4 ]; }
ok 'so is the world' ns_until 40 by_out
free_keepers

p=$(responders "$host")
for k in 1 2; do
	one=$(named netns-up-host | sed -n "${k}p")
	kill -KILL "$one"
	ok "a keeper is killed ($k): there are two again" ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$one"
	ok 'two' ns_until 20 has_keepers 2
done
is 'the responder is the same' "$(responders "$host")" "$p"
ok 'and answers' knows_d

# --- the keepers' end is its own ---
# shellcheck disable=SC2086,SC2046 # a list
all_killed() { kill -STOP $keepers && kill -KILL $keepers; }
# Not even one that is stopped, and sees nothing, keeps the namespace.
killed_beside_a_stopped_one() {
	kill -STOP "$(responders "$host")"
	ns_until 20 grep -qs '^State:.T' "/proc/$(responders "$host")/status"
	all_killed
}
by_order() { kill -TERM "$(named netns-up-host | head -n 1)"; }
by_logout() { on host rm -rf /run/user/$UID_A/netns-up; }
for how in all_killed killed_beside_a_stopped_one by_order by_logout; do
	keepers=$(named netns-up-host)
	ok "$how: a responder is there" n_responders "$(host_of)" 1
	$how
	ok "$how: nobody is left in the namespace" ns_until 20 is_empty "$host"
	ok "$how: nor the uplink" ns_until 20 no_slirp
	ok "$how: the containers' links go" ns_until 20 sh -c '! nsenter -t "$1" -U -n ip link show eth0 2>/dev/null' sh "$a"
	nna network create web -q 2>/dev/null
	host=$(host_of)
	ok "$how: the next call begins anew" nna up "$a" --network web --name a -q
	ok "$how: with another" nna up "$d" --network web --name d -q
	s4=$(resolver_of a 4)
	ok "$how: names are there" knows_d
done
nna down a -q
nna down d -q
is 'nobody is to miss it' "$(names_pid)" 0
ok 'with the last container it ends' ns_until 20 n_responders "$host" 0
ok 'the keepers do not' has_keepers 2
ok 'the last network' nna network rm web
ok 'nobody is left' ns_until 20 is_empty "$host"
# A user without subordinate ids: root of his host is all that the responder can be.
nnb network create web -q
host=$(host_of)
box e $UID_B "$NETNS_UP" run --network web --name e -- sleep 7200
knows_e() { [ "$(nnb run --network web -q -- getent ahostsv4 e 2>/dev/null | awk 'NR == 1 { print $1 }')" != '' ]; }
ok 'a user with one id: names' ns_until 20 knows_e
p=$(responders "$host")
is 'no capability' "$(sed -nE 's/^Cap(Prm|Eff|Bnd|Inh|Amb):\s*0*$/\1/p' "/proc/$p/status" | wc -l)" 5
kill -KILL "$p"
is_other_b() { # OLD-PID
	set -- "$1" "$(names_pid $UID_B)"
	[ -n "$2" ] && [ "$2" != "$1" ] && ns_alive "$2"
}
ok 'killed: another one comes by itself' ns_until 60 is_other_b "$p"
ok 'with the name' ns_until 20 knows_e
kill -TERM "$box_e"
gone_e() { nnb network rm web 2>/dev/null; }
ok 'the last one' ns_until 20 gone_e
ok 'nobody is left in it' ns_until 20 is_empty "$host"
on host rm -rf /run/user/$UID_A/netns-up /run/user/$UID_B/netns-up
for p in $a $c $box_i $j $m $d; do kill -KILL "$p"; done
printf 'nameserver 198.51.100.53\nsearch nothing.example\n' >"$NS_TMP/host.resolv"
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ten containers of an ordinary user's on two networks, each a server of TCP and UDP and a client of all others, both
# families: by name within a network, not at all across, by published ports from outside and across, with the real
# addresses everywhere; one that is told to be on both; and nothing left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
. "$(dirname "$0")/user_names_lib.sh"

cp "$(dirname "$0")/user_many.py" "$NS_TMP/many.py"
chmod 644 "$NS_TMP/many.py"
many() { # PID VERB...: in the container, with a resolv.conf of the resolvers of $resolv
	local p
	p=$1
	shift
	inside "$p" unshare -m sh -c 'mount -n --bind "$1" /etc/resolv.conf && shift && exec "$@"' sh "$NS_TMP/resolv.$resolv" \
		python3 -B "$NS_TMP/many.py" "$@"
}
all_but() { # NAME NAME...
	local one n
	one=$1
	shift
	for n; do [ "$n" = "$one" ] || printf '%s ' "$n"; done
}
others() { # NAME: its neighbours
	case $1 in w*) all_but "$1" w1 w2 w3 w4 w5 ;; d*) all_but "$1" d1 d2 d3 d4 d5 ;; esac
}
strangers() { # NAME: who is on the other network
	case $1 in w*) echo d1 d2 d3 d4 d5 ;; d*) echo w1 w2 w3 w4 w5 ;; esac
}
pid_at() { eval "echo \"\$pid_$1\""; }
addresses() { # NAME...
	local n
	for n; do addr_of "$(pid_at "$n")" 4 && addr_of "$(pid_at "$n")" 6; done
}
each_does() { # DESCRIPTION WANTED FUNCTION: all ten at once; what they said
	local n started
	started=''
	for n in $ALL; do
		"$3" "$n" >"$NS_TMP/did.$n" 2>&1 &
		started="$started $!"
	done
	# shellcheck disable=SC2086 # a list
	wait $started
	for n in $ALL; do is "$n: $1" "$(cat "$NS_TMP/did.$n")" "$2"; done
}
# shellcheck disable=SC2046 # a list
reaches() { resolv=$(net_of "$1") many "$(pid_at "$1")" reach $(others "$1"); }
# shellcheck disable=SC2046 # a list
is_closed() { resolv=$(net_of "$1") many "$(pid_at "$1")" closed $(addresses $(strangers "$1")); }
# shellcheck disable=SC2046 # a list
knows_not() { resolv=$(net_of "$1") many "$(pid_at "$1")" unknown $(strangers "$1"); }
is_seen() {
	resolv=$(net_of "$1")
	many "$(pid_at "$1")" seen "$OUT4" && many "$(pid_at "$1")" seen "$OUT6"
}
net_of() { case $1 in w*) echo web ;; d*) echo db ;; esac; }
ALL='w1 w2 w3 w4 w5 d1 d2 d3 d4 d5'

on out ip -4 addr add 198.51.100.53/24 dev eth0
serve out python3 "$(dirname "$0")/slirp_probe.py" serve_dns 198.51.100.53 53
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
serve out python3 -B "$NS_TMP/many.py" serve out
wait_port out tcp 80
snapshot host >"$NS_TMP/before"

# --- up: four of `run` and one that was there on each network ---
for n in web db; do
	ok "network $n" nna network create $n -q
	nna network inspect $n | jq -r '.subnets[] | "nameserver " + .gateway' >"$NS_TMP/resolv.$n"
done
host=$(host_of)
port=18100
for n in $ALL; do
	port=$((port + 1))
	case $n in
	?5)
		foreign "$n" $UID_A
		eval "pid_$n=\$box_$n"
		ok "$n: up" nna up "$(pid_at "$n")" --name "$n" --network "$(net_of "$n")" -q -p $port:80 -p $port:80/udp
		(inside "$(pid_at "$n")" setpriv --pdeathsig KILL python3 -B "$NS_TMP/many.py" serve "$n") >"$NS_TMP/$n.out" 2>&1 &
		NS_SERVERS="$NS_SERVERS $!"
		eval "server_$n=$!"
		;;
	*) box "$n" $UID_A "$NETNS_UP" run -q --name "$n" --network "$(net_of "$n")" -p $port:80 -p $port:80/udp -- \
		python3 -B "$NS_TMP/many.py" serve "$n" ;;
	esac
done
serves() { grep -q ready "$NS_TMP/$1.out"; }
for n in $ALL; do
	ns_until 120 serves "$n" || bail "$n does not serve: $(cat "$NS_TMP/$n.out")"
	case $n in ?5) ;; *) eval "pid_$n=\$(pgrep -P \"\$box_$n\" python3)" ;; esac
done
is 'ten are up' "$(nna ls --json | jq -r '[.[] | .network] | group_by(.) | map("\(length) \(.[0])") | join(" ")')" '5 db 5 web'

# --- within a network, across, out and in ---
each_does 'reaches its neighbours by name' '16 of 16' reaches
each_does 'does not reach the other network' '0 of 20' is_closed
each_does 'does not know its names' '5 of 5' knows_not
each_does 'is seen outside as the host' "out $HOST4
out $HOST6" is_seen
# shellcheck disable=SC2086 # a list
is 'published ports: all are reached, and see who asks' "$(on out python3 -B "$NS_TMP/many.py" ports 18101 $HOST4 $HOST6 $ALL 2>&1)" '40 of 40'
resolv=web
like 'across, by a published port' "$(many "$(pid_at w1)" seen $HOST4 18106)" 'd1 *'
like 'back, over IPv6' "$(many "$(pid_at d5)" seen $HOST6 18105)" 'w5 *'

# --- told: one that is on both ---
foreign both $UID_A
ok 'one on the first network' nna up "$box_both" --name both --network web -q
ok 'and on the second' nna up "$box_both" --name both --network db --ifname eth1 -q
for resolv in web db; do
	case $resolv in web) list='w1 w2 w3 w4 w5' ;; db) list='d1 d2 d3 d4 d5' ;; esac
	# shellcheck disable=SC2086 # a list
	is "it reaches all of $resolv" "$(many "$box_both" reach $list 2>&1)" '20 of 20'
done
is 'the others stay apart' "$(is_closed w1) $(is_closed d1)" '0 of 20 0 of 20'

# --- the end ---
for n in $ALL; do
	case $n in ?5) eval "kill -KILL \$server_$n \$pid_$n" ;; *) eval "kill -TERM \$box_$n" ;; esac
done
kill -KILL "$box_both"
# A command that ended takes its network down; of a container that just died gc does.
none_up() { nna gc -q && [ "$(nna ls | wc -l)" -eq 1 ]; }
ok 'all end' ns_until 120 none_up
ok 'no port is served' [ -z "$(on host ss -Hlntu 'sport >= 18101 and sport <= 18110')" ]
ok 'the networks go' nna network rm web
ok 'both' nna network rm db
ok 'nobody is left in the namespace' ns_until 20 is_empty "$host"
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rates of a container: at up, while it runs, in both directions and modes, and back to none. What is
# told apart is a limit of 20 Mbit/s (with its burst) from a path of thousands.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }
# Mbit/s of 2 MB at most in a second, to the container (-R) or from it; 0 when nothing was measured.
mbits() { # CONTAINER [-R]
	ns_iperf on "$1" iperf3 -c $OUT4 -t 1 -J ${2+"$2"} |
		python3 -c 'import json, sys; print(int(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6))' \
			2>/dev/null || echo 0
}
# A second in which others have the processors shows nothing but that it is not too much: one of eight is enough.
limited() { # CONTAINER [-R]
	local n try
	for try in 1 2 3 4 5 6 7 8; do
		n=$(mbits "$@")
		[ "$n" -le 60 ] || break
		[ "$n" -lt 5 ] || return 0
	done
	echo "$n Mbit/s, try $try"
	return 1
}
free() { # CONTAINER [-R]
	local n try
	for try in 1 2 3 4 5 6 7 8; do
		n=$(mbits "$@")
		[ "$n" -lt 100 ] || return 0
	done
	echo "$n Mbit/s"
	return 1
}

ns_world
snapshot host >"$NS_TMP/before"
serve out iperf3 -s
wait_port out tcp 5201
for mode in bridge routed; do
	ok "$mode: network" nu network create $mode --mode $mode
	container_new c host
	ok "$mode: up with limits" nu up "$(ns_pid c)" --network $mode --name c --rate-in 20mbit --rate-out 20000kbit
	like "$mode: status has the one" "$(nu status c)" '*rate in    20mbit*'
	like "$mode: and the other" "$(nu status c)" '*rate out   20mbit*'
	like "$mode: JSON too" "$(nu status c --json)" '*"rate":*"in": 20000000*"out": 20000000*'
	ok "$mode: the same again" nu up "$(ns_pid c)" --network $mode --name c --rate-in 20mbit --rate-out 20mbit
	ok "$mode: and without naming them" nu up "$(ns_pid c)" --network $mode --name c
	nok "$mode: with another limit it is another one" nu up "$(ns_pid c)" --network $mode --name c --rate-in 30mbit
	ok "$mode: to the container" limited c -R
	ok "$mode: from it" limited c
	ok "$mode: one direction is freed" nu limit c --rate-in none
	ok "$mode: to the container without a limit" free c -R
	ok "$mode: from it as before" limited c
	ok "$mode: the other too" nu limit c --rate-out none
	ok "$mode: from it without a limit" free c
	is "$mode: nothing is left of them" "$(on host ip -o link show type ifb)" ''
	ok "$mode: a limit while it runs" nu limit c --rate-out 20mbit
	ok "$mode: holds" limited c
	ok "$mode: check finds nothing" nu check c
	on host tc qdisc del dev "$(nu status c | sed -n 's/^  host link  \([^ ]*\).*/\1/p')" ingress
	nok "$mode: check finds a lost limit" nu check c
	ok "$mode: up mends it" nu up "$(ns_pid c)" --network $mode --name c --rate-out 20mbit
	ok "$mode: it holds again" limited c
	for word in 0bit 7999bit 20 mbit 20Mbit -1mbit 1.5mbit 99999999999gbit '' '20mbit '; do
		nok "$mode: no rate: '$word'" nu limit c --rate-in "$word"
	done
	nok "$mode: of nobody" nu limit nobody --rate-in 20mbit
	nok "$mode: nothing to do" nu limit c
	like "$mode: nothing changed" "$(nu status c)" '*rate out   20mbit*'
	ok "$mode: down" nu down c
	ns_kill c
	ok "$mode: the network goes" nu network rm $mode
done
residue host "$NS_TMP/before" 'nothing is left'
ns_done

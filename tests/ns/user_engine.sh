#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user asks for an engine: for his networks, whose way out is one, and for a container that is alone.
# What does not work here is refused by the name of what is missing, and changes nothing; what was asked for is on
# record, and holds when the way out is started again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

FILES=/run/user/$UID_A/netns-up
nothing_made() { # AFTER WHAT
	ok "$1: no process" ns_until 30 has_keepers 0
	ok "$1: no way out" ns_until 30 no_slirp
	is "$1: no file" "$(on host find $FILES -mindepth 1 ! -name lock 2>/dev/null)" ''
}
asked() { # NAME: engine, what was asked for and why, by its status
	nna status "$1" --json | jq -r '.[0] | [.engine // .uplink_engine, .engine_asked // .uplink_engine_asked,
		.engine_why // .uplink_engine_why] | join(" ")'
}
without=${NETNS_UP_WITHOUT:-}
without() { # FEATURE: the kernel has none of it from now on; '': as it is
	NETNS_UP_WITHOUT=$without
	[ -z "$1" ] || NETNS_UP_WITHOUT=${without:+$without,}$1
}

serve_http out 80
snapshot host >"$NS_TMP/before"

# --- what does not work here ---
for missing in tproxy policy-routing; do
	without $missing
	refused 8 "*relay engine: no *($missing)*" network create web --engine relay
	nothing_made "no $missing"
done
without ''
refused 2 '*--engine*expected tap or relay*splice*' network create web --engine splice
like 'root has no engine to choose' "$(on host "$NETNS_UP" network create web --engine tap 2>&1)" '*--engine: only for networks*without root*'

# --- networks: the one that is asked for first is that of all ---
ok 'relay, by name' nna network create web --engine relay -q
foreign a $UID_A
# shellcheck disable=SC2154 # set by eval
a=$box_a
refused 8 '*--engine: only for a container*no network*' up "$a" --network web --engine tap
ok 'a container' nna up "$a" --network web --name a -q
like 'status says that it was asked for' "$(nna status a)" '*engine     relay: asked for*'
is 'as JSON' "$(asked a)" 'relay relay asked for'
is 'it works' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
ok 'by the kernel' [ "$(uplink through_opened)" -ge 1 ]
ok 'the same once more' nna network create web --engine relay -q
ok 'another network that does not mind' nna network create db -q
refused 4 '*one way out*relay*asked for already*' network create other --engine tap
is 'that network is not there' "$(nna network ls | grep -c other)" 0
refused 6 '*web*' network rm web

# Killed, and started again where the kernel has it no longer: by the record, that one or none.
end_uplink() {
	local p
	p=$(named slirp-lite | head -n 1)
	kill -KILL "$p"
	ns_until 30 sh -c '! kill -0 "$1" 2>/dev/null' sh "$p"
}
comes_back() { nna gc -q && [ "$(asked a)" = "$1" ]; }
end_uplink
ok 'after a restart of the way out it is the same' ns_until 30 comes_back 'relay relay asked for'
is 'it works as before' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
ok 'the container goes' nna down a -q
ok 'db' nna network rm db
ok 'web' nna network rm web
nothing_made 'relay'

# --- the tap engine, and one that nobody asked for ---
ok 'tap, by name' nna network create web --engine tap -q
ok 'a container on it' nna up "$a" --network web --name a -q
is 'as JSON' "$(asked a)" 'tap tap asked for'
is 'it works' "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'by the tap' "$(uplink through_opened)" 0
end_uplink
ok 'it is the same after a restart' ns_until 30 comes_back 'tap tap asked for'
ok 'the container goes' nna down a -q
ok 'the network too' nna network rm web
nothing_made 'tap'
ok 'a network that asks for none' nna network create web -q
refused 4 '*up by the tap engine (the default) already*' network create db --engine relay
ok 'what is used may be asked for' nna network create db --engine tap -q
refused 2 '*' network create web --engine relay --subnet 192.0.2.1/24
for n in web db; do
	ok "$n goes" nna network rm $n
done
nothing_made 'none'

# --- a container that is alone ---
without tproxy
refused 8 '*relay engine: no transparent proxying (tproxy)*' up "$a" --engine relay
nothing_made 'alone, no tproxy'
without ''
ok 'alone: tap' nna up "$a" --engine tap --name a -q
is 'alone: tap, as JSON' "$(asked a)" 'tap tap asked for'
ok 'alone: the same once more' nna up "$a" --engine tap --name a -q
refused 4 '*up by the tap engine (asked for) already*' up "$a" --engine relay --name a
ok 'alone: down' nna down a -q
ok 'alone: relay' nna up "$a" --engine relay --name a -q
is 'alone: relay, for what is behind it' "$(asked a)" 'relay relay asked for, for what is behind the namespace'
is 'alone: its own TCP goes by the tap' "$(get "$a" "http://$OUT4/cgi-bin/peer"; uplink through_opened)" "$HOST4
0"
ok 'alone: down again' nna down a -q
is 'run, alone' "$(nna run --engine tap -- curl -sS -m 20 "http://$OUT4/cgi-bin/peer")" "$HOST4"
nothing_made 'alone'

unserve "$a"
on host rm -rf $FILES
residue host "$NS_TMP/before" 'nothing is left'
ns_done

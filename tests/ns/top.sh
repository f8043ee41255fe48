#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# top with root: counters are the kernel's, rates follow from two looks; at a terminal it goes on until q, Ctrl-C or a
# signal, and gives the terminal back. (Without root: user.sh.)
. "$(dirname "$0")/lib.sh"
TERMINAL=$(dirname "$0")/terminal.py

nu() { on host "$NETNS_UP" "$@"; }
at_tty() { # WHAT ARGUMENTS: what it gets, at most 120 seconds long
	local what
	what=$1
	shift
	on host env -u NO_COLOR TERM=xterm timeout 120 python3 -B "$TERMINAL" "$what" "$NETNS_UP" "$@"
}
of() { jq -r ".[] | select(.id == \"$1\") | $2"; }

ns_world
snapshot host >"$NS_TMP/before"
is 'nothing is up: the heading' "$(nu top --once | tr -s ' ')" \
	'ID INTERFACE IN bit/s OUT bit/s IN pkt/s OUT pkt/s IN bytes OUT bytes DROPPED NETWORK'
is 'as JSON' "$(nu top --json)" '[]'
residue host "$NS_TMP/before" 'looking makes nothing'

container_new a host
container_new b host
ok 'a container' nu up "$(ns_pid a)" --name a -q
ok 'one on another network' nu network create back --mode routed -q
ok 'another container' nu up "$(ns_pid b)" --name b --network back -q
serve_http out 80
head -c 3000000 /dev/zero >"$NS_TMP/www.out/big"
is 'three megabytes go in' "$(on a curl -sS -m 120 "http://$OUT4/big" | wc -c)" 3000000
link=$(nu status a | sed -nE 's/.*host link +(nu[0-9a-f]+).*/\1/p')
count() { on host cat "/sys/class/net/$link/statistics/$1"; }
low=$(count tx_bytes)
nu top --json >"$NS_TMP/json"
seen=$(of a .in.bytes <"$NS_TMP/json")
ok "its bytes are the kernel's: $low, $seen" [ "$low" -le "$seen" ]
ok 'and no more' [ "$seen" -le "$(count tx_bytes)" ]
ok 'three megabytes, at least' [ "$seen" -ge 3000000 ]
ok 'out is the other direction' [ "$(of a .out.bytes <"$NS_TMP/json")" -lt 3000000 ]
is 'names' "$(of b '.ifname + " " + .network' <"$NS_TMP/json")" 'eth0 back'
is 'what rests has a rate too' "$(of b '.rate | has("in_bits")' <"$NS_TMP/json")" true

# Somebody is busy, as long as it takes.
serve a sh -c "while :; do curl -sS -m 60 http://$OUT4/big >/dev/null; done"
is_busy() { nu top --json | of a '.rate.in_bits > 1000000 and .rate.in_packets > 1' | grep -qx true; }
ok 'a rate is seen' ns_until 60 is_busy
first_is_a() { nu top --once | sed -n '2s/ .*//p' | grep -qx a; }
ok 'the busiest comes first' ns_until 60 first_is_a
is 'one alone' "$(nu top --once b | sed 1d | tr -s ' ' | cut -d' ' -f1,2)" 'b eth0'
nu top --once nothing >/dev/null 2>"$NS_TMP/err"
is 'one that is not there' $? 3
is 'a number of rounds' "$(nu top -n 2 -i 1 | grep -c '^ID ')" 2
ok 'a pipe gets no escapes' sh -c '! grep -q "$(printf "\033")" "$1"' sh "$NS_TMP/json"

# --- at a terminal ---
esc=$(printf '\033')
out=$(at_tty KEYS=q top -i 30)
is 'q ends it, and the terminal is as it was' $? 0
like 'it was drawn at once, before there are rates' "$out" "*$esc\\[H$esc\\[2J*IN bit/s*eth0 * - *"
out=$(at_tty "KEYS=xyQ" top -i 30)
is 'Q too, other keys do nothing' $? 0
out=$(at_tty "KEYS=$(printf '\003')" top -i 30)
is 'Ctrl-C as well' $? 0
nok 'no key is echoed' sh -c 'case $1 in *"^C"*) exit 0 ;; *) exit 1 ;; esac' sh "$out"
like 'for so many rounds' "$(at_tty OUT top -n 2 -i 1)" "*$esc\\[2J*$esc\\[2J*$esc\\[2J*"
like '--once is plain there' "$(at_tty OUT top --once -i 1)" "*IN bit/s*"
nok 'really' sh -c 'case $1 in *"$2[2J"*) exit 0 ;; *) exit 1 ;; esac' sh "$(at_tty OUT top --once -i 1)" "$esc"
out=$(at_tty TERM top -i 30)
is 'SIGTERM, and the terminal is as it was' $? 0

unserve "$SERVED"
ok 'down' nu down a -q
ok 'down' nu down b -q
ok 'rm' nu network rm back
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where a container may go, by --to and --not-to of `run` and `up`: without root, alone and on a network
# of several, and with root. What cannot be kept is refused, not passed over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

for p in 80 81; do serve_http out $p; done
snapshot host >"$NS_TMP/before"
code() { # CMD... with a curl at its end: 0, or what curl says; 7 is refused at once, 28 a time-out
	"$@" -sS -g --connect-timeout 30 -m 60 -o /dev/null --noproxy '*' "$url" 2>/dev/null
	echo $?
}
at() { # PID URL
	url=$2
	code inside "$1" curl
}

# --- alone ----------------------------------------------------------------------------------------
url=http://$OUT4/hello
is 'run: where it may' "$(code nna run --to $OUT4:80 -- curl)" 0
url=http://$OUT4:81/hello
is 'run: not the next port' "$(code nna run --to $OUT4:80 -- curl)" 7
is 'run --own-net: root of its network neither' "$(code nna run --own-net --to $OUT4:80 -- curl)" 7
url=http://[$OUT6]/hello
is 'run: no IPv6, for none is listed' "$(code nna run --to $OUT4:80 -- curl)" 7
is 'run --not-to' "$(code nna run --not-to "[$OUT6]:80" -- curl)" 7
is 'run --not-to: else it may' "$(code nna run --not-to "[$OUT6]:81" -- curl)" 0
out=$(nna run --to 192.0.2.1/24 -- true 2>&1)
is 'a text that is none: exit code' $? 125
like 'says which' "$out" '*--to: *192.0.2.1/24*host bits*'
nna network create mute --no-names -q
out=$(nna run --network mute --to example.org -- true 2>&1)
is 'a name on a network without resolver: exit code' $? 125
like 'says why' "$out" '*has no resolver*'
nna network rm mute
is 'a name with root' "$(on host "$NETNS_UP" run -q --to example.org -- echo yes)" yes
is 'a name without root' "$(nna run --to example.org -- echo yes)" yes
foreign a $UID_A
a=$box_a
ok 'up' nna up "$a" --to "$OUT4:80,[$OUT6]:81" --not-to $HOST4 -q
is 'up: where it may' "$(at "$a" http://$OUT4/hello) $(at "$a" "http://[$OUT6]:81/hello")" '0 0'
is 'up: not elsewhere' "$(at "$a" http://$OUT4:81/hello) $(at "$a" "http://[$OUT6]/hello")" '7 7'
nna up "$a" --to "$OUT4:80,[$OUT6]:81,example.org" --not-to $HOST4 -q >/dev/null 2>&1
is 'up with a name: other destinations' $? 4
ok 'the same once more' nna up "$a" --to "$OUT4:80,[$OUT6]:81" --not-to $HOST4 -q
out=$(nna up "$a" --to $OUT4:80 2>&1)
is 'with others: exit code' $? 4
like 'with others: says why' "$out" '*other destinations*'
out=$(nna up "$a" 2>&1)
is 'with none: exit code' $? 4
like 'status lists them' "$(nna status "$a" --json | tr -d ' \n')" "*\"egress\":\[{\"to\":\"$OUT4/32:80\"}*{\"notTo\":\"$HOST4/32\"}\]*"
ok 'down' nna down "$a" -q
ok 'up again, everywhere' nna up "$a" -q
is 'is everywhere' "$(at "$a" http://$OUT4:81/hello)" 0
nna down "$a" -q

# --- on a network of several ------------------------------------------------------------------------
nna network create web -q
foreign b $UID_A
b=$box_b
ok 'up on a network' nna up "$b" --network web --to $OUT4:80 -q
ok 'a neighbour' nna up "$a" --network web -q
is 'where it may' "$(at "$b" http://$OUT4/hello)" 0
is 'not elsewhere' "$(at "$b" http://$OUT4:81/hello) $(at "$b" "http://[$OUT6]/hello")" '7 7'
nok 'no ping' inside "$b" ping -q -c 1 -W 2 $OUT4
ok 'its neighbour may' inside "$a" ping -q -c 1 -W 20 $OUT4
is 'its neighbour goes everywhere' "$(at "$a" http://$OUT4:81/hello) $(at "$a" "http://[$OUT6]/hello")" '0 0'
inside "$b" ip addr add "$(addr_of "$a" 4)/32" dev eth0
inside "$b" curl -sS -m 2 --interface "$(addr_of "$a" 4)" "http://$OUT4:81/hello" >"$NS_TMP/as.a" 2>/dev/null
is "its neighbour's address does not help" "$(cat "$NS_TMP/as.a")" ''
out=$(nna up "$b" --network web --to $OUT4:81 2>&1)
is 'up with others: exit code' $? 4
like 'up with others: says why' "$out" '*other destinations*'
inside "$b" setpriv --pdeathsig KILL busybox httpd -f -p 80 -h "$NS_TMP/www.out" &
NS_SERVERS="$NS_SERVERS $!"
_listens() { [ -n "$(inside "$b" ss -Hltn 'sport = 80')" ]; }
ok 'a server in it' ns_until 100 _listens
port=$(nna publish "$b" 0:80 | sed -nE 's/^published ([0-9]+):.*/\1/p')
is 'a client of its published port is answered' "$(http out "http://$HOST4:$port/hello")" 'hello from out'
url=http://$OUT4:81/hello
is 'run on a network' "$(code nna run --network web --to $OUT4:80 -- curl)" 7
for p in "$a" "$b"; do nna down "$p" -q; done
ok 'the network goes' nna network rm web
ok 'no process stays' ns_until 100 no_slirp

# --- with root --------------------------------------------------------------------------------------
container_new c host
ok 'up by root' on host "$NETNS_UP" up "$(ns_pid c)" --name c --to $OUT4:80 -q
url=http://$OUT4/hello
is 'by root: where it may' "$(code on c curl)" 0
url=http://$OUT4:81/hello
is 'by root: not elsewhere' "$(code on c curl)" 7
out=$(on host "$NETNS_UP" up "$(ns_pid c)" --name c 2>&1)
is 'by root, with none: exit code' $? 4
is 'nothing of it has changed' "$(code on c curl)" 7
ok 'down by root' on host "$NETNS_UP" down c -q
ns_kill c
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

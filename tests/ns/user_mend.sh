#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A way out that comes back by itself: whichever of its processes was killed, by whichever keeper is the older, with
# the engine that was asked for and all ports; not endlessly when it cannot stay; and neither a try that is under way
# nor one that hangs holds up the end of the last keeper, or of the last network.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

serve_http out 80
snapshot host >"$NS_TMP/before"
ok 'a network, by the tap engine' nna network create web --engine tap -q
foreign a $UID_A
# shellcheck disable=SC2154 # set by eval
a=$box_a
ok 'a container, with ports' nna up "$a" --network web --name a -q -p 8080:80 -p 127.0.0.1:8081:80
mkdir -p "$NS_TMP/www"
echo 'hello from a' >"$NS_TMP/www/hello"
(inside "$a" setpriv --pdeathsig KILL busybox httpd -f -p 80 -h "$NS_TMP/www") >/dev/null 2>&1 &
server=$!
NS_SERVERS="$NS_SERVERS $server"
ns_until 20 sh -c 'nsenter -t "$1" -U -n ss -Hltn "sport = 80" | grep -q .' sh "$a" || bail 'no server'
works() { # AFTER WHAT
	is "$1: out" "$(get "$a" "http://$OUT4/cgi-bin/peer")" "$HOST4"
	is "$1: in" "$(http out "http://$HOST4:8080/hello")" 'hello from a'
	is "$1: in, for the host alone" "$(http host http://127.0.0.1:8081/hello)" 'hello from a'
	is "$1: the engine that was asked for" "$(uplink engine), $(uplink engine_why)" 'tap, asked for'
	ok "$1: two keepers" ns_until 20 has_keepers 2
}
works 'at first'
is 'it is on record' "$(uplink_pid)" "$(uplink pid)"

# Killed; and killed again after each of the keepers was, so that it is the other one that helps.
for k in 0 1 2; do
	if [ $k -gt 0 ]; then
		one=$(named netns-up-host | sed -n "${k}p")
		kill -KILL "$one"
		ok "keeper $k is killed" ns_until 30 sh -c '! kill -0 "$1" 2>/dev/null' sh "$one"
	fi
	was=$(uplink_pid)
	kill -KILL "$was"
	ok "killed ($k): it is back" ns_until 60 is_back "$was"
	works "killed ($k)"
done
was=$(uplink_pid)
one=$(named netns-up-host | head -n 1)
kill -KILL "$was" "$one"
ok 'killed together with a keeper: it is back' ns_until 60 is_back "$was"
works 'with a keeper'

# The one that helps waits for the user's lock, as behind a call that takes long: the keepers' end does not.
mender() { [ -n "$(named netns-up)" ]; }
no_mender() { ! mender; }
box l $UID_A flock --no-fork "/run/user/$UID_A/netns-up/lock" sleep 7200
is_held() { ! as $UID_A flock -n "/run/user/$UID_A/netns-up/lock" true; }
ok 'the lock is held' ns_until 30 is_held
kill -KILL "$(uplink_pid)"
ok 'somebody waits to start it again' ns_until 60 mender
kill -TERM "$(named netns-up-host | head -n 1)"
ok 'told to end: the keepers are gone' ns_until 30 has_keepers 0
ok 'and who waited' ns_until 30 no_mender
ok 'and no way out was started' ns_until 30 no_slirp
# shellcheck disable=SC2154 # set by eval
unserve "$box_l"
nna network create web -q 2>/dev/null
ok 'all begins anew' nna up "$a" --network web --name a -q -p 8080:80
was=$(uplink_pid)
kill -KILL "$was"
ok 'and it comes back again' ns_until 60 is_back "$was"

# The last network goes: the way out ends by order, and nobody brings it back.
ok 'the container goes' nna down a -q
ok 'the last network goes' nna network rm web
ok 'no keeper' ns_until 30 has_keepers 0
ok 'nobody who starts anything' ns_until 30 no_mender
ok 'no way out' ns_until 30 no_slirp
unserve "$server"
unserve "$a"
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

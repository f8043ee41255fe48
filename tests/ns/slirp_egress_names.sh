#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by eval
# Names as destinations: what slirp-lite's own DNS forwarder answers is reached, by the rule that names it
# and no further; aliases, wildcards, both families; and what no name may stand for.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

tcp() { probe_in a tcp_connect "$1" "$2" 20; }
look() { inside a dig +short +time=10 +tries=2 @10.0.2.3 "$1" "${2:-A}" | tr '\n' ' '; }

slirp_world
on out ip -4 addr add 198.51.100.53/24 dev eth0
on host ip -4 addr add 198.51.100.99/24 dev eth0 # a second one of the host's
for h in out far host; do serve_http $h 80; done
serve_http out 81
serve out "$PYTHON" "$(dirname "$0")/slirp_names_dns.py" 198.51.100.53 53 \
	one.example=$OUT4,$OUT6 other.example=$FAR4 alias.example=b.example b.example=c.example c.example=$FAR4 \
	wild.example=$FAR6 x.y.wild.example=$FAR6 bad.wild.example=$OUT6 aside.example=one.example \
	"trap.example=127.0.0.1,10.0.2.2,10.0.2.77,169.254.169.254,$HOST4,198.51.100.99,::1,fe80::1,$HOST6,::ffff:7f00:1"
wait_port out udp 53
printf 'nameserver 198.51.100.53\n' >"$NS_TMP/host.resolv"
box_new a host -6 --to=one.example:80 --to="alias.example:80,*.wild.example,trap.example" --not-to=bad.wild.example

is 'before it is asked for' "$(tcp $OUT4 80)" ECONNREFUSED
is 'the answer is as it was' "$(look oNe.exAMPle)" "$OUT4 "
is 'reached' "$(tcp $OUT4 80)" connected
is 'at its port alone' "$(tcp $OUT4 81)" ECONNREFUSED
is 'no other family, which was not asked for' "$(tcp $OUT6 80)" ECONNREFUSED
is 'asked for' "$(look one.example AAAA)" "$OUT6 "
is 'it is' "$(tcp $OUT6 80)" connected
is 'a name that is not listed' "$(look other.example)" "$FAR4 "
is 'opens nothing' "$(tcp $FAR4 80)" ECONNREFUSED
is 'nor does an alias that leads to one that is' "$(look aside.example)" "one.example. $OUT4 "
is 'an alias' "$(look alias.example)" "b.example. c.example. $FAR4 "
is 'opens where it leads' "$(tcp $FAR4 80)" connected
is 'a wildcard: not the name itself' "$(look wild.example AAAA)" "$FAR6 "
is 'is closed' "$(tcp $FAR6 80)" ECONNREFUSED
is 'names below it' "$(look x.y.wild.example AAAA)" "$FAR6 "
is 'are open' "$(tcp $FAR6 80)" connected
is 'but what is denied below it' "$(inside a dig +time=10 +tries=2 @10.0.2.3 BAD.wild.example AAAA | sed -nE 's/.*status: ([A-Z]+),.*/\1/p') $(tcp $OUT6 81)" 'REFUSED ECONNREFUSED'
ok 'to every protocol' inside a ping -q -c 1 -W 20 $FAR6
nok 'others are not' inside a ping -q -c 1 -W 2 $OUT4

# Whoever has the name may not choose these.
isnt 'a trap' "$(look trap.example)" ''
isnt 'a trap over IPv6' "$(look trap.example AAAA)" ''
is 'none of it is learned' "$(told a drop_name)" 10
for ip in $HOST4 198.51.100.99 $HOST6 10.0.2.2; do
	is "$ip: closed" "$(tcp $ip 80)" ECONNREFUSED
done

# The next worker begins anew.
before=$(worker a)
kill -9 "$before"
_another() { [ -n "$(worker a)" ] && [ "$(worker a)" != "$before" ]; }
ok 'a new worker' ns_until 100 _another
is 'knows no address' "$(tcp $OUT4 80)" ECONNREFUSED
is 'until it is asked' "$(look one.example)" "$OUT4 "
is 'again' "$(tcp $OUT4 80)" connected
box_end a
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names: the container's resolver is the gateway's DNS address; it asks the resolvers of the host, also
# those on its loopback, which the container itself cannot reach; fail-over; a resolv.conf that changes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world
resolv() { # NAMESERVER...: the host's resolv.conf, in place (it is a bind mount)
	local all
	printf 'nameserver %s\n' "$@" >"$NS_TMP/host.resolv"
	all=$(printf "'%s', " "$@")
	[ -z "${box_a:-}" ] || ns_until 20 _asks "[${all%, }]" || fail "resolv.conf: $*"
}
_asks() { [ "$(told a resolvers)" = "$1" ]; }
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -6 addr add 2001:db8:1::53/64 dev eth0 nodad
on out ip -4 addr add 198.51.100.54/24 dev eth0
serve_probe out udp 53 serve_dns 198.51.100.53
first=$SERVED
resolv 198.51.100.53
box_new a host -6

look() { # NAME SERVER TYPE [DIG OPTION...]
	local name server type
	name=$1 server=$2 type=$3
	shift 3
	inside a dig +short +time=20 +tries=2 "@$server" "$@" "$name" "$type"
}
for s in 10.0.2.3 fd00::3; do
	is "$s: A" "$(look four.test $s A)" 192.0.2.4
	is "$s: AAAA" "$(look eleven.test $s AAAA)" 2001:db8::6
	is "$s: over TCP" "$(look seven.test $s A +tcp)" 192.0.2.5
	is "$s: an answer too long for UDP" "$(look big.test $s TXT +noedns | wc -l)" 40
	like "$s: a name that is not there" "$(inside a dig +time=20 +tries=2 @$s nothing.example A)" '*NXDOMAIN*'
done
is '50 at once' "$(seq 50 | inside a xargs -P 50 -I N dig +short +time=20 @10.0.2.3 four.test A | sort | uniq -c |
	tr -s ' ')" ' 50 192.0.2.4'
nok 'DNS is all that the address serves' inside a curl -sS -m 2 http://10.0.2.3/

# The first resolver is silent, or refuses.
resolv 198.51.100.54 198.51.100.53
is 'the next resolver when one refuses' "$(look four.test 10.0.2.3 A +time=20)" 192.0.2.4
is 'over TCP, too' "$(look four.test 10.0.2.3 A +tcp +time=20)" 192.0.2.4
on out nft -f - <<'N'
table inet t {
	chain c {
		type filter hook input priority 0
		ip daddr 198.51.100.54 drop
	}
}
N
is 'the next resolver when one is silent' "$(look four.test 10.0.2.3 A +time=20)" 192.0.2.4

# On the host's loopback, where the stub resolver of a system lives.
serve_probe host udp 53 serve_dns 127.0.0.53
resolv 127.0.0.53
unserve "$first"
is 'a resolver on the loopback, after a change' "$(look five.test 10.0.2.3 A)" 192.0.2.4
is 'over TCP' "$(look five.test 10.0.2.3 A +tcp)" 192.0.2.4
nok 'which the container does not reach' inside a dig +time=1 +tries=1 @127.0.0.53 five.test A
nok 'nor at the gateway' inside a dig +time=1 +tries=1 @10.0.2.2 five.test A
serve_probe out udp 53 serve_dns 2001:db8:1::53
resolv 2001:db8:1::53
is 'a resolver over IPv6' "$(look six.test 10.0.2.3 A)" 192.0.2.3
is 'the worker lived on' "$(grep -ci 'restart\|died' "$NS_TMP/a.log")" 0
box_end a

box_new b host --disable-dns
nok 'switched off' inside b dig +time=1 +tries=1 @10.0.2.3 five.test A
box_end b
ns_done

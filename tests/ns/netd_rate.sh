#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# Bandwidth by policy: what every interface gets, asked for or not; less when its user asks; never
# more, whatever he says and whatever was allowed once. A limit is told by what the kernel has, and
# once in each direction by what passes.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
serve out iperf3 -s
wait_port out tcp 5201

# Mbit/s of a second, to the box (-R) or from it; 0 when nothing was measured.
mbits() { # BOX [-R]
	ns_iperf inside "$1" iperf3 -c $OUT4 -t 1 -J ${2+"$2"} |
		"$PYTHON" -c 'import json, sys; print(int(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6))' \
			2>/dev/null || echo 0
}
# A second in which others have the processors shows nothing but that it is not too much: one of eight is enough.
limited() { # BOX [-R]
	local n try
	for try in 1 2 3 4 5 6 7 8; do
		n=$(mbits "$@")
		[ "$n" -le 60 ] || break
		[ "$n" -lt 1 ] || return 0
	done
	echo "$n Mbit/s, try $try"
	return 1
}
rates() { # ID: what the record says, to and from
	ask_netd $UID_A list | jq -r --arg id "$1" \
		'.attachments[] | select(.id == $id) | .rate | "\(.in // 0) \(.out // 0)"'
}
buckets() { on host tc qdisc show | sed -nE 's/^qdisc tbf .* rate ([^ ]+) .*/\1/p' | sort | tr '\n' ' '; }
pt() { on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user nta "$@"; }

policy 'allow nta default attach,publish rate-in=20mbit rate-out=16mbit' 'allow ntb default all'
netd_start
box one $UID_A
one=$BOX

# --- what nobody asked for ------------------------------------------------------------------------
ok 'up' nta "$one" --name one -q
is 'it has the rates of the policy' "$(rates one)" '20000000 16000000'
is 'in the kernel too' "$(buckets)" '16Mbit 20Mbit '
ok 'which hold to the box' limited one -R
ok 'and from it' limited one
ok 'the same again' nta "$one" --name one -q
inside one tc qdisc add dev eth0 root pfifo 2>/dev/null # his own end is his own
ok 'whatever he does at his end' limited one

# --- asking ---------------------------------------------------------------------------------------
nta limit one --rate-in 10mbit 2>/dev/null
is 'without the verb he may not ask' $? 5
like 'policy test says so' "$(pt --rate-in 10mbit)" '*shape on default: denied, no rule allows it*refused*'
policy 'allow nta default attach,publish,shape rate-in=20mbit rate-out=16mbit' 'allow ntb default all'
like 'policy test: less' "$(pt --rate-in 10mbit)" '*shape on default: allowed by*rate-in=20mbit rate-out=16mbit*granted with rate-in=10mbit rate-out=16mbit'
pt --rate-in 21mbit >/dev/null
is 'policy test: more' $? 7
ok 'less' nta limit one --rate-in 10mbit -q
is 'he gets' "$(rates one) $(buckets)" '10000000 16000000 10Mbit 16Mbit '
ok 'a grant is a line of the log' grep -q "audit: uid=$UID_A .*verb=limit .* rate-in=10mbit result=granted" "$NETD_LOG"
nta limit one --rate-in 21mbit 2>/dev/null
is 'more he does not' $? 7
nta limit one --rate-out 10mbit --rate-in 20000001bit 2>/dev/null
is 'not with something else beside it' $? 7
is 'and nothing changed' "$(rates one)" '10000000 16000000'
ok 'a denial is a line of the log' grep -q "audit: uid=$UID_A .*verb=limit .*rate-in=21mbit result=quota why=more than 20mbit to an interface" "$NETD_LOG"
like 'the daemon says the same to who speaks for himself' \
	"$(ask_netd $UID_A limit one --rateIn 30000000)" '*"quota"*'
ok 'none is as much as there is' nta limit one --rate-in none --rate-out 12mbit -q
is 'which is the limit' "$(rates one)" '20000000 12000000'
ok 'what is not named stays as it is' nta limit one --rate-in 8000bit -q
is 'as it is' "$(rates one)" '8000 12000000'
like 'status shows it' "$(nta status one)" '*rate in *8kbit*rate out *12mbit*'
ok 'up again keeps them' nta "$one" --name one -q
is 'kept' "$(rates one)" '8000 12000000'
ok 'root finds it whole' on host "$NETNS_UP" check "user-$UID_A.one"

# --- at up ----------------------------------------------------------------------------------------
box two $UID_A
two=$BOX
ok 'up with less' nta "$two" --name two --rate-out 9mbit -q
is 'less that way, the limit the other' "$(rates two)" '20000000 9000000'
box three $UID_A
three=$BOX
nta "$three" --name three --rate-in 1gbit -v >"$NS_TMP/out" 2>"$NS_TMP/err"
is 'up with more is not what netd gives: it is slirp-lite'"'"'s' "$? $(cut -d' ' -f1-3 "$NS_TMP/out")" '0 three eth0 10.0.2.100/24'
like 'and why' "$(cat "$NS_TMP/err")" '*netd: that is more than is allowed*'
like 'with the rate' "$(nta status three)" '*rate in *1gbit*'
is 'nothing is made on the host' "$(n_links)" 2
ok 'down' nta down three -q

# --- another user, another policy -----------------------------------------------------------------
like 'another user finds nothing to limit' "$(as $UID_B "$NETNS_UP" limit one --rate-in 9mbit 2>&1)" '*one eth0 has no network from us*'
is 'and changes nothing' "$(rates one)" '8000 12000000'
policy 'allow nta default attach,publish,shape rate-in=15mbit rate-out=11mbit'
has_rates() { [ "$(rates "$1")" = "$2" ]; }
ok 'by a new policy it has no more than is allowed now' ns_until 30 has_rates two '15000000 9000000'
ok 'and the other one' ns_until 30 has_rates one '8000 11000000'
ok 'asked for again' nta "$two" --name two -q
is 'it is the same' "$(rates two)" '15000000 9000000'
ok 'one way' nta limit one --rate-in none -q
is 'is both ways' "$(rates one)" '15000000 11000000'
is 'in the kernel' "$(buckets)" '11Mbit 15Mbit 15Mbit 9Mbit '
kill -KILL "$NETD_PID"
netd_killed
netd_start
is 'the next netd knows them' "$(rates one)" '15000000 11000000'
ok 'down' nta down one -q
ok 'both' nta down two -q
is 'nothing is left of them' "$(on host ip -o link show type ifb)$(buckets)" ''
ok 'the end' netd_stop
for b in one two three; do ns_kill $b; done
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

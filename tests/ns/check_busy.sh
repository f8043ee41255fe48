#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# `check` comes to its end beside 20,000 elements and somebody who changes the host's rules all the time,
# and sees what it is to see.
. "$(dirname "$0")/lib.sh"
ns_world
snapshot host >"$NS_TMP/before"
container_new c host
ok 'up' on host "$NETNS_UP" up "$(ns_pid c)" --name c -q
check() { on host timeout 120 "$NETNS_UP" check c; }
seq 0 19999 | awk 'BEGIN { print "add element inet netd self4 {" }
	{ a = sprintf("10.%d.%d.%d", 100 + $1 / 65536, $1 / 256 % 256, $1 % 256); print a " . " a "," }
	END { print "}" }' >"$NS_TMP/many.nft"
ok '20,000 elements' on host nft -f "$NS_TMP/many.nft"
serve host /usr/bin/env python3 "$(dirname "$0")/nft_churn.py"
churn=$SERVED_LOG
changes() { tail -n 1 "$churn" 2>/dev/null | grep -x '[0-9]*' || echo 0; }
changing() { [ "$(changes)" -gt "$1" ]; }
still() { # CMD...: while the rules do not change, for nft begins anew whenever they do
	kill -STOP "$SERVED"
	"$@"
	kill -CONT "$SERVED"
}
ok 'the rules change' ns_until 30 changing 2

before=$(changes)
ok 'all is as it should be' check
ok 'and the rules have changed meanwhile, or go on to' ns_until 30 changing "$before"
still on host nft 'insert rule inet netd forward ip daddr 192.0.2.99 accept'
nok 'a rule too many is found' check
handle=$(still on host nft -a list chain inet netd forward | sed -n 's/.*192\.0\.2\.99.*# handle //p')
still on host nft "delete rule inet netd forward handle $handle"
ok 'when it is gone all is well' check
still on host nft flush chain bridge netd egress
nok 'one too few is found' check
ok 'and mended' still on host "$NETNS_UP" gc -q
ok 'all is well' check
ok 'down' on host "$NETNS_UP" down c -q
unserve "$SERVED"
on host nft delete table inet netns-up-churn 2>/dev/null
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

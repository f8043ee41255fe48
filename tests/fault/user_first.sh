#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first start of a user's networks cut short: `network create` is killed at each state-changing system call of it and
# of all that it starts until the namespaces and who keeps them are there, and at every eighth from then on; alone (what it
# has started goes on) and with the whole tree, in turns. The next call makes the network, it has its two keepers and its
# way out, and with the last network all of it is gone: processes, namespaces, files.
. "$(dirname "$0")/../ns/lib.sh"
. "$(dirname "$0")/../ns/user_net_lib.sh"

snapshot host >"$NS_TMP/before"
BAD=0
broken() { # ROUND: WHAT
	BAD=$((BAD + 1))
	[ $BAD -gt 5 ] || note "$*"
}
killat() { # OPTION... K: the call of a user's, from the program's own first call on
	on host "$KILLAT" -w 60 -o "$NS_TMP/killat.out" "$@" -- setpriv --reuid $UID_A --regid $UID_A --clear-groups \
		--inh-caps=-all /usr/bin/env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR=/run/user/$UID_A "$NS_MARK" \
		"$NETNS_UP" network create web -q >/dev/null 2>&1
}
no_files() { # but the lock; what is being renamed comes and goes
	[ -z "$(on host find /run/user/$UID_A \( -type f -o -type s \) ! -path '*/netns-up/lock')" ]
}
ours() { ns_ours | grep ' netns-up\| slirp-\| new.idmap'; }
all_gone() { [ -z "$(ours)" ]; }

killat -l 0
first=$(awk '/execve.*netns-up"/ { n = $1 } END { print n + 0 }' "$NS_TMP/killat.out")
kept=$(awk '/renameat.*"keepers"/ { n = $1 } END { print n + 0 }' "$NS_TMP/killat.out")
last=$(sed -nE 's/^ended ([0-9]+) status 0$/\1/p' "$NS_TMP/killat.out")
ok 'calls are counted' [ "$first" -gt 0 -a "$kept" -gt $((first + 10)) -a "${last:-0}" -gt $((kept + 40)) ]
ok 'what was made goes' nna network rm web
ok 'all of it' ns_until 20 all_gone
k=$first n=0
while [ "$k" -lt "${last:-0}" ]; do
	k=$((k + (k < kept ? 1 : 8))) n=$((n + 1))
	how=$([ $((n % 2)) -eq 0 ] && echo -m)
	round="call $k${how:+ of it alone}"
	# shellcheck disable=SC2086 # one or none
	killat $how $k
	nna network create web -q 2>"$NS_TMP/err" || broken "$round: the next call: $(cat "$NS_TMP/err")"
	[ "$(nna network ls 2>&1 | sed 's/ .*//')" = web ] || broken "$round: the network: $(nna network ls 2>&1)"
	ns_until 20 has_keepers 2 || broken "$round: keepers: $(n_named netns-up-host)"
	[ "$(named slirp-lite)" = "$(uplink_pid)" ] || broken "$round: the uplink on record: $(uplink_pid), it is $(named slirp-lite)"
	nna network rm web 2>"$NS_TMP/err" || broken "$round: its end: $(cat "$NS_TMP/err")"
	ns_until 20 all_gone || broken "$round: still there: $(ours | tr '\n' ' ')"
	no_files || broken "$round: files: $(on host find /run/user/$UID_A -type f -o -type s | tr '\n' ' ')"
done
note "$n rounds"
is 'wherever it is killed: the next one begins anew, and nothing stays' $BAD 0
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

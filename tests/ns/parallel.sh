#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 200 at once: up, then down; the same call 20 times at once; up and down of one name against each other.
. "$(dirname "$0")/lib.sh"
N=${1:-200}

nu() { on host "$NETNS_UP" "$@"; }

ns_world
on host mkdir -p /run/netns
on host sh -c 'mount --bind /run/netns /run/netns && mount --make-shared /run/netns
	i=0; while [ $i -lt $1 ]; do ip netns add p$i; i=$((i + 1)); done' sh "$N"
snapshot host >"$NS_TMP/before"

# Who has waited 10 s for the others, as on a machine that is busy with more than these, is told to try again, and does.
all() { # VERB-AND-OPTIONS, $i is the number
	on host sh -c '
		call() {
			for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
				said=$(eval "$1" 2>&1) && return
				case $said in *"held the lock for more than"*"try again"*) ;; *) break ;; esac
			done
			echo "try $try: $said"
			return 1
		}
		i=0 pids=
		while [ $i -lt $1 ]; do
			call "$2" &
			pids="$pids $!"
			i=$((i + 1))
		done
		bad=0
		for p in $pids; do wait $p || bad=$((bad + 1)); done
		[ $bad -eq 0 ] || { echo "$bad failed"; exit 1; }' sh "$N" "$1"
}
rules() { on host nft -j list ruleset | jq '[.nftables[] | select(.rule or .chain)] | length'; }
ok 'one' nu up p0 -q -p 10000:80
one=$(rules)
ok 'rules and chains are counted' [ "$one" -gt 50 ]
# What a call starts: itself. Who waits for others' deletions is no program.
ok 'one more, looked at' on host strace -f -qq -e signal=none -e trace=execve -o "$NS_TMP/started" "$NETNS_UP" up p1 -q -p 10001:80
is 'a call starts no other program' "$(grep -c 'execve(.*= 0$' "$NS_TMP/started")" 1
start=$(date +%s%N)
ok "$N up at once" all "$NETNS_UP up p\$i -q -p \$((10000 + i)):80"
note "$N up: $((($(date +%s%N) - start) / 1000000)) ms"
is 'all are there' "$(nu ls --json | grep -c '"phase": "committed"')" "$N"
is 'all addresses differ' "$(nu ls --json | grep '"address": "10' | sort -u | wc -l)" "$N"
is 'there are as many rules and chains as with one' "$(rules)" "$one"
bad=0
for i in 0 7 $((N / 2)) $((N - 1)); do
	on host ip netns exec p$i ping -q -c1 -W10 $OUT4 >/dev/null || bad=$((bad + 1))
done
is 'a sample of them reaches the outside' "$bad" 0
is 'the maps hold them all' "$(on host nft list map inet netd fwd4_any | grep -c 'tcp \.')" "$N"
start=$(date +%s%N)
ok "$N down at once" all "$NETNS_UP down p\$i -q"
note "$N down: $((($(date +%s%N) - start) / 1000000)) ms"
residue host "$NS_TMP/before" 'nothing is left'

ok 'the same call 200 times at once is one' all "$NETNS_UP up p0 -q -p 8080:80"
is 'one attachment' "$(nu ls --json | grep -c '"phase": "committed"')" 1
ok 'its down 200 times at once' all "$NETNS_UP down p0 -q"
residue host "$NS_TMP/before" 'nothing is left'

ok 'up and down of few names against each other' all \
	"if [ \$((i % 2)) = 0 ]; then $NETNS_UP up p\$((i % 5)) -q -p 900\$((i % 5)):80; else $NETNS_UP down p\$((i % 5)) -q; fi"
for i in 0 1 2 3 4; do nu down p$i -q; done
residue host "$NS_TMP/before" 'nothing is left after the fight'
ns_done

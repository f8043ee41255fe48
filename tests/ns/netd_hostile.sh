#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# The daemon against hostile clients: wrong descriptors, foreign namespaces, names, noise, guesses,
# quotas, stalling, floods, dying, races; netd killed at many points; nothing left.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
for f in netd_hostile.py netd_slow.py netd_stall.py; do
	cp "$(dirname "$0")/$f" "$NS_TMP/$f" && chmod 644 "$NS_TMP/$f"
done
policy "allow $UID_A default attach,publish nics=2 ports=3 range=8000-8099 rate=100000" \
	"allow $UID_B default attach,publish nics=1 rate=2"
netd_start
box own $UID_A
own=$BOX
box other $UID_B
other=$BOX
like 'the other user has something' "$(ask_netd $UID_B attach theirs "/proc/$other/ns/net" 8500:80)" '*"ok":true*'

verdicts() { # FILE: PASS and FAIL lines as results
	local line
	while read -r line; do
		case $line in
		PASS*) pass "${line#PASS }" ;;
		FAIL*) fail "${line#FAIL }" ;;
		DONE) ;;
		*) note "$line" ;;
		esac
	done <"$1"
	ok 'to its end' grep -q DONE "$1"
}
# Root makes a namespace of his own to give away: the test's machine has one.
on host "$PYTHON" "$NS_TMP/netd_hostile.py" $UID_A "$NETD_PID" "$(netd_front)" "$other" "$own" >"$NS_TMP/verdicts" 2>&1
verdicts "$NS_TMP/verdicts"
ok 'the front never died' test "$(netd_log 'the front')" -eq 0
ok 'nor a worker' test "$(netd_log 'worker')" -eq 0
like 'the other has it still' "$(ask_netd $UID_B list)" '*theirs*8500*'
like 'too many requests a minute' "$(for _ in 1 2 3 4 5 6 7 8; do ask_netd $UID_B publish theirs 8501:80; done)" '*"quota"*'
is 'one link: the other'"'"'s' "$(n_links)" 1

mknod -m 666 "$NS_TMP/fuse" c 10 229
on host "$PYTHON" "$NS_TMP/netd_slow.py" $UID_A $UID_B "$NS_TMP/fuse" "$own" >"$NS_TMP/verdicts" 2>&1
verdicts "$NS_TMP/verdicts"
ok 'the front is still the same' test "$(netd_log 'the front')" -eq 0
on host "$PYTHON" "$NS_TMP/netd_stall.py" $UID_A $UID_B >"$NS_TMP/verdicts" 2>&1
verdicts "$NS_TMP/verdicts"
ok 'the front is still the same' test "$(netd_log 'the front')" -eq 0
rss=$(sed -nE 's/^RssAnon:[[:space:]]*([0-9]+) kB/\1/p' "/proc/$NETD_PID/status")
front_rss=$(sed -nE 's/^RssAnon:[[:space:]]*([0-9]+) kB/\1/p' "/proc/$(netd_front)/status")
note "memory of their own: back $rss kB, front $front_rss kB"

# Killed at any moment of an attach, netd leaves what the next one, or gc, takes away.
i=0
while [ $i -lt 12 ]; do
	ask_netd $UID_A attach k "/proc/$own/ns/net" 8001:80 >/dev/null 2>&1 &
	asking=$!
	sleep "0.$(printf %03d $((60 + i * 9)))"
	pkill -KILL -P "$NETD_PID" 2>/dev/null # front and workers
	kill -KILL "$NETD_PID"
	netd_killed
	kill "$asking" 2>/dev/null
	wait "$asking" 2>/dev/null
	netd_start
	case $(ask_netd $UID_A attach k "/proc/$own/ns/net" 8001:80) in
	*'"ok":true'*) ;;
	*) fail "killed at point $i: attach works again" "$(tail -n 5 "$NETD_LOG")" ;;
	esac
	ask_netd $UID_A detach k >/dev/null
	i=$((i + 1))
done
ok 'netd killed while it attaches: the next one goes on' has_links 1
like 'the other has it still' "$(ask_netd $UID_B list)" '*theirs*8500*'
ns_kill own
ns_kill other
has_links_soon 0
ended() { [ "$(on host "$NETNS_UP" ls | wc -l)" -eq 1 ]; }
ok 'all ends with the namespaces' ns_until 20 ended
ok 'SIGTERM: the end' netd_stop
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# More clients of the daemon at once than it works for at a time, on a machine that has much else to do:
# they wait for their turn, nobody is refused, and another user does not wait for them.
. "$(dirname "$0")/netd_lib.sh"
netd_world
cp "$(dirname "$0")/netd_crowd.py" "$(dirname "$0")/netd_load.py" "$NS_TMP/" && chmod 644 "$NS_TMP"/*.py
UID_C=$((UID_A + 300000))
policy "allow $UID_A-$UID_B default attach,publish nics=100 ports=100 range=8000-8999 rate=100000"
netd_start
priority() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f17; }
is 'netd goes first' "$(priority "$NETD_PID")" -10
is 'but not for what strangers write' "$(priority "$(netd_front)")" 0

box one $UID_B
like 'one is up' "$(ask_netd $UID_B attach one "/proc/$BOX/ns/net" 8999:80)" '*"ok":true*'
started() { # pids of the local forwarder and the names responder
	local p
	for p in $(pgrep -x netns-up-forwar); do
		[ "$(readlink "/proc/$p/ns/net")" != "$(readlink "/proc/$(ns_pid host)/ns/net")" ] || echo "$p"
	done
}
is 'nor for what it starts' "$(for p in $(started); do priority "$p"; done | sort -u)" 0

boxes() { # UID N: in $HOLDER
	serve host setpriv --reuid "$1" --regid "$1" --clear-groups "$PYTHON" "$NS_TMP/netd_crowd.py" boxes "$2"
	HOLDER=$SERVED
	ns_until 60 grep -q made "$SERVED_LOG" || bail "no boxes: $(cat "$SERVED_LOG")"
}
boxes $UID_A 60
of_a=$HOLDER
boxes $UID_B 20
of_b=$HOLDER
burning=
for _ in 1 2 3 4 5 6 7 8; do
	serve host sh -c 'while :; do :; done'
	burning="$burning $SERVED"
done

serve host "$PYTHON" "$NS_TMP/netd_load.py" lock /run/netd/lock
locker=$SERVED locker_log=$SERVED_LOG
ns_until 60 grep -q locked "$locker_log" || bail "no lock: $(cat "$locker_log")"
serve host "$PYTHON" "$NS_TMP/netd_crowd.py" ask $UID_A "$of_a" 60 8000 $UID_B "$of_b" 20 8100 -- "$NS_TMP/go"
crowd=$SERVED crowd_log=$SERVED_LOG
ok 'all have asked' ns_until 60 grep -q asking "$crowd_log"
like 'others are answered while they wait' "$(ask_netd $UID_C status)" '*"ok":true*'
unserve "$locker"
touch "$NS_TMP/go"
wait "$crowd"
NS_SERVERS=$(_ns_without "$crowd" "$NS_SERVERS")
like 'each has what he asked for, and an address of his own' "$(cat "$crowd_log")" "*$UID_A granted 60 addresses 60 *"
like 'the other user too' "$(cat "$crowd_log")" "*$UID_B granted 20 addresses 20 *"
sed 's/^/# /' "$crowd_log"
is 'all are up' "$(n_links)" 81
is 'nobody was refused for what the policy says' "$(netd_log 'verb=attach .*result=[dq]')" 0
note "told to come again for want of a place: $(netd_log 'at once\|are taken')"
for p in $burning; do unserve "$p"; done
memory() { # FIELD: kB of both processes
	sed -n "s/^$1:[^0-9]*//p" "/proc/$NETD_PID/smaps_rollup" "/proc/$NETD_PID/status" \
		"/proc/$(netd_front)/smaps_rollup" "/proc/$(netd_front)/status" | awk '{ n += $1 } END { print n + 0 }'
}
# After the burst it is given back, and nobody has to wait for a long rest: see tests/sys/test_trim.c for when. A
# thousand interfaces would be some 250 kB more. Sanitizers have memory of their own, that is much more than this.
most=3600
grep -q 'lib[a]san' "/proc/$NETD_PID/maps" && most=$(memory VmHWM)
is_small() { [ "$(memory Rss)" -lt $most ]; }
ok 'who has nothing to do gives memory back' ns_until 100 is_small
note "memory of both: $(memory Rss) kB resident, $(memory Pss) kB of it by their share; at most it was $(memory VmHWM) kB"
ok 'and who has asked once more' [ -n "$(ask_netd $UID_C status)" ]
ok 'is given no more than that' ns_until 100 is_small
unserve "$of_a"
unserve "$of_b"
ns_kill one
has_links_soon 0
ended() { [ "$(on host "$NETNS_UP" ls | wc -l)" -eq 1 ]; }
ok 'all ends with the namespaces' ns_until 60 ended
ok 'SIGTERM: the end' netd_stop
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# The daemon replaces itself with a new program: under load, again and again, and nobody notices: no call
# fails, no probe is lost, the tables are held all the time. A program that does not do is not used.
. "$(dirname "$0")/netd_lib.sh"
cp "$(dirname "$0")/netd_load.py" "$NS_TMP/netd_load.py" && chmod 644 "$NS_TMP/netd_load.py"
GOOD=$NS_TMP/good
cp "$NETD" "$GOOD" || bail 'no netd'
put() { # FILE: lies where netd was started from, from now on
	cp "$1" "$NS_TMP/new" && chmod 755 "$NS_TMP/new" && mv "$NS_TMP/new" "$NETD"
}
put "$GOOD"
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow nta default attach,publish rate=100000' 'allow ntb default attach,publish rate=100000'
on host mkdir -p -m 755 /run/netd

said() { grep -c "$1" "$NETD_LOG"; }
says() { grep -q "$1" "$NETD_LOG"; }
status_of() { sed -nE "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
handle() { on host nft -a list table "$1" netd 2>/dev/null | sed -nE '1s/.*handle //p'; }
flags() { on host nft list table "$1" netd | sed -nE 's/^\tflags ?//p' | grep -o owner; }
said_more() { [ "$(said "$1")" -gt "$2" ]; } # PATTERN N
signalled() { # PATTERN: netd is told to upgrade, and says PATTERN once more
	local n no
	n=$(said "$1") no=$(said 'no upgrade')
	kill -USR2 "$NETD_PID"
	ns_until 60 said_either "$1" "$n" 'no upgrade' "$no"
	said_more "$1" "$n"
}
said_either() { said_more "$1" "$2" || said_more "$3" "$4"; }
upgrade() {
	put "$GOOD"
	signalled 'has taken over from'
}
is_new() { [ "$(readlink "/proc/$NETD_PID/exe")" = "$NETD" ]; }
new_front() { f=$(netd_front); [ -n "$f" ] && [ "$f" != "$front" ]; }
is_held=true
[ -z "${NETNS_UP_WITHOUT:-}" ] || is_held=false

container_new one host
ok 'a container of root'"'"'s' on host "$NETNS_UP" "$(ns_pid one)" -q -p 8080:80
C4=$(on one ip -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4 }')
serve one "$NETD_PROBER" serve 80 81
wait_port one tcp 81
box mine $UID_A
mine=$BOX
box his $UID_B
his=$BOX
netd_start
! $is_held || ok 'the tables are held' ns_until 30 says 'the tables are held'
has_no_worker() { [ "$(wc -w <"/proc/$NETD_PID/task/$NETD_PID/children")" -eq 1 ]; }
has_front() { has_no_worker && [ -n "$(netd_front)" ]; }
ok 'it is at rest' ns_until 20 has_front
marks() { # what netd is and may
	local field
	for field in Pid CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters; do
		echo "$field $(status_of "$NETD_PID" $field)"
	done
	cat "/proc/$NETD_PID/comm"
	tr '\0' ' ' <"/proc/$NETD_PID/cmdline"
	find "/proc/$NETD_PID/fd" -mindepth 1 -printf '%l\n' | sed 's/[0-9]*\]$//' | sort | uniq -c
}
marks >"$NS_TMP/marks"
before_inet=$(handle inet) before_bridge=$(handle bridge)

# --- nothing to do ------------------------------------------------------------------------------------
front=$(netd_front)
put "$GOOD"
nok 'a new program lies there' is_new
ok 'it takes over' signalled 'has taken over from'
ok 'it runs' is_new
ok 'with a new front' ns_until 30 new_front
like 'which answers' "$(ask_netd $UID_A status)" '*"ok":true*'
has_marks() { marks >"$NS_TMP/marks.now" && cmp -s "$NS_TMP/marks" "$NS_TMP/marks.now"; }
ok 'the same process, its privileges and descriptors what they were' ns_until 30 has_marks ||
	diff "$NS_TMP/marks" "$NS_TMP/marks.now" | sed 's/^/# /'

# --- under load ---------------------------------------------------------------------------------------
serve host "$PYTHON" "$NS_TMP/netd_load.py" load "$NS_TMP/load" $UID_A "$mine" $UID_B "$his"
loader=$SERVED
ns_until 20 grep -q loading "$SERVED_LOG" || bail "no load: $(cat "$SERVED_LOG")"
serve out "$NETD_PROBER" probe "$NS_TMP/report" $HOST4:8080 $HOST4:8080 "[$HOST6]:8080" \
	"[$HOST6]:8080" -- $HOST4:8081 $C4:80 $C4:81
prober=$SERVED
ns_until 20 grep -q probing "$SERVED_LOG" || bail "no prober: $(cat "$SERVED_LOG")"
upgraded=0 refused=0 tried=0
for i in 1 2 3 4; do
	put "$GOOD"
	n=$(said 'has taken over from')
	kill -USR2 "$NETD_PID"
	while ! said_more 'has taken over from' "$n" && ! says 'no upgrade' && [ $tried -lt 3000 ] && ns_alive "$NETD_PID"; do
		$is_held || sleep 0.05
		! $is_held || on host nft delete table inet netd 2>/dev/null || refused=$((refused + 1))
		tried=$((tried + 1))
	done
	! said_more 'has taken over from' "$n" || upgraded=$((upgraded + 1))
done
is 'upgraded four times' $upgraded 4
if $is_held; then
	ok 'at every moment the tables refuse others' test $refused -eq $tried -a $refused -gt 0
	is 'they are the same tables' "$(handle inet) $(handle bridge)" "$before_inet $before_bridge"
	is 'and held' "$(flags inet) $(flags bridge)" 'owner owner'
	is 'without having been let go' "$(said 'the tables are held')" 1
fi
is 'nothing had to be mended' "$(said damaged)" 0
ended() { # PID
	kill -TERM "$1"
	wait "$1"
	NS_SERVERS=$(_ns_without "$1" "$NS_SERVERS")
}
ended "$loader"
ended "$prober"
note "load: $(cat "$NS_TMP/load")"
note "probes: $(cat "$NS_TMP/report")"
is 'two users' "$(wc -l <"$NS_TMP/load")" 2
is 'no call of theirs failed' "$(grep -c 'failed 0 ' "$NS_TMP/load")" 2
is 'no probe was lost, no connection broken, no closed port reached' \
	"$(grep -oE '(lost|broken|reached) [0-9]+' "$NS_TMP/report" | tr '\n' ' ')" 'lost 0 broken 0 reached 0 '
is 'both have detached' "$(n_links)" 1
ok 'the privileges are what they were' ns_until 30 has_marks ||
	diff "$NS_TMP/marks" "$NS_TMP/marks.now" | sed 's/^/# /'

# --- who has not spoken, who takes long -----------------------------------------------------------------
late() { # clients connect, netd is upgraded, they ask and are answered; not those who are silent for 2 s
	local log good
	rm -f "$NS_TMP/go"
	serve host setpriv --reuid $UID_A --regid $UID_A --clear-groups \
		"$PYTHON" "$NS_TMP/netd_load.py" late "$NS_TMP/go" 6
	log=$SERVED_LOG
	ns_until 20 grep -q waiting "$log"
	upgrade || return
	touch "$NS_TMP/go"
	wait "$SERVED"
	NS_SERVERS=$(_ns_without "$SERVED" "$NS_SERVERS")
	good=$(tail -n 1 "$log")
	note "clients that have not spoken: $good"
	[ "$good" = 'answers 6' ]
}
late_soon() { for _ in 1 2 3 4 5 6 7 8; do late && return; done; }
ok 'clients that had not spoken before it are answered after it' late_soon

serve host "$PYTHON" "$NS_TMP/netd_load.py" lock /run/netd/lock
locker=$SERVED locker_log=$SERVED_LOG
ns_until 20 grep -q locked "$locker_log" || bail "no lock: $(cat "$locker_log")"
ask_netd $UID_A attach slow "/proc/$mine/ns/net" >"$NS_TMP/slow" &
slow=$!
has_worker() { [ "$(wc -w <"/proc/$NETD_PID/task/$NETD_PID/children")" -ge 2 ]; }
ok 'a user'"'"'s worker waits' ns_until 20 has_worker
put "$GOOD"
n=$(said 'has taken over from')
ok 'an upgrade waits for it' signalled 'the new program starts'
like 'others do not' "$(ask_netd $UID_B status)" '*"ok":true*'
is 'it has not happened yet' "$(said 'has taken over from')" "$n"
ended "$locker"
ok 'the worker goes on, and then it happens' ns_until 60 said_more 'has taken over from' "$n"
wait $slow
like 'the user has what he asked for' "$(cat "$NS_TMP/slow")" '*"ok":true*'
like 'and netd knows it' "$(ask_netd $UID_A status)" '*"interfaces":1*'

# --- programs that do not do ------------------------------------------------------------------------------
ok 'it is at rest' ns_until 20 has_front
front=$(netd_front)
n=$(said 'has taken over from')
refuses() { # DESCRIPTION WHY
	ok "refused: $1" signalled "no upgrade, all goes on as it was: .*$2"
	like 'all goes on' "$(ask_netd $UID_A status)" '*"interfaces":1*'
}
put /bin/true
refuses 'another program, which ends well' 'does not start'
put "$NETD_OTHER"
refuses 'one that knows another layout' 'does not start'
ok 'which says so' says 'has layout 1, not 99'
echo crash >"$NS_TMP/bin/mode"
put "$NETD_BAD"
refuses 'one that crashes' 'does not start'
ok 'which is said' says 'the new program died by signal'
put "$GOOD"
chmod 777 "$NETD"
refuses 'one that others may write' 'others than root may write it'
printf '#!/bin/sh\nexit 0\n' >"$NS_TMP/script"
put "$NS_TMP/script"
refuses 'one that is no program' 'does not start'
rm "$NETD"
refuses 'none' 'No such file'
echo hang >"$NS_TMP/bin/mode"
put "$NETD_BAD"
kill -USR2 "$NETD_PID"
hung() { for p in $(cat "/proc/$NETD_PID/task/$NETD_PID/children"); do [ "$(readlink "/proc/$p/exe")" != "$NETD" ] || return 0; done; false; }
ok 'one that hangs' ns_until 20 hung
ok 'another signal is of no use' signalled 'of no use'
like 'all goes on beside it' "$(ask_netd $UID_B attach beside "/proc/$his/ns/net")" '*"ok":true*'
like 'all goes on' "$(ask_netd $UID_B detach beside)" '*"ok":true*'
ok 'it is given up' ns_until 60 says 'takes too long to start'
not_hung() { ! hung; }
ok 'and gone' ns_until 30 not_hung
is 'nothing has taken over' "$(said 'has taken over from')" "$n"
is 'the front is the one it was' "$(netd_front)" "$front"
ok 'the privileges are what they were' ns_until 30 has_marks ||
	diff "$NS_TMP/marks" "$NS_TMP/marks.now" | sed 's/^/# /'
ok 'one that does takes over' upgrade
like 'and knows what there is' "$(ask_netd $UID_A list)" '*"slow"*'

# --- the end of it ------------------------------------------------------------------------------------------
ok 'down' test "$(ask_netd $UID_A detach slow)" = '{"ok":true,"was":true}'
for i in 00 01 02 03 05 08 12 20; do # an end in the middle of it
	kill -USR2 "$NETD_PID"
	sleep "0.$i"
	netd_stop || fail "SIGTERM $i/100 s after the signal to upgrade" "$(tail -n 5 "$NETD_LOG")"
	is 'its socket and its door are gone' "$(on host ls /run/netd/netd.sock /run/netd/nft.sock 2>/dev/null)" ''
	netd_start
done
ok 'SIGTERM' netd_stop
is 'its socket and its door are gone' "$(on host ls /run/netd/netd.sock /run/netd/nft.sock 2>/dev/null)" ''
ok 'down' on host "$NETNS_UP" down "$(ns_pid one)" -q
serve host "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
os.makedirs("/run/netd", exist_ok=True)
s.bind("/run/netd/netd.sock")
os.chmod("/run/netd/netd.sock", 0o666)
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[1], sys.argv[1:])
' "$NETD" --foreground --policy-dir "$POLICY" --idle-exit 8
NETD_PID=$SERVED NETD_LOG=$SERVED_LOG
ns_until 20 says ready:
like 'with a socket that was handed over' "$(ask_netd $UID_A attach idle "/proc/$mine/ns/net")" '*"ok":true*'
ok 'an upgrade' upgrade
ok 'down' test "$(ask_netd $UID_A detach idle)" = '{"ok":true,"was":true}'
gone() { ! ns_alive "$NETD_PID"; }
ok 'it ends when nobody holds anything' ns_until 60 gone
wait "$NETD_PID"
is 'with success' $? 0
NS_SERVERS=$(_ns_without "$NETD_PID" "$NS_SERVERS")
is 'the socket stays, for it is not its own' "$(on host stat -c %F /run/netd/netd.sock)" socket
on host rm -f /run/netd/netd.sock
on host "$NETNS_UP" gc -q

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# The daemon: its two processes and what they may; policy; attachments of ordinary users, from the
# first packet to the last; who sees what; restart, death, socket activation; nothing left.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
serve_http out 80

# --- nobody allows anything -----------------------------------------------------------------------
netd_start
status_of() { sed -nE "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
front=$(netd_front)
isnt 'there is a front' "$front" ''
is 'the front is nobody' "$(status_of "$front" Uid | tr -s '\t' ' ')" '65534 65534 65534 65534'
is 'in no group' "$(status_of "$front" Groups | tr -d ' ')" ''
for what in CapInh CapPrm CapEff CapBnd CapAmb; do
	is "the front has no capability: $what" "$(status_of "$front" $what)" 0000000000000000
done
is 'it can get none' "$(status_of "$front" NoNewPrivs)" 1
is 'it has a system call filter' "$(status_of "$front" Seccomp)" 2
is 'its root is empty' "$(ls -A "/proc/$front/root/" 2>&1)" ''
is 'it has two sockets, its events, its root, and the standard three' \
	"$(find "/proc/$front/fd" -mindepth 1 -printf '%l\n' | sed 's/:.*//' | sort | uniq -c | tr -s ' ' | tr '\n' ',')" \
	"$(printf ' 1 /, 1 /dev/null, 2 %s, 1 anon_inode, 2 socket,' "$NETD_LOG")"
is 'the back can get no privilege' "$(status_of "$NETD_PID" NoNewPrivs)" 1
is 'it has a system call filter too' "$(status_of "$NETD_PID" Seccomp)" 2
is 'it has the capabilities that it needs' "$(status_of "$NETD_PID" CapEff)" 00000000002435e0
is 'for good' "$(status_of "$NETD_PID" CapBnd)" 00000000002435e0
is 'no name service is loaded into either' "$(cat "/proc/$NETD_PID/maps" "/proc/$front/maps" | grep -c libnss)" 0
is 'everybody may ask' "$(on host stat -c %a /run/netd/netd.sock)" 666

box one $UID_A
like 'without policy it is slirp-lite' "$(nta "$BOX" -v 2>&1)" '*slirp-lite carries it: netd: not permitted*10.0.2.100*'
like 'which keeps what it has' "$(policy "allow nta default attach" && nta "$BOX" -v 2>&1)" "*10.0.2.100*"
ok 'down' nta down "$BOX" -q
ok 'a denial is a line of the log' grep -q "audit: uid=$UID_A comm=netns-up verb=attach network=default id=pid-$BOX ifname=eth0 ports=0 result=denied why=attach on default: no rule allows it" "$NETD_LOG"

# --- policy test ----------------------------------------------------------------------------------
policy '# three lines' 'allow nta default attach,publish nics=2 ports=3 range=8000-8099' 'deny * * all'
pt() { on host "$NETNS_UP" policy test --policy-dir "$POLICY" "$@"; }
like 'policy test: granted' "$(pt --user nta -p 8080:80)" "*attach on default: allowed by $POLICY/50-test.conf:2*granted"
pt --user nta -p 80 >/dev/null
is 'policy test: a port outside' $? 5
pt --user nta -p 8000-8003 >/dev/null
is 'policy test: too many' $? 7
like 'policy test: another user' "$(pt --user ntb)" "*denied by $POLICY/50-test.conf:3*"
pt --user nobody-knows 2>/dev/null
is 'policy test: no such user' $? 3
echo 'alow * * all' >"$POLICY/10-bad.conf"
like 'policy test: a file with an error' "$(pt --user nta)" "*error: $POLICY/10-bad.conf: line 1: *refused*"
box two $UID_A
like 'and so says netd' "$(ask_netd $UID_A attach two /proc/$BOX/ns/net)" '*"denied"*'
like 'whose status tells' "$(ask_netd $UID_A status)" '*"policyErrors":1*'
rm "$POLICY/10-bad.conf"

# --- attached -------------------------------------------------------------------------------------
like 'up by netd' "$(nta "$(ns_pid one)" -p 8080:80 -v 2>&1)" "pid-$(ns_pid one) eth0 10.77.0.2/16 fd*::2/64
resolver 10.77.0.1 fd*::1
published 8080:80/tcp"
like 'once more changes nothing' "$(nta "$(ns_pid one)" -p 8080:80)" '*10.77.0.2/16*'
ok 'a grant is a line of the log' grep -q "audit: uid=$UID_A comm=netns-up verb=attach network=default id=pid-$(ns_pid one) ifname=eth0 ports=1 result=granted" "$NETD_LOG"
is 'one link' "$(n_links)" 1
like 'an isolated, guarded port that does not learn' "$(on host bridge -d link show)" \
	'*guard on*root_block on*learning off*flood off*isolated on*'
link=$(on host ip -o link show group 28277 | cut -d: -f2 | tr -d ' ' | cut -d@ -f1)
like 'with one static station' "$(on host bridge fdb show dev "$link")" '*72:6e:0a:4d:00:02 sticky master nb-default static*'
serve_inside one busybox httpd -f -p 80 -h "$NS_TMP/www.out"
httpd=$SERVED
_up() { [ -n "$(inside one ss -Hlnt 'sport = :80')" ]; }
ns_until 20 _up
is 'the port from outside, IPv4' "$(http out "http://$HOST4:8080/hello")" 'hello from out'
is 'IPv6' "$(http out "http://[$HOST6]:8080/hello")" 'hello from out'
is 'on loopback' "$(http host http://127.0.0.1:8080/hello)" 'hello from out'
is 'the way out, IPv4' "$(inside one curl -sS -m 60 "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'IPv6' "$(inside one curl -sS -g -m 60 "http://[$OUT6]/cgi-bin/peer")" "$HOST6"
like 'ls' "$(nta ls)" "*pid-$(ns_pid one) *eth0*default*10.77.0.2*8080:80/tcp*"
like 'status' "$(nta status "$(ns_pid one)")" '*state*up*default*8080:80/tcp*'
like 'root sees whose it is' "$(on host "$NETNS_UP" ls)" "*user-$UID_A.pid-$(ns_pid one) *eth0*default*10.77.0.2*"
ok 'and finds it whole' on host "$NETNS_UP" check "user-$UID_A.pid-$(ns_pid one)"
is 'publish' "$(nta publish "$(ns_pid one)" 8081:80 | tail -n 1)" 'published 8081:80/tcp'
is 'serves' "$(http out "http://$HOST4:8081/hello")" 'hello from out'
nta publish "$(ns_pid one)" 8082-8083:80-81 >/dev/null 2>&1
is 'publish beyond the quota' $? 7
nta publish "$(ns_pid one)" 9090:80 >/dev/null 2>&1
is 'publish beyond the range' $? 5
ok 'unpublish' nta unpublish "$(ns_pid one)" 8081:80 -q
is 'which is closed then' "$(http out "http://$HOST4:8081/hello")" ''
nta check "$(ns_pid one)" 2>/dev/null
is 'check is refused by name' $? 8

# --- the other user -------------------------------------------------------------------------------
policy 'allow nta default attach,publish nics=2 ports=3 range=8000-8099' \
	'allow ntb default attach,publish,mac,address nics=1 ports=2'
like 'another user sees nothing of it' "$(ask_netd $UID_B list)" '*"attachments":\[\]*'
like 'takes nothing down' "$(ask_netd $UID_B detach "pid-$(ns_pid one)")" '*"was":false*'
like 'not by its real name' "$(ask_netd $UID_B detach "user-$UID_A.pid-$(ns_pid one)")" '*"was":false*'
like 'publishes nothing there' "$(ask_netd $UID_B publish "pid-$(ns_pid one)" 8085:80)" '*"absent"*'
like 'takes no port off' "$(ask_netd $UID_B unpublish "pid-$(ns_pid one)" 8080:80)" '*"absent"*'
box three $UID_B
like 'may have the same name for his own' "$(ask_netd $UID_B attach "pid-$(ns_pid one)" "/proc/$BOX/ns/net")" '*"ok":true*10.77.0.3*'
like 'not the same port' "$(ask_netd $UID_B publish "pid-$(ns_pid one)" 8080:80)" '*"conflict"*'
like 'nor the same address' "$(ask_netd $UID_B attach --ip 10.77.0.2 x "/proc/$BOX/ns/net" --ifname e2)" '*"quota"*'
like 'nor one of the host' "$(serve host socat TCP-LISTEN:8444,reuseaddr,fork - && wait_port host tcp 8444
	ask_netd $UID_B publish "pid-$(ns_pid one)" 8444:80)" '*"conflict"*'
is 'his box and the other: no way between the ports' "$(inside three curl -sS -m 1 http://10.77.0.2/hello 2>/dev/null)" ''
like 'his port by the policy of ports' "$(ask_netd $UID_B publish "pid-$(ns_pid one)" 80:80)" '*"denied"*'
ok 'down' nta down "$(ns_pid one)" -q
is 'down again is nothing' "$(nta down "$(ns_pid one)")" ''
is 'the interface is gone' "$(inside one ip -o link show | wc -l)" 1

# --- lifetime -------------------------------------------------------------------------------------
ok 'up again' nta "$(ns_pid one)" -p 8080:80 -q
ns_kill three
has_links_soon 1 # in the kernel's own time, which ends one namespace after the other
ended() { [ "$(on host "$NETNS_UP" ls | wc -l)" -eq "$1" ]; }
ok 'a namespace that is gone is noticed at once' ns_until 20 ended 2
ok 'which is a line of the log' ns_until 20 grep -q "audit: uid=$UID_B id=user-$UID_B.pid-.* result=ended" "$NETD_LOG"
inside one ip link del eth0
ok 'an interface that its owner deletes too' ns_until 20 ended 1
ok 'and up again' nta "$(ns_pid one)" -p 8080:80 -q

on host "$NETD" --foreground --policy-dir "$POLICY" 2>"$NS_TMP/err"
like 'a second netd is refused' "$(cat "$NS_TMP/err")" '*another netd is there*'
like 'and the first is unharmed' "$(ask_netd $UID_A status)" '*"ok":true*'

# --- the end of processes -------------------------------------------------------------------------
front=$(netd_front)
kill -KILL "$front"
new_front() { f=$(netd_front); [ -n "$f" ] && [ "$f" != "$front" ]; }
ok 'a front that dies is started again' ns_until 20 new_front
like 'and answers' "$(ask_netd $UID_A status)" '*"interfaces":1*'
ok 'SIGTERM: the end' netd_stop
is 'the socket is gone' "$(on host ls /run/netd/netd.sock 2>/dev/null)" ''
is 'what was attached is not' "$(http out "http://$HOST4:8080/hello")" 'hello from out'
like 'without netd it is slirp-lite' "$(nta "$(ns_pid two)" -v 2>&1)" '*netd does not run*10.0.2.100*'
ok 'down' nta down "$(ns_pid two)" -q
netd_start
like 'a new netd knows whose it is' "$(ask_netd $UID_A list)" "*pid-$(ns_pid one)*8080*"
like 'and counts it' "$(ask_netd $UID_A status)" '*"interfaces":1,"ports":1*'
kill -KILL "$NETD_PID"
netd_killed
no_front() { ! pgrep -x netd-front --ns "$(ns_pid host)" --nslist net >/dev/null; }
ok 'netd was killed: its front ends' ns_until 20 no_front
unserve $httpd
ns_kill one
has_links_soon 0
netd_start
ok 'what has died meanwhile is taken down at the start' ns_until 20 ended 1

# --- socket activation ----------------------------------------------------------------------------
ok 'SIGTERM with nothing held' netd_stop
is 'leaves nothing, not even the directory' "$(on host ls -d /run/netd 2>/dev/null)" ''
box four $UID_A
serve host "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
path = "/run/netd/netd.sock"
os.makedirs(os.path.dirname(path), exist_ok=True)
s.bind(path)
os.chmod(path, 0o666)
s.listen()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[1], sys.argv[1:])
' "$NETD" --foreground --policy-dir "$POLICY" --idle-exit 6
NETD_PID=$SERVED NETD_LOG=$SERVED_LOG
ns_until 20 grep -q ready: "$NETD_LOG"
like 'with a socket that was handed over' "$(ask_netd $UID_A attach four "/proc/$BOX/ns/net")" '*"ok":true*'
sleep 6.5
ok 'it stays while somebody holds something' ns_alive "$NETD_PID"
ok 'down' nta down four -q
gone() { ! ns_alive "$NETD_PID"; }
ok 'and ends when nobody does' ns_until 20 gone
wait "$NETD_PID"
is 'with success' $? 0
NS_SERVERS=$(_ns_without "$NETD_PID" "$NS_SERVERS")
is 'the socket stays, for it is not its own' "$(on host stat -c %F /run/netd/netd.sock)" socket
on host rm -f /run/netd/netd.sock
on host "$NETNS_UP" gc -q

"$NETD" 2>/dev/null
is 'it wants to be told to stay in the foreground' $? 2
"$NETD" --foreground --socket relative 2>/dev/null
is 'and paths that are paths' $? 2
on host "$NETD" --foreground --user nobody-knows 2>/dev/null
is 'and a user that there is' $? 1
on host "$NETD" --foreground --user root 2>/dev/null
is 'and is not root' $? 1

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run: the network is up before the command, down after it; status, signals and namespaces.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

ns_world
snapshot host >"$NS_TMP/before"

ok 'the network is up before the command starts' nu run -q -- ping -q -c1 -W10 $OUT4
ok 'both families' nu run -q -- ping -q -c1 -W10 $OUT6
nu run -q -- sh -c 'exit 42'
is 'the exit status is passed on' "$?" 42
nu run -q -- sh -c 'kill -TERM $$'
is 'death by a signal is 128 + its number' "$?" 143
nu run -q -- nosuchcommand 2>/dev/null
is 'a command that is not found' "$?" 127
nu run -q -- /etc/passwd 2>/dev/null
is 'a command that cannot be executed' "$?" 126
nu run -q --mtu 1 -- true 2>/dev/null
is 'a wrong option' "$?" 125
nu run -q --network nosuch -- true 2>/dev/null
is 'a network that does not exist' "$?" 125
is 'options of the command are its own' "$(nu run -q -- echo -p --json)" '-p --json'
is 'standard input reaches it' "$(echo hello | nu run -q -- cat)" hello
residue host "$NS_TMP/before" 'nothing is left'

like "resolv.conf has the network's resolver" "$(nu run -q -- cat /etc/resolv.conf)" 'nameserver 10.77.0.1
nameserver fd*::1'
nu network create mute --no-names -q
resolv=$(nu run -q --network mute -- cat /etc/resolv.conf)
like 'without names: the resolvers of the host' "$resolv" '*nameserver 198.51.100.53*'
printf 'nameserver 127.0.0.53\nsearch example.org\n' >"$NS_TMP/host.resolv"
on host mkdir -p /run/systemd/resolve
printf 'nameserver 198.51.100.54\nsearch example.org\n' >"$NS_TMP/sd"
on host cp "$NS_TMP/sd" /run/systemd/resolve/resolv.conf
like 'with names: what else it says' "$(nu run -q -- cat /etc/resolv.conf)" '*nameserver fd*::1
search example.org'
like 'a loopback resolver is replaced' "$(nu run -q --network mute -- cat /etc/resolv.conf)" '*nameserver 198.51.100.54*'
on host rm -r /run/systemd
like 'none left is a warning' "$(nu run --network mute -- true 2>&1)" '*resolver*'
is 'but not with names' "$(nu run -- true 2>&1)" ''
nu network rm mute
is "the host's file is as it was" "$(on host cat /etc/resolv.conf | head -1)" 'nameserver 127.0.0.53'
printf 'nameserver 198.51.100.53\nnameserver 2001:db8:1::53\n' >"$NS_TMP/host.resolv"

self() { on host readlink "/proc/self/ns/$1"; }
for kind in pid uts ipc user cgroup mount; do
	link=$kind
	[ $kind != mount ] || link=mnt
	isnt "--$kind: a new one" "$(nu run -q --$kind -- readlink /proc/self/ns/$link)" "$(self $link)"
	is "--$kind: the network works" "$(nu run -q --$kind -- sh -c "ping -q -c1 -W10 $OUT4 >/dev/null && echo ok")" ok
done
is 'without an option it is shared' "$(nu run -q -- readlink /proc/self/ns/ipc)" "$(self ipc)"
ok '--pid: few processes are seen' sh -c '[ "$1" -lt 8 ]' sh "$(nu run -q --pid -- sh -c 'ls -d /proc/[0-9]* | wc -l')"
is '--hostname' "$(nu run -q --hostname box -- hostname)" box
isnt "the host's name is as it was" "$(hostname)" box
residue host "$NS_TMP/before" 'nothing is left after all kinds'

# A server in it is reached; a signal ends it; its network goes.
serve host "$NETNS_UP" run -q -p 8080:80 --name srv -- busybox httpd -f -p 80 -h "$NS_TMP"
echo it works >"$NS_TMP/index.html"
ok 'up within time' ns_until 20 sh -c '[ -n "$(nsenter -t "$1" -n -m "$2" ls 2>/dev/null | grep srv)" ]' sh "$(ns_pid host)" "$NETNS_UP"
ok 'its server is reached' ns_until 20 sh -c '[ "$(nsenter -t "$1" -n curl -s -m 1 http://198.51.100.1:8080/)" = "it works" ]' sh "$(ns_pid out)"
kill -TERM "$SERVED"
wait "$SERVED"
is 'a signal is forwarded' "$?" 143
NS_SERVERS=$(_ns_without "$SERVED" "$NS_SERVERS")
residue host "$NS_TMP/before" 'its network is gone'

# Killed without mercy: the command dies with it, gc removes what is left.
serve host "$NETNS_UP" run -q -p 8080:80 --name srv -- sleep 300
ok 'up again' ns_until 20 sh -c '[ -n "$(nsenter -t "$1" -n -m "$2" ls 2>/dev/null | grep srv)" ]' sh "$(ns_pid host)" "$NETNS_UP"
kill -KILL "$SERVED"
wait "$SERVED" 2>/dev/null
NS_SERVERS=$(_ns_without "$SERVED" "$NS_SERVERS")
ok 'the command dies with it' ns_until 20 sh -c '! pgrep -f "^sleep 300$" --ns "$1" --nslist net >/dev/null 2>&1 || ! pgrep -x sleep | xargs -I{} cat /proc/{}/cmdline | tr "\0" " " | grep -q "sleep 300"' sh "$(ns_pid host)"
ok 'gc' ns_until 20 sh -c 'nsenter -t "$1" -n -m "$2" gc && [ -z "$(nsenter -t "$1" -n -m "$2" ls | grep srv)" ]' sh "$(ns_pid host)" "$NETNS_UP"
residue host "$NS_TMP/before" 'gc leaves nothing'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Processes of a user's networks that are stopped, and see and do nothing: none of them holds the namespace, or the
# user's files, when those who keep it have gone, or when the last network goes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
. "$(dirname "$0")/user_names_lib.sh"

snapshot host >"$NS_TMP/before"
foreign a $UID_A
# shellcheck disable=SC2154 # set by foreign
a=$box_a
is_stopped() { grep -qs '^State:.T' "/proc/$1/status"; }
stop() { # PID...
	local p
	for p; do
		kill -STOP "$p"
		ns_until 20 is_stopped "$p" || bail "$p does not stop"
	done
}
begin() {
	nna network create web -q && nna up "$a" --network web --name a -p 8080:80 -q || bail 'no network'
	host=$(host_of)
	keepers=$(named netns-up-host)
}
over() { # HOW
	ok "$1: nobody is left in the namespace" ns_until 30 is_empty "$host"
	ok "$1: nobody of the way out" ns_until 30 no_slirp
	ok "$1: nobody who keeps it" ns_until 30 has_keepers 0
	ok "$1: the container's link goes" ns_until 20 sh -c '! nsenter -t "$1" -U -n ip link show eth0 2>/dev/null' sh "$a"
}
# shellcheck disable=SC2086 # a list
kill_keepers() { kill -STOP $keepers && kill -KILL $keepers; }
all_slirp() { ns_ours | sed -n 's/ slirp-.*//p'; }

for who in slirp-lite slirp-zygote slirp-worker slirp-nsd; do
	begin
	stop "$(named $who)"
	kill_keepers
	over "$who is stopped, the keepers are killed"
	nna ls >/dev/null 2>&1
done
begin
# shellcheck disable=SC2046 # a list
stop $(all_slirp) "$(responders "$host")"
kill_keepers
over 'all are stopped, the keepers are killed'
nna ls >/dev/null 2>&1
begin
# shellcheck disable=SC2046 # a list
stop $(all_slirp) "$(responders "$host")"
on host rm -rf /run/user/$UID_A/netns-up
over 'all are stopped, the files are removed'

# A keeper that is stopped is of no use, and no hindrance.
begin
stop "$(echo "$keepers" | head -n 1)"
ok 'a keeper is stopped: a call' nna gc -q
ok 'the container goes' nna down a -q
ok 'the last network' nna network rm web
over 'a keeper is stopped, the last network goes'
begin
stop "$(named slirp-lite)"
was=$(uplink_pid)
ok 'the supervisor is stopped: the next call wakes it up' nna publish a 8081:80 -q
is 'it is the same' "$(uplink pid) $(uplink_pid)" "$was $was"
# shellcheck disable=SC2046 # a list
stop $(all_slirp) "$(responders "$host")"
ok 'all are stopped: the container goes' nna down a -q
ok 'the last network' nna network rm web
over 'all are stopped, the last network goes'
unserve "$a"
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

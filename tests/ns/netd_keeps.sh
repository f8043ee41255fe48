#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# The names responder is killed: netd starts it again, with all names, root's and users', and nobody has called
# anything. It does not when nobody needs one.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow * default attach,publish nics=9 rate=1000'

responder() { # its pids: itself, and the one that reads resolv.conf
	_ns_strays | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q 'netns-up-forwarder names' && echo "$p"
	done
}
has_one() { [ -n "$(responder)" ]; }
has_none() { ! has_one; }
killed() { # all of them; another one may be there at once
	# shellcheck disable=SC2046 # a list
	ns_end $(responder)
}
nu() { on host "$NETNS_UP" "$@"; }
DIG='dig +short +time=5 +tries=1'
is_answered() { # root's by another root's, a user's by another one of his
	# shellcheck disable=SC2086,SC2154 # words; set below
	[ "$(on db $DIG "@$s4" www A 2>&1)" = "$web4" ] && [ "$(on db $DIG "@$s6" www AAAA 2>&1)" = "$web6" ] &&
		[ "$(inside mine $DIG "@$s4" other A 2>&1)" = "$other4" ] &&
		[ "$(inside mine $DIG "@$s6" other AAAA 2>&1)" = "$other6" ] &&
		[ "$(on inner $DIG "@$i4" inner A 2>&1)" = "$inner4" ]
}
addr() { # CONTAINER 4|6
	nu status "$1" | awk -v f="$2" \
		'$1 == "address" && (index($2, ":") > 0) == (f == 6) { sub("/.*", "", $2); print $2 }'
}
n_said() { [ "$(netd_log 'names responder was gone')" -ge "$1" ]; }
metric() { nu metrics | sed -n 's/^netd_names_restarted_total //p'; }

# --- root's containers, made beside netd; a user's ---------------------------------------------------
netd_start
is 'nothing is there that would need one' "$(responder)" ''
for c in web db inner; do container_new $c host; done
ok 'an internal network' nu network create inside --internal
ok 'web' nu up "$(ns_pid web)" --name web --alias www -q
ok 'db' nu up "$(ns_pid db)" --name db -q
ok 'inner' nu up "$(ns_pid inner)" --name inner --network inside -q
box mine $UID_A
box other $UID_A
ok "a user's" nta "$(ns_pid mine)" -q --name mine
ok 'and another one' nta "$(ns_pid other)" -q --name other
at() { nu status "$1" --json | jq -r ".[0].resolver$2"; }
s4=$(at web 4) s6=$(at web 6) i4=$(at inner 4) inner4=$(addr inner 4)
web4=$(addr web 4) web6=$(addr web 6) other4=$(addr "user-$UID_A.other" 4) other6=$(addr "user-$UID_A.other" 6)
ok 'names' ns_until 20 is_answered
killed
ok 'killed: all names are back, and nobody has called anything' ns_until 30 is_answered
ok 'it is said' ns_until 10 n_said 1
like 'and counted' "$(metric)" '[1-9]*'
killed
ok 'once more' ns_until 30 is_answered
ok 'what there is can be found again: check is content' nu check db -q
ok 'so it is said again' ns_until 10 n_said 2

# --- an upgrade, a restart --------------------------------------------------------------------------
kill -USR2 $NETD_PID
ok 'an upgrade' ns_until 60 grep -q 'has taken over' "$NETD_LOG"
n=$(netd_log 'names responder was gone')
killed
ok 'the program that comes next watches it too' ns_until 60 is_answered
ok 'it is said' ns_until 10 n_said $((n + 1))
ok 'SIGTERM: the end' netd_stop
killed
nok 'without netd it stays away' is_answered
netd_start
ok 'until netd is there again' ns_until 30 is_answered

# --- its own end ------------------------------------------------------------------------------------
n=$(netd_log 'names responder was gone')
ok 'all go' nu down web -q
for c in db inner; do ok 'all go' nu down $c -q; done
for c in mine other; do ok 'all go' nta down $c -q; done
ok 'it ends with the last' ns_until 20 has_none
sleep 1
is 'and no other one is started' "$(responder)$(netd_log 'names responder was gone')" "$n"
ok 'one that comes later is watched too' nu up "$(ns_pid db)" --name db -q
db4=$(addr db 4)
# shellcheck disable=SC2086 # words
answers() { [ "$(on db $DIG "@$s4" db A 2>&1)" = "$db4" ]; }
ok 'it is answered' ns_until 20 answers
seen() { # netd has a descriptor of the process
	grep -lsx "Pid:[[:space:]]*$(responder | head -n 1)" "/proc/$NETD_PID/fdinfo/"* | grep -q .
}
ok 'it is watched' ns_until 30 seen
killed
ok 'killed: back' ns_until 60 answers
ok 'down' nu down db -q
ok 'it ends' ns_until 20 has_none
nu network rm inside
ok 'SIGTERM' netd_stop

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
rm -rf "/tmp/netns-up-$UID_A"
ns_done

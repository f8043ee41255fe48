#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# `lifetime=login`: not without a login, and no longer, whatever netd does meanwhile. Who logs in and out
# here is told by the files that logind keeps.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
UID_C=$((NS_UID + 2))
USERS=/run/systemd/users
log_in() { on host sh -c 'echo STATE=active >"$1/.#$2" && mv "$1/.#$2" "$1/$2"' sh $USERS "$1"; } # as logind writes
log_out() { on host rm "$USERS/$1"; }
attach() { ask_netd "$1" attach "$2" "/proc/$(ns_pid "$3")/ns/net"; } # UID ID BOX
has() { ask_netd "$1" list | grep -q "\"id\":\"$2\""; } # UID ID
has_not() { ! has "$@"; }
ended() { # WHAT UID ID
	ok "$1" ns_until 30 has_not "$2" "$3"
	ok "$1: a line of the log" ns_until 30 grep -q \
		"audit: uid=$2 id=user-$2.$3 ifname=eth0 result=ended why=its user has logged out" "$NETD_LOG"
}
pt() { on host "$NETNS_UP" policy test --policy-dir "$POLICY" --user "$@"; }

policy 'allow nta default attach lifetime=logout'
like 'a lifetime that there is not' "$(pt nta)" '*lifetime: expected namespace or login, found "logout"*'
policy "allow nta default attach lifetime=login" "allow $UID_C default attach,publish lifetime=login" \
	'allow ntb default attach lifetime=namespace'
netd_start
for b in one two three four; do box $b $UID_A; done
box theirs $UID_B
box third $UID_C

like 'where there is no logind nobody is logged in' "$(attach $UID_A one one)" '*"denied"*'
ok 'and the log says so' grep -q "uid=$UID_A .*result=denied why=uid $UID_A is not logged in" "$NETD_LOG"
on host mkdir -p $USERS
like 'no session' "$(attach $UID_A one one)" '*"denied"*'
on host mkdir "$USERS/$UID_A"
like 'what logind would not make is none' "$(attach $UID_A one one)" '*"denied"*'
on host rmdir "$USERS/$UID_A"
like 'policy test says so' "$(pt nta)" "*attach on default: allowed by*lifetime=login*refused: uid $UID_A is not logged in*"
log_in $UID_A
log_in $UID_C
like 'policy test: logged in' "$(pt nta)" '*lifetime=login*granted*'
like 'he is up' "$(attach $UID_A one one)" '{"ok":true,*"untilLogout":true*'
like 'more of his' "$(attach $UID_A two two)" '{"ok":true,*"untilLogout":true*'
like 'another one' "$(attach $UID_C third third)" '{"ok":true,*"untilLogout":true*'
like 'one of whom that is not said' "$(attach $UID_B theirs theirs)" '{"ok":true,*'
ok 'root finds it whole' on host "$NETNS_UP" check "user-$UID_A.one"
n=$(n_links)
is 'all of them' "$n" 4
log_in $UID_A # the file is another one
log_out $UID_C
ended 'he logs out' $UID_C third
ok 'who has not keeps his' has $UID_A one
ok 'and who needs no login' has $UID_B theirs
log_out $UID_A
ended 'then he does' $UID_A one
ended 'with all that he has' $UID_A two
ok 'the links go' ns_until 30 has_links 1
policy 'allow * default attach lifetime=login'
like 'he may not until he is back' "$(attach $UID_A three three)" '*"denied"*'
log_in $UID_A
like 'he is' "$(attach $UID_A three three)" '{"ok":true,*'

# netd is replaced; it was not there; the directory goes.
kill -USR2 "$NETD_PID"
ok 'netd becomes another program' ns_until 60 grep -q 'has taken over from' "$NETD_LOG"
like 'one more' "$(attach $UID_A four four)" '{"ok":true,*'
log_out $UID_A
ended 'which sees it' $UID_A three
ended 'and what came later' $UID_A four
log_in $UID_A
like 'again' "$(attach $UID_A three three)" '{"ok":true,*'
kill -KILL "$NETD_PID"
netd_killed
log_out $UID_A
netd_start
ended 'he has logged out while there was no netd' $UID_A three
log_in $UID_A
like 'and again' "$(attach $UID_A three three)" '{"ok":true,*'
on host mv $USERS $USERS.away
ended 'the directory is gone' $UID_A three
ok 'what was up before the policy changed stays' has $UID_B theirs
on host rm -r /run/systemd
for b in one two three four theirs third; do ns_kill $b; done
has_links_soon 0
ok 'the end' netd_stop
ok 'nothing is left to clean' on host "$NETNS_UP" gc -q
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B $UID_C; do rm -rf "/tmp/netns-up-$u"; done
ns_done

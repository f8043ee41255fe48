#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# The policy changes: what is up has the new caps, by itself. Not where it denies, or is broken, or
# where it cannot be known what it says to a user who is not there to be asked.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
UID_C=$((NS_UID + 2)) # is not in /etc/passwd
caps() { # UID ID: connections at once, on record
	ask_netd "$1" list | jq -r --arg id "$2" '.attachments[] | select(.id == $id) | .cap.conns // 0'
}
has() { [ "$(caps "$1" "$2")" = "$3" ]; } # UID ID N
in_kernel() { on host nft -j list set inet netd conns_port | jq -c '[.nftables[] | .set.elem? // empty | .[].elem["ct count"].val] | sort'; }
kernel_has() { [ "$(in_kernel)" = "$1" ]; }
follows() { ok "$1" ns_until 30 has "$2" "$3" "$4"; } # WHAT UID ID N

policy 'allow nta default attach conns=20' "allow @$UID_B default attach conns=21" "allow @$UID_C default attach conns=22"
netd_start
box one $UID_A
ok 'up' nta "$BOX" --name one -q
box two $UID_B
ok 'another one, by his group' ntb "$BOX" --name two -q
box three $UID_C
like 'one whom /etc/passwd does not know' "$(ask_netd $UID_C attach three "/proc/$BOX/ns/net")" '{"ok":true,*'
is 'they have their caps' "$(in_kernel)" '[20,21,22]'

policy 'allow nta default attach conns=30' "allow @$UID_B default attach conns=31" "allow @$UID_C default attach conns=32"
follows 'a user' $UID_A one 30
follows 'a member of a group' $UID_B two 31
is 'whose groups are not known keeps what he has' "$(caps $UID_C three)" 22
ok 'in the kernel' ns_until 30 kernel_has '[22,30,31]'
ok 'it is a line of the log' ns_until 30 grep -q "audit: uid=$UID_A id=user-$UID_A.one ifname=eth0 result=adjusted why=the policy has changed" "$NETD_LOG"
is 'and none where nothing changed' "$(netd_log "uid=$UID_C .*result=adjusted")" 0
policy 'allow * default attach conns=33'
follows 'as soon as no group matters he has the new ones' $UID_C three 33
ok 'all of them' ns_until 30 kernel_has '[33,33,33]'
ok 'all is whole' on host "$NETNS_UP" check "user-$UID_A.one"

# Denied, then broken: what is up stays as it is. Whether it was looked at is told by another user's.
policy 'allow ntb default attach conns=40' 'deny * * all'
follows 'another one' $UID_B two 40
is 'who is denied keeps what he has' "$(caps $UID_A one)" 33
echo 'allow ntb default attach conns=41' >"$POLICY/10-first.conf"
policy 'allow * default attach conns=42 what=1'
follows 'rules before a broken file count' $UID_B two 41
is 'what comes after changes nothing' "$(caps $UID_A one)" 33
rm "$POLICY/10-first.conf"
policy 'allow * default attach conns=43'
follows 'mended' $UID_A one 43
chmod 666 "$POLICY/50-test.conf"
echo 'allow * default attach conns=44' >"$POLICY/60-next.conf"
mv "$POLICY/60-next.conf" "$POLICY/40-next.conf"
follows 'a file that comes before' $UID_A one 44
rm "$POLICY/40-next.conf"

# The directory goes and comes; netd is told; netd was not there.
mv "$POLICY" "$POLICY.away"
like 'without a directory nobody may' "$(ask_netd $UID_A attach one "/proc/$(ns_pid one)/ns/net")" '*"denied"*'
mkdir -m 755 "$POLICY"
policy 'allow * default attach conns=50'
kill -HUP "$NETD_PID"
follows 'a new directory' $UID_A one 50
policy 'allow * default attach conns=51'
follows 'is watched, too' $UID_A one 51
kill -KILL "$NETD_PID"
netd_killed
policy 'allow * default attach conns=52'
netd_start
follows 'the next netd looks by itself' $UID_A one 52
policy 'allow * default attach conns=53'
follows 'and goes on' $UID_B two 53
ok 'nobody is left behind' ns_until 30 kernel_has '[53,53,53]'
for b in one two three; do ns_kill $b; done
has_links_soon 0
ok 'the end' netd_stop
ok 'nothing is left to clean' on host "$NETNS_UP" gc -q
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B $UID_C; do rm -rf "/tmp/netns-up-$u"; done
ns_done

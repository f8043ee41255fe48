#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # text in single quotes is for the shell inside the host
# Netlink under pressure: thousands of links, links of others that come and go all the time and rules that do at
# the begin of each call (so that dumps are interrupted and generations change), thousands of ports in one
# transaction, and every second time receive buffers of 2 KiB. Every call succeeds, and nothing is left.
# Environment: PRESSURE_SECONDS (20), PRESSURE_LINKS (5000), SMALLBUF.
. "$(dirname "$0")/../ns/lib.sh"
SECONDS_ALL=${PRESSURE_SECONDS:-20} LINKS=${PRESSURE_LINKS:-5000}
PORTS='-p 10000-14999:20000-24999 -p 20000-24999:30000-34999'

nu() { on host env ${SMALL:+LD_PRELOAD="$SMALLBUF"} "$NETNS_UP" "$@"; }

# What others make is left out.
picture() {
	on host sh -c '
		ip -o link show | grep -v " churn\| many" | sed -E "s/^[0-9]+: //; s/ brd .*//"
		ip -4 route show table all; ip -6 route show table all | grep -v "fe80:\|^multicast\|^anycast"; ip rule
		for t in $(nft list tables | grep -v churn | sed "s/^table //; s/ /,/"); do
			nft -s list table "${t%,*}" "${t#*,}"
		done
		find /run -path /run/mount -prune -o -path "*/cursors/*" -prune -o -printf "%y %p\n"' 2>&1 | sort
}

begin=$(date +%s)
ns_world
container_new c host
c=$(ns_pid c)
i=0
while [ $i -lt $((LINKS / 2)) ]; do
	echo "link add many$i type veth peer name manyp$i"
	i=$((i + 1))
done >"$NS_TMP/links"
ok "$LINKS links" on host ip -batch "$NS_TMP/links"
picture >"$NS_TMP/before"
# shellcheck disable=SC2086
ok 'thousands of ports in one transaction' on host "$NETNS_UP" up "$c" --name c $PORTS -q
n=$(on host nft list ruleset | grep -o 'tcp \. [12][0-9]* ' | wc -l)
ok "they are there ($n elements)" [ "$n" -ge 10000 ]
ok 'and go' on host "$NETNS_UP" down c -q
serve host sh -c 'while sleep 0.05; do ip link add churn0 type veth peer name churn1; ip link set churn0 up; ip link del churn0; done'
churn=$SERVED
note "set up in $(($(date +%s) - begin)) s"

rounds=0 bad=0
end=$(($(date +%s) + SECONDS_ALL))
call() { # ARGUMENT...
	local rules rc
	on host sh -c 'for i in 1 2 3 4 5; do nft add table inet churn; sleep 0.02; nft delete table inet churn; done' &
	rules=$!
	nu "$@" >"$NS_TMP/out" 2>&1
	rc=$?
	wait $rules
	[ $rc -ne 0 ] || return 0
	bad=$((bad + 1))
	[ $bad -gt 5 ] || note "round $rounds${SMALL:+, small buffers}: netns-up $*: $(head -n 5 "$NS_TMP/out")"
	return 1
}
while [ "$(date +%s)" -lt "$end" ] || [ $rounds -lt 2 ]; do
	SMALL=''
	[ $((rounds % 2)) -eq 0 ] || SMALL=yes
	# shellcheck disable=SC2086
	call up "$c" --name c $PORTS -q
	call check c -q
	call ls
	call down c -q
	rounds=$((rounds + 1))
done
is "$rounds rounds of up, check, ls and down: calls that failed" $bad 0
unserve "$churn"
on host ip link del churn0 2>/dev/null
same() { picture >"$NS_TMP/after" && diff -U0 "$NS_TMP/before" "$NS_TMP/after" >"$NS_TMP/diff"; }
ns_until 20 same
is 'nothing is left' "$(head -n 20 "$NS_TMP/diff")" ''
ns_done

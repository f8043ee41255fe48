#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# The tables while netd runs: held, so that nobody's flush, delete or edit gets at them, and no packet
# is lost or let through by it; written through netd by root's netns-up and the CNI plugin; left behind
# when netd is killed, and taken up by the next one. Without the kernel's flags: watched, and mended.
. "$(dirname "$0")/netd_lib.sh"
cp "$(dirname "$0")/netd_probe.py" "$NS_TMP/probe.py"
cp "$NETNS_UP_CNI" "$NS_TMP/bin/netns-up-cni" || bail 'no plugin'
mkdir "$NS_TMP/cni"
"$NETNS_UP" install-cni -q "$NS_TMP/cni" || bail 'install-cni'
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow nta default attach,publish'

up() { # NAME [OPTION...]
	local p
	p=$(ns_pid "$1")
	shift
	on host "$NETNS_UP" "$p" -q "$@"
}
down() { on host "$NETNS_UP" down "$(ns_pid "$1")" -q; }
said() { grep -c "$1" "$NETD_LOG"; }
says() { grep -q "$1" "$NETD_LOG"; }
flags() { on host nft list table "$1" netd | sed -nE 's/^\tflags ?//p'; }
handle() { on host nft -a list table inet netd | sed -nE '1s/.*handle //p'; }
rules() { # what is in both tables, whoever holds them
	on host sh -c 'nft -s list table inet netd; nft -s list table bridge netd' |
		sed -E 's/ # progname.*//; /^\tflags/d; /^$/d'
}
are_mended() { rules 2>/dev/null >"$NS_TMP/now" && cmp -s "$NS_TMP/now" "$NS_TMP/rules"; }
is_held() { [ "$(flags inet 2>/dev/null)$(flags bridge 2>/dev/null)" = 'owner,owner,' ] ||
	[ "$(flags inet 2>/dev/null)$(flags bridge 2>/dev/null)" = 'ownerowner' ]; }

probe() { # an adjacent host's view: what is published, what is not, and the container past the host
	serve out "$NETD_PROBER" probe "$NS_TMP/report" $HOST4:8080 "[$HOST6]:8080" -- \
		$HOST4:8081 $C4:80 $C4:81 "[$C6]:81"
	PROBER=$SERVED
	ns_until 20 grep -q probing "$SERVED_LOG" || bail "no prober: $(cat "$SERVED_LOG")"
}
probe_end() {
	kill -TERM "$PROBER"
	wait "$PROBER"
	NS_SERVERS=$(_ns_without "$PROBER" "$NS_SERVERS")
	note "$1: $(cat "$NS_TMP/report")"
}
n_of() { sed -nE "s/.*$1 ([0-9]+).*/\1/p" "$NS_TMP/report"; }

container_new one host
container_new two host
ok 'a container, before there is a daemon' up one -p 8080:80
C4=$(on one ip -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4 }')
C6=$(on one ip -6 -o addr show eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }')
serve one "$NETD_PROBER" serve 80 81
wait_port one tcp 81
rules >"$NS_TMP/rules"
is 'nobody holds the tables' "$(flags inet)" ''

# --- held ---------------------------------------------------------------------------------------------
case ${NETNS_UP_WITHOUT:-} in
'')
	netd_start
	ok 'netd takes them up at its start' ns_until 20 says 'the tables are held'
	ok 'both' is_held
	ok 'with all that is in them' are_mended
	is 'its door is for root' "$(on host stat -c %a /run/netd/nft.sock)" 600

	probe
	refused=0
	for i in $(seq 50); do
		on host nft flush ruleset
		on host nft delete table inet netd 2>/dev/null || refused=$((refused + 1))
		on host nft delete table bridge netd 2>/dev/null || refused=$((refused + 1))
		on host nft flush chain inet netd forward 2>/dev/null || refused=$((refused + 1))
	done
	probe_end 'held'
	is 'every edit is refused' $refused 150
	is 'no published connection is lost' "$(n_of lost)" 0
	is 'nor one that was there broken' "$(n_of broken)" 0
	is 'no closed port is reached' "$(n_of reached)" 0
	ok 'hundreds of probes' test "$(n_of probes)" -gt 500
	ok 'the tables are as they were' are_mended
	is 'nothing had to be mended' "$(said damaged)" 0

	# Everybody writes through netd.
	ok 'root: another container' up two -p 8090:80
	serve two "$NETD_PROBER" serve 80
	second=$SERVED
	wait_port two tcp 80
	like 'which is reached' "$(on out sh -c "echo hi | socat -t 60 - TCP:$HOST4:8090" 2>&1)" hi
	ok 'root: publish' on host "$NETNS_UP" publish "$(ns_pid two)" 8091:80 -q
	like 'which is reached' "$(on out sh -c "echo hi | socat -t 60 - TCP:$HOST4:8091" 2>&1)" hi
	ok 'root: check' on host "$NETNS_UP" check "$(ns_pid two)"
	ok 'root: gc' on host "$NETNS_UP" gc -q
	ok 'root: unpublish' on host "$NETNS_UP" unpublish "$(ns_pid two)" 8091:80 -q
	is 'which is closed then' "$(on out sh -c "echo hi | socat -t 3 - TCP:$HOST4:8091" 2>/dev/null)" ''
	unserve $second
	ok 'root: down' down two
	ok 'and all is as before' are_mended
	ok 'they are held all the time' is_held
	is 'without having been loaded again' "$(said 'the tables are held')" 1

	CONF='{"cniVersion":"1.1.0","name":"web","type":"bridge","bridge":"nuweb","isGateway":true,"ipMasq":true,
"ipam":{"type":"host-local","ranges":[[{"subnet":"203.0.113.0/26"}]]},
"runtimeConfig":{"portMappings":[{"HostPort":8092,"ContainerPort":80,"Protocol":"tcp","HostIP":""}]}}'
	cni() { # COMMAND
		printf '%s' "$CONF" >"$NS_TMP/stdin"
		on host env CNI_COMMAND="$1" CNI_CONTAINERID=two CNI_NETNS="/proc/$(ns_pid two)/ns/net" \
			CNI_IFNAME=eth0 CNI_PATH="$NS_TMP/cni" "$NS_TMP/cni/bridge" <"$NS_TMP/stdin"
	}
	ok 'the CNI plugin: ADD' cni ADD
	like 'is in the tables' "$(rules)" '*tcp . 8092*'
	ok 'DEL' cni DEL
	ok 'and out of them' are_mended
	ok 'still held' is_held

	# An ordinary user's, by a worker that has the socket from its birth.
	box mine $UID_A
	like 'a user' "$(ask_netd $UID_A attach mine "/proc/$BOX/ns/net" 8093:80)" '*"ok":true*'
	like 'is in the tables' "$(rules)" '*tcp . 8093*'
	like 'and down' "$(ask_netd $UID_A detach mine)" '*"was":true*'
	ok 'all is as before' are_mended

	# --- netd is killed ---
	number=$(handle)
	probe
	kill -KILL "$NETD_PID"
	netd_killed
	ok 'the rules stay' are_mended
	_is_left() { [ "$(flags inet)$(flags bridge)" = '' ] && on host nft list table inet netd | grep -q '^	flags'; }
	ok 'nobody holds them' ns_until 20 _is_left
	ok 'root works alone' up two -p 8090:80
	ok 'both ways' down two
	ok 'and all is as before' are_mended
	netd_start
	ok 'the next netd takes them up' ns_until 20 says 'the tables are held'
	ok 'both' is_held
	ok 'as they are' are_mended
	is 'they are the same tables' "$(handle)" "$number"
	ok 'and open to writers' up two -p 8090:80
	ok 'of any kind' down two
	probe_end 'killed and started again'
	is 'nobody has noticed' "$(n_of lost) $(n_of broken) $(n_of reached)" '0 0 0'

	# --- netd ends; what happens to the tables then ---
	ok 'SIGTERM' netd_stop
	is 'its door is gone' "$(on host ls /run/netd/nft.sock 2>/dev/null)" ''
	ok 'the rules stay' are_mended
	# A stranger takes them: nobody else writes then, and it is said whose fault it is.
	serve host "$PYTHON" "$NS_TMP/probe.py" hold
	stranger=$SERVED
	ns_until 20 grep -q held "$SERVED_LOG" || fail 'a stranger takes what nobody holds' "$(cat "$SERVED_LOG")"
	like 'root is told' "$(up two 2>&1)" '*another process holds the tables*'
	is 'STATUS: 51' "$(cni STATUS | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["code"])')" 51
	netd_start
	sleep 0.3
	is 'netd waits' "$(said 'the tables are held')" 0
	unserve $stranger
	ok 'until they are free' ns_until 20 is_held
	ok 'as they were' are_mended
	ok 'STATUS' cni STATUS
	ok 'SIGTERM' netd_stop
	on host nft insert rule inet netd forward accept
	on host nft delete element inet netd guarded '{ "x" }' 2>/dev/null
	nok 'which root finds damaged' on host "$NETNS_UP" check "$(ns_pid one)"
	netd_start
	ok 'netd mends what happened meanwhile' ns_until 20 says damaged
	ok 'and holds it' ns_until 20 is_held
	ok 'all of it' are_mended
	on host sh -c 'rm -rf /run/netd/attachments /run/netd/members /run/netd/addrs /run/netd/ports /run/netd/networks'
	on host ip link del "$(on host ip -o link show group 28277 | cut -d: -f2 | tr -d ' ' | cut -d@ -f1)"
	ok 'the state is lost: the tables are replaced, though held' up two
	ok 'and taken up again' ns_until 20 is_held
	ok 'down' down two
	is 'the last one takes them away' "$(on host nft list tables)" ''
	_no_more() { says 'not held any more'; }
	ok 'netd knows' ns_until 20 _no_more
	ok 'and again' up two
	ok 'held' ns_until 20 is_held
	ok 'down' down two
	ok 'SIGTERM' netd_stop
	ns_kill one
	container_new one host
	ok 'a container for what follows' up one -p 8080:80
	serve one "$NETD_PROBER" serve 80 81
	wait_port one tcp 81
	C4=$(on one ip -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4 }')
	C6=$(on one ip -6 -o addr show eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }')
	rules >"$NS_TMP/rules"
	NETNS_UP_WITHOUT=nft-owner-persist
	export NETNS_UP_WITHOUT
	;;
esac

# --- watched --------------------------------------------------------------------------------------------
netd_start
_is_kept() { on host nft list table inet netd-keep >/dev/null 2>&1; }
ok 'without the flags there is a stand-in' ns_until 20 _is_kept
ok 'without the flags: watched' ns_until 20 says 'watched, not held: nft-owner-persist is forced off'
is 'nobody holds them' "$(flags inet)" ''
probe
mended=$(on host "$PYTHON" "$NS_TMP/probe.py" mend delete 50 2>&1)
note "deleted: $mended"
like 'deleted fifty times: mended each time' "$mended" '*missed 0'
mended=$(on host "$PYTHON" "$NS_TMP/probe.py" mend flush 10)
note "flushed: $mended"
like 'flushed' "$mended" '*missed 0'
probe_end 'deleted and flushed'
# After one that fails netd waits for a second: how long it took tells nothing of that on a busy machine.
is 'at the first attempt' "$(said 'warning: tables:')" 0
is 'no closed port was reached' "$(n_of reached)" 0
is 'no connection that was there broke' "$(n_of broken)" 0
ok 'the tables are as they were' ns_until 20 are_mended
edit() { # DESCRIPTION NFT-COMMAND
	on host nft "$2" || fail "nft $2"
	ok "mended: $1" ns_until 20 are_mended
}
edit 'a rule more' 'insert rule inet netd forward accept'
edit 'a chain less' 'flush chain bridge netd guard'
edit 'an element less' 'delete element inet netd fwd4_any { tcp . 8080 }'
edit 'an element more' "add element inet netd open4 { $C4 }"
edit 'an empty table' 'delete table inet netd; add table inet netd'
_is_quiet() { # it is said after it is done
	n=$(said damaged)
	sleep 2
	[ "$(said damaged)" = "$n" ]
}
ok 'all has been said' ns_until 30 _is_quiet
ok 'our own: up' up two -p 8090:80
ok 'down' down two
sleep 0.3
is 'is no damage' "$(said damaged)" "$n"
kill -KILL "$NETD_PID"
netd_killed
on host nft delete table bridge netd
netd_start
ok 'what happened while there was no netd is mended by the next' ns_until 20 are_mended
ok 'down' down one
_none() { [ "$(on host nft list tables)" = '' ]; }
ok 'the last one takes them away' ns_until 20 _none
sleep 0.3
is 'and nobody brings them back' "$(on host nft list tables)" ''
ok 'SIGTERM' netd_stop

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

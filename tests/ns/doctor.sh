#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor: each obstacle really set on a host: it is named, --fix mends it, and traffic flows again (or is
# seen not to flow before). A healthy host gives nothing; an ordinary user sees what is his.
. "$(dirname "$0")/lib.sh"

UID_A=$NS_UID          # has subordinate ids
UID_B=$((NS_UID + 1)) # has none
ns_world
printf 'nda:x:%s:%s::/:/bin/sh\nndb:x:%s:%s::/:/bin/sh\n' $UID_A $UID_A $UID_B $UID_B |
	cat /etc/passwd - >"$NS_TMP/passwd"
printf 'nda:700000000:65536\n' >"$NS_TMP/subids"
on host sh -c '
	set -e
	mount -n --bind "$1/passwd" /etc/passwd
	for f in /etc/subuid /etc/subgid; do mount -n --bind "$1/subids" $f; done
	echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range' sh "$NS_TMP" || bail 'cannot prepare the host'
# As on a host without Docker or Kubernetes: where br_netfilter is loaded, it is on in new namespaces.
on host sh -c 'cd /proc/sys/net/bridge 2>/dev/null || exit 0
	echo 0 >bridge-nf-call-iptables; echo 0 >bridge-nf-call-ip6tables'
nu() { on host "$NETNS_UP" "$@"; }
as() { # UID CMD...
	local uid
	uid=$1
	shift
	on host setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all env -i PATH="$PATH" "$NS_MARK" "$@"
}
quiet() { # DESCRIPTION CMD...: exit status 0 and nothing but the last line
	local what
	what=$1
	shift
	is "$what" "$("$@" doctor 2>&1; echo $?)" 'nothing found
0'
}
names() { # DESCRIPTION PATTERN [CMD...]: exit status 10, and a line that is so
	local what pattern
	what=$1
	pattern=$2
	shift 2
	[ $# -gt 0 ] || set -- nu
	case $* in *doctor*) ;; *) set -- "$@" doctor ;; esac
	like "$what" "$("$@" 2>&1; echo "exit $?")" "*$pattern*exit 10"
}

snapshot host >"$NS_TMP/before"
quiet 'a healthy host before its first container' nu
container_new c1 host
container_new c2 host
nu up "$(ns_pid c1)" --name c1 -p 8080:80 >/dev/null || bail 'up c1'
nu up "$(ns_pid c2)" --name c2 >/dev/null || bail 'up c2'
serve_http c1 80
serve_http out 80
quiet 'a healthy host with containers' nu
C1=$(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/')
WAIT=10
get() { [ "$(on "$1" curl -sS -g -m $WAIT --noproxy '*' "$2" 2>&1)" = "hello from $3" ]; } # FROM URL NAME
inward() { get out "http://$HOST4:8080/hello" c1; }
inward6() { get out "http://[$HOST6]:8080/hello" c1; }
outward() { get c2 "http://$OUT4/hello" out; }
outward6() { get c2 "http://[$OUT6]/hello" out; }
among() { get c2 "http://$C1/hello" c1; }
local4() { get host http://127.0.0.1:8080/hello c1; }
stuck() { # DESCRIPTION CMD...: does not pass
	WAIT=1
	nok "$@"
	WAIT=10
}
flows() { # DESCRIPTION: both ways, both families
	ok "$1: IPv4 in" ns_until 10 inward
	ok "$1: IPv6 in" ns_until 10 inward6
	ok "$1: IPv4 out" ns_until 10 outward
	ok "$1: IPv6 out" ns_until 10 outward6
}
flows 'a healthy host'

# mended DESCRIPTION: with --fix nothing is left, and traffic flows.
mended() {
	like "$1: --fix says what it did" "$(nu doctor --fix 2>&1; echo "exit $?")" '*fixed: *nothing found*exit 0'
	flows "$1: mended"
}

# --- rules of others -----------------------------------------------------------------------------

# As Docker makes them, by iptables over nf_tables.
for t in iptables-nft ip6tables-nft; do
	on host sh -c '
		t=$1
		$t -P FORWARD DROP
		$t -N DOCKER-USER; $t -N DOCKER; $t -N DOCKER-ISOLATION-STAGE-1
		$t -A FORWARD -j DOCKER-USER
		$t -A FORWARD -j DOCKER-ISOLATION-STAGE-1
		$t -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		$t -A FORWARD -o docker0 -j DOCKER
		$t -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
		$t -A FORWARD -i docker0 -o docker0 -j ACCEPT
		$t -A DOCKER-ISOLATION-STAGE-1 -j RETURN
		$t -A DOCKER-USER -j RETURN' sh $t || bail "$t"
done
stuck 'Docker: published port, IPv4' inward
stuck 'Docker: the way out, IPv6' outward6
names 'Docker is named' 'error: Docker drops what containers send out, replies to containers, published ports (table ip filter, chain FORWARD, hook forward, policy drop); remedy: iptables -I DOCKER-USER -i nb-default -j ACCEPT && iptables -I DOCKER-USER -o nb-default -j ACCEPT'
names 'Docker is named for IPv6' 'table ip6 filter*remedy: ip6tables -I DOCKER-USER -i nb-default -j ACCEPT'
is 'without --fix nothing is changed' "$(on host iptables-nft -S DOCKER-USER | wc -l)" 2
like 'JSON says the same' "$(nu doctor --json | jq -c '[.findings[] | [.severity, .id, .fixable]]')" \
	'\[\["error","forward-chain",true\],\["error","forward-chain",true\]\]'
mended 'Docker'
like 'iptables reads what was put in' "$(on host iptables-nft -S DOCKER-USER)" \
	'*-A DOCKER-USER -i nb-default -j ACCEPT*-A DOCKER-USER -j RETURN*'
on host sh -c 'iptables-nft -F DOCKER-USER; ip6tables-nft -F DOCKER-USER'
stuck 'Docker again' inward
on host sh -c "$(nu doctor --json | jq -r '.findings[].remedy' | sed 's/iptables /iptables-nft /g; s/ip6tables /ip6tables-nft /g' | tr '\n' ';')"
flows 'Docker: the remedy, as printed'
on host nft flush ruleset
nu gc >/dev/null

# What is bridged comes by iptables' rules too, with br_netfilter, where the kernel has it.
nf=/proc/sys/net/bridge/bridge-nf-call-iptables
if on host test -e $nf; then
	on host sh -c 'echo 1 >$1; t=iptables-nft; $t -P FORWARD DROP
		$t -A FORWARD -i nb-default -o eth0 -j ACCEPT; $t -A FORWARD -i eth0 -o nb-default -j ACCEPT' sh $nf
	stuck 'br_netfilter: between containers' among
	names 'br_netfilter is named' 'error: the iptables firewall drops traffic between containers (table ip filter, chain FORWARD, hook forward, policy drop; br_netfilter is on); remedy: iptables -I FORWARD -i nb-default -j ACCEPT'
	nu doctor --fix >/dev/null
	ok 'br_netfilter: mended' ns_until 10 among
	on host sh -c 'iptables-nft -F; iptables-nft -P FORWARD ACCEPT; echo 0 >$1' sh $nf
	quiet 'br_netfilter off' nu
fi

# As ufw makes them.
for t in iptables-nft ip6tables-nft; do
	case $t in ip6*) u=ufw6 ;; *) u=ufw ;; esac
	on host sh -c '
		t=$1 u=$2
		$t -P FORWARD DROP; $t -P INPUT DROP
		for c in before-forward user-forward before-input user-input; do $t -N $u-$c; done
		$t -A INPUT -j $u-before-input; $t -A INPUT -j $u-user-input
		$t -A FORWARD -j $u-before-forward; $t -A FORWARD -j $u-user-forward
		$t -A $u-before-input -i lo -j ACCEPT
		$t -A $u-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		[ $t = iptables-nft ] || $t -A $u-before-input -p icmpv6 -j ACCEPT
		$t -A $u-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		for i in destination-unreachable time-exceeded echo-request; do
			case $t in ip6*) $t -A $u-before-forward -p icmpv6 --icmpv6-type $i -j ACCEPT ;;
			*) $t -A $u-before-forward -p icmp --icmp-type $i -j ACCEPT ;; esac
		done' sh $t $u || bail ufw
done
stuck 'ufw: published port' inward
names 'ufw is named; replies pass' 'error: ufw drops what containers send out, published ports (table ip filter, chain FORWARD*remedy: ufw route allow in on nb-default && ufw route allow out on nb-default'
like 'ufw: that it keeps containers from the host is a note' "$(nu doctor)" '*note: ufw drops containers that connect to the host itself*chain INPUT*remedy: ufw allow in on nb-default*'
nu doctor --fix >/dev/null
flows 'ufw: mended'
like 'ufw: what is left are notes' "$(nu doctor; echo "exit $?")" 'note: *exit 0'
ok 'ufw: on 127.0.0.1' ns_until 10 local4
on host sh -c 'iptables-nft -F ufw-before-input; ip6tables-nft -F ufw6-before-input'
stuck 'input without lo: 127.0.0.1' local4
names 'input without lo is named' 'drops published ports on 127.0.0.1 and ::1, what containers answer to the host itself'
nu doctor --fix >/dev/null
ok 'input without lo: mended' ns_until 10 local4
on host nft flush ruleset
nu gc >/dev/null

# iptables of the old kind, where the kernel still has them.
if on host iptables-legacy -P FORWARD DROP 2>"$NS_TMP/legacy.err"; then
	stuck 'iptables-legacy: published port' inward
	names 'iptables-legacy is named' 'warning: the iptables-legacy firewall may drop what is forwarded (ip_tables: policy of FORWARD is DROP); remedy: iptables-legacy -I FORWARD -i nb-default -j ACCEPT && iptables-legacy -I FORWARD -o nb-default -j ACCEPT'
	on host sh -c "$(nu doctor --json | jq -r '.findings[].remedy')"
	flows 'iptables-legacy: the remedy, as printed'
	on host sh -c 'iptables-legacy -F FORWARD; iptables-legacy -P FORWARD ACCEPT'
	quiet 'iptables-legacy, policy accept' nu
else
	note "$(cat "$NS_TMP/legacy.err")"
fi

# As firewalld makes them: accept by policy, and a rule at the end that rejects.
firewalld() { # RULE: beside those of always
	on host nft -f - <<-N
		table inet firewalld {
			chain filter_FORWARD {
				type filter hook forward priority filter + 10; policy accept;
				ct state { established, related } accept
				$1
				iifname "lo" accept
				jump filter_FORWARD_POLICIES
				ct state { invalid } drop
				reject with icmpx type admin-prohibited
			}
			chain filter_FORWARD_POLICIES {
				iifname "eth0" oifname "eth0" jump filter_FWD_public
				iifname "eth0" reject with icmpx type admin-prohibited
				reject with icmpx type admin-prohibited
			}
			chain filter_FWD_public { accept; }
		}
	N
}
firewalld 'ct status dnat accept'
ok 'firewalld: what is published passes' ns_until 10 inward
stuck 'firewalld: the way out' outward
names 'firewalld is named' 'error: firewalld drops what containers send out (table inet firewalld, chain filter_FORWARD, hook forward, policy accept but a rule drops*remedy: firewall-cmd --permanent --zone=trusted --add-interface=nb-default && firewall-cmd --reload'
nu doctor --fix >/dev/null
flows 'firewalld: mended'
on host nft flush ruleset
firewalld ''
nu gc >/dev/null
stuck 'firewalld, StrictForwardPorts: what is published' inward
names 'firewalld, StrictForwardPorts is named' 'error: firewalld drops what containers send out, published ports (table inet firewalld*StrictForwardPorts=no'
nu doctor --fix >/dev/null
flows 'firewalld, StrictForwardPorts: mended'
on host nft flush ruleset
nu gc >/dev/null

# Somebody's own.
on host nft -f - <<-N
	table inet mine {
		chain through { type filter hook forward priority 0; policy drop; icmp type echo-request accept; }
	}
	table bridge frames {
		chain through { type filter hook forward priority 0; policy drop; }
	}
N
stuck "somebody's own: between containers" among
names "somebody's own are named" 'table inet mine, chain through*nft '"'"'insert rule inet mine through iifname "nb-default" accept'"'"
names 'that of a bridge too' 'drops traffic between containers (table bridge frames, chain through*insert rule bridge frames through iifname "nu*" accept'
mended "somebody's own"
ok "somebody's own: between containers, mended" ns_until 10 among
on host nft flush ruleset

nu gc >/dev/null
# What somebody wants so, and what may be so, is left for a person.
on host nft -f - <<-N
	table inet mine {
		chain through { type filter hook forward priority 0; iifname "nb-default" oifname "eth0" drop; }
	}
N
stuck "somebody's wish" outward
names "somebody's wish is named, and left" 'error: a firewall drops what containers send out (table inet mine, chain through*a rule names our interface); remedy: nft' \
	on host "$NETNS_UP" doctor --fix
stuck "somebody's wish: still" outward
on host nft 'flush chain inet mine through; add chain inet mine through { policy drop; }
	add rule inet mine through tcp dport { 80, 443 } accept; add rule inet mine through ct state established accept'
flows 'ports alone'
names 'ports alone: a warning' 'warning: a firewall may drop what containers send out, published ports (table inet mine*could not be judged'
is 'ports alone: nothing to fix' "$(nu doctor --json | jq -c '[.findings[].fixable]')" '[false]'
on host nft delete table inet mine

# Sets and maps are looked into.
on host nft -f - <<-N
	table inet mine {
		set links { type ifname; elements = { "lo", "nb-default" }; }
		chain through {
			type filter hook forward priority 0; policy drop
			ct state vmap { established : accept, related : accept, invalid : drop }
			iifname { "lo", "nb-default" } accept
			oifname @links jump in
		}
		chain in { ct state vmap { new : goto new }; }
		chain new { ct status dnat accept; }
	}
N
flows 'a firewall that knows our interfaces'
quiet 'a firewall that knows our interfaces' nu
on host nft delete element inet mine links '{ "nb-default" }'
names 'and when it knows one way alone' 'error: a firewall drops published ports (table inet mine*remedy: nft '"'"'insert rule inet mine through oifname "nb-default" accept'"'"
on host nft flush ruleset

# --- our own tables, and settings ----------------------------------------------------------------

stuck 'a flushed ruleset' inward
names 'a flushed ruleset is named' 'error: our tables are gone*2 containers are on record*remedy: netns-up gc'
mended 'a flushed ruleset'
owner=$(on host nft list table inet netd | sed -n 's/.*comment "netns-up [0-9a-f]* \([0-9a-f]*\)".*/\1/p')
on host sh -c 'nft delete table inet netd
	echo "table inet netd { comment \"netns-up 00000001 $1\"; }" | nft -f -' sh "$owner"
names 'tables of another version' 'error: our tables are those of another version*remedy: netns-up gc'
mended 'tables of another version'
like 'another state directory' "$(nu doctor --state-dir /run/other; echo "exit $?")" \
	"error: this host's containers cannot be managed from here (the tables of this host belong to another state directory)*--state-dir*exit 10"

on host sh -c 'sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv4.ip_forward=0'
stuck 'ip_forward=0' outward
names 'ip_forward=0 is named' 'error: IPv4 that comes in by nb-default is not forwarded (/proc/sys/net/ipv4/conf/nb-default/forwarding is 0*remedy: sysctl -w net.ipv4.conf.nb-default.forwarding=1'
names 'of the uplink too' 'comes in by eth0 is not forwarded'
mended 'ip_forward=0'

# A second cable, and a client from afar who comes in by it.
wire host eth1 203.0.113.1/24 - out eth1 203.0.113.2/24 -
on out ip addr add 192.0.2.9/32 dev lo
on host ip route add default via 203.0.113.2 metric 200
on host sysctl -qw net.ipv4.conf.eth1.forwarding=1 net.ipv4.conf.eth1.rp_filter=0
afar() { [ "$(on out curl -sS -m $WAIT --interface 192.0.2.9 http://203.0.113.1:8080/hello 2>/dev/null)" = 'hello from c1' ]; }
ok 'a second uplink' ns_until 10 afar
quiet 'a second uplink is healthy' nu
on host sysctl -qw net.ipv4.conf.eth1.rp_filter=1
stuck 'a second uplink, rp_filter strict' afar
names 'rp_filter is named' 'warning: clients that come in by eth1 do not reach published ports (*eth0 is the best one*remedy: sysctl -w net.ipv4.conf.eth1.rp_filter=2'
mended 'rp_filter'
ok 'rp_filter: mended for those from afar' ns_until 10 afar
on host ip link del eth1

# --- ordinary users ------------------------------------------------------------------------------

is 'a healthy host, an ordinary user' "$(as $UID_A "$NETNS_UP" doctor; echo $?)" \
	"nothing found (firewall rules were not looked at: they are root's)
0"
names 'no subordinate ids' 'warning: there is one user id alone in your containers (no range for ndb in /etc/subuid); remedy: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ndb' \
	as $UID_B "$NETNS_UP"
on host sh -c 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
names 'ping range closed' 'warning: ping does not work from containers of yours (net.ipv4.ping_group_range is 1 to 0); remedy: sysctl -w net.ipv4.ping_group_range=' as $UID_A "$NETNS_UP"
like 'an ordinary user cannot mend it, and is told' "$(as $UID_A "$NETNS_UP" doctor --fix; echo "exit $?")" \
	'not fixed: ping does not work*Permission denied*exit 10'
names 'ping range closed, seen by root' 'ping does not work from containers of ordinary users'
nu doctor --fix >/dev/null
ok 'ping range: mended' as $UID_A "$NETNS_UP" run -- ping -c 1 -W 20 $OUT4

on host chmod 0600 /dev/net/tun
like 'tun closed: not permitted' "$(as $UID_A "$NETNS_UP" network create closed 2>&1; echo "exit $?")" \
	'netns-up: *: /dev/net/tun (its mode should be 0666, as udev makes it): Permission denied*exit 5'
nok 'tun closed' as $UID_A "$NETNS_UP" run -- true
names 'tun closed' 'error: you cannot make taps, which slirp-lite needs (/dev/net/tun has mode 0600); remedy: chmod 0666 /dev/net/tun' \
	as $UID_A "$NETNS_UP"
names 'tun closed, seen by root' 'warning: ordinary users cannot make taps'
nu doctor --fix >/dev/null
ok 'tun closed: mended' as $UID_A "$NETNS_UP" run -- curl -sS -m 60 -o /dev/null http://$OUT4/hello
on host rm /dev/net/tun
names 'tun missing' 'error: slirp-lite cannot make its tap (/dev/net/tun is not there)' as $UID_A "$NETNS_UP"
nu doctor --fix >/dev/null
ok 'tun missing: mended' as $UID_A "$NETNS_UP" run -- curl -sS -m 60 -o /dev/null http://$OUT4/hello

# In a user namespace of its own, whose limits are its own. Its root has the network it made.
nested() { # SCRIPT
	on host unshare --user --map-root-user --net --mount sh -c "ip link set lo up
		echo '0 0' >/proc/sys/net/ipv4/ping_group_range
		$1" sh "$NETNS_UP"
}
like 'nested: healthy but for a note' "$(nested '"$1" doctor; echo "exit $?"')" 'note: from a user namespace*exit 0'
like 'nested, max_user_namespaces=0' "$(nested 'echo 0 >/proc/sys/user/max_user_namespaces
	"$1" doctor; echo "exit $?"')" '*nobody can make a user namespace (user.max_user_namespaces is 0); remedy: sysctl -w user.max_user_namespaces=15000*exit 10'
like 'nested, max_user_namespaces=0: mended' "$(nested 'echo 0 >/proc/sys/user/max_user_namespaces
	unshare --user true 2>/dev/null && echo too early
	"$1" doctor --fix; unshare --user echo made')" '*fixed: nobody can make*made'
like 'nested, root of a network that is not its own' "$(on host unshare --user --map-root-user "$NETNS_UP" doctor)" \
	'*note: this is root of a user namespace in a network that is not its own*'
like 'root without CAP_NET_ADMIN' "$(on host setpriv --bounding-set=-net_admin --inh-caps=-net_admin "$NETNS_UP" doctor; echo "exit $?")" \
	'error: root may not change the network here (CAP_NET_ADMIN*--cap-add*exit 10'
like '/proc/sys read-only' "$(on host unshare --mount sh -c 'mount --bind /proc/sys /proc/sys &&
	mount -o remount,bind,ro /proc/sys && "$1" doctor' sh "$NETNS_UP")" 'error: forwarding cannot be switched on (/proc/sys/net cannot be written)*'

ok 'down c1' nu down c1
ok 'down c2' nu down c2
on host rm -f /run/xtables.lock # iptables-legacy's
NS_IGNORE='rp_filter|sysctl: net/ipv4/conf/eth1|/dev/net/tun'
residue host "$NS_TMP/before" 'nothing is left'
ns_done

# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC2016 # text in single quotes is for the shell inside a host
#
# lib.sh: what every shell namespace test stands on. Source it, call ns_world (or host_new and wire),
# test, and end with ns_done. It owns: hosts made of a network namespace and a mount namespace with a
# private /run, /etc/resolv.conf, /sys and /dev/net/tun; links between them in documentation ranges;
# servers; TAP output; snapshots and the residue check.
#
# It never touches the machine's own links, rules, sysctls or /run: a host is held by a sleeping process
# and entered by its pid, so tests run side by side; ns_done compares the machine before and after.
# Everything started here dies with the test, which has a process namespace of its own; at its end each
# is looked for, by the mark in its environment or by its network namespace.
#
# Not for subshells: host_new, container_new and serve must be called from the test's main shell.

set -u
# The system's own programs first: a python3 of a version manager is a script that looks for one, and costs ten times as
# much to start.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# The test is process 1 of a process namespace, and whoever ends it, by whatever signal, ends all that it
# has started. Around it are this shell, which waits, and a process in a session of its own, which takes
# the test's directory away when this shell is gone.
if [ -z "${NS_ALONE:-}" ] && [ "$(id -u)" -eq 0 ]; then
	NS_ALONE=$(mktemp -d "${TMPDIR:-/tmp}/nstest.XXXXXX") || exit 99
	export NS_ALONE
	export NS_NUMBER=$$
	setsid sh -c 'while kill -0 "$1"; do sleep 1; done; until rm -rf "$2"; do sleep 1; done' - \
		$$ "$NS_ALONE" </dev/null >/dev/null 2>&1 &
	env --default-signal=INT,QUIT,HUP setpriv --pdeathsig KILL unshare --fork --kill-child --pid --mount-proc \
		-- sh "$0" "$@" <&0 &
	trap 'kill -KILL $!' HUP INT TERM
	wait $!
	exit
fi
NS_TMP=${NS_ALONE:-}
# As Debian has it once its udev has run; what ordinary users do in the test's own view of the files makes taps too.
if [ -n "$NS_TMP" ] && [ -d /dev/net ] && [ "$(stat -c %a /dev/net/tun 2>/dev/null)" != 666 ]; then
	mount -n -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200 || exit 99
fi
# User ids of this test alone, eight of them: others run beside it, and what the kernel counts by user, or lies in
# the machine's /tmp, is theirs too. The pid is that of the shell around it: here every test is process 1.
# shellcheck disable=SC2034 # for the tests
NS_UID=$((1000000 + ${NS_NUMBER:-$$} * 8))
unset NS_ALONE NS_NUMBER
[ -n "$NS_TMP" ] || NS_TMP=$(mktemp -d "${TMPDIR:-/tmp}/nstest.XXXXXX") || exit 99
chmod 755 "$NS_TMP"
NS_MARK="NS_TEST_MARK=$$.$(date +%s%N)"
NS_HOLDERS='' # pids of the processes that hold a namespace
NS_SERVERS='' # pids of the servers
NS_SERVED=0   # how many there were
NS_HOSTS=''   # names of the hosts
NS_COUNT=0
NS_FAILED=0
NS_FINISHED=0
NS_PATIENCE=6 # how many times slower than an idle machine this one may be
NS_IGNORE='' # extended regular expression: lines of a snapshot that do not count

# The program looks for its forwarders beside itself: those of a build tree are put side by side.
if [ -n "${NETNS_UP_FORWARDER:-}" ]; then
	mkdir "$NS_TMP/bin"
	for f in "$NETNS_UP" "$NETNS_UP_FORWARDER" ${SLIRP_LITE:+"$SLIRP_LITE"} ${NETD:+"$NETD"}; do
		ln "$f" "$NS_TMP/bin/" 2>/dev/null || cp "$f" "$NS_TMP/bin/" || exit 99
	done
	NETNS_UP=$NS_TMP/bin/netns-up
	NETNS_UP_FORWARDER=$NS_TMP/bin/netns-up-forwarder
	[ -z "${SLIRP_LITE:-}" ] || SLIRP_LITE=$NS_TMP/bin/slirp-lite
	[ -z "${NETD:-}" ] || NETD=$NS_TMP/bin/netd
fi

# --- TAP -----------------------------------------------------------------------------------------

note() { printf '%s\n' "$*" | sed 's/^/# /'; }

_ns_result() { # 0|1 DESCRIPTION
	NS_COUNT=$((NS_COUNT + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$NS_COUNT" "$2"
		return 0
	fi
	NS_FAILED=$((NS_FAILED + 1))
	printf 'not ok %d - %s\n' "$NS_COUNT" "$2"
	return 1
}

pass() { _ns_result 0 "$1"; }
fail() { # DESCRIPTION [DETAIL]
	_ns_result 1 "$1"
	[ $# -lt 2 ] || note "$2"
	return 1
}

# ok DESCRIPTION CMD...: passes when CMD succeeds; its output is shown when it does not.
ok() {
	local what rc
	what=$1
	shift
	"$@" >"$NS_TMP/ok.out" 2>&1
	rc=$?
	[ $rc -ne 0 ] || { pass "$what"; return 0; }
	fail "$what" "exit status $rc of: $*
$(tail -n 30 "$NS_TMP/ok.out")"
}

# nok DESCRIPTION CMD...: passes when CMD fails by itself (not by a signal).
nok() {
	local what rc
	what=$1
	shift
	"$@" >"$NS_TMP/ok.out" 2>&1
	rc=$?
	if [ $rc -ne 0 ] && [ $rc -lt 126 ]; then
		pass "$what"
		return 0
	fi
	fail "$what" "exit status $rc (a plain failure was expected) of: $*
$(tail -n 30 "$NS_TMP/ok.out")"
}

is() { # DESCRIPTION GOT WANTED
	[ "$2" != "$3" ] || { pass "$1"; return 0; }
	fail "$1" "got:    $2
wanted: $3"
}

isnt() { # DESCRIPTION GOT UNWANTED
	[ "$2" = "$3" ] || { pass "$1"; return 0; }
	fail "$1" "got what was not wanted: $2"
}

like() { # DESCRIPTION GOT SHELL-PATTERN
	# shellcheck disable=SC2254 # the pattern is meant as one
	case $2 in $3) pass "$1"; return 0 ;; esac
	fail "$1" "got:            $2
wanted pattern: $3"
}

bail() {
	printf 'Bail out! %s\n' "$*"
	NS_FINISHED=1
	NS_FAILED=$((NS_FAILED + 1))
	exit 99
}

# --- hosts ---------------------------------------------------------------------------------------

ns_pid() { # NAME: the pid of its holder
	local p
	eval "p=\${ns_pid_$1:-}"
	[ -n "$p" ] || { echo "lib.sh: no host or container '$1'" >&2; return 1; }
	echo "$p"
}

# on NAME CMD...: runs CMD in the network and mount namespace of a host or container. By far the most of what tests
# start goes through here: nothing is forked that need not be.
on() {
	eval "set -- \"\${ns_pid_$1:-}\" \"\$@\""
	[ -n "$1" ] || { echo "lib.sh: no host or container '$2'" >&2; return 125; }
	NS_ON=$1
	shift 2
	NS_TEST_MARK=${NS_MARK#*=} nsenter -t "$NS_ON" -n -m --wdns="$PWD" -- "$@"
}

# The same in place of the calling (sub)shell, so that its pid is CMD's, and CMD dies with the test.
_ns_exec() {
	local p
	p=$(ns_pid "$1") || exit 125
	shift
	exec nsenter -t "$p" -n -m --wdns="$PWD" -- setpriv --pdeathsig KILL env "$NS_MARK" "$@"
}

_ns_held() { # NAME PID FIFO: waits for the holder's word and writes it down
	local word
	word=''
	read -r word <"$3" || :
	rm -f "$3"
	[ "$word" = ready ] || bail "cannot make the namespaces of '$1' (are you root?)"
	eval "ns_pid_$1=$2"
	NS_HOLDERS="$NS_HOLDERS $2"
}

# host_new NAME: a host of its own: network namespace, private /run, its own resolv.conf.
host_new() {
	printf 'nameserver 198.51.100.53\nnameserver 2001:db8:1::53\n' >"$NS_TMP/$1.resolv"
	mkfifo "$NS_TMP/$1.fifo"
	unshare --net --mount --propagation private -- setpriv --pdeathsig KILL env "$NS_MARK" sh -c '
		set -e
		hash sleep
		mount -n -t tmpfs -o mode=755 tmpfs /run
		mount -n -t sysfs sysfs /sys
		if [ -d /dev/net ]; then
			mount -n -t tmpfs -o mode=755 tmpfs /dev/net
			mknod -m 0666 /dev/net/tun c 10 200
		fi
		[ ! -e /etc/resolv.conf ] || mount -n --bind "$1" /etc/resolv.conf
		ip link set lo up
		echo ready >"$2"
		exec sleep 7200' holder "$NS_TMP/$1.resolv" "$NS_TMP/$1.fifo" 2>"$NS_TMP/$1.err" &
	_ns_held "$1" $! "$NS_TMP/$1.fifo"
	NS_HOSTS="$NS_HOSTS $1"
}

# container_new NAME HOST: a network namespace with nothing in it, in the files of HOST, held by a pid.
container_new() {
	local p
	p=$(ns_pid "$2") || bail "container_new $1: no host '$2'"
	mkfifo "$NS_TMP/$1.fifo"
	nsenter -t "$p" -n -m -- unshare --net -- setpriv --pdeathsig KILL env "$NS_MARK" \
		sh -c 'hash sleep; echo ready >"$1"; exec sleep 7200' holder "$NS_TMP/$1.fifo" &
	_ns_held "$1" $! "$NS_TMP/$1.fifo"
}

# ns_kill NAME: ends the holder of a host or container (the namespace goes when nobody else is in it).
ns_kill() {
	local p
	p=$(ns_pid "$1") || return 1
	kill -KILL "$p" 2>/dev/null
	wait "$p" 2>/dev/null
	eval "ns_pid_$1=''"
	NS_HOLDERS=$(_ns_without "$p" "$NS_HOLDERS")
}

_ns_without() { # WORD LIST
	local w
	for w in $2; do
		[ "$w" = "$1" ] || printf ' %s' "$w"
	done
}

# wire HOSTA IFA ADDR4/LEN ADDR6/LEN HOSTB IFB ADDR4/LEN ADDR6/LEN: a cable between two hosts, both
# ends up, addresses usable at once: nobody else can have them (duplicate address detection of a link-local one takes
# more than a second, in which a test would only wait). '-' for no address.
wire() {
	on "$1" ip link add "$2" type veth peer name "$6" netns "$(ns_pid "$5")" || bail "wire $1 $5"
	_ns_end "$1" "$2" "$3" "$4"
	_ns_end "$5" "$6" "$7" "$8"
}

_ns_end() {
	[ "$4" != - ] || on "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
	{
		echo "link set $2 up"
		[ "$3" = - ] || echo "addr add $3 dev $2"
		[ "$4" = - ] || echo "addr add $4 dev $2 nodad"
	} | on "$1" sh -c 'echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad"; exec ip -batch -' sh "$2" ||
		bail "cannot bring up $2 of $1: $3 $4"
}

# The common world: `host` and `out` on 198.51.100.0/24 and 2001:db8:1::/64, each the other's default
# gateway (so that a packet that leaves without translation arrives and is seen).
# shellcheck disable=SC2034 # for the tests
{
	HOST4=198.51.100.1
	HOST6=2001:db8:1::1
	OUT4=198.51.100.2
	OUT6=2001:db8:1::2
}
ns_world() {
	host_new host
	host_new out
	wire host eth0 $HOST4/24 $HOST6/64 out eth0 $OUT4/24 $OUT6/64
	printf 'route add default via %s\n' $OUT4 $OUT6 | on host ip -batch - || bail 'routes of host'
	printf 'route add default via %s\n' $HOST4 $HOST6 | on out ip -batch - || bail 'routes of out'
	# Both ends know each other before anything is measured, and link-local addresses are settled.
	ns_until 20 on host ping -q -c1 -W1 $OUT4 >/dev/null || bail 'no IPv4 between host and out'
	ns_until 20 on host ping -q -c1 -W1 $OUT6 >/dev/null || bail 'no IPv6 between host and out'
	ns_settled host
	ns_settled out
}

# ns_settled NAME: no address of it is tentative any more.
ns_settled() {
	ns_until 20 _ns_is_settled "$1" || bail "addresses of $1 stay tentative"
}
_ns_is_settled() { [ -z "$(on "$1" ip -6 -o addr show tentative)" ]; }

# ns_alive PID: runs (a process that is dead but not yet collected does not).
ns_alive() {
	grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"
}

# ns_ours: pid and name of each process that this test has started, with its mark, and that runs.
ns_ours() {
	# shellcheck disable=SC2046 # a list
	grep -sE '^(Name|State):' /dev/null \
		$(grep -lsz "^$NS_MARK\$" /proc/[0-9]*/environ | sed 's/environ$/status/') | awk '
		{ split($1, at, /[\/:]/) }
		at[5] == "Name" { name = $2 }
		at[5] == "State" && $2 !~ /^[ZX]/ { print at[3], name }'
}

# ns_end PID...: kills them and waits until each is dead. One that was sent a signal only goes on until the kernel
# has a processor for its end, and holds its sockets and locks as long.
ns_end() {
	local p
	kill -KILL "$@" 2>/dev/null
	for p in "$@"; do
		ns_until 20 _ns_is_dead "$p" || return 1
	done
}
_ns_is_dead() { ! ns_alive "$1"; }

# ns_until SECONDS CMD...: repeats CMD until it succeeds; false when the time is over, which is so many seconds of an
# idle machine: it tells what does not happen from what happens late, and costs nothing where it happens.
ns_until() {
	local end=0 seconds=$1 round=0
	shift
	until "$@"; do
		# The clock is a program too, and is looked at now and then.
		if [ $end -eq 0 ]; then
			end=$(($(date +%s) + seconds * NS_PATIENCE))
		elif [ $((round % 8)) -eq 0 ]; then
			[ "$(date +%s)" -le "$end" ] || return 1
		fi
		round=$((round + 1))
		if [ $round -lt 20 ]; then sleep 0.02; else sleep 0.05; fi
	done
}

# --- servers and clients -------------------------------------------------------------------------

# _ns_log: in $SERVED_LOG the next server's log, its own: one that was another's could be read before it is empty.
_ns_log() {
	SERVED_LOG=$NS_TMP/server.0.log
	while [ -e "$SERVED_LOG" ]; do
		NS_SERVED=$((NS_SERVED + 1))
		SERVED_LOG=$NS_TMP/server.$NS_SERVED.log
	done
	: >"$SERVED_LOG"
}

# serve NAME CMD...: starts a server; its pid is in $SERVED, its output in $SERVED_LOG.
serve() {
	_ns_log
	(_ns_exec "$@") >"$SERVED_LOG" 2>&1 </dev/null &
	SERVED=$!
	NS_SERVERS="$NS_SERVERS $SERVED"
}

# unserve PID: ends one server.
unserve() {
	kill -TERM "$1" 2>/dev/null
	sleep 0.05
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	NS_SERVERS=$(_ns_without "$1" "$NS_SERVERS")
}

# wait_port NAME tcp|udp PORT: until a socket listens there.
wait_port() {
	local flag
	case $2 in tcp) flag=t ;; udp) flag=u ;; esac
	ns_until 20 _ns_listens "$1" "$flag" "$3" || {
		note "nothing listens on $2 $3 of $1: $(tail -n 5 "${SERVED_LOG:-/dev/null}")"
		return 1
	}
}
_ns_listens() {
	[ -n "$(on "$1" ss -Hln"$2" "sport = :$3")" ]
}

# serve_http NAME PORT: busybox httpd, both families. /hello says "hello from NAME", /cgi-bin/peer says
# the client's address as the server sees it.
serve_http() {
	mkdir -p "$NS_TMP/www.$1/cgi-bin"
	printf 'hello from %s\n' "$1" >"$NS_TMP/www.$1/hello"
	# Versions of busybox differ in brackets; a v4-mapped address is said as IPv4.
	printf '%s\n' '#!/bin/sh' 'a=${REMOTE_ADDR#\[}; a=${a%\]}' \
		'printf "Content-Type: text/plain\r\n\r\n%s\n" "${a#::ffff:}"' >"$NS_TMP/www.$1/cgi-bin/peer"
	chmod 755 "$NS_TMP/www.$1/cgi-bin/peer"
	serve "$1" busybox httpd -f -p "$2" -h "$NS_TMP/www.$1"
	wait_port "$1" tcp "$2"
}

# http NAME URL: what the URL answers, asked from NAME. A connection is there within 5 seconds, or not at all; when the
# answer comes is the servers' affair.
http() {
	on "$1" curl -sS -g --connect-timeout 5 -m 60 --noproxy '*' "$2" 2>"$NS_TMP/http.err"
}

# ns_iperf CMD...: an iperf3 client, again as long as the server has not noticed that the last one is gone; when it does,
# it closes its listener, and whoever waits there, and listens anew.
ns_iperf() {
	local out rc try
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		out=$("$@" 2>&1)
		rc=$?
		case $out in
		*'server is busy'* | *'unable to connect to server'* | *'unable to receive control message'* | \
			*'control socket has closed unexpectedly'*) sleep "0.$((try % 10))" ;;
		*) break ;;
		esac
	done
	printf '%s\n' "$out"
	return $rc
}

# serve_peer NAME tcp|udp PORT [4|6]: answers each client with its address and port as seen there. One
# socket for both families, or one family alone.
serve_peer() {
	local kind say
	# It reads before it speaks: socat drops the answer of a child that left its question unread.
	say='SYSTEM:read question; echo $SOCAT_PEERADDR $SOCAT_PEERPORT'
	case $2-${4:-both} in
	tcp-both) kind="TCP6-LISTEN:$3,ipv6only=0,fork,reuseaddr,backlog=1024" ;;
	tcp-[46]) kind="TCP$4-LISTEN:$3,fork,reuseaddr,backlog=1024" ;;
	udp-both) kind="UDP6-RECVFROM:$3,ipv6only=0,fork,reuseaddr" ;;
	udp-[46]) kind="UDP$4-RECVFROM:$3,fork,reuseaddr" ;;
	esac
	serve "$1" socat "$kind" "$say"
	wait_port "$1" "$2" "$3"
}

# ask NAME tcp|udp ADDRESS PORT: one question to a serve_peer server, asked from NAME. The answer is the
# client's address as the server saw it (v4-mapped ones as IPv4), or nothing where none is to be had. A connection is
# there within 5 seconds, or not at all; a datagram that is lost is sent again.
ask() {
	on "$1" python3 -c '
import ipaddress, socket, sys
proto, host, port = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as s:
    s.settimeout(5)
    s.connect((host, int(port)))
    for i in range(4, -1, -1):
        s.send(b"who am I\n")
        s.settimeout(60 if proto == "tcp" else 2)
        try:
            answer = s.recv(256)
            break
        except TimeoutError:
            if proto == "tcp" or i == 0:
                raise
    seen = ipaddress.ip_address(answer.split()[0].decode().strip("[]"))
    print(getattr(seen, "ipv4_mapped", None) or seen)
' "$2" "$3" "$4" 2>"$NS_TMP/ask.err"
}

# --- snapshots -----------------------------------------------------------------------------------

# What is looked at inside one host, run there by sh with the parts that are wanted: net, sysctl, files. Counters, timers
# and lifetimes are taken out. A sweep takes hundreds of such pictures, and starting programs is what they cost: each
# is started once, and one awk reads them all. What has no order of its own is sorted.
NS_LOOK='
	sysctls() {
		echo "= sysctl"
		grep -s "" /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv6/conf/*/* /proc/sys/net/ipv4/ip_forward \
			/proc/sys/net/ipv4/ip_local_reserved_ports /proc/sys/net/ipv4/ping_group_range \
			/proc/sys/net/bridge/* /proc/sys/net/netfilter/*
	}
	net() {
		echo "= link"
		ip -o -d link show
		echo "= addr"
		ip -o addr show
		for f in 4 6; do
			echo "= ip$f"
			printf "route show table all\nrule show\nneigh show nud permanent\nneigh show proxy\n" |
				ip -$f -force -batch - 2>/dev/null
		done
		echo "= fdb"
		bridge fdb show
		echo "= nft"
		nft -s list ruleset 2>&1
	}
	files() {
		echo "= file"
		find /run -mindepth 1 -path /run/mount -prune -o -printf "%y %m %u %p -> %l\n"
		echo "= content"
		find /run -path /run/mount -prune -o -type f -exec cksum {} +
		echo "= mount"
		while read -r line; do
			echo "$line"
		done </proc/self/mountinfo
	}
	for part; do
		case $part in net) net ;; sysctl) sysctls ;; files) files ;; esac
	done | awk "
		/^= / { what = \$2; next }
		what == \"link\" {
			gsub(/[a-z_]+_timer +[0-9.]+/, \"\")
			sub(/ brd [0-9a-f:]+/, \"\")
			gsub(/[ \\\\]+/, \" \")
		}
		what == \"addr\" {
			gsub(/(valid|preferred)_lft [0-9a-z]+/, \"\")
			gsub(/[ \\\\]+/, \" \")
		}
		what ~ /^ip/ {
			if (/^fe80::|cache/ && !/PERMANENT| proxy/)
				next
			sub(/ expires [0-9]+sec/, \"\")
			sub(/ +\$/, \"\")
		}
		what == \"fdb\" && tolower(\$0) ~ /33:33:|01:00:5e/ { next }
		what == \"sysctl\" {
			if (/stable_secret|nf_conntrack_count|nf_conntrack_buckets/)
				next
			sub(/^\/proc\/sys\//, \"\")
		}
		what == \"mount\" {
			for (i = 7; \$i != \"-\"; i++)
				;
			\$0 = \$5 \" \" \$4 \" \" \$(i + 1)
		}
		what ~ /^(link|addr|nft)\$/ { print what \": \" \$0; next }
		{ print what \": \" \$0 | \"sort\" }
		END { fflush(); close(\"sort\") }"
'
look() { on "$1" sh -c "$NS_LOOK" look net </dev/null; } # HOST: what its kernel holds

# snapshot HOST: everything the kernel and the state directory hold for that host, one fact a line.
snapshot() {
	on "$1" sh -c "$NS_LOOK" look net sysctl files </dev/null
	_ns_processes
}

# _ns_strays: pids, in order, in our namespaces or with our mark that are neither holder nor server nor its child. A
# namespace is ours while its holder lives: the number of a dead one may be given to somebody else's.
_ns_strays() {
	local p
	{
		# shellcheck disable=SC2046 # a list
		stat -Lc '%i %n' $(printf '/proc/%s/ns/net\n' $NS_HOLDERS) /proc/[0-9]*/ns/net 2>/dev/null
		grep -lsz "^$NS_MARK\$" /proc/[0-9]*/environ
	} | awk -v holders="$NS_HOLDERS" -v known="$NS_HOLDERS $NS_SERVERS" '
		BEGIN {
			n = split(holders, h, " ")
			for (i = 1; i <= n; i++)
				holds[h[i]] = 1
			n = split(known, h, " ")
			for (i = 1; i <= n; i++)
				is_known[h[i]] = 1
		}
		{ split($NF, p, "/") }
		NF == 2 && p[3] in holds { ours[$1] = 1 }
		(NF == 1 || $1 in ours) && !(p[3] in is_known) { strays[p[3]] = 1 }
		END {
			for (i in strays)
				print i
		}' | while read -r p; do
		_ns_is_known "$p" || ! ns_alive "$p" || echo "$p"
	done | sort -n
}
# By its parent: a server's child.
_ns_is_known() {
	local parent
	parent=$(sed -nE 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) || return 0
	case " $NS_SERVERS " in *" ${parent:-none} "*) return 0 ;; esac
	return 1
}
_ns_processes() {
	local p strays words
	strays=$(_ns_strays)
	[ -n "$strays" ] || return 0
	for p in $strays; do
		! words=$(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) || echo "process: $words"
	done | sort
}

_ns_residue_once() { # HOST BEFORE
	snapshot "$1" >"$NS_TMP/after"
	if [ -n "$NS_IGNORE" ]; then
		grep -vE "$NS_IGNORE" "$2" >"$NS_TMP/before.cut"
		grep -vE "$NS_IGNORE" "$NS_TMP/after" >"$NS_TMP/after.cut"
		diff -U0 "$NS_TMP/before.cut" "$NS_TMP/after.cut" >"$NS_TMP/residue.diff"
	else
		diff -U0 "$2" "$NS_TMP/after" >"$NS_TMP/residue.diff"
	fi
}

# has_residue HOST BEFORE: true when HOST does not become equal to the snapshot in file BEFORE, however long one waits
# (a teardown may return before its last child is gone, and the kernel takes namespaces apart one after the other, those
# of all tests); the diff is in $NS_TMP/residue.diff.
has_residue() {
	! ns_until 20 _ns_residue_once "$1" "$2"
}

# residue HOST BEFORE DESCRIPTION: the assertion.
residue() {
	if has_residue "$1" "$2"; then
		fail "$3" "$(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 60)"
		return 1
	fi
	pass "$3"
}

# The machine itself, as far as a test could harm it. Other software may come and go in /run and in the
# mounts, so only what our programs make there is looked at.
_ns_machine() {
	sh -c "$NS_LOOK" look net sysctl </dev/null
	find /run/netns /run/netd /run/netns-up -printf 'file: %y %m %u %p\n' 2>/dev/null | sort
	awk '$5 ~ /^\/run\/(netns|netd)/ { print "mount: " $5 }' /proc/self/mountinfo
}

# --- the end -------------------------------------------------------------------------------------

_ns_cleanup() {
	local i p
	trap - EXIT
	for p in $NS_SERVERS; do
		kill -KILL "$p" 2>/dev/null
	done
	NS_SERVERS=''
	_ns_end_strays
	for p in $NS_HOLDERS; do
		kill -KILL "$p" 2>/dev/null
	done
	NS_HOLDERS=''
	_ns_end_strays
	wait 2>/dev/null
	rm -rf "$NS_TMP"
	if [ $NS_FINISHED -eq 0 ]; then
		printf 'Bail out! the test ended before ns_done\n'
		exit 99
	fi
}
_ns_end_strays() {
	i=0
	while [ $i -lt 50 ]; do
		# shellcheck disable=SC2046 # a list
		set -- $(_ns_strays)
		[ $# -gt 0 ] || break
		for p in "$@"; do
			kill -KILL "$p" 2>/dev/null
		done
		sleep 0.05
		i=$((i + 1))
	done
}

# ns_done: the last line of a test. Compares the machine, prints the plan, sets the exit status.
ns_done() {
	_ns_machine >"$NS_TMP/machine.after"
	if diff -U0 "$NS_TMP/machine.before" "$NS_TMP/machine.after" >"$NS_TMP/machine.diff"; then
		pass "the machine's own network is as it was"
	else
		fail "the machine's own network is as it was" "$(cat "$NS_TMP/machine.diff")"
	fi
	printf '1..%d\n' "$NS_COUNT"
	NS_FINISHED=1
	[ $NS_FAILED -eq 0 ]
	exit
}

trap _ns_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
[ "$(id -u)" -eq 0 ] || bail 'namespace tests need root'
_ns_machine >"$NS_TMP/machine.before"

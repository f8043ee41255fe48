#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A user's networks under load, and each process of the way out killed in turn: the worker, the process that makes
# sockets inside, the zygote, the supervisor; and a keeper. What is on the way out is reset, never cut short like an
# end; what goes from container to container is not even late; what is open after it works by the same engine; and no
# process, namespace, pipe, tap or mount is left over. Argument relay: by the relay engine, whose connections are the
# kernel's and end with it; those of the tap engine are reset by the slirp-lite that comes next.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
ENGINE=${1:-tap}

LOAD=$NS_TMP/load.py PROBE=$NS_TMP/probe.py # users cannot read everywhere
cp "$(dirname "$0")/slirp_probe_load.py" "$LOAD" && cp "$(dirname "$0")/slirp_probe.py" "$PROBE" || bail 'no probes'
chmod 644 "$LOAD" "$PROBE"
SAY=$NS_TMP/say # where those inside may write
mkdir -m 1777 "$SAY"
inside_exec() { # PID CMD...: in place of the calling subshell
	local p
	p=$1
	shift
	exec nsenter -t "$p" -U -n -- setpriv --pdeathsig KILL env "$NS_MARK" "$@"
}
servers=''
serve_inside() { # PID PORT CMD...
	local p port
	p=$1 port=$2
	shift 2
	(inside_exec "$p" "$@" "$port") >/dev/null 2>&1 &
	servers="$servers $!"
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 sh -c 'nsenter -t "$1" -U -n ss -Hltn "sport = $2" | grep -q .' sh "$p" "$port" ||
		bail "nothing listens on $port"
}

serve out python3 "$LOAD" serve 7300
wait_port out tcp 7300
serve out python3 "$PROBE" serve_tcp 7000
wait_port out tcp 7000
snapshot host >"$NS_TMP/before"
if [ "$ENGINE" = tap ]; then
	ok 'a network' nna network create web -q
else
	ok 'a network' nna network create web --engine "$ENGINE" -q
fi
foreign a $UID_A
foreign b $UID_A
# shellcheck disable=SC2154 # set by eval
a=$box_a b=$box_b
ok 'a container' nna up "$a" --network web -q
ok 'another, with ports' nna up "$b" --network web -q -p 8080:7300 -p 8081:7000
a4=$(addr_of "$a" 4) b4=$(addr_of "$b" 4) b6=$(addr_of "$b" 6)
serve_inside "$b" 7300 python3 "$LOAD" serve
serve_inside "$b" 7000 python3 "$PROBE" serve_tcp
is 'the way out' "$(uplink engine)" "$ENGINE"

# What there is of ours: processes by name; namespaces that they are in or hold; pipes, taps and namespaces that they
# have open; mounts that they see. The sockets of who carries connections come and go.
look_at() { # PID NAME
	echo "process $2"
	find "/proc/$1/ns" -mindepth 1 -printf 'in %l\n'
	find "/proc/$1/fd" -mindepth 1 -printf "$2 has %l\n" | grep -v 'has socket:\|has anon_inode:' |
		sed 's/ pipe:.*/ pipe/'
	awk '{ print "mount " $5 }' "/proc/$1/mountinfo"
}
census() {
	local p name
	ns_ours | while read -r p name; do
		case $name in netns-up-host | slirp-*) look_at "$p" "$name" ;; esac
	done >"$NS_TMP/census.raw"
	{
		grep -v '^in ' "$NS_TMP/census.raw"
		grep '^in ' "$NS_TMP/census.raw" | sort -u | cut -d: -f1 # those of new processes have new numbers
	} | sort | uniq -c
}
is_as_before() {
	census >"$NS_TMP/census.now"
	diff -U0 "$NS_TMP/census" "$NS_TMP/census.now" >"$NS_TMP/census.diff"
}
nothing_left() { # AFTER WHAT
	if ns_until 30 is_as_before; then
		pass "$1: nothing is left over"
	else
		fail "$1: nothing is left over" "$(cat "$NS_TMP/census.diff")"
	fi
}

# start_load NAME WHERE ADDRESS PORT: WHERE is a pid, or a host.
start_load() {
	local name where
	name=$1 where=$2
	shift 2
	rm -f "$SAY/load.$name"
	case $where in
	[0-9]*) (inside_exec "$where" python3 "$LOAD" load "$@" "$SAY/load.$name") ;;
	*) (_ns_exec "$where" python3 "$LOAD" load "$@" "$SAY/load.$name") ;;
	esac >"$NS_TMP/load.$name.err" 2>&1 7>&- &
	eval "load_$name=$!"
	NS_SERVERS="$NS_SERVERS $!"
}
moves() { # NAME
	local p
	eval "p=\$load_$1"
	grep -q moving "$SAY/load.$1" 2>/dev/null || ! ns_alive "$p"
}
have_ended() {
	local l p
	for l; do
		eval "p=\$load_$l"
		! ns_alive "$p" || return 1
	done
}
outcome() { # NAME: how its connections ended
	cat "$SAY/load.$1" "$NS_TMP/load.$1.err" | paste -sd' '
}
LOADS='out4 out6 in4 in6 local'
under_load() {
	start_load out4 "$a" $OUT4 7300
	start_load out6 "$b" $OUT6 7300
	start_load in4 out $HOST4 8080
	start_load in6 out $HOST6 8080
	start_load local host 127.0.0.1 8080
	for l in $LOADS; do
		ns_until 60 moves $l
	done
}
# The connection between two containers that outlives everything.
mkfifo "$NS_TMP/words"
(inside_exec "$a" python3 "$LOAD" steady "$b4" 7300 "$SAY/steady") <"$NS_TMP/words" >"$NS_TMP/steady.err" 2>&1 &
steady=$!
NS_SERVERS="$NS_SERVERS $steady"
exec 7>"$NS_TMP/words"
goes_on() { # WORD: between containers, more came since now
	echo "$1" >&7
	ns_until 30 grep -qs " $1\$" "$SAY/steady"
	is "$1: from container to container it goes on" "$(tail -n 1 "$SAY/steady" | cut -c1-100)" "moved $1"
}
goes() { # AFTER WHAT
	is "$1: out, IPv4" "$(inside "$a" python3 "$PROBE" tcp_up $OUT4 7000 2000000)" equal
	is "$1: in" "$(on out python3 "$PROBE" tcp_up $HOST4 8081 2000000)" equal
}
serves() { # AFTER WHAT
	goes "$1"
	is "$1: out, IPv6" "$(inside "$b" python3 "$PROBE" tcp_down $OUT6 7000 2000000)" equal
	is "$1: by the same engine" "$(uplink engine)" "$ENGINE"
	is "$1: in, IPv4, the client's own address" "$(on out python3 "$PROBE" tcp_peer $HOST4 8081 | cut -d' ' -f1)" \
		"::ffff:$OUT4"
	is "$1: in, IPv6" "$(on out python3 "$PROBE" tcp_up $HOST6 8081 2000000)" equal
	is "$1: in, from the host itself" "$(on host python3 "$PROBE" tcp_up 127.0.0.1 8081 2000000)" equal
}
nothing_outside() { # no connection but those from container to container
	local p
	for p in $a $b; do
		nsenter -t "$p" -U -n ss -Htn state established
	done >"$NS_TMP/established" 2>&1
	grep -v ":[0-9]* *\[*\(::ffff:\)*$a4\]*:\|:[0-9]* *\[*\(::ffff:\)*$b4\]*:" "$NS_TMP/established" >"$NS_TMP/outside"
	! [ -s "$NS_TMP/outside" ]
}
# resets AFTER WHAT: all that was on the way has an end, and none that looks like the stream's.
resets() {
	# shellcheck disable=SC2086 # a list
	ok "$1: all connections have an end" ns_until 30 have_ended $LOADS
	for l in $LOADS; do
		is "$1: $l was reset" "$(outcome "$l")" 'moving 4 ECONNRESET'
	done
	# Servers inside that wait for a client who is gone.
	ok "$1: inside nothing is left of it" ns_until 30 nothing_outside
}

goes_on start
goes start
census >"$NS_TMP/census"
is 'processes of the way out' "$(grep -c 'process slirp' "$NS_TMP/census")" 4

under_load
w=$(named slirp-worker)
kill -KILL "$w"
goes_on worker
resets worker
ok 'worker: it is another' ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$w"
serves worker
nothing_left worker
is 'worker: the supervisor counts it' "$(uplink restarts)" 1

under_load
kill -KILL "$(named slirp-nsd)"
goes_on nsd
goes nsd
is 'nsd: in, from the host itself' "$(on host python3 "$PROBE" tcp_up 127.0.0.1 8081 2000000)" equal
was=$(uplink_pid)
kill -KILL "$(named slirp-zygote)"
ok 'zygote: the uplink ends, and comes back by itself' ns_until 60 is_back "$was"
goes_on zygote
resets zygote
goes zygote
nothing_left zygote

under_load
hold_keepers
was=$(uplink_pid)
kill -KILL "$(named slirp-lite)"
goes_on supervisor
ok 'supervisor: all of it ends' ns_until 20 no_slirp
is 'supervisor: nobody serves' "$(inside "$a" python3 "$PROBE" tcp_connect $OUT4 7000)" ENETUNREACH
like 'supervisor: status says so' "$(nna status "$b" 2>&1)" '*uplink     gone: *'
[ "$ENGINE" = tap ] || resets supervisor
free_keepers
ok 'supervisor: it comes back by itself' ns_until 60 is_back "$was"
[ "$ENGINE" = relay ] || resets supervisor
serves supervisor
nothing_left supervisor

under_load
one=$(named netns-up-host | head -n 1)
kill -KILL "$one"
ok 'keeper: it is made anew' ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$one"
ok 'keeper: two' ns_until 20 has_keepers 2
goes_on keeper
goes keeper
unload() { # NAME: it is not ended by anybody else
	local p
	eval "p=\$load_$1"
	is "keeper: $1 is still under way" "$(cat "$SAY/load.$1")" moving
	unserve "$p"
}
for l in $LOADS; do
	unload $l
done

exec 7>&-
wait $steady
is 'from container to container nothing was ever cut' "$(tail -n 1 "$SAY/steady")" whole
nothing_left keeper
for p in $servers $a $b; do
	unserve "$p"
done
gc_removes() { nna gc -q; [ "$(nna ls | wc -l)" -le 1 ]; }
ok 'the containers are killed' ns_until 20 gc_removes
ok 'the network goes' nna network rm web
ok 'and all processes' ns_until 20 has_keepers 0
ok 'all' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

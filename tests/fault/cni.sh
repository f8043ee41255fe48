#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # text in single quotes is for the shell inside the host
# The CNI plugin killed, or refused, at each of its state-changing system calls; the only guard is that
# nothing is left. One plugin of type netd with ports (and rates) is one process a command.
#   cni.sh kill       ADD is killed at call K, then DEL / GC / the same ADD again; DEL and GC are killed, then
#                     DEL or GC; CHECK is killed, and nothing has changed
#   cni.sh kill-main  the same, but only the main process dies
#   cni.sh errno      call K of ADD, DEL, GC, CHECK fails: success, or one error document and no trace
# SWEEP_STEP=N tries every Nth call only, each recovery with calls of its own, tomorrow others (8; 1 is all).
. "$(dirname "$0")/../ns/lib.sh"
what=$1
STEP=${SWEEP_STEP:-8}
DAY=$(date +%-j)
FEW=12 # calls that every command makes: the first to be tried is one of them
NS_IGNORE='^mount: /run/netns/c |/run/netd/cursors/'

if [ -n "${NETNS_UP_CNI:-}" ]; then
	cp --remove-destination "$NETNS_UP_CNI" "$NS_TMP/bin/netd" || exit 99
fi
PLUGIN=$NS_TMP/bin/netd
conf() { # GC-KEY: the configuration on standard output
	printf '%s' '{"cniVersion":"1.1.0","name":"web","type":"netd","bridge":"br-web","isGateway":true,"ipMasq":true,'"$1"'
		"ipam":{"type":"host-local","ranges":[[{"subnet":"203.0.113.0/24"}],[{"subnet":"2001:db8:83::/64"}]],
		"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]},
		"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
		{"hostPort":5353,"containerPort":53,"protocol":"udp"}],
		"bandwidth":{"ingressRate":8000000,"ingressBurst":800000,"egressRate":8000000,"egressBurst":800000}}}'
}
conf '' >"$NS_TMP/conf"
conf '"cni.dev/valid-attachments":[],' >"$NS_TMP/gc"
conf '"cni.dev/valid-attachments":[{"containerID":"other","ifname":"eth0"}],' >"$NS_TMP/gc.other"
GC=$NS_TMP/gc

# Variables of a call; what is after them is executed in the host.
with() { # VERB ID CMD...
	local verb id input
	verb=$1 id=$2
	shift 2
	input=$NS_TMP/conf
	case $verb in
	GC) input=$GC ;;
	CHECK) input=$NS_TMP/check ;;
	esac
	on host env CNI_COMMAND="$verb" CNI_CONTAINERID="$id" CNI_NETNS="/run/netns/$id" CNI_IFNAME=eth0 \
		CNI_PATH="$NS_TMP/bin" CNI_ARGS= "$@" <"$input"
}
cni() { with "$1" "${2:-c}" "$PLUGIN" >"$NS_TMP/out" 2>"$NS_TMP/err"; }
killat() { # VERB OPTION... K
	local verb
	verb=$1
	shift
	with "$verb" c "$KILLAT" -w 60 -o "$NS_TMP/killat.out" "$@" -- "$PLUGIN" >"$NS_TMP/out" 2>"$NS_TMP/err"
}
said() { tr -d '\n' <"$NS_TMP/out" | cut -c1-300; }
# The result of the last ADD becomes what CHECK is given.
remember() {
	python3 -B -c 'import json, sys
conf, result = (json.load(open(f)) for f in sys.argv[1:])
conf["prevResult"] = result
json.dump(conf, sys.stdout)' "$NS_TMP/conf" "$NS_TMP/out" >"$NS_TMP/check"
}

fresh() { on host sh -c 'ip netns del c 2>/dev/null; ip netns add c'; }
BAD=0
broken() {
	BAD=$((BAD + 1))
	[ $BAD -gt 5 ] || note "$*"
}
clean() { # ROUND BEFORE
	has_residue host "$2" || return 0
	broken "$1: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 12)"
	cni DEL
	cni GC
	fresh
	# One finding is one: what stays is not held against the rounds that follow.
	on host sh -c 'ip link del br-web 2>/dev/null; sysctl -qw net.ipv4.conf.eth0.forwarding=0
		sysctl -qew net.ipv6.conf.eth0.force_forwarding=0'
}
# first N: the Nth sweep's first call.
first() { echo $((1 + (DAY + $1) % (STEP < FEW ? STEP : FEW))); }
# each VERB N OPTIONS FUNCTION ARGUMENT: kills VERB at a call of its first ones and each STEP after it, until it has ended
# before. FUNCTION is called before ("ready") and after ("done K").
each() {
	local verb k rc n=0
	verb=$1 k=$(first "$2")
	while :; do
		"$4" ready "$5"
		# shellcheck disable=SC2086 # a list
		killat "$verb" $3 $k
		rc=$?
		[ $rc -eq 0 ] || [ $rc -eq 3 ] || broken "$verb, call $k: exit $rc: $(cat "$NS_TMP/killat.out")"
		"$4" "killed at call $k" "$5"
		[ $rc -eq 0 ] || break
		n=$((n + 1))
		k=$((k + STEP))
		[ $k -lt 500 ] || { broken 'no end of calls'; break; }
	done
	[ $n -gt 0 ] || broken "$verb was not killed once"
	LAST=$k
}
after_add() { # ready|TEXT HOW
	if [ "$1" = ready ]; then
		fresh
		return
	fi
	case $2 in
	DEL) cni DEL || broken "DEL after ADD $1: $(said)" ;;
	GC) cni GC || broken "GC after ADD $1: $(said)" ;;
	ADD)
		cni ADD || broken "ADD after ADD $1: $(said)"
		remember
		cni CHECK || broken "CHECK after ADD twice, $1: $(said)"
		cni DEL || broken "DEL after ADD twice, $1: $(said)"
		;;
	esac
	clean "ADD $1, then $2" "$BEFORE"
}
after_gone() { # DEL or GC killed, then HOW
	if [ "$1" = ready ]; then
		fresh
		cni ADD || broken "ADD before: $(said)"
		return
	fi
	cni "$2" || broken "$2 after one $1: $(said)"
	clean "$1, then $2" "$BEFORE"
}
after_check() {
	[ "$1" != ready ] || return 0
	! has_residue host "$NS_TMP/before.check" || broken "CHECK $1 changed: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 5)"
	cni CHECK || broken "CHECK after CHECK $1: $(said)"
}

sweep_kill() { # DESCRIPTION BEFORE OPTIONS
	BEFORE=$2
	BAD=0
	each ADD 1 "$3" after_add DEL
	note "$1: ADD makes about $((LAST - 1)) state-changing calls"
	each ADD 2 "$3" after_add GC
	each ADD 1 "$3" after_add ADD
	is "$1: ADD killed at its calls, then DEL, GC or ADD: nothing is left" $BAD 0
	BAD=0
	each DEL 1 "$3" after_gone DEL
	note "$1: DEL makes about $((LAST - 1))"
	each DEL 2 "$3" after_gone GC
	is "$1: DEL killed at its calls: nothing is left" $BAD 0
	BAD=0
	each GC 1 "$3" after_gone GC
	note "$1: GC makes about $((LAST - 1))"
	is "$1: GC killed at its calls: nothing is left" $BAD 0
	BAD=0
	fresh
	cni ADD || broken "ADD before CHECK: $(said)"
	remember
	snapshot host >"$NS_TMP/before.check"
	each CHECK 1 "$3" after_check -
	note "$1: CHECK makes about $((LAST - 1))"
	cni DEL || broken "DEL: $(said)"
	fresh
	is "$1: CHECK killed at its calls changes nothing" $BAD 0
}

# one_document RC: success without an error, or exactly one error document.
one_document() {
	python3 -B -c 'import json, sys
text, rc = open(sys.argv[1]).read(), int(sys.argv[2])
if not text.strip():
  sys.exit(0 if rc == 0 else 1)
doc = json.loads(text)
sys.exit((doc.get("code", 0) > 0) != (rc != 0))' "$NS_TMP/out" "$1" 2>/dev/null
}
sweep_errno() {
	local errno verb k rc n=0 injected
	for verb in ADD DEL GC CHECK; do
		BAD=0 injected=0
		for errno in EINTR EAGAIN ENOMEM ENOBUFS EMFILE ENOSPC EPERM EBUSY EEXIST ENODEV EIO; do
			# To who removes a thing ENODEV says that it is gone, which is the truth when the kernel says it.
			case $verb-$errno in DEL-ENODEV | GC-ENODEV) continue ;; esac
			# Errors of different names take different calls of the others' step.
			k=$(first $n)
			while :; do
				fresh
				if [ $verb != ADD ]; then
					cni ADD || broken "ADD before $verb: $(said)"
					remember
					[ $verb != CHECK ] || snapshot host >"$NS_TMP/before.check"
				fi
				killat $verb -e $errno $k
				rc=$?
				n=$((n + 1))
				grep -q '^injected' "$NS_TMP/killat.out" || break
				injected=$((injected + 1))
				[ $rc -lt 128 ] || broken "$verb, $errno at call $k: $(cat "$NS_TMP/killat.out" "$NS_TMP/err")"
				# 70: the way home from the container's namespace failed, which ends the process like a kill.
				[ $rc -eq 70 ] || one_document $rc || broken "$verb, $errno at call $k (exit $rc): $(said)"
				case $verb in
				CHECK)
					! has_residue host "$NS_TMP/before.check" ||
						broken "CHECK, $errno at call $k changed: $(grep '^[-+]' "$NS_TMP/residue.diff" | head -n 5)"
					cni DEL
					;;
				ADD)
					if [ $rc -eq 0 ] || [ $rc -eq 70 ]; then
						cni DEL || broken "DEL after ADD with $errno at call $k: $(said)"
					fi
					;;
				*)
					# What could not be removed stays on record for the next time.
					cni $verb || broken "$verb again after $errno at call $k: $(said)"
					;;
				esac
				clean "$verb with $errno at call $k (exit $rc)" "$1"
				k=$((k + STEP * (1 + 2 * (STEP > 1))))
				[ $k -lt 500 ] || { broken "no end of calls: $verb, $errno: $(tail -n 1 "$NS_TMP/killat.out")"; break; }
			done
			cni DEL
		done
		[ $injected -gt 8 ] || broken "of $verb $injected calls failed"
		is "$verb with a call that fails: success, or one error and no trace" $BAD 0
	done
	note "$n runs"
}

ns_world
on host sh -c 'mkdir -p /run/netns && mount --bind /run/netns /run/netns && mount --make-shared /run/netns'
fresh
snapshot host >"$NS_TMP/before.empty"
case $what in
kill | kill-main)
	m=$([ $what = kill ] || echo -m)
	sweep_kill 'empty host' "$NS_TMP/before.empty" "$m"
	if [ $what = kill ]; then
		on host ip netns add other
		sed 's/8080/8088/; s/5353/5358/' "$NS_TMP/conf" >"$NS_TMP/conf.other"
		cp "$NS_TMP/conf" "$NS_TMP/conf.c"
		cp "$NS_TMP/conf.other" "$NS_TMP/conf"
		ok 'another container' cni ADD other
		remember
		cp "$NS_TMP/check" "$NS_TMP/check.other"
		cp "$NS_TMP/conf.c" "$NS_TMP/conf"
		GC=$NS_TMP/gc.other
		snapshot host >"$NS_TMP/before.other"
		STEP=$((STEP * 2))
		sweep_kill 'beside another container' "$NS_TMP/before.other" "$m"
		cp "$NS_TMP/check.other" "$NS_TMP/check"
		ok 'the other one is healthy after all that' cni CHECK other
		ok 'and goes' cni DEL other
		on host ip netns del other
		BAD=0
		clean 'at the end' "$NS_TMP/before.empty"
		is 'nothing is left at the end' $BAD 0
	fi
	;;
errno) sweep_errno "$NS_TMP/before.empty" ;;
*) bail "unknown sweep '$what'" ;;
esac
ns_done

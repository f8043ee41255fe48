#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests killat on a program whose state changes are known: what counts, where the kill and the
# injected error strike, and who survives. Arguments: killat, victim.
set -u
export PATH=/usr/bin:/bin
# A sanitizer's leak check uses ptrace itself.
export ASAN_OPTIONS=detect_leaks=0
killat=$(realpath "$1") victim=$(realpath "$2")
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
failed=0

bad() {
	echo "FAIL: $*"
	failed=$((failed + 1))
}

# run ARGS...: killat in an empty directory; status in $status, the list and result in $log.
run() {
	rm -rf "$top/w" && mkdir "$top/w" && cd "$top/w" || exit 1
	log=$top/log
	"$killat" -o "$log" "$@" >"$top/stdout" 2>"$top/stderr"
	status=$?
	last=$(tail -n 1 "$log" 2>&1)
}

expect() { # status, last line
	[ "$status" = "$1" ] || bad "$what: status $status, expected $1"
	[ "$last" = "$2" ] || bad "$what: \"$last\", expected \"$2\""
}

# What the victim has left, as one word; change N adds one letter.
left() {
	l=
	[ -d dir ] && l=${l}2
	[ -e dir/a ] && l=${l}3
	[ -s dir/a ] && l=${l}4
	[ -e b ] && l=${l}5
	[ -L l ] && l=${l}6
	[ -e child ] && l=${l}9
	[ -s child ] && l=${l}x
	echo "$l"
}

what=list
run -l 0 -- "$victim"
expect 0 "ended 11 status 0"
sed -n 's/^[0-9]* \([0-9]* [a-z0-9]*\)(.*/\1/p' "$log" >"$top/names"
# The C library chooses between the forms of a call; they are one here.
sed -i 's/openat$/open/; s/clone3*$/fork/; s/vfork$/fork/; s/at$//; s/rename2$/rename/' "$top/names"
cat >"$top/expected" <<'END'
0 unshare
0 mkdir
0 open
0 write
0 rename
0 symlink
0 sendto
0 fork
1 open
1 write
0 unlink
END
cmp -s "$top/names" "$top/expected" || bad "list: $(cat "$log")"
grep -q '^2 0 mkdir.*"dir"' "$log" || bad "list shows no path"
grep -q '^7 0 sendto(netlink 0: 0x11)' "$log" || bad "list shows no netlink type"
[ "$(left)" = 259x ] || bad "list: left $(left)"

i=0
for want in "" "" 2 23 234 25 256 256 256 2569 2569x; do
	i=$((i + 1))
	what="kill at $i"
	run $i -- "$victim"
	expect 0 "killed $i"
	[ "$(left)" = "$want" ] || bad "$what: left $(left), expected $want"
done
what="kill at 12"
run 12 -- "$victim"
expect 3 "ended 11 status 0"

# An error at call N is what the program reports, and what follows has not happened.
i=0
for want in "" "" 2 23 23 25 256 256 256 2569 2569x; do
	i=$((i + 1))
	what="error at $i"
	[ $i = 4 ] && want=23 # the file is there, and empty
	[ $i = 5 ] && want=234
	run -e ENOSPC $i -- "$victim"
	expect $i "injected $i status $i"
	[ "$(left)" = "$want" ] || bad "$what: left $(left), expected $want"
done
run -e EIO 12 -- "$victim"
what="error at 12"
expect 3 "ended 11 status 0"

# Only the main process is killed: the child sees it go and does its work. (Call 1 is its fork.)
what="main only"
run -w 20000 -m -l 3 -- "$victim" wait
expect 0 "killed 3"
[ -e survivor ] || bad "$what: the child did not go on"
[ -e dir ] && bad "$what: the call was executed"
what="whole tree"
run -w 20000 3 -- "$victim" wait
expect 0 "killed 3"
[ -e survivor ] && bad "$what: the child went on"

# The child makes its file (call 13) after the main process has ended: still followed.
what="kill after the end"
run -w 20000 13 -- "$victim" wait
expect 0 "killed 13"
[ -e survivor ] && bad "$what: the call was executed"
what="main has ended"
run -w 20000 -m 13 -- "$victim" wait
expect 3 "ended 13 status 0"

# A process that stays is let go alive, and has to be ended here.
what=linger
run -w 200 0 -- "$victim" linger
expect 0 "ended 12 status 0"
n=0
for p in /proc/[0-9]*; do
	[ "$(readlink "$p/cwd" 2>/dev/null)" = "$top/w" ] || continue
	[ "$(readlink "$p/exe" 2>/dev/null)" = "$victim" ] || continue
	grep -q '^TracerPid:.0$' "$p/status" || bad "$what: still traced"
	kill -KILL "${p#/proc/}" && n=$((n + 1))
done
[ $n = 1 ] || bad "$what: $n processes left, expected 1"
what="linger killed"
run 5 -- "$victim" linger
expect 0 "killed 5"
for p in /proc/[0-9]*; do
	[ "$(readlink "$p/exe" 2>/dev/null)" = "$victim" ] &&
		[ "$(readlink "$p/cwd" 2>/dev/null)" = "$top/w" ] && bad "$what: ${p#/proc/} lives"
done

# Statuses, signals, stops and exec pass through; only a later exec counts.
what=statuses
run 0 -- sh -c 'exit 7'
expect 7 "ended 0 status 7"
run 0 -- sh -c 'kill -TERM $$'
expect 143 "ended 0 status 143"
run 0 -- sh -c 'trap "exit 9" USR1; kill -USR1 $$; exit 1'
expect 9 "ended 0 status 9"
run -l 0 -- sh -c 'exec true'
expect 0 "ended 1 status 0"
grep -q '^1 0 execve(".*true")' "$log" || bad "exec: $(cat "$log")"
# Again and again: it may not have stopped yet.
run 0 -- sh -c '(while sleep 0.1; do kill -CONT $$; done) & p=$!; kill -STOP $$; kill $p; wait; exit 6'
[ "$status" = 6 ] || bad "stopped and continued: $status"
run 0 -- "$top/none"
expect 127 "ended 0 status 127"
for words in "" "-1 -- true" "1" "x -- true" "-e ENOTHING 1 -- true" "-m -e EIO 1 -- true" "-z 1"; do
	# shellcheck disable=SC2086
	"$killat" $words >/dev/null 2>&1
	[ $? = 2 ] || bad "words: $words"
done

cd /
[ $failed = 0 ] && echo "all passed"
[ $failed = 0 ]

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How far long work is: at a terminal's standard error alone, after half a second, and gone in the end. The work is made
# long by holding up system calls.
. "$(dirname "$0")/lib.sh"
TERMINAL=$(dirname "$0")/terminal.py
# The leak check of a sanitizer build is itself a tracer.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

nu() { on host "$NETNS_UP" "$@"; }
# The program alone is held up, each of those calls by 100 ms: what it starts goes on by itself.
slowly() { # CALL ARGUMENTS
	local call
	call=$1
	shift
	on host timeout 200 strace -qq -o /dev/null -e trace="$call" -e inject="$call:delay_enter=100000" "$NETNS_UP" "$@"
}
esc=$(printf '\033')
cr=$(printf '\r')
at_tty() { # CALL ARGUMENTS: what the terminal of its standard error gets
	local call
	call=$1
	shift
	on host env TERM="${TERM_IS:-xterm}" timeout 200 python3 -B "$TERMINAL" ERR strace -qq -o /dev/null \
		-e trace="$call" -e inject="$call:delay_enter=100000" "$NETNS_UP" "$@"
}

ns_world
snapshot host >"$NS_TMP/before"
for c in c1 c2 c3 c4 c5 c6 c7 c8; do
	container_new $c host
	ok 'up' nu up "$(ns_pid $c)" --name $c -q
done
specs=$(seq -f '%g:80' 7001 7016)
# shellcheck disable=SC2086 # a list
out=$(at_tty symlinkat publish c1 $specs)
is 'publish: done' $? 0
like 'it says how far it is' "$out" "*$cr$esc\\[Kports: * of 16*"
like 'and takes the line away' "$out" "*of 16$cr$esc\\[K"
is 'the ports are published' "$(nu status c1 | grep -c published)" 16
# shellcheck disable=SC2086
ok 'unpublish' nu unpublish c1 $specs -q
# shellcheck disable=SC2086
is '-q: nothing' "$(at_tty symlinkat publish -q c1 $specs)" ''
# shellcheck disable=SC2086
ok 'unpublish' nu unpublish c1 $specs -q
# shellcheck disable=SC2086
is 'nor at a dumb terminal' "$(TERM_IS=dumb at_tty symlinkat publish c1 $specs)" ''
# shellcheck disable=SC2086
ok 'unpublish' nu unpublish c1 $specs -q
# shellcheck disable=SC2086
slowly symlinkat publish c1 $specs >/dev/null 2>"$NS_TMP/err"
is 'nor in a file' "$(cat "$NS_TMP/err")" ''
out=$(at_tty symlinkat publish c2 7100:80 7101:80 7102:80 7103:80 7104:80 7105:80 7106:80 7107:80 7108:80 7109:80 7001:80)
is 'one that fails' $? 4
like 'begins its message on a clean line' "$out" "*of 11$cr$esc\\[Knetns-up: *7001/tcp*c1@eth0*"
out=$(at_tty fcntl gc)
is 'gc' $? 0
like 'says how far it is' "$out" "*$cr$esc\\[Kcontainers: * of 8*"
like 'and takes the line away' "$out" "*of 8$cr$esc\\[K"
for c in c1 c2 c3 c4 c5 c6 c7 c8; do ok 'down' nu down $c -q; done
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line without any kernel work: help of every verb, version, exit codes of wrong words.
# Needs no root. TAP.
n=0 failed=0
ok() { # DESCRIPTION STATUS
	n=$((n + 1))
	[ "$2" -eq 0 ] || { failed=$((failed + 1)); printf 'not '; }
	printf 'ok %d - %s\n' $n "$1"
}
says() { # PATTERN ARGUMENT...: exit 0 and the pattern on standard output
	pattern=$1
	shift
	out=$("$NETNS_UP" "$@" 2>/dev/null)
	rc=$?
	# shellcheck disable=SC2254
	case $out in $pattern) hit=0 ;; *) hit=1 ;; esac
	ok "$*: says $pattern" $((rc + hit))
}
refuses() { # PATTERN ARGUMENT...: exit 2 (run: 125), nothing on standard output, one line on standard error
	pattern=$1
	shift
	code=2
	[ "${1-}" != run ] || code=125
	out=$("$NETNS_UP" "$@" 2>&1 >/dev/null)
	rc=$?
	# shellcheck disable=SC2254
	case $out in $pattern) hit=0 ;; *) hit=1 ;; esac
	[ "$(printf '%s\n' "$out" | wc -l)" -eq 1 ] || hit=1
	ok "$*: refused with $pattern" $(((rc != code) + hit))
}

says 'netns-up [0-9]*' --version
says '*Exit codes*' --help
for verb in up down run ls status publish unpublish limit check gc create delete install-cni doctor explain graph top metrics; do
	says "*Usage: netns-up $verb*" $verb --help
	says "*  $verb *" --help
done
for sub in create ls inspect rm import; do
	says "*Usage: netns-up network $sub*" network $sub --help
done
says '*Usage: netns-up policy test*' policy test --help
says '*policy test*' policy --help
refuses '*expected test*' policy
refuses '*expected test*' policy show
refuses '*--user*' policy test
refuses '*--policy-dir*' policy test --user root --policy-dir here
for o in publish network ip ip6 mac mtu ifname name dry-run json quiet; do
	says "*--$o*" up --help
done
for o in pid mount uts ipc user hostname; do
	says "*--$o*" run --help
done
for o in subnet mode internal isolate mtu no-masquerade; do
	says "*--$o*" network create --help
done
says '*Exit codes*' help
says '*Usage: netns-up run*' help run
says '*Usage: netns-up network create*' help network create
says '*create*import*' help network
refuses '*help nosuch: expected a verb*' help nosuch
refuses '*help x: expected a verb*' help up x
refuses '*--net: unknown option (--network?)*' up 1 --net web
refuses '*verb*'
refuses '*nosuch*' nosuch
refuses '*--nosuch*' ls --nosuch
refuses '*TARGET*' up
refuses '*' up a b
refuses '*--mtu*' up 1 --mtu
refuses '*--mtu*60*' up 1 --mtu 60
says '*--fix*--json*' doctor --help
says '*10 *`doctor`*' --help
refuses '*doctor*' doctor 80
refuses '*PORT*' explain
refuses '*PORT*found "0"*' explain 0
refuses '*found "eighty"*' explain eighty
refuses '*icmp*' explain 80/icmp
refuses '*found "\[::1"*' explain '[::1'
refuses '*CMD*' run
refuses '*-p*0/tcp*' up 1 -p 0/tcp
echo "1..$n"
[ $failed -eq 0 ]

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The AppArmor profiles: they name the programs where they are installed, restrict nothing and allow user
# namespaces; AppArmor's own parser, where there is one of its fourth version, takes them. TAP.
n=0 failed=0
ok() { # DESCRIPTION STATUS
	n=$((n + 1))
	[ "$2" -eq 0 ] || { failed=$((failed + 1)); printf 'not '; }
	printf 'ok %d - %s\n' $n "$1"
}
for p in netns-up slirp-lite; do
	grep -qx "profile $p $BINDIR/$p flags=(unconfined) {" "$PROFILES/$p.apparmor"
	ok "$p: the program by its path" $?
	grep -qx '  userns,' "$PROFILES/$p.apparmor"
	ok "$p: user namespaces" $?
	! grep -q '@' "$PROFILES/$p.apparmor"
	ok "$p: nothing is left to fill in" $?
	[ ! -e /etc/apparmor.d/abi/4.0 ] || ! command -v apparmor_parser >/dev/null ||
		apparmor_parser -Q "$PROFILES/$p.apparmor"
	ok "$p: the parser, where there is one" $?
done
echo "1..$n"
[ $failed -eq 0 ]

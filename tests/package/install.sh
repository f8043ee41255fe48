#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `meson install` with DESTDIR: the whole tree, modes and owners, what the options add and leave out. Needs no
# root. TAP.
n=0 failed=0
T=$(mktemp -d) || exit 99
trap 'rm -rf "$T"' EXIT
ok() { # DESCRIPTION CMD...
	n=$((n + 1))
	what=$1
	shift
	"$@" >"$T/out" 2>&1 || { failed=$((failed + 1)); printf 'not '; sed 's/^/# /' "$T/out"; }
	printf 'ok %d - %s\n' $n "$what"
}
tree() { (cd "$1" && find . ! -type d \( -type l -printf '%P -> %l\n' -o -printf '%P\n' \) | sort); }
HERE=$(dirname "$0")

ok 'installs' meson install -C "$BUILD" --no-rebuild --quiet --destdir "$T/dest"
top=$T/dest$PREFIX
tree "$top" | sed 's/^etc.apparmor.*//; /^$/d' >"$T/tree"
[ "$MAN" = yes ] && cat "$HERE/tree" >"$T/want" || grep -v '^share/man' "$HERE/tree" >"$T/want"
LC_ALL=C sort -o "$T/want" "$T/want"
LC_ALL=C sort -o "$T/tree" "$T/tree"
ok 'the tree is as it should be' diff -U0 "$T/want" "$T/tree"
ok 'nothing lies beside it' sh -c "! find '$T/dest' ! -type d ! -path '$top/*' ! -path '*/apparmor.d/*' | grep ."
ok 'programs are executable, and nothing is set-uid or can be changed by others' sh -c "
	! find '$top' ! -type l \( -perm /6000 -o -perm /022 \) | grep . &&
	[ \$(find '$top' -type f -perm -111 | wc -l) -eq 5 ]"
for program in bin/netns-up bin/slirp-lite sbin/netd; do
	ok "$program --version" sh -c "'$top/$program' --version | grep -q '[0-9]\.[0-9]'"
done
ok 'a plugin answers' sh -c "CNI_COMMAND=VERSION '$top/libexec/netns-up/cni/bridge' </dev/null | grep -q '1\.1\.0'"
ok 'the unit names the program where it is' grep -q "^ExecStart=$PREFIX/sbin/netd " "$top/lib/systemd/system/netd.service"

# What the options change is known before anything is built.
plan() { # NAME OPTION...
	plan=$1
	shift
	meson setup "$T/$plan" "$SOURCE" -Dtests=false "$@" >"$T/$plan.log" 2>&1 || { tail -n 5 "$T/$plan.log"; return 1; }
	meson introspect --installed "$T/$plan" | tr ',' '\n' >"$T/$plan.list"
}
ok 'configures with other options' plan other -Dstand_in=slirp4netns,pasta -Dcni=false -Dman=disabled \
	-Dzsh_completions=/usr/share/zsh/vendor-completions
ok 'links in the place of others' sh -c "grep -q 'bin/slirp4netns\"' '$T/other.list' && grep -q 'bin/pasta\"' '$T/other.list'"
ok 'no CNI plugin, no manual pages' sh -c "! grep -E 'libexec/netns-up/cni|share/man' '$T/other.list'"
ok 'completions where they are wanted' grep -q '/usr/share/zsh/vendor-completions/_netns-up"' "$T/other.list"
echo "1..$n"
[ $failed -eq 0 ]

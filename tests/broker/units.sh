#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The units as systemd reads them: no complaint; the user and the directories are made as they say;
# the policy's directory is one that netd believes. TAP.
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0
ok() { # DESCRIPTION STATUS [DETAIL]
	n=$((n + 1))
	if [ "$2" -ne 0 ]; then
		failed=$((failed + 1))
		printf 'not '
	fi
	printf 'ok %d - %s\n' $n "$1"
	[ "$2" -eq 0 ] || printf '%s\n' "${3-}" | sed 's/^/# /'
}

mkdir "$tmp/units"
cp "$UNITS/netd.socket" "$tmp/units/"
# The program as it lies in the build tree; all else as it is installed.
sed "s|^ExecStart=[^ ]*|ExecStart=$NETD|" "$SERVICE" >"$tmp/units/netd.service"
grep -q "^ExecStart=$NETD --foreground\$" "$tmp/units/netd.service"
ok 'the service starts netd in the foreground' $?
grep -qx 'ExecReload=/bin/kill -USR2 \$MAINPID' "$tmp/units/netd.service"
ok 'a reload is an upgrade' $?
out=$(SYSTEMD_UNIT_PATH="$tmp/units:" systemd-analyze verify --man=no "$tmp/units/netd.socket" "$tmp/units/netd.service" 2>&1)
rc=$?
# Other units of the machine are none of ours.
out=$(printf '%s\n' "$out" | grep -F netd)
ok 'systemd-analyze verify' $rc "$out"
[ -z "$out" ]
ok 'without a word' $? "$out"
score=$(systemd-analyze security --offline=yes --no-pager --threshold=55 "$tmp/units/netd.service" 2>&1)
ok 'systemd-analyze security: no more exposed than 5.5 of 10' $? "$(printf '%s\n' "$score" | tail -n 3)"

mkdir -p "$tmp/root/etc"
printf 'root:x:0:0::/:/bin/sh\n' >"$tmp/root/etc/passwd"
printf 'root:x:0:\n' >"$tmp/root/etc/group"
out=$(systemd-sysusers --root="$tmp/root" "$UNITS/sysusers.conf" 2>&1)
ok 'systemd-sysusers' $? "$out"
grep -q '^netd:' "$tmp/root/etc/passwd"
ok 'makes the user' $?
out=$(systemd-tmpfiles --root="$tmp/root" --create "$UNITS/tmpfiles.conf" 2>&1)
ok 'systemd-tmpfiles' $? "$out"
[ "$(stat -c '%a %u' "$tmp/root/etc/netd/policy.d")" = '755 0' ]
ok 'makes the directory of the policy, root'"'"'s alone to write' $?
echo "1..$n"
[ $failed -eq 0 ]

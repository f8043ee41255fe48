# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# user_lib.sh: two ordinary users of this test alone, for tests that source lib.sh before. Their directories may lie
# in the machine's own /tmp.

UID_A=$NS_UID
UID_B=$((NS_UID + 1))

# users NAME_A NAME_B FIRST UID...: they are on `host`. FIRST: 65,536 ids from there on are the first one's ('': none).
# Those named have a runtime directory.
users() {
	printf '%s:x:%s:%s::/:/bin/sh\n' "$1" "$UID_A" "$UID_A" "$2" "$UID_B" "$UID_B" |
		cat /etc/passwd - >"$NS_TMP/passwd"
	[ -z "$3" ] || printf '%s:%s:65536\n' "$1" "$3" >"$NS_TMP/subids"
	shift 3
	on host sh -c '
		set -e
		mount -n --bind "$1/passwd" /etc/passwd
		for f in /etc/subuid /etc/subgid; do
			[ ! -e "$1/subids" ] || [ ! -e $f ] || mount -n --bind "$1/subids" $f
		done
		echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
		mkdir -p -m 755 /run/user
		shift
		for u; do
			mkdir -m 700 /run/user/$u
			chown $u:$u /run/user/$u
		done' sh "$NS_TMP" "$@" || bail 'cannot prepare the host'
}
as() { # UID CMD...: without privilege, with a clean environment; AS_DIR not empty: told of the runtime directory
	local uid
	uid=$1
	shift
	on host setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" ${AS_DIR:+XDG_RUNTIME_DIR=/run/user/"$uid"} "$NS_MARK" \
		${NETNS_UP_WITHOUT:+NETNS_UP_WITHOUT="$NETNS_UP_WITHOUT"} "$@"
}
refused() { # EXIT-CODE PATTERN ARGUMENT...: of the first one's netns-up
	local code pattern out rc
	code=$1 pattern=$2
	shift 2
	out=$(as "$UID_A" "$NETNS_UP" "$@" 2>&1)
	rc=$?
	is "$*: exit code" "$rc" "$code"
	like "$*: says why" "$out" "$pattern"
}

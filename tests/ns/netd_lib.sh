# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash disable=SC2016,SC2034
#
# netd_lib.sh: what the tests of the daemon share: two users of this run alone on `host`, boxes of
# theirs (network namespaces that they own), a daemon with a policy, a client that says anything.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_lib.sh"

POLICY=$NS_TMP/policy.d
CLIENT=$(dirname "$0")/netd_client.py
[ -x /usr/bin/python3 ] && PYTHON=/usr/bin/python3 || PYTHON=python3
cp "$CLIENT" "$NS_TMP/client.py" # users cannot read everywhere
chmod 644 "$NS_TMP/client.py"

netd_world() {
	ns_world
	mkdir -m 755 "$POLICY"
	users nta ntb '' "$UID_A" "$UID_B"
}

policy() { # LINE...: the policy from now on
	printf '%s\n' "$@" >"$POLICY/.new"
	mv "$POLICY/.new" "$POLICY/50-test.conf"
}

netd_start() { # OPTION...: pid in $NETD_PID, log in $NETD_LOG
	serve host "$NETD" --foreground --policy-dir "$POLICY" "$@"
	NETD_PID=$SERVED NETD_LOG=$SERVED_LOG
	ns_until 20 grep -q 'ready:' "$NETD_LOG" || bail "netd does not start: $(cat "$NETD_LOG")"
}
netd_stop() { # as a service manager would; false when it did not end well
	local rc
	kill -TERM "$NETD_PID"
	wait "$NETD_PID"
	rc=$?
	NS_SERVERS=$(_ns_without "$NETD_PID" "$NS_SERVERS")
	return $rc
}
netd_killed() { # it was: its end is awaited
	wait "$NETD_PID" 2>/dev/null
	NS_SERVERS=$(_ns_without "$NETD_PID" "$NS_SERVERS")
}
netd_front() { # the pid of the front
	local p
	for p in $(cat "/proc/$NETD_PID/task/$NETD_PID/children"); do
		[ "$(cat "/proc/$p/comm")" != netd-front ] || echo "$p"
	done
}
netd_log() { grep -c "$@" "$NETD_LOG"; }

nta() { as $UID_A "$NETNS_UP" "$@"; }
ntb() { as $UID_B "$NETNS_UP" "$@"; }
ask_netd() { # UID ARGUMENT...: see netd_client.py
	local uid
	uid=$1
	shift
	as "$uid" "$PYTHON" "$NS_TMP/client.py" "$@"
}

# box NAME UID [OPTION...]: a container that a user made by himself (unshare's options beyond -Urn);
# its pid is in $BOX, and on NAME works.
box() {
	local name uid
	name=$1 uid=$2
	shift 2
	(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid "$uid" --regid "$uid" --clear-groups \
		--pdeathsig KILL env -i PATH="$PATH" "$NS_MARK" unshare -Urn "$@" sleep 7200) &
	BOX=$!
	NS_HOLDERS="$NS_HOLDERS $BOX"
	eval "ns_pid_$name=$BOX ns_uid_$name=$uid"
	ns_until 20 _box_is_ready $BOX || bail "no box $name"
}
_box_is_ready() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = sleep ]; } # its ids are mapped by then
# inside NAME CMD...: as root of the box, which its maker is.
inside() {
	local p uid
	p=$(ns_pid "$1")
	eval "uid=\$ns_uid_$1"
	shift
	as "$uid" nsenter -t "$p" -U -n --preserve-credentials -- "$@"
}
serve_inside() { # NAME CMD...: see serve
	local p uid
	p=$(ns_pid "$1")
	eval "uid=\$ns_uid_$1"
	shift
	serve host setpriv --reuid "$uid" --regid "$uid" --clear-groups \
		nsenter -t "$p" -U -n --preserve-credentials -- "$@"
}
n_links() { on host ip -o link show group 28277 | wc -l; } # veths of ours on the host
has_links() { [ "$(n_links)" -eq "$1" ]; }
has_links_soon() { # N: once the kernel has taken the namespaces apart, which takes it seconds beside others
	ns_until 30 has_links "$1" || bail "there are not $1 links, but $(n_links)"
}

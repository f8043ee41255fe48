# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# user_names_lib.sh: for tests of ordinary users' networks that look names up, beside user_net_lib.sh: queries, and who
# is in the user's host.

# The user's host, by the inode of its network namespace: what is in it shows no mark (the names responder has an
# empty environment).
host_of() { # the inode; one user has networks at a time
	stat -Lc %i "/proc/$(named netns-up-host | head -n 1)/fd/6"
}
in_netns() { # INODE: pids
	stat -Lc '%i %n' /proc/[0-9]*/ns/net 2>/dev/null | awk -v i="$1" '$1 == i { split($2, p, "/"); print p[3] }'
}
responders() { # INODE: pids of the names responder in it
	local p
	for p in $(in_netns "$1"); do
		! tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q 'netns-up-forwarder names' || ! ns_alive "$p" || echo "$p"
	done
}
n_responders() { # INODE N
	[ "$(responders "$1" | wc -l)" -eq "$2" ]
}
is_empty() { # INODE: nobody is in that namespace
	[ -z "$(in_netns "$1")" ]
}
names_pid() { # [UID]: of the responder, by the record
	on host sed -nE 's/.*"names_pid":([0-9]+).*/\1/p' /run/user/"${1:-$UID_A}"/netns-up/host/uplink
}
look() { # PID SERVER NAME TYPE [DIG OPTION...]: the answers
	local p s n t
	p=$1 s=$2 n=$3 t=$4
	shift 4
	inside "$p" dig +short +time=20 +tries=2 "@$s" "$@" -q "$n" -t "$t"
}
rcode() { # the same, the status of the answer and the number of its records
	local p s n t
	p=$1 s=$2 n=$3 t=$4
	shift 4
	inside "$p" dig +time=30 +tries=1 "@$s" "$@" -q "$n" -t "$t" |
		sed -nE 's/.*status: ([A-Z]+),.*/\1/p; s/.*ANSWER: ([0-9]+),.*/\1/p' | tr '\n' ' '
}
resolver_of() { # ATTACHMENT 4|6: as recorded
	nna status "$1" --json | jq -r ".[0].resolver$2"
}

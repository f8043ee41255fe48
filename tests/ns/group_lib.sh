# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# group_lib.sh: a memory cgroup of this test's own, whose limit is set as the test goes on. After lib.sh.

# Where a group may be made, and what its files are called.
if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
	GROUP=/sys/fs/cgroup/memory/netns-up-oom.$NS_UID GROUP_FILE=memory.limit_in_bytes
elif grep -qsw memory /sys/fs/cgroup/cgroup.subtree_control; then
	GROUP=/sys/fs/cgroup/netns-up-oom.$NS_UID GROUP_FILE=memory.max
else
	bail 'no memory controller to make a group of'
fi
mkdir "$GROUP" || bail "cannot make $GROUP"
group_end() {
	while read -r p; do
		kill -KILL "$p"
	done <"$GROUP/cgroup.procs"
	ns_until 20 rmdir "$GROUP"
}
trap 'group_end 2>/dev/null; _ns_cleanup' EXIT
[ ! -e "$GROUP/memory.swap.max" ] || echo 0 >"$GROUP/memory.swap.max"
exec 9>"$GROUP/cgroup.procs" # hosts have a /sys of their own

group_limit() { echo "$1" >"$GROUP/$GROUP_FILE"; }
group_kills() {
	cat "$GROUP/memory.oom_control" "$GROUP/memory.events" 2>/dev/null | awk '$1 == "oom_kill" { n = $2 } END { print n + 0 }'
}
group_done() { # nobody is in it any more
	exec 9>&-
	ok 'the group is empty' ns_until 20 rmdir "$GROUP"
	trap _ns_cleanup EXIT
}

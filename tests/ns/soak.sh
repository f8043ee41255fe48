#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Many cycles of up and down beside a container that stays: the forwarder, which lives through all of
# them, grows by nothing, and neither the kernel's tables nor the state directory keep anything.
# soak.sh [CYCLES]: 10,000 is a minute or two. NETNS_UP_SOAK_SECONDS: no more cycles begin after so long (3600).
. "$(dirname "$0")/lib.sh"
N=${1:-${NETNS_UP_SOAK:-400}}
LIMIT=${NETNS_UP_SOAK_SECONDS:-3600}

forwarder_pid() { # its process lives in the host's network namespace and has the program's name
	local p host_ns
	host_ns=$(readlink "/proc/$(ns_pid host)/ns/net")
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/ns/net" 2>/dev/null)" = "$host_ns" ] || continue
		case $(cat "$p/comm" 2>/dev/null) in netns-up-forwar*) echo "${p#/proc/}" ;; esac
	done
}
rss() { awk '/^Rss(Anon|Shmem)/ { n += $2 } END { print n + 0 }' "/proc/$1/status"; }
fds() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

ns_world
container_new stays host
container_new comes host
stays=$(ns_pid stays) comes=$(ns_pid comes)
ok 'a container that stays' on host "$NETNS_UP" up "$stays" -p 8000:80 -q
cat >"$NS_TMP/cycle.sh" <<'S'
i=0
end=$(($(date +%s) + $3))
while [ $i -lt "$2" ]; do
	[ $((i % 16)) -gt 0 ] || [ "$(date +%s)" -le $end ] || break
	"$NETNS_UP" up "$1" -p 8080:80 -p 8081-8084:81-84/udp -q && "$NETNS_UP" down "$1" -q || exit 1
	i=$((i + 1))
done
echo $i >"$4"
S
# What is allocated once, at first use, is not growth.
ok 'warm-up' on host sh "$NS_TMP/cycle.sh" "$comes" 50 3600 "$NS_TMP/cycles"
fwd=$(forwarder_pid)
like 'one forwarder' "$fwd" '[0-9]*'
rss_before=$(rss "$fwd") fds_before=$(fds "$fwd")
# Where the next address is looked for moves on; nothing else may.
# The kernel's own memory, which is everybody's: what a cycle leaves shows when there are thousands.
slab() { awk '/^(SUnreclaim|Percpu|VmallocUsed|KernelStack):/ { n += $2 } END { print n }' /proc/meminfo; }
picture() { snapshot host | grep -v '/run/netd/cursors/'; }
picture >"$NS_TMP/before"
slab_before=$(slab)
ok "up and down, $N times, for $LIMIT s at most" on host sh "$NS_TMP/cycle.sh" "$comes" "$N" "$LIMIT" "$NS_TMP/cycles"
asked=$N N=$(cat "$NS_TMP/cycles")
ok 'there were cycles' test "$N" -ge $((asked < 50 ? asked : 50))
is_as_before() { picture >"$NS_TMP/after" && diff -u "$NS_TMP/before" "$NS_TMP/after"; }
ok "after $N cycles nothing is left" ns_until 20 is_as_before
is 'the same forwarder' "$(forwarder_pid)" "$fwd"
grown=$(($(rss "$fwd") - rss_before))
note "the forwarder's own memory grew by $grown KiB, its descriptors by $(($(fds "$fwd") - fds_before))"
ok 'its memory grew by less than 64 KiB' test "$grown" -lt 64
slab_grown=$(($(slab) - slab_before))
note "the kernel's memory grew by $slab_grown KiB, that is $((slab_grown * 1024 / N)) bytes a cycle"
[ "$N" -lt 4000 ] || ok 'nor did the kernel keep 4 KiB of each cycle' test "$slab_grown" -lt $((N * 4))
has_fds() { [ "$(fds "$fwd")" = "$fds_before" ]; }
ns_until 20 has_fds
is 'its descriptors' "$(fds "$fwd")" "$fds_before"
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What one call must not do to another: claims that collide, calls that were killed half-way, and calls
# on the same attachment at the same time.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

ns_world
snapshot host >"$NS_TMP/before"
container_new c1 host
container_new c2 host
p1=$(ns_pid c1)
p2=$(ns_pid c2)

# A MAC is one container's.
ok 'one' nu up "$p1" --name one --mac 02:00:00:00:00:07 -q
out=$(nu up "$p2" --name two --mac 02:00:00:00:00:07 2>&1)
is 'the MAC of another: exit code' "$?" 4
like 'its owner is named' "$out" '*one@eth0*'
bridge=$(on host ip -o link show type bridge | sed -E 's/^[0-9]+: ([^:]+):.*/\1/')
mac=$(on host cat "/sys/class/net/$bridge/address")
out=$(nu up "$p2" --name two --mac "$mac" 2>&1)
is 'the MAC of the bridge: exit code' "$?" 2
like 'it is named' "$out" "*$mac*"
# The MAC that follows from an address is kept for the container that will have it.
# shellcheck disable=SC2046 # three numbers
set -- $(on c1 ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9]+)\.([0-9]+)\.([0-9]+)\..*/\1 \2 \3/')
out=$(nu up "$p2" --name two --mac "$(printf '72:6e:%02x:%02x:%02x:63' "$@")" 2>&1)
is 'the MAC of an address: exit code' "$?" 2
like 'the address is named' "$out" '*.99 *'
ok 'the first still has a network' on c1 ping -q -c1 -W2 $OUT4
ok 'down' nu down one -q

# IPv6 has a least MTU.
out=$(nu up "$p1" --name one --mtu 1000 2>&1)
is 'an MTU too small for IPv6: exit code' "$?" 2
like 'the least one is named' "$out" '*1280*'
residue host "$NS_TMP/before" 'nothing is left'

# A record that cannot be read does not keep `down` from its work.
ok 'up' nu up "$p1" --name one -p 8080:80 -q
on host sh -c 'f=/run/netd/attachments/one@eth0; head -c 100 $f >$f.x; mv $f.x $f'
ok 'down with a broken record' nu down one
residue host "$NS_TMP/before" 'nothing is left of it'
ns_done

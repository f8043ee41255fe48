#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# gc, check and recovery: dead containers, lost rules, lost state, state of another boot, broken records.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

ns_world
snapshot host >"$NS_TMP/before"
container_new c1 host
container_new c2 host
p1=$(ns_pid c1)
p2=$(ns_pid c2)

up_both() {
	nu up "$p1" --name one -p 8080:80 -q && nu up "$p2" --name two -p 8081:80 -q
}
serve_http c1 80
serve_http c2 80
c2_server=$SERVED
ok 'two containers' up_both

# Rules lost.
on host nft flush ruleset
nu check one >"$NS_TMP/check"
is 'check after a flush' "$?" 10
like 'it says what is missing' "$(cat "$NS_TMP/check")" '*tables*'
is 'the port is dead' "$(http out http://$HOST4:8080/hello)" ''
ok 'gc' nu gc
is 'the port of the first is back' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
is 'the port of the second is back' "$(http out http://$HOST4:8081/hello)" 'hello from c2'
ok 'check is content' nu check one
on host nft flush ruleset
container_new c3 host
ok 'the next up repairs too' nu up "$(ns_pid c3)" --name three -q
is 'first' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
is 'second' "$(http out http://$HOST4:8081/hello)" 'hello from c2'
ok 'down of the third' nu down three -q

# One element lost; the same `up` mends it.
on host nft delete element inet netd fwd4_any '{ tcp . 8080 }'
nu check one -q
is 'check misses one element' "$?" 10
ok 'the same up again' nu up "$p1" --name one -p 8080:80 -q
ok 'is healthy' nu check one

# The forwarder killed: ports on loopback and the reservation come back.
# shellcheck disable=SC2046 # a list
ns_end $(pgrep --ns "$(ns_pid host)" --nslist net -f netns-up-forwarder)
nu check one -q
is 'check misses the forwarder' "$?" 10
is 'from outside it works all the same' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
ok 'gc starts it again' nu gc -q
is 'loopback works again' "$(http host http://127.0.0.1:8081/hello)" 'hello from c2'
ok 'check' nu check two

# Taken away by somebody who was killed on the way, when it was no member of its network any more: neither half made
# nor up, and what it had is nobody's to count on.
container_new c4 host
p4=$(ns_pid c4)
ok 'a third one' nu up "$p4" --name four -q
a4=$(nu status four --json | jq -r '.[0].addresses[0].address')
ok 'which is leaving' on host rm /run/netd/members/default/four@eth0
like 'ls says so' "$(nu ls)" '*four *eth0 *default (leaving) *'
like 'status' "$(nu status four)" '*state      leaving*'
is 'status as JSON' "$(nu status four --json | jq -r '.[0].phase')" leaving
like 'graph' "$(nu graph)" '*four eth0*leaving*'
nu check four >"$NS_TMP/check"
is 'check of one that is leaving' "$?" 10
like 'check says so' "$(cat "$NS_TMP/check")" '*is leaving: *gc*down*removes it*'
like 'explain' "$(nu explain "${a4%/*}" 2>&1)" '*four eth0 is leaving; *netns-up gc*'
ok 'gc' nu gc -q
is 'it is gone' "$(nu ls | grep -c four)" 0
nok 'and so is its interface' on c4 ip link show eth0

# Many links of ours without a record.
seq 260 | awk '{ print "link add name stray" $1 " group 28277 type bridge" }' >"$NS_TMP/strays"
ok 'strays' on host ip -batch "$NS_TMP/strays"
like 'gc removes many strays' "$(nu gc)" '*260 links*'
ok 'check' nu check one
# A gc that was killed has marked some already.
ok 'strays' on host sh -c 'ip link add m1 group 28275 type bridge && ip link add m2 group 28277 type bridge'
like 'gc removes marked ones too' "$(nu gc)" '*2 links*'

# A container dies without a word.
container_new c4 host
nu up "$(ns_pid c4)" --name four -p 8084:80 -q
ns_kill c4
ok 'its link is gone' ns_until 20 sh -c '! nsenter -t "$1" -n -m "$2" check four -q' sh "$(ns_pid host)" "$NETNS_UP"
like 'gc removes it' "$(nu gc)" '*removed: 1 attachments*'
is 'the others stay' "$(nu ls | grep -c default)" 2

# The name is used again by another namespace.
container_new c5 host
out=$(nu up "$(ns_pid c5)" --name one 2>&1)
is 'a living name is refused to another namespace' "$?" 4
unserve "$c2_server"
ns_kill c2
p2=$(ns_pid c5)
ok 'a dead one is taken over' ns_until 20 sh -c 'nsenter -t "$1" -n -m "$2" up "$3" --name two -q' sh "$(ns_pid host)" "$NETNS_UP" "$(ns_pid c5)"
ok 'and works' on c5 ping -q -c1 -W10 $OUT4
nu down two -q

# A broken record. It stays until what it put into the tables is gone, which cannot be at first.
container_new c7 host
nu up "$(ns_pid c7)" --name seven -p 8087:80 -q
serve_http c7 80
on host sh -c 'f=/run/netd/attachments/seven@eth0; head -c 100 $f >$f.x; mv $f.x $f'
on host mkdir /run/netd/.generation
nok 'gc that cannot count the tables' nu gc -q
ok 'leaves the broken record' on host test -e /run/netd/attachments/seven@eth0
on host rmdir /run/netd/.generation
like 'the next removes it' "$(nu gc)" '*1 broken*'
nok 'its port is gone' on host sh -c 'nft list ruleset | grep "tcp \. 8087\|dport 8087"'
is 'the port of the other is not' "$(http out http://$HOST4:8080/hello)" 'hello from c1'
ns_kill c7

# The last one.
on host sh -c 'f=/run/netd/attachments/one@eth0; head -c 100 $f >$f.x; mv $f.x $f'
out=$(nu status one 2>&1)
isnt 'a broken record is not believed' "$?" 0
like 'its name is told' "$out" '*one@eth0*'
like 'gc removes it with its link' "$(nu gc)" '*1 broken*'
residue host "$NS_TMP/before" 'nothing is left'

# All state lost, kernel objects there. What the sysctls were is lost with it.
container_new c6 host
nu up "$(ns_pid c6)" --name six -p 8086:80 -q
on host rm -rf /run/netd
ok 'up after the state was lost' nu up "$p1" --name one -p 8086:80 -q
is 'its port leads to it' "$(http out http://$HOST4:8086/hello)" 'hello from c1'
ok 'down' nu down one -q
ok 'gc' nu gc -q
on host sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv6.conf.all.forwarding=0 \
	net.ipv6.conf.eth0.accept_ra=1
on host sysctl -eqw net.ipv6.conf.eth0.force_forwarding=0
residue host "$NS_TMP/before" 'nothing is left of either'

ok 'strays' on host ip -batch "$NS_TMP/strays"
on host ip link add name nb-stray group 28258 type bridge
like 'gc removes strays and bridges without any record' "$(nu gc)" '*261 links*'
residue host "$NS_TMP/before" 'none is left'

# State of another boot: the same files under another boot id, the kernel knows nothing of them.
old=00000000-0000-4000-8000-000000000000
cat >"$NS_TMP/reboot.py" <<'P'
import binascii, sys
def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
for name in sys.argv[2:]:
    line = open(name, 'rb').read().split(b'\n')[0] + b'\n'
    now = open('/proc/sys/kernel/random/boot_id', 'rb').read().strip()
    line = line.replace(now, sys.argv[1].encode())
    open(name, 'wb').write(line + b'crc32c %08x\n' % crc32c(line))
P
nu up "$p1" --name one -p 8080:80 -q
on host cp -a /run/netd /run/saved
nu down one -q
on host sh -c 'cp -a /run/saved /run/netd && rm -r /run/saved &&
	python3 "$1" "$2" /run/netd/identity /run/netd/attachments/one@eth0' sh "$NS_TMP/reboot.py" $old
ok 'up after a reboot' nu up "$p2" --name two -p 8080:80 -q
is 'the old attachment is void' "$(nu ls | grep -c one)" 0
nu down two -q

# A network made by name outlives a boot in a state directory that does.
nu network create kept --subnet 10.66.0.0/24 -q
nu up "$p1" --name one --network kept -q
on host cp -a /run/netd /run/saved
nu down one -q
nu network rm kept
on host sh -c 'cp -a /run/saved /run/netd && rm -r /run/saved &&
	python3 "$1" "$2" /run/netd/identity /run/netd/attachments/one@eth0' sh "$NS_TMP/reboot.py" $old
like 'the network is there after a reboot' "$(nu network ls)" '*kept*'
ok 'and can be used' nu up "$p2" --name two --network kept -q
is 'with its addresses' "$(nu ls | grep -c '10\.66\.0\.')" 1
nu down two -q
ok 'and removed' nu network rm kept
residue host "$NS_TMP/before" 'nothing is left at the end'
ns_done

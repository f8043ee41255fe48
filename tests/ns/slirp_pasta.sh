#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# slirp-lite called as pasta, by an ordinary user: the command lines of podman 5 and 6 and of rootlesskit
# 2 and 3 word for word, addresses copied from the host and given, DNS, published ports, pesto, the end of
# the namespace; and that what listens on the host's loopback stays out of reach in each of them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

slirp_world
on out ip -4 addr add 198.51.100.53/24 dev eth0
on out ip -4 addr add 198.51.100.77/24 dev eth0 # a neighbour of the host's
on out ip -6 addr add 2001:db8:1::77/64 dev eth0 nodad
serve_probe out udp 53 serve_dns 198.51.100.53
serve_probe out tcp 7000 serve_tcp
serve_probe out udp 7000 serve_udp
serve_probe host tcp 7300 serve_tcp # of all of the host's addresses
serve_probe host udp 7300 serve_udp
# And what only the host's loopback has. Whoever comes to it is counted.
serve host socat TCP4-LISTEN:7100,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo secret'
wait_port host tcp 7100
serve host socat TCP6-LISTEN:7101,bind=::1,fork,reuseaddr SYSTEM:'echo secret'
wait_port host tcp 7101
on host nft -f - <<'N'
table inet watch {
	counter loopback { }
	chain c {
		type filter hook output priority 0
		ip daddr 127.0.0.0/8 meta l4proto { tcp, udp } th dport 7100-7101 counter name loopback
		ip6 daddr ::1 meta l4proto { tcp, udp } th dport 7100-7101 counter name loopback
	}
}
N
counted() { on host nft list counters table inet watch | awk '$1 == "packets" { print $2 }'; }

D=/run/pasta
on host sh -c 'mkdir -m 755 "$1" && chown $2:$2 "$1"' sh $D $BOX_UID
ln -s "$SLIRP_LITE" "$NS_TMP/pasta"
ln -s "$SLIRP_LITE" "$NS_TMP/pesto"
PASTA=$NS_TMP/pasta

# What podman has: a user and mount namespace with the host's network, kept by a process. pause CMD...: in
# it, as its root; pasta ARGUMENT...: likewise. Namespaces are files in $D.
(_box_exec host unshare -Urm --propagation private sleep 7200) &
PAUSE=$!
NS_SERVERS="$NS_SERVERS $PAUSE"
_pause_is_apart() {
	grep -q '^sleep$' "/proc/$PAUSE/comm" 2>/dev/null &&
		[ "$(readlink "/proc/$PAUSE/ns/mnt")" != "$(readlink "/proc/$(ns_pid host)/ns/mnt")" ]
}
ns_until 20 _pause_is_apart || bail 'no namespace like that of podman'
pause() { nsenter -t "$PAUSE" -U -m -n --wdns=/ -- env "$NS_MARK" "$@"; }
pasta() { pause timeout 120 "$PASTA" ${SLIRP_OPTIONS:-} "$@" 2>&1; }
# run ARGUMENT...: without such surroundings.
run() { as_user host "$PASTA" ${SLIRP_OPTIONS:-} -q --config-net "$@" 2>&1; }
ns_file() { pause sh -c ': >"$1" && exec unshare --net="$1" true' sh "$D/$1" || bail "no namespace $1"; }
ns_gone() { pause sh -c 'umount "$1" && rm "$1"' sh "$D/$1"; }
ctr() { # NAME CMD...
	local f
	f=$D/$1
	shift
	pause nsenter --net="$f" "$@"
}
probe() { # NAME ARGUMENT...
	local n
	n=$1
	shift
	ctr "$n" "$PYTHON" "$PROBE" "$@" 2>&1
}
peer_of() { # PROBE-COMMAND...: the address that a server saw
	"$@" | sed 's/^::ffff://; s/ .*//'
}
daemon() { cat "$NS_TMP/pid" 2>/dev/null; }
keep_pid() { pause cat $D/pid >"$NS_TMP/pid"; }
_ended() { ! ns_alive "$1"; }

# closed NAME OF: nothing of the host's loopback is reached from the container, by whatever address.
closed() {
	local before a p out
	before=$(counted)
	for a in $OUT4 $OUT6 $HOST4 $HOST6 169.254.1.1 169.254.1.2 10.0.2.2 10.0.2.3 fd00::1 127.0.0.1 ::1 \
		::ffff:127.0.0.1 0.0.0.0 ::; do
		for p in 7100 7101; do
			out=$(probe "$1" tcp_connect $a $p 0.3)
			[ "$out" != connected ] || fail "$2: $a port $p is closed"
		done
		ctr "$1" sh -c 'echo x | timeout 1 socat -u - "UDP:$1:7100"' sh "$(case $a in *:*) echo "[$a]" ;; *) echo $a ;; esac)" \
			>/dev/null 2>&1
	done
	is "$2: nothing went to the host's loopback" "$(($(counted) - before))" 0
	is "$2: while all else is reached" "$(peer_of probe "$1" tcp_peer $OUT4 7000)" $HOST4
}

# --- what it says of itself ---

is 'probe of rootlesskit: --version' "$(pasta --version | head -n 1 | cut -d' ' -f1)" pasta
ok 'probe of rootlesskit: --host-lo-to-ns-lo' pasta --host-lo-to-ns-lo --version
out=$(pasta --map-nobody x --netns /x)
is 'an unknown option: status' $? 1
like 'an unknown option: as getopt has it, and a usage text' "$out" "pasta: unrecognized option '--map-nobody'
Usage: pasta *"
out=$(pasta --netns $D/none)
is 'a namespace that is not there: status' $? 1
like 'a namespace that is not there' "$out" "*$D/none: No such file or directory"
like 'the host itself' "$(pasta --netns /proc/self/ns/net)" '*network namespace that slirp-lite runs in*'
like 'an interface that is not there' "$(pasta -i nonesuch true)" 'pasta: --interface: nonesuch: No such device'
like 'ports of the host inside' "$(pasta -T auto true)" 'pasta: -T: only "none"*'

# --- podman 5, a container: substituted, so what it was given must be closed ---

ns_file c
out=$(pasta --config-net -t 8080-8080:80-80 -t $HOST4/8081-8081:80-80 --dns-forward 169.254.1.1 -u none -T none \
	-U none --no-map-gw --quiet --netns $D/c --map-guest-addr 169.254.1.2)
is 'podman: ready, and nothing said' "$? $out" '0 '
is 'podman: the address of the host' "$(ctr c ip -o -4 addr show eth0 | awk '{print $4}')" $HOST4/24
is 'podman: over IPv6' "$(ctr c ip -o -6 addr show eth0 scope global | awk '{print $4}')" $HOST6/64
like 'podman: its route' "$(ctr c ip -4 route show default)" "default via $OUT4 dev eth0*"
like 'podman: over IPv6' "$(ctr c ip -6 route show default)" "default via $OUT6 dev eth0*"
like 'podman: its MTU, loopback up' "$(ctr c ip -o link show)" '*lo: *UP*eth0: *UP*mtu 1500*'
is 'podman: TCP' "$(peer_of probe c tcp_peer $OUT4 7000)" $HOST4
is 'podman: TCP, IPv6' "$(peer_of probe c tcp_peer $OUT6 7000)" $HOST6
is 'podman: UDP' "$(probe c udp_who $OUT4 7000 | cut -d' ' -f1)" $HOST4
is 'podman: UDP, IPv6' "$(probe c udp_who $OUT6 7000 | cut -d' ' -f1)" $HOST6
is 'podman: a neighbour of the host' "$(peer_of probe c tcp_peer 198.51.100.77 7000)" $HOST4
is 'podman: over IPv6' "$(peer_of probe c tcp_peer 2001:db8:1::77 7000)" $HOST6
is 'podman: by UDP' "$(probe c udp_who 198.51.100.77 7000 | cut -d' ' -f1)" $HOST4
ok 'podman: ping of the router' ctr c ping -q -c1 -W20 $OUT4
ok 'podman: ping beyond' ctr c ping -q -c1 -W20 $FAR6
is 'podman: names' "$(ctr c dig +short +time=20 @169.254.1.1 four.test A)" 192.0.2.4
is 'podman: names over TCP' "$(ctr c dig +short +tcp +time=20 @169.254.1.1 four.test A)" 192.0.2.4
is 'podman: the host by its name' "$(ctr c dig +short +time=20 @169.254.1.1 host.containers.internal A)" 169.254.1.2
is 'podman: the host' "$(peer_of probe c tcp_peer 169.254.1.2 7300)" $HOST4
is 'podman: the host by UDP' "$(probe c udp_who 169.254.1.2 7300 | cut -d' ' -f1)" $HOST4
ok 'podman: ping of the host' ctr c ping -q -c1 -W20 169.254.1.2
is 'podman: a closed port there' "$(probe c tcp_connect 169.254.1.2 7999)" ECONNREFUSED
is 'podman: the DNS address serves nothing else' "$(probe c tcp_connect 169.254.1.1 7300)" ECONNREFUSED
closed c podman
mkdir -p "$NS_TMP/www.out/cgi-bin"
printf '%s\n' '#!/bin/sh' 'a=${REMOTE_ADDR#\[}; a=${a%\]}' 'printf "Content-Type: text/plain\r\n\r\n%s\n" "${a#::ffff:}"' \
	>"$NS_TMP/www.out/cgi-bin/peer"
chmod 755 "$NS_TMP/www.out/cgi-bin/peer"
(pause nsenter --net=$D/c busybox httpd -f -p 80 -h "$NS_TMP/www.out") &
web=$!
NS_SERVERS="$NS_SERVERS $web"
_serves() { ctr c ss -Hlnt 'sport = :80' | grep -q .; }
ok 'published: the server is up' ns_until 20 _serves
is 'published: the client keeps its address' "$(http far http://$HOST4:8080/cgi-bin/peer)" $FAR4
is 'published: over IPv6' "$(http far "http://[$HOST6]:8080/cgi-bin/peer")" $FAR6
is 'published: the router, a neighbour' "$(http out http://$HOST4:8081/cgi-bin/peer)" $OUT4
ok 'published: from the host' http host http://127.0.0.1:8080/cgi-bin/peer
ok 'published: from the host by its address' http host http://$HOST4:8081/cgi-bin/peer
nok 'published on one address only' http host http://127.0.0.1:8081/cgi-bin/peer

# The path goes: the daemon and its ports at once, so that a restart finds them free. Again and again.
unserve "$web"
listens() { on host ss -Hlnt 'sport = :8080' | grep -q .; }
no_listener() { ! listens; }
ns_gone c
ok 'unmounted: its ports are free' ns_until 20 no_listener
i=0 bad=0
while [ $i -lt 20 ]; do
	ns_file c
	pasta --config-net -t 8080 -u none -T none -U none -q --netns $D/c >"$NS_TMP/out" || bad=$((bad + 1))
	ns_gone c
	ns_until 20 no_listener || bad=$((bad + 1))
	i=$((i + 1))
done
is '20 restarts on the same port' "$bad$(cat "$NS_TMP/out")" 0

# --- podman 5, a bridge; podman 6, with a control socket ---

ns_file b
out=$(pasta --config-net --pid $D/pid --dns-forward 169.254.1.1 -t none -u none -T none -U none --no-map-gw \
	--quiet --netns $D/b --map-guest-addr 169.254.1.2)
is 'bridge: ready' "$? $out" '0 '
keep_pid
is 'bridge: its pid' "$(tr '\0' ' ' <"/proc/$(daemon)/cmdline" | cut -d' ' -f1)" "$PASTA"
is 'bridge: standard descriptors' \
	"$(readlink "/proc/$(daemon)/fd/0" "/proc/$(daemon)/fd/1" "/proc/$(daemon)/fd/2" | sort -u)" /dev/null
is 'bridge: TCP' "$(peer_of probe b tcp_peer $OUT4 7000)" $HOST4
closed b bridge
kill -TERM "$(daemon)"
ok 'bridge: ends by SIGTERM' ns_until 20 _ended "$(daemon)"
out=$(pasta --config-net --pid $D/pid --dns-forward 169.254.1.1 -t none -u none -T none -U none --no-map-gw \
	--quiet --netns $D/b --map-guest-addr 169.254.1.2 -c $D/c.sock)
is 'podman 6: ready' "$? $out" '0 '
keep_pid
pestos() { # ARGUMENT...: what it says, and its status
	local out
	out=$(pause timeout 120 "$NS_TMP/pesto" "$@" 2>&1)
	echo "$out $?"
}
is 'pesto --add' "$(pestos --add -t 0.0.0.0/8080 -t '[::1]/8082' $D/c.sock)" ' 0'
ok 'pesto: it listens' listens
like 'pesto: what is taken' "$(pestos --add -t 8083 -t 0.0.0.0/8080 $D/c.sock)" 'pesto: *1'
is 'pesto --delete' "$(pestos --delete -t 0.0.0.0/8080 $D/c.sock)" ' 0'
ok 'pesto: it listens no more' ns_until 20 no_listener
many=$(seq -s , 14000 2 29998)
is 'pesto: eight thousand runs' "$(pestos --add -t "0.0.0.0/$many" $D/c.sock)" ' 0'
is 'pesto: and back' "$(pestos --delete -t "0.0.0.0/$many" $D/c.sock)" ' 0'
like 'pesto: what is not there' "$(pestos --delete -t 8099 $D/c.sock)" 'pesto: *1'
like 'pesto: no such socket' "$(pestos --add -t 80 $D/none)" 'pesto: *No such file or directory 1'
# Somebody else's hand takes the file away: where the mount is not seen, unlinking takes it too.
on host rm $D/b
ok 'unlinked: the daemon ends' ns_until 20 _ended "$(daemon)"
is 'unlinked: its socket is gone' "$(pause ls $D)" pid

# --- rootlesskit: the interface is made before, the child configures it itself ---

kit_new() {
	(_box_exec host unshare -Urn sleep 7200) &
	KIT=$!
	box_kit=$KIT
	NS_SERVERS="$NS_SERVERS $KIT"
	ns_until 20 _box_is_apart "$KIT" host || bail 'no namespace'
	inside kit ip tuntap add name tap0 mode tap
	inside kit ip link set lo up
	inside kit ip link set tap0 up
}
probe() { # now of this box
	shift
	inside kit "$PYTHON" "$PROBE" "$@" 2>&1
}
ctr() {
	shift
	inside kit "$@"
}
kit_new
(_box_exec host "$PASTA" ${SLIRP_OPTIONS:-} --foreground --stderr --ns-ifname=tap0 --mtu=65520 --no-dhcp --no-ra \
	--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 --dns-forward=10.0.2.3 --no-map-gw --ipv4-only \
	--tcp-ports=none --udp-ports=none "$KIT") >"$NS_TMP/kit.log" 2>&1 </dev/null &
kit=$!
NS_SERVERS="$NS_SERVERS $kit"
inside kit ip addr add 10.0.2.100/24 dev tap0
inside kit ip link set tap0 mtu 65520
inside kit ip route add default via 10.0.2.2
ok 'rootlesskit 2: the gateway answers' ns_until 20 inside kit ping -q -c1 -W1 10.0.2.2
is 'rootlesskit 2: TCP' "$(peer_of probe kit tcp_peer $OUT4 7000)" $HOST4
is 'rootlesskit 2: names' "$(inside kit dig +short +time=20 @10.0.2.3 four.test A)" 192.0.2.4
is 'rootlesskit 2: nobody else is in its network' "$(probe kit tcp_connect 10.0.2.77 80 0.5)" silence
nok 'rootlesskit 2: no lease' inside kit busybox udhcpc -i tap0 -n -q -f -t 2 -T 1 -s /bin/true
closed kit 'rootlesskit 2'
ok 'rootlesskit 2: stays in the foreground' ns_alive "$kit"
unserve "$KIT"
ok 'rootlesskit 2: ends with its process' ns_until 20 _ended "$kit"
wait "$kit"
is 'rootlesskit 2: status' $? 0

kit_new
inside kit ip link del tap0
out=$(as_user host timeout 120 "$PASTA" ${SLIRP_OPTIONS:-} --stderr --ns-ifname=tap0 --mtu=65520 --config-net \
	--address=10.0.2.100 --netmask=24 --gateway=10.0.2.2 --dns-forward=10.0.2.3 --no-map-gw --host-lo-to-ns-lo \
	--tcp-ports=auto --udp-ports=auto "--userns=/proc/$KIT/ns/user" "--netns=/proc/$KIT/ns/net" 2>&1)
is 'rootlesskit 3: ready' $? 0
like 'rootlesskit 3: says what it gives' "$out" '*interface tap0, MTU 65520*10.0.2.100/24, gateway 10.0.2.2*'
is 'rootlesskit 3: UDP' "$(probe kit udp_who $OUT4 7000 | cut -d' ' -f1)" $HOST4
is 'rootlesskit 3: IPv6 is copied' "$(inside kit ip -o -6 addr show tap0 scope global | awk '{print $4}')" $HOST6/64
is 'rootlesskit 3: TCP over it' "$(peer_of probe kit tcp_peer $OUT6 7000)" $HOST6
(inside_exec kit "$PYTHON" "$PROBE" serve_tcp 7800) >/dev/null 2>&1 </dev/null &
NS_SERVERS="$NS_SERVERS $!"
_has_auto() { on host ss -Hlnt 'sport = :7800' | grep -q .; }
ok 'rootlesskit 3: what is served inside is published' ns_until 20 _has_auto
is 'rootlesskit 3: its client keeps its address' "$(peer_of probe_on far tcp_peer $HOST4 7800)" $FAR4
ok 'rootlesskit 3: a client of the host' probe_on host tcp_peer 127.0.0.1 7800
unserve "${NS_SERVERS##* }"
_has_no_auto() { ! _has_auto; }
ok 'rootlesskit 3: and it is taken back' ns_until 20 _has_no_auto
closed kit 'rootlesskit 3'

# --- the loopback, where its user says so ---

unserve "$KIT"
kit_new
run -I t1 --map-host-loopback 10.9.0.9 --map-guest-addr 10.9.0.8 "$KIT"
before=$(counted)
is '--map-host-loopback' "$(inside kit timeout 60 socat -u TCP:10.9.0.9:7100 -)" secret
ok '--map-host-loopback: what goes there is counted' [ "$(counted)" -gt "$before" ]
is '--map-host-loopback: not at the other one' "$(probe kit tcp_connect 10.9.0.8 7100 1)" ECONNREFUSED
is '--map-host-loopback: by UDP, answered from there' "$(probe kit udp_who 10.9.0.9 7300 | cut -d' ' -f1)" 127.0.0.1
unserve "$KIT"
kit_new
run -I t1 --map-gw --no-udp "$KIT"
is '--map-gw' "$(inside kit timeout 60 socat -u TCP:$OUT4:7100 -)" secret
like '--no-udp' "$(probe kit udp_who $OUT4 7000)" '*imeout*'
unserve "$KIT"

# --- no configuration: a guest that asks ---

kit_new
inside kit ip link set tap0 down
inside kit sysctl -qw net.ipv6.conf.tap0.accept_ra=2
as_user host "$PASTA" ${SLIRP_OPTIONS:-} -q -I tap0 --dns-forward 169.254.1.1 --dhcp-dns "$KIT"
inside kit ip link set tap0 up
cat >"$NS_TMP/lease" <<'S'
#!/bin/sh
[ "$1" != bound ] || echo "$ip $mask $router $dns"
S
chmod 755 "$NS_TMP/lease"
is 'a lease: what the host has' "$(inside kit busybox udhcpc -i tap0 -n -q -f -t 20 -T 3 -s "$NS_TMP/lease" 2>/dev/null)" \
	"$HOST4 24 $OUT4 169.254.1.1"
has_slaac() { inside kit ip -6 -o addr show tap0 scope global -tentative | grep -q 'inet6 2001:db8:1:'; }
ok 'an address by router advertisements' ns_until 20 has_slaac
unserve "$KIT"

# --- a command ---


is 'a command: status' "$(run sh -c 'exit 7'; echo $?)" 7
is 'a command: killed' "$(run sh -c 'kill -9 $$'; echo $?)" 137
like 'a command that is not there' "$(as_user host "$PASTA" ${SLIRP_OPTIONS:-} -q /none/x 2>&1; echo $?)" \
	'pasta: /none/x: No such file or directory*127'
is 'a command: its address, its user' \
	"$(run -- sh -c 'id -u; ip -o -4 addr show eth0' | awk '{print $1, $4}' | tr '\n' ' ')" \
	"0  2: $HOST4/24 "
is 'a command: TCP, at its first instruction' \
	"$(peer_of run "$PYTHON" "$PROBE" tcp_peer $OUT4 7000)" $HOST4
is 'a command: lo is up without --config-net' \
	"$(as_user host "$PASTA" ${SLIRP_OPTIONS:-} -q -- ip -o link show lo | grep -c 'LOOPBACK,UP')" 1
is 'the shell' "$(echo 'echo in a shell' | as_user host env SHELL=/bin/sh "$PASTA" ${SLIRP_OPTIONS:-} -q)" 'in a shell'

# --- a host with less ---

on host ip -6 route del default
is 'no IPv6 route: IPv4 alone' "$(run ip -o -6 addr show scope global)" ''
on host ip -4 route del default
is 'no route at all: a local network' \
	"$(run ip -o -4 addr show tap0 | awk '{print $4}')" 169.254.2.1/16
like '-6 and no IPv6' "$(as_user host "$PASTA" ${SLIRP_OPTIONS:-} -6 true 2>&1; echo $?)" 'pasta: --ipv6-only: the host has no IPv6*1'
on host ip -4 route add default dev eth0
on host ip -4 addr add 192.0.2.7/32 dev eth0
is 'no router' "$(peer_of run "$PYTHON" "$PROBE" tcp_peer $OUT4 7000)" $HOST4
on host ip -4 route del default
on host ip -4 route add default via $OUT4 src 192.0.2.7
on out ip -4 route add 192.0.2.7 dev eth0
is 'an address without a network, a router beyond it' \
	"$(peer_of run "$PYTHON" "$PROBE" tcp_peer $FAR4 7000) $(run ip -o -4 addr show eth0 | awk '{print $4}')" \
	"$(peer_of probe_on host tcp_peer $FAR4 7000) 192.0.2.7/32"
ok 'and it is reached' run ping -q -c1 -W20 $FAR4

unserve "$PAUSE"
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the processes of slirp-lite can do, seen from outside: the worker's and the supervisor's status,
# mounts and descriptors, that the container's root cannot get at them though it is the same user of the
# host, and that all kinds of traffic make no system call that the sandbox refuses.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

ns_world
on host sh -c 'echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range'
serve_http out 80
serve_peer out udp 7001
serve out "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 53))
while True:
    q, peer = s.recvfrom(512)
    s.sendto(q[:2] + b"\x81\x80" + q[4:6] + b"\0\0\0\0\0\0" + q[12:], peer)'
wait_port out udp 53
printf 'nameserver %s\n' $OUT4 >"$NS_TMP/host.resolv"
snapshot host >"$NS_TMP/before"
box_new a host -6 --sandbox=strict -p 8080:7000 -p 9000:7000/udp

status() { # PID FIELD...
	local p f
	p=$1
	shift
	for f in "$@"; do
		sed -nE "s/^$f:[[:space:]]*//p" "/proc/$p/status" | tr '\t' ' '
	done | tr '\n' ' '
}
ns_of() { readlink "/proc/$1/ns/$2"; }
w=$(worker a)
zygote=$(awk '/^PPid:/ { print $2 }' "/proc/$w/status")
# shellcheck disable=SC2154 # set by box_new
supervisor=$slirp_a

# --- the worker ---

is 'worker: no capability anywhere' "$(status "$w" CapInh CapPrm CapEff CapBnd CapAmb)" \
	'0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 '
is 'worker: no new privileges, filtered' "$(status "$w" NoNewPrivs Seccomp)" '1 2 '
is 'worker: an ordinary user, no groups' "$(status "$w" Uid Groups)" "$BOX_UID $BOX_UID $BOX_UID $BOX_UID  "
is 'worker: no id is mapped' "$(cat "/proc/$w/uid_map" "/proc/$w/gid_map")" ''
is 'worker: process 1 of its own namespace' "$(status "$w" NSpid | awk '{ print $2 }')" 1
is 'worker: one mount, read-only' \
	"$(awk '{ for (i = 7; $i != "-"; i++); print $5, $6, $(i + 1) }' "/proc/$w/mountinfo")" \
	'/ ro,nosuid,nodev,noexec,relatime tmpfs'
is 'worker: nothing in it' "$(find "/proc/$w/root/" -mindepth 1 | wc -l)" 0
for n in user mnt pid ipc uts cgroup; do
	isnt "worker: $n namespace of its own" "$(ns_of "$w" $n)" "$(ns_of "$supervisor" $n)"
done
is 'worker: network namespace of the host' "$(ns_of "$w" net)" "$(ns_of "$(ns_pid host)" net)"
# shellcheck disable=SC2154 # set by box_new
isnt 'worker: not the user namespace of the container' "$(ns_of "$w" user)" "$(ns_of "$box_a" user)"
fds() {
	for f in "/proc/$1/fd/"*; do
		printf '%s %s\n' "${f##*/}" "$(readlink "$f" | sed -E 's/:?\[[0-9]+\]$//; s,^.*/null$,null,')"
	done
}
# Its control socket and the one to the maker of sockets inside, the loop and the empty set it rests on, for
# clients on this host eight pipes, sockets inside that wait for them, published ones.
is 'worker: its descriptors' "$(fds "$w" | cut -d' ' -f2 | sort | uniq -c | tr -s ' ' | grep -v socket | tr '\n' ',')" \
	' 1 /dev/net/tun, 2 anon_inode:[eventpoll], 2 null, 17 pipe,'
ok 'worker: a few sockets' [ "$(fds "$w" | grep -c socket)" -le 140 ]
limits() { awk '/core file|processes|file size|locked memory|msgqueue/ { print $(NF - 2), $(NF - 1) }' "/proc/$1/limits"; }
is 'worker: limits' "$(limits "$w" | sort | uniq -c | tr -s ' ')" ' 5 0 0'
is 'worker: not to be traced' "$(stat -c %u "/proc/$w/mem")" 0

# --- the others ---

is 'supervisor: no capability, no new privileges, filtered' \
	"$(status "$supervisor" CapInh CapPrm CapEff NoNewPrivs Seccomp)" \
	'0000000000000000 0000000000000000 0000000000000000 1 2 '
is 'zygote: no capability, no new privileges' "$(status "$zygote" CapInh CapPrm CapEff NoNewPrivs)" \
	'0000000000000000 0000000000000000 0000000000000000 1 '
is 'zygote: its descriptors' "$(fds "$zygote" | cut -d' ' -f2 | tr '\n' ',')" \
	'null,null,null,socket,/memfd:slirp-flows,anon_inode:[pidfd],'
for p in "$supervisor" "$zygote"; do
	isnt 'not in the user namespace of the container' "$(ns_of "$p" user)" "$(ns_of "$box_a" user)"
	isnt 'not in its network namespace' "$(ns_of "$p" net)" "$(ns_of "$box_a" net)"
done
nsd=$(for p in $(_descendants "$supervisor"); do [ "$(cat "/proc/$p/comm")" != slirp-nsd ] || echo "$p"; done)
is 'the maker of sockets: no capability, no new privileges, filtered' \
	"$(status "$nsd" CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp)" \
	'0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 2 '
is 'its descriptors' "$(fds "$nsd" | cut -d' ' -f2 | sort | uniq -c | tr -s ' ' | tr '\n' ',')" ' 3 null, 1 socket,'
is 'nobody else of ours is in the container' \
	"$(for p in /proc/[0-9]*; do [ "$(readlink "$p/ns/net" 2>/dev/null)" != "$(ns_of "$box_a" net)" ] || cat "$p/comm"; done | sort | tr '\n' ' ')" 'sleep slirp-nsd '

# --- the container's root, which is the same user of the host ---

cat >"$NS_TMP/reach.py" <<'P'
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = libc.syscall.restype = ctypes.c_long

def said(r):
    return 'done' if r >= 0 else errno.errorcode[ctypes.get_errno()]

def opened(path, flags=os.O_RDONLY):
    try:
        os.close(os.open(path, flags))
        return 'done'
    except OSError as e:
        return errno.errorcode[e.errno]

for pid in map(int, sys.argv[1:]):
    vec = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    print('attach', said(libc.ptrace(16, pid, 0, 0)))
    print('seize', said(libc.ptrace(0x4206, pid, 0, 0)))
    print('read', said(libc.syscall(*map(ctypes.c_ulong, (310, pid, ctypes.addressof(vec), 1, ctypes.addressof(vec), 1, 0)))))
    fd = libc.syscall(434, pid, 0)
    print('getfd', said(libc.syscall(438, fd, 3, 0)))
    print('mem', opened(f'/proc/{pid}/mem', os.O_RDWR))
    print('fd', opened(f'/proc/{pid}/fd/3'))
    print('root', opened(f'/proc/{pid}/root/.'))
    print('netns', opened(f'/proc/{pid}/ns/net'))
P
reach() { # as whom
	"$@" "$PYTHON" "$NS_TMP/reach.py" "$w" "$zygote" "$nsd" | sed 's/EACCES/EPERM/' | sort | uniq -c | tr -s ' ' | tr '\n' ','
}
none=' 3 attach EPERM, 3 fd EPERM, 3 getfd EPERM, 3 mem EPERM, 3 netns EPERM, 3 read EPERM, 3 root EPERM, 3 seize EPERM,'
# Root of the container is the user of the host: entered as that user, it is root there.
like 'root of the container is that user' "$(as_user host nsenter -t "$box_a" -U -n --preserve-credentials \
	sh -c 'id -u; sed -nE "s/^CapEff:\s*0*//p" /proc/self/status' | tr '\n' ' ')" '0 [1-9a-f]*'
is 'root of the container reaches neither worker nor zygote nor the maker of sockets' \
	"$(reach as_user host nsenter -t "$box_a" -U -n --preserve-credentials)" "$none"
is 'nor does another process of the user' "$(reach as_user host)" "$none"

# --- what it does is what it may do ---

for proto in tcp udp; do
	(inside_exec a "$PYTHON" "$PROBE" serve_$proto 7000) >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 inside a sh -c 'ss -Hln$1 "sport = 7000" | grep -q .' sh "$(echo $proto | cut -c1)" || bail "no server on 7000"
done
published() {
	local h
	for h in $HOST4 $HOST6; do
		probe_on out tcp_up "$h" 8080 1000000 | grep -qx equal && probe_on out udp_from "$h" 9000 | grep -q . || return 1
	done
	for h in 127.0.0.1 ::1; do
		probe_on host tcp_down "$h" 8080 1000000 | grep -qx equal && probe_on host udp_from "$h" 9000 | grep -q . || return 1
	done
}
traffic() {
	inside a curl -sS -m 60 http://$OUT4/hello &&
		inside a curl -sS -g -m 60 "http://[$OUT6]/hello" &&
		{ inside a curl -s -m 60 http://$OUT4:81/ || [ $? -eq 7 ]; } &&
		inside a ping -q -c 2 -i 0.2 -W 30 $OUT4 && inside a ping -q -c 2 -i 0.2 -W 30 $OUT6 &&
		inside a "$PYTHON" -c '
import socket
for family, host, port in ((socket.AF_INET, "'$OUT4'", 7001), (socket.AF_INET6, "'$OUT6'", 7001),
                           (socket.AF_INET, "10.0.2.3", 53), (socket.AF_INET6, "fd00::3", 53)):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(60)
        s.connect((host, port))
        s.send(b"\1\2\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1\n")
        assert s.recv(512)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(60)
    s.connect(("'$OUT4'", 9))
    s.send(b"x")
    try:
        s.recv(1)
    except ConnectionRefusedError:
        pass
'
}
strace -f -qq -e signal=none -e status=failed -o "$NS_TMP/trace" -p "$w" &
tracer=$!
traced() { [ "$(status "$w" TracerPid)" != '0 ' ]; }
ns_until 20 traced
is 'traced' $? 0
ok 'all kinds of traffic' traffic
ok 'published ports' published
kill -INT $tracer
wait $tracer 2>/dev/null
is 'traffic: no call was refused' "$(grep -c 'EPERM\|EACCES\|SIGSYS' "$NS_TMP/trace")" 0
[ -s "$NS_TMP/trace" ] # EAGAIN, EINPROGRESS and ECONNREFUSED at least
is 'traffic: failing calls were seen at all' $? 0
is 'traffic: it is still the same worker' "$(worker a)" "$w"
is 'traffic: and the limit of its descriptors is its own' \
	"$(awk '/open files/ { print ($4 <= $5 && $4 < 200000) }' "/proc/$w/limits")" 1

box_end a

# --- an outgoing address: bind() goes, for that alone ---

on host ip addr add 198.51.100.77/24 dev eth0
on host ip -6 addr add 2001:db8:1::77/64 dev eth0 nodad
peer() { # HOST
	inside a curl -sS -g -m 60 "http://$1/cgi-bin/peer"
}
box_new a host -6 --sandbox=strict --outbound-addr 198.51.100.77 --outbound-addr6 2001:db8:1::77
is 'outgoing address: TCP' "$(peer $OUT4)" 198.51.100.77
is 'outgoing address: TCP over IPv6' "$(peer "[$OUT6]")" 2001:db8:1::77
ask_udp() {
	inside a "$PYTHON" -c '
import ipaddress, socket, sys
host = sys.argv[1]
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(60)
    s.connect((host, 7001))
    s.send(b"who am I\n")
    seen = ipaddress.ip_address(s.recv(512).split()[0].decode().strip("[]"))
    print(getattr(seen, "ipv4_mapped", None) or seen)' "$1"
}
is 'outgoing address: UDP' "$(ask_udp $OUT4)" 198.51.100.77
is 'outgoing address: UDP over IPv6' "$(ask_udp $OUT6)" 2001:db8:1::77
box_end a
box_new a host -6 --sandbox=strict --outbound-addr=eth0 --outbound-addr6=eth0
is 'outgoing interface: TCP' "$(peer $OUT4)" $HOST4
like 'outgoing interface: TCP over IPv6' "$(peer "[$OUT6]")" '2001:db8:1::*'
box_end a
on host ip addr del 198.51.100.77/24 dev eth0
on host ip -6 addr del 2001:db8:1::77/64 dev eth0

residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

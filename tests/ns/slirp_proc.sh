#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The processes of slirp-lite as an unprivileged user: every form of the target, start and end by every
# way, a worker that dies, the control socket, live resolvers, errors; nothing left behind.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slirp_lib.sh"

host_new host
D=/run/slirp # of the user, on the host
on host sh -c 'mkdir -m 755 "$1" && chown $2:$2 "$1"' sh $D $BOX_UID

# ctr_new: a container without network; its pid in $CTR.
ctr_new() {
	(_box_exec host unshare -Urn sleep 7200) &
	CTR=$!
	box_ctr=$CTR # for `inside`
	NS_SERVERS="$NS_SERVERS $CTR"
	ns_until 20 _box_is_apart "$CTR" host || bail 'no namespace'
}
ctr_end() { unserve "$CTR"; }

# slirp ARGUMENT...: starts it, waits until it is ready; its pid in $SL, what it says in $LOG.
LOG=$NS_TMP/slirp.log
slirp_from() { # USER-COMMAND ARGUMENT...
	rm -f "$NS_TMP/ready"
	mkfifo "$NS_TMP/ready"
	("$@" 9>"$NS_TMP/ready") >"$LOG" 2>&1 </dev/null &
	SL=$!
	NS_SERVERS="$NS_SERVERS $SL"
	READY=$(timeout 60 head -c 1 "$NS_TMP/ready")
}
slirp() { slirp_from _box_exec host "$SLIRP_LITE" -r 9 "$@"; }

# ended: it has ended by itself; its status in $STATUS.
ended() {
	ns_until 20 _gone "$SL" || return 1
	wait "$SL"
	STATUS=$?
	NS_SERVERS=$(_ns_without "$SL" "$NS_SERVERS")
}
_gone() { ! ns_alive "$1"; }
stop() { kill -TERM "$SL" && ended; }
has_tap() { inside ctr ip link show tap0 >/dev/null 2>&1; }
no_tap() { ! has_tap; }
works() { ns_until 20 inside ctr ping -q -c1 -W1 10.0.2.2 >/dev/null 2>&1; }
ask_ctl() { # REQUEST [PATH]
	printf '%s' "$1" | as_user host timeout 60 socat -t60 - "UNIX-CONNECT:${2:-$D/api}"
}
field() { ask_ctl '{"execute":"status"}' | jq -r ".return.$1"; }

snapshot host >"$NS_TMP/before"

# A worker that hangs from here on; whether it was replaced is asked at the end.
ctr_new
HUNG_CTR=$CTR HUNG_LOG=$NS_TMP/hung.log
LOG=$HUNG_LOG slirp -c -a $D/hung "$CTR" tap0
HUNG=$SL
hung() { ask_ctl '{"execute":"status"}' $D/hung | jq -r ".return.$1"; }
HUNG_WORKER=$(hung worker)
kill -STOP "$HUNG_WORKER"
is 'worker stopped: status is answered without it' "$(hung worker) $(hung tcp_flows)" "$HUNG_WORKER null"

# --- what it says about itself ---

help=$(as_user host "$SLIRP_LITE" --help)
is '--help: status' $? 0
for word in --disable-host-loopback --mtu --enable-sandbox --enable-seccomp --cidr --outbound-addr \
	--enable-ipv6 --netns-type --api-socket; do
	case $help in *"$word"*) ;; *) fail "--help names $word" ;; esac
done
version=$(as_user host "$SLIRP_LITE" --version)
like '--version: first line' "$(echo "$version" | head -n 1)" 'slirp-lite version *'
is '--version: the word stands once' "$(echo "$version" | grep -c version)" 1

# --- by pid, configured ---

ctr_new
slirp -c -6 -m 4000 --macaddress 52:54:00:12:34:56 -a $D/api --name test.1 --pcap $D/pcap "$CTR" tap0
is 'pid: ready' "$READY" 1
ok 'pid: the gateway answers' works
is 'pid: IPv4 address' "$(inside ctr ip -o -4 addr show tap0 | awk '{print $4}')" 10.0.2.100/24
is 'pid: IPv6 address' "$(inside ctr ip -o -6 addr show tap0 scope global | awk '{print $4}')" fd00::100/64
is 'pid: no IPv6 address is tentative' "$(inside ctr ip -o -6 addr show tap0 tentative)" ''
like 'pid: default route' "$(inside ctr ip -4 route show default)" 'default via 10.0.2.2 dev tap0*'
like 'pid: IPv6 default route' "$(inside ctr ip -6 route show default)" 'default via fd00::2 dev tap0*'
like 'pid: MTU and MAC' "$(inside ctr ip -o link show tap0)" '*UP*mtu 4000*52:54:00:12:34:56*'
like 'pid: loopback is up' "$(inside ctr ip -o link show lo)" '*UP*'
like 'pid: says the plan' "$(cat "$LOG")" '*\* MTU:*4000*\* Recommended IP:*10.0.2.100*'
is 'status: name' "$(field name)" test.1
is 'status: pid' "$(field pid)" "$SL"
is 'status: worker' "$(field worker)" "$(slirp_ctr=$SL worker ctr)"
is 'status: resolvers' "$(field 'resolvers|join(",")')" 198.51.100.53,2001:db8:1::53
isnt 'status: frames were counted' "$(field counters.frames_in)" null
is 'control: list' "$(ask_ctl '{"execute":"list_hostfwd"}')" '{"return":{"entries":[]},"entries":[]}'
like 'control: ports are refused' "$(ask_ctl '{"execute":"add_hostfwd","arguments":{"proto":"tcp","host_port":1,"guest_port":1}}')" \
	'{"error":{"desc":"bad request: add_hostfwd: slirp_add_hostfwd failed"*'
nok 'control: not for other users' on host setpriv --reuid $((BOX_UID + 1)) --regid $((BOX_UID + 1)) --clear-groups \
	socat -t1 - UNIX-CONNECT:$D/api
is 'pcap: file header' "$(on host head -c 24 $D/pcap | od -An -tx4 | tr -s ' \n' ' ')" \
	' a1b2c3d4 00040002 00000000 00000000 00010040 00000001 '
ns_until 20 sh -c '[ "$(stat -c %s "$1")" -gt 100 ]' sh "/proc/$(ns_pid host)/root$D/pcap"
is 'pcap: frames follow' $? 0

# Idle clients, more than there is room for.
cat >"$NS_TMP/idle.py" <<'P'
import signal, socket, sys
held = [socket.socket(socket.AF_UNIX) for _ in range(80)]
for s in held:
    s.connect(sys.argv[1])
print('there', flush=True)
signal.pause()
P
serve host "$PYTHON" "$NS_TMP/idle.py" $D/api
idle=$SERVED
ns_until 20 grep -q there "$SERVED_LOG" || fail 'idle clients' "$(cat "$SERVED_LOG")"
ok 'control: idle clients hold up no traffic' works
is 'control: nor a request' "$(field name)" test.1

# Resolvers, changed in place (the file is a mount here).
printf 'nameserver 203.0.113.53\n' >"$NS_TMP/host.resolv"
new_resolver() { [ "$(field 'resolvers|join(",")')" = 203.0.113.53 ]; }
ns_until 20 new_resolver
is 'resolv.conf: a change is followed' $? 0
printf 'nameserver 198.51.100.53\nnameserver 2001:db8:1::53\n' >"$NS_TMP/host.resolv"

# --- a worker that dies ---

unserve "$idle"
fds_at_rest() { # without those of clients that are gone
	local n last
	last=''
	while n=$(n_fds "$SL") && [ "$n" != "$last" ]; do
		last=$n
		sleep 1
	done
	echo "$n"
}
fds=$(fds_at_rest)
index=$(inside ctr cat /sys/class/net/tap0/ifindex 2>/dev/null || inside ctr ip -o link show tap0 | cut -d: -f1)
first=$(field worker)
another() { [ "$(field worker)" != "$first" ] && [ "$(field ready)" = true ]; }
ms() { echo $(($(date +%s%N) / 1000000)); }
asking=$(ms)
another
asking=$(($(ms) - asking)) # what it takes to ask is the machine's affair
before=$(ms)
kill -KILL "$first"
ns_until 20 another
is 'worker killed: another one is there' $? 0
took=$(($(ms) - before))
# At once: not when it is found that it does not answer.
ok "worker killed: at once ($took ms, of which it takes $asking to ask)" [ $took -lt $((8000 + 20 * asking)) ]
ok 'worker killed: traffic goes on' works
is 'worker killed: the tap is the same' "$(inside ctr ip -o link show tap0 | cut -d: -f1)" "$index"
has_fds() { [ "$(n_fds "$SL")" = "$fds" ]; }
ns_until 20 has_fds
is 'worker killed: as many descriptors as before' "$(n_fds "$SL")" "$fds"
is 'worker killed: told by status' "$(field restarts)" 1
like 'worker killed: told in the log' "$(cat "$LOG")" '*the worker was ended by signal 9*'
# Those that are there, one after the other: all within a minute, be the machine ever so busy.
i=0
while [ $i -lt 12 ] && ns_alive "$SL"; do
	w=$(slirp_ctr=$SL worker ctr)
	[ -z "$w" ] || kill -KILL "$w" 2>/dev/null
	other() { ! ns_alive "$SL" || { w2=$(slirp_ctr=$SL worker ctr) && [ -n "$w2" ] && [ "$w2" != "$w" ]; }; }
	ns_until 20 other
	i=$((i + 1))
done
ended && pass 'six workers killed: it gives up' || fail 'six workers killed: it gives up'
is 'six workers killed: status' "$STATUS" 1
like 'six workers killed: says why' "$(tail -n 1 "$LOG")" 'slirp-lite: the worker ended 6 times within a minute; *signal 9*'
ok 'six workers killed: the tap is gone' ns_until 20 no_tap
nok 'six workers killed: the control socket is gone' on host test -e $D/api
on host rm -f $D/pcap

# --- ends ---

for sig in TERM INT HUP; do
	# A shell starts what is in the background with SIGINT ignored.
	slirp_from _box_exec host env --default-signal "$SLIRP_LITE" -r 9 -c -a $D/api "$CTR" tap0
	kill -$sig "$SL"
	ended
	is "SIG$sig: status" "$STATUS" 0
	ns_until 20 no_tap
	is "SIG$sig: no tap, no socket" "$? $(on host ls -I hung $D)" '0 '
done
slirp_from _box_exec host env --ignore-signal=HUP --ignore-signal=TERM "$SLIRP_LITE" -r 9 -c "$CTR" tap0
kill -HUP "$SL"
ok 'SIGHUP, ignored by who started it' works
stop
is 'SIGTERM, ignored by who started it: status' "$STATUS" 0
slirp -c -a $D/api "$CTR" tap0
all=$(_descendants "$SL")
is 'zygote, worker and the maker of sockets inside' "$(echo "$all" | wc -l)" 3
kill -KILL "$SL"
ended
none_of() { for p in $all; do ! ns_alive "$p" || return 1; done; }
ns_until 20 none_of
is 'SIGKILL: nobody is left' $? 0
ns_until 20 no_tap
is 'SIGKILL: no tap' $? 0
slirp -c -a $D/api "$CTR" tap0
is 'SIGKILL: its stale socket is no obstacle' "$READY" 1
is 'stop: answer' "$(ask_ctl '{"execute":"stop"}')" '{"return":{}}'
ended
is 'stop: status' "$STATUS" 0
ok 'stop: no tap' ns_until 20 no_tap

mkfifo "$NS_TMP/exit"
sleep 7200 >"$NS_TMP/exit" &
writer=$!
NS_SERVERS="$NS_SERVERS $writer"
exec 8<"$NS_TMP/exit"
slirp -c -e 8 "$CTR" tap0
exec 8<&-
ok 'exit descriptor: works while it is open' works
unserve "$writer"
ended
is 'exit descriptor: its end is the end' "$STATUS" 0
ok 'exit descriptor: no tap' ns_until 20 no_tap

slirp -c "$CTR" tap0
kill -KILL "$CTR"
ended
is 'pid: ends with the process' "$STATUS" 0
wait "$CTR" 2>/dev/null
ctr_new

# --- by path ---

on host sh -c 'touch $1/ns; mount --bind /proc/$2/ns/net $1/ns; ln -s /proc/$2/ns/net $1/link' sh $D "$CTR"
slirp -c --netns-type=path $D/ns tap0
is 'path: ready' "$READY" 1
ok 'path: works' works
on host sh -c 'mkdir $1/m; mount -t tmpfs tmpfs $1/m; umount $1/m; rmdir $1/m' sh $D
sleep 0.1
ok 'path: stays while others mount' ns_alive "$SL"
on host umount $D/ns
ended
is 'path: ends with its unmounting' "$STATUS" 0
ok 'path: no tap' ns_until 20 no_tap
on host mount --bind "/proc/$CTR/ns/net" $D/ns
slirp -c $D/ns tap0
on host unshare -m --propagation private sh -c 'umount $1/ns; rm $1/ns' sh $D
ended
is 'path: ends with its removal from another mount namespace' "$STATUS" 0
slirp -c $D/link tap0
ok 'symbolic link: works' works
on host rm $D/link
ended
is 'symbolic link: ends with its removal' "$STATUS" 0
slirp -c --userns-path="/proc/$CTR/ns/user" --netns-type=path "/proc/$CTR/ns/net" tap0
is 'user namespace by path: ready' "$READY" 1
kill -KILL "$CTR"
ended
is '/proc path: ends with the process' "$STATUS" 0
wait "$CTR" 2>/dev/null
ctr_new

# --- a tap that is there ---

as_user host nsenter -t "$CTR" -U -n --preserve-credentials ip tuntap add name tap0 mode tap
inside ctr sh -c 'ip link set tap0 mtu 1500 up; ip addr add 10.0.2.100/24 dev tap0; ip route add default via 10.0.2.2'
slirp --disable-host-loopback --mtu 1500 "$CTR" tap0
is 'tap made before: ready' "$READY" 1
ok 'tap made before: works' works
busy=$(_box_exec host "$SLIRP_LITE" "$CTR" tap0 2>&1)
like 'tap made before: a second one is refused' "$busy" 'slirp-lite: tap tap0: another program reads it*'
stop
ok 'tap made before: stays' has_tap
inside ctr ip link del tap0

# --- by descriptor ---

cat >"$NS_TMP/tapfd.py" <<'P'
import array, ctypes, fcntl, os, socket, struct, sys
pid, program, *rest = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
a, b = socket.socketpair()
users, net = (os.open(f'/proc/{pid}/ns/{n}', os.O_RDONLY) for n in ('user', 'net'))
if os.fork() == 0:
    for fd, kind in ((users, 0x10000000), (net, 0x40000000)):
        assert libc.setns(fd, kind) == 0
    tap = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', b'tap0', 0x1002))
    socket.send_fds(b, [b'x'], [tap])
    os._exit(0)
os.wait()
tap = socket.recv_fds(a, 1, 1)[1][0]
os.set_inheritable(tap, True)
os.set_inheritable(9, True)
os.execv(program, [program, *rest, '--netns-type=tapfd', str(tap)])
P
slirp_from _box_exec host "$PYTHON" "$NS_TMP/tapfd.py" "$CTR" "$SLIRP_LITE" -r 9
is 'descriptor: ready' "$READY" 1
inside ctr sh -c 'ip link set tap0 up; ip addr add 10.0.2.100/24 dev tap0; ip route add default via 10.0.2.2'
ok 'descriptor: works, without a virtio_net_hdr' works
inside ctr ip link del tap0
ended
is 'descriptor: ends with the interface' "$STATUS" 0
like 'descriptor: says so' "$(cat "$LOG")" '*the interface is gone*'

# --- in the background ---

said=$(as_user host "$SLIRP_LITE" -c -a $D/api --background --log-file $D/log --log-level debug "$CTR" tap0 2>&1)
rc=$? said=$(echo "$said" | grep -v 'debug: sandbox:')
is 'background: returns when it is ready, and closes what it was given' "$rc $said" '0 '
ok 'background: works' works
is 'background: stops by request' "$(ask_ctl '{"execute":"stop"}')" '{"return":{}}'
ns_until 20 no_tap
is 'background: no tap' $? 0
ns_until 20 grep -q 'ended: a request to stop' "/proc/$(ns_pid host)/root$D/log"
like 'background: the log' "$(on host cat $D/log)" '*worker*is ready*ended: a request to stop*'
on host rm -f $D/log
said=$(as_user host "$SLIRP_LITE" -c --background 999999999 tap0 2>&1)
is 'background: an error is told to who started it' "$? $said" '1 slirp-lite: pid 999999999: No such process'

# Ready it is when its byte fits into a pipe that is full; by then nobody waits for it.
cat >"$NS_TMP/abandon.py" <<'P'
import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
try:
    while True:
        os.write(w, bytes(4096))
except BlockingIOError:
    os.set_blocking(w, True)
s = subprocess.Popen(sys.argv[1:2] + ['--background', '-r', str(w)] + sys.argv[2:], pass_fds=[w])
children = f'/proc/{s.pid}/task/{s.pid}/children'
while not (child := open(children).read().split()) and s.poll() is None:
    time.sleep(0.01)
time.sleep(0.3)
s.kill()
s.wait()
os.close(w)
while b := os.read(r, 65536):
    if b.endswith(b'1'):
        break
print('ready', len(child))
P
chmod a+r "$NS_TMP/abandon.py"
is 'background: who waits for it is killed' \
	"$(as_user host "$PYTHON" "$NS_TMP/abandon.py" "$SLIRP_LITE" -c -a $D/api "$CTR" tap0 2>&1)" 'ready 1'
nothing_stays() { no_tap && [ -z "$(on host ls -I hung $D)" ]; }
ok 'background: then it does not stay' ns_until 20 nothing_stays

cat >"$NS_TMP/leak.py" <<'P'
import os, select, subprocess, sys
r, w = os.pipe()
print(subprocess.run(sys.argv[1:], pass_fds=[w]).returncode)
os.close(w)
print(bool(select.select([r], [], [], 30)[0]))
P
chmod a+r "$NS_TMP/leak.py"
is 'background: what the caller left open is closed' \
	"$(as_user host "$PYTHON" "$NS_TMP/leak.py" "$SLIRP_LITE" --background -c -a $D/api "$CTR" tap0 2>&1 | tr '\n' ' ')" '0 True '
ok 'background: works all the same' works
is 'background: ends' "$(ask_ctl '{"execute":"stop"}')" '{"return":{}}'
ns_until 20 no_tap

# --- less than usual ---

slirp -c --sandbox=off "$CTR" tap0
ok '--sandbox=off: works' works
stop
if [ -z "${NETNS_UP_WITHOUT:-}" ]; then
	slirp -c --sandbox=strict "$CTR" tap0
	ok '--sandbox=strict: works' works
	stop
fi
for without in landlock landlock-net landlock-scope linux-6.1; do
	slirp_from _box_exec host env NETNS_UP_WITHOUT=$without "$SLIRP_LITE" -r 9 -c "$CTR" tap0
	ok "without $without: works" works
	stop
done
said=$(as_user host env NETNS_UP_WITHOUT=landlock-net "$SLIRP_LITE" --sandbox=strict "$CTR" tap0 2>&1)
like 'without landlock-net: strict refuses' "$? $said" "1 slirp-lite: --sandbox=strict: this kernel's Landlock knows no TCP ports"
# Its reason is not lost in the race between its last words and the first request to it.
strict() { as_user host env NETNS_UP_WITHOUT=landlock-net "$SLIRP_LITE" --sandbox=strict "$CTR" tap0 2>&1; }
n=0
while [ $n -lt 20 ]; do
	case $(strict) in *'Landlock knows no TCP ports'*) n=$((n + 1)) ;; *) break ;; esac
done
is 'strict says why, every time' $n 20
# As root of a user namespace with one user and without namespaces below it.
nested() { slirp_from _box_exec host nsenter -t "$CTR" -U --preserve-credentials -- \
	"$SLIRP_LITE" -r 9 -c "$@" "/proc/$CTR/ns/net" tap0; }
as_user host nsenter -t "$CTR" -U --preserve-credentials sh -c 'echo 0 >/proc/sys/user/max_user_namespaces'
nested
is 'no user namespaces: ready' "$READY" 1
ok 'no user namespaces: works' works
w=$(slirp_ctr=$SL worker ctr)
is 'no user namespaces: the rest of the sandbox stands' \
	"$(sed -nE 's/^(CapEff|CapBnd|NoNewPrivs|Seccomp):\s+0*//p' "/proc/$w/status" | tr '\n' ' ')" '  1 2 '
stop
nested --sandbox=strict
ended
is 'no user namespaces: strict refuses' "$STATUS" 1
ctr_end
ctr_new
# As root of the host, for a namespace of its own.
slirp_from on host "$SLIRP_LITE" -r 9 -c "$CTR" tap0
ok 'as root: works' works
w=$(slirp_ctr=$(_descendants "$SL" | head -n 1) worker ctr)
[ -n "$w" ] || w=$(slirp_ctr=$SL worker ctr)
is 'as root: the worker is nobody' "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$w/status")" '65534 65534 65534 65534'
kill -TERM "$(awk '/^PPid:/ { print $2 }' "/proc/$(awk '/^PPid:/ { print $2 }' "/proc/$w/status")/status")"
ended
is 'as root: ends' "$STATUS" 0

# --- errors: one line, status 1, nothing left ---

on host touch $D/file
refused() { # DESCRIPTION PATTERN ARGUMENT...
	local what want out rc
	what=$1 want=$2
	shift 2
	out=$(as_user host timeout 60 "$SLIRP_LITE" "$@" 2>&1)
	rc=$?
	if [ $rc -ne 1 ] || [ "$(echo "$out" | wc -l)" -ne 1 ]; then
		fail "refused: $what" "status $rc: $out"
		return
	fi
	like "refused: $what" "$out" "slirp-lite: $want"
}
refused 'no target' 'expected PID*'
refused 'an unknown option' '--nonsense: *' --nonsense 1
refused 'an MTU' '-m: *' -m 70000 "$CTR"
refused 'a descriptor that is not open' '--exit-fd: *' --exit-fd 77 "$CTR"
refused 'no such process' '*999999999*' -c 999999999
refused 'no such path' '*/none*' -c $D/none
refused 'a file that is no namespace' '*file*not a network namespace*' -c $D/file
refused 'a user namespace' '*not a network namespace*' -c "/proc/$CTR/ns/user"
refused 'a descriptor that is no tap' 'FD: *' --netns-type=tapfd 0
refused "root's namespace" '*' -c "$(ns_pid host)"
refused 'its own namespace' '*that slirp-lite runs in*' -c /proc/self/ns/net
refused 'an outgoing address of others' '--outbound-addr: *' -c --outbound-addr 192.0.2.77 "$CTR"
refused 'an outgoing interface that is not there' '--outbound-addr: *' -c --outbound-addr nonesuch "$CTR"
refused 'a capture file that cannot be' '--pcap: *' -c --pcap /none/x "$CTR"
refused 'a control socket that cannot be' '--api-socket: *' -c -a /none/x "$CTR"
refused 'a control socket over a file' '--api-socket: *' -c -a $D/file "$CTR"
refused 'a user namespace that is none' '--userns-path: *' -c --userns-path $D/file --netns-type=path "/proc/$CTR/ns/net"
refused 'a name that is taken by no tap' '*' -c -a $D/api "$CTR" lo
inside ctr ip link add veth0 type veth peer name veth1
refused 'an interface that is no tap' 'veth0: *' -c -a $D/api "$CTR" veth0
inside ctr ip link del veth0
is 'refused: nothing is left' "$(on host ls -I hung $D) $(inside ctr ip -o link show | wc -l)" 'file 1'
on host rm $D/file
on host unshare -m --propagation private sh -c 'mount -t tmpfs -o mode=755 tmpfs /dev/net
	mknod -m 0600 /dev/net/tun c 10 200
	exec setpriv --reuid $1 --regid $1 --clear-groups "$2" -c "$3" tap0' sh $BOX_UID "$SLIRP_LITE" "$CTR" \
	>"$NS_TMP/out" 2>&1
is 'refused: /dev/net/tun is not for everybody: status' $? 1
like 'refused: /dev/net/tun is not for everybody' "$(cat "$NS_TMP/out")" 'slirp-lite: /dev/net/tun (its mode*'

# --- a worker that closes its channel and stays ---

cp "$SLIRP_STANDIN" "$NS_TMP/standin" || bail 'SLIRP_STANDIN names no program'
slirp_from _box_exec host env STANDIN=deaf "$NS_TMP/standin" -r 9 -c -a $D/api "$CTR" tap0
deaf=$(field worker)
ask_ctl '{"execute":"publish","arguments":{"ports":["8080:80"]}}' >"$NS_TMP/out" &
_is_ended() { ! ns_alive "$deaf"; }
ok 'worker deaf: it is ended' ns_until 20 _is_ended
# So is each that takes its place, when it hears of the port.
ok 'worker deaf: not for ever' ended
is 'worker deaf: status' $STATUS 1
like 'worker deaf: told in the log' "$(cat "$LOG")" '*ended 6 times within a minute; the last one was ended by signal 9*'

# --- the worker that hung ---

replaced() { [ "$(hung restarts)" = 1 ] && [ "$(hung ready)" = true ]; }
ok 'worker stopped: another one is there' ns_until 25 replaced
isnt 'worker stopped: it is another one' "$(hung worker)" "$HUNG_WORKER"
nok 'worker stopped: it is gone' ns_alive "$HUNG_WORKER"
like 'worker stopped: told in the log' "$(cat "$HUNG_LOG")" '*the worker does not answer*the worker was ended by signal 9*'
hung_works() { box_hung=$HUNG_CTR inside hung ping -q -c1 -W1 10.0.2.2 >/dev/null 2>&1; }
ok 'worker stopped: traffic goes on' ns_until 20 hung_works
hung_ends() { ! ns_alive "$HUNG"; }
unserve "$HUNG_CTR"
ok 'worker stopped: it ends with its container' ns_until 20 hung_ends

ctr_end
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

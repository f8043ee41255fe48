#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first packet after `up` passes at once: over many attachments, both families, in both modes. One that is lost
# comes again after a second, which the kernel counts; how long a connection took tells nothing on a busy machine.
. "$(dirname "$0")/lib.sh"
N=${1:-$((500 / ${SWEEP_EVERY:-1}))} # containers in each mode; fewer where a machine starts programs slowly

ns_world
on host sh -c 'mkdir -p /run/netns && mount --bind /run/netns /run/netns && mount --make-shared /run/netns'
cat >"$NS_TMP/first.py" <<'P'
import os, socket, struct, subprocess, sys, time
nu, n, mode, out4, out6 = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
libc = __import__('ctypes').CDLL(None, use_errno=True)
def again(s): # segments of this connection that were sent again
    return struct.unpack_from('I', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0] # tcpi_total_retrans
me = os.open('/proc/self/ns/net', os.O_RDONLY)
subprocess.run([nu, 'network', 'create', 'f', '--mode', mode, '-q'], check=True)
subprocess.run(['ip', 'netns', 'add', 'anchor'], check=True)
subprocess.run([nu, 'up', 'anchor', '--network', 'f', '-q'], check=True)
times, lost = [], 0
for i in range(n):
    subprocess.run(['ip', 'netns', 'add', 't'], check=True)
    fd = os.open('/run/netns/t', os.O_RDONLY)
    libc.setns(fd, 0x40000000)
    s4 = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    libc.setns(me, 0x40000000)
    # The host picks the port that the server sees, and a connection that the server still had of it, of a container
    # that is gone, is answered with a challenge, and the SYN sent again: each ends with a reset, and is forgotten.
    for s in (s4, s6):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    os.close(fd)
    subprocess.run([nu, 'up', 't', '--network', 'f', '-q'], check=True)
    for s, a in ((s4, out4), (s6, out6)):
        s.settimeout(60)
        t = time.monotonic()
        s.connect((a, 7000))
        t = time.monotonic() - t
        times.append(t)
        lost += again(s) > 0
        s.close()
    subprocess.run([nu, 'down', 't', '-q'], check=True)
    subprocess.run(['ip', 'netns', 'delete', 't'], check=True)
subprocess.run([nu, 'down', 'anchor', '-q'], check=True)
subprocess.run(['ip', 'netns', 'delete', 'anchor'], check=True)
subprocess.run([nu, 'network', 'rm', 'f'], check=True)
times.sort()
over = sum(t > 0.05 for t in times)
print(f'first packet, {mode}: median {times[len(times)//2]*1e3:.2f} ms, max {times[-1]*1e3:.2f} ms, '
      f'{over} over 50 ms, {lost} lost of {len(times)}')
sys.exit(lost != 0)
P
serve_peer out tcp 7000
snapshot host >"$NS_TMP/before"
for mode in bridge routed; do
	ok "$mode: no first packet of $N containers is lost" on host python3 "$NS_TMP/first.py" "$NETNS_UP" "$N" $mode $OUT4 $OUT6
	note "$(cat "$NS_TMP/ok.out")"
	residue host "$NS_TMP/before" "$mode: nothing is left"
done
ns_done

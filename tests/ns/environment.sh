#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Strange surroundings of the process: descriptors, limits, umask, directory, environment, signals, a full
# state directory. Each time: up and down work, or up says why not and leaves nothing.
. "$(dirname "$0")/lib.sh"

ns_world
container_new c1 host
pid=$(ns_pid c1)
snapshot host >"$NS_TMP/before"
cat >"$NS_TMP/odd.py" <<'P'
import os, resource, signal, subprocess, sys
kind, nu, verb = sys.argv[1], sys.argv[2], sys.argv[3:]
def prepare():
    if kind == 'fds':
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        for _ in range(1500):
            os.set_inheritable(os.open('/dev/null', os.O_RDONLY), True)
    elif kind == 'nofile16':
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    elif kind == 'nofile32':
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    elif kind == 'closed':
        for fd in (0, 1, 2):
            os.close(fd)
    elif kind == 'umask':
        os.umask(0o777)
    elif kind == 'cwd':
        os.mkdir('/run/gone'); os.chdir('/run/gone'); os.rmdir('/run/gone')
    elif kind == 'sigpipe':
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    elif kind == 'fsize':
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    elif kind == 'nproc':
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
env = {} if kind == 'env' else None
sys.exit(subprocess.run([nu] + verb, env=env, close_fds=False, preexec_fn=prepare).returncode)
P
odd() { # KIND VERB...
	on host python3 "$NS_TMP/odd.py" "$1" "$NETNS_UP" "$2" "$3" -q ${4:+-p "$4"}
}
for kind in fds closed umask cwd env sigpipe nproc nofile32; do
	ok "$kind: up" odd $kind up "$pid" 8080:80
	[ $kind = nofile32 ] || ok "$kind: it works" on c1 ping -q -c1 -W10 $OUT4
	ok "$kind: healthy" on host "$NETNS_UP" check "$pid"
	ok "$kind: down" odd $kind down "$pid"
	residue host "$NS_TMP/before" "$kind: nothing is left"
done
# Too little to work with: a plain error, and nothing left.
for kind in nofile16 fsize; do
	err=$(odd $kind up "$pid" 8080:80 2>&1) # through a pipe: no file takes a byte
	rc=$?
	ok "$kind: up works, or says why not" \
		sh -c '[ "$1" -eq 0 ] || { [ "$1" -lt 126 ] && [ -n "$2" ]; }' sh $rc "$err"
	note "exit $rc: $err"
	[ $rc -ne 0 ] || on host "$NETNS_UP" down "$pid" -q
	residue host "$NS_TMP/before" "$kind: nothing is left"
done

# The state directory runs full while containers are up: down works all the same.
on host mkdir /run/small
on host mount -t tmpfs -o size=64k,nr_inodes=64 tmpfs /run/small
snapshot host >"$NS_TMP/before"
i=0 up=0
while [ $i -lt 20 ]; do
	container_new "s$i" host
	if on host "$NETNS_UP" up "$(ns_pid "s$i")" --name "s$i" -p $((8100 + i)):80 -q --state-dir /run/small/s 2>"$NS_TMP/err"; then
		up=$((up + 1))
	else
		break
	fi
	i=$((i + 1))
done
ok "$up fit" [ $up -gt 1 ]
ok 'the next one does not, and says why' grep -q 'No space' "$NS_TMP/err"
is 'it left nothing' "$(on host "$NETNS_UP" ls --state-dir /run/small/s | grep -c default)" $up
ok 'down while it is full' on host "$NETNS_UP" down s0 --state-dir /run/small/s
ok 'then there is room again' on host "$NETNS_UP" up "$(ns_pid "s$i")" --name "s$i" -q --state-dir /run/small/s
k=1
while [ $k -le $i ]; do
	on host "$NETNS_UP" down "s$k" -q --state-dir /run/small/s || fail "down s$k"
	k=$((k + 1))
done
residue host "$NS_TMP/before" 'nothing is left of them'
ns_done

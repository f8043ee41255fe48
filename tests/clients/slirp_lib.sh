# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# slirp_lib.sh: what the tests with real clients of slirp4netns share: a host on which an ordinary user has
# subordinate ids and a runtime directory, and our program under the name that they call.
. "$(dirname "$0")/../ns/lib.sh"

[ -x "${SLIRP_LITE:-}" ] || bail 'SLIRP_LITE names no program'
CLIENT_UID=$NS_UID
ln -s "$(basename "$SLIRP_LITE")" "$(dirname "$SLIRP_LITE")/slirp4netns"
S4=$(dirname "$SLIRP_LITE")/slirp4netns
RUNTIME=/run/user/$CLIENT_UID
PYTHON=/usr/bin/python3 # one that an ordinary user may run
[ -x "$PYTHON" ] || PYTHON=$(command -v python3)

# client_world: `host`, where the user is at home, and `out`.
client_world() {
	ns_world
	printf 'client:x:%s:%s::%s/home:/bin/sh\n' $CLIENT_UID $CLIENT_UID "$RUNTIME" |
		cat /etc/passwd - >"$NS_TMP/passwd"
	printf 'client:700000000:65536\n' >"$NS_TMP/subids"
	on host sh -c '
		set -e
		mount -n --bind "$1/passwd" /etc/passwd
		for f in /etc/subuid /etc/subgid; do [ -e $f ]; mount -n --bind "$1/subids" $f; done
		echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
		mkdir -p -m 755 /run/user
		mkdir -m 700 "$3" "$3/home"
		chown $2:$2 "$3" "$3/home"' sh "$NS_TMP" $CLIENT_UID "$RUNTIME" || bail 'cannot prepare the host'
}

# The user's environment, and nothing of the machine's. The test's files may lie where he cannot go.
_client_env() {
	echo "cd / && exec nsenter -t $(ns_pid host) -n -m --wdns=/ -- setpriv --reuid $CLIENT_UID --regid $CLIENT_UID \
		--clear-groups --inh-caps=-all $* env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=$RUNTIME/home USER=client XDG_RUNTIME_DIR=$RUNTIME $NS_MARK ${CLIENT_ENV:-}"
}
client() { (eval "$(_client_env) \"\$@\""); } # CMD...
client_serve() { # CMD...: in the background; as `serve`
	_ns_log
	(eval "$(_client_env --pdeathsig KILL) \"\$@\"") >"$SERVED_LOG" 2>&1 </dev/null &
	SERVED=$!
	NS_SERVERS="$NS_SERVERS $SERVED"
}

# n_slirp: how many processes of slirp-lite this test has.
n_slirp() {
	local p n
	n=0
	for p in $(_ns_strays); do
		case $(readlink "/proc/$p/exe") in */slirp-lite) n=$((n + 1)) ;; esac
	done
	echo $n
}
no_slirp() { [ "$(n_slirp)" -eq 0 ]; }

# PEER: a server of TCP and UDP on a port, both families where there are two, that says who asks.
cat >"$NS_TMP/peer.py" <<'P'
import socket, sys
import select
port = int(sys.argv[1])
family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
any = '::' if family == socket.AF_INET6 else ''
t = socket.create_server((any, port), family=family, dualstack_ipv6=family == socket.AF_INET6)
u = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind((any, port))
print('listening', flush=True)
while True:
    for s in select.select([t, u], [], [])[0]:
        if s is t:
            c, peer = t.accept()
            c.sendall(peer[0].replace('::ffff:', '').encode())
            c.close()
        else:
            _, peer = u.recvfrom(2048)
            u.sendto(peer[0].replace('::ffff:', '').encode(), peer)
P
cat >"$NS_TMP/ask.py" <<'P'
import socket, sys
proto, host, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in host else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM) as s:
    s.settimeout(60)
    try:
        s.connect((host, int(port)))
        s.send(b"who am I\n")
        print(s.recv(256).decode().split()[0])
    except OSError as e:
        print(e.strerror or e)
P
chmod a+r "$NS_TMP"/*.py
who() { # HOST tcp|udp ADDRESS PORT: the address that a client on HOST has for the server
	on "$1" "$PYTHON" "$NS_TMP/ask.py" "$2" "$3" "$4"
}
page() { # HOST ADDRESS:PORT PATH
	on "$1" curl -sS --connect-timeout 10 -m 60 "http://$2/$3" 2>&1
}

# client_root: makes $root, the root of the user's containers, his own, with a web server in it that says who asks.
client_root() {
	local name
	root=$NS_TMP/root
	mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/etc" "$root/run" "$root/tmp" "$root/www/cgi-bin"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in sh httpd sleep ip wget nc; do
		ln -s busybox "$root/bin/$name"
	done
	echo hello >"$root/www/hello"
	cat >"$root/www/cgi-bin/peer" <<'P'
#!/bin/sh
a=${REMOTE_ADDR#[}
a=${a%]}
printf 'Content-Type: text/plain\r\n\r\n%s\n' "${a#::ffff:}"
P
	cat >"$root/bin/serve" <<'P'
#!/bin/sh
exec httpd -f -p 80 -h /www
P
	chmod 755 "$root/www/cgi-bin/peer" "$root/bin/serve"
	chown -R $CLIENT_UID:$CLIENT_UID "$root"
}

# udp_peer PID: a server of datagrams in the container of PID on port 90, which busybox has not; UDP_SERVER is its pid.
udp_peer() {
	(exec nsenter -t "$1" -n -- setpriv --pdeathsig KILL env "$NS_MARK" "$PYTHON" "$NS_TMP/peer.py" 90) >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	UDP_SERVER=$!
	ns_until 20 nsenter -t "$1" -n sh -c 'ss -Hlnu "sport = 90" | grep -q .' || fail 'no server of datagrams'
}

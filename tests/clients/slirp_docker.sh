#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# docker of an ordinary user (dockerd-rootless.sh, as its package has it) with slirp-lite in the place of
# slirp4netns, found as docker finds it: by that name in PATH. Both port drivers, TCP and UDP, the client's address,
# what a container reaches and what not, the names of a network of docker's, and nothing left.
# DOCKER_DIR: where the package was unpacked; installing it would start a daemon of the machine's.
. "$(dirname "$0")/slirp_lib.sh"

# The clone may lie where root alone goes, as in /root; these mounts are the test's own.
mount -n --bind "$DOCKER_DIR" /mnt || bail "cannot show $DOCKER_DIR"
DOCKER_DIR=/mnt
dockerd=$DOCKER_DIR/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -f "$dockerd" ] || bail "the package docker.io is not in $DOCKER_DIR: ./dev check puts it there"
client_world
serve_peer out tcp 7000 4
serve host socat TCP-LISTEN:7007,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo secret'
wait_port host tcp 7007
client_root
tar --owner=0 --group=0 -C "$root" -cf "$NS_TMP/image.tar" .
chmod a+r "$NS_TMP/image.tar"
on host sh -c 'mount -n -t cgroup2 none /sys/fs/cgroup' || bail 'cannot prepare the host'
mkdir "$NS_TMP/docker"
chown $CLIENT_UID:$CLIENT_UID "$NS_TMP/docker"
paths=$(dirname "$S4"):$DOCKER_DIR/usr/sbin:$DOCKER_DIR/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin
docker() { client timeout 300 env DOCKER_HOST="unix://$RUNTIME/docker.sock" "$DOCKER_DIR/usr/bin/docker" "$@" 2>&1; }
answers() { docker version >/dev/null; }
asks() { # CONTAINER ADDRESS PORT: what is said there first
	docker exec "$1" sh -c 'echo | nc -w 20 "$1" "$2" 2>&1' sh "$2" "$3" | cut -d' ' -f1
}
kit() { # the process that holds it all: rootlesskit, and not the part of it that runs inside
	local p
	for p in $(_ns_strays); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != rootlesskit ] ||
			[ "$(ps -o comm= -p "$(ps -o ppid= -p "$p" | tr -d ' ')")" = rootlesskit ] || echo "$p"
	done
}
no_kit() { [ -z "$(kit)" ]; }
snapshot host >"$NS_TMP/before"

for driver in builtin slirp4netns; do
	client_serve env PATH="$paths" DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=$driver sh "$dockerd" \
		--storage-driver vfs --data-root "$NS_TMP/docker"
	daemon=$SERVED
	ns_until 60 answers || bail "$driver: dockerd: $(tail -n 20 "$SERVED_LOG")"
	pass "$driver: dockerd answers"
	is "$driver: the way out is slirp-lite's" "$([ "$(n_slirp)" -gt 0 ] && echo yes)" yes
	like "$driver: an image" "$(docker import "$NS_TMP/image.tar" i)" 'sha256:*'
	ok "$driver: run" docker run -d --name c1 -p 8080:80 -p 8081:90/udp i serve
	udp_peer "$(docker inspect -f '{{.State.Pid}}' c1)"
	is "$driver: a published port" "$(page out $HOST4:8080 hello)" hello
	case $driver in
	slirp4netns)
		is "$driver: a remote client comes with its own address" "$(page out $HOST4:8080 cgi-bin/peer)" "$OUT4"
		is "$driver: UDP: with its own address too" "$(who out udp $HOST4 8081)" "$OUT4"
		;;
	builtin) # rootlesskit takes the connection, and docker's network masquerades it
		is "$driver: a client as docker shows it" "$(page out $HOST4:8080 cgi-bin/peer)" 172.17.0.1
		is "$driver: UDP" "$(who out udp $HOST4 8081)" 172.17.0.1
		;;
	esac
	is "$driver: one of the host" "$(page host 127.0.0.1:8080 hello)" hello
	is "$driver: it reaches the outside" "$(asks c1 $OUT4 7000)" "$HOST4"
	for a in 10.0.2.2 172.17.0.1 127.0.0.1; do
		is "$driver: the host's loopback, not by $a" "$(asks c1 $a 7007)" 'nc:'
	done
	like "$driver: a port is published once" "$(docker run -d --name c2 -p 8080:80 i serve)" '*Error*'
	docker rm -f c2 >/dev/null
	is "$driver: its owner keeps it" "$(page out $HOST4:8080 hello)" hello
	unserve $UDP_SERVER
	docker network create n >/dev/null
	ok "$driver: a network of docker's" docker run -d --name c3 --network n i serve
	is "$driver: its names" "$(docker run --rm --network n i wget -q -O - http://c3/hello)" hello
	docker rm -f c1 c3 >/dev/null
	docker network rm n >/dev/null
	is "$driver: the port is free" "$(page out $HOST4:8080 hello | grep -c 'Failed to connect')" 1
	kill -TERM "$(kit)"
	ok "$driver: dockerd ends" ns_until 60 no_kit
	unserve "$daemon"
	ok "$driver: and slirp-lite with it" ns_until 20 no_slirp
done
on host sh -c 'rm -rf "$1"/docker* "$1/home/.config"' sh "$RUNTIME" # docker's own
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

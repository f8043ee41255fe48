#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# podman 4 of an ordinary user, and root's, with slirp-lite in the place of slirp4netns (network_cmd_path): both
# port handlers, TCP and UDP, the client's address, restarts without a pause, what the container reaches and
# what not, and nothing left.
. "$(dirname "$0")/slirp_lib.sh"

client_world
serve_peer out tcp 7000 4
serve host socat TCP-LISTEN:7007,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo secret'
wait_port host tcp 7007
client_root
cat >"$NS_TMP/containers.conf" <<END
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
network_cmd_path = "$S4"
END
on host sh -c 'mount -n -t cgroup2 none /sys/fs/cgroup && mount -n -t tmpfs -o mode=755 tmpfs /var/lib' ||
	bail 'cannot prepare the host'
CLIENT_ENV="CONTAINERS_CONF=$NS_TMP/containers.conf"
podman() { client timeout 300 podman --storage-driver vfs "$@"; }
rootful() { on host timeout 300 env $CLIENT_ENV podman --storage-driver vfs "$@"; }
# Limits are kept as they are: raising them needs a capability of its own.
OPTIONS='--cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024'
reads() { # CONTAINER ADDRESS:PORT: what it says first
	podman exec "$1" sh -c 'echo | nc -w 20 "$1" "$2" 2>&1' sh "${2%:*}" "${2##*:}"
}
start_again() { podman start c1 >"$NS_TMP/restart" 2>&1; }
restart() { # the port of slirp-lite is free at once; podman's own rootlessport takes its time on a busy machine
	podman restart -t 0 c1 >"$NS_TMP/restart" 2>&1 && return
	case $handler-$(cat "$NS_TMP/restart") in
	rootlesskit-*'rootlessport listen'*'address already in use'*) ns_until 20 start_again ;;
	*) false ;;
	esac
}
free_ports() { [ -z "$(on host ss -Hlntu 'sport = :8080 or sport = :8081')" ]; }

like 'podman info names it' "$(podman info)" "*slirp4netns version [0-9]*"
for handler in slirp4netns rootlesskit; do
	# shellcheck disable=SC2086 # a list
	ok "$handler: run" podman run -d --name c1 --network slirp4netns:port_handler=$handler $OPTIONS \
		-p 8080:80 -p 8081:90/udp --rootfs "$root" serve
	is "$handler: podman port" "$(podman port c1 | sort | tr '\n' ' ')" '80/tcp -> 0.0.0.0:8080 90/udp -> 0.0.0.0:8081 '
	is "$handler: a published port" "$(page out $HOST4:8080 hello)" hello
	udp_peer "$(podman inspect -f '{{.State.Pid}}' c1)"
	case $handler in
	slirp4netns)
		is 'a remote client comes with its own address' "$(page out $HOST4:8080 cgi-bin/peer)" "$OUT4"
		is 'one of the host as the gateway' "$(page host 127.0.0.1:8080 cgi-bin/peer)" 10.0.2.2
		is 'UDP: with its own address too' "$(who out udp $HOST4 8081)" "$OUT4"
		;;
	*) is "$handler: UDP, as itself" "$(who out udp $HOST4 8081)" 10.0.2.100 ;;
	esac
	is "$handler: it reaches the outside" "$(reads c1 $OUT4:7000 | cut -d' ' -f1)" "$HOST4"
	for a in 10.0.2.2 127.0.0.1 fd00::2 ::1; do
		case $(reads c1 $a:7007) in *secret*) fail "$handler: the host's loopback at $a" ;; esac
	done
	# shellcheck disable=SC2086 # a list
	said=$(podman run -d --name c2 --network slirp4netns:port_handler=$handler \
		$OPTIONS -p 8080:80 --rootfs "$root" serve 2>&1)
	like "$handler: a port is published once" "$? $said" '12[56] *Error:*'
	podman rm -f -t 0 c2 >/dev/null 2>&1
	unserve $UDP_SERVER
	is "$handler: its owner keeps it" "$(page out $HOST4:8080 hello)" hello
	n=0
	while [ $n -lt 20 ] && restart; do
		n=$((n + 1))
	done
	is "$handler: twenty restarts" "$n $(cat "$NS_TMP/restart")" '20 c1'
	is "$handler: served again" "$(ns_until 20 page out $HOST4:8080 hello | tail -n 1)" hello
	podman stop -t 0 c1 >/dev/null
	ok "$handler: stopped: the ports are free" ns_until 20 free_ports
	ok "$handler: and slirp-lite is gone" ns_until 20 no_slirp
	podman rm -f -t 0 c1 >/dev/null
	is "$handler: no socket is left" "$(on host find "$RUNTIME/libpod" "$RUNTIME/netns" -name '*.net' -o -name 'netns-*')" ''
done

# shellcheck disable=SC2086 # a list
ok 'a network of containers, rootless' podman run -d --name b1 --network slirp4netns:cidr=10.9.0.0/24,enable_ipv6=false,mtu=1000 \
	$OPTIONS --rootfs "$root" serve
like 'with addresses of its own' "$(podman exec b1 ip -o -4 addr show tap0)" '*10.9.0.100/24*'
like 'and an MTU' "$(podman exec b1 ip -o link show tap0)" '*mtu 1000*'
podman rm -f -t 0 b1 >/dev/null
# shellcheck disable=SC2086 # a list
ok 'as root' rootful run -d --name r1 --network slirp4netns $OPTIONS -p 8080:80 --rootfs "$root" serve
is 'as root: the published port' "$(page out $HOST4:8080 hello)" hello
rootful rm -f -t 0 r1 >/dev/null
ok 'as root: slirp-lite ends' ns_until 20 no_slirp
for p in $(_ns_strays); do # podman's own, which holds its namespaces
	! grep -q '^podman' "/proc/$p/comm" || kill -KILL "$p"
done
no_process() { [ -z "$(_ns_processes)" ]; }
ok 'no process is left' ns_until 20 no_process
ns_done

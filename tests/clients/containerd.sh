#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# containerd's `ctr run --cni` with an image made on the spot. ctr passes no published ports, so the conflist
# carries them, with the keys that containerd uses; ctr asks for DEL when its container has ended.
. "$(dirname "$0")/lib.sh"
TYPES=${1:-bridge portmap firewall tuning}

ns_world
client_host host
case $TYPES in
*portmap*) CONFLIST_PORTS='"runtimeConfig":{"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":""}]},' ;;
*) CONFLIST_MORE='"runtimeConfig":{"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":""}]},' ;;
esac
# shellcheck disable=SC2086 # a list
conflist "$NS_TMP/web.conflist" $TYPES
on host sh -c 'cp -a "$1"/* /opt/cni/bin/; cp "$2" /etc/cni/net.d/10-web.conflist' sh "$PLUGINS" "$NS_TMP/web.conflist"
rootfs "$NS_TMP/root"
python3 -B "$(dirname "$0")/image.py" "$NS_TMP/root" "$NS_TMP/image.tar" local/box:1 /bin/httpd -f -p 80 -h /www
cat >"$NS_TMP/containerd.toml" <<'END'
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
	"io.containerd.snapshotter.v1.overlayfs", "io.containerd.internal.v1.opt"]
END
ctr() { on host timeout 200 ctr -a /run/containerd/containerd.sock "$@"; }
running() { ctr task ls 2>/dev/null | grep -q "^$1 .*RUNNING"; }
ended() { ! running "$1"; }

serve host containerd -c "$NS_TMP/containerd.toml"
DAEMON_LOG=$SERVED_LOG
ok 'containerd starts' ns_until 20 ctr version
ok 'it takes the image' ctr image import --snapshotter native --base-name local/box "$NS_TMP/image.tar"
snapshot host >"$NS_TMP/before"

for turn in 1 2; do
	# Limits of the cgroup are not the subject, and controllers differ from machine to machine.
	serve host ctr -a /run/containerd/containerd.sock run --cni --cgroup '' --cpu-shares 0 --snapshotter native \
		local/box:1 c$turn
	client=$SERVED client_log=$SERVED_LOG
	ok "ctr run --cni, turn $turn" ns_until 20 running c$turn
	is 'the published port answers another host' "$(ns_until 20 http out http://$HOST4:8080/hello)" hello
	is 'over IPv6 too' "$(http out "http://[$HOST6]:8080/hello")" hello
	is 'and the host itself' "$(http host http://127.0.0.1:8080/hello)" hello
	isnt 'the container is known' "$(traces host default-c$turn)" ''
	ctr task kill -s KILL c$turn >/dev/null 2>&1
	ok 'it ends' ns_until 20 ended c$turn
	ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null || grep -q "^State:.[ZX]" "/proc/$1/status"' sh "$client"
	wait "$client" 2>/dev/null
	[ $turn = 1 ] || cat "$client_log"
	ctr container rm c$turn >/dev/null 2>&1
	is 'nothing of it is left' "$(traces host default-c$turn 203.0.113.2)" ''
done
note "$(grep -c . "$DAEMON_LOG") lines of containerd's log"
ns_done

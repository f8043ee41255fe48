#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A real OCI runtime: create, netns-up PID, start. Once with crun, once with runc.
. "$(dirname "$0")/lib.sh"

nu() { on host "$NETNS_UP" "$@"; }

bundle() { # DIR
	mkdir -p "$1/rootfs/bin" "$1/rootfs/proc" "$1/rootfs/www" "$1/rootfs/sys" "$1/rootfs/dev"
	cp "$(command -v busybox)" "$1/rootfs/bin/busybox"
	echo 'hello from a container' >"$1/rootfs/www/hello"
	cat >"$1/config.json" <<'J'
{ "ociVersion": "1.0.2",
  "process": { "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"],
    "args": ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"],
    "capabilities": {"bounding": ["CAP_NET_BIND_SERVICE"], "effective": ["CAP_NET_BIND_SERVICE"], "permitted": ["CAP_NET_BIND_SERVICE"]} },
  "root": {"path": "rootfs", "readonly": false},
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
  "linux": { "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}] } }
J
}

ns_world
on host mkdir /run/oci
on host mount -t cgroup2 none /sys/fs/cgroup
snapshot host >"$NS_TMP/before"
for rt in crun runc; do
	command -v $rt >/dev/null || { fail "$rt is installed"; continue; }
	bundle "$NS_TMP/$rt"
	# Cgroups are the machine's: a runtime that must not touch them gets none.
	opts="--root /run/oci"
	[ $rt = runc ] || opts="$opts --cgroup-manager=disabled"
	# shellcheck disable=SC2086
	ok "$rt create" on host $rt $opts create --bundle "$NS_TMP/$rt" --pid-file "/run/$rt.pid" "box$rt" </dev/null
	pid=$(on host cat "/run/$rt.pid")
	ok "$rt: netns-up $pid" nu "$pid" -p 8080:80
	# shellcheck disable=SC2086
	ok "$rt start" on host $rt $opts start "box$rt"
	ok "$rt: reached from the outside" ns_until 20 sh -c \
		'[ "$(nsenter -t "$1" -n curl -s -m 1 http://198.51.100.1:8080/hello)" = "hello from a container" ]' sh "$(ns_pid out)"
	is "$rt: and by IPv6" "$(http out "http://[$HOST6]:8080/hello")" 'hello from a container'
	# shellcheck disable=SC2086
	on host $rt $opts delete --force "box$rt"
	ok "$rt: down after the container is gone" nu down "$pid"
	on host rm -f "/run/$rt.pid"
	residue host "$NS_TMP/before" "$rt: nothing is left"
done
ns_done

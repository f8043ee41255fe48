#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# podman with its CNI backend, as root, without a registry: the reference chain's conflist and ours;
# published ports reached from another host and from the host, a fixed address, two networks, restart,
# and nothing left after `podman rm`.
. "$(dirname "$0")/lib.sh"
TYPES=${1:-bridge portmap firewall tuning}

ns_world
client_host host
mkdir "$NS_TMP/conf"
# podman binds the host's ports itself, after ADD, and leaves them bound until the container ends: the
# plugin must not hold them. (So 127.0.0.1 and ::1 are podman's, and not forwarded.)
CONFLIST_PORTS='"portPolicy":"steal",'
CONFLIST_MORE=$CONFLIST_PORTS
# shellcheck disable=SC2086 # a list
conflist "$NS_TMP/conf/web.conflist" $TYPES
rootfs "$NS_TMP/root"
cat >"$NS_TMP/containers.conf" <<END
[network]
network_backend = "cni"
cni_plugin_dirs = ["$PLUGINS"]
network_config_dir = "$NS_TMP/conf"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
END
# Limits are kept as they are: raising them needs a capability of its own.
podman() {
	on host timeout 300 env CONTAINERS_CONF="$NS_TMP/containers.conf" podman --root /var/lib/pod --runroot /run/pod \
		--storage-driver vfs "$@"
}
run() { # NAME OPTION... : a web server
	local name
	name=$1
	shift
	podman run -d --name "$name" --network web --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
		"$@" --rootfs "$NS_TMP/root" httpd -f -p 80 -h /www
}
field() { podman inspect -f "{{(index .NetworkSettings.Networks \"web\").$2}}" "$1"; }

is 'its backend is CNI' "$(podman info -f '{{.Host.NetworkBackend}}')" cni

ok 'run with published ports' run c1 -p 8080:80 -p 8081:80/udp
id=$(podman inspect -f '{{.Id}}' c1)
ip4=$(field c1 IPAddress) ip6=$(field c1 GlobalIPv6Address)
like 'it has an IPv4 address' "$ip4" '203.0.113.*'
like 'it has an IPv6 address' "$ip6" '2001:db8:83::*'
is 'the port answers another host' "$(ns_until 20 http out http://$HOST4:8080/hello)" hello
is 'over IPv6 too' "$(http out "http://[$HOST6]:8080/hello")" hello
is 'and the host itself by its address' "$(http host http://$HOST4:8080/hello)" hello
is 'the container answers the host' "$(http host "http://$ip4/hello")" hello
serve_http out 80
is 'it reaches the outside' "$(podman exec c1 wget -qO- "http://$OUT4/hello")" 'hello from out'
is 'over IPv6 too' "$(podman exec c1 wget -qO- "http://[$OUT6]/hello")" 'hello from out'

ok 'another one with an address of its own' run c2 --ip 203.0.113.77 --mac-address 02:00:5e:00:53:07 -p 9090:80
is 'it has that address' "$(field c2 IPAddress)" 203.0.113.77
is 'and that MAC address' "$(field c2 MacAddress)" 02:00:5e:00:53:07
is 'its port answers' "$(http out http://$HOST4:9090/hello)" hello
is 'containers reach each other' "$(podman exec c2 wget -qO- "http://$ip4/hello")" hello
is 'a port is published once' "$(run c3 -p 8080:80 2>&1 | grep -c 'taken\|in use')" 1
podman rm -f -t 0 c3 >/dev/null 2>&1
is 'its owner keeps it' "$(http out http://$HOST4:8080/hello)" hello

podman stop -t 0 c1 >/dev/null
is 'stopped: the port is free' "$(http out http://$HOST4:8080/hello)" ''
is 'stopped: no trace of its address' "$(traces host "$id")" ''
ok 'started again' podman start c1
is 'the port answers' "$(ns_until 20 http out http://$HOST4:8080/hello)" hello

id2=$(podman inspect -f '{{.Id}}' c2)
ip4=$(field c1 IPAddress)
ok 'rm of both' podman rm -f -t 0 c1 c2
is 'nothing is left' "$(traces host "$id" "$id2" "$ip4" 203.0.113.77)" ''
is 'no interface is left' "$(on host ip -o link show type veth | grep -v eth0)" ''
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A group of containers of an ordinary user's podman on networks of ours, as compose files have them: podman makes the
# containers without a network, netns-up gives them one. They find each other by name and alias, are reached from
# outside by published ports, and a restart takes a call, no more. Nothing is left.
. "$(dirname "$0")/slirp_lib.sh"

client_world
serve_http out 80
# The root of the containers: the host's programs, and a resolv.conf, which whoever starts containers writes.
root=$NS_TMP/root
mkdir -p "$root/usr" "$root/proc" "$root/sys" "$root/dev" "$root/etc" "$root/run" "$root/tmp" "$root/www/cgi-bin"
for d in bin sbin lib lib64; do
	[ ! -L /$d ] || ln -s usr/$d "$root/$d"
done
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
cp "$NS_TMP/www.out/cgi-bin/peer" "$root/www/cgi-bin/peer"
chown -R $CLIENT_UID:$CLIENT_UID "$root"
cat >"$NS_TMP/containers.conf" <<END
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
END
on host sh -c 'mount -n -t cgroup2 none /sys/fs/cgroup && mount -n -t tmpfs -o mode=755 tmpfs /var/lib' ||
	bail 'cannot prepare the host'
CLIENT_ENV="CONTAINERS_CONF=$NS_TMP/containers.conf"
podman() { client timeout 300 podman --storage-driver vfs "$@"; }
netns_up() { client "$NETNS_UP" "$@"; }
# Limits are kept as they are: raising them needs a capability of its own.
run() { # NAME NETWORK: a web server that says who asks
	podman run -d --name "$1" --hostname "$1" --network none --cgroups=disabled --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 -v /usr:/usr:ro -v "$NS_TMP/$2.resolv:/etc/resolv.conf:ro" --rootfs "$root" \
		sh -c 'exec busybox httpd -f -p 80 -h /www'
}
join() { # NAME NETWORK OPTION...: what a compose file says of a service
	local name network
	name=$1 network=$2
	shift 2
	netns_up up "$(podman inspect -f '{{.State.Pid}}' "$name")" --network "$network" --name "$name" -q "$@"
}
asks() { # NAME URL [-4|-6]
	podman exec "$1" curl -sS -g -m 60 --noproxy '*' ${3:-} "$2" 2>&1
}
served() { asks "$1" http://127.0.0.1/cgi-bin/peer >/dev/null; }
found() { # NAME OTHER: the address, by the container's own resolver
	podman exec "$1" getent ahostsv4 "$2" | awk 'NR == 1 { print $1 }'
}
addr() { # NAME 4|6
	netns_up status "$1" | awk -v f="$2" '$1 == "address" && (index($2, ":") > 0) == (f == 6) { sub("/.*", "", $2); print $2 }'
}

for n in shop back; do
	ok "network $n" netns_up network create $n -q
	netns_up network inspect $n | jq -r '"nameserver " + .subnets[0].gateway' >"$NS_TMP/$n.resolv"
done
for c in web:shop cache:shop db:back; do
	ok "podman run ${c%:*}" run "${c%:*}" "${c#*:}"
done
ok 'web joins its network' join web shop -p 8080:80
ok 'cache, by another name too' join cache shop --alias redis
ok 'db, on another network' join db back
for c in web cache db; do ok "$c serves" ns_until 30 served $c; done
is 'by name' "$(found cache web)" "$(addr web 4)"
is 'by alias' "$(found web redis)" "$(addr cache 4)"
is 'podman sees the address' "$(podman exec web ip -4 -o addr show eth0 | awk '{ sub("/.*", "", $4); print $4 }')" "$(addr web 4)"
is 'who is asked by name sees its neighbour' "$(asks web http://cache/cgi-bin/peer -4)" "$(addr web 4)"
is 'over IPv6' "$(asks web http://redis/cgi-bin/peer -6)" "$(addr web 6)"
is 'back' "$(asks cache http://web/cgi-bin/peer -4)" "$(addr cache 4)"
is 'the other network is not known' "$(found web db)" ''
is 'nor reached' "$(podman exec web curl -s -m 2 --noproxy '*' "http://$(addr db 4)/cgi-bin/peer")" ''
is 'the outside is' "$(asks web "http://$OUT4/cgi-bin/peer")" "$HOST4"
is 'from outside, by the published port' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
is 'over IPv6' "$(http out "http://[$HOST6]:8080/cgi-bin/peer")" "$OUT6"
ok 'podman restarts web' podman restart -t 0 web
ok 'it joins again, under its name' join web shop -p 8080:80
ok 'it serves' ns_until 30 served web
is 'it is found' "$(found cache web)" "$(addr web 4)"
is 'and reached' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"
for c in web cache db; do ok "down $c" netns_up down "$c" -q; done
ok 'podman rm' podman rm -f -t 0 web cache db
ok 'the networks go' netns_up network rm shop
ok 'with all processes' netns_up network rm back
for p in $(_ns_strays); do # podman's own, which holds its namespaces
	! grep -q '^podman' "/proc/$p/comm" || kill -KILL "$p"
done
no_process() { [ -z "$(_ns_processes)" ]; }
ok 'no process is left' ns_until 20 no_process
ns_done

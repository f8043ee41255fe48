#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016
# docs/recipes.md: its blocks that are marked, as they stand; the units for systemd, command by command; and each
# example of a CNI configuration with its own values, flannel's as its plugin fills it in.
. "$(dirname "$0")/lib.sh"
DOCS=$(cd "$(dirname "$0")/../../docs" && pwd)
UID_A=$NS_UID
cp "$NETNS_UP_CNI" "$NS_TMP/bin/netns-up-cni" || bail 'no plugin'
mkdir "$NS_TMP/cni" "$NS_TMP/work" "$NS_TMP/work/db" "$NS_TMP/work/web"
"$NETNS_UP" install-cni -q "$NS_TMP/cni" || bail 'install-cni'
echo 'hello from db' >"$NS_TMP/work/db/hello"
echo 'hello from web' >"$NS_TMP/work/web/hello"
chmod 755 "$NS_TMP" "$NS_TMP/work" "$NS_TMP/work/db" "$NS_TMP/work/web"

ns_world
on host sh -c '
	set -e
	echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
	mkdir -p -m 755 /run/user
	mkdir -m 700 /run/user/$1
	chown $1:$1 /run/user/$1' sh $UID_A || bail 'cannot prepare the host'
for name in job groups; do
	awk -v mark="<!-- run as a user: $name -->" '
		/^```/ { if (is_in) exit; if (is_marked) { is_in = 1; next } }
		is_in { print }
		$0 == mark { is_marked = 1 }' "$DOCS/recipes.md" >"$NS_TMP/$name.sh"
	ok "there is a block $name" test -s "$NS_TMP/$name.sh"
done
# recipe NAME: the block behind its mark, run by an ordinary user.
recipe() {
	on host setpriv --reuid $UID_A --regid $UID_A --clear-groups --inh-caps=-all \
		env -i PATH="$NS_TMP/bin:$PATH" XDG_RUNTIME_DIR=/run/user/$UID_A "$NS_MARK" \
		timeout 200 sh -c 'cd "$1" && . "$2"' sh "$NS_TMP/work" "$NS_TMP/$1.sh" 2>&1
}

# --- without root ---
recipe job >"$NS_TMP/job.first" &
first=$!
second=$(recipe job)
wait $first
is 'a job of a CI runner' "$second" 'hello from web'
is 'another one at the same time' "$(cat "$NS_TMP/job.first")" 'hello from web'
out=$(recipe groups)
like 'a group: its network' "$out" 'shop bridge 10.*/22 fd*::/64*'
like 'a group: its drawing' "$out" '*
`- shop  bridge nb-shop  10.*/22 fd*::/64
   |- db eth0  10.* fd*::*
   `- web eth0  10.* fd*::*
      `- 8080:80/tcp
hello from web
hello from db'
no_slirp() { ! on host sh -c 'ls -A /run/user/$1/netns-up 2>/dev/null | grep -v lock | grep -q .' sh $UID_A; }
ok 'a group: nothing of it stays' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up

# --- systemd ---
unit() { # FILE KEY: its values, for the instance web
	sed -n "s|^$2=||p" "$DOCS/examples/systemd/$1" | sed "s|%i|web|g; s|/usr/bin/netns-up|$NETNS_UP|"
}
mkdir "$NS_TMP/units"
for u in netns@ web; do
	sed "s|/usr/bin/netns-up|$NETNS_UP|" "$DOCS/examples/systemd/$u.service" >"$NS_TMP/units/$u.service"
done
sed 's/%i/web/g' "$NS_TMP/units/netns@.service" >"$NS_TMP/units/netns@web.service"
ok 'the units are well formed' env SYSTEMD_UNIT_PATH="$NS_TMP/units:" \
	systemd-analyze verify --man=no "$NS_TMP/units/netns@web.service" "$NS_TMP/units/web.service"
is 'both are started' "$(unit netns@.service ExecStart | wc -l)" 2
# /run/netns stays when it has been there once.
on host sh -c '"$1" create first && "$1" delete first' sh "$NETNS_UP"
snapshot host >"$NS_TMP/before"
unit netns@.service ExecStart >"$NS_TMP/start.sh"
ok 'its start' on host env OPTIONS='-p 8080:80' sh -e "$NS_TMP/start.sh"
path=$(unit web.service NetworkNamespacePath)
(exec nsenter -t "$(ns_pid host)" -n -m nsenter --net="$path" setpriv --pdeathsig KILL --bounding-set=-all,+net_bind_service \
	env "$NS_MARK" busybox httpd -f -p 80 -h "$NS_TMP/work/web") &
NS_SERVERS="$NS_SERVERS $!"
server=$!
ns_until 20 on host sh -c 'nsenter --net="$1" ss -Hltn "sport = 80" | grep -q .' sh "$path" || bail 'no server'
is 'the service is reached' "$(http out http://$HOST4:8080/hello)" 'hello from web'
unserve $server
unit netns@.service ExecStopPost >"$NS_TMP/stop.sh"
ok 'its end' on host sh -e "$NS_TMP/stop.sh"
ok 'and once more, as after a failed start' on host sh -e "$NS_TMP/stop.sh"
residue host "$NS_TMP/before" 'nothing is left'

# --- CNI configurations ---
# call COMMAND NAME JSON: of the plugin that the configuration names, for the container box.
call() {
	printf '%s' "$3" >"$NS_TMP/stdin"
	on host env CNI_COMMAND="$1" CNI_CONTAINERID="$2" CNI_NETNS="/proc/$(ns_pid box)/ns/net" CNI_IFNAME=eth0 \
		CNI_PATH="$NS_TMP/cni" "$NS_TMP/cni/netd" <"$NS_TMP/stdin" >"$NS_TMP/answer" 2>&1 ||
		{ cat "$NS_TMP/answer"; return 1; }
}
# first FILE: the first plugin of a list, as a runtime calls it.
first() { jq -c '. as $l | .plugins[0] + {name: $l.name, cniVersion: $l.cniVersion}' "$DOCS/examples/cni/$1"; }
container_new box host
serve_http out 80
flannel=$(first 10-flannel.conflist | jq -c '.delegate + {name: .name, cniVersion: .cniVersion, ipMasq: true, mtu: 1450,
	ipam: {type: "host-local", ranges: [[{subnet: "10.244.1.0/24"}]], routes: [{dst: "10.244.0.0/16"}]}}')
for file in "$DOCS"/examples/cni/*.conflist; do
	name=${file##*/}
	case $name in 10-flannel*) conf=$flannel ;; *) conf=$(first "$name") ;; esac
	ok "$name: ADD" call ADD box "$conf"
	is "$name: the container reaches the outside" "$(on box curl -sS -m 60 "http://$OUT4/hello")" 'hello from out'
	ok "$name: DEL" call DEL box "$conf"
done
ok 'a runtime finds all of them' [ "$(find "$DOCS/examples/cni" -name '*.conflist' | wc -l)" -ge 5 ]
residue host "$NS_TMP/before" 'nothing is left at the end'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016
# docs/recipes.md: its blocks that are marked, as they stand; the units for systemd, command by command; and each
# example of a CNI configuration with its own values, plugin after plugin, flannel's as that one fills it in.
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
# plugins FILE: each plugin of it, a line, as a runtime calls it that publishes a port wherever one knows how to.
plugins() {
	jq -c '. as $l | (.plugins // [.])[] | if .type == "flannel" then .delegate + {ipMasq: true, mtu: 1450,
			ipam: {type: "host-local", ranges: [[{subnet: "10.244.1.0/24"}]], routes: [{dst: "10.244.0.0/16"}]}} else . end |
		. + {name: $l.name, cniVersion: $l.cniVersion} | if .capabilities.portMappings then . + {runtimeConfig:
			{portMappings: [{hostPort: 8080, containerPort: 80, protocol: "tcp"}]}} else . end' "$DOCS/examples/cni/$1"
}
# chain COMMAND FILE IFNAME: all of them for the container box, each with the result of the one before; to DEL and
# CHECK that of the last ADD.
chain() {
	plugins "$2" >"$NS_TMP/chain" && [ -s "$NS_TMP/chain" ] || return 1
	case $1 in
	ADD) rm -f "$NS_TMP/result" ;;
	DEL) tac "$NS_TMP/chain" >"$NS_TMP/chain.back" && mv "$NS_TMP/chain.back" "$NS_TMP/chain" ;;
	esac
	while read -r conf; do
		printf '%s' "$conf" >"$NS_TMP/stdin"
		[ ! -e "$NS_TMP/result" ] ||
			printf '%s' "$conf" | jq -c --slurpfile r "$NS_TMP/result" '. + {prevResult: $r[0]}' >"$NS_TMP/stdin"
		on host env CNI_COMMAND="$1" CNI_CONTAINERID=box CNI_NETNS="/proc/$(ns_pid box)/ns/net" CNI_IFNAME="$3" \
			CNI_PATH="$NS_TMP/cni" "$NS_TMP/cni/$(printf '%s' "$conf" | jq -r .type)" <"$NS_TMP/stdin" >"$NS_TMP/answer" ||
			{ cat "$NS_TMP/stdin" "$NS_TMP/answer"; return 1; }
		[ "$1" != ADD ] || cp "$NS_TMP/answer" "$NS_TMP/result"
	done <"$NS_TMP/chain"
}
container_new box host
serve_http out 80
serve_http box 80
for file in "$DOCS"/examples/cni/*.conflist; do
	name=${file##*/}
	ok "$name: ADD" chain ADD "$name" eth0
	is "$name: the container reaches the outside" "$(on box curl -sS -m 60 "http://$OUT4/hello")" 'hello from out'
	is "$name: and is reached at its port" "$(http out "http://$HOST4:8080/hello")" 'hello from box'
	ok "$name: CHECK" chain CHECK "$name" eth0
	ok "$name: DEL" chain DEL "$name" eth0
	ok "$name: the interface is gone" sh -c '! "$@" 2>/dev/null' sh nsenter -t "$(ns_pid box)" -n ip link show eth0
done
ok 'a runtime finds all of them' [ "$(find "$DOCS/examples/cni" -name '*.conflist' | wc -l)" -ge 5 ]
on box ip link set lo down
for file in "$DOCS"/examples/cni/*.conf; do
	name=${file##*/}
	ok "$name: ADD" chain ADD "$name" lo
	ok "$name: the loopback answers" on box ping -c 1 -W 5 127.0.0.1
	ok "$name: CHECK" chain CHECK "$name" lo
	ok "$name: DEL" chain DEL "$name" lo
done
residue host "$NS_TMP/before" 'nothing is left at the end'
ns_done

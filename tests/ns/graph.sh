#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What people look at: ls with colours at a terminal and without them elsewhere, and the drawings of graph: of root's
# networks, of a user's own, and of a container that slirp-lite carries alone.
. "$(dirname "$0")/lib.sh"
TERMINAL=$(dirname "$0")/terminal.py
UID_A=$NS_UID

nu() { on host "$NETNS_UP" "$@"; }
# What a terminal gets. VAR=VALUE... -- ARGUMENT...
at_tty() {
	local vars
	vars=''
	while [ "$1" != -- ]; do vars="$vars $1" && shift; done
	shift
	# shellcheck disable=SC2086 # a list
	on host env -u NO_COLOR -u LC_ALL -u LC_CTYPE TERM=xterm LANG=C PYTHONCOERCECLOCALE=0 $vars python3 -B "$TERMINAL" OUT "$NETNS_UP" "$@"
}
esc=$(printf '\033')
plain() { sed "s/$esc\\[[0-9;]*m//g"; }

ns_world
on host sh -c '
	set -e
	echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
	mkdir -p -m 755 /run/user
	mkdir -m 700 /run/user/$1
	chown $1:$1 /run/user/$1' sh $UID_A || bail 'cannot prepare the host'
nna() {
	on host setpriv --reuid $UID_A --regid $UID_A --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/$UID_A "$NS_MARK" "$NETNS_UP" "$@"
}
snapshot host >"$NS_TMP/before"

is 'nothing is up: ls is its heading' "$(nu ls)" 'ID  INTERFACE  NETWORK  ADDRESSES  PORTS'
is 'graph is the host' "$(nu graph)" host
is 'graph --json has no networks' "$(nu graph --json | jq -c .)" '{"networks":[]}'
residue host "$NS_TMP/before" 'looking makes nothing'

# --- root's ---
container_new c1 host
container_new c2 host
ok 'a network' nu network create back --isolate --subnet 192.0.2.0/24 -q
ok 'an empty one' nu network create idle --mode routed --internal --subnet 203.0.113.0/24 -q
ok 'a container' nu up "$(ns_pid c1)" --name web --network back --ip 192.0.2.10 -q -p 8080:80 -p 127.0.0.1:9000-9002:90-92/udp
ok 'another' nu up "$(ns_pid c2)" --name db --network back --ip 192.0.2.11 -q

nu ls >"$NS_TMP/piped"
is 'ls in a pipe is aligned, and plain' "$(cat "$NS_TMP/piped")" 'ID   INTERFACE  NETWORK  ADDRESSES   PORTS
db   eth0       back     192.0.2.11  -
web  eth0       back     192.0.2.10  8080:80/tcp 127.0.0.1:9000-9002:90-92/udp'
like 'at a terminal it has colours' "$(at_tty -- ls)" "*$esc\\[1mID$esc\\[0m *$esc\\[1;36mweb$esc\\[0m *"
is 'and the same text, aligned alike' "$(at_tty -- ls | plain)" "$(cat "$NS_TMP/piped")"
is 'not with NO_COLOR' "$(at_tty NO_COLOR=1 -- ls)" "$(cat "$NS_TMP/piped")"
like 'an empty NO_COLOR means nothing' "$(at_tty NO_COLOR= -- ls)" "*$esc*"
is 'not at a dumb terminal' "$(at_tty TERM=dumb -- ls)" "$(cat "$NS_TMP/piped")"
is 'JSON has none anywhere' "$(at_tty -- ls --json)" "$(nu ls --json)"

tree='host
|- back  bridge nb-back, isolated  192.0.2.0/24
|  |- db eth0  192.0.2.11
|  `- web eth0  192.0.2.10
|     |- 8080:80/tcp
|     `- 127.0.0.1:9000-9002:90-92/udp
`- idle  routed, internal  203.0.113.0/24'
is 'graph: a tree' "$(nu graph)" "$tree"
is 'at a terminal of ASCII it is the same in colour' "$(at_tty -- graph | plain)" "$tree"
like 'with lines where there are some' "$(at_tty LANG=C.UTF-8 -- graph | plain)" '*├─ back *│  └─ web eth0*└─ idle *'
like 'not where the first of the locale says otherwise' "$(at_tty LC_ALL=C LANG=C.UTF-8 -- graph | plain)" "$tree"
is 'graph --json' "$(nu graph --json | jq -c '.networks[] | [.name, .by, .mode, .internal, .subnets[0],
	[.containers[] | .id, .addresses[0], .published]]')" \
	'["back","engine","bridge",false,"192.0.2.0/24",["db","192.0.2.11",[],"web","192.0.2.10",["8080:80/tcp","127.0.0.1:9000-9002:90-92/udp"]]]
["idle","engine","routed",true,"203.0.113.0/24",[]]'
nu graph --dot >"$NS_TMP/dot"
like 'graph --dot' "$(cat "$NS_TMP/dot")" '*digraph "netns-up" {*subgraph cluster_0 {*label="back\\nbridge nb-back, isolated"*[[]label="web eth0\\n192.0.2.10"[]];*n0c1p [[]shape=plaintext, label="8080:80/tcp\\n127.0.0.1:9000-9002:90-92/udp"[]];*n0c1p -> n0c1;*host -> n1 [[]dir=none, style=dotted[]];*}'
nu graph --svg >"$NS_TMP/svg"
cat >"$NS_TMP/look.py" <<'END'
import sys
import xml.etree.ElementTree
root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
space = '{http://www.w3.org/2000/svg}'
assert root.tag == space + 'svg'
width, height = float(root.get('width')), float(root.get('height'))
for e in root.iter():
  assert e.tag[len(space):] in ('svg', 'title', 'style', 'defs', 'marker', 'path', 'rect', 'text'), e.tag
  if e.tag == space + 'rect':
    assert float(e.get('x', 0)) + float(e.get('width')) <= width and float(e.get('y', 0)) + float(e.get('height')) <= height
  if e.tag == space + 'text':
    assert float(e.get('x')) + 8 * len(e.text) <= width and float(e.get('y')) <= height, e.text
    print(e.get('class'), e.text)
END
is 'graph --svg: well formed, all of it on the sheet' "$(python3 "$NS_TMP/look.py" "$NS_TMP/svg")" 'net back
faint bridge nb-back, isolated
plain 192.0.2.0/24
name db eth0
plain 192.0.2.11
name web eth0
plain 192.0.2.10
port 8080:80/tcp
port 127.0.0.1:9000-9002:90-92/udp
net idle
faint routed, internal
plain 203.0.113.0/24'
for form in svg dot json; do
	is "--$form has no colours" "$(at_tty -- graph --$form)" "$(nu graph --$form)"
done
nu graph --dot --svg 2>"$NS_TMP/err"
is 'one drawing at a time' $? 2
like 'is said' "$(cat "$NS_TMP/err")" '*one of --dot, --svg and --json*'
ok 'what cannot be written is said' on host sh -c '! "$1" graph >/dev/full 2>/dev/null' sh "$NETNS_UP"

# --- a user's ---
is "another's are not seen" "$(nna graph)" host
ok 'a network of several containers' nna network create own -q
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups --inh-caps=-all \
	--pdeathsig KILL env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/$UID_A "$NS_MARK" \
	"$NETNS_UP" run --network own --name app -p 18080:80 -- sleep 7200) >"$NS_TMP/app.out" 2>&1 &
app=$!
NS_HOLDERS="$NS_HOLDERS $app"
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $UID_A --regid $UID_A --clear-groups --pdeathsig KILL \
	env -i PATH="$PATH" "$NS_MARK" unshare -Urn sleep 7200) &
box=$!
NS_HOLDERS="$NS_HOLDERS $box"
ns_until 20 sh -c '[ "$(cat /proc/$1/comm)" = sleep ]' sh $box || bail 'no namespace of a user'
ok 'and one that is alone' nna up $box --name box -p 18081:80 -q
app_is_there() { nna ls | grep -q '^app .*18080:80/tcp'; }
ok 'the first one is up' ns_until 20 app_is_there
is "a user's tree" "$(nna graph | sed -E 's/fd[0-9a-f:]+(\/64)?/fd/g; s/ 10\.[0-9.]+(\/22)?/ 10/g')" 'host
|- user  slirp-lite, each alone
|  `- box eth0  10 fd
|     `- 18081:80/tcp
`- own  bridge nb-own  10 fd
   `- app eth0  10 fd
      `- 18080:80/tcp'
is 'and JSON' "$(nna graph --json | jq -c '[.networks[] | .by, .containers[0].id, .containers[0].published[0]]')" \
	'["slirp-lite","box","18081:80/tcp","engine","app","18080:80/tcp"]'
is "root's are root's alone" "$(nu graph)" "$tree"
kill -TERM $app
wait $app 2>/dev/null
ok 'down' nna down box -q
ok 'the network goes' nna network rm own
kill -KILL $box

ok 'down' nu down web -q
ok 'down' nu down db -q
ok 'rm' nu network rm back
ok 'rm' nu network rm idle
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

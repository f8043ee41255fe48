# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# user_net_lib.sh: a host with two ordinary users who make networks of several containers, for tests that source
# lib.sh before.

. "$(dirname "$0")/../ns/user_lib.sh" # also of tests/fault

AS_DIR=1
ns_world
users nna nnb 600000000 "$UID_A" "$UID_B"
nna() { as $UID_A "$NETNS_UP" "$@"; }
nnb() { as $UID_B "$NETNS_UP" "$@"; }
named() { ns_ours | sed -n "s/ $1\$//p"; } # NAME: pids of our processes of that name
n_named() { named "$1" | wc -l; }
has_keepers() { [ "$(n_named netns-up-host)" -eq "$1" ]; }
# Held, they do not bring back what is killed. Once more, for one of them may have made the other meanwhile.
hold_keepers() {
	# shellcheck disable=SC2046 # a list
	kill -STOP $(named netns-up-host) && kill -STOP $(named netns-up-host)
}
free_keepers() {
	# shellcheck disable=SC2046 # a list
	kill -CONT $(named netns-up-host)
}
uplink_pid() { # of the supervisor, by the record
	on host sed -nE 's/.*"pid":([0-9]+).*/\1/p' /run/user/$UID_A/netns-up/host/uplink
}
is_back() { # OLD-PID: another one serves, by what it says and by the record
	local now
	now=$(uplink pid 2>/dev/null)
	[ -n "$now" ] && [ "$now" != "$1" ] && [ "$(uplink_pid)" = "$now" ]
}
no_slirp() { [ -z "$(ns_ours | grep ' slirp-')" ]; } # nor any process of it, which may have the tap open still

# box NAME UID CMD...: a process of the user's, its pid in $box_NAME.
box() {
	local name uid
	name=$1 uid=$2
	shift 2
	(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid "$uid" --regid "$uid" --clear-groups --pdeathsig KILL \
		env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/"$uid" "$NS_MARK" \
		${NETNS_UP_WITHOUT:+NETNS_UP_WITHOUT="$NETNS_UP_WITHOUT"} "$@") >"$NS_TMP/$name.out" 2>&1 &
	eval "box_$name=$!"
	NS_SERVERS="$NS_SERVERS $!"
}
# foreign NAME UID: a container that somebody else made, in a user namespace of its own.
foreign() {
	box "$1" "$2" unshare -Urn sleep 7200
	eval "pid=\$box_$1"
	# shellcheck disable=SC2154 # set by eval
	ns_until 20 sh -c '[ "$(cat /proc/$1/comm)" = sleep ]' sh "$pid" || bail "no container $1"
}
inside() { # PID CMD...: as its root
	local p
	p=$1
	shift
	nsenter -t "$p" -U -n -- env "$NS_MARK" "$@"
}
addr_of() { # PID 4|6: of its eth0
	inside "$1" ip -"$2" -o addr show dev eth0 scope global | awk '{ split($4, a, "/"); print a[1] }'
}
get() { # PID URL
	inside "$1" curl -sS -g --connect-timeout 20 -m 60 --noproxy '*' "$2" 2>&1
}
serve_in() { # PID NAME: a web server that says its name and its client's address
	(inside "$1" setpriv --pdeathsig KILL busybox httpd -f -p 80 -h "$NS_TMP/www.$2") >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	ns_until 20 sh -c 'nsenter -t "$1" -U -n ss -Hltn "sport = 80" | grep -q .' sh "$1" ||
		bail "no server in $2"
}
closed_to() { # PID ADDRESS: no connection, whatever the reason
	! inside "$1" curl -sS -g -m 2 --noproxy '*' "http://$2/hello" >/dev/null 2>&1
}
www() { # NAME...
	local n
	for n; do
		mkdir -p "$NS_TMP/www.$n/cgi-bin"
		echo "hello from $n" >"$NS_TMP/www.$n/hello"
		cp "$NS_TMP/www.out/cgi-bin/peer" "$NS_TMP/www.$n/cgi-bin/"
	done
}
# uplink FIELD: what the uplink of UID_A says of itself.
uplink() {
	as $UID_A python3 -c '
import glob, json, socket, stat, os, sys
for path in glob.glob("/run/user/%s/**" % sys.argv[1], recursive=True):
  if not stat.S_ISSOCK(os.lstat(path).st_mode):
    continue
  s = socket.socket(socket.AF_UNIX)
  s.settimeout(60)
  s.connect(path)
  s.sendall(b"{\"execute\": \"status\"}")
  text = b""
  while data := s.recv(4096):
    text += data
  answer = json.loads(text).get("return", {})
  print(answer.get(sys.argv[2], answer.get("counters", {}).get(sys.argv[2], 0)))
' $UID_A "$1"
}

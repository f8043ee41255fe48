#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# rootlesskit of an ordinary user with slirp-lite in the place of slirp4netns: both port drivers, ports at its
# start and at run time, what the container reaches and what not, and nothing left.
. "$(dirname "$0")/slirp_lib.sh"

client_world
serve_peer out tcp 7000 4
serve host socat TCP-LISTEN:7007,bind=127.0.0.1,fork,reuseaddr /dev/null
wait_port host tcp 7007
snapshot host >"$NS_TMP/before"

kit() { # PORT-DRIVER OPTION...: the server in it
	local driver
	driver=$1
	shift
	client_serve rootlesskit --state-dir "$RUNTIME/kit" --net slirp4netns --slirp4netns-binary "$S4" --port-driver "$driver" \
		--copy-up=/etc --propagation=rslave "$@" "$PYTHON" "$NS_TMP/peer.py" 80
	KIT=$SERVED
	ns_until 20 grep -q listening "$SERVED_LOG" || bail "rootlesskit: $(cat "$SERVED_LOG")"
}
ctl() { client rootlessctl --socket "$RUNTIME/kit/api.sock" "$@" 2>&1; }
inside() { # CMD...: in it
	client nsenter -t "$(client cat "$RUNTIME/kit/child_pid")" -U -n -m --preserve-credentials -- "$@" 2>&1
}

for driver in slirp4netns builtin; do
	kit $driver --ipv6 --disable-host-loopback --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto \
		-p 0.0.0.0:8080:80/tcp -p 0.0.0.0:8080:80/udp
	pass "$driver: starts"
	case $driver in
	slirp4netns) seen=$OUT4 ;;
	builtin) seen=127.0.0.1 ;; # of its own making
	esac
	is "$driver: a remote client, TCP" "$(who out tcp $HOST4 8080)" "$seen"
	[ $driver = builtin ] || is "$driver: a remote client, UDP" "$(who out udp $HOST4 8080)" "$seen"
	isnt "$driver: one on the host" "$(who host tcp 127.0.0.1 8080)" ''
	is "$driver: it reaches the outside" "$(inside "$PYTHON" "$NS_TMP/ask.py" tcp $OUT4 7000)" "$HOST4"
	is "$driver: and not the host's loopback" "$(inside "$PYTHON" "$NS_TMP/ask.py" tcp 10.0.2.2 7007)" 'Connection refused'
	like "$driver: add-ports" "$(ctl add-ports 0.0.0.0:8081:80/tcp)" '[0-9]*'
	is "$driver: works" "$(who out tcp $HOST4 8081)" "$seen"
	like "$driver: add-ports of one that is taken" "$(ctl add-ports 0.0.0.0:8081:80/tcp)" '*conflict*'
	like "$driver: list-ports" "$(ctl list-ports | sort)" '*8080*8081*'
	id=$(ctl list-ports --json | jq -r 'select(.spec.parentPort == 8081).id' | head -n 1)
	ok "$driver: remove-ports" client rootlessctl --socket "$RUNTIME/kit/api.sock" remove-ports "$id"
	is "$driver: served no longer" "$(who out tcp $HOST4 8081)" 'Connection refused'
	unserve "$KIT"
	ok "$driver: slirp-lite ends with it" ns_until 20 no_slirp
	on host rm -rf "$RUNTIME/kit"
done
kit none
is 'without --disable-host-loopback: not the loopback either' \
	"$(inside "$PYTHON" "$NS_TMP/ask.py" tcp 10.0.2.2 7007)" 'Connection refused'
unserve "$KIT"
on host rm -rf "$RUNTIME/kit"
residue host "$NS_TMP/before" 'nothing is left on the host'
ns_done

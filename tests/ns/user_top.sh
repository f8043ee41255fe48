#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What passes of an ordinary user's containers, on networks and alone: rates, conversations, published ports, counters
# for a monitor. And limits of rates on networks: that they are there, and hold. Argument relay: by the relay engine.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"
TERMINAL=$NS_TMP/terminal.py # users cannot read everywhere
cp "$(dirname "$0")/terminal.py" "$TERMINAL" && chmod 644 "$TERMINAL" || exit 99

of() { jq -r ".[] | select(.id == \"$1\") | $2" <"$NS_TMP/json"; }
look() { nna top --json >"$NS_TMP/json"; }
sees() { look && of "$1" "$2" | grep -qx true; } # CONTAINER FILTER
sees_lone() { look && jq -r ".[] | select(.name == \"$1\") | $2" <"$NS_TMP/json" | grep -qx true; }
metrics() { nna metrics >"$NS_TMP/metrics"; }
counted() { grep -qE "^$1\$" "$NS_TMP/metrics"; } # SAMPLE, a pattern
is_counted() { counted "$1" || { metrics && counted "$1"; }; }
sort_of_types() { sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$NS_TMP/metrics" | sort | uniq -d; }

serve_http out 80
serve_peer out udp 7001
head -c 3000000 /dev/zero >"$NS_TMP/www.out/big"
www b
snapshot host >"$NS_TMP/before"
is 'nothing is up' "$(nna top --once)$(nna top --json)" '[]'
ok 'nor counted' metrics
case ${1:-} in relay) asks='--engine relay' opened=through_opened ;; *) asks='' opened=tcp_opened ;; esac
# shellcheck disable=SC2086 # words
ok 'a network' nna network create web $asks -q
like 'without a container' "$(nna top --once)" '*ID *NETWORK*your networks: 0 TCP*'
foreign a $UID_A
a=$box_a
foreign c $UID_A
c=$box_c
ok 'a container' nna up "$a" --network web --name a -q
box b $UID_A "$NETNS_UP" run --network web --name b -p 8080:80 -- busybox httpd -f -p 80 -h "$NS_TMP/www.b"
pid_of_b() { b=$(pgrep -P "$box_b" busybox); }
ns_until 20 pid_of_b || bail "run does not start: $(cat "$NS_TMP/b.out")"
ns_until 20 sh -c 'nsenter -t "$1" -n ss -Hltn "sport = 80" | grep -q .' sh "$b" || bail 'no server in b'
ok 'one that is alone' nna up "$c" --name c -q
for p in "$a" "$c"; do
	is 'three megabytes go in' "$(inside "$p" curl -sS -m 120 "http://$OUT4/big" | wc -c)" 3000000
done
is 'by a published port' "$(http out "http://$HOST4:8080/hello")" 'hello from b'

# --- counters ---
ok 'looked at' look
is 'those of a link' "$(of a '.in.bytes > 3000000 and .out.bytes < 3000000 and .in.packets > 0')" true
is 'its network' "$(of a '.network + " " + .ifname')" 'web eth0'
is 'what rests has a rate too' "$(of b '.rate | has("in_bits") and has("out_packets")')" true
is 'a published port' "$(of b '.ports[0] | .spec + " " + (.flows | tostring)')" '8080:80/tcp 1'
is 'and its bytes' "$(of b '.ports[0] | .bytes_in > 0 and .bytes_out > 0')" true
is 'one alone' "$(nna top --json b | jq -r '[.[].id] | join(" ")')" b
nna top --once nothing >/dev/null 2>"$NS_TMP/err"
is 'one that is not there' $? 3
is 'another user sees nothing' "$(nnb top --json)" '[]'

# --- conversations, as long as it takes ---
busy() { # PID
	(inside "$1" setpriv --pdeathsig KILL sh -c "while :; do setpriv --pdeathsig KILL curl -sS -m 60 --limit-rate 300k http://$OUT4/big || sleep 1; done") >/dev/null 2>&1 &
	NS_SERVERS="$NS_SERVERS $!"
	busy="$busy $!"
}
busy=
busy "$a"
busy "$c"
ok 'a rate is seen' ns_until 60 sees a '.rate.in_bits > 100000 and .rate.in_packets > 1'
ok 'of the one alone, too' ns_until 60 sees_lone c '.rate.in_bits > 100000'
flow="any(.flows[]; .proto == \"tcp\" and .peer == \"$OUT4\" and .peer_port == 80 and .state == \"ESTABLISHED\")"
ok 'a conversation' ns_until 60 sees a "$flow"
ok 'of the one alone' ns_until 60 sees_lone c "$flow"
is 'another has none' "$(of b '[.flows[] | select(.peer_port == 80)] | length')" 0
says() {
	inside "$a" python3 -c 'import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 7001))' $OUT4
	sees a "any(.flows[]; .proto == \"udp\" and .peer == \"$OUT4\" and .peer_port == 7001)"
}
ok 'one of datagrams' ns_until 60 says
# Each fetches again and again, and between two has no conversation.
has_names() {
	nna top --once >"$NS_TMP/text" && grep -q "^tcp  out a:[0-9]* .*$OUT4:80 " "$NS_TMP/text" &&
		grep -q '10\.0\.2\.100:[0-9]* .*ESTABLISHED' "$NS_TMP/text"
}
ok 'it is told by name' ns_until 60 has_names
first_is_a() { nna top --once a | sed -n '2s/ .*//p' | grep -qx a; }
ok 'a table of one' first_is_a
like 'all of it' "$(cat "$NS_TMP/text")" "c eth0: *by the tap * bit/s in*10.0.2.100:*ID *IN bit/s*
your networks: *published 8080:80/tcp *1 flows * out  b
*container*"
is 'a row of each' "$(sed -n 's/^\([ab]\) .* web$/\1/p' "$NS_TMP/text" | sort | tr -d '\n')" ab
like 'rounds' "$(nna top -n 2 -i 1 | grep -c '^your networks')" 2
at_tty() {
	on host setpriv --reuid $UID_A --regid $UID_A --clear-groups --inh-caps=-all env -i PATH="$PATH" TERM=xterm \
		XDG_RUNTIME_DIR=/run/user/$UID_A "$NS_MARK" timeout 120 python3 -B "$TERMINAL" "$@"
}
out=$(at_tty KEYS=q "$NETNS_UP" top -i 30)
is 'at a terminal: q ends it' $? 0
like 'it was drawn at once' "$out" '*ID *web*your networks: *'

# --- for a monitor ---
ok 'metrics' metrics
is 'each name has its samples in one place' "$(sort_of_types)" ''
for sample in "netd_attachments\\{uid=\"$UID_A\",network=\"web\"\\} 2" "netd_ports\\{uid=\"$UID_A\",network=\"web\"\\} 1" \
	"netd_port_flows_total\\{uid=\"$UID_A\",id=\"b\",ifname=\"eth0\",port=\"8080:80/tcp\"\\} 1" \
	"netd_bytes_total\\{uid=\"$UID_A\",id=\"a\",ifname=\"eth0\",direction=\"in\"\\} [0-9]{7,}" \
	"netd_packets_total\\{uid=\"$UID_A\",id=\"a\",ifname=\"eth0\",direction=\"out\"\\} [1-9][0-9]*" \
	'slirp_ready\{id="c",ifname="eth0"\} 1' 'slirp_ready\{of="networks"\} 1' \
	'slirp_flows\{id="c",ifname="eth0",proto="tcp"\} [1-9][0-9]*' \
	'slirp_events_total\{id="c",ifname="eth0",event="bytes_out"\} [0-9]{7,}' \
	'slirp_events_total\{of="networks",event="'$opened'"\} [1-9][0-9]*' \
	'slirp_port_bytes_total\{id="b",ifname="eth0",port="8080:80/tcp",direction="out"\} [1-9][0-9]*'; do
	ok "$sample" ns_until 20 is_counted "$sample"
done
ok 'nothing but samples' sh -c '! grep -vE "^(# TYPE [a-z_]+ (counter|gauge)|[a-z_]+(\{[^{}]*\})? [0-9]+)$" "$1"' sh "$NS_TMP/metrics"

for p in $busy; do unserve "$p"; done

# --- limits ---
ok 'a limit' nna limit a --rate-in 1mbit
like 'status has it' "$(nna status a)" '*rate in    1mbit*'
ok 'the other direction too' nna limit a --rate-out 2mbit -q
is 'both' "$(nna status a --json | jq -r '.[0].rate | "\(.in) \(.out)"')" '1000000 2000000'
ok 'check' nna check a
time_of_big() { # PID: seconds that 200 kB take
	inside "$1" curl -sS -m 120 -r 0-199999 -o /dev/null -w '%{time_total}\n' "http://$OUT4/big"
}
# With its burst it takes more than a second.
is 'it holds' "$(time_of_big "$a" | awk '{ print ($1 > 1) }')" 1
ok 'none' nna limit a --rate-in none --rate-out none -q
is 'it is gone' "$(nna status a | grep -c 'rate')" 0
ok 'of the one alone' nna limit c --rate-in 1mbit -q
is 'by its own slirp-lite' "$(nna status c --json | jq -r '.[0].limit.in')" 1000000
nna limit nobody --rate-in 1mbit 2>"$NS_TMP/err"
is 'of nobody' $? 3
ok 'up with a limit' nna up "$c" --network web --ifname eth1 --name c1 --rate-in 1mbit --rate-out 1mbit -q
is 'it is on record' "$(nna status c1 --json | jq -r '.[0].rate | "\(.in) \(.out)"')" '1000000 1000000'

kill -KILL "$a" "$c"
kill -TERM "$box_b"
ns_until 20 sh -c '! kill -0 "$1" 2>/dev/null' sh "$box_b"
removed() { nna gc -q && [ "$(nna ls | wc -l)" -eq 1 ]; }
ok 'all go' ns_until 20 removed
ok 'the network' nna network rm web
ok 'and its processes' ns_until 20 has_keepers 0
ok 'all' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up /run/user/$UID_B/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

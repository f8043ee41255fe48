#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Limits of what a container of an ordinary user's, that is alone, is sent and sends: by the tap engine of its
# slirp-lite, whoever its clients are. 80 kbit/s: what is asserted is that 20 kB take more than a second and a half.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/user_net_lib.sh"

slow() { # CMD...: curl with what is before it
	rm -f "$NS_TMP/open/got"
	"$@" -sS -g -m 120 --noproxy '*' -o "$NS_TMP/open/got" -w '%{time_total} %{size_download}\n' |
		awk '{ print ($1 > 1.5 && $2 == 20000) ? "slow" : $0 }'
}
counter() { nna status c --json | jq ".[0].counters.$1 // 0"; }

serve_http out 80
www in
for d in out in; do head -c 20000 /dev/urandom >"$NS_TMP/www.$d/big"; done
mkdir -m 777 "$NS_TMP/open"
snapshot host >"$NS_TMP/before"
foreign c $UID_A
c=$box_c
ok 'up with limits' nna up "$c" --name c --rate-in 80kbit --rate-out 80kbit -p 8080:80 -q
like 'status has them' "$(nna status c)" '*rate in    80kbit*rate out   80kbit*'
is 'as JSON, too' "$(nna status c --json | jq -r '.[0].limit | "\(.in) \(.out)"')" '80000 80000'
ok 'the same again' nna up "$c" --name c --rate-in 80kbit --rate-out 80kbit -p 8080:80 -q
ok 'and without naming them' nna up "$c" --name c -q
refused 4 '*other limits*' up "$c" --name c --rate-in 90kbit --rate-out 80kbit
refused 4 '*other limits*' up "$c" --name c --rate-in 80kbit
refused 4 '*other destinations*' up "$c" --name c --not-to 192.0.2.1
serve_in "$c" in

is 'to the container' "$(slow inside "$c" curl "http://$OUT4/big")" slow
ok 'all of it' cmp "$NS_TMP/open/got" "$NS_TMP/www.out/big"
is 'over IPv6' "$(slow inside "$c" curl "http://[$OUT6]/big")" slow
is 'from it' "$(slow on out curl "http://$HOST4:8080/big")" slow
ok 'all of that' cmp "$NS_TMP/open/got" "$NS_TMP/www.in/big"
is 'to a client of the host' "$(slow on host curl http://127.0.0.1:8080/big)" slow
is 'who is shown as the gateway, for he comes by the tap' "$(http host http://127.0.0.1:8080/cgi-bin/peer)" 10.0.2.2
is 'one from outside as himself' "$(http out "http://$HOST4:8080/cgi-bin/peer")" "$OUT4"

# Somebody wants all there is; what is little comes all the same.
head -c 1000000 /dev/zero >"$NS_TMP/www.out/more"
(inside "$c" setpriv --pdeathsig KILL curl -sS -m 600 -o /dev/null "http://$OUT4/more") >/dev/null 2>&1 &
busy=$!
NS_SERVERS="$NS_SERVERS $busy"
is_busy() { [ "$(nna top --json c | jq '[.[0].flows[] | select(.state == "ESTABLISHED")] | length')" -ge 1 ]; }
ok 'one is busy' ns_until 60 is_busy
is 'another is served' "$(get "$c" "http://$OUT4/hello")" 'hello from out'
ok 'the first is busy still' is_busy
unserve "$busy"

# Datagrams have no way to wait.
blast() {
	inside "$c" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(100): s.sendto(b"x" * 1000, (sys.argv[1], 9))' $OUT4 && [ "$(counter drop_limit)" -gt 0 ]
}
ok 'datagrams above it are dropped and counted' ns_until 60 blast
# Segments may be: of the connection whose client was killed, when they come after its RST.
is 'nothing else is' "$(nna status c --json | jq -r '.[0].counters | keys[] | select(startswith("drop_") and . != "drop_tcp")')" drop_limit
# Changed while it is up. What is under way would take a quarter of an hour.
(inside "$c" setpriv --pdeathsig KILL curl -sS -m 600 -o "$NS_TMP/open/more" "http://$OUT4/more") >/dev/null 2>&1 &
busy=$!
NS_SERVERS="$NS_SERVERS $busy"
is 'limit' "$(nna limit c --rate-in 8kbit --json | jq -c .limit)" '{"in":8000,"out":80000}'
ok 'one is busy' ns_until 60 is_busy
ok 'the new limit does not let it end' ns_alive "$busy"
refused 4 '*other limits*' up "$c" --name c --rate-in 80kbit --rate-out 80kbit
ok 'up asks for what there is now' nna up "$c" --name c --rate-in 8kbit --rate-out 80kbit -q
like 'without a limit' "$(nna limit c --rate-in none --rate-out none)" 'c eth0 10.0.2.100/24 *'
has_more() { cmp -s "$NS_TMP/open/more" "$NS_TMP/www.out/more"; }
ok 'it goes on at once' ns_until 120 has_more
is 'status has none' "$(nna status c --json | jq '.[0].limit')" null
ok 'down' nna down c -q

# One that came up without. Clients of this host come by a socket inside then, and by the tap once there is a limit.
ok 'up without limits' nna up "$c" --name c -p 8080:80 -q
by_socket() { # no socket inside came in time: the next client is looked at
	local peer
	peer=$(http host http://127.0.0.1:8080/cgi-bin/peer)
	[ -n "$peer" ] && [ "$peer" != 10.0.2.2 ]
}
ok 'a client of the host is not the gateway' ns_until 60 by_socket
ok 'limits' nna limit c --rate-in 80kbit --rate-out 80kbit -q
like 'status has them' "$(nna status c)" '*rate in    80kbit*rate out   80kbit*'
is 'to it' "$(slow inside "$c" curl "http://$OUT4/big")" slow
ok 'all of it' cmp "$NS_TMP/open/got" "$NS_TMP/www.out/big"
is 'to a client of the host' "$(slow on host curl http://127.0.0.1:8080/big)" slow
is 'who is the gateway now' "$(http host http://127.0.0.1:8080/cgi-bin/peer)" 10.0.2.2
ok 'datagrams, too' ns_until 60 blast
# They are the supervisor's to keep.
worker=$(nna status c --json | jq '.[0].worker')
kill -KILL "$worker"
is_replaced() { nna status c --json | jq -e ".[0] | .ready and .worker != $worker and .restarts == 1" >/dev/null; }
ok 'its worker is killed, and another there' ns_until 60 is_replaced
is 'which limits as well' "$(slow inside "$c" curl "http://$OUT4/big")" slow
is 'it says so' "$(nna status c --json | jq -c '.[0].limit')" '{"in":80000,"out":80000}'
ok 'one of the two' nna limit c --rate-in none -q
is 'the other stays' "$(nna status c --json | jq -c '.[0].limit')" '{"out":80000}'
is 'it holds' "$(slow on out curl "http://$HOST4:8080/big")" slow
ok 'the other, too' nna limit c --rate-out none -q
ok 'a client of the host comes as before' ns_until 60 by_socket

# What nobody means.
socket=$(on host find /run/user/$UID_A/netns-up -type s)
said() { # ARGUMENTS: what the control socket says of a request for limits
	as $UID_A python3 -c '
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(("{\"execute\":\"limit\"%s}" % sys.argv[2]).encode())
text = b""
while data := s.recv(4096):
  text += data
answer = json.loads(text)
print(answer["error"]["desc"] + " " + answer["error"]["kind"] if "error" in answer else json.dumps(answer["return"]))
' "$socket" "$1"
}
for bad in '' ',"arguments":{}' ',"arguments":{"in":7999}' ',"arguments":{"in":8000.5}' ',"arguments":{"in":-8000}' \
	',"arguments":{"in":"80kbit"}' ',"arguments":{"in":true}' ',"arguments":{"in":8000,"out":[]}' ',"arguments":{"out":1e300}'; do
	is "refused: $bad" "$(said "$bad")" 'bad request: limit: bad arguments usage'
done
is 'nothing of it holds' "$(nna status c --json | jq '.[0].limit')" null
is 'a good one' "$(said ',"arguments":{"in":8000}')" '{"in": 8000, "out": null}'
is 'null is none' "$(said ',"arguments":{"in":null}')" '{"in": null, "out": null}'
refused 2 '*--rate-in*' limit c --rate-in 7999bit
refused 2 '*needed*' limit c
refused 3 '*no network from us*' limit d --rate-in 80kbit
refused 3 '*no network from us*' limit c --ifname eth1 --rate-in 80kbit
ok 'down' nna down c -q
if nna up "$c" --name c --engine relay -q 2>"$NS_TMP/err"; then
	refused 8 "*tap engine's*" limit c --rate-in 80kbit
	ok 'down' nna down c -q
else
	like 'no relay engine here' "$(cat "$NS_TMP/err")" '*relay engine*'
fi
ok 'run has the options, too' nna run --rate-in 80kbit --rate-out 80kbit -- curl -sS -m 60 -o /dev/null "http://$OUT4/hello"
refused 2 '*tap engine*' up "$c" --name c --engine relay --rate-in 80kbit
is 'nothing is up' "$(nna ls | wc -l)" 1
kill -KILL "$c"
ok 'no process stays' ns_until 20 no_slirp
on host rm -rf /run/user/$UID_A/netns-up
residue host "$NS_TMP/before" 'nothing is left'
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# `netns-up metrics`: in the Prometheus text format; a user has what is his, root has all: what is
# attached, what was granted and refused, what is left, connections of published ports, the tables.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
metrics() { on host "$NETNS_UP" metrics; }
# The text format: each name once, after its line of TYPE, and a number at each line's end.
cat >"$NS_TMP/format.py" <<'PY'
import re, sys
seen, name, n = set(), None, 0
for line in sys.stdin.read().splitlines():
    kind = re.fullmatch(r'# TYPE (netd_[a-z_]+) (gauge|counter)', line)
    if kind:
        name = kind[1]
        assert name not in seen, line
        assert (kind[2] == 'counter') == name.endswith('_total'), line
        seen.add(name)
        continue
    sample = re.fullmatch(r'(netd_[a-z_]+)(\{(?:[a-z]+="[^"\\]*",?)*\})? [0-9]+', line)
    assert sample and sample[1] == name, line
    n += 1
print(n > 0)
PY
well_formed() { "$PYTHON" "$NS_TMP/format.py" 2>&1; }
has() { # DESCRIPTION TEXT LINE
	ok "$1" grep -qxF -- "$3" <<-EOF
		$2
	EOF
}
lacks() { # DESCRIPTION TEXT WORD
	nok "$1" grep -qF -- "$3" <<-EOF
		$2
	EOF
}

text=$(metrics)
has 'without netd' "$text" 'netd_up 0'
is 'it is well formed' "$(printf '%s\n' "$text" | well_formed)" True
has 'a user without netd' "$(nta metrics)" 'netd_up 0'

policy 'allow nta default attach,publish,address nics=4 ports=3 range=8000-8099 rate=2' 'allow ntb default attach'
netd_start
box one $UID_A
one=$BOX
box two $UID_B
two=$BOX
ok 'a user: up' nta "$one" --name web -p 8080:80 -q
ok 'another: up' ntb "$two" --name web -q
container_new c1 host
ok 'root: up' on host "$NETNS_UP" up "$(ns_pid c1)" --name db -p 9090:80 -q
nok 'a port that is not allowed' nta publish web 9000:80 -q
nok 'more than allowed' nta publish web 8001:81 8002:82 8003:83 -q
mkdir "$NS_TMP/www" # of its own: not each user may go where the test was started
serve_inside one busybox httpd -f -p 80 -h "$NS_TMP/www"
up() { inside one ss -Hlnt 'sport = :80' | grep -q .; }
ns_until 20 up || bail 'no server'
connect='import socket, sys
for i in range(int(sys.argv[3])): socket.create_connection((sys.argv[1], int(sys.argv[2])), 60).close()'
ok 'connections' on out "$PYTHON" -c "$connect" $HOST4 8080 4

text=$(metrics)
is 'well formed' "$(printf '%s\n' "$text" | well_formed)" True
has 'root: netd is there' "$text" 'netd_up 1'
has 'its version' "$text" "netd_info{version=\"$("$NETNS_UP" --version | sed 's/.* //')\"} 1"
has 'what root has' "$text" 'netd_attachments{uid="0",network="default"} 1'
has 'what a user has' "$text" "netd_attachments{uid=\"$UID_A\",network=\"default\"} 1"
has 'and another' "$text" "netd_attachments{uid=\"$UID_B\",network=\"default\"} 1"
has 'ports' "$text" "netd_ports{uid=\"$UID_A\",network=\"default\"} 1"
has 'connections' "$text" "netd_port_flows_total{uid=\"$UID_A\",id=\"user-$UID_A.web\",ifname=\"eth0\",port=\"8080:80/tcp\"} 4"
has "connections of root's" "$text" 'netd_port_flows_total{uid="0",id="db",ifname="eth0",port="9090:80/tcp"} 0'
has 'a grant' "$text" "netd_requests_total{uid=\"$UID_A\",verb=\"attach\",result=\"granted\"} 1"
has 'a denial' "$text" "netd_requests_total{uid=\"$UID_A\",verb=\"publish\",result=\"denied\"} 1"
has 'more than allowed' "$text" "netd_requests_total{uid=\"$UID_A\",verb=\"publish\",result=\"quota\"} 1"
held=1
! grep -q 'the tables are watched' "$NETD_LOG" || held=0
has 'the tables' "$text" "netd_tables_held $held"
has 'the policy is sound' "$text" 'netd_policy_errors 0'
has 'nothing has ended' "$text" 'netd_ended_total 0'

text=$(nta metrics)
is 'a user: well formed' "$(printf '%s\n' "$text" | well_formed)" True
has 'a user: what he has' "$text" "netd_attachments{uid=\"$UID_A\",network=\"default\"} 1"
has 'by his own names' "$text" "netd_port_flows_total{uid=\"$UID_A\",id=\"web\",ifname=\"eth0\",port=\"8080:80/tcp\"} 4"
has 'what he may have' "$text" "netd_quota{uid=\"$UID_A\",network=\"default\",of=\"interfaces\"} 4"
has 'of ports too' "$text" "netd_quota{uid=\"$UID_A\",network=\"default\",of=\"ports\"} 3"
has 'what he was granted' "$text" "netd_requests_total{uid=\"$UID_A\",verb=\"attach\",result=\"granted\"} 1"
lacks 'nothing of another user' "$text" "$UID_B"
lacks "nothing of root's" "$text" 'uid="0"'
lacks 'nothing of the host' "$text" netd_tables
text=$(ntb metrics)
has 'another user has his' "$text" "netd_attachments{uid=\"$UID_B\",network=\"default\"} 1"
lacks 'and not the first one' "$text" "$UID_A"
like 'the same on the socket' "$(ask_netd $UID_A metrics)" "*{\"ok\":true,\"metrics\":\"# TYPE netd_info*uid=\\\\\"$UID_A\\\\\"*"

# --- too much --------------------------------------------------------------------------------------
i=0
while [ $i -lt 12 ]; do
	nta publish web "80$((20 + i)):80" -q 2>/dev/null
	nta unpublish web "80$((20 + i)):80" -q 2>/dev/null
	i=$((i + 1))
done
like 'too many a minute' "$(nta metrics)" "*netd_requests_total{uid=\"$UID_A\",verb=\"publish\",result=\"rate\"} [1-9]*"
cat >"$NS_TMP/many.py" <<'PY'
# Requests that the front refuses: none of them is one.
import sys
sys.path.insert(0, sys.argv[1])
import client
for i in range(30):
    client.ask_raw(b'{}')
PY
ok 'what is no request' as $UID_B "$PYTHON" "$NS_TMP/many.py" "$NS_TMP"
like 'is counted for root' "$(metrics)" '*netd_front_refused_total 30*'
echo 'alow * * all' >"$POLICY/10-bad.conf"
has 'a policy that is wrong' "$(metrics)" 'netd_policy_errors 1'
rm "$POLICY/10-bad.conf"

# --- ends, repairs, an upgrade ---------------------------------------------------------------------
ns_kill two
gone() { metrics >"$NS_TMP/now" && grep -qx 'netd_ended_total 1' "$NS_TMP/now"; }
ok 'an end is counted' ns_until 60 gone
lacks 'and what has ended is not there' "$(cat "$NS_TMP/now")" "netd_attachments{uid=\"$UID_B\""
if [ $held -eq 0 ]; then
	on host nft flush ruleset
	mended() { metrics | grep -qx 'netd_tables_mended_total [1-9][0-9]*'; }
	ok 'a repair is counted' ns_until 60 mended
else
	has 'no repair' "$(metrics)" 'netd_tables_mended_total 0'
fi
ok 'an upgrade' kill -USR2 "$NETD_PID"
ok 'comes to its end' ns_until 60 grep -q 'has taken over from' "$NETD_LOG"
again() { metrics >"$NS_TMP/now" && grep -qx 'netd_ended_total 0' "$NS_TMP/now"; }
ok 'what netd counts begins anew' ns_until 60 again
[ $held -eq 0 ] || has 'what the kernel counts goes on' "$(metrics)" \
	"netd_port_flows_total{uid=\"$UID_A\",id=\"user-$UID_A.web\",ifname=\"eth0\",port=\"8080:80/tcp\"} 4"
ok 'down' nta down web -q
ok 'down' on host "$NETNS_UP" down db -q
ok 'the end' netd_stop
for b in one c1; do ns_kill $b; done
NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

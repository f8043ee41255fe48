#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# cni: the plugin on a host: ADD, CHECK, DEL, GC and STATUS of a dual-stack network with a published port
# reached from another host; chained plugins after ours and after an interface of somebody else's; a
# delegated IPAM plugin that fails; nothing left in the end.
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR

cp "$NETNS_UP_CNI" "$NS_TMP/bin/netns-up-cni" || bail 'no plugin'
mkdir "$NS_TMP/cni"
"$NETNS_UP" install-cni -q "$NS_TMP/cni" || bail 'install-cni'

ns_world
snapshot host >"$NS_TMP/before"

# conf REST: a configuration of network web with bridge nuweb.
conf() {
	printf '{"cniVersion":"%s","name":"%s","type":"bridge","bridge":"nuweb"%s}' \
		"${VERSION:-1.1.0}" "${NET:-web}" "${1:+,$1}"
}
IPAM='"isDefaultGateway":true,"ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"203.0.113.0/26"}],
[{"subnet":"2001:db8:83::/64"}]]}'

# cni COMMAND TYPE CONTAINER|- CONF [ENV...]: one call; its answer is in $NS_TMP/answer and its own result the
# exit status. The container's id is its name, its interface $IFNAME.
cni() {
	local command type path id
	command=$1 type=$2 id=$3 path=''
	[ "$id" = - ] && id='' || path=/proc/$(ns_pid "$id")/ns/net
	printf '%s' "$4" >"$NS_TMP/stdin"
	shift 4
	# shellcheck disable=SC2086 # words
	on host env CNI_COMMAND="$command" CNI_CONTAINERID="$id" CNI_NETNS="${NETNS-$path}" \
		CNI_IFNAME="${IFNAME:-eth0}" CNI_PATH="$NS_TMP/cni" "$@" \
		"$NS_TMP/cni/$type" <"$NS_TMP/stdin" >"$NS_TMP/answer" 2>"$NS_TMP/cni.err"
}
answer() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$NS_TMP/answer" "$1" 2>&1; }
# fails CODE DESCRIPTION ARGS OF cni: it fails with that code, in one document.
fails() {
	local code what
	code=$1 what=$2
	shift 2
	if cni "$@"; then
		fail "$what" "it succeeded: $(cat "$NS_TMP/answer")"
	else
		is "$what" "$(answer 'd["code"]')" "$code" || note "$(cat "$NS_TMP/answer" "$NS_TMP/cni.err")"
	fi
}
# prev CONF: the same with the last answer as prevResult.
prev() { python3 -c 'import json,sys; c=json.loads(sys.argv[2]); c["prevResult"]=json.load(open(sys.argv[1])); print(json.dumps(c))' "$NS_TMP/${2:-answer}" "$1"; }
# refused HOST URL: what the URL answers, nothing being expected.
refused() { on "$1" curl -sS -g -m 1 --noproxy '*' "$2" 2>/dev/null; }
silent() { is "$1" "$(wc -c <"$NS_TMP/answer")" 0; }

# --- one container ---
container_new box host
serve_http box 80
PORTS='"runtimeConfig":{"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":""}]}'
WEB=$(conf "$IPAM,$PORTS")
ok 'DEL before any ADD' cni DEL bridge box "$WEB"
residue host "$NS_TMP/before" 'DEL before any ADD makes nothing'
ok 'STATUS before any ADD' cni STATUS bridge - "$WEB"
silent 'STATUS says nothing'
residue host "$NS_TMP/before" 'STATUS makes nothing'
ok 'ADD' cni ADD bridge box "$WEB"
cp "$NS_TMP/answer" "$NS_TMP/first"
is 'the addresses of both families, in order' \
	"$(answer '[i["address"] for i in d["ips"]]')" "['203.0.113.2/26', '2001:db8:83::2/64']"
is 'interfaces: bridge, host end, container end' \
	"$(answer '[("sandbox" in i, i["mtu"]) for i in d["interfaces"]]')" '[(False, 1500), (False, 1500), (True, 1500)]'
is 'the addresses are at the last' "$(answer '[i["interface"] for i in d["ips"]]')" '[2, 2]'
is 'default routes through the gateways' \
	"$(answer '[r["dst"] + " " + r["gw"] for r in d["routes"]]')" "['0.0.0.0/0 203.0.113.1', '::/0 2001:db8:83::1']"
is 'the interface has the MAC address of the result' "$(on box ip -br link show eth0 | awk '{ print $3 }')" \
	"$(answer 'd["interfaces"][2]["mac"]')"
is 'no address is tentative' "$(on box ip -6 -o addr show dev eth0 scope global tentative)" ''
is 'another host reaches the published port, IPv4' "$(http out http://$HOST4:8080/hello)" 'hello from box'
is 'another host reaches the published port, IPv6' "$(http out "http://[$HOST6]:8080/hello")" 'hello from box'
is 'the host reaches it on 127.0.0.1' "$(http host http://127.0.0.1:8080/hello)" 'hello from box'
is 'the container reaches the other host' "$(on box ping -c1 -W10 -q $OUT4 >/dev/null && echo yes)" yes
ok 'the same ADD again' cni ADD bridge box "$WEB"
ok 'answers the same' cmp "$NS_TMP/answer" "$NS_TMP/first"
fails 102 'another ADD of the same name' ADD bridge box "$(conf "$IPAM")"
WEBPREV=$(prev "$WEB" first)
ok 'CHECK' cni CHECK bridge box "$WEBPREV"
silent 'CHECK says nothing'
fails 7 'CHECK without prevResult' CHECK bridge box "$WEB"
on box ip addr del 203.0.113.2/26 dev eth0
fails 103 'CHECK after an address was removed' CHECK bridge box "$WEBPREV"
like 'which is named' "$(answer 'd["details"]')" '*203.0.113.2/26*'
ok 'the same ADD puts it back' cni ADD bridge box "$WEB"
ok 'CHECK' cni CHECK bridge box "$WEBPREV"
fails 102 'a second ADD from another namespace' ADD bridge box "$WEB" CNI_NETNS="/proc/$(ns_pid out)/ns/net"

# --- errors leave nothing ---
container_new other host
look host >"$NS_TMP/kernel"
fails 100 'a taken host port' ADD bridge other "$WEB"
like 'whose it is' "$(answer 'd["details"]')" '*box*'
IFNAME=lo fails 7 'the interface lo' ADD bridge other "$WEB"
NETNS=/run/absent fails 3 'a namespace that is gone' ADD bridge other "$WEB"
NETNS=$(printf '/run/\377') fails 4 'a path that is no UTF-8' ADD bridge other "$WEB"
NETNS=/etc/hostname fails 8 'a file in place of a namespace' ADD bridge other "$WEB"
NETNS=/proc/self/ns/net fails 8 "the plugin's own namespace" ADD bridge other "$WEB"
fails 7 'a bridge that is none' ADD bridge other "$(conf "$IPAM" | sed 's/nuweb/eth0/;s/"web"/"web2"/')"
fails 7 'an address out of the ranges' ADD bridge other "$(conf "$IPAM")" CNI_ARGS='IP=203.0.113.99'
fails 101 'an address that is taken' ADD bridge other "$(conf "$IPAM")" CNI_ARGS='IP=203.0.113.2'
on other ip link add eth0 type veth peer name peer
fails 102 'an interface that exists' ADD bridge other "$(conf "$IPAM")"
on other ip link del eth0
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'none of them left anything' "$(cat "$NS_TMP/diff")" ''

# --- a delegated IPAM plugin ---
mkdir "$NS_TMP/ipam"
plugin() { printf '#!/bin/sh\necho "$CNI_COMMAND" >>%s/ipam/calls\n%s\n' "$NS_TMP" "$2" >"$NS_TMP/cni/$1"; chmod 755 "$NS_TMP/cni/$1"; }
plugin ipam-good '[ "$CNI_COMMAND" != ADD ] || echo "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"203.0.113.77/26\",\"gateway\":\"203.0.113.65\"},\"dns\":{\"nameservers\":[\"203.0.113.99\"],\"domain\":\"lan\"}}"'
plugin ipam-none '[ "$CNI_COMMAND" != ADD ] || echo "{\"cniVersion\":\"1.0.0\"}"'
plugin ipam-junk '[ "$CNI_COMMAND" != ADD ] || { echo oops; exit 1; }'
plugin ipam-says '[ "$CNI_COMMAND" != ADD ] || { echo "{\"code\":123,\"msg\":\"no luck\"}"; exit 1; }'
plugin ipam-hangs '[ "$CNI_COMMAND" != ADD ] || sleep 60'
TIMEOUT=20
foreign() { NET=deleg conf "\"isGateway\":true,\"delegateTimeout\":$TIMEOUT,\"ipam\":{\"type\":\"$1\"}" | sed s/nuweb/nudeleg/; }
fails 7 'an IPAM plugin that is not there' ADD bridge other "$(foreign absent)"
fails 7 'a path in place of an IPAM plugin' ADD bridge other "$(foreign ../cni/netd)"
fails 7 'an IPAM plugin without an address' ADD bridge other "$(foreign ipam-none)"
is 'it was told to take it back' "$(tr '\n' ' ' <"$NS_TMP/ipam/calls")" 'ADD DEL '
fails 123 "an IPAM plugin's own code" ADD bridge other "$(foreign ipam-says)"
fails 999 'an IPAM plugin that writes junk' ADD bridge other "$(foreign ipam-junk)"
like 'which is quoted' "$(answer 'd["details"]')" '*oops*'
: >"$NS_TMP/ipam/calls"
TIMEOUT=3
fails 11 'an IPAM plugin that hangs' ADD bridge other "$(foreign ipam-hangs)"
TIMEOUT=20
is 'it was told to take it back, too' "$(tr '\n' ' ' <"$NS_TMP/ipam/calls")" 'ADD DEL '
: >"$NS_TMP/ipam/calls"
ok 'ADD with an IPAM plugin, SIGCHLD ignored' cni ADD bridge other "$(foreign ipam-good)" env --ignore-signal=CHLD
is 'its address' "$(answer 'd["ips"][0]["address"]')" 203.0.113.77/26
ok 'the same ADD again' cni ADD bridge other "$(foreign ipam-good)"
is 'asks no second time' "$(cat "$NS_TMP/ipam/calls")" ADD
is 'and answers with its dns, too' "$(answer 'd["dns"]["nameservers"], d["dns"]["domain"]')" "(['203.0.113.99'], 'lan')"
fails 50 'STATUS without the IPAM plugin' STATUS bridge - "$(foreign absent)"
ok 'STATUS with it' cni STATUS bridge - "$(foreign ipam-good)"
ok 'DEL' cni DEL bridge other "$(foreign ipam-good)"
is 'DEL goes on to the IPAM plugin' "$(tail -n 1 "$NS_TMP/ipam/calls")" DEL
ok 'DEL again' cni DEL bridge other "$(foreign ipam-good)"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of it is left' "$(cat "$NS_TMP/diff")" ''

# --- the reference chain, name by name ---
container_new chain host
serve_http chain 80
ok 'chain: bridge' cni ADD bridge chain "$(conf "$IPAM")"
C=$(prev "$(conf '"runtimeConfig":{"portMappings":[{"hostPort":8081,"containerPort":80,"protocol":"tcp"}]}')")
ok 'chain: portmap' cni ADD portmap chain "$C"
is 'passes the result on' "$(answer 'len(d["interfaces"]), len(d["ips"])')" '(3, 2)'
is 'its port is reached' "$(http out http://$HOST4:8081/hello)" 'hello from chain'
ok 'chain: firewall' cni ADD firewall chain "$(prev "$(conf)")"
ok 'chain: tuning' cni ADD tuning chain "$(prev "$(conf '"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"},"mtu":1400')")"
is 'its sysctl' "$(on chain cat /proc/sys/net/ipv4/conf/eth0/arp_filter)" 1
is 'the result has the new MTU' "$(answer 'd["interfaces"][2]["mtu"]')" 1400
ok 'chain: bandwidth' cni ADD bandwidth chain "$(prev "$(conf '"runtimeConfig":{"bandwidth":{"ingressRate":8000000,"egressRate":8000000}}')")"
like 'its limit' "$(on host tc qdisc show | grep -c tbf)" 2
FINAL=$(prev "$(conf "$IPAM")")
ok 'chain: CHECK of bridge' cni CHECK bridge chain "$FINAL"
ok 'chain: CHECK of portmap' cni CHECK portmap chain "$C"
is 'still reached' "$(http out http://$HOST4:8081/hello)" 'hello from chain'
ok 'chain: DEL of bandwidth' cni DEL bandwidth chain "$FINAL"
is 'no limit is left' "$(on host tc qdisc show | grep -c tbf)" 0
ok 'chain: DEL of tuning' cni DEL tuning chain "$FINAL"
ok 'chain: DEL of firewall' cni DEL firewall chain "$FINAL"
ok 'chain: DEL of portmap' cni DEL portmap chain "$C"
is 'its port is closed' "$(refused out http://$HOST4:8081/hello)" ''
ok 'chain: DEL of bridge' cni DEL bridge chain "$FINAL"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of the chain is left' "$(cat "$NS_TMP/diff")" ''

# --- more ports than a shell lets a process have descriptors ---
container_new many host
serve_http many 80
MANY=$(python3 -c 'import json; print(json.dumps([{"hostPort": 10000 + 2 * n, "containerPort": 80, "protocol": "tcp"} for n in range(300)]))')
ok '300 ports with a soft limit of 128 descriptors' cni ADD netd many \
	"$(conf "$IPAM,\"runtimeConfig\":{\"portMappings\":$MANY}")" prlimit --nofile=128:
is 'the last one is reached' "$(http out http://$HOST4:10598/hello)" 'hello from many'
ok 'DEL of 300 ports' cni DEL netd many "$(conf "$IPAM")"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of them is left' "$(cat "$NS_TMP/diff")" ''

# --- what is not done is refused by name, and nothing is made ---
container_new plain host
ok 'refusals: bridge' cni ADD bridge plain "$(conf "$IPAM,\"runtimeConfig\":{\"aliases\":[\"web\",\"web.lan\"]}")"
like 'aliases are on record' "$(on host "$NETNS_UP" status plain --json)" '*"aliases"*"web"*"web.lan"*'
PORTS='"runtimeConfig":{"portMappings":[{"hostPort":8089,"containerPort":80,"protocol":"tcp"}]}'
cp "$NS_TMP/answer" "$NS_TMP/plain"
look host >"$NS_TMP/kernel.plain"
refuse() { # PLUGIN KEYS: the first of them
	local key
	key=${2%%\":*}
	fails 2 "$1: ${key#\"}" ADD "$1" plain "$(prev "$(conf "$2")" plain)"
	like 'the key is named' "$(answer 'd["msg"]')" "unsupported field ${key#\"}: *"
}
refuse portmap "\"conditionsV4\":[\"-s\",\"192.0.2.1\"],$PORTS"
refuse portmap "\"conditionsV6\":[\"!\",\"-d\",\"::1\"],$PORTS"
refuse portmap "\"allowShadow\":true,$PORTS"
refuse bandwidth '"unshapedSubnets":["10.0.0.0/8"],"ingressRate":8000000'
refuse bandwidth '"shapedSubnets":["10.0.0.0/8"],"ingressRate":8000000'
look host | diff "$NS_TMP/kernel.plain" - >"$NS_TMP/diff"
is 'none of them made anything' "$(cat "$NS_TMP/diff")" ''
on host tc qdisc replace dev "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["interfaces"][1]["name"])' "$NS_TMP/plain")" root handle 7: pfifo
ok 'a discipline at the root of a link of ours gives way' cni ADD bandwidth plain \
	"$(prev "$(conf '"ingressRate":8000000')" plain)"
ok 'refusals: DEL' cni DEL bridge plain "$(conf "$IPAM")"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of it is left' "$(cat "$NS_TMP/diff")" ''

# --- ingressPolicy of a chained firewall ---
closed() { NET=closed conf "$IPAM" | sed 's/nuweb/nuclosed/; s,203.0.113.0/26,203.0.113.192/26,; s,db8:83:,db8:84:,'; }
policy() { NET=closed conf "\"ingressPolicy\":\"$1\""; }
container_new shy host
serve_http shy 80
ok 'policy: bridge' cni ADD bridge shy "$(closed)"
is 'open: reached from elsewhere' "$(http out http://203.0.113.194/hello)" 'hello from shy'
fails 2 'policy: isolated comes too late' ADD firewall shy "$(prev "$(policy isolated)")"
ok 'policy: bridge again' cni ADD bridge shy "$(closed)"
ok 'policy: same-bridge' cni ADD firewall shy "$(prev "$(policy same-bridge)")"
is 'not reached from elsewhere any more' "$(refused out http://203.0.113.194/hello)" ''
is 'reached from the host' "$(http host http://203.0.113.194/hello)" 'hello from shy'
ok 'policy: the bridge plugin of the next container' cni ADD bridge other "$(closed)"
is 'reached from there' "$(http other http://203.0.113.194/hello)" 'hello from shy'
is 'and not from elsewhere' "$(refused out http://203.0.113.194/hello)" ''
ok 'CHECK' cni CHECK bridge other "$(prev "$(closed)")"
ok 'policy: DEL' cni DEL bridge other "$(closed)"
ok 'policy: DEL of the other' cni DEL bridge shy "$(closed)"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of it is left' "$(cat "$NS_TMP/diff")" ''

# --- names: only where the configuration asks ---
named() { NET=named conf "$IPAM,$1" | sed 's/nuweb/nunamed/; s,203.0.113.0/26,203.0.113.192/26,; s,db8:83:,db8:84:,'; }
container_new n1 host
container_new n2 host
ok 'names: one container' cni ADD bridge n1 "$(named '"names":true,"runtimeConfig":{"aliases":["web.lan"]}')"
is 'the resolver is in the result' "$(answer 'd["dns"]["nameservers"]')" "['203.0.113.193', '2001:db8:84::1']"
ok 'names: another, with a resolver of its own' cni ADD bridge n2 \
	"$(named '"names":true,"dns":{"nameservers":["192.0.2.53"]}')"
is 'which stays' "$(answer 'd["dns"]["nameservers"]')" "['192.0.2.53']"
is 'an alias is found' "$(on n2 dig +short +time=20 +tries=1 @203.0.113.193 web.lan)" 203.0.113.194
is 'by IPv6' "$(on n2 dig +short +time=20 +tries=1 @2001:db8:84::1 web.lan AAAA)" 2001:db8:84::2
ok 'names: CHECK' cni CHECK bridge n2 "$(prev "$(named '"names":true')")"
fails 7 'names: all members or none' ADD bridge plain "$(named '"mtu":1500')"
ok 'names: DEL' cni DEL bridge n1 "$(named '"names":true')"
is 'gone at once' "$(on n2 dig +time=20 +tries=1 @203.0.113.193 -x 203.0.113.194 | sed -nE 's/.*status: ([A-Z]+),.*/\1/p')" NXDOMAIN
ok 'names: DEL of the other' cni DEL bridge n2 "$(named '"names":true')"
fails 7 'names: only at a gateway' ADD bridge n1 "$(NET=named conf '"names":true')"
look host | diff "$NS_TMP/kernel" - >"$NS_TMP/diff"
is 'nothing of them is left' "$(cat "$NS_TMP/diff")" ''

# --- behind an interface of somebody else's ---
container_new alien host
on host ip link add caliX type veth peer name eth0 netns "$(ns_pid alien)"
on host sysctl -qw net.ipv4.conf.caliX.forwarding=1 net.ipv6.conf.caliX.disable_ipv6=1
on host ip link set caliX up
on host ip addr add 203.0.113.129/26 dev caliX
on alien ip link set eth0 up
on alien ip addr add 203.0.113.137/26 dev eth0
on alien ip route add default via 203.0.113.129
serve_http alien 80
printf '{"cniVersion":"1.1.0","interfaces":[{"name":"caliX"},{"name":"eth0","sandbox":"/x"}],
	"ips":[{"address":"203.0.113.137/26","gateway":"203.0.113.129","interface":1}]}' >"$NS_TMP/answer"
look host >"$NS_TMP/alien"
C=$(prev "$(NET=cali conf '"runtimeConfig":{"portMappings":[{"hostPort":8082,"containerPort":80,"protocol":"tcp"}]}')")
ok 'portmap behind a foreign plugin' cni ADD portmap alien "$C"
is 'its port is reached' "$(http out http://$HOST4:8082/hello)" 'hello from alien'
is 'on 127.0.0.1, too' "$(http host http://127.0.0.1:8082/hello)" 'hello from alien'
cp "$NS_TMP/answer" "$NS_TMP/beforebw"
on host tc qdisc add dev caliX root handle 7: pfifo limit 33
fails 7 'bandwidth where somebody has a discipline' ADD bandwidth alien "$(prev "$(NET=cali conf '"ingressRate":8000000')")"
like 'it is named' "$(answer 'd["msg"]')" '*caliX*pfifo 7:*'
is 'and stays' "$(on host tc qdisc show dev caliX | grep -c 'pfifo 7: root .*limit 33p')" 1
on host tc qdisc del dev caliX root
cp "$NS_TMP/beforebw" "$NS_TMP/answer"
ok 'bandwidth behind it' cni ADD bandwidth alien "$(prev "$(NET=cali conf '"ingressRate":8000000')")"
is 'its limit' "$(on host tc qdisc show dev caliX | grep -c tbf)" 1
ok 'CHECK of portmap' cni CHECK portmap alien "$C"
ok 'DEL of bandwidth' cni DEL bandwidth alien "$C"
ok 'DEL of portmap' cni DEL portmap alien "$C"
look host | diff "$NS_TMP/alien" - >"$NS_TMP/diff"
is 'the foreign interface is as it was' "$(cat "$NS_TMP/diff")" ''

# --- host-local for a foreign plugin ---
L='{"cniVersion":"1.0.0","name":"mac","type":"macvlan","ipam":{"type":"host-local","subnet":"198.51.100.0/29","rangeStart":"198.51.100.3","rangeEnd":"198.51.100.4"}}'
ok 'host-local: ADD' cni ADD host-local alien "$L"
is 'its address' "$(answer 'd["ips"][0]["address"]')" 198.51.100.3/29
ok 'host-local: the same again' cni ADD host-local alien "$L"
is 'is the same address' "$(answer 'd["ips"][0]["address"]')" 198.51.100.3/29
IFNAME=eth1 cni ADD host-local alien "$L"
is 'has the next' "$(answer 'd["ips"][0]["address"]')" 198.51.100.4/29
IFNAME=eth2 fails 101 'host-local: no address is left' ADD host-local alien "$L"
fails 50 'host-local: STATUS' STATUS host-local - "$(echo "$L" | sed 's/1.0.0/1.1.0/')"
ok 'host-local: CHECK' cni CHECK host-local alien "$(prev "$L")"
ok 'host-local: DEL' cni DEL host-local alien "$L"
ok 'host-local: GC takes the other' cni GC host-local - \
	"$(echo "$L" | sed 's/1.0.0/1.1.0/;s/"name"/"cni.dev\/valid-attachments":[],"name"/')"
ok 'host-local: STATUS again' cni STATUS host-local - "$(echo "$L" | sed 's/1.0.0/1.1.0/')"

# --- leases of the reference plugin ---
mkdir -p "$NS_TMP/networks/old"
printf 'gone\r\neth0' >"$NS_TMP/networks/old/203.0.113.66"
printf 'gone2' >"$NS_TMP/networks/old/203.0.113.67"
printf '203.0.113.67' >"$NS_TMP/networks/old/last_reserved_ip.0"
: >"$NS_TMP/networks/old/lock"
is 'leases are taken over' "$(on host "$NETNS_UP" network import "$NS_TMP/networks/old")" 'leases taken over: 2'
O=$(echo "$L" | sed 's/"mac"/"old"/; s,198.51.100.0/29,203.0.113.64/26,; s/198.51.100.3/203.0.113.66/; s/198.51.100.4/203.0.113.70/')
ok 'host-local: ADD beside them' cni ADD host-local alien "$O"
is 'gets an address that is free' "$(answer 'd["ips"][0]["address"]')" 203.0.113.68/26
ok 'DEL of one that was taken over' cni DEL host-local - "$O" CNI_CONTAINERID=gone
IFNAME=eth1 cni ADD host-local alien "$O" CNI_ARGS=IP=203.0.113.66
is 'its address is free' "$(answer 'd["ips"][0]["address"]')" 203.0.113.66/26
ok 'GC takes the rest' cni GC host-local - \
	"$(echo "$O" | sed 's/1.0.0/1.1.0/;s/"name"/"cni.dev\/valid-attachments":[],"name"/')"
nok 'no such directory' on host "$NETNS_UP" network import "$NS_TMP/networks/absent"

# --- loopback ---
IFNAME=lo cni ADD loopback other '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'
is 'lo is up' "$(on other ip -br link show lo | awk '{ print $2 }')" UNKNOWN
is 'and in the result' "$(answer '[i["address"] for i in d["ips"]]')" "['127.0.0.1/8', '::1/128']"

# --- an interface of somebody else's, of whose addresses nothing is known ---
printf '{"cniVersion":"1.1.0","interfaces":[{"name":"caliX"},{"name":"eth0","sandbox":"/x"}]}' >"$NS_TMP/answer"
B=$(prev "$(NET=bare conf '"sysctl":{"net.ipv4.conf.IFNAME.arp_filter":"1"}')")
ok 'bare: tuning' cni ADD tuning alien "$B"
ok 'bare: tuning again' cni ADD tuning alien "$B"
ok 'bare: CHECK' cni CHECK tuning alien "$B"
ok 'bare: DEL' cni DEL tuning alien "$B"
is 'bare: its record is gone' "$(on host sh -c 'ls /run/netd/attachments | grep -c alien')" 0

# --- GC, and the end ---
keep() { conf "$IPAM,\"cni.dev/valid-attachments\":$1"; }
fails 7 'GC without a list' GC bridge - "$(conf "$IPAM")"
fails 1 'GC of an old version' GC bridge - "$(VERSION=1.0.0 keep '[]')"
ok 'GC of a network with a common prefix' cni GC bridge - "$(NET=we keep null)"
ok 'GC that names the container' cni GC bridge - "$(keep '[{"containerID":"box","ifname":"eth0"}]')"
ok 'GC with one list empty and one that names it' cni GC bridge - \
	"$(conf "$IPAM,\"cni.dev/valid-attachments\":null,\"cni.dev/attachments\":[{\"containerID\":\"box\",\"ifname\":\"eth0\"}]")"
is 'it is still reached' "$(http out http://$HOST4:8080/hello)" 'hello from box'
on host sh -c 'cd /run/netd/attachments && cp box@eth0 /run/kept && sed -i s/203.0.113.2/203.0.113.9/ box@eth0'
fails 5 'GC of another network beside a record that cannot be read' GC bridge - "$(NET=we keep null)"
is 'leaves its container alone' "$(http out http://$HOST4:8080/hello)" 'hello from box'
on host sh -c 'cat /run/kept >/run/netd/attachments/box@eth0; rm /run/kept'
ok 'GC with an empty list' cni GC bridge - "$(keep null)"
silent 'GC says nothing'
is 'it is not reached any more' "$(refused out http://$HOST4:8080/hello)" ''
on host ip link del caliX
residue host "$NS_TMP/before" 'nothing is left'
ns_kill box

# --- root of a user namespace: its state is with the user's things ---
rootless() {
	NETNS_TMP=$NS_TMP unshare --user --map-root-user --net --mount sh -ec '
		call() { CNI_COMMAND=$1 CNI_CONTAINERID=c CNI_NETNS=/run/netns/c CNI_IFNAME=eth0 CNI_PATH=/x \
			XDG_RUNTIME_DIR=/run/user "$NETNS_TMP/cni/bridge" <"$NETNS_TMP/stdin"; }
		mount -t tmpfs tmpfs /run
		mkdir /run/netns /run/user
		ip link set lo up
		ip netns add c
		call ADD >"$NETNS_TMP/answer"
		[ -d /run/user/netd ] && [ ! -e /run/netd ]
		ip netns exec c ping -q -c1 -W10 203.0.113.1 >/dev/null
		call STATUS
		call DEL
		[ -z "$(ls /run/user)" ]
		ip -br link | grep -v "^lo " && exit 1
		nft list ruleset | grep . && exit 1
		ip netns del c'
}
printf '%s' "$WEB" >"$NS_TMP/stdin"
ok 'ADD, STATUS and DEL as root of a user namespace' rootless
NETNS='' ok 'DEL when the namespace is gone' cni DEL bridge other "$WEB"
ns_done

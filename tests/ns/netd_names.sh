#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# Names of ordinary users' containers, by netd: each user's find each other by name and by --alias, or by
# CNI's aliases, and nobody else's, be the names the same.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow * default attach,publish nics=9 rate=1000'
netd_start

addr() { # BOX 4|6
	case $2 in
	4) inside "$1" ip -4 -o addr show dev eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/' ;;
	6) inside "$1" ip -6 -o addr show dev eth0 scope global | sed -E 's/.* inet6 ([0-9a-f:]+).*/\1/' ;;
	esac
}
look() { # BOX NAME 4|6: what the resolver says
	inside "$1" dig +short +time=20 +tries=2 "@$(nta status web --json | jq -r ".[0].resolver$3")" \
		-q "$2" -t "$([ "$3" = 4 ] && echo A || echo AAAA)"
}
for c in web db; do
	box $c $UID_A
done
box theirs $UID_B
like 'with two further names' "$(nta "$(ns_pid web)" --name web --alias www --alias shop.prod -v 2>&1)" 'web eth0 10.77.0.*'
ok 'a neighbour of the same user' nta "$(ns_pid db)" -q --name db --alias www
like 'another user takes the same names' "$(ntb "$(ns_pid theirs)" --name web --alias www -v 2>&1)" 'web eth0 10.77.0.*'
for f in 4 6; do
	is "IPv$f: by the name" "$(look db web $f)" "$(addr web $f)"
	is "IPv$f: by a further name" "$(look db shop.prod $f)" "$(addr web $f)"
	is "IPv$f: by one that two have" "$(look web www $f | sort)" "$(printf '%s\n' "$(addr web $f)" "$(addr db $f)" | sort)"
	is "IPv$f: the other user finds his own" "$(look theirs www $f)" "$(addr theirs $f)"
	is "IPv$f: and no name of theirs" "$(look theirs shop.prod $f)" ''
done
like 'they are shown' "$(nta status web)" '*alias*www*alias*shop.prod*'
ok 'the same again is the same' nta "$(ns_pid web)" -q --name web --alias www --alias shop.prod
nok 'other names are other settings' nta "$(ns_pid web)" -q --name web --alias www
like 'a name that is none' "$(ask_netd $UID_A attach x "/proc/$(ns_pid db)/ns/net" --alias www)" '*"error"*'
like 'more than there is room for is not netd'"'s" "$(nta "$(ns_pid db)" -v --name x --ifname e2 \
	$(seq -f '--alias n%g' 17) 2>&1)" '*more than 16 further names*'
# The same by the CNI plugin.
mkdir -m 755 "$NS_TMP/cni" && cp "$NETNS_UP_CNI" "$NS_TMP/cni/netd" || bail 'no plugin'
alias_cni() { # COMMAND NAME...: as the first user, for the container "cart"
	local command
	command=$1
	shift
	printf '{"cniVersion":"1.1.0","name":"default","type":"netd","capabilities":{"aliases":true},
"runtimeConfig":{"aliases":[%s]}}' "$(printf '"%s"\n' "$@" | paste -sd,)" |
		as $UID_A env CNI_COMMAND="$command" CNI_CONTAINERID=cart CNI_IFNAME=eth0 CNI_PATH="$NS_TMP/cni" \
			CNI_NETNS="/proc/$(ns_pid cart)/ns/net" "$NS_TMP/cni/netd" 2>&1
}
box cart $UID_A
like 'CNI: more aliases than netd takes' "$(alias_cni ADD $(seq -f 'n%g' 17))" '*"code":104*aliases*'
is 'CNI: of which nothing is left' "$(nta ls --json | jq '[.[] | select(.id == "cart")] | length')" 0
like 'CNI: ADD' "$(alias_cni ADD www basket.prod)" '*"address":"10.77.0.*'
for f in 4 6; do
	is "CNI, IPv$f: by an alias" "$(look db basket.prod $f)" "$(addr cart $f)"
	is "CNI, IPv$f: by one that three have" "$(look web www $f | sort)" \
		"$(for b in web db cart; do addr $b $f; done | sort)"
	is "CNI, IPv$f: nothing for the other user" "$(look theirs basket.prod $f)" ''
done
is 'CNI: DEL' "$(alias_cni DEL www basket.prod)" ''
is 'CNI: and the alias is gone' "$(look db basket.prod 4)" ''
ok 'down' nta down db -q
is 'a further name goes with its container' "$(look web www 4)" "$(addr web 4)"
ok 'down' nta down web -q
ok 'down' ntb down web -q
ok 'SIGTERM' netd_stop

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

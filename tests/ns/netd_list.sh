#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# A list that is longer than an answer of netd's: asked for page by page, each after the last one's end.
. "$(dirname "$0")/netd_lib.sh"
netd_world
snapshot host >"$NS_TMP/before"
policy 'allow * default attach,publish nics=40 ports=3000 rate=10000'
netd_start

box many $UID_A
many=$BOX
box other $UID_B
ok 'what is another user'"'s" ntb "$BOX" -q --name m05
n=30
i=0
while [ $i -lt $n ]; do # 30 runs of ports each
	name=$(printf 'm%02d' $i)
	ports=$(seq -f '-p %g:80' $((10000 + i * 60)) 2 $((10000 + i * 60 + 58)))
	# shellcheck disable=SC2086 # words
	nta "$many" -q --name "$name" --ifname "n$i" $ports >"$NS_TMP/up.out" 2>&1 ||
		fail "up $name" "$(cat "$NS_TMP/up.out")"
	i=$((i + 1))
done
wanted=$(seq -f 'm%02g' 0 $((n - 1)) | tr '\n' ' ')
names() { sed -nE 's/^ *"id": "(.*)",?$/\1/p' | tr '\n' ' '; }
is 'ls knows all of them, in order' "$(nta ls --json | names)" "$wanted"
is 'and status each' "$(nta status m29 --json | names)" 'm29 '
like 'in one answer they are refused' "$(ask_netd $UID_A list | cut -c1-99)" '*"quota"*'

# What a page is.
page() { # AFTER: "IDS... more|all TRUE-WHEN-IT-FITS"
	ask_netd $UID_A list --after "$1" | "$PYTHON" -c '
import json, sys
text = sys.stdin.read().strip()
page = json.loads(text)
print(*(a["id"] for a in page["attachments"]), "more" if page.get("more") else "all", len(text) <= 60 * 1024)'
}
like 'the first page is what fits' "$(page '')" 'm00 m01 *more True'
is 'the last one says so' "$(page m27@n27)" 'm28 m29 all True'
is 'after what is not there' "$(page m28@a)" 'm28 m29 all True'
is 'after the last' "$(page m29@n29)" 'all True'
like 'after what is no name' "$(ask_netd $UID_A list --after ../x)" '*"error"*'
is 'of another user it is his' "$(as $UID_B "$PYTHON" "$NS_TMP/client.py" list --after '' | grep -o '"id":"[^"]*"')" \
	'"id":"m05"'

# Down, one by one, by what is listed.
for name in $wanted; do nta down "$name" -q || fail "down $name"; done
is 'all are gone' "$(nta ls --json | names)" ''
ok 'the other one is still there' ntb down m05 -q
ok 'SIGTERM' netd_stop

NS_IGNORE='^(file|content): .*/run/user/'
residue host "$NS_TMP/before" 'nothing is left on the host'
for u in $UID_A $UID_B; do rm -rf "/tmp/netns-up-$u"; done
ns_done

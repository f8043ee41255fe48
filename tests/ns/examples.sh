#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples of the manual pages, or with the argument "texts" the blocks of README.md and docs/*.md that are marked
# for it, each run as it stands there, on a host with a container that serves port
# 80 (process 4242 of the pages) and a user alice with a namespace of her own (process 4711).
. "$(dirname "$0")/lib.sh"
TOP=$(cd "$(dirname "$0")/../.." && pwd)
DOCS=$TOP/docs/man
EXAMPLES=$(dirname "$0")/../docs/examples.py
[ -x /usr/bin/python3 ] && PYTHON=/usr/bin/python3 || PYTHON=python3
ALICE=$NS_UID
cp "$NETNS_UP_CNI" "$NS_TMP/bin/" || bail 'no plugin'

ns_world
cp -a /etc "$NS_TMP/etc" || bail '/etc'
rm -f "$NS_TMP/etc/resolv.conf"
cp "$NS_TMP/host.resolv" "$NS_TMP/etc/resolv.conf"
printf 'alice:x:%s:%s::/:/bin/sh\n' $ALICE $ALICE >>"$NS_TMP/etc/passwd"
mkdir -p "$NS_TMP/etc/netd/policy.d" "$NS_TMP/etc/cni/net.d"
on host sh -c '
	set -e
	mount -n --bind "$1/etc" /etc
	mount -n -t tmpfs tmpfs /opt
	mkdir -p /opt/cni/bin /run/user
	mkdir -m 700 /run/user/$2
	chown $2:$2 /run/user/$2
	echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range' sh "$NS_TMP" $ALICE || bail 'cannot prepare the host'

# as-root and as-alice: their argument is what is typed; that of a text in the folder of the sources.
folder=/
[ "${1:-}" != texts ] || folder=$TOP
path="PATH=$NS_TMP/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
cat >"$NS_TMP/as-root" <<END
#!/bin/sh
exec nsenter -t $(ns_pid host) -n -m --wdns=$folder -- env "$NS_MARK" "$path" sh -c "\$1"
END
cat >"$NS_TMP/as-alice" <<END
#!/bin/sh
exec nsenter -t $(ns_pid host) -n -m --wdns=$folder -- setpriv --reuid $ALICE --regid $ALICE --clear-groups \
	--inh-caps=-all env -i "$NS_MARK" "$path" XDG_RUNTIME_DIR=/run/user/$ALICE sh -c "\$1"
END
chmod 755 "$NS_TMP/as-root" "$NS_TMP/as-alice"

container_new web host
serve_http web 80
(exec nsenter -t "$(ns_pid host)" -n -m -- setpriv --reuid $ALICE --regid $ALICE --clear-groups --pdeathsig KILL \
	env -i PATH="$PATH" "$NS_MARK" unshare -Urn sleep 7200) &
box=$!
NS_HOLDERS="$NS_HOLDERS $box"
_box_is_ready() { [ "$(cat /proc/$box/comm)" = sleep ]; }
ns_until 20 _box_is_ready || bail 'no namespace of a user'
# /run/netns and the directory of a user's sockets stay when they have been there once.
"$NS_TMP/as-root" 'netns-up create first && netns-up delete first' || bail 'create and delete'
"$NS_TMP/as-alice" 'netns-up run -q -- true' || bail 'run'
snapshot host >"$NS_TMP/before"

# run_all PAGE: its blocks that are to be run; how many there are in n_run.
run_all() {
	"$PYTHON" -B "$EXAMPLES" list "$1" >"$NS_TMP/list" || fail "$1: its examples"
	while read -r line command; do
		ok "${1##*/}:$line: $command" "$PYTHON" -B "$EXAMPLES" run "$1" "$line" "$NS_TMP/as-root" \
			"$NS_TMP/as-alice" 4242="$(ns_pid web)" 4711=$box user-1000=user-$ALICE pid-4242="pid-$(ns_pid web)" \
			pid-4711=pid-$box user-1000.pid-4711=user-$ALICE.pid-$box </dev/null
	done <"$NS_TMP/list"
	n_run=$(wc -l <"$NS_TMP/list")
	residue host "$NS_TMP/before" "${1##*/}: nothing is left"
}

if [ "${1:-}" = texts ]; then
	total=0
	for text in "$TOP/README.md" "$TOP"/docs/*.md; do
		grep -q '^<!-- runnable' "$text" || continue
		run_all "$text"
		total=$((total + n_run))
	done
	is 'as many as are marked' $total "$(cat "$TOP/README.md" "$TOP"/docs/*.md | grep -c '^<!-- runnable')"
else
	for page in netns-up.1 slirp-lite.1 netns-up-cni.7 netd-policy.5 netd.conf.5 netd.8; do
		run_all "$DOCS/$page.scd"
		isnt "$page has examples" "$n_run" 0
	done
fi
ns_done

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian package: made, looked at, installed into a root of its own, used from there on a host of the test,
# removed. DEB names one that is there; else it is made of BUILD. PREFIX is where it puts things.
. "$(dirname "$0")/../ns/lib.sh"
TOP=$(cd "$(dirname "$0")/../.." && pwd)
ROOT=$NS_TMP/root
ALICE=$NS_UID

if [ -z "${DEB:-}" ]; then
	mkdir "$NS_TMP/first" "$NS_TMP/again"
	export DPKG_DEB_COMPRESSOR_TYPE=none # time that tells nothing
	ok 'a package is made' sh "$TOP/packaging/deb.sh" "$BUILD" "$NS_TMP/first"
	DEB=$(echo "$NS_TMP"/first/*.deb)
	ok 'and once more' sh "$TOP/packaging/deb.sh" "$BUILD" "$NS_TMP/again"
	ok 'which is the same' cmp "$DEB" "$NS_TMP"/again/*.deb
fi
control() { dpkg-deb -f "$DEB" "$1"; }
is 'of the package' "$(control Package)" netns-up
for library in libc6 libmnl0 libseccomp2 libnftables1; do
	like "it depends on $library" "$(control Depends)" "*$library*"
done
is 'everything is root'"'"'s' "$(dpkg-deb -c "$DEB" | awk '{ print $2 }' | sort -u)" root/root
is 'each file has a checksum' "$(dpkg-deb --ctrl-tarfile "$DEB" | tar -xO ./md5sums | wc -l)" \
	"$(dpkg-deb -c "$DEB" | grep -c ^-)"

# dpkg with a root of its own: the machine's packages and files are not touched.
mkdir -p "$ROOT/var/lib/dpkg/info" "$ROOT/var/lib/dpkg/updates" "$ROOT/var/lib/dpkg/triggers" "$ROOT/etc"
touch "$ROOT/var/lib/dpkg/status"
printf 'root:x:0:0::/:/bin/sh\n' >"$ROOT/etc/passwd"
printf 'root:x:0:\n' >"$ROOT/etc/group"
in_root() { # ARGUMENT...: dependencies are the machine's to have
	dpkg --root="$ROOT" --force-depends --force-script-chrootless --log=/dev/null "$@"
}
files() { (cd "$ROOT" && find . -path ./var/lib/dpkg -prune -o -printf '%p %y %l\n' | grep -v '^\./etc/.*passwd\|^\./etc/g\?.*shadow\|^\./etc/group\|^\./etc/.pwd' | sort); }
files >"$NS_TMP/root.before"
ok 'dpkg installs it' in_root -i "$DEB"
is 'it is installed' "$(dpkg-query --admindir="$ROOT/var/lib/dpkg" -W -f '${Status}' netns-up)" 'install ok installed'
ok 'its files are as their checksums say' sh -c 'cd "$1" && md5sum -c --quiet var/lib/dpkg/info/netns-up.md5sums' sh "$ROOT"
ok 'the user netd is there' grep -q '^netd:' "$ROOT/etc/passwd"
is 'the policy is root'"'"'s alone to write' "$(stat -c '%a %u' "$ROOT/etc/netd/policy.d")" '755 0'
ok 'the manual page is there' sh -c 'gzip -dc "$1/share/man/man1/netns-up.1.gz" | mandoc -Tascii | grep -q "give network namespaces"' sh "$ROOT$PREFIX"
ok 'its documents have links that lead somewhere' python3 -B "$TOP/tests/docs/named.py" --links "$ROOT/usr/share/doc/netns-up"

# On a host of its own, with the package's files over the machine's: programs find each other as installed.
ns_world
on host sh -c '
	set -e
	mount -n -t overlay -o "lowerdir=$1$2:$2" overlay "$2"
	mkdir -p /run/user
	mkdir -m 700 /run/user/$3
	chown $3:$3 /run/user/$3
	echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range' sh "$ROOT" "$PREFIX" $ALICE || bail 'cannot prepare the host'
NU=$PREFIX/bin/netns-up
on host "$NU" create first && on host "$NU" delete first
snapshot host >"$NS_TMP/before"
like 'netns-up --version' "$(on host "$NU" --version)" 'netns-up [0-9]*'
like 'the command in PATH is the same' "$(on host env PATH="$PREFIX/bin:$PATH" sh -c 'command -v netns-up')" "$NU"
mkdir "$NS_TMP/www"
echo 'hello from the package' >"$NS_TMP/www/hello"
serve host "$NU" run -q -p 8080:80 -- busybox httpd -f -p 80 -h "$NS_TMP/www"
answers() { [ "$(http host http://127.0.0.1:8080/hello)" = 'hello from the package' ]; }
ok 'run, by the forwarder in libexec: a published port on 127.0.0.1' ns_until 20 answers
is 'which is reached from outside' "$(http out "http://$HOST4:8080/hello")" 'hello from the package'
kill -TERM "$SERVED"
wait "$SERVED"
NS_SERVERS=$(_ns_without "$SERVED" "$NS_SERVERS")
like 'an ordinary user: run, by slirp-lite' "$(on host setpriv --reuid $ALICE --regid $ALICE --clear-groups \
	--inh-caps=-all env -i PATH="$PATH" "$NS_MARK" "$NU" run -- ip -4 -o addr show)" '*10.0.2.100/24*'
ok 'install-cni from libexec' on host sh -c 'mkdir /run/cni && "$1" install-cni -q /run/cni &&
	CNI_COMMAND=VERSION /run/cni/netd </dev/null | grep -q "1\.1\.0" && rm -r /run/cni' sh "$NU"
like 'netd' "$(on host "$PREFIX/sbin/netd" --version)" 'netd [0-9]*'
on host rm -rf "/run/user/$ALICE/netns-up" "/tmp/netns-up-$ALICE"
NS_IGNORE="/run/user/$ALICE"
residue host "$NS_TMP/before" 'nothing of it is left on the host'

ok 'dpkg removes it' in_root -r netns-up
files >"$NS_TMP/root.after"
is 'and leaves nothing' "$(diff "$NS_TMP/root.before" "$NS_TMP/root.after")" ''
ok 'dpkg purges it' in_root -P netns-up
nok 'it is forgotten' dpkg-query --admindir="$ROOT/var/lib/dpkg" -W netns-up
ns_done

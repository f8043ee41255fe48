#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# deb.sh BUILD DIRECTORY: a Debian package of what BUILD installs, into DIRECTORY; prints its name. The same
# tree gives the same package. Needs no root; it changes nothing but DIRECTORY.
set -eu
umask 022
build=$(cd "$1" && pwd) out=$(cd "$2" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
die() {
	printf 'deb.sh: %s\n' "$*" >&2
	exit 1
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/debian" "$tmp/root"
cp "$top/packaging/debian/control" "$top/packaging/debian/changelog" "$tmp/debian/"
cd "$tmp"
field() { dpkg-parsechangelog -l debian/changelog -S "$1"; }
version=$(field Version)
meson introspect --projectinfo "$build" | grep -q "\"version\": \"$version\"" ||
	die "packaging/debian/changelog is of version $version, the build is not"
SOURCE_DATE_EPOCH=$(field Timestamp)
export SOURCE_DATE_EPOCH

meson install -C "$build" --no-rebuild --quiet --strip --destdir "$tmp/root" >"$tmp/install.log" 2>&1 || {
	cat "$tmp/install.log" >&2
	die 'meson install'
}
prefix=$(find root -type d -name bin | sed 's,^root,,; s,/bin$,,')
find "root$prefix/share/man" -type f -exec gzip -9n {} +
doc=root/usr/share/doc/netns-up
mkdir -p "$doc/docs" root/etc/netd/policy.d root/DEBIAN
# As they lie in the tree, so that links from one to another lead there too.
cp "$top/packaging/debian/copyright" "$top"/*.md "$doc/"
cp "$top"/docs/*.md "$top"/docs/*.svg "$doc/docs/"
cp -R "$top/docs/bench" "$top/docs/examples" "$doc/docs/"
cp debian/changelog "$doc/changelog"
gzip -9n "$doc/changelog"

# What is linked; libnftables is opened at run time and stands in the control file.
find root -type f | while read -r file; do
	[ "$(head -c 4 "$file" | tr -d '\177')" != ELF ] || echo "$file"
done >programs
[ -s programs ] || die 'no program'
# shellcheck disable=SC2046 # names without spaces
dpkg-shlibdeps -O $(sed 's/^/-e/' programs) >substvars
for script in postinst prerm postrm; do
	install -m 755 "$top/packaging/debian/$script" "root/DEBIAN/$script"
done
(cd root && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >md5sums
install -m 644 md5sums root/DEBIAN/md5sums
# What an administrator may change: AppArmor's profiles, where they are installed.
find root/etc -type f -printf '/etc/%P\n' | sort >conffiles
[ ! -s conffiles ] || install -m 644 conffiles root/DEBIAN/conffiles
dpkg-gencontrol -Tsubstvars -Proot -fdebian/files -O >control
install -m 644 control root/DEBIAN/control
find root -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
deb=netns-up_${version}_$(dpkg-architecture -qDEB_HOST_ARCH).deb
dpkg-deb --root-owner-group -b root "$out/$deb" >&2
echo "$out/$deb"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fresh.sh [--check]: what the README promises of a fresh Debian 12, on one. Makes minimal systems under build-fresh/,
# each in a mount and a process namespace of its own: in the first one git alone is installed, HEAD is cloned, and then
# `./dev demo`, `./dev deb` and with --check `./dev check` are run; in the second one that package is installed, used
# and purged (fresh_use.sh). Prints TAP, then "N passed, N failed".
#
# The sources of packages, proxies, resolvers and host names are those of the machine, and it is by its network that
# packages are fetched. Nothing else of it is seen inside, and nothing of it is written but build-fresh/.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=$TOP/build-fresh
SHARE=$BUILD/share
COUNT=0 PASSED=0 INSIDE=''

die() {
	printf 'fresh.sh: %s\n' "$*" >&2
	exit 1
}

# --- in the namespaces -------------------------------------------------------------------------------------------

# enter ROOT COMMAND...: process 1 of a system, and by pivot_root: nobody in a chroot can make a user namespace.
enter() {
	root=$1
	shift
	set -e
	mount --make-rprivate /
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc -o nosuid,nodev,noexec proc proc
	mount -t sysfs -o nosuid,nodev,noexec sysfs sys
	mount --rbind /sys/fs/cgroup sys/fs/cgroup # whichever version the machine has
	mount -t tmpfs -o mode=755,nosuid tmpfs dev
	mkdir -m 755 dev/net dev/pts
	mkdir -m 1777 dev/shm
	mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
	for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200 fuse:10:229; do
		name=${node%%:*} number=${node#*:}
		mknod -m 666 "dev/$name" c "${number%:*}" "${number#*:}"
	done
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	for number in 0:stdin 1:stdout 2:stderr; do
		ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"
	done
	mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
	mkdir -m 1777 run/lock
	mount --bind "$SHARE" srv
	mount -o remount,bind,ro srv
	mkdir -p .old
	pivot_root . .old
	cd /
	umount -l /.old
	rmdir /.old
	cd /root
	exec "$@"
}

# --- outside -----------------------------------------------------------------------------------------------------

# inside SYSTEM MINUTES COMMAND...: runs it as root of that system, with what a login has in its environment. All of it
# is dead when this script is, or when the time is over.
inside() {
	system=$BUILD/$1 minutes=$2
	shift 2
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
		${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
		${no_proxy:+"no_proxy=$no_proxy"} ${NETNS_UP_CHECK:+"NETNS_UP_CHECK=$NETNS_UP_CHECK"} \
		setpriv --pdeathsig KILL timeout -s KILL "${minutes}m" setpriv --pdeathsig KILL \
		unshare --mount --pid --ipc --fork --kill-child -- sh "$0" --enter "$system" "$@" </dev/null &
	INSIDE=$!
	wait $INSIDE
	set -- $?
	INSIDE=''
	return "$1"
}

# step WHAT COMMAND...: one of those that are counted. What it prints is kept, and its end shown when it fails.
step() {
	COUNT=$((COUNT + 1))
	what=$1 log=$BUILD/$COUNT.log
	shift
	start=$(date +%s)
	if "$@" >"$log" 2>&1; then
		PASSED=$((PASSED + 1))
		echo "ok $COUNT - $what ($(($(date +%s) - start)) s)"
		return 0
	fi
	echo "not ok $COUNT - $what ($(($(date +%s) - start)) s)"
	tail -n 40 "$log" | sed 's/^/# /'
	return 1
}

finish() {
	rm -rf "$BUILD/first" "$BUILD/second" "$SHARE"
	echo "$PASSED passed, $((COUNT - PASSED)) failed"
	[ "$PASSED" -eq $COUNT ]
	exit
}

# settings: the machine's sources of Debian 12 and what apt has to know to reach them.
settings() {
	apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
		awk '$3 ~ /^bookworm/ && !seen[$0]++' >"$BUILD/sources.list"
	apt-config dump --format '%f "%v";%n' Acquire |
		grep -iE '^Acquire::([a-z]+::(Proxy|Proxy-Auto-Detect|CaInfo|CaPath)|Check-(Date|Valid-Until))\b' >"$BUILD/machine.conf"
	[ -s "$BUILD/sources.list" ]
}

# base: a minimal system as an archive, which is used for a week.
base() {
	also=''
	! grep -q '\<https:' "$BUILD/sources.list" || also=--include=ca-certificates
	name=base-$(cat "$BUILD/sources.list" "$BUILD/machine.conf" | md5sum | cut -c 1-12).tar
	[ -z "$(find "$BUILD/$name" -mtime -7 2>/dev/null)" ] || return 0
	rm -f "$BUILD"/base*.tar
	TMPDIR=$BUILD mmdebstrap --mode=root --variant=minbase ${also:+"$also"} --aptopt="$BUILD/machine.conf" \
		bookworm "$BUILD/base.tar" "$BUILD/sources.list" || return 1
	mv "$BUILD/base.tar" "$BUILD/$name"
}

# system NAME: a fresh one.
system() {
	rm -rf "${BUILD:?}/$1"
	mkdir "$BUILD/$1" || return 1
	tar -C "$BUILD/$1" --numeric-owner --xattrs --xattrs-include='*' -xf "$BUILD"/base-*.tar || return 1
	rm -f "$BUILD/$1/etc/resolv.conf"
	cp -L /etc/resolv.conf /etc/hosts "$BUILD/$1/etc/"
}

[ "${1-}" != --enter ] || {
	shift
	enter "$@"
}
whole=0
case ${1-} in
--check) whole=1 ;;
'') ;;
*) die "unknown argument '$1' (expected --check)" ;;
esac
[ "$(id -u)" -eq 0 ] || die 'needs root'
mkdir -p "$BUILD" && rm -rf "$SHARE" && mkdir "$SHARE" || exit 1
chmod 755 "$BUILD" "$SHARE"
rm -f "$BUILD"/*.log
trap '[ -z "$INSIDE" ] || kill -KILL $INSIDE; (finish) >/dev/null; exit 130' HUP INT TERM

settings || {
	apt-get -qq update
	settings
} || die 'no source of Debian 12 (bookworm) is configured here'
[ -z "$(git -C "$TOP" status --porcelain)" ] || echo '# what is not committed is not tried'
git clone -q --bare "$TOP" "$SHARE/netns-up.git" || die 'cannot clone'

step 'a minimal Debian 12' base || finish
step 'a first system of it' system first || finish
step 'git is installed there' inside first 20 sh -c 'apt-get -q update && apt-get -qy install --no-install-recommends git' ||
	finish
step 'HEAD is cloned' inside first 5 git clone file:///srv/netns-up.git || finish
in_clone() { # MINUTES COMMAND...
	minutes=$1
	shift
	inside first "$minutes" sh -c 'cd netns-up && exec "$@"' sh "$@"
}
step './dev demo' in_clone 40 ./dev demo
if [ $whole -eq 1 ]; then
	step './dev check' in_clone 300 ./dev check
	tail -n 1 "$BUILD/$COUNT.log" | sed 's/^/# /'
fi
step './dev deb' in_clone 40 ./dev deb
cp "$BUILD"/first/root/netns-up/build-deb/netns-up_*.deb "$TOP/tests/package/fresh_use.sh" "$SHARE/" || finish
rm -rf "$BUILD/first"

step 'a second system' system second || finish
# Its steps are counted as they stand in its output.
log=$BUILD/use.log
inside second 30 sh /srv/fresh_use.sh "$COUNT" >"$log" 2>&1
grep -E '^(ok|not ok|#) ' "$log"
PASSED=$((PASSED + $(grep -c '^ok ' "$log")))
COUNT=$((COUNT + $(grep -cE '^(ok|not ok) ' "$log")))
[ "$(tail -n 1 "$log")" = 1.."$COUNT" ] || {
	COUNT=$((COUNT + 1))
	echo "not ok $COUNT - it came to its end"
	tail -n 40 "$log" | sed 's/^/# /'
}
finish

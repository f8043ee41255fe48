#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# user.sh conform [OPTION...] | life: a test of the CNI plugin once more as root of a user namespace, where it
# has no right over the machine: that is how rootless runtimes call plugins. What is needed is copied to where
# a user without rights can read it.
set -u
what=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/usertest.XXXXXX") || exit 99
trap 'rm -rf "$top"' EXIT
chmod 755 "$top"
mkdir "$top/bin"
cp -r "$here" "$here/../conform" "$top/"
cp "$NETNS_UP_CNI" "$top/bin/netns-up-cni"
cp "$NETNS_UP_FORWARDER" "$top/bin/netns-up-forwarder"
chmod -R a+rX "$top"
export NETNS_UP_CNI="$top/bin/netns-up-cni" NETNS_UP_FORWARDER="$top/bin/netns-up-forwarder"
case $what in
conform)
	cp "$2" "$top/bin/netd-daemon" # --daemon PATH
	shift 2
	chmod a+rx "$top/bin/netd-daemon"
	set -- "$top/conform/run.py" --binary "$NETNS_UP_CNI" --forwarder "$NETNS_UP_FORWARDER" \
		--daemon "$top/bin/netd-daemon" "$@"
	;;
life) set -- "$top/clients/life.py" ;;
*) echo "Bail out! unknown test '$what'" && exit 99 ;;
esac
# Python by name: a user without rights may not have the one that root has first.
setpriv --reuid=65534 --regid=65534 --clear-groups -- unshare --user --map-root-user python3 -B "$@"

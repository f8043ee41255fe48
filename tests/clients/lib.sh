# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# lib.sh: what the tests with real CNI clients add to tests/ns/lib.sh: a plugin folder made of the program
# under test ($NETNS_UP_CNI, or another folder in $CNI_PLUGINS), and hosts with what runtimes want to write
# to in private mounts.
. "$(dirname "$0")/../ns/lib.sh"

PLUGINS=$NS_TMP/cni
if [ -n "${CNI_PLUGINS:-}" ]; then
	PLUGINS=$CNI_PLUGINS
else
	mkdir "$PLUGINS"
	cp "$NETNS_UP_CNI" "$PLUGINS/netns-up-cni" || exit 99
	cp "$NETNS_UP_FORWARDER" "$PLUGINS/" || exit 99
	for name in netd bridge portmap firewall host-local bandwidth tuning loopback ptp; do
		ln -s netns-up-cni "$PLUGINS/$name"
	done
fi

# client_host NAME: /var/lib, /opt and /etc of its own, a cgroup tree, a writable folder for tests.
client_host() {
	on "$1" sh -c '
		set -e
		mount -n -t tmpfs -o mode=755 tmpfs /var/lib
		mount -n -t tmpfs -o mode=755 tmpfs /opt
		mkdir -p /opt/cni/bin /opt/upper /opt/work
		cp -a /etc/resolv.conf /opt/resolv.conf
		mount -n -t overlay -o lowerdir=/etc,upperdir=/opt/upper,workdir=/opt/work overlay /etc
		rm -f /etc/resolv.conf
		cp /opt/resolv.conf /etc/resolv.conf
		mkdir -p /etc/cni/net.d
		rm -f /etc/cni/net.d/*
		mount -n -t cgroup2 none /sys/fs/cgroup' || bail "cannot prepare $1"
}

# conflist FILE TYPE...: a list with the plugins of these types, chained as people write it. The types
# netd and bridge make the interface.
conflist() {
	local file sep t
	file=$1
	shift
	{
		printf '{"cniVersion":"1.0.0","name":"web","plugins":['
		sep=''
		for t in "$@"; do
			printf '%s' "$sep"
			sep=,
			case $t in
			bridge | netd) printf '%s' '{"type":"'"$t"'","bridge":"br-web","isGateway":true,"ipMasq":true,
				"hairpinMode":true,'"${CONFLIST_MORE:-}"'"capabilities":{"portMappings":true,"ips":true,"mac":true},
				"ipam":{"type":"host-local","ranges":[[{"subnet":"203.0.113.0/24"}],[{"subnet":"2001:db8:83::/64"}]],
				"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}' ;;
			portmap) printf '%s' '{"type":"portmap",'"${CONFLIST_PORTS:-}"'"capabilities":{"portMappings":true}}' ;;
			*) printf '{"type":"%s"}' "$t" ;;
			esac
		done
		printf ']}\n'
	} >"$file"
}

# rootfs DIR: a root with busybox and a page.
rootfs() {
	mkdir -p "$1/bin" "$1/proc" "$1/sys" "$1/dev" "$1/etc" "$1/run" "$1/tmp" "$1/www/cgi-bin"
	cp "$(command -v busybox)" "$1/bin/busybox"
	for name in sh httpd sleep ip wget cat echo; do
		ln -s busybox "$1/bin/$name"
	done
	echo hello >"$1/www/hello"
}

# traces HOST WORD...: rules, links, leases and records of ours that know one of the words.
traces() {
	local host word
	host=$1
	shift
	for word in "$@"; do
		on "$host" sh -c '
			nft list ruleset 2>/dev/null | grep -F -- "$1"
			ip -o link | grep -F -- "$1"
			find /run/netd /var/lib/cni ! -name "last_reserved_ip.*" ! -path "*/cursors/*" 2>/dev/null | grep -F -- "$1"
			find /run/netd /var/lib/cni -type f ! -name "last_reserved_ip.*" ! -path "*/cursors/*" \
				-exec grep -lF -- "$1" {} + 2>/dev/null' sh "$word"
	done
}

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fresh_use.sh N: the package beside this file, on a minimal Debian 12 that has nothing of ours: installed with what it
# depends on alone, used as the README tells, purged. fresh.sh runs it in there; N is how many results were before.
# TAP. The host that it works on is a network namespace made here. What asks and answers is perl, which every Debian
# has: no other tool is there yet.
set -u
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
COUNT=$1
OUT=/tmp/fresh.out

# ok WHAT COMMAND...
ok() {
	COUNT=$((COUNT + 1))
	what=$1
	shift
	if "$@" >$OUT 2>&1; then
		echo "ok $COUNT - $what"
		return 0
	fi
	echo "not ok $COUNT - $what"
	tail -n 30 $OUT | sed 's/^/# /'
	return 1
}
same() { # GOT WANTED
	printf 'got:    %s\nwanted: %s\n' "$1" "$2"
	[ "$1" = "$2" ]
}
says() { # PATTERN COMMAND...: it succeeds, and the pattern is in what it prints
	pattern=$1
	shift
	said=$("$@" 2>&1)
	set -- $?
	printf '%s\n' "$said"
	[ "$1" -eq 0 ] && printf '%s\n' "$said" | grep -q -e "$pattern"
}
until_says() { # PATTERN COMMAND...: within half a minute
	for _ in $(seq 30); do
		! says "$@" || return 0
		sleep 1
	done
	return 1
}
install() { apt-get -qy --no-install-recommends install "$@"; }
files() {
	find / -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log -o -path /tmp \
		-o -path /etc/ld.so.cache \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
}

# --- a host ------------------------------------------------------------------------------------------------------

host() { nsenter --net=/run/host -- "$@"; }
USER="setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all env -i PATH=$PATH" # words
# shellcheck disable=SC2016 # perl's
SERVER='$s = IO::Socket::IP->new(LocalHost => "::", LocalPort => 80, Listen => 9, ReuseAddr => 1, V6Only => 0) or die $@;
	while ($c = $s->accept) { print $c "hello from the package\n"; close $c }'
# shellcheck disable=SC2016
CLIENT='$c = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 5) or die $@; print <$c>'
ask() { # HOST ADDRESS PORT: what is answered there; HOST is one of /run
	nsenter --net="/run/$1" -- perl -MIO::Socket::IP -e "$CLIENT" "$2" "$3"
}
links() { host awk -F: 'NR > 2 { print $1 }' /proc/net/dev; }
state() { find /run -mindepth 1 -printf '%P %y\n' | sort; }

ok 'apt-get update' apt-get -q update
ok 'a reader of manual pages, as Debian has it' install man-db
files >/tmp/fresh.before
ok 'apt-get install ./netns-up_*.deb' install /srv/netns-up_*.deb
for program in netns-up slirp-lite netd; do
	ok "$program --version" says "^$program .*[0-9]" "$program" --version
	ok "man $program" says 'SYNOPSIS' man -P cat "$program"
done

touch /run/host
ok 'a host' unshare --net=/run/host true
ok 'and its /sys' host mount -t sysfs sysfs /sys
ok 'and its loopback' host perl -MSocket -e '
	my $up = pack("a16 s x22", "lo", 1); # IFF_UP
	socket(S, AF_INET, SOCK_DGRAM, 0) && ioctl(S, 0x8914, $up) or die $!' # SIOCSIFFLAGS
ok 'a namespace is created and deleted' host sh -c 'netns-up create first && netns-up delete first'
state >/tmp/fresh.state
ok 'netns-up create web' host netns-up create web
ok 'netns-up create client' host netns-up create client
ok 'netns-up up web -p 8080:80' host netns-up up web -p 8080:80
sed 's/^/#     /' $OUT
ok 'netns-up up client' host netns-up up client
gateways=$(sed -n 's/^resolver //p' $OUT)
nsenter --net=/run/netns/web -- perl -MIO::Socket::IP -e "$SERVER" >/tmp/server.log 2>&1 &
server=$!
ok 'the port is answered on 127.0.0.1' until_says '^hello from the package' ask host 127.0.0.1 8080
ok 'and on ::1' says '^hello from the package' ask host ::1 8080
for gateway in ${gateways:-none}; do
	ok "the other namespace reaches it at the host's $gateway" says '^hello from the package' ask netns/client "$gateway" 8080
done
ok 'netns-up ls' says '8080:80' host netns-up ls
ok 'netns-up check web' host netns-up check web
ok 'netns-up down web' host netns-up down web
ok 'the port is closed' until_says 'refused' sh -c '! nsenter --net=/run/host -- perl -MIO::Socket::IP -e "$1" 127.0.0.1 8080' \
	sh "$CLIENT"
kill $server
ok 'netns-up delete web' host netns-up delete web
ok 'netns-up delete client, with its network' host netns-up delete client

# shellcheck disable=SC2086
ok 'an ordinary user: netns-up run' says '10\.0\.2\.100' host $USER netns-up run -- cat /proc/net/fib_trie
# shellcheck disable=SC2086
nsenter --net=/run/host -- $USER netns-up run -q -p 8081:80 -- perl -MIO::Socket::IP -e "$SERVER" >/tmp/server.log 2>&1 &
server=$!
ok 'with a published port' until_says '^hello from the package' ask host 127.0.0.1 8081
kill $server
wait $server 2>/dev/null
ok 'netns-up install-cni' host sh -c 'mkdir /tmp/cni && netns-up install-cni -q /tmp/cni'
ok 'the plugin tells its versions' says '1\.1\.0' host env CNI_COMMAND=VERSION /tmp/cni/netd

ok 'no interface is left' same "$(links)" '    lo'
ok 'no file is left in /run' same "$(state)" "$(cat /tmp/fresh.state)"
# Who has no runtime directory keeps one in /tmp, by whose lock his next call waits for this one.
ok 'nor one of the user, but his lock' same "$(find /tmp/netns-up-1000 ! -type d ! -name lock)" ''
ok 'apt-get purge netns-up' apt-get -qy purge --auto-remove netns-up
files >/tmp/fresh.after
ok 'no file of it is left' diff /tmp/fresh.before /tmp/fresh.after
ok 'a program that lists rules' install nftables
ok 'no rule is left' same "$(host nft list ruleset)" ''
echo "1..$COUNT"

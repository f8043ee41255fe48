/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset: PURE. The constant layout as nft text (nft(8), the syntax of nft 1.0.6) and elements as
 * nft text. Rules never name a container or a network: every decision is a look-up in a set, so the
 * cost of a packet does not grow with the number of containers. Values are printed from typed
 * fields only; names consist of [A-Za-z0-9_.-] (model/name.h), so quotes cannot be broken.
 *
 * The declarations of sets come from elem_sets, the rules below name them; ruleset_base is one text
 * and therefore one transaction. The forward chain judges what passes the host, `guard` and
 * `rguard` what a container may say (RFC 826, RFC 4861, RFC 6105 for the router advertisements).
 */
#include "net/ruleset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "net/link.h"

#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
/* Of the text that is printed here. tests/net/nft/elem_test says the new one when that changes. */
#define VERSION 0xb2b493e5u
/* The headers are enough. */
#define LOG "log group " NUMBER(RULESET_LOG_GROUP) " snaplen 96"

/* `publish` is reached for local destinations only, otherwise transit traffic would be hijacked.
 * Exact entries come before ranges of the same specificity, a host address before the wildcard. */
static const char inet_nat[] =
	"	chain publish {\n"
	"		meta nfproto ipv6 goto publish6\n"
	"		dnat ip to meta l4proto . ip daddr . th dport map @fwd4_host\n"
	"		dnat ip to meta l4proto . ip daddr . th dport map @fwd4_range_host\n"
	"		dnat ip to meta l4proto . th dport map @fwd4_any\n"
	"		dnat ip to meta l4proto . th dport map @fwd4_range\n"
	"	}\n"
	"	chain publish6 {\n"
	"		dnat ip6 to meta l4proto . ip6 daddr . th dport map @fwd6_host\n"
	"		dnat ip6 to meta l4proto . ip6 daddr . th dport map @fwd6_range_host\n"
	"		dnat ip6 to meta l4proto . th dport map @fwd6_any\n"
	"		dnat ip6 to meta l4proto . th dport map @fwd6_range\n"
	"	}\n"
	"	chain prerouting {\n"
	"		type nat hook prerouting priority dstnat; policy accept;\n"
	"		fib daddr type local jump publish\n"
	"	}\n"
	/* Loopback clients are served by the local forwarder. */
	"	chain output {\n"
	"		type nat hook output priority -100; policy accept;\n"
	"		ip daddr 127.0.0.0/8 return\n"
	"		ip6 daddr ::1 return\n"
	"		fib daddr type local jump publish\n"
	"	}\n"
	/* hairpin: by address, because br_netfilter shows no input interface here. self: a routed
	 * container that talks to its own published port. The third rule: the host does. */
	"	chain postrouting {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		ct status dnat ip saddr . ip daddr @hairpin4 masquerade\n"
	"		ct status dnat ip6 saddr . ip6 daddr @hairpin6 masquerade\n"
	"		ct status dnat ip saddr . ip daddr @self4 masquerade\n"
	"		ct status dnat ip6 saddr . ip6 daddr @self6 masquerade\n"
	"		oifname @inside ct status dnat fib saddr type local masquerade\n"
	"		ip daddr 224.0.0.0/4 return\n"
	"		ip6 daddr ff00::/8 return\n"
	"		oifname @inside return\n"
	"		ip saddr . ip daddr @nomasq4 return\n"
	"		ip6 saddr . ip6 daddr @nomasq6 return\n"
	"		ip saddr @masq4 masquerade fully-random\n"
	"		ip6 saddr @masq6 masquerade fully-random\n"
	"	}\n";

/* What a routed container may send: its own addresses, no router's and no DHCP server's words. ARP
 * needs no rule: its neighbour entries are permanent. Ports of a bridge are in @rguard without any
 * address: the kernel does not bridge frames to the link-local group addresses (IEEE 802.1Q 8.6.3)
 * but takes them, past the bridge's hooks, as if sent to the port itself. */
static const char inet_guard[] =
	"	chain rguard {\n"
	"		type filter hook prerouting priority raw; policy accept;\n"
	"		iifname != @rguard accept\n"
	"		iifname @packets_link drop\n"
	"		meta nfproto ipv6 goto rguard6\n"
	"		iifname . ip saddr != @rep4 drop\n"
	"		udp sport 67 drop\n"
	"		icmp type redirect drop\n"
	"	}\n"
	"	chain rguard6 {\n"
	"		icmpv6 type { nd-router-advert, nd-redirect } drop\n"
	"		udp sport 547 drop\n"
	"		ip6 saddr :: icmpv6 type { 133-136, 143 } accept\n"
	"		iifname . ip6 saddr != @rep6 drop\n"
	"	}\n";

/* What comes from a container and belongs to no connection that is there, once conntrack has looked
 * at it (-200) and before it is translated (-100): a connection too many never gets an entry there,
 * and where it goes is told by what the container names, so to the host too. Neighbour discovery is
 * untracked; so is TCP that slirp-lite's relay engine takes up (proc/transparent.h): there the SYN
 * alone opens a connection. The rate comes before the number: the kernel looks through all
 * connections of a key to count them, so who opens too many at once is not counted any more. Who is
 * in @egress* goes where
 * @to* lets him and @not* does not forbid it; where a name led just now (@named*) only to what is
 * neither the host's own nor another container's: who answers for the name chose it. */
static const char inet_fresh[] =
	"	chain fresh {\n"
	"		type filter hook prerouting priority mangle; policy accept;\n"
	"		ct state established,related accept\n"
	"		ct state untracked goto loose\n"
	"		iifname != @inside accept\n"
	"		ct state new jump cap\n"
	"		ip saddr @egress4 goto egress4\n"
	"		ip6 saddr @egress6 goto egress6\n"
	"	}\n"
	"	chain loose {\n"
	"		meta l4proto != tcp accept\n"
	"		tcp flags & (fin | syn | rst | ack) != syn accept\n"
	"		iifname != @inside accept\n"
	"		ip saddr @egress4 goto egress4\n"
	"		ip6 saddr @egress6 goto egress6\n"
	"	}\n"
	"	chain cap {\n"
	"		iifname . ether saddr @conn_rate_port drop\n"
	"		iifname . ether saddr @conns_port drop\n"
	"		iifname @conn_rate_link drop\n"
	"		iifname @conns_link drop\n"
	"	}\n"
	/* What others open to a container, from elsewhere or the host, once its address is known.
	 */
	"	chain arrive {\n"
	"		type filter hook postrouting priority mangle; policy accept;\n"
	"		ct state != new accept\n"
	"		oifname != @inside accept\n"
	"		ip daddr @in_rate4 drop\n"
	"		ip daddr @in_conns4 drop\n"
	"		ip6 daddr @in_rate6 drop\n"
	"		ip6 daddr @in_conns6 drop\n"
	"	}\n"
	"	chain egress4 {\n"
	"		ip saddr . ip daddr @not4 goto refuse\n"
	"		meta l4proto { tcp, udp } ip saddr . ip daddr . th dport @not_port4 goto "
	"refuse\n"
	"		ip saddr . ip daddr @to4 accept\n"
	"		meta l4proto { tcp, udp } ip saddr . ip daddr . th dport @to_port4 accept\n"
	"		meta l4proto { tcp, udp } th dport 53 ip saddr . ip daddr @ask4 accept\n"
	"		ip daddr @nets4 goto refuse\n"
	"		fib daddr type != unicast goto refuse\n"
	"		ip saddr . ip daddr @named4 accept\n"
	"		meta l4proto { tcp, udp } ip saddr . ip daddr . th dport @named_port4 "
	"accept\n"
	"		goto refuse\n"
	"	}\n"
	"	chain egress6 {\n"
	"		ip6 saddr . ip6 daddr @not6 goto refuse\n"
	"		meta l4proto { tcp, udp } ip6 saddr . ip6 daddr . th dport @not_port6 goto "
	"refuse\n"
	"		ip6 saddr . ip6 daddr @to6 accept\n"
	"		meta l4proto { tcp, udp } ip6 saddr . ip6 daddr . th dport @to_port6 "
	"accept\n"
	"		meta l4proto { tcp, udp } th dport 53 ip6 saddr . ip6 daddr @ask6 accept\n"
	"		ip6 daddr @nets6 goto refuse\n"
	"		fib daddr type != unicast goto refuse\n"
	"		ip6 saddr . ip6 daddr @named6 accept\n"
	"		meta l4proto { tcp, udp } ip6 saddr . ip6 daddr . th dport @named_port6 "
	"accept\n"
	"		goto refuse\n"
	"	}\n"
	/* What the packet was, to who listens, as far as its container may have that told. */
	"	chain refuse {\n"
	"		ip saddr @loud4 " LOG "\n"
	"		ip6 saddr @loud6 " LOG "\n"
	"		meta l4proto tcp reject with tcp reset\n"
	"		reject with icmpx type admin-prohibited\n"
	"	}\n";

/* What goes from port to port never comes to the host, so it is not looked at there. */
static const char bridge_egress[] =
	"	chain egress {\n"
	"		type filter hook forward priority -200; policy accept;\n"
	"		iifname @egress_port ether type { ip, ip6 } drop\n"
	"	}\n";

/* `ct status dnat` admits exactly what was published and nothing that bypasses it, unless the
 * network is open. Link-local sources are never routed: with br_netfilter they are seen here on
 * their way through a bridge, and the kernel probes known neighbours from them. */
static const char inet_forward[] =
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		ct state established,related accept\n"
	"		iifname @inside jump from_container\n"
	"		ip daddr @nets4 jump to_container\n"
	"		ip6 daddr @nets6 jump to_container\n"
	/* Forwarding was switched on there for containers only: the host is no router for others.
	 */
	"		meta nfproto ipv4 iifname @opened4 drop\n"
	"		meta nfproto ipv6 iifname @opened6 drop\n"
	"	}\n";
static const char inet_judge[] =
	"	chain from_container {\n"
	"		ct state invalid drop\n"
	"		ip saddr @internal4 jump from_internal\n"
	"		ip6 saddr @internal6 jump from_internal\n"
	"		ct status dnat accept\n"
	"		ip saddr . ip daddr vmap @same4\n"
	"		ip6 saddr . ip6 daddr vmap @same6\n"
	"		ip6 saddr fe80::/10 accept\n"
	"	}\n"
	"	chain from_internal {\n"
	"		ip saddr . ip daddr vmap @same4\n"
	"		ip6 saddr . ip6 daddr vmap @same6\n"
	/* With br_netfilter bridged frames come here too: neighbour discovery and whatever else
	 * cannot leave its link is none of our business. */
	"		oifname @inside ip daddr 224.0.0.0/4 accept\n"
	"		oifname @inside ip6 daddr { fe80::/10, ff00::/8 } accept\n"
	"		drop\n"
	"	}\n"
	"	chain to_container {\n"
	"		ip daddr @open4 accept\n"
	"		ip6 daddr @open6 accept\n"
	"		ct state invalid drop\n"
	"		ct status dnat accept\n"
	"		drop\n"
	"	}\n";

/* The stand-in judges what passes the host once more, for the time when the other tables are gone:
 * nothing is translated then, so nothing from elsewhere comes in, and nothing goes out untranslated
 * that would be masqueraded. It is filled a moment after the others, so what is new must pass it
 * without being known: links are told by their group too. Its first chain is empty: as long as
 * there is one of its type, the kernel goes on translating the connections that are there. */
static const char keep_forward[] =
	"	chain translate {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"	}\n"
	"	chain postrouting {\n"
	"		type filter hook postrouting priority 110; policy accept;\n"
	"		ct state != new accept\n"
	"		ct status snat accept\n"
	"		oifname @inside accept\n"
	"		oifgroup { %u, %u } accept\n"
	"		ip daddr 224.0.0.0/4 accept\n"
	"		ip6 daddr ff00::/8 accept\n"
	"		ip saddr . ip daddr @nomasq4 accept\n"
	"		ip6 saddr . ip6 daddr @nomasq6 accept\n"
	"		ip saddr @masq4 drop\n"
	"		ip6 saddr @masq6 drop\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		ct state established,related accept\n"
	"		iifname @inside jump from_container\n"
	"		iifgroup { %u, %u } jump from_container\n"
	"		ip daddr @nets4 jump to_container\n"
	"		ip6 daddr @nets6 jump to_container\n"
	"		meta nfproto ipv4 iifname @opened4 drop\n"
	"		meta nfproto ipv6 iifname @opened6 drop\n"
	"	}\n";

/* What a bridged container may send: default deny; one without addresses of its own is held to its
 * MAC address only. VLAN-tagged frames fall to the last drop of
 * `guard`: their link header carries the tag's type. */
static const char bridge_guard[] =
	"	chain prerouting {\n"
	"		type filter hook prerouting priority -300; policy accept;\n"
	"		iifname @guarded goto guard\n"
	"	}\n"
	"	chain guard {\n"
	"		iifname @packets_port drop\n"
	"		iifname . ether saddr != @epmac drop\n"
	"		iifname @maconly accept\n"
	"		ether type arp goto guard_arp\n"
	"		ether type ip goto guard_ip\n"
	"		ether type ip6 goto guard_ip6\n"
	"		drop\n"
	"	}\n"
	/* A sender address of 0.0.0.0 is an address probe (RFC 5227 2.1.1). */
	"	chain guard_arp {\n"
	"		arp htype != 1 drop\n"
	"		arp ptype != ip drop\n"
	"		arp hlen != 6 drop\n"
	"		arp plen != 4 drop\n"
	"		arp operation != { request, reply } drop\n"
	"		iifname . arp saddr ether . arp saddr ip @ep4 accept\n"
	"		arp operation request arp saddr ip 0.0.0.0 iifname . arp saddr ether "
	"@epmac accept\n"
	"		drop\n"
	"	}\n"
	"	chain guard_ip {\n"
	"		udp sport 67 drop\n"
	"		icmp type redirect drop\n"
	"		iifname . ether saddr . ip saddr @ep4 accept\n"
	"		drop\n"
	"	}\n"
	/* The unspecified source: duplicate address detection for an own address, and MLD. */
	"	chain guard_ip6 {\n"
	"		icmpv6 type { nd-router-advert, nd-redirect } drop\n"
	"		udp sport 547 drop\n"
	"		icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @ept6 drop\n"
	"		iifname . ether saddr . ip6 saddr @ep6 accept\n"
	"		ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @ept6 "
	"accept\n"
	"		ip6 saddr :: icmpv6 type { 131, 132, 143 } accept\n"
	"		drop\n"
	"	}\n";

static const char *const type_names[] = {
	[FIELD_PROTO] = "inet_proto",  [FIELD_IP4] = "ipv4_addr", [FIELD_IP6] = "ipv6_addr",
	[FIELD_PORT] = "inet_service", [FIELD_IFNAME] = "ifname", [FIELD_ETHER] = "ether_addr",
};

static void print_types(const enum field_type *t, unsigned int n, struct buf *out)
{
	for (unsigned int i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? " . " : "", type_names[t[i]]);
}

static void print_set(const struct set_desc *d, bool counted, struct buf *out)
{
	bool map = d->n_data || d->verdict_map;

	buf_printf(out, "\t%s %s { ", map ? "map" : "set", d->name);
	if (d->typeof_key) {
		buf_printf(out, "typeof %s", d->typeof_key);
	} else {
		buf_printf(out, "type ");
		print_types(d->key, d->n_key, out);
	}
	if (map)
		buf_printf(out, " : ");
	if (d->verdict_map)
		buf_printf(out, "verdict");
	print_types(d->data, d->n_data, out);
	/* What a set says here each of its elements gets, with numbers of its own. */
	buf_printf(out, ";");
	if (d->is_timed)
		buf_printf(out, " size " NUMBER(ELEM_TIMED_MAX) "; flags %stimeout;",
			   d->interval ? "interval, " : "");
	else if (d->interval)
		buf_printf(out, " flags interval;");
	buf_printf(out, "%s }\n",
		   d->bound == BOUND_RATE     ? " limit rate over 1/second;"
		   : d->bound == BOUND_UNDER  ? " limit rate 1/second;"
		   : d->bound == BOUND_CONNS  ? " ct count over 1;"
		   : d->is_counted && counted ? " counter;"
					      : "");
}

static bool names_bound(const char *line, size_t len)
{
	char name[32];

	for (unsigned int i = 0; i < N_SETS; i++) {
		if (!elem_sets[i].bound)
			continue;
		snprintf(name, sizeof(name), "@%s ", elem_sets[i].name);
		if (memmem(line, len, name, strlen(name)))
			return true;
	}
	return false;
}

/* The lines that need no part which is left out. */
static void print_rules(const char *text, unsigned int without, struct buf *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		bool is_left_out = ((without & RULESET_BOUNDS) && names_bound(text, len)) ||
				   ((without & RULESET_LOG) && memmem(text, len, LOG, strlen(LOG)));

		if (!is_left_out)
			buf_add(out, text, len);
		text += len;
	}
}

static void print_table(bool bridge, unsigned int without, const char *comment, struct buf *out)
{
	bool bounded = !(without & RULESET_BOUNDS), counted = !(without & RULESET_COUNTERS);
	const char *family = bridge ? "bridge" : "inet";

	buf_printf(out, "add table %s " RULESET_TABLE "\n", family);
	buf_printf(out, "delete table %s " RULESET_TABLE "\n", family);
	buf_printf(out, "table %s " RULESET_TABLE " {\n%s", family, comment);
	for (unsigned int i = 0; i < N_SETS; i++) {
		if (elem_sets[i].in_bridge_table == bridge && (bounded || !elem_sets[i].bound))
			print_set(&elem_sets[i], counted, out);
	}
	if (bridge) {
		print_rules(bridge_guard, without, out);
		print_rules(bridge_egress, without, out);
	} else {
		print_rules(inet_nat, without, out);
		print_rules(inet_guard, without, out);
		print_rules(inet_fresh, without, out);
		print_rules(inet_forward, without, out);
		print_rules(inet_judge, without, out);
	}
	buf_printf(out, "}\n");
}

uint32_t ruleset_version(void)
{
	return VERSION;
}

uint32_t ruleset_text_version(void)
{
	CLEAN_BUF struct buf b = BUF_INIT;

	print_table(false, 0, "", &b);
	print_table(true, 0, "", &b);
	if (b.failed)
		return 0;
	return (uint32_t)hash64(b.p, b.len, 0);
}

void ruleset_comment(uint32_t version, uint32_t owner, char out[RULESET_COMMENT_STRLEN])
{
	snprintf(out, RULESET_COMMENT_STRLEN, "netns-up %08" PRIx32 " %08" PRIx32, version, owner);
}

void ruleset_base_without(unsigned int parts, uint32_t owner, struct buf *out)
{
	char text[RULESET_COMMENT_STRLEN], line[RULESET_COMMENT_STRLEN + 16];

	ruleset_comment(ruleset_text_version(), owner, text);
	snprintf(line, sizeof(line), "\tcomment \"%s\"\n", text);
	print_table(false, parts, line, out);
	print_table(true, parts, line, out);
}

void ruleset_base(uint32_t owner, struct buf *out)
{
	ruleset_base_without(0, owner, out);
}

void ruleset_keep(const struct elem_list *l, struct buf *out, char comment[RULESET_COMMENT_STRLEN])
{
	CLEAN_BUF struct buf b = BUF_INIT;
	struct elem_list kept = {0};

	for (unsigned int i = 0; i < N_SETS; i++)
		if (elem_sets[i].is_kept)
			print_set(&elem_sets[i], false, &b);
	buf_printf(&b, keep_forward, LINK_GROUP_BRIDGE, LINK_GROUP_VETH, LINK_GROUP_BRIDGE,
		   LINK_GROUP_VETH);
	buf_printf(&b, "%s}\n", inet_judge);
	for (size_t i = 0; i < l->n; i++) {
		kept = (struct elem_list){.v = &l->v[i], .n = 1};
		if (elem_sets[l->v[i].set].is_kept)
			ruleset_elements(&kept, &b);
	}
	out->failed |= b.failed;
	if (b.failed)
		return;
	snprintf(comment, RULESET_COMMENT_STRLEN, "netns-up keep %016" PRIx64,
		 hash64(b.p, b.len, 0));
	buf_printf(out, "table inet " RULESET_TABLE " {\n\tcomment \"%s\"\n%s", comment, b.p);
}

/* ---- elements ---- */

static void print_raw6(const struct ip *ip, struct buf *out)
{
	buf_printf(out, "0x");
	for (unsigned int i = 0; i < 16; i++)
		buf_printf(out, "%02x", ip->b[i]);
}

static void print_value(enum field_type t, const union field_value *v, struct buf *out)
{
	char text[IP_STRLEN];

	switch (t) {
	case FIELD_PROTO:
		buf_printf(out, "%u", v->proto);
		break;
	case FIELD_IP4:
	case FIELD_IP6:
		buf_printf(out, "%s", ip_str(&v->ip, text));
		break;
	case FIELD_PORT:
		buf_printf(out, "%u", v->port);
		break;
	case FIELD_IFNAME:
		buf_printf(out, "\"%s\"", v->ifname);
		break;
	case FIELD_ETHER:
		buf_printf(out, "%s", mac_str(&v->mac, text));
		break;
	}
}

static bool is_range(enum field_type t, const union field_value *a, const union field_value *b)
{
	return t == FIELD_PORT                    ? a->port != b->port
	       : t == FIELD_IP4 || t == FIELD_IP6 ? !ip_equal(&a->ip, &b->ip)
						  : false;
}

static void print_element(const struct elem *x, struct buf *out)
{
	const struct set_desc *d = &elem_sets[x->set];

	buf_printf(out, "add element %s " RULESET_TABLE " %s { ",
		   d->in_bridge_table ? "bridge" : "inet", d->name);
	for (unsigned int i = 0; i < d->n_key; i++) {
		if (i)
			buf_printf(out, " . ");
		if (d->typeof_key && d->key[i] == FIELD_IP6)
			print_raw6(&x->key[i].ip, out);
		else
			print_value(d->key[i], &x->key[i], out);
		if (d->interval && is_range(d->key[i], &x->key[i], &x->key_end[i])) {
			buf_printf(out, "-");
			print_value(d->key[i], &x->key_end[i], out);
		}
	}
	if (d->bound == BOUND_RATE || d->bound == BOUND_UNDER)
		buf_printf(out, " limit rate %s%u/second burst %u packets",
			   d->bound == BOUND_RATE ? "over " : "", x->bound, elem_burst(x));
	else if (d->bound == BOUND_CONNS)
		buf_printf(out, " ct count over %u", x->bound);
	if (x->timeout_s)
		buf_printf(out, " timeout %us", x->timeout_s);
	if (x->comment[0])
		buf_printf(out, " comment \"%s\"", x->comment);
	for (unsigned int i = 0; i < d->n_data; i++) {
		buf_printf(out, i ? " . " : " : ");
		print_value(d->data[i], &x->data[i], out);
	}
	if (d->verdict_map)
		buf_printf(out, " : %s", x->verdict == VERDICT_DROP ? "drop" : "accept");
	buf_printf(out, " }\n");
}

void ruleset_elements(const struct elem_list *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++)
		print_element(&l->v[i], out);
}

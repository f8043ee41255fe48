/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_hostfwd: the arguments of requests that publish ports, from the bytes of a client on. What
 * is taken is sound: ports and addresses within bounds, and the entry that a list would show is
 * taken again as the same. The first byte chooses the words: slirp4netns' or our own list.
 */
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "proc/hostfwd.h"

#include "fuzz.h"

static struct ip ip_of(const char *text)
{
	struct ip ip = {0};

	MUST(ip_parse(text, &ip, NULL) == 0);
	return ip;
}

static void check_ports(const struct publish *p)
{
	MUST(p->count >= 1 && p->ctr_port >= 1);
	MUST((uint32_t)p->host_port + p->count - 1 <= UINT16_MAX);
	MUST((uint32_t)p->ctr_port + p->count - 1 <= UINT16_MAX);
	MUST(p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP);
}

static void words(json_t *arguments, const struct plan *plan)
{
	struct err e = ERR_INIT;
	struct published_rule r = {.id = 1};
	struct publish again;
	struct ip guest, same;
	json_t *entry;
	const char *bad = hostfwd_parse(arguments, plan, &r.p, &guest, &e);

	if (bad) {
		MUST(strcmp(bad, "proto") == 0 || strcmp(bad, "host_addr") == 0 ||
		     strcmp(bad, "host_port") == 0 || strcmp(bad, "guest_addr") == 0 ||
		     strcmp(bad, "guest_port") == 0);
		return;
	}
	check_ports(&r.p);
	MUST(r.p.host_port >= 1 && r.p.host_ip.family == guest.family);
	MUST(!ip_is_any(&guest) && !ip_is_loopback(&guest) && !ip_is_multicast(&guest));
	r.guest[ip_fam(&guest)] = guest;
	entry = hostfwd_entry(&r);
	MUST(entry && !hostfwd_parse(entry, plan, &again, &same, &e));
	MUST(ip_equal(&same, &guest) && ip_equal(&again.host_ip, &r.p.host_ip));
	MUST(again.proto == r.p.proto && again.host_port == r.p.host_port &&
	     again.ctr_port == r.p.ctr_port && again.count == r.p.count);
	json_decref(entry);
}

static void specs(json_t *arguments)
{
	struct publish_list list = {0};
	struct err e = ERR_INIT;

	if (hostfwd_parse_list(arguments, &list, &e) == 0) {
		MUST(list.n > 0);
		for (size_t i = 0; i < list.n; i++) {
			const struct published_rule r = {.id = 1, .p = list.p[i]};
			json_t *o = hostfwd_rule(&r);

			check_ports(&list.p[i]);
			MUST(json_is_object(o));
			json_decref(o);
		}
	}
	publish_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan plan = {.guest = {ip_of("10.0.2.100"), ip_of("fd00::100")}};
	json_t *arguments;

	if (size == 0)
		return 0;
	if (data[0] & 2)
		plan.guest[FAM6].family = 0; /* without IPv6 */
	arguments = json_loadb((const char *)data + 1, size - 1,
			       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (data[0] & 1)
		specs(arguments);
	else
		words(arguments, &plan);
	json_decref(arguments);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_cnicaps: the value of one capability: the first byte chooses which, the rest is its JSON.
 * What is understood keeps the promises of conf.h.
 */
#include "model/name.h"
#include "cni-plugin/ipam.h"

#include "fuzz_cni.h"

static const char *const names[] = {"portMappings", "bandwidth", "ips",     "mac",
				    "dns",          "aliases",   "ipRanges"};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static int ports(const struct conf *c, struct fault *f)
{
	struct publish *p = NULL;
	size_t n = 0;

	if (conf_publish(c, &p, &n, f) < 0)
		return -1;
	MUST(n <= PUBLISH_MAX && publish_check_list(p, n, NULL) == 0);
	for (size_t i = 0; i < n; i++) {
		MUST(p[i].host_port && p[i].ctr_port && p[i].count);
		MUST(p[i].count <= PUBLISH_EXPLODE_MAX);
		MUST(p[i].host_port + p[i].count <= 65536 && p[i].ctr_port + p[i].count <= 65536);
		MUST(!p[i].host_ip.family || publish_check_host_ip(&p[i].host_ip, NULL) == 0);
	}
	free(p);
	return 0;
}

static int ranges(const struct conf *c, struct fault *f)
{
	struct env env = {.id = "c"};
	struct ipam ipam = IPAM_INIT;
	int r = ipam_parse(c, &env, &ipam, f);

	if (r == 0)
		MUST(ipam.n_set >= 1 && pool_complete(ipam.set, ipam.n_set, NULL) == 0);
	ipam_clear(&ipam);
	return r;
}

static int read_one(size_t which, const struct conf *c, struct fault *f)
{
	struct env env = {.id = "c"};
	const char *alias[ATTACH_ALIAS_MAX];
	struct prefix ips[ENV_IPS_MAX];
	struct result_dns dns = {0};
	struct attach_rate rate;
	struct mac mac;
	size_t n = 0;
	int r;

	switch (which) {
	case 0:
		return ports(c, f);
	case 1:
		return conf_rate(c, &rate, f);
	case 2:
		r = conf_ips(c, &env, ips, &n, f);
		MUST(n <= ENV_IPS_MAX);
		return r < 0 ? -1 : 0;
	case 3:
		r = conf_mac(c, &env, &mac, f);
		MUST(r != 0 || !(mac.b[0] & 1));
		return r < 0 ? -1 : 0;
	case 4:
		r = conf_dns(c, &dns, f);
		result_dns_clear(&dns);
		return r;
	case 5:
		r = conf_aliases(c, alias, &n, f);
		for (size_t i = 0; r == 0 && i < n; i++)
			MUST(name_check_alias(alias[i], "alias", NULL) == 0);
		return r;
	default:
		return ranges(c, f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf c = CONF_INIT;
	struct fault f = FAULT_INIT;
	size_t which = size ? data[0] % N_NAMES : 0, len;
	char head[160], *text;

	snprintf(head, sizeof(head),
		 "{\"name\":\"w\",\"ipam\":{\"type\":\"host-local\"},"
		 "\"runtimeConfig\":{\"%s\":",
		 names[which]);
	text = fuzz_wrap(head, size ? data + 1 : data, size ? size - 1 : 0, "}}", &len);
	if (conf_parse(text, len, &c, &f) < 0 || read_one(which, &c, &f) < 0)
		fuzz_fault(&f);
	conf_clear(&c);
	return 0;
}

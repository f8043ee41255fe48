/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_cniconf: standard input of the CNI plugin, read as every interface plugin reads it: common
 * part, previous result, addresses, interface. Whatever is understood becomes a request whose
 * values have passed the model's checks; whatever is not is one fault.
 */
#include "cni-plugin/conf_iface.h"

#include "fuzz_cni.h"

static const struct plugin plugins[] = {
	{.name = "netd", .keys = conf_iface_keys},
	{.name = "bridge", .bridge = "cni0", .keys = conf_iface_keys},
	{.name = "ptp", .is_routed = true, .keys = conf_iface_keys},
};

static void check_request(const struct up_request *q)
{
	MUST(name_check_network(q->network, "", NULL) == 0);
	MUST(q->net_spec->mode == NET_ROUTED ||
	     name_check_ifname(q->net_spec->bridge, "", NULL) == 0);
	MUST(publish_check_list(q->publish, q->n_publish, NULL) == 0);
	MUST(q->n_given <= ATTACH_IP_MAX && q->n_want <= ENV_IPS_MAX && q->n_set <= ADDR_SET_MAX);
	MUST(q->is_l2 == (q->n_set == 0 && q->n_given == 0));
	for (size_t i = 0; i < q->n_route; i++)
		MUST(attach_route_check(&q->route[i], NULL) == 0);
	for (size_t i = 0; i < q->n_sysctl; i++)
		MUST(attach_sysctl_check(&q->sysctl[i], NULL) == 0);
	MUST(attach_rate_check(&q->rate, NULL) == 0);
	MUST(!q->mtu || (q->mtu >= 68 && q->mtu <= 65535));
	MUST(attach_vlan_check(&q->vlan, NULL) == 0);
}

static void run(const struct plugin *p, const uint8_t *data, size_t size)
{
	struct call c = {.plugin = p, .conf = CONF_INIT};
	struct conf_iface iface = CONF_IFACE_INIT;
	struct ipam ipam = IPAM_INIT;
	struct fault f = FAULT_INIT;
	size_t len;
	char *text = fuzz_wrap("", data, size, "", &len);
	int r;

	c.env = (struct env){.id = "c", .ifname = "eth0", .netns = "/run/netns/x", .path = "/"};
	r = conf_parse(text, len, &c.conf, &f);
	if (r == 0 && c.conf.is_strict)
		r = conf_refuse_unknown(c.conf.doc, "", p->keys, &f);
	if (r == 0)
		r = conf_parse_prev(&c.conf, &f);
	if (r == 0)
		r = ipam_parse(&c.conf, &c.env, &ipam, &f);
	if (r == 0)
		r = conf_iface_parse(&c, &ipam, &iface, &f);
	if (r == 0 && ipam.kind != IPAM_OTHER)
		r = conf_iface_complete(&c, &ipam, &iface, &f);
	if (r < 0)
		fuzz_fault(&f);
	else if (ipam.kind != IPAM_OTHER)
		check_request(&iface.req);
	conf_iface_clear(&iface);
	ipam_clear(&ipam);
	conf_clear(&c.conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++)
		run(&plugins[i], data, size);
	return 0;
}

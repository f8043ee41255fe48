/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slirp4netns: texts. Clients take the version from the last line that has the word "version", look
 * for numbers behind "libslirp:", "SLIRP_CONFIG_VERSION_MAX:" and "libseccomp:", and show the plan
 * to people when the program ended early. Opens nothing, decides nothing.
 */
#include "proc/slirp4netns.h"

#include <arpa/inet.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

/* What options like --outbound-addr6 and --disable-dns need of libslirp. */
#define CONFIG_VERSION 4

bool slirp4netns_is_name(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && strstr(slash ? slash + 1 : argv0, "slirp4netns");
}

void slirp4netns_print_version(void)
{
	const struct scmp_version *v = seccomp_version();

	printf("slirp4netns version %s\ncommit: slirp-lite-%s\n"
	       "libslirp: none (slirp-lite has its own TCP/IP)\nSLIRP_CONFIG_VERSION_MAX: %d\n",
	       SLIRP4NETNS_VERSION, NETNS_UP_VERSION, CONFIG_VERSION);
	if (v)
		printf("libseccomp: %u.%u.%u\n", v->major, v->minor, v->micro);
}

static void print_mask(unsigned len)
{
	struct in_addr mask = {.s_addr = htonl(~(uint32_t)0 << (32 - len))};
	char text[INET_ADDRSTRLEN];

	printf("* Netmask:         %s\n", inet_ntop(AF_INET, &mask, text, sizeof(text)));
}

void slirp4netns_print_plan(const struct plan *p, const char *api)
{
	char net[PREFIX_STRLEN], a[IP_STRLEN];

	printf("Starting slirp\n* MTU:             %u\n", p->mtu);
	printf("* Network:         %s\n", ip_str(&p->net[FAM4].ip, a));
	print_mask(p->net[FAM4].len); /* 1..25 */
	printf("* Gateway:         %s\n", ip_str(&p->gateway[FAM4], a));
	if (p->dns[FAM4].family)
		printf("* DNS:             %s\n", ip_str(&p->dns[FAM4], a));
	printf("* Recommended IP:  %s\n", ip_str(&p->guest[FAM4], a));
	if (p->net[FAM6].ip.family) {
		printf("* Network (IPv6):  %s\n", prefix_str(&p->net[FAM6], net));
		printf("* Gateway (IPv6):  %s\n", ip_str(&p->gateway[FAM6], a));
		if (p->dns[FAM6].family)
			printf("* DNS (IPv6):      %s\n", ip_str(&p->dns[FAM6], a));
	}
	if (api)
		printf("* API Socket:      %s\n", api);
	(void)fflush(stdout);
}

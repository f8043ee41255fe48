/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb_policy: `policy test`: what netd's policy would say to a request, and which lines say so. It
 * reads the files that netd reads and asks nobody.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "broker/login.h"
#include "broker/policy.h"
#include "cli/attach_opts.h"
#include "cli/cli.h"
#include "sys/sysctl.h"

struct policy_opts {
	struct attach_opts a; /* first: the shared handlers expect it */
	const char *user, *dir;
};

static int set_user(void *into, const char *value, struct err *e)
{
	(void)e;
	((struct policy_opts *)into)->user = value;
	return 0;
}

static int set_dir(void *into, const char *value, struct err *e)
{
	((struct policy_opts *)into)->dir = value;
	return value[0] == '/' ? 0 : err_set(e, ERR_USAGE, 0, "expected an absolute path");
}

static const struct opt opts[] = {
	{'u', "user", "USER", "whose request (name or number)", set_user},
	{0, "network", "NAME", "network to attach to (default: default)", attach_set_network},
	{'p', "publish", "SPEC", "a port to publish (repeatable)", attach_set_publish},
	{0, "ip", "A", "an IPv4 address that is asked for", attach_set_ip},
	{0, "ip6", "A", "an IPv6 address that is asked for", attach_set_ip6},
	{0, "mac", "M", "a MAC address that is asked for", attach_set_mac},
	{0, "rate-in", "RATE", "a limit towards the container that is asked for",
	 attach_set_rate_in},
	{0, "rate-out", "RATE", "a limit from the container that is asked for",
	 attach_set_rate_out},
	{0, "policy-dir", "DIR", "where the policy is (default " POLICY_DIR ")", set_dir},
	{0},
};

/* By the name service, which knows more than /etc/passwd: netd sees groups as the kernel has them.
 */
static int find_subject(const char *user, struct policy_subject *ret, struct err *e)
{
	gid_t list[POLICY_GROUPS];
	int n = POLICY_GROUPS;
	const struct passwd *p;
	uint32_t uid;

	if (!user)
		return err_set(e, ERR_USAGE, 0, "policy test: --user is needed");
	if (parse_u32(user, 0, UINT32_MAX - 1, &uid) == 0)
		p = getpwuid(uid);
	else if (!(p = getpwnam(user)))
		return err_set(e, ERR_ABSENT, 0, "--user %s: there is no such user", user);
	else
		uid = p->pw_uid;
	ret->uid = uid;
	ret->n_gid = 0;
	if (!p)
		return 0;
	if (getgrouplist(p->pw_name, p->pw_gid, list, &n) < 0)
		return err_set(e, ERR_QUOTA, 0, "%s is in more than %d groups", p->pw_name,
			       POLICY_GROUPS);
	for (int i = 0; i < n; i++)
		ret->gid[ret->n_gid++] = list[i];
	return 0;
}

static int test(const struct policy_opts *o, struct err *e)
{
	static const struct mac none;
	const struct attach_opts *a = &o->a;
	CLEAN_POLICY struct policy p = {0};
	CLEAN_BUF struct buf out = BUF_INIT;
	struct policy_subject s;
	struct policy_verdict v;
	struct policy_want w = {.network = a->network ? a->network : NETWORK_DEFAULT,
				.verbs = POLICY_ATTACH,
				.is_new = true,
				.n_publish = a->n_publish,
				.publish = a->publish,
				.bandwidth = a->rate};
	int port = 1024, r = find_subject(o->user, &s, e);

	w.is_logged_in = r >= 0 && login_has(s.uid) == 1;
	if (r >= 0)
		r = policy_load(o->dir ? o->dir : POLICY_DIR, &p, e);
	if (r < 0)
		return r;
	(void)sysctl_get_int("net/ipv4/ip_unprivileged_port_start", &port, NULL);
	w.first_free_port = (uint16_t)port;
	w.verbs |= a->n_publish ? POLICY_PUBLISH : 0;
	w.verbs |= a->ip[FAM4].family || a->ip[FAM6].family ? POLICY_ADDRESS : 0;
	w.verbs |= memcmp(&a->mac, &none, sizeof(none)) != 0 ? POLICY_MAC : 0;
	w.verbs |= attach_rate_is_set(&a->rate) ? POLICY_SHAPE : 0;
	policy_judge(&p, &s, &w, &v);
	policy_explain(&p, &w, &v, &out);
	if (!out.p || out.failed)
		return err_set(e, ERR_INTERNAL, 0, "no memory");
	fputs(out.p, stdout);
	return v.result == POLICY_GRANTED ? EXIT_OK
	       : v.result == POLICY_OVER  ? EXIT_QUOTA
					  : EXIT_DENIED;
}

static const struct verb verb_test = {
	.v = {.name = "policy test",
	      .operands = "",
	      .summary = "what netd's policy says to a request, and why",
	      .notes = "For a user who holds nothing yet. Exit code 0: granted, 5: denied, 7: more "
		       "than the\nlimits. Words of a policy: netd-policy(5).",
	      .opts = opts},
};

static const struct opt_verb *sub(size_t i)
{
	return i == 0 ? &verb_test.v : NULL;
}

static int main_policy(const struct verb *v, int argc, char **argv)
{
	struct policy_opts o = {0};
	struct err e = ERR_INIT;
	size_t n;
	int r;

	(void)v;
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		printf("Usage: " PROGRAM " policy VERB [OPTION]...\n\nVerbs:\n"
		       "  test  %s\n\n`" PROGRAM " policy test --help` tells more.\n",
		       verb_test.v.summary);
		return EXIT_OK;
	}
	if (argc < 2 || strcmp(argv[1], "test") != 0) {
		log_error("policy%s%s: expected test", argc >= 2 ? " " : "",
			  argc >= 2 ? argv[1] : "");
		return EXIT_USAGE;
	}
	r = cli_parse(&verb_test, argc - 1, argv + 1, &o, &n);
	if (r < 0) {
		r = test(&o, &e);
		if (r < 0)
			r = cli_fail(&e);
	}
	attach_opts_free(&o.a);
	return r;
}

const struct verb verb_policy = {
	.v = {.name = "policy", .operands = "test", .summary = "test what netd allows to whom"},
	.main = main_policy,
	.sub = sub,
};

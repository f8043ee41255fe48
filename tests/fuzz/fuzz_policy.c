/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_policy: a policy file. Either all of it counts, or a single rule is left that denies
 * everything; and nobody gets more than the limits of a rule that names him.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "broker/policy.h"

#include "fuzz.h"

static int find_name(const char *name, bool is_group, uint32_t *ret, void *arg)
{
	(void)arg;
	MUST(name[0] && !strpbrk(name, " \t\n#"));
	*ret = is_group ? 50 : 60;
	return strcmp(name, "root") == 0 ? -ENOENT : 0;
}

static void check_rules(const struct policy *p)
{
	for (size_t i = 0; i < p->n_rule; i++) {
		const struct policy_rule *r = &p->rule[i];

		MUST(r->verbs && !(r->verbs & ~(unsigned)POLICY_ALL) && r->low <= r->high);
		MUST(strcmp(r->network, "*") == 0 ||
		     name_check_network(r->network, "n", NULL) == 0);
		MUST(r->limits.n_range <= POLICY_RANGES && r->limits.n_host <= POLICY_HOSTS);
		MUST(r->limits.egress.n <= ATTACH_DEST_MAX &&
		     attach_egress_check(&r->limits.egress, NULL) == 0);
		MUST(!r->limits.cap.conns || r->limits.cap.conn_rate);
		MUST(r->line > 0);
		MUST(r->is_allow || !r->limits.is_until_logout);
	}
}

/* Who is not here gets what he would get if he were, or nothing. */
static void check_absent(const struct policy *p)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct policy_subject s = {.uid = 60, .n_gid = i, .gid = {50}};
		const struct policy_want w = {.network = "default", .verbs = POLICY_ATTACH};
		struct policy_verdict v;
		struct policy_limits l;

		policy_judge(p, &s, &w, &v);
		if (policy_limits_of(p, &s, i, "default", &l) == 0) {
			MUST(v.rule[0] && v.rule[0]->is_allow);
			MUST(attach_cap_equal(&l.cap, &v.limits.cap));
		} else {
			MUST(i == 0 || v.result != POLICY_GRANTED);
		}
	}
}

/* The text as passwd(5) and as group(5), cut in two. */
static void check_groups(const uint8_t *data, size_t size)
{
	size_t cut = size ? data[0] % size : 0;
	const struct policy_text passwd = {(char *)(uintptr_t)data, cut};
	const struct policy_text group = {(char *)(uintptr_t)(data + cut), size - cut};
	struct policy_subject s = {.uid = 60};

	if (policy_find_groups(&passwd, &group, &s) == 0)
		MUST(s.n_gid > 0);
	MUST(s.n_gid <= POLICY_GROUPS);
}

static void check_verdicts(const struct policy *p)
{
	static const uint16_t ports[] = {80, 1024, 8080};

	for (size_t i = 0; i < 3; i++) {
		struct publish port = {
			.proto = IPPROTO_TCP, .host_port = ports[i], .ctr_port = 1, .count = 1};
		struct policy_subject s = {.uid = 60, .n_gid = 1, .gid = {50}};
		struct policy_want w = {.network = "default",
					.verbs = POLICY_ATTACH | POLICY_PUBLISH | POLICY_SHAPE,
					.is_new = true,
					.n_publish = 1,
					.publish = &port,
					.is_logged_in = i != 2,
					.first_free_port = 1024};
		CLEAN_BUF struct buf out = BUF_INIT;
		struct policy_verdict v;

		w.bandwidth.in_rate = ports[i] * UINT64_C(10000);
		policy_judge(p, &s, &w, &v);
		if (v.result == POLICY_GRANTED && v.rule[4])
			MUST(policy_bandwidth(w.bandwidth.in_rate, v.limits.bandwidth.in_rate) ==
			     w.bandwidth.in_rate);
		if (v.result == POLICY_GRANTED) {
			MUST(v.rule[0] && v.rule[0]->is_allow && v.limits.nics > 0);
			MUST(w.is_logged_in || !v.limits.is_until_logout);
			MUST(v.rule[1] && v.rule[1]->is_allow && v.rule[1]->limits.ports > 0);
			MUST(ports[i] >= 1024 || v.rule[1]->limits.n_range > 0);
		} else {
			MUST(v.why[0]);
		}
		policy_explain(p, &w, &v, &out);
		MUST(out.p && !out.failed);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_names names = {.find = find_name};
	struct policy p = {0};
	uint32_t id;

	if (policy_add_text(&p, "f", (const char *)data, size, &names, NULL) == 0) {
		MUST(p.n_file == 1);
		if (p.file[0].wrong.kind != ERR_NONE)
			MUST(p.n_rule == 1 && p.rule[0].is_broken && !p.rule[0].is_allow &&
			     p.rule[0].verbs == POLICY_ALL && p.rule[0].kind == SUBJECT_ANY);
		check_rules(&p);
		check_verdicts(&p);
		check_absent(&p);
	}
	policy_clear(&p);
	(void)policy_find_id((const char *)data, size, "alice", &id);
	check_groups(data, size);
	return 0;
}

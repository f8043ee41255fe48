/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * back_metrics: what the back knows, in the Prometheus text format: a user's own, or all for root.
 * What is attached, and what passes, is on record and in the kernel: who prints it adds that.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "broker/back_int.h"
#include "broker/policy.h"

#define REQUESTS_MAX ((size_t)40 * 1024) /* an answer is JSON, which takes more for the same */
#define NETWORKS 16                      /* whose quota is told */

static void print_gauge(const char *name, uint64_t v, struct buf *out)
{
	buf_printf(out, "# TYPE %s gauge\n%s %" PRIu64 "\n", name, name, v);
}

static void print_counter(const char *name, uint64_t v, struct buf *out)
{
	buf_printf(out, "# TYPE %s counter\n%s %" PRIu64 "\n", name, name, v);
}

static size_t wrong_files(const struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_file; i++)
		n += p->file[i].wrong.kind != ERR_NONE;
	return n;
}

static void print_host(const struct back *b, struct buf *out)
{
	CLEAN_POLICY struct policy p = {0};
	bool is_broken = policy_load(b->c->policy_dir, &p, NULL) < 0;

	print_gauge("netd_policy_errors", is_broken ? 1 : wrong_files(&p), out);
	print_gauge("netd_tables_held", b->has_tables, out);
	print_counter("netd_tables_mended_total", b->n_mended, out);
	print_counter("netd_ended_total", b->n_ended, out);
	print_counter("netd_names_restarted_total", b->n_names, out);
	print_counter("netd_front_refused_total", b->n_refused, out);
	print_gauge("netd_workers", back_jobs(b, true), out);
	print_gauge("netd_requests_waiting", back_jobs(b, false) - back_jobs(b, true), out);
}

static void print_quota(const struct job *j, const struct policy *p, const char *network,
			struct buf *out)
{
	const struct policy_want w = {.network = network, .verbs = POLICY_ATTACH | POLICY_PUBLISH};
	struct policy_verdict v;

	policy_judge(p, &j->peer.who, &w, &v);
	if (v.rule[0] && v.rule[0]->is_allow)
		buf_printf(out, "netd_quota{uid=\"%u\",network=\"%s\",of=\"interfaces\"} %u\n",
			   j->peer.who.uid, network, v.limits.nics);
	if (v.rule[1] && v.rule[1]->is_allow)
		buf_printf(out, "netd_quota{uid=\"%u\",network=\"%s\",of=\"ports\"} %u\n",
			   j->peer.who.uid, network, v.rule[1]->limits.ports);
}

/* What the policy leaves him, of the networks that he is on. */
static void print_quotas(const struct back *b, const struct job *j, struct buf *out)
{
	const char *seen[NETWORKS];
	CLEAN_POLICY struct policy p = {0};
	size_t n = 0;

	if (policy_load(b->c->policy_dir, &p, NULL) < 0)
		return;
	buf_printf(out, "# TYPE netd_quota gauge\n");
	for (size_t i = 0; i < b->held.n && n < NETWORKS; i++) {
		const struct holding *h = &b->held.h[i];
		size_t k = 0;

		while (k < n && strcmp(seen[k], h->network) != 0)
			k++;
		if (h->uid != j->peer.who.uid || k < n)
			continue;
		seen[n++] = h->network;
		print_quota(j, &p, h->network, out);
	}
}

void back_metrics(struct back *b, const struct job *j)
{
	const uint32_t uid = j->peer.who.uid;
	CLEAN_BUF struct buf text = BUF_INIT;
	CLEAN_JSON json_t *doc = NULL;
	char *answer;

	buf_printf(&text,
		   "# TYPE netd_info gauge\nnetd_info{version=\"" NETNS_UP_VERSION "\"} 1\n");
	tally_print(&b->tally, uid ? &uid : NULL, REQUESTS_MAX, &text);
	if (uid == 0)
		print_host(b, &text);
	else
		print_quotas(b, j, &text);
	doc = text.failed ? NULL : json_pack("{s:b,s:s}", "ok", 1, "metrics", text.p);
	answer = json_print(doc);
	if (answer)
		back_answer(b, j, answer, strlen(answer));
	else
		back_refuse(b, j, ERR_INTERNAL);
	free(answer);
}

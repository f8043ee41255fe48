/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dns: one message. A question that is found lies inside it and equals itself; answers of our
 * own parse and have the same question. Addresses of an answer are of its question's name.
 */

#include "wire/dns.h"
#include "wire/dnsaddr.h"

#include "fuzz.h"

static void check_addresses(const uint8_t *data, size_t size, const struct dns *d)
{
	struct dnsaddr a;

	if (dnsaddr_read(data, size, &a) < 0)
		return;
	MUST(d->is_response && d->rcode == DNS_RCODE_OK && d->qclass == DNS_CLASS_IN);
	MUST(dns_name_is(d, a.name) && a.n <= DNSADDR_MAX);
	for (size_t i = 0; i < a.n; i++)
		MUST(ip_size(&a.ip[i]) != 0 && a.ttl_s[i] <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ip ips[] = {{.family = 0}, {.family = AF_INET}, {.family = AF_INET6}};
	uint8_t out[DNS_ANSWER_MAX];
	struct dns d, a;

	if (dns_parse(data, size, &d) < 0) {
		MUST(size < DNS_HDR_LEN);
		return 0;
	}
	if (d.question_len > 0) {
		MUST(d.n_questions == 1 && d.question == data + DNS_HDR_LEN);
		MUST(d.question_len <= size - DNS_HDR_LEN && d.question_len <= DNS_QUESTION_MAX);
		MUST(d.name_len + 4 == d.question_len && d.question[d.name_len - 1] == 0);
		MUST(dns_question_equal(d.question, d.question_len, d.question, d.question_len));
	}
	check_addresses(data, size, &d);
	dns_name_is(&d, "host.containers.internal");
	MUST(d.question_len > 0 || !dns_name_is(&d, ""));
	for (size_t i = 0; i < 3; i++) {
		size_t n = dns_build_answer(out, &d, DNS_RCODE_OK, &ips[i], 60);

		MUST(n <= sizeof(out) && dns_parse(out, n, &a) == 0);
		MUST(a.is_response && a.id == d.id && a.opcode == d.opcode);
		MUST(a.question_len == d.question_len);
		MUST(d.question_len == 0 ||
		     dns_question_equal(a.question, a.question_len, d.question, d.question_len));
	}
	return 0;
}

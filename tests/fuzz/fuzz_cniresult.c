/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_cniresult: a result of another plugin, then CNI_ARGS behind the first newline. A result that
 * parses prints in every version, and what was printed parses and prints the same again.
 */
#include "cni-plugin/gojson.h"

#include "fuzz_cni.h"

static void check_again(const struct result *r, enum cni_version v)
{
	struct result again = RESULT_INIT;
	json_t *doc = result_json(r, v), *twice;
	struct fault f = FAULT_INIT;

	MUST(doc);
	MUST(result_parse(doc, "r", V110, &again, &f) == 0);
	twice = result_json(&again, v);
	MUST(twice && json_equal(doc, twice));
	json_decref(twice);
	json_decref(doc);
	result_clear(&again);
}

static void check_result(const char *text, size_t len)
{
	struct result r = RESULT_INIT;
	struct fault f = FAULT_INIT;
	json_t *doc = NULL;

	if (gojson_parse(text, len, &doc, &f) == 0 && result_parse(doc, "r", V110, &r, &f) == 0) {
		for (size_t i = 0; i < r.n_ips; i++)
			MUST(r.ip[i].iface >= -1 && r.ip[i].iface < (int)r.n_ifaces);
		for (int v = 0; v < N_VERSIONS; v++)
			check_again(&r, (enum cni_version)v);
	} else {
		fuzz_fault(&f);
	}
	result_clear(&r);
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env env = {0};
	struct fault f = FAULT_INIT;
	size_t len;
	char *text = fuzz_wrap("", data, size, "", &len);
	char *args = memchr(text, '\n', len);

	check_result(text, args ? (size_t)(args - text) : len);
	if (args && env_parse_args(args + 1, &env, &f) < 0)
		fuzz_fault(&f);
	MUST(env.n_ips <= ENV_IPS_MAX);
	free(text);
	return 0;
}

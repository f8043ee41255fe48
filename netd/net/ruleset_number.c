/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ruleset_number: runs when the program is built and prints the source of ruleset_version. */
#include <inttypes.h>
#include <stdio.h>

#include "net/ruleset.h"

int main(void)
{
	uint32_t version = ruleset_text_version();

	/* 0: no memory. */
	if (!version || printf("#include \"net/ruleset.h\"\n\n"
			       "uint32_t ruleset_version(void)\n{\n\treturn 0x%08" PRIx32 "u;\n}\n",
			       version) < 0)
		return 1;
	return fflush(stdout) == 0 ? 0 : 1;
}

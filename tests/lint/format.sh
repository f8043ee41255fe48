#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# format.sh TREE: every C file is as clang-format with the tree's .clang-format writes it.
cd "$1" || exit 1
status=0
for file in $(find netd slirp-lite cni-plugin tests -name '*.[ch]' | sort); do
	seen=1
	clang-format --dry-run -Werror "$file" >/dev/null 2>&1 && continue
	echo "$file: differs; clang-format -i $file mends it"
	status=1
done
[ "${seen:-0}" -eq 1 ] || { echo 'no C file found'; exit 1; }
exit $status

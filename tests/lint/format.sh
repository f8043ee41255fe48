#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# format.sh TREE: every C file is as clang-format with the tree's .clang-format writes it.
cd "$1" || exit 1
files=$(find netd slirp-lite cni-plugin tests -name '*.[ch]' | sort)
[ -n "$files" ] || { echo 'no C file found'; exit 1; }
# The program takes longer to start than to read a file: many at once.
said=$(echo "$files" | xargs -n 50 -P "$(nproc)" clang-format --dry-run -Werror 2>&1) && exit 0
list=$(echo "$said" | sed -nE 's/^([^ :]+\.[ch]):[0-9]+:.*/\1/p' | sort -u)
[ -n "$list" ] || { echo "clang-format: $said"; exit 1; }
for file in $list; do
	echo "$file: differs; clang-format -i $file mends it"
done
exit 1

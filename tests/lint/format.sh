#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# format.sh TREE: every C file is as clang-format with the tree's .clang-format writes it.
cd "$1" || exit 1
find netd slirp-lite cni-plugin tests -name '*.[ch]' -print0 | sort -z >"${TMPDIR:-/tmp}/format.$$"
trap 'rm -f "${TMPDIR:-/tmp}/format.$$"' EXIT
[ -s "${TMPDIR:-/tmp}/format.$$" ] || { echo 'no C file found'; exit 1; }
xargs -0 -n 20 -P 2 clang-format --dry-run -Werror <"${TMPDIR:-/tmp}/format.$$" 2>&1

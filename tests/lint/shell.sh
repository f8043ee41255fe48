#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh TREE: shell scripts pass shellcheck, Python files compile without a warning.
cd "$1" || exit 1
status=0
# SC1091: a sourced file is checked as a file of its own. SC3043: dash, busybox and bash have `local`.
# SC2016: text in single quotes is for another shell.
# SC2034, SC2154: variables that a sourced file uses or sets.
scripts=$(find tests packaging \( -name '*.sh' -o -path 'packaging/debian/p*' \)) || status=1
programs=$(find tests -name '*.py') || status=1
[ -n "$scripts" ] && [ -n "$programs" ] || { echo 'no script found'; exit 1; }
printf '%s\n' dev .ci/run "$scripts" |
	xargs -n 25 -P "$(nproc)" shellcheck -s dash -S warning -e SC1091,SC3043,SC2016,SC2034,SC2154 || status=1
# shellcheck disable=SC2086 # names without blanks
python3 -B -W error -c '
import pathlib, sys
for name in sys.argv[1:]:
    compile(pathlib.Path(name).read_text(), name, "exec")' $programs || status=1
exit $status

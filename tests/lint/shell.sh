#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shell.sh TREE: shell scripts pass shellcheck, Python files compile without a warning.
cd "$1" || exit 1
status=0
# SC1091: a sourced file is checked as a file of its own. SC3043: dash, busybox and bash have `local`.
# SC2016: text in single quotes is for another shell.
# SC2034, SC2154: variables that a sourced file uses or sets.
find tests packaging \( -name '*.sh' -o -path 'packaging/debian/p*' \) -exec shellcheck -s dash -S warning -e SC1091,SC3043,SC2016,SC2034,SC2154 dev .ci/run {} + ||
	status=1
find tests -name '*.py' | sort | while read -r file; do
	python3 -B -W error -c '
import pathlib, sys
compile(pathlib.Path(sys.argv[1]).read_text(), sys.argv[1], "exec")' "$file" || exit 1
done || status=1
exit $status

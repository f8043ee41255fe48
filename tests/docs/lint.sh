#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lint.sh PAGE...: mandoc has nothing to say about the manual pages, but that scdoc begins paragraphs too often.
[ $# -gt 0 ] || { echo 'no page'; exit 1; }
status=0
for page in "$@"; do
	[ -s "$page" ] || { echo "$page: empty"; status=1; }
	out=$(mandoc -Tlint -W warning "$page" 2>&1 | grep -v 'skipping paragraph macro')
	[ -z "$out" ] || { echo "$out"; status=1; }
	mandoc -Tascii "$page" | grep -q 'SEE ALSO\|S.SE.E' || { echo "$page: is not shown to its end"; status=1; }
done
exit $status

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""count.py LOG[=N]...: counts what the test logs of meson (JSON, one test a line) hold.

N: how many tests the log has to have; each that is missing counts as failed.
A TAP subtest counts one, a cmocka test counts one, any other program counts one. A skipped test is
no pass: it is listed and counted as failed. A subtest that TAP calls expected to fail, with the word
"pending:" and why, is of something that is not built yet: it is listed and counted on its own, never as
passed. Failures come with the end of their output; the last line is "N passed, N failed".
"""
import json
import re
import sys

TAIL = 60  # lines of output shown of a failed test

TAP = re.compile(r'^(not )?ok\b[^#\n]*(#\s*(skip|todo)\b.*)?', re.I)
PENDING = re.compile(r'^not ok\b[^#\n]*# TO' r'DO pending: .+')
CMOCKA = re.compile(r'\[\s*(PASSED|FAILED|SKIPPED)\s*\] (\d+) test\(s\)')
CMOCKA_RUN = re.compile(r'\[=+\] Running \d+ test\(s\)')


def pending_of(test):
  """The pending subtests of one entry of the log."""
  return [line for line in (test.get('stdout') or '').splitlines() if PENDING.match(line)]


def count_tap(text):
  passed = failed = skipped = 0
  for line in text.splitlines():
    match = TAP.match(line)
    if PENDING.match(line):
      continue
    if match is None:
      failed += line.startswith('Bail out!')
    elif match.group(2):
      skipped += 1
    elif match.group(1):
      failed += 1
    else:
      passed += 1
  return passed, failed, skipped


def count_cmocka(text):
  counts = {'PASSED': 0, 'FAILED': 0, 'SKIPPED': 0}
  for kind, number in CMOCKA.findall(text):
    counts[kind] += int(number)
  return counts['PASSED'], counts['FAILED'], counts['SKIPPED']


def count(test):
  """(passed, failed, skipped) of one entry of the log."""
  out = test.get('stdout') or ''
  text = out + '\n' + (test.get('stderr') or '')
  result = test['result']
  if re.search(r'^1\.\.\d+', out, re.M) or re.match(r'(not )?ok \d|TAP version', out):
    passed, failed, skipped = count_tap(out)
  elif CMOCKA_RUN.search(text):
    passed, failed, skipped = count_cmocka(text)
  else:
    return int(result == 'OK'), int(result not in ('OK', 'SKIP')), int(result == 'SKIP')
  if result == 'SKIP':
    skipped = max(skipped, 1)
  elif result != 'OK' and not failed:
    failed = 1  # a crash, a timeout, a wrong plan
  elif result == 'OK' and not passed and not failed and not skipped:
    failed = 1  # it claims success and ran nothing
  return passed, failed, skipped


def show(path, test, failed, skipped):
  print(f'\n--- {test["name"]} ({path}): {test["result"]}, {failed} failed, {skipped} skipped')
  lines = (test.get('stdout') or '').splitlines()
  if len(lines) > TAIL:
    # Of a long log the failed lines first, wherever they are.
    bad = [line for line in lines[:-TAIL] if re.match(r'not ok|.*# (skip|todo)|\[  (FAILED|ERROR)', line, re.I)]
    lines = bad[:TAIL] + ['...'] + lines[-TAIL:]
  lines += (test.get('stderr') or '').splitlines()[-TAIL:]
  for line in lines:
    print('    ' + line)


def main(paths):
  passed = failed = skipped = 0
  slow, pending = [], []
  for path in paths:
    path, _, wanted = path.partition('=')
    entries = []
    try:
      with open(path, encoding='utf-8', errors='replace') as file:
        entries = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError) as error:
      print(f'\n--- {path}: {error}')
    if not entries:
      print(f'\n--- {path}: no test was run')
      failed += 1
    elif wanted and len(entries) != int(wanted):
      print(f'\n--- {path}: {len(entries)} of {wanted} tests were run')
      failed += abs(int(wanted) - len(entries))
    here = [0, 0, 0]
    for test in entries:
      counts = count(test)
      pending += [f'{test["name"]}: {line}' for line in pending_of(test)]
      here = [a + b for a, b in zip(here, counts)]
      slow.append((test.get('duration', 0), test['name'], path))
      if counts[1] or counts[2]:
        show(path, test, counts[1], counts[2])
    print(f'\n{path}: {here[0]} passed, {here[1]} failed, {here[2]} skipped', end='')
    passed, failed, skipped = passed + here[0], failed + here[1], skipped + here[2]
  print('\nslowest: ' + ', '.join(f'{name} {seconds:.0f} s' for seconds, name, _ in sorted(slow)[:-6:-1]))
  if pending:
    print(f'{len(pending)} pending, counted neither as passed nor as failed:')
    print('\n'.join('  ' + line for line in sorted(set(pending))))
  if skipped:
    print(f'{skipped} skipped: a skipped test counts as failed')
  print(f'{passed} passed, {failed + skipped} failed')
  return 1 if failed or skipped or not passed else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))

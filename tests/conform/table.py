#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""table.py TITLE=FILE...: the table of docs/conformance.md from the outputs of run.py, on standard output."""
import re
import sys

LINE = re.compile(r'^(not )?ok (\d+) - (.*)$')
MARK = {'passed': 'yes', 'failed': 'no', 'pending': 'pending'}


def read(path):
  """{number: (text, passed|failed|pending)} of one run."""
  cases = {}
  with open(path, encoding='utf-8') as file:
    for line in file:
      match = LINE.match(line)
      if match:
        text, _, tail = match.group(3).partition(' # ')
        state = 'pending' if 'pending:' in tail else 'failed' if match.group(1) else 'passed'
        cases[int(match.group(2))] = (text, state)
  return cases


def main(words):
  runs = [(word.partition('=')[0], read(word.partition('=')[2])) for word in words]
  numbers = sorted(set().union(*[cases for _, cases in runs]))
  print('| | ' + ' | '.join(title for title, _ in runs) + ' |')
  print('|---|' + '---|' * len(runs))
  for state in ('passed', 'failed', 'pending'):
    print(f'| {state} | ' + ' | '.join(str(sum(s == state for _, s in cases.values())) for _, cases in runs) + ' |')
  print('\n| | case | ' + ' | '.join(title for title, _ in runs) + ' |')
  print('|---|---|' + '---|' * len(runs))
  for number in numbers:
    text = next(cases[number][0] for _, cases in runs if number in cases).replace('|', '\\|')
    print(f'| {number} | {text} | ' + ' | '.join(MARK[cases[number][1]] if number in cases else '-' for _, cases in runs)
          + ' |')


if __name__ == '__main__':
  main(sys.argv[1:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of texts as TAP: each with what is wrong, nothing when it passes."""
_count = _failed = 0


def ok(what, wrong):
  """One check; `wrong` is a list of lines."""
  global _count, _failed
  _count += 1
  _failed += bool(wrong)
  print(f'{"not " if wrong else ""}ok {_count} - {what}')
  for line in wrong:
    print(f'# {line}')


def end():
  """The plan, and whether a check failed."""
  print(f'1..{_count}')
  return _failed != 0

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""used.py TREE: what headers offer and no program uses.

A function, a macro or a function of a header itself (static inline) that only its definition names is dead; one
that tests alone name belongs to the tests, but for what they look into a room by (LOOKS). Words are counted, without
comments and strings. Prints each; exit status 1 when there is one.
"""
import collections
import glob
import os
import re
import sys

ROOMS = ('netd', 'slirp-lite', 'cni-plugin')
# Of a room's inside, for its tests: a clock that stands, what a worker holds and has counted, bytes as the kernel would
# send them, a text as the kernel would get it; and the form in which tests own what programs hand on.
LOOKS = {
  'loop_hold', 'worker_loop', 'worker_memory', 'worker_stats', 'reass_n_held', 'reass_n_lost', 'nftlook_take',
  'ruleset_base', 'CLEAN_METRICS', 'CLEAN_GRAPH', 'CLEAN_STORE', 'CLEAN_CONF'}
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
OFFERED = (
  re.compile(r'^(?!static|typedef|#|struct \w+ \{|return)\w[\w \t*]*?\**\b(\w+)\([^{};]*\)[^{};]*;', re.M),  # a prototype
  re.compile(r'^static inline [^;{]*?\b(\w+)\(', re.M),
  re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)', re.M))


def offered(text):
  """Names that a header, without comments and strings, offers; not its guard."""
  return {name for form in OFFERED for name in form.findall(text) if not name.endswith('_H')}


def unused(headers, sources):
  """[(path, name)] of texts by path: offered by a header, named once where it is defined, or only where it is
  declared and defined."""
  headers = {path: NOT_CODE.sub(' ', text) for path, text in headers.items()}
  count = collections.Counter(w for text in headers.values() for w in re.findall(r'\w+', text))
  count.update(w for text in sources.values() for w in re.findall(r'\w+', NOT_CODE.sub(' ', text)))
  out = []
  for path, text in sorted(headers.items()):
    for name in sorted(offered(text)):
      is_prototype = not re.search(rf'^[ \t]*#[ \t]*define[ \t]+{name}\b|^static inline [^;{{]*?\b{name}\(', text, re.M)
      if count[name] <= (2 if is_prototype else 1):
        out.append((path, name))
  return out


def texts(top, suffix):
  paths = [p for room in ROOMS for p in glob.glob(f'{top}/{room}/**/*{suffix}', recursive=True)]
  out = {}
  for path in paths:
    with open(path, encoding='utf-8') as file:
      out[os.path.relpath(path, top)] = file.read()
  return out


def main(top):
  headers, sources = texts(top, '.h'), texts(top, '.c')
  if not headers or not sources:
    print('no sources')
    return 1
  found = unused(headers, sources)
  bad = [f'{path}: {name}: no program uses it' for path, name in found if name not in LOOKS]
  bad += [f'used.py: {name} is used, or gone: not in LOOKS any more' for name in sorted(LOOKS - {n for _, n in found})]
  print('\n'.join(bad), end='\n' if bad else '')
  return 1 if bad else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))

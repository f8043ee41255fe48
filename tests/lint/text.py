#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""text.py TREE: rules about the text of files that no compiler checks.

Licence line and head comment, length, marks of unfinished work, whitespace; in C also: no shell, new
programs only where listed, no process end below a main. Prints each finding; exit status 1 if any.
"""
import fnmatch
import glob
import os
import re
import sys

MAX_LINES = 700
# Longer files, each with its reason.
LONG = {
}
# Data, which is as long as it is: what it is, and why nobody would split it. Other JSON is held to the same length.
DATA = {
  'docs/bench/*.json': 'figures as ./dev bench writes them: a result is one file, and pages and plots are made of it',
}
# Files that start another program, each with its reason. No other C file of the product may.
STARTS_PROGRAM = {
  'netd/net/fwdstart.c': 'starts the local forwarder, by its own path',
  'netd/broker/back_upgrade.c': 'becomes the new netd, which lies where this one was started from',
  'netd/rootless/start.c': 'starts slirp-lite, and for a keeper our own program, by their own paths',
  'cni-plugin/delegate.c': 'runs the IPAM plugin that a configuration names, found in CNI_PATH',
  'netd/sys/unshare_child.c': 'becomes the command of `netns-up run`',
  'netd/sys/userns_map.c': 'starts newuidmap and newgidmap, by their own paths',
}
TOOLS = 'ip|nft|iptables|ip6tables|bridge|tc|sysctl|conntrack|brctl|modprobe|ethtool|sh|bash|mount|nsenter'

SKIP = re.compile(r'^(build|\.git$|__pycache__$)')
UNFINISHED = re.compile(r'\b(TO' r'DO|FIX' r'ME|X' r'XX)\b')
SPDX = 'SPDX-License-Identifier: GPL-2.0-or-later'


def strip_c(text):
  """C text with comments and the insides of strings blanked, lines kept."""
  def blank(match):
    token = match.group(0)
    if token[0] == '/':
      return re.sub(r'[^\n]', ' ', token)
    return token[0] + ' ' * (len(token) - 2) + token[-1]
  return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_head(path, text):
  lines = text.split('\n')
  if path.endswith(('.c', '.h')):
    if lines[0] != f'/* {SPDX} */':
      return [f'{path}:1: the first line is not "/* {SPDX} */"']
    if not lines[1].startswith('/*'):
      return [f'{path}:2: no head comment: what the file owns and what it never does']
  elif path.endswith(('.sh', '.py', '.bt')) or text.startswith('#!'):
    if not any(f'# {SPDX}' == line for line in lines[:3]):
      return [f'{path}: no "# {SPDX}" in the first three lines']
  return []


def check_lines(path, text):
  wrong = []
  if text and not text.endswith('\n'):
    wrong.append(f'{path}: no newline at its end')
  lines = text.split('\n')
  n = len(lines) - 1
  if n > MAX_LINES and path not in LONG:
    wrong.append(f'{path}: {n} lines, more than {MAX_LINES}: split it')
  if n <= MAX_LINES and path in LONG:
    wrong.append(f'{path}: {n} lines only: take it off the list of long files')
  for number, line in enumerate(lines, 1):
    if line.rstrip() != line:
      wrong.append(f'{path}:{number}: white space at the end of the line')
    if UNFINISHED.search(line):
      wrong.append(f'{path}:{number}: mark of unfinished work: {line.strip()}')
  return wrong


def each(pattern, text):
  for match in re.finditer(pattern, text):
    yield text.count('\n', 0, match.start()) + 1, match.group(0)


def check_c(path, text):
  """Rules for the C of the product (not of the tests)."""
  wrong = []
  code = strip_c(text)
  for line, what in each(r'\b(system|popen|wordexp)\s*\(', code):
    wrong.append(f'{path}:{line}: {what}...) runs a shell')
  starts = list(each(r'\b(exec[lv]p?e?|fexecve|execveat|posix_spawnp?)\s*\(', code))
  for line, what in starts:
    if path not in STARTS_PROGRAM:
      wrong.append(f'{path}:{line}: {what}...) starts a program; list the file with a reason if it must')
  if path in STARTS_PROGRAM and not starts:
    wrong.append(f'{path}: starts no program: take it off the list')
  if starts:
    for line, what in each(rf'"(/[\w/]*/)?({TOOLS})"', text):
      wrong.append(f'{path}:{line}: {what} is a tool; what it does is done by system calls here')
  if re.match(r'netd/(base|model|sys|net|store|engine|doctor|rootless)/', path):
    for line, what in each(r'\b(exit|abort|err|errx|perror|vprintf|printf|puts)\s*\(', code):
      wrong.append(f'{path}:{line}: {what}...) is for a main')
  return wrong


def check_data(path, text):
  n = text.count('\n')
  if n > MAX_LINES and not any(fnmatch.fnmatchcase(path, pattern) for pattern in DATA):
    return [f'{path}: {n} lines, more than {MAX_LINES}, and not on the list of data']
  return []


def check_file(path, text):
  if path.endswith('.json'):
    return check_data(path, text)
  wrong = check_head(path, text) + check_lines(path, text)
  if path.endswith(('.c', '.h')) and not path.startswith('tests/'):
    wrong += check_c(path, text)
  return wrong


def is_text_of_ours(path):
  name = os.path.basename(path)
  return name.endswith(('.c', '.h', '.sh', '.py', '.md', '.scd', '.nft', '.json')) or name in (
    'meson.build', 'meson_options.txt') or path in ('dev', '.ci/run')


def check_tree(top):
  wrong, n_files = [], 0
  for folder, folders, names in os.walk(top):
    folders[:] = sorted(f for f in folders if not SKIP.match(f))
    for name in sorted(names):
      full = os.path.join(folder, name)
      path = os.path.relpath(full, top)
      if not is_text_of_ours(path):
        continue
      n_files += 1
      with open(full, encoding='utf-8') as file:
        wrong += check_file(path, file.read())
  for pattern in DATA:
    if not glob.glob(os.path.join(top, pattern)):
      wrong.append(f'{pattern}: on the list of data, but not there')
  for path in list(LONG) + list(STARTS_PROGRAM):
    if not os.path.exists(os.path.join(top, path)):
      wrong.append(f'{path}: on a list, but not there')
  if n_files == 0:
    wrong.append(f'{top}: no file found')
  return wrong


if __name__ == '__main__':
  found = check_tree(sys.argv[1])
  print('\n'.join(found))
  sys.exit(1 if found else 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""filters.py TREE: what a system call filter allows has a caller.

For each table of allowed calls: the code that runs behind it has to call a function of the C library that
makes the call, and to name each option, flag and command that the table names. What nothing calls any
more is to be taken out of the table. Prints each finding; exit status 1 if any.
"""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import text  # noqa: E402

PASS = ['netd/sys/fdpass.c']
SOCKOPT = 'netd/sys/sockopt.c'
WORKER = [f'slirp-lite/{room}/*.[ch]' for room in (
  'stack', 'tcp', 'dgram', 'local', 'emit', 'flow', 'io', 'relay', 'through', 'ports')] + PASS
SUPERVISOR = ['slirp-lite/proc/*.[ch]', 'netd/base/*.[ch]', SOCKOPT] + PASS
NSD = ['slirp-lite/proc/nsd*.[ch]'] + PASS
# Table of calls: what runs behind it.
TABLES = {
  ('slirp-lite/proc/filters.c', 'worker'): WORKER,
  ('slirp-lite/proc/filters.c', 'worker_bind'): WORKER,
  ('slirp-lite/proc/filters.c', 'supervisor'): SUPERVISOR,
  ('slirp-lite/proc/filters.c', 'nsd'): NSD,
  ('slirp-lite/proc/filters.c', 'nsd_bind'): NSD,
  ('slirp-lite/names/cage.c', 'responder'): ['slirp-lite/names/*.[ch]', 'slirp-lite/relay/watch.c',
                                             SOCKOPT] + PASS,
  ('slirp-lite/names/cage.c', 'watcher'): ['slirp-lite/names/watcher.c', 'slirp-lite/proc/nameservers.c',
                                           'netd/base/*.[ch]'] + PASS,
  ('slirp-lite/fwd/jail.c', 'allowed'): ['slirp-lite/fwd/*.[ch]', 'slirp-lite/relay/*.[ch]', 'netd/base/*.[ch]',
                                        SOCKOPT],
  ('netd/broker/front_jail.c', 'allowed'): ['netd/broker/front*.[ch]', 'netd/broker/peer.c', 'netd/base/*.[ch]'] + PASS,
  ('netd/sys/filter_lists.c', 'inet'): WORKER,
  ('netd/sys/filter_lists.c', 'look'): SUPERVISOR,
}
# Calls that go by another name in C; the library and the instruction set say which of several it is.
NAMES = {
  'recvfrom': 'recv|recvfrom', 'sendto': 'send|sendto', 'epoll_pwait': 'epoll_wait', 'ppoll': 'poll',
  'wait4': 'waitpid', 'dup3': 'dup2', 'unlinkat': 'unlink', 'newfstatat': 'stat|fstat',
  'readlink': 'realpath', 'readlinkat': 'realpath', 'mmap': 'malloc|calloc|realloc', 'mprotect': 'malloc|calloc|realloc',
  'pidfd_send_signal': 'SYS_pidfd_send_signal',
}
WORD = re.compile(r'\b(?:SO|TCP|IP|IPV6|UDP|MSG|MADV|SPLICE_F|F|ITIMER)_[A-Z0-9_]+\b|\bSIOC[A-Z]+\b')
DEFINE = re.compile(r'^#define (\w+)((?:.*\\\n)*.*)$', re.M)


def table_of(code, name):
  """The text of a table, the file's own names in it written out; None when there is none."""
  match = re.search(rf'struct filter_rule {name}\[\] = {{\n(.*?)\n}};', code, re.S)
  if not match:
    return None
  rows = match.group(1)
  for word, value in DEFINE.findall(code):
    if value.strip().isdigit(): # a name that older headers have not
      continue
    rows = re.sub(rf'\b{word}\b', lambda _, v=value: v, rows)
  return rows


def check_table(rows, behind):
  """Calls and words of a table that the code behind it has not."""
  calls = re.findall(r'FILTER_(?:ANY|FLAGS)\((\w+)|SCMP_SYS\((\w+)\)', rows)
  for call in sorted({a or b for a, b in calls}):
    if not re.search(rf'\b({NAMES.get(call, call)})\b', behind):
      yield f'{call}() is allowed, and nothing behind the filter calls it'
  for word in sorted(set(WORD.findall(rows))):
    if not re.search(rf'\b{word}\b', behind):
      yield f'{word} is allowed, and nothing behind the filter uses it'


def read(top, patterns, but):
  parts = []
  for pattern in patterns:
    for path in sorted(glob.glob(os.path.join(top, pattern))):
      if os.path.relpath(path, top) != but:
        with open(path, encoding='utf-8') as file:
          parts.append(text.strip_c(file.read()))
  return '\n'.join(parts)


def check_tree(top):
  wrong = []
  for (path, name), patterns in TABLES.items():
    with open(os.path.join(top, path), encoding='utf-8') as file:
      rows = table_of(text.strip_c(file.read()), name)
    if rows is None:
      wrong.append(f'{path}: no table {name}')
      continue
    wrong += [f'{path}: {name}: {what}' for what in check_table(rows, read(top, patterns, path))]
  return wrong


if __name__ == '__main__':
  found = check_tree(sys.argv[1])
  print('\n'.join(found))
  sys.exit(1 if found else 0)

# SPDX-License-Identifier: GPL-2.0-or-later
"""New-connection time by number of forwards.

netns-up makes all forwards itself. The peers would need an hour for ten thousand (each rule is a process
that reads the whole ruleset back), so the rules of all their attachments but the first and the last are copies
(copies.py): the same rules in the same places. The forward measured is the last one made.
"""
import os
import signal

import copies
from systems import NetnsUp, ports_of
from world import Host, run_jobs, JobError


def _one(job):
  results, _ = run_jobs([job], deadline=600)
  if isinstance(results[0], JobError):
    raise results[0]


def _measure(host, path, port, connects):
  server = host.listen(path, 80)
  try:
    for _ in range(50):
      host.connect(Host.V4, port)
    return [host.connect(Host.V4, port) for _ in range(connects)]
  finally:
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)


def _peer(system, counts, connects):
  host = system.host
  first = host.netns('/run/ns/0')
  figures = {}
  _one(system.add(0, first))
  have = 1
  for count in counts:
    # Attachments of two forwards each.
    number = max(count // 2 - 1, 0)
    path = first
    if number > have:
      copies.copy_records(system, 0, range(have, number))
      path = host.netns(f'/run/ns/{number}')
      _one(system.add(number, path))
      have = number + 1
    figures[count] = _measure(host, path, ports_of(number)[0][0], connects)
  return figures


def _ours(system, counts, connects):
  host = system.host
  path = host.netns('/run/ns/0')
  _one(system.add(0, path))
  figures = {}
  if 1 in counts:
    figures[1] = _measure(host, path, ports_of(0)[0][0], connects)
  have, number, port = 2, 1, 40000
  for count in counts:
    # Shifted ranges, which are one element a port, a thousand to an attachment at most; the last
    # attachment is the one measured.
    while have < count - 2:
      n = min(1000, count - 2 - have)
      inner = host.netns(f'/run/ns/{number}')
      _one(system.add(number, inner, [f'{port}-{port + n - 1}:{port - 30000}-{port - 30000 + n - 1}']))
      have, number, port = have + n, number + 1, port + n
    if count == 1:
      continue
    last = host.netns(f'/run/ns/{number}')
    _one(system.add(number, last))
    figures[count] = _measure(host, last, ports_of(number)[0][0], connects)
    _one(system.delete(number, last))
    number += 1
  return figures


def connection_times(makers, counts, connects, say, summary):
  """{title: {forwards: summary}}; each system on a fresh host."""
  figures = {}
  for key, make in makers:
    host = Host(key + '-fwd')
    host.enter()
    system = make(host)
    system.prepare()
    say(f'{system.title}: {connects} connections at {counts} forwards')
    # The peers publish to 127.0.0.1 by other rules; what is measured comes from outside.
    times = (_ours if isinstance(system, NetnsUp) else _peer)(system, counts, connects)
    figures[system.title] = {count: summary(values) for count, values in times.items()}
  return figures

# SPDX-License-Identifier: GPL-2.0-or-later
"""New-connection time by number of forwards.

netns-up makes all forwards itself. The peers would need an hour for ten thousand (each rule is a process
that reads the whole ruleset back), so the rules of all their attachments but the first and the last are copies
(copies.py): the same rules in the same places, without interfaces. Theirs are two forwards an attachment, ours up to a
thousand: for both what counts is the number of forwards. The forward measured is the last one made.
"""
import os
import random
import signal
import time

import copies
from systems import NetnsUp, ports_of
from world import Host, run_jobs, JobError

TURNS = 10
SETTLE_S = 5  # as long as a new neighbour's entry is looked at again


def _one(job):
  results, _ = run_jobs([job], deadline=600)
  if isinstance(results[0], JobError):
    raise results[0]


class Peer:
  """Attachments of two forwards each, and their rules."""

  def __init__(self, system):
    self.system, self.have = system, 0
    self.path = self.port = None

  def _add(self, number):
    self.path, self.port = self.system.host.netns(f'/run/ns/{number}'), ports_of(number)[0][0]
    _one(self.system.add(number, self.path))
    self.have = number + 1

  def grow(self, count):
    """Brings the forwards to count; the last one is at self.port, to self.path."""
    number = max(count // 2 - 1, 0)
    if self.have == 0:
      self._add(0)
    if number >= self.have:
      copies.copy_records(self.system, 0, range(self.have, number))
      self._add(number)


class Ours:
  """Ranges that are one element a port, a thousand to an attachment at most; and one of two ports, the last."""

  def __init__(self, system):
    self.system, self.have, self.number, self.next_port = system, 0, 0, 40000
    self.path = self.port = None

  def _add(self, ports=None):
    path = self.system.host.netns(f'/run/ns/{self.number}')
    _one(self.system.add(self.number, path, ports))
    self.number += 1
    return path

  def grow(self, count):
    if self.path:
      _one(self.system.delete(self.number - 1, self.path))
    while self.have < count - 2:
      n, at = min(1000, count - 2 - self.have), self.next_port
      self._add([f'{at}-{at + n - 1}:{at - 30000}-{at - 30000 + n - 1}'])
      self.have, self.next_port = self.have + n, at + n
    self.port = ports_of(self.number)[0][0]
    self.path = self._add()


def _measure(sides, connects):
  """connects times of each side, a part at a time, in an order that nobody is always behind."""
  servers, times = [], {side.system.title: [] for side in sides}
  try:
    for side in sides:
      side.system.host.enter()
      servers.append(side.system.host.listen(side.path, 80))
    for turn in range(TURNS + 1):
      for side in random.Random(turn).sample(sides, len(sides)):
        side.system.host.enter()
        some = [side.system.host.connect(Host.V4, side.port) for _ in range(connects // TURNS)]
        times[side.system.title] += some if turn > 0 else []  # the first is the warm-up
  finally:
    for server in servers:
      os.kill(server, signal.SIGKILL)
      os.waitpid(server, 0)
  return times


def connection_times(makers, counts, connects, say, summary):
  """{title: {forwards: summary}}; each system on a fresh host."""
  sides = []
  for key, make in makers:
    host = Host(key + '-fwd')
    host.enter()
    system = make(host)
    system.prepare()
    sides.append((Ours if isinstance(system, NetnsUp) else Peer)(system))
  figures = {side.system.title: {} for side in sides}
  for count in counts:
    for side in sides:
      say(f'{side.system.title}: {count} forwards')
      side.system.host.enter()
      side.grow(count)
    time.sleep(SETTLE_S)
    for title, times in _measure(sides, connects).items():
      figures[title][count] = summary(times)
  return figures

# SPDX-License-Identifier: GPL-2.0-or-later
"""New-connection time by number of forwards.

netns-up makes all forwards itself. The peers would need an hour for ten thousand (each rule is a process
that reads the whole ruleset back), so they make two attachments themselves, and the rules that the
second one added are repeated with other ports, chain names and addresses, in between, by one
iptables-restore: the same rules in the same places. The forward measured is the last one made.
"""
import os
import re
import signal

from systems import NetnsUp, ports_of
from world import Host, run_jobs, sh, JobError, Step


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


def _repeat(before, after, ports, address, copies):
  """The nat table `after`, with the lines it has more than `before` repeated copies times before them."""
  old = before.splitlines()
  out = []
  counters = re.compile(r'\[\d+:\d+\]')
  known = {counters.sub('', line) for line in old}
  for line in after.splitlines():
    if counters.sub('', line) in known:
      out.append(line)
      continue
    for copy in range(copies):
      text = line.replace(address, f'10.99.{copy >> 8 & 255}.{copy & 255}')
      for index, port in enumerate(ports):
        text = re.sub(rf'\b{port}\b', str(1024 + (copy * len(ports) + index) % 8000), text)
      # A chain of this attachment alone carries a hash of its name.
      text = re.sub(r'\b(CNI(?:-[A-Z]+)*-)[0-9a-f]{16,}', lambda m, c=copy: f'{m.group(1)}{c:020x}'[:28], text)
      out.append(text)
    out.append(line)
  return '\n'.join(out) + '\n'


def _peer(system, counts, connects):
  host = system.host
  first, second = (host.netns(f'/run/ns/{n}') for n in (0, 1))
  figures = {}
  _one(system.add(0, first))
  if 1 in counts:
    figures[1] = _measure(host, first, ports_of(0)[0][0], connects)
  before = sh('iptables-save -t nat')
  _one(system.add(1, second))
  after = sh('iptables-save -t nat')
  address = sh(f'nsenter --net={second} ip -o -4 addr show eth0').split()[3].split('/')[0]
  ports = [outer for outer, _ in ports_of(1)]
  for count in counts:
    if count == 1:
      continue
    # Two attachments of two forwards each are there already.
    text = _repeat(before, after, ports, address, count // 2 - 2)
    with open('/run/rules', 'w', encoding='ascii') as file:
      file.write(text)
    sh('iptables-restore </run/rules')
    figures[count] = _measure(host, second, ports[0], connects)
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

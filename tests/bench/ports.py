#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ports.py: published ports of ordinary users' containers, slirp-lite and its peers side by side in one run.

A client outside of a host (joined to it by a veth with default sysctls) or on it, and on the host for each
system a container of an unprivileged user with published ports and a server in it (ports_world.py). `direct`
is the same server on the host itself: the limit. The systems take turns within each cell, so that what
disturbs the machine disturbs all; only ratios within one run mean anything. Progress goes to standard error,
the tables as Markdown to standard output. Never part of a test run.
"""
import resource
import shutil

import report
import start
from ports_world import NOFILE, Direct, Pasta, PortsWorld, RootlessKit, Slirp4netns, SlirpLite
from slirp import SUMMED, cpu_table
from start import say

REMOTE, LOCAL = 'A client on another host', 'A client on the host'
MANY = 'Thousands of TCP ports published at once'


def tcp(streams, is_out):
  return lambda w, s, t: w.iperf(s, t, ['-P', str(streams)] + (['-R'] if is_out else []))


def load(kind):
  return lambda w, s, t: w.load(s, kind, t)


def udp(is_out):
  return lambda w, s, t: w.flood(s, t, is_out)


# group: (name, title, unit, digits, is the client on the host, measure(world, system, seconds) -> a sample)
CELLS = {
  'tcp': [('in1', 'remote client sends, 1 stream', 'Gbit/s', 2, False, tcp(1, False)),
          ('out1', 'remote client receives, 1 stream', 'Gbit/s', 2, False, tcp(1, True)),
          ('in4', 'remote client sends, 4 streams', 'Gbit/s', 2, False, tcp(4, False)),
          ('out4', 'remote client receives, 4 streams', 'Gbit/s', 2, False, tcp(4, True))],
  'conn': [('conn', 'remote client, connections', '1/s', 0, False, load('conn'))],
  'rr': [('rr', 'remote client, exchanges of one byte', '1/s', 0, False, load('rr'))],
  'udp': [('udpin', 'UDP from a remote client, 1400 bytes, delivered', 'kpps', 1, False, udp(False)),
          ('udpout', 'UDP to a remote client, 1400 bytes, delivered', 'kpps', 1, False, udp(True))],
  'local': [('localin', 'client on 127.0.0.1 sends, 1 stream', 'Gbit/s', 2, True, tcp(1, False)),
            ('localout', 'client on 127.0.0.1 receives, 1 stream', 'Gbit/s', 2, True, tcp(1, True)),
            ('localconn', 'client on 127.0.0.1, connections', '1/s', 0, True, load('conn')),
            ('localrr', 'client on 127.0.0.1, exchanges of one byte', '1/s', 0, True, load('rr'))],
}


def measure_cells(found, world, systems, args, mtu):
  for group, cells in CELLS.items():
    if (args.cells and group not in args.cells) or (group != 'tcp' and mtu != 1500):
      continue
    for name, title, unit, digits, is_local, measure in cells:
      say(f'{title}, MTU {mtu}')
      world.is_local = is_local
      if args.warm:
        for system in systems:
          measure(world, system, args.warm)
      figures = start.in_turns(systems, args.rounds, lambda s, m=measure: m(world, s, args.time), SUMMED)
      found.add(f'{name}@{mtu}', f'{title}, MTU {mtu}', unit, digits, figures, group=LOCAL if is_local else REMOTE)
      start.tell(figures)


def measure_many(found, world, makers, args):
  for count in (1000, 10000):
    say(f'{count} ports')
    samples = {}
    for _ in range(args.rounds):
      for make in makers:
        list_ = samples.setdefault(make(1500).name, [])
        # What failed or took its time once does so again.
        if list_ and ('error' in list_[0] or list_[0]['value'] > 10000):
          continue
        list_.append(world.many(make, count))
    figures = {name: report.merge(list_) for name, list_ in samples.items()}
    found.add(f'many{count}', f'{count:,} TCP ports published', 'ms', 1, figures, less=True, group=MANY)
    memory = {n: report.merge([{'value': f['more_kb']}] if 'more_kb' in f else [{'error': f.get('error')}])
              for n, f in figures.items()}
    found.add(f'memory{count}', f'{count:,} TCP ports published, more memory', 'KiB', 0, memory, less=True, group=MANY)
    start.tell(figures)


def seen_table(found, seen):
  keys = list(next(iter(seen.values())))

  def answer(f):
    return 'no answer' if f.get('seen') is None else 'yes' if f['is_real'] else f'no: {f["seen"]}'
  found.table('Does the server see the client\'s own address and port?',
              [''] + [k.replace('host ', 'client on the host, ') for k in keys],
              [[who] + [answer(by[k]) for k in keys] for who, by in seen.items()])


def aims(found, who, seen):
  for name, title in (('in1', 'sends'), ('out1', 'receives')):
    for mtu in (1500, 65520):
      found.aim(f'remote client {title}, 1 stream, MTU {mtu}: >= 0.7 of direct',
                found.ratio(f'{name}@{mtu}', who, 'direct'), least=0.7)
  found.aim('remote client, connections: >= 2 times rootlesskit', found.ratio('conn@1500', who, 'rootlesskit'), least=2)
  for name, title, *_ in CELLS['local']:
    found.aim(f'{title}: >= rootlesskit', found.ratio(f'{name}@1500', who, 'rootlesskit'), least=1)
  for name, title, *_ in CELLS['udp']:
    keep = [p for p in report.peers_of(found.doc) if seen.get(p, {}).get('udp IPv4', {}).get('is_real')]
    best = max(keep, key=lambda p: report.value_of(found.doc, f'{name}@1500', p) or 0, default=None)
    if best:
      found.aim(f'{title}: >= 3 times the best peer that keeps the address ({best})',
                found.ratio(f'{name}@1500', who, best), least=3)
  found.aim('10,000 ports, time: <= 100 ms', report.value_of(found.doc, 'many10000', who), most=100, unit=' ms')
  found.aim('10,000 ports, memory: <= 3072 KiB', report.value_of(found.doc, 'memory10000', who), most=3072, unit=' KiB')


def makers_of(args):
  makers = []
  for spec in args.program:
    name, _, path = spec.rpartition('=')
    makers.append(lambda mtu, n=name or 'slirp-lite', p=path: SlirpLite(n, p, mtu))
  for cls, program in ((RootlessKit, 'rootlesskit'), (Slirp4netns, 'slirp4netns'), (Pasta, 'pasta')):
    if shutil.which(program):
      makers.append(lambda mtu, c=cls: c(mtu))
    else:
      say(f'{program} is not installed')
  return [m for m in makers if not args.only or m(1500).name in args.only]


def run(args):
  resource.setrlimit(resource.RLIMIT_NOFILE, (NOFILE, NOFILE))
  makers, seen = makers_of(args), {}
  ours = [m(1500).name for m in makers if isinstance(m(1500), SlirpLite)]
  found = report.Report('ports', 'Published ports of ordinary users: slirp-lite, rootlesskit, slirp4netns, pasta', ours,
                        limit='direct')
  world = PortsWorld()
  found.doc['versions'] = sorted({m(1500).version() for m in makers} | {world.iperf_version()})
  found.doc['run'] = f'rounds: {args.rounds} of {args.time:g} s, after {args.warm:g} s of warm-up'
  for mtu in args.mtu or [1500, 65520]:
    systems = [m(mtu) for m in makers]
    for system in systems:
      world.start(system)
      say(f'{system.name} at MTU {mtu}')
    if mtu == 1500 and (not args.cells or 'address' in args.cells):
      seen = {s.name: world.seen_addresses(s) for s in systems}
    measure_cells(found, world, [Direct()] + systems, args, mtu)
    for system in systems:
      world.stop(system)
  if not args.cells or 'many' in args.cells:
    measure_many(found, world, makers, args)
  cpu_table(found)
  if seen:
    seen_table(found, seen)
  if ours:
    aims(found, ours[0], seen)
  return found


def main():
  parser = start.parser(__doc__)
  parser.add_argument('--program', action='append', default=[],
                      help='the slirp-lite to measure; NAME=PATH to measure several')
  parser.add_argument('--time', type=int, default=2, help='seconds for one figure (2)')
  parser.add_argument('--warm', type=int, default=1, help='seconds of warm-up before, which do not count (1)')
  parser.add_argument('--rounds', type=int, default=5, help='turns of each figure, of which the median is shown (5)')
  parser.add_argument('--only', action='append', help='measure these systems alone (may be repeated)')
  parser.add_argument('--cells', action='append', choices=[*CELLS, 'address', 'many'],
                      help='these figures alone (may be repeated)')
  parser.add_argument('--mtu', action='append', type=int, help='of the taps (1500 and 65520)')
  args = parser.parse_args()
  if args.quick:
    args.time, args.rounds, args.warm, args.mtu = 1, 1, 0, args.mtu or [1500]
  start.main(args, run)


if __name__ == '__main__':
  main()

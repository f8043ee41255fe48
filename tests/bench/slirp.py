#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp.py: slirp-lite, slirp4netns and pasta side by side in one run, with the direct path as limit.

A server in a namespace of its own, a host joined to it by a veth with default sysctls, and for each
system a container of an unprivileged user with the system's tap (slirp_world.py). The systems take turns
cell by cell, so that what disturbs the machine disturbs all; only ratios within one run mean anything.
Never part of a test run.
"""
import shutil

import report
import start
from slirp_world import MTUS, Direct, Pasta, SlirpLite, Slirp4netns, World
from start import say

SUMMED = ('timeouts',)


def tcp_cell(streams, is_down):
  def measure(world, system, seconds):
    return world.iperf(system, seconds, ['-P', str(streams)] + (['-R'] if is_down else []))
  return measure


def udp_cell(is_down):
  def measure(world, system, seconds):
    return world.iperf_udp(system, seconds, ['-R'] if is_down else [])
  return measure


# group: (name, title, unit, digits, measure(world, system, seconds) -> a sample)
CELLS = {
  'tcp': [
    ('up1', 'TCP up, 1 stream', 'Gbit/s', 2, tcp_cell(1, False)),
    ('down1', 'TCP down, 1 stream', 'Gbit/s', 2, tcp_cell(1, True)),
    ('up4', 'TCP up, 4 streams', 'Gbit/s', 2, tcp_cell(4, False)),
    ('down4', 'TCP down, 4 streams', 'Gbit/s', 2, tcp_cell(4, True)),
  ],
  'conn': [('conn', 'connections, 2 at a time', '1/s', 0, lambda w, s, t: w.load(s, 'conn', t))],
  'rr': [('rr', 'request and response, 1 byte', '1/s', 0, lambda w, s, t: w.load(s, 'rr', t))],
  'udp': [
    ('udpup', 'UDP up, 1400 bytes, delivered', 'kpps', 0, udp_cell(False)),
    ('udpdown', 'UDP down, 1400 bytes, delivered', 'kpps', 0, udp_cell(True)),
  ],
}


def makers_of(args):
  """Functions of an MTU that make the systems; ours first."""
  makers = []
  for spec in args.program:
    name, _, path = spec.rpartition('=')
    makers.append(lambda mtu, n=name or 'slirp-lite', p=path: SlirpLite(n, p, mtu))
  for cls, program in ((Slirp4netns, 'slirp4netns'), (Pasta, 'pasta')):
    if shutil.which(program):
      makers.append(lambda mtu, c=cls: c(mtu))
    else:
      say(f'{program} is not installed')
  return [m for m in makers if not args.only or m(1500).name in args.only]


def start_times(world, makers, count):
  """Milliseconds from the start of the process to the moment at which it says that it is ready."""
  samples = {}
  for _ in range(count):
    for make in makers:
      system = make(1500)
      if not system.says_ready:
        continue
      world.start(system)
      samples.setdefault(system.name, []).append({'value': system.ready_ms})
      world.stop(system)
  return {name: report.merge(list_) for name, list_ in samples.items()}


def measure_cells(found, world, systems, args, mtu):
  for group, cells in CELLS.items():
    if (args.cells and group not in args.cells) or (group != 'tcp' and mtu != 1500):
      continue
    for name, title, unit, digits, cell in cells:
      say(f'{title}, MTU {mtu}')
      for system in systems:
        cell(world, system, args.warm)
      figures = start.in_turns(systems, args.rounds, lambda s, c=cell: c(world, s, args.time), SUMMED)
      found.add(f'{name}@{mtu}', f'{title}, MTU {mtu}', unit, digits, figures)
      start.tell(figures)


def measure_memory(found, idle, after, mtu):
  for key, title, by in (('idle', 'memory, idle', idle), ('after', 'memory, after the load', after)):
    found.add(f'{key}@{mtu}', f'{title}, MTU {mtu}', 'KiB', 0, {n: report.merge([{'value': v}]) for n, v in by.items()},
              less=True, group='Memory: proportional set size of all its processes')


def cpu_table(found):
  """What the streams cost, of all processes and of the system's own."""
  names = report.systems_of(found.doc)

  def one(cell, who):
    f = cell['figures'].get(who, {})
    if f.get('cpu_s_per_gb') is None:
      return ''
    own = f.get('engine_cpu_s_per_gb')
    return f'{f["cpu_s_per_gb"]:.2f}' + (f' ({own:.2f})' if own is not None else '')
  cells = [c for c in found.doc['cells'] if c['unit'] == 'Gbit/s']
  if cells:
    found.table('CPU seconds a gigabyte: all processes (the system\'s own)', [''] + names,
                [[c['title']] + [one(c, n) for n in names] for c in cells])
  found.table('TCP retransmission time-outs, all cells and rounds', names,
              [[sum(c['figures'].get(n, {}).get('timeouts') or 0 for c in found.doc['cells']) for n in names]])


def aims(found, who):
  for mtu in MTUS:
    for name, title in (('up1', 'up'), ('down1', 'down')):
      found.aim(f'TCP {title}, 1 stream, MTU {mtu}: >= 0.7 of direct', found.ratio(f'{name}@{mtu}', who, 'direct'), least=0.7)
  found.aim('connections: >= 4 times slirp4netns', found.ratio('conn@1500', who, 'slirp4netns'), least=4)
  found.aim('connections: >= 1.5 times pasta', found.ratio('conn@1500', who, 'pasta'), least=1.5)
  for name, title in (('udpup', 'up'), ('udpdown', 'down')):
    found.aim(f'UDP {title}: >= 3 times pasta', found.ratio(f'{name}@1500', who, 'pasta'), least=3)
  found.aim('start to ready: <= 5 ms', report.value_of(found.doc, 'start', who), most=5, unit=' ms')


def run(args):
  makers = makers_of(args)
  ours = [m(1500).name for m in makers if isinstance(m(1500), SlirpLite)]
  found = report.Report('slirp', 'User-mode networking: slirp-lite, slirp4netns, pasta', ours, limit='direct')
  world = World()
  found.doc['versions'] = sorted({m(1500).version() for m in makers} | {world.iperf_version()})
  found.doc['run'] = f'rounds: {args.rounds} of {args.time:g} s, after {args.warm:g} s of warm-up'
  for mtu in args.mtu or MTUS:
    systems = [m(mtu) for m in makers]
    for system in systems:
      world.start(system)
      say(f'{system.name} at MTU {mtu}')
    idle = {s.name: s.rss_kb() for s in systems}
    measure_cells(found, world, [Direct()] + systems, args, mtu)
    measure_memory(found, idle, {s.name: s.rss_kb() for s in systems}, mtu)
    for system in systems:
      world.stop(system)
  if not args.cells or 'start' in args.cells:
    found.add('start', 'start to ready', 'ms', 1, start_times(world, makers, 10), less=True, group='Start')
  cpu_table(found)
  if ours:
    aims(found, ours[0])
  return found


def main():
  parser = start.parser(__doc__)
  parser.add_argument('--program', action='append', default=[],
                      help='the slirp-lite to measure; NAME=PATH to measure several')
  parser.add_argument('--time', type=float, default=3, help='seconds for one figure (3)')
  parser.add_argument('--warm', type=float, default=1, help='seconds of warm-up before, which do not count (1)')
  parser.add_argument('--rounds', type=int, default=5, help='turns of each figure, of which the median is shown (5)')
  parser.add_argument('--only', action='append', help='measure these systems alone (may be repeated)')
  parser.add_argument('--cells', action='append', choices=[*CELLS, 'start'], help='these figures alone (may be repeated)')
  parser.add_argument('--mtu', action='append', type=int, help='of the tap (1500 and 65520)')
  args = parser.parse_args()
  if args.quick:
    args.time, args.rounds, args.mtu = 1, 1, args.mtu or [1500]
  start.main(args, run)


if __name__ == '__main__':
  main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""relay.py: ordinary users' networks of several containers by the tap engine, which is what they have unless another
is asked for, side by side in one run with the same by the relay engine, a container that is alone (by the tap engine,
too, with no bridge before it), pasta, slirp4netns, rootlesskit, and the direct path as limit.

Three sides: a container is the client of a server outside; it serves a client outside by a published port; it is
the client of another container of its network. `direct` is the same without any system: on the host itself, and
across a plain bridge of the kernel. The systems take turns within each cell (relay_world.py), so that what
disturbs the machine disturbs all; only ratios within one run mean anything. Never part of a test run.
"""
import resource
import shutil

import report
import start
from ports import load, tcp
from ports_world import NOFILE, Direct, Pasta, RootlessKit, Slirp4netns, SlirpLite
from relay_world import Network, Plain, RelayWorld
from slirp import SUMMED, cpu_table
from start import say

MTU = 1500
MANY = 4000
SIDES = {'out': 'From a container to a server outside', 'in': 'From a client outside to a published port',
         'across': 'From container to container of a network'}


def six(prefix, forth, back):
  """Cells of a side: (name, title, unit, digits, measure(world, system, seconds) -> a sample)."""
  return [(f'{prefix}up1', f'{forth}, 1 stream', 'Gbit/s', 2, tcp(1, False)),
          (f'{prefix}down1', f'{back}, 1 stream', 'Gbit/s', 2, tcp(1, True)),
          (f'{prefix}up4', f'{forth}, 4 streams', 'Gbit/s', 2, tcp(4, False)),
          (f'{prefix}down4', f'{back}, 4 streams', 'Gbit/s', 2, tcp(4, True)),
          (f'{prefix}conn', f'{forth}, connections', '1/s', 0, load('conn')),
          (f'{prefix}rr', f'{forth}, exchanges of one byte', '1/s', 0, load('rr'))]


CELLS = {
  'out': six('out-', 'container sends', 'container receives'),
  'in': six('in-', 'client sends', 'client receives'),
  'across': [c for c in six('across-', 'across', 'across, back') if c[0] in ('across-up1', 'across-up4', 'across-conn')],
}


def measure_side(found, world, side, systems, args):
  world.side = side
  for name, title, unit, digits, measure in CELLS[side]:
    if args.cells and name not in args.cells and side not in args.cells:
      continue
    say(f'{SIDES[side]}: {title}')
    if args.warm:
      for system in systems:
        measure(world, system, args.warm)
    figures = start.in_turns(systems, args.rounds, lambda s, m=measure: m(world, s, args.time), SUMMED)
    found.add(name, title, unit, digits, figures, group=SIDES[side])
    start.tell(figures)


def measure_many(found, world, systems, count):
  world.side = 'out'
  say(f'{count} connections that rest')
  figures = {s.name: report.merge([world.many(s, count)]) for s in systems}
  start.tell(figures)
  title = f'{count:,} connections that rest'
  found.add('many', f'{title}, memory of the system for each', 'bytes', 0,
            {n: f for n, f in figures.items() if n != 'direct'}, less=True, group='Memory')
  kernel = {n: f['kernel_bytes'] for n, f in figures.items() if 'kernel_bytes' in f}
  found.table(f'{title}: the kernel\'s memory for each, sockets of all ends, bytes', list(kernel),
              [[f'{v:,.0f}' for v in kernel.values()]])


def each_table(found):
  """Processor time of the systems' own processes for a connection and for an exchange."""
  names = [n for n in report.systems_of(found.doc) if n != 'direct']
  rows = []
  for cell in found.doc['cells']:
    by = {n: cell['figures'].get(n, {}).get('engine_cpu_us_each') for n in names}
    if any(v is not None for v in by.values()):
      rows.append([f'{cell["group"]}: {cell["title"]}'] + ['' if by[n] is None else f'{by[n]:.0f}' for n in names])
  if rows:
    found.table('Processor time of the system\'s own for each, microseconds', [''] + names, rows)


def aims(found, who, other_engine):
  def ratio(name, other, least, of=None):
    title = next(t for cells in CELLS.values() for n, t, *_ in cells if n == name)
    found.aim(f'{title}: >= {least} of {of or other}', found.ratio(name, who, other), least=least)
  for way in ('up', 'down'):
    ratio(f'out-{way}1', 'direct', 0.8)
    ratio(f'out-{way}4', 'direct', 0.7)
  ratio('out-conn', 'direct', 0.5)
  for name, *_ in CELLS['out']:
    ratio(name, other_engine, 1)
  for name, *_ in CELLS['in'][:4]:
    ratio(name, 'rootlesskit', 1)
  ratio('in-conn', 'rootlesskit', 2.5)
  for name, *_ in CELLS['across']:
    ratio(name, 'direct', 0.9, 'a plain bridge')
  found.aim(f'{MANY:,} connections, each: <= 1024 bytes of ours', report.value_of(found.doc, 'many', who), most=1024,
            unit=' bytes')


def systems_of(args):
  """[networks with the relay engine], [those with the tap engine], [single containers], [peers by Debian's programs]."""
  relays, taps, lone, peers = [], [], [], []
  for number, spec in enumerate(args.program):
    name, _, path = spec.rpartition('=')
    name = name or 'slirp-lite'
    for engine, into in (('relay', relays), ('tap', taps)):
      into.append(Network(f'{name}, {engine}', args.netns_up, args.forwarder, path, 2 * number + (engine == 'tap'), engine))
    lone.append(SlirpLite(f'{name}, alone', path, MTU))
  for cls, program in ((Pasta, 'pasta'), (Slirp4netns, 'slirp4netns'), (RootlessKit, 'rootlesskit')):
    if shutil.which(program):
      peers.append(cls(MTU))
    else:
      say(f'{program} is not installed')
  return tuple([s for s in list_ if not args.only or s.name in args.only] for list_ in (relays, taps, lone, peers))


def run(args):
  resource.setrlimit(resource.RLIMIT_NOFILE, (NOFILE, NOFILE))
  world = RelayWorld()
  relays, taps, lone, peers = systems_of(args)
  networks = taps + relays
  found = report.Report('relay', 'Networks of ordinary users: the tap engine, which they have, and the relay engine',
                        [s.name for s in networks + lone], limit='direct')
  found.doc['versions'] = sorted({s.version() for s in networks + lone + peers} | {world.iperf_version()})
  found.doc['run'] = f'rounds: {args.rounds} of {args.time:g} s, after {args.warm:g} s of warm-up; MTU {MTU}'
  for system in networks + lone + peers:
    world.start(system)
    say(system.name)
  kits = [s for s in peers if isinstance(s, RootlessKit)]
  measure_side(found, world, 'out', [Direct()] + networks + lone + [s for s in peers if s not in kits], args)
  measure_side(found, world, 'in', [Direct()] + networks + lone + kits, args)
  measure_side(found, world, 'across', [Plain()] + taps, args)
  if not args.cells or 'many' in args.cells:
    measure_many(found, world, [Direct()] + networks + lone, MANY)
  for system in networks + lone + peers:
    world.stop(system)
  cpu_table(found)
  each_table(found)
  if relays and taps:
    aims(found, taps[0].name, relays[0].name)
  return found


def main():
  parser = start.parser(__doc__)
  parser.add_argument('--program', action='append', default=[],
                      help='the slirp-lite to measure; NAME=PATH to measure several')
  parser.add_argument('--netns-up', default='build/netd/cli/netns-up', help='the netns-up that makes the networks')
  parser.add_argument('--forwarder', default='build/slirp-lite/fwd/netns-up-forwarder', help='what answers names in them')
  parser.add_argument('--time', type=float, default=1, help='seconds for one figure (1)')
  parser.add_argument('--warm', type=float, default=1, help='seconds of warm-up before, which do not count (1)')
  parser.add_argument('--rounds', type=int, default=5, help='turns of each figure, of which the median is shown (5)')
  parser.add_argument('--only', action='append', help='measure these systems alone (may be repeated)')
  parser.add_argument('--cells', action='append', help='these cells or sides alone: ' + ', '.join(
    [*CELLS, *(c[0] for cells in CELLS.values() for c in cells), 'many']) + ' (may be repeated)')
  args = parser.parse_args()
  if args.quick:
    args.time, args.rounds, args.warm = 1, 1, 0
  start.main(args, run)


if __name__ == '__main__':
  main()

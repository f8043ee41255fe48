#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ports.py: published ports of ordinary users' containers, slirp-lite and its peers side by side in one run.

A client outside of a host (joined to it by a veth with default sysctls) or on it, and on the host for each
system a container of an unprivileged user with published ports and a server in it (ports_world.py). `direct`
is the same server on the host itself: the limit. The systems take turns within each cell, so that what
disturbs the machine disturbs all; only ratios within one run mean anything. Progress goes to standard error,
the tables as Markdown to standard output. Never part of a test run.
"""
import argparse
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import sys
import time

import ports_report
from ports_world import NOFILE, Direct, Pasta, PortsWorld, RootlessKit, Slirp4netns, SlirpLite


def say(text):
  print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def tcp(streams, is_out):
  return lambda w, s, t: w.iperf(s, t, ['-P', str(streams)] + (['-R'] if is_out else []))


def load(kind):
  return lambda w, s, t: w.load(s, kind, t)


def udp(is_out):
  return lambda w, s, t: w.flood(s, t, is_out)


# group: (name, is the client on the host, measure(world, system, seconds) -> figures with 'value'); what they
# are called and measured in is in ports_report.py.
CELLS = {
  'tcp': [('in1', False, tcp(1, False)), ('out1', False, tcp(1, True)),
          ('in4', False, tcp(4, False)), ('out4', False, tcp(4, True))],
  'conn': [('conn', False, load('conn'))],
  'rr': [('rr', False, load('rr'))],
  'udp': [('udpin', False, udp(False)), ('udpout', False, udp(True))],
  'local': [('localin', True, tcp(1, False)), ('localout', True, tcp(1, True)), ('localconn', True, load('conn')),
            ('localrr', True, load('rr'))],
}
SUMMED = ('timeouts',)


def summary(samples):
  """Medians, and the range of what counts."""
  out = {}
  good = [s for s in samples if 'value' in s]
  for key in good[0] if good else ():
    values = [s[key] for s in good if s.get(key) is not None]
    if values:
      out[key] = sum(values) if key in SUMMED else statistics.median(values)
  if good:
    out['min'], out['max'] = (f(s['value'] for s in good) for f in (min, max))
  out['samples'] = samples
  failed = [s['error'] for s in samples if 'error' in s]
  if failed:
    out['error'], out['failed'] = failed[0], len(failed)
  return out


def in_turns(systems, rounds, measure):
  """One figure of every system in turns; the order goes round so that nobody is always first."""
  samples = {s.name: [] for s in systems}
  for i in range(rounds):
    for system in systems[i % len(systems):] + systems[:i % len(systems)]:
      samples[system.name].append(measure(system))
  return {name: summary(list_) for name, list_ in samples.items()}


def measure_cells(world, systems, args, mtu, result):
  for group, cells in CELLS.items():
    if (args.cells and group not in args.cells) or (group != 'tcp' and mtu != 1500):
      continue
    for name, is_local, measure in cells:
      say(f'{name}, MTU {mtu}')
      world.is_local = is_local
      for system in systems:
        measure(world, system, args.warm)
      begin = os.getloadavg()[0]
      figures = in_turns(systems, args.rounds, lambda s, m=measure: m(world, s, args.time))
      result['cells'][f'{name}@{mtu}'] = figures
      result['loads'] += [begin, os.getloadavg()[0]]
      for who, f in figures.items():
        say(f'  {who:14s} {f["value"]:10.2f} ({f["min"]:.2f} to {f["max"]:.2f})' if 'value' in f
            else f'  {who:14s} {f["error"]}')


def measure_many(world, makers, args, result):
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
        say(f'  {make(1500).name:14s} {list_[-1]}')
    result['cells'][f'many{count}'] = {name: summary(list_) for name, list_ in samples.items()}


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
  makers = makers_of(args)
  world = PortsWorld()
  result = {'date': time.strftime('%Y-%m-%d'), 'kernel': platform.release(), 'cpus': os.cpu_count(), 'cells': {},
            'seconds': args.time, 'rounds': args.rounds, 'ours': [m(1500).name for m in makers[:len(args.program)]],
            'versions': sorted({m(1500).version() for m in makers} | {world.iperf_version()}),
            'loads': [os.getloadavg()[0]]}
  say(f'kernel {result["kernel"]}, {result["cpus"]} CPUs; ' + '; '.join(result['versions']))
  for mtu in args.mtu or [1500, 65520]:
    systems = [m(mtu) for m in makers]
    for system in systems:
      world.start(system)
      say(f'{system.name} at MTU {mtu}')
    if mtu == 1500 and (not args.cells or 'address' in args.cells):
      result['seen'] = {s.name: world.seen_addresses(s) for s in systems}
      for name, seen in result['seen'].items():
        say(f'  {name:14s} ' + ', '.join(f'{k}: {v["seen"] or "no answer"}' for k, v in seen.items()))
    measure_cells(world, [Direct()] + systems, args, mtu, result)
    for system in systems:
      world.stop(system)
  if not args.cells or 'many' in args.cells:
    measure_many(world, makers, args, result)
  result['load'] = [min(result['loads']), max(result['loads'])]
  del result['loads']
  if args.json:
    json.dump(result, args.json, indent=1)
    args.json.write('\n')
    args.json.close()
  ports_report.show(result)


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--program', action='append', default=[],
                      help='the slirp-lite to measure; NAME=PATH to measure several')
  parser.add_argument('--time', type=int, default=2, help='seconds for one figure (2)')
  parser.add_argument('--warm', type=int, default=1, help='seconds of warm-up before, which do not count (1)')
  parser.add_argument('--rounds', type=int, default=5, help='turns of each figure, of which the median is shown (5)')
  parser.add_argument('--quick', action='store_true', help='one turn of one second, MTU 1500 alone')
  parser.add_argument('--json', type=argparse.FileType('w'), help='write all figures to this file')
  parser.add_argument('--report', type=argparse.FileType('r'), help='measure nothing: the tables of such a file')
  parser.add_argument('--only', action='append', help='measure these systems alone (may be repeated)')
  parser.add_argument('--cells', action='append', choices=[*CELLS, 'address', 'many'],
                      help='these figures alone (may be repeated)')
  parser.add_argument('--mtu', action='append', type=int, help='of the taps (1500 and 65520)')
  args = parser.parse_args()
  if args.report:
    ports_report.show(json.load(args.report))
    return
  if args.quick:
    args.time, args.rounds, args.mtu = 1, 1, args.mtu or [1500]
  if os.geteuid() != 0:
    sys.exit('ports bench: needs root, for namespaces')
  if os.environ.get('NETNS_UP_BENCH_INSIDE') != '1':
    # A PID namespace of its own: whatever the systems leave running ends with the run.
    if args.json:
      args.json.close()
    os.environ['NETNS_UP_BENCH_INSIDE'] = '1'
    unshare = shutil.which('unshare') or sys.exit('ports bench: util-linux is missing')
    os.execv(unshare, [unshare, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net',
                       sys.executable, '-B', os.path.abspath(__file__), *sys.argv[1:]])
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  begin = time.monotonic()
  try:
    run(args)
  except KeyboardInterrupt:
    sys.exit(130)
  except (RuntimeError, OSError) as error:
    sys.exit(f'ports bench: {error}')
  say(f'done in {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
  main()

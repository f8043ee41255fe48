#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp.py: slirp-lite, slirp4netns and pasta side by side in one run, with the direct path as limit.

A server in a namespace of its own, a host joined to it by a veth with default sysctls, and for each
system a container of an unprivileged user with the system's tap (slirp_world.py). The systems take turns
cell by cell, so that what disturbs the machine disturbs all; only ratios within one run mean anything.
Never part of a test run.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import time

from slirp_world import MTUS, Direct, Pasta, SlirpLite, Slirp4netns, World


def say(text):
  print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def median(values):
  return statistics.median(values) if values else None


# (name, title, unit, digits, measure(world, system, seconds) -> figures with 'value')
def tcp_cell(streams, is_down):
  def measure(world, system, seconds):
    return world.iperf(system, seconds, ['-P', str(streams)] + (['-R'] if is_down else []))
  return measure


def udp_cell(is_down):
  def measure(world, system, seconds):
    return world.iperf_udp(system, seconds, ['-R'] if is_down else [])
  return measure


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


def measure_cell(world, systems, cell, seconds, rounds):
  """One figure for every system, in turns; the order goes round so that nobody is always first."""
  samples = {s.name: [] for s in systems}
  for i in range(rounds):
    for system in systems[i % len(systems):] + systems[:i % len(systems)]:
      samples[system.name].append(cell(world, system, seconds))
  out = {}
  for name, list_ in samples.items():
    keys = [k for k in list_[0] if all(k in x and x[k] is not None for x in list_)]
    out[name] = {k: (sum if k == 'timeouts' else median)([x[k] for x in list_]) for k in keys}
    if any('error' in x for x in list_):
      out[name]['error'] = next(x['error'] for x in list_ if 'error' in x)
  return out


def show_cell(title, unit, digits, figures):
  limit = figures.get('direct', {}).get('value')
  print(f'\n{title}, {unit}')
  for name, f in figures.items():
    if 'value' not in f:
      print(f'  {name:22s} {"failed: " + f.get("error", "?")}')
      continue
    ratio = f'{f["value"] / limit:5.2f}' if limit else '     '
    extra = ''
    if f.get('cpu_s_per_gb') is not None:
      extra += f'  {f["cpu_s_per_gb"]:5.2f} cpu-s/GB'
    if f.get('engine_cpu_s_per_gb') is not None:
      extra += f' ({f["engine_cpu_s_per_gb"]:.2f} of it the system itself)'
    if f.get('timeouts') is not None:
      extra += f'  {f["timeouts"]} TCP time-outs'
    if f.get('p99_us') is not None:
      extra += f'  p99 {f["p99_us"]:.0f} us'
    print(f'  {name:22s} {f["value"]:9.{digits}f} {ratio}{extra}')
  sys.stdout.flush()


def start_times(world, makers, count):
  """Milliseconds from the start of the process to the moment at which it says that it is ready."""
  out = {}
  for _ in range(count):
    for make in makers:
      system = make(1500)
      if not system.says_ready:
        continue
      world.start(system)
      out.setdefault(system.name, []).append(system.ready_ms)
      world.stop(system)
  return {name: {'value': median(v), 'max': max(v)} for name, v in out.items()}


def show_versions(result):
  print(f'kernel {result["kernel"]}, {result["cpus"]} CPUs; ' + '; '.join(result['versions']))


def run(args):
  makers = []
  for spec in args.program:
    name, _, path = spec.rpartition('=')
    makers.append(lambda mtu, n=name or 'slirp-lite', p=path: SlirpLite(n, p, mtu))
  for cls, program in ((Slirp4netns, 'slirp4netns'), (Pasta, 'pasta')):
    if shutil.which(program):
      makers.append(lambda mtu, c=cls: c(mtu))
    else:
      say(f'{program} is not installed')
  makers = [m for m in makers if not args.only or m(1500).name in args.only]
  world = World()
  result = {'kernel': platform.release(), 'cpus': os.cpu_count(), 'cells': {},
            'versions': sorted({m(1500).version() for m in makers} | {world.iperf_version()})}
  show_versions(result)
  direct = Direct()
  for mtu in args.mtu or MTUS:
    systems = [m(mtu) for m in makers]
    for system in systems:
      world.start(system)
      say(f'{system.name} at MTU {mtu}')
    rss = {s.name: s.rss_kb() for s in systems}
    for group, cells in CELLS.items():
      if (args.cells and group not in args.cells) or (group != 'tcp' and mtu != 1500):
        continue
      for name, title, unit, digits, cell in cells:
        say(f'{title}, MTU {mtu}')
        seconds = args.time if group == 'tcp' else min(args.time, 3)
        figures = measure_cell(world, [direct] + systems, cell, seconds, args.rounds)
        result['cells'][f'{name}@{mtu}'] = figures
        show_cell(f'{title}, MTU {mtu}', unit, digits, figures)
    after = {s.name: s.rss_kb() for s in systems}
    result['cells'][f'rss@{mtu}'] = {n: {'value': rss[n], 'after': after[n]} for n in rss}
    print(f'\nmemory (RSS of all its processes, proportional), MTU {mtu}, KiB: idle, after the load')
    for name in rss:
      print(f'  {name:22s} {rss[name]:9d} {after[name]:9d}')
    for system in systems:
      world.stop(system)
  if not args.cells or 'start' in args.cells:
    figures = start_times(world, makers, 10)
    result['cells']['start'] = figures
    show_cell('start to ready', 'ms', 1, figures)
  if args.json:
    json.dump(result, args.json, indent=1)
    args.json.write('\n')
    args.json.close()


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--program', action='append', default=[],
                      help='the slirp-lite to measure; NAME=PATH to measure several')
  parser.add_argument('--time', type=float, default=5, help='seconds for one figure (5)')
  parser.add_argument('--rounds', type=int, default=1, help='turns of each figure, of which the median is shown (1)')
  parser.add_argument('--quick', action='store_true', help='2 seconds a figure, MTU 1500 alone')
  parser.add_argument('--json', type=argparse.FileType('w'), help='write all figures to this file')
  parser.add_argument('--only', action='append', help='measure these systems alone (may be repeated)')
  parser.add_argument('--cells', action='append', choices=[*CELLS, 'start'], help='these figures alone (may be repeated)')
  parser.add_argument('--mtu', action='append', type=int, help='of the tap (1500 and 65520)')
  args = parser.parse_args()
  if args.quick:
    args.time, args.mtu = 2, args.mtu or [1500]
  if os.geteuid() != 0:
    sys.exit('slirp bench: needs root, for namespaces')
  if os.environ.get('NETNS_UP_BENCH_INSIDE') != '1':
    # A PID namespace of its own: whatever the systems leave running ends with the run.
    if args.json:
      args.json.close()
    os.environ['NETNS_UP_BENCH_INSIDE'] = '1'
    unshare = shutil.which('unshare') or sys.exit('slirp bench: util-linux is missing')
    os.execv(unshare, [unshare, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net',
                       sys.executable, '-B', os.path.abspath(__file__), *sys.argv[1:]])
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  begin = time.monotonic()
  try:
    run(args)
  except KeyboardInterrupt:
    sys.exit(130)
  except (RuntimeError, OSError) as error:
    sys.exit(f'slirp bench: {error}')
  say(f'done in {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
  main()

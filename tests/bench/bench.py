#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py: netns-up, netavark and the reference CNI plugins side by side in one run.

Whole processes on the same work (systems.py says which), in hosts of their own (world.py), with N
attachments already there; the systems take turns sample by sample, so that what disturbs the machine
disturbs all. Shown: median and 95th percentile, ratios to the first system, and the time of a new
connection through a published port with few and with many forwards. Never part of a test run.
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

from connect import connection_times
from systems import CniChain, Netavark, NetnsUp, NetnsUpCni, find_cni, find_netavark, ports_of
from world import Host, JobError, mount, run_jobs, sh


def say(text):
  print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def summary(values):
  """Median and 95th percentile of seconds, in milliseconds."""
  ordered = sorted(values)
  rank = min(len(ordered) - 1, int(0.95 * len(ordered)))
  return {'median': statistics.median(ordered) * 1e3, 'p95': ordered[rank] * 1e3, 'n': len(ordered)}


class Side:
  """One system with its host and the attachments it has."""

  def __init__(self, system):
    self.system, self.host = system, system.host
    self.next = 0
    self.live = []

  def fresh(self, count):
    """Makes count empty containers."""
    numbers = list(range(self.next, self.next + count))
    self.next += count
    return [(n, self.host.netns(f'/run/ns/{n}')) for n in numbers]

  def run(self, verb, containers, width=1):
    """Runs add or delete for all; returns (seconds each, seconds in all). Any failure ends the run."""
    jobs = [getattr(self.system, verb)(number, path) for number, path in containers]
    results, total = run_jobs(jobs, width)
    for result in results:
      if isinstance(result, JobError):
        raise result
    return results, total

  def drop(self, containers):
    for _, path in containers:
      self.host.netns_remove(path)

  def pile_up(self, count):
    """Brings the number of attachments to count. Peers fail now and then when run side by side, so
    what failed is taken back and done again alone."""
    containers = self.fresh(count - len(self.live))
    jobs = [self.system.add(number, path) for number, path in containers]
    results, _ = run_jobs(jobs, self.system.parallel_setup, deadline=3600)
    for container, result in zip(containers, results):
      if isinstance(result, JobError):
        say(f'{self.system.title}: repeated alone: {result}')
        run_jobs([self.system.delete(*container)])
        self.run('add', [container])
    self.live += containers

  def verify(self):
    """The work is done: both families answer from outside through both host addresses."""
    container = self.fresh(1)
    self.run('add', container)
    number, path = container[0]
    for outer, inner in ports_of(number):
      server = self.host.listen(path, inner)
      try:
        for address in (Host.V4, Host.V6):
          try:
            self.host.connect(address, outer)
          except OSError as error:
            raise JobError(f'{self.system.title}: port {outer} of {address} does not answer: {error}') from error
      finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    self.run('delete', container)
    self.drop(container)


def sequential(sides, rounds):
  """One ADD and one DEL at a time, the systems in turn."""
  times = {s.system.title: {'add': [], 'del': []} for s in sides}
  for turn in range(rounds):
    for side in sides[turn % len(sides):] + sides[:turn % len(sides)]:
      side.host.enter()
      container = side.fresh(1)
      times[side.system.title]['add'] += side.run('add', container)[0]
      times[side.system.title]['del'] += side.run('delete', container)[0]
      side.drop(container)
  return {title: {verb: summary(values) for verb, values in both.items()} for title, both in times.items()}


def parallel(sides, width, rounds):
  """width ADDs at once, then width DELs at once; addresses and failures are counted."""
  figures = {}
  for side in sides:
    side.host.enter()
    result = {'add': [], 'del': [], 'add_seconds': [], 'del_seconds': [], 'errors': 0}
    for _ in range(rounds):
      containers = side.fresh(width)
      for verb, key in (('add', 'add'), ('delete', 'del')):
        jobs = [getattr(side.system, verb)(*c) for c in containers]
        results, seconds = run_jobs(jobs, width)
        result[key] += [r for r in results if not isinstance(r, JobError)]
        failed = [r for r in results if isinstance(r, JobError)]
        result['errors'] += len(failed)
        if failed:
          say(f'{side.system.title}: {len(failed)} of {width} parallel {verb} failed: {failed[0]}')
        result[key + '_seconds'].append(seconds)
        if verb == 'add':
          result['distinct'] = distinct_addresses(containers)
      side.drop(containers)
    figures[side.system.title] = {
      'add': summary(result['add']) if result['add'] else None,
      'del': summary(result['del']) if result['del'] else None,
      'add_seconds': statistics.median(result['add_seconds']),
      'del_seconds': statistics.median(result['del_seconds']),
      'errors': result['errors'], 'distinct': result['distinct'], 'width': width}
  return figures


def distinct_addresses(containers):
  seen = set()
  for _, path in containers:
    for line in sh(f'nsenter --net={path} ip -o -4 addr show scope global').splitlines():
      seen.add(line.split()[3])
  return len(seen)


def ms(value):
  return f'{value:.1f}' if value < 100 else f'{value:.0f}'


def pair(figure):
  return '-' if figure is None else f'{ms(figure["median"])} / {ms(figure["p95"])}'


def ratio(value, base):
  return '-' if not base or value is None else f'{value / base:.1f}x'


def table(title, head, rows):
  print(f'\n{title}')
  widths = [max(len(str(row[i])) for row in [head] + rows) for i in range(len(head))]
  for row in [head] + rows:
    cells = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
    print('  ' + '   '.join(cells).rstrip(), flush=True)


def show_sequential(existing, figures):
  base = next(iter(figures.values()))
  table(f'One at a time, {existing} attachments there; ms, median / p95 (ratio of medians to the first line)',
        ['', 'ADD', 'ratio', 'DEL', 'ratio'],
        [[title, pair(f['add']), ratio(f['add']['median'], base['add']['median']),
          pair(f['del']), ratio(f['del']['median'], base['del']['median'])] for title, f in figures.items()])


def show_parallel(existing, width, figures):
  base = next(iter(figures.values()))
  table(f'{width} at once, {existing} attachments there',
        ['', 'ADDs/s', 'all in s', 'ratio', 'one, ms', 'DELs/s', 'all in s', 'addresses', 'errors'],
        [[title, f'{width / f["add_seconds"]:.1f}', f'{f["add_seconds"]:.2f}',
          ratio(f['add_seconds'], base['add_seconds']), pair(f['add']), f'{width / f["del_seconds"]:.1f}',
          f'{f["del_seconds"]:.2f}', f['distinct'], f['errors']] for title, f in figures.items()])


def show_connections(figures):
  counts = sorted({count for by in figures.values() for count in by})
  table('New connection from outside through a published port, by number of forwards; us, median / p95',
        [''] + [f'{c:,}' for c in counts] + ['last : first'],
        [[title] + [f'{by[c]["median"] * 1e3:.0f} / {by[c]["p95"] * 1e3:.0f}' if c in by else '-' for c in counts]
         + [ratio(by[max(by)]['median'], by[min(by)]['median'])] for title, by in figures.items()])


def stage(args):
  """The program and its forwarder side by side, as installed. The folder is of this run's own mounts."""
  if not args.program:
    return None
  mount('tmpfs', '/mnt', 'tmpfs', 0, 'mode=755')
  for path in (args.program, args.forwarder):
    shutil.copy(path, '/mnt/')
  if args.cni_plugin:
    shutil.copy(args.cni_plugin, '/mnt/netd')
  return '/mnt/' + os.path.basename(args.program)


def build_sides(args):
  """The systems asked for and present, each with a host of its own."""
  makers = []
  program = stage(args)
  if program:
    for mode in ('bridge', 'routed'):
      makers.append((f'netns-up-{mode}', lambda h, m=mode: NetnsUp(h, program, m)))
    if args.cni_plugin:
      for mode in ('bridge', 'routed'):
        makers.append((f'netns-up-cni-{mode}', lambda h, m=mode: NetnsUpCni(h, '/mnt/netd', m)))
  else:
    say('without --program and --forwarder: the peers alone')
  netavark, cni = find_netavark(), find_cni()
  if netavark:
    makers.append(('netavark', lambda h: Netavark(h, netavark)))
  else:
    say('netavark is not installed')
  if cni:
    makers.append(('cni', lambda h: CniChain(h, cni)))
  else:
    say('the reference CNI plugins are not installed')
  return [(key, make) for key, make in makers if not args.only or key in args.only]


def start_side(key, make):
  host = Host(key)
  host.enter()
  side = Side(make(host))
  side.system.prepare()
  side.verify()
  return side


def run(args):
  makers = build_sides(args)
  if not makers:
    raise JobError('nothing to measure')
  if args.quick:
    plan = {'existing': [1, 30], 'rounds': {1: 8, 30: 4}, 'parallel': 1, 'forwards': [1, 1000], 'connects': 400,
            'many': 0}
  else:
    plan = {'existing': [1, 100, 980], 'rounds': {1: 30, 100: 20, 980: 15}, 'parallel': 3,
            'forwards': [1, 1000, 10000], 'connects': 2000, 'many': 200}
  plan['existing'] = [n for n in plan['existing'] if n <= args.max_existing]
  result = {'kernel': platform.release(), 'cpus': os.cpu_count(), 'versions': [], 'sequential': {}, 'parallel': {}}

  sides = [start_side(key, make) for key, make in makers]
  result['versions'] = sorted({s.system.version() for s in sides})
  print(f'kernel {result["kernel"]}, {result["cpus"]} CPUs; ' + '; '.join(result['versions']))
  print(sh('iptables --version; nft --version').strip().replace('\n', '; '))
  print('netavark is given its addresses (podman chooses them); the others choose and record them.')
  for existing in plan['existing']:
    for side in sides:
      say(f'{side.system.title}: up to {existing} attachments')
      side.host.enter()
      side.pile_up(existing)
    say(f'one at a time at {existing}')
    sequential(sides, 1)
    figures = sequential(sides, plan['rounds'][existing])
    result['sequential'][existing] = figures
    show_sequential(existing, figures)
    say(f'16 at once at {existing}')
    figures = parallel(sides, 16, plan['parallel'])
    result['parallel'][f'16@{existing}'] = figures
    show_parallel(existing, 16, figures)
    if existing == 1 and plan['many']:
      say(f'{plan["many"]} at once')
      figures = parallel(sides, plan['many'], 1)
      result['parallel'][f'{plan["many"]}@1'] = figures
      show_parallel(existing, plan['many'], figures)
  say('connections')
  # The rules that the plugin makes are those of netns-up.
  others = [(key, make) for key, make in makers if not key.startswith('netns-up-cni-')]
  result['connections'] = connection_times(others, plan['forwards'], plan['connects'], say, summary)
  show_connections(result['connections'])
  if args.json:
    # The file is of the caller's mount namespace, opened before the first host was entered.
    json.dump(result, args.json, indent=1)
    args.json.write('\n')
    args.json.close()


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--program', help='the netns-up to measure')
  parser.add_argument('--forwarder', help='its local forwarder')
  parser.add_argument('--cni-plugin', help='its CNI plugin, measured too')
  parser.add_argument('--quick', action='store_true', help='a run of about a minute: fewer samples, smaller hosts')
  parser.add_argument('--json', type=argparse.FileType('w'), help='write all figures to this file')
  parser.add_argument('--only', action='append',
                      choices=['netns-up-bridge', 'netns-up-routed', 'netns-up-cni-bridge', 'netns-up-cni-routed',
                               'netavark', 'cni'],
                      help='measure these systems alone (may be repeated)')
  parser.add_argument('--max-existing', type=int, default=980, help='leave out larger hosts')
  args = parser.parse_args()
  if args.cni_plugin and not args.program:
    sys.exit('bench: --cni-plugin goes with --program')
  if bool(args.program) != bool(args.forwarder):
    sys.exit('bench: --program and --forwarder go together')
  if os.geteuid() != 0:
    sys.exit('bench: needs root, for namespaces')
  if os.environ.get('NETNS_UP_BENCH_INSIDE') != '1':
    # A PID namespace of its own: whatever the systems leave running ends with the run.
    if args.json:
      args.json.close()
    os.environ['NETNS_UP_BENCH_INSIDE'] = '1'
    unshare = shutil.which('unshare') or sys.exit('bench: util-linux is missing')
    os.execv(unshare, [unshare, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net',
                       sys.executable, '-B', os.path.abspath(__file__), *sys.argv[1:]])
  # The first process of a PID namespace gets only the signals that it handles.
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  begin = time.monotonic()
  try:
    run(args)
  except KeyboardInterrupt:
    sys.exit(130)
  except (JobError, RuntimeError, OSError) as error:
    sys.exit(f'bench: {error}')
  say(f'done in {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
  main()

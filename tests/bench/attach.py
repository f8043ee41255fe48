#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""attach.py: netns-up, netavark and the reference CNI plugins side by side in one run.

Whole processes on the same work (systems.py says which), in hosts of their own (world.py), with N
attachments already there; the systems take turns sample by sample, so that what disturbs the machine
disturbs all. Also the time of a new connection through a published port with few and with many forwards.
Never part of a test run.
"""
import os
import random
import shutil
import signal
import sys
import time

import copies
import report
import start
from connect import connection_times
from start import say
from systems import CniChain, Netavark, NetnsUp, NetnsUpCni, Peer, find_cni, find_netavark, ports_of
from world import Host, JobError, Step, mount, run_jobs, sh

BUDGET = 60  # seconds that a system may take of a cell; then it gets no further turns after the least
LEAST = 5  # samples of one at a time, however long they take
LEAST_AT_ONCE = 2  # the same, rounds of calls at once
COPIED = 8  # more attachments than these of a peer are copies
SETTLE_S = 5  # after so many interfaces at once the kernel has work of its own
FIRSTS = 3  # hosts on which the first attachment is measured
ALONE = 'One at a time: processes from start to exit'


class Side:
  """One system with its host and the attachments it has."""

  def __init__(self, system):
    self.system, self.host = system, system.host
    self.next = 0
    self.live = []
    self.is_proven = False

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
    """Brings the number of attachments to count; many of a peer are copies of its first one. What a copy is, is
    looked at before the first of them and behind the last."""
    missing = count - len(self.live)
    if isinstance(self.system, Peer) and missing > COPIED:
      source = self.live[0][0]
      self.drop(copies.prove(self.system, source, self.fresh))
      containers = self.fresh(missing)
      copies.copy(self.system, source, containers)
      self.drop(copies.prove(self.system, source, self.fresh))
      self.is_proven = True
    else:
      containers = self.fresh(missing)
      self.run('add', containers, self.system.parallel_setup)
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


def turns(sides, rounds, least):
  """Each side rounds times, in an order of chance, so that nobody is always behind the same one; a side that has
  used up its time only least times."""
  spent = {id(side): 0.0 for side in sides}
  for turn in range(rounds):
    for side in random.Random(turn).sample(sides, len(sides)):
      if turn >= least and spent[id(side)] > BUDGET:
        continue
      begin = time.monotonic()
      yield side
      spent[id(side)] += time.monotonic() - begin


def sequential(sides, rounds):
  """One ADD and one DEL at a time, the systems in turn: ({title: figure}, {title: figure}), ms."""
  times = {'add': {s.system.title: [] for s in sides}, 'delete': {s.system.title: [] for s in sides}}
  for side in turns(sides, rounds, LEAST):
    side.host.enter()
    container = side.fresh(1)
    for verb, by in times.items():
      by[side.system.title] += [t * 1e3 for t in side.run(verb, container)[0]]
    side.drop(container)
  return [{title: report.summary(values) for title, values in by.items()} for by in times.values()]


def parallel(sides, width, rounds):
  """width ADDs at once, then width DELs at once: {verb: {title: figure}}, those that succeed in a second, with the
  failures of all rounds and the fewest distinct addresses of one. The first round of each is the warm-up."""
  samples = {verb: {s.system.title: [] for s in sides} for verb in ('add', 'delete')}
  for side in turns(sides, 1 + rounds, 1 + LEAST_AT_ONCE):
    side.host.enter()
    containers = side.fresh(width)
    for verb, by in samples.items():
      results, seconds = run_jobs([getattr(side.system, verb)(*c) for c in containers], width)
      failed = [r for r in results if isinstance(r, JobError)]
      if failed:
        say(f'{side.system.title}: {len(failed)} of {width} parallel {verb} failed: {failed[0]}')
      sample = {'value': (width - len(failed)) / seconds, 'errors': len(failed)}
      if verb == 'add':
        sample['distinct'] = distinct_addresses(containers)
      by[side.system.title].append(sample)
    side.drop(containers)
  merged = {verb: {title: report.merge(list_[1:], ('errors',)) for title, list_ in by.items()}
            for verb, by in samples.items()}
  for title, list_ in samples['add'].items():
    merged['add'][title]['distinct'] = min(s['distinct'] for s in list_[1:])
  return merged


def distinct_addresses(containers):
  seen = set()
  for _, path in containers:
    for line in sh(f'nsenter --net={path} ip -o -4 addr show scope global').splitlines():
      seen.add(line.split()[3])
  return len(seen)


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


PACE = 'A process that does nothing'
PACE_NOTE = (
  'Aims in milliseconds and calls a second were set for machines on which a process that does nothing takes 0.5 to 0.65 ms '
  'from start to exit. What it took here, with so many attachments there, is in the last table.')
NOTES = (
  'An attachment to a bridge, or routed where it says so, IPv4 and IPv6, two published ports. netavark is given its '
  'addresses, as by podman; the others choose and record them.',
  'Our DEL ends when the kernel says that the interfaces are gone; a task of ours stays until the kernel has also waited for '
  'those who may still look at them (15 ms and more), for which the peers wait themselves.',
  'One at a time: two rounds of warm-up. At once: one, and as many that count as "n" in the JSON says. '
  'The new connections are those of the last of so many forwards, in turns of a tenth.', PACE_NOTE)
COPIES = (
  f'Where a peer gets more than {COPIED} attachments at a time, they are copies of the first that it made: rules, files, the '
  'pair of interfaces, addresses and routes; the forwards of 1,000 and 10,000 are copies of rules and files. Before the first '
  'copy and behind the last, one was compared with one that the peer made in its place (all rules in their order, files, '
  'addresses and routes in the container, the port of the bridge; not sysctls or neighbours), and taken away by the peer. '
  'Ours are all made by our own programs.')


def plan_of(args):
  if args.quick:
    plan = {'existing': [1, 30], 'rounds': {1: 8, 30: 4}, 'parallel': {1: 1, 30: 1}, 'forwards': [1, 1000], 'connects': 400,
            'many': 0}
  else:
    # A peer's call takes seconds where hundreds are there: a few show it.
    plan = {'existing': [1, 100, 980], 'rounds': {1: 40, 100: 20, 980: 10}, 'parallel': {1: 5, 100: 3, 980: 2},
            'forwards': [1, 1000, 10000], 'connects': 2000, 'many': 200}
  plan['existing'] = [n for n in plan['existing'] if n <= args.max_existing]
  return plan


def pace(existing, systems):
  """What absolute aims, and how times grow, are to be read with: [where, median, lowest, highest], ms."""
  results, _ = run_jobs([(Step([shutil.which('true')]) for _ in (0,)) for _ in range(report.KEPT)])
  figure = report.summary([t * 1e3 for t in results])
  return [f'{existing} there, {existing * systems:,} on the machine'] + [f'{figure[k]:.1f}' for k in ('value', 'low', 'high')]


def first(makers):
  """The first ADD of a host, which has the base rules to make, and the last DEL: [{title: figure}, {title: figure}]."""
  times = {'add': {}, 'delete': {}}
  for turn in range(FIRSTS + 1):
    for key, make in random.Random(turn).sample(makers, len(makers)):
      host = Host(f'{key}-first{turn}')
      host.enter()
      side = Side(make(host))
      side.system.prepare()
      container = side.fresh(1)
      for verb, by in times.items():
        seconds = side.run(verb, container)[0]
        by.setdefault(side.system.title, []).extend([t * 1e3 for t in seconds] if turn > 0 else [])
      side.drop(container)
  return [{title: report.summary(values) for title, values in by.items()} for by in times.values()]


def status(found, sides, rounds, existing):
  """STATUS of our plugin."""
  plugins = [s for s in sides if isinstance(s.system, NetnsUpCni)]
  times = {s.system.title: [] for s in plugins}
  for side in turns(plugins, rounds, LEAST):
    side.host.enter()
    times[side.system.title] += [t * 1e3 for t in run_jobs([side.system.status()])[0]]
  found.add(f'status@{existing}', f'STATUS, {existing} there', 'ms', 1,
            {title: report.summary(values) for title, values in times.items()}, less=True, group=ALONE)


def measure_at_once(found, sides, width, rounds, existing, errors):
  say(f'{width} at once at {existing}')
  for verb, figures in parallel(sides, width, rounds).items():
    word = {'add': 'ADD', 'delete': 'DEL'}[verb]
    found.add(f'{verb}{width}@{existing}', f'{width} {word}s at once, {existing} there', '1/s', 1, figures, group='At once')
    start.tell(figures)
    errors += [[title, f'{width} {word}s, {existing} there', f['errors'], f.get('distinct', '')]
               for title, f in figures.items() if f['errors'] or f.get('distinct', width) != width]


def many_in_time(found, side, count):
  return min(report.value_of(found.doc, f'{verb}16@1', side.system.title) for verb in ('add', 'delete')) * BUDGET >= count


def measure(found, sides, plan, errors, paces):
  for existing in plan['existing']:
    for side in sides:
      say(f'{side.system.title}: up to {existing} attachments')
      side.host.enter()
      side.pile_up(existing)
    time.sleep(SETTLE_S)
    paces.append(pace(existing, len(sides)))
    say(f'one at a time at {existing}')
    sequential(sides, 2)  # warm-up
    for word, figures in zip(('ADD', 'DEL'), sequential(sides, plan['rounds'][existing])):
      found.add(f'{word.lower()}@{existing}', f'{word}, {existing} there', 'ms', 1, figures, less=True, group=ALONE)
      start.tell(figures)
    status(found, sides, plan['rounds'][existing], existing)
    measure_at_once(found, sides, 16, plan['parallel'][existing], existing, errors)
    if existing == 1 and plan['many']:
      many, quick = plan['many'], [s for s in sides if many_in_time(found, s, plan['many'])]
      found.doc['notes'] += [f'{s.system.title} has no part in the {many} at once: by the rate of its 16 they would take over '
                             f'{BUDGET} s.' for s in sides if s not in quick]
      measure_at_once(found, quick, many, plan['parallel'][1], existing, errors)


def measure_connections(found, makers, plan):
  # The rules that the plugin makes are those of netns-up.
  others = [(key, make) for key, make in makers if not key.startswith('netns-up-cni-')]
  times = connection_times(others, plan['forwards'], plan['connects'], say,
                           lambda values: report.summary([v * 1e6 for v in values]))
  for count in plan['forwards']:
    figures = {title: by[count] for title, by in times.items() if count in by}
    found.add(f'conn@{count}', f'a new connection, forwards: {count:,}', 'us', 0, figures, less=True,
              group='A new connection from outside through a published port')
    start.tell(figures)


def aims(found, plan):
  doc, many, most = found.doc, plan['many'], plan['existing'][-1]
  for title in doc['ours']:
    def value(key, who=title):
      return report.value_of(doc, key, who)

    def times(a, b):
      return value(a) / value(b) if value(a) and value(b) else None
    for word in ('add', 'del'):
      found.aim(f'{word.upper()}, 1 there: <= 2.0 ms', value(f'{word}@1'), most=2.0, unit=' ms', who=title)
    found.aim('ADD, 1 there: the CNI plugins take >= 90 times as long', found.ratio('add@1', 'CNI plugins', title), least=90,
              who=title)
    found.aim('ADD, 1 there: netavark takes >= 18 times as long', found.ratio('add@1', 'netavark', title), least=18, who=title)
    for word in ('add', 'del'):
      found.aim(f'{word.upper()}, {most} there: <= 2 times that with 1', times(f'{word}@{most}', f'{word}@1'), most=2, who=title)
    found.aim('16 ADDs at once, 1 there: >= 500/s', value('add16@1'), least=500, unit='/s', who=title)
    found.aim(f'{many} ADDs at once: >= 200/s', value(f'add{many}@1'), least=200, unit='/s', who=title)
    found.aim(f'STATUS, {most} there: <= 2.0 ms', value(f'status@{most}'), most=2.0, unit=' ms', who=title)
    found.aim(f'a new connection, {plan["forwards"][-1]:,} forwards: <= 1.1 times that with one',
              times(f'conn@{plan["forwards"][-1]}', f'conn@{plan["forwards"][0]}'), most=1.1, who=title)


def run(args):
  makers = build_sides(args)
  if not makers:
    raise JobError('nothing to measure')
  plan = plan_of(args)
  sides = [start_side(key, make) for key, make in makers]
  ours = [s.system.title for s in sides if isinstance(s.system, (NetnsUp, NetnsUpCni))]
  found = report.Report('attach', 'Attachments: netns-up, netavark, the CNI plugins', ours)
  found.doc['versions'] = sorted({s.system.version() for s in sides}) + \
    sh('iptables --version; nft --version').strip().split('\n')
  found.doc['run'] = 'samples of one at a time: ' + \
    ', '.join(f'{plan["rounds"][n]} at {n}' for n in plan['existing']) + '; rounds at once: ' + \
    ', '.join(f'{plan["parallel"][n]} at {n}' for n in plan['existing']) + \
    f'; fewer, but {LEAST} and {LEAST_AT_ONCE}, of a system that has used {BUDGET} s of a cell'
  found.doc['notes'] = list(NOTES)
  errors, paces = [], []
  say('the first of a host')
  for word, figures in zip(('first ADD of a host', 'last DEL of a host'), first(makers)):
    found.add(word.split()[0], f'{word}, which makes or takes the base rules', 'ms', 1, figures, less=True, group=ALONE)
    start.tell(figures)
  measure(found, sides, plan, errors, paces)
  measure_connections(found, makers, plan)
  found.table('Failures, and addresses given twice, of calls at once',
              ['', 'calls', 'failures', 'distinct addresses'], errors or [['none', '', '', '']])
  found.table(f'{PACE}, ms from start to exit', ['attachments', 'median', 'lowest', 'highest'], paces)
  aims(found, plan)
  if any(side.is_proven for side in sides):
    found.doc['notes'].append(COPIES)
  return found


def main():
  parser = start.parser(__doc__)
  parser.add_argument('--program', help='the netns-up to measure')
  parser.add_argument('--forwarder', help='its local forwarder')
  parser.add_argument('--cni-plugin', help='its CNI plugin, measured too')
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
  start.main(args, run)


if __name__ == '__main__':
  main()

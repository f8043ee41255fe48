#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd.py: attachments that the daemon makes for ordinary users, beside root's netns-up, in one run.

Two hosts of the same kind: on one root attaches containers himself, on the other users of it ask the daemon,
which they have to start a program for (its start is in the time). They take turns, so only the ratios mean
anything. Never part of a test run.
"""
import ctypes
import json
import os
import shutil
import signal
import time

import report
import start
from start import say
from world import CLONE_NEWNET, Host, JobError, Step, mount, run_jobs, sh, unshare

CLONE_NEWUSER = 0x10000000
FIRST_UID, N_USERS = 300001, 25
PR_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None, use_errno=True)


def become(uid):
  os.setgroups([])
  os.setresgid(uid, uid, uid)
  os.setresuid(uid, uid, uid)
  _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) # others of that user may look


def apart(uid, work):
  """What work returns, done by a child that is that user."""
  r, w = os.pipe()
  pid = os.fork()
  if pid == 0:
    try:
      become(uid)
      answer = json.dumps(work()).encode()
      while answer:
        answer = answer[os.write(w, answer):]
    finally:
      os._exit(0)
  os.close(w)
  with os.fdopen(r, 'rb') as file:
    answer = file.read()
  os.waitpid(pid, 0)
  if not answer:
    raise RuntimeError('a user\'s part broke')
  return json.loads(answer)


class Root:
  name = "root's netns-up"

  def __init__(self, program):
    self.program, self.host, self.count = program, Host('root'), 0

  def boxes(self, count, _):
    self.count += count
    return [self.host.netns(f'/run/ns/{n}') for n in range(self.count - count, self.count)]

  def run(self, argvs, width, _):
    results, seconds = run_jobs([one(a) for a in argvs], width)
    return [str(r) if isinstance(r, JobError) else r for r in results], seconds


class Users:
  name = 'users, by netd'

  def __init__(self, program, daemon):
    self.program, self.host, self.free = program, Host('users'), {}
    self.host.enter()
    os.makedirs('/run/policy')
    with open('/run/policy/1.conf', 'w', encoding='ascii') as file:
      file.write(f'allow {FIRST_UID}-{FIRST_UID + N_USERS} default attach,publish nics=1024 ports=1024 rate=100000\n')
    log = os.open('/run/daemon.log', os.O_WRONLY | os.O_CREAT)
    self.pid = os.posix_spawn(daemon, [daemon, '--foreground', '--policy-dir', '/run/policy'], os.environ,
                              file_actions=[(os.POSIX_SPAWN_DUP2, log, 2)])
    while b'ready:' not in open('/run/daemon.log', 'rb').read():
      time.sleep(0.01)

  def boxes(self, count, user):
    """Paths of namespaces that a process of the user's holds."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
      become(user)
      unshare(CLONE_NEWUSER)
      for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {user} 1')):
        with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
          file.write(text)
      fds = []
      for _ in range(count):
        unshare(CLONE_NEWNET)
        fds.append(os.open('/proc/self/ns/net', os.O_RDONLY))
      os.write(w, json.dumps(fds).encode().ljust(1 << 16))
      signal.pause()
    os.close(w)
    with os.fdopen(r, 'rb') as file:
      fds = json.loads(file.read(1 << 16))
    return [f'/proc/{pid}/fd/{fd}' for fd in fds]

  def run(self, argvs, width, user):
    def work():
      results, seconds = run_jobs([one(a) for a in argvs], width)
      return [str(r) if isinstance(r, JobError) else r for r in results], seconds
    return apart(user, work)

  def memory(self):
    """kB of each process: its own, and in all."""
    found = {}
    for pid in [self.pid] + [int(p) for p in open(f'/proc/{self.pid}/task/{self.pid}/children').read().split()]:
      status = dict(line.split(':\t', 1) for line in open(f'/proc/{pid}/status').read().splitlines())
      found['front' if pid != self.pid else 'back'] = [int(status[k].split()[0]) for k in ('RssAnon', 'VmRSS')]
    return found


def one(argv):
  yield Step(argv)


def up(side, path, name, port):
  return [side.program, 'up', path, '--name', name, '-p', f'{port}:80', '-q']


def down(side, name):
  return [side.program, 'down', name, '-q']


def good(results):
  failed = [r for r in results if isinstance(r, str)]
  if failed:
    raise RuntimeError(f'{len(failed)} failed: {failed[0]}')
  return results


def in_turns(sides, rounds):
  """One attachment at a time, in milliseconds: {verb: {name: figure}}."""
  boxes, times = {}, {verb: {s.name: [] for s in sides} for verb in ('up', 'down')}
  for side in sides:
    side.host.enter()
    boxes[side.name] = side.boxes(1, FIRST_UID)[0]
  for turn in range(rounds):
    for side in sides[turn % 2:] + sides[:turn % 2]:
      side.host.enter()
      for verb, argv in (('up', up(side, boxes[side.name], 'turn', 9000)), ('down', down(side, 'turn'))):
        times[verb][side.name].append(good(side.run([argv], 1, FIRST_UID)[0])[0] * 1e3)
      time.sleep(0.03) # a user has 64 requests a second
  return {verb: {name: report.summary(values) for name, values in by.items()} for verb, by in times.items()}


def at_once(sides, count):
  """All ups at once: {name: seconds}. Users share them; each has a process of his own that starts his."""
  figures = {}
  for side in sides:
    side.host.enter()
    if isinstance(side, Root):
      paths = side.boxes(count, 0)
      results, figures[side.name] = side.run([up(side, p, f'o{i}', 10000 + i) for i, p in enumerate(paths)], count, 0)
      good(results)
      good(side.run([down(side, f'o{i}') for i in range(count)], 8, 0)[0])
      continue
    each = count // N_USERS
    shares = [(FIRST_UID + 1 + u, side.boxes(each, FIRST_UID + 1 + u)) for u in range(N_USERS)]
    begin, pids = time.perf_counter(), []
    for u, (uid, paths) in enumerate(shares):
      pid = os.fork()
      if pid == 0:
        status = 1
        try:
          good(side.run([up(side, p, f'o{i}', 10000 + u * each + i) for i, p in enumerate(paths)], each, uid)[0])
          status = 0
        finally:
          os._exit(status)
      pids.append(pid)
    failed = [p for p in pids if os.waitpid(p, 0)[1]]
    figures[side.name] = time.perf_counter() - begin
    if failed:
      raise RuntimeError(f'{len(failed)} users failed')
    for uid, paths in shares:
      good(side.run([down(side, f'o{i}') for i in range(len(paths))], 4, uid)[0])
  return figures


def pile_up(sides, count):
  for side in sides:
    side.host.enter()
    if isinstance(side, Root):
      good(side.run([up(side, p, f'p{i}', 20000 + i) for i, p in enumerate(side.boxes(count, 0))], 4, 0)[0])
      continue
    each = count // N_USERS
    for u in range(N_USERS):
      uid = FIRST_UID + 1 + u
      argvs = [up(side, p, f'p{i}', 20000 + u * each + i) for i, p in enumerate(side.boxes(each, uid))]
      good(side.run(argvs, 2, uid)[0])


def anchored(sides, wanted):
  """One attachment of somebody else's that stays: network and rules are there; or it goes."""
  for side in sides:
    side.host.enter()
    argv = up(side, side.boxes(1, FIRST_UID + 1)[0], 'anchor', 9001) if wanted else down(side, 'anchor')
    good(side.run([argv], 1, FIRST_UID + 1)[0])


def measure(found, sides, rounds, existing):
  say(f'one at a time, {existing} there')
  for verb, figures in in_turns(sides, rounds).items():
    found.add(f'{verb}@{existing}', f'{verb}, {existing:,} there', 'ms', 1, figures, less=True, group='One at a time')
    start.tell(figures)


def run(args):
  mount('tmpfs', '/mnt', 'tmpfs', 0, 'mode=755')
  program, _, daemon = (shutil.copy(p, '/mnt/') for p in (args.program, args.forwarder, args.daemon))
  sides = [Root(program), Users(program, daemon)]
  found = report.Report('netd', 'Attachments of ordinary users: netd beside root\'s netns-up', [Users.name], limit=Root.name)
  found.doc['versions'] = [sh(f'{program} --version').strip()]
  found.doc['run'] = f'{args.rounds} samples of one at a time, {args.turns} of all at once'
  in_turns(sides, 2)  # warm-up
  memory = []
  measure(found, sides, args.rounds, 0) # each makes network and rules, and takes them away
  anchored(sides, True)
  measure(found, sides, args.rounds, 1)
  anchored(sides, False)
  say(f'{args.at_once} at once')
  samples = {s.name: [] for s in sides}
  for _ in range(args.turns):
    for name, seconds in at_once(sides, args.at_once).items():
      samples[name].append(seconds)
  found.add('once', f'{args.at_once} ups at once, {N_USERS} users', 's', 2,
            {name: report.summary(values) for name, values in samples.items()}, less=True, group='At once')
  memory.append(['nothing there', sides[1].memory()])
  say(f'{args.existing} are made')
  pile_up(sides, args.existing)
  measure(found, sides, args.rounds, args.existing)
  memory.append([f'{args.existing:,} there', sides[1].memory()])
  found.table('Memory of netd, KiB: its own (in all)', ['', 'back', 'front'],
              [[when] + [f'{own} ({all_})' for own, all_ in (by[k] for k in ('back', 'front'))] for when, by in memory])
  found.aim('up, 1 there: <= 2.0 ms', report.value_of(found.doc, 'up@1', Users.name), most=2.0, unit=' ms')
  if args.existing == 1000:
    found.aim('up, 1,000 there: <= 4.0 ms', report.value_of(found.doc, 'up@1000', Users.name), most=4.0, unit=' ms')
  if args.at_once == 200:
    found.aim('200 ups at once: <= 1 s', report.value_of(found.doc, 'once', Users.name), most=1.0, unit=' s')
  return found


def main():
  parser = start.parser(__doc__)
  parser.add_argument('--program', required=True)
  parser.add_argument('--forwarder', required=True)
  parser.add_argument('--daemon', required=True)
  parser.add_argument('--rounds', type=int, default=40, help='samples of one at a time (40)')
  parser.add_argument('--turns', type=int, default=3, help='samples of all at once (3)')
  parser.add_argument('--existing', type=int, default=1000, help='attachments of the larger host (1000)')
  parser.add_argument('--at-once', type=int, default=200, help='a multiple of 25 (200)')
  args = parser.parse_args()
  if args.quick:
    args.rounds, args.turns, args.existing, args.at_once = 10, 1, 100, 50
  start.main(args, run)


if __name__ == '__main__':
  main()

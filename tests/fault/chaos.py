#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""chaos.py: random CNI calls from 16 workers, and a checker of their history, as TAP.

Each worker has a container of its own and calls ADD, DEL and CHECK; one call in a hundred is a GC with all
that may live. 10 % of the calls are killed, 5 % have one system call refused (killat), and 5 % of the containers
lose their namespace without any word. Addresses and host ports are fewer than containers, so that they go
round. The history tells when an attachment surely lived (ADD has returned success, nothing that could end it
has begun). Then: no address and no host port was surely held by two at once; nothing that GC was told to keep
was taken; what the rules forward is exactly what lives; after a last GC nothing is left.

Environment: CHAOS_SECONDS (20), CHAOS_SEED, NETNS_UP_CNI, NETNS_UP_FORWARDER, KILLAT.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conform'))
# pylint: disable=wrong-import-position
from cni import Runtime, environment
from lab import CLONE_NEWNET, Lab, mount, setns, umount, unshare, until

WORKERS = 16
PORTS = range(8000, 8012)
POOL = {'subnet': '203.0.113.0/24', 'rangeStart': '203.0.113.10', 'rangeEnd': '203.0.113.22'}
# What ADD may say in this crowd: a taken port, no address, a namespace that is gone, an interface left by a killed
# ADD that took another port, a lock that others held too long.
FINE = {3, 11, 100, 101, 102}


class History:
  """Intervals in which an attachment surely lived, and what it held."""

  def __init__(self):
    self.lock = threading.Lock()
    self.live = {}  # worker: [begin, held]
    self.past = []  # (begin, end, worker, held)
    self.may_live = set()
    self.problems = []
    self.counts = {}

  def count(self, what):
    with self.lock:
      self.counts[what] = self.counts.get(what, 0) + 1

  def problem(self, text):
    with self.lock:
      self.problems.append(text)

  def maybe(self, worker):
    """From here on it may live: an ADD begins."""
    with self.lock:
      self.may_live.add(worker)

  def begins(self, worker, held):
    with self.lock:
      self.live.setdefault(worker, [time.monotonic(), held])

  def ends(self, worker):
    """From here on it may be gone."""
    with self.lock:
      begin = self.live.pop(worker, None)
      if begin:
        self.past.append((begin[0], time.monotonic(), worker, begin[1]))

  def gone(self, worker):
    with self.lock:
      self.may_live.discard(worker)

  def overlaps(self):
    """Things that two attachments surely held at one time."""
    by_thing = {}
    for begin, end, worker, held in self.past:
      for thing in held:
        by_thing.setdefault(thing, []).append((begin, end, worker))
    found = []
    for thing, intervals in by_thing.items():
      intervals.sort()
      last = None
      for begin, end, worker in intervals:
        if last and begin < last[1] and worker != last[2]:
          found.append(f'{thing} of {last[2]} and {worker} for {(min(end, last[1]) - begin) * 1e3:.1f} ms')
        if not last or end > last[1]:
          last = (begin, end, worker)
    return found


class Worker(threading.Thread):
  def __init__(self, number, lab, cni, history, deadline, killat, seed):
    super().__init__()
    self.name, self.lab, self.cni, self.history = f'w{number}', lab, cni, history
    self.deadline, self.killat = deadline, killat
    self.rng = random.Random(seed * 1000 + number)
    self.path = f'/run/netns/{self.name}'
    self.net = self.result = None
    self.fresh()

  def fresh(self):
    """A new, empty namespace at the container's path."""
    os.close(os.open(self.path, os.O_CREAT | os.O_CLOEXEC, 0o600))
    unshare(CLONE_NEWNET)
    mount('/proc/thread-self/ns/net', self.path, None, 4096)
    setns(self.lab.net, CLONE_NEWNET)

  def lose(self):
    self.history.ends(self.name)
    self.history.count('namespaces lost')
    umount(self.path)
    os.unlink(self.path)
    self.fresh()
    self.result = None

  def call(self, command, net, more=None, spoil=True):
    """(result, spoilt): spoilt calls were killed or refused a system call."""
    conf = net.conf(0, self.result.doc if command == 'CHECK' and self.result else None) | (more or {})
    kind, dice = net.plugins[0]['type'], self.rng.random() if spoil else 1.0
    self.history.count(command)
    if dice < 0.05:
      errno = self.rng.choice(['ENOMEM', 'ENOSPC', 'EBUSY', 'EIO', 'EMFILE', 'ENOBUFS', 'EINTR'])
      variables = {'CNI_CONTAINERID': '' if command == 'GC' else self.name, 'CNI_IFNAME': '' if command == 'GC' else 'eth0',
                   'CNI_NETNS': '' if command == 'GC' else self.path, 'CNI_PATH': self.cni.folder}
      subprocess.run([self.killat, '-o', '/dev/null', '-w', '30', '-e', errno, str(self.rng.randint(1, 70)), '--',
                      f'{self.cni.folder}/{kind}'], input=json.dumps(conf).encode(), capture_output=True, check=False,
                     env=environment(command, **variables), timeout=300)
      self.history.count('refused')
      return None, True
    call = self.cni.start(kind, command, conf, self.path if command != 'GC' else None,
                          ident='' if command == 'GC' else self.name).feed()
    if dice < 0.15:
      time.sleep(self.rng.random() * 0.03)
      call.process.kill()
      call.result()
      self.history.count('killed')
      return None, True
    result = call.result(300)
    if result.rc is None or result.rc < 0:
      self.history.problem(f'{self.name}: {result.say()}')
    return result, False

  def add(self):
    if not self.net:
      self.net = self.cni.net(version='1.1.0', ipam=self.cni.ipam(POOL, '2001:db8:83::/64'),
                              ports=[self.cni.port(self.rng.choice(PORTS))])
    self.history.maybe(self.name)
    result, spoilt = self.call('ADD', self.net)
    if spoilt:
      # It may be there or not, with that port or not: only a DEL or the same ADD tells.
      return
    if result.rc == 0:
      self.result = result
      port = self.net.plugins[0]['runtimeConfig']['portMappings'][0]['hostPort']
      self.history.begins(self.name, [f'port {port}'] + result.ips())
      self.history.count('ADD succeeded')
    elif result.code not in FINE:
      self.history.problem(f'{self.name}: {result.say()}')
    elif not self.result:
      self.net = None if result.code == 100 else self.net

  def delete(self):
    self.history.ends(self.name)
    result, spoilt = self.call('DEL', self.net or self.cni.net(version='1.1.0'))
    if spoilt:
      self.result = None
      return
    if result.rc != 0:
      if result.code != 11:
        self.history.problem(f'{self.name}: {result.say()}')
      return
    self.history.gone(self.name)
    self.net = self.result = None

  def check(self):
    if not self.result:
      return
    result, spoilt = self.call('CHECK', self.net)
    if not spoilt and result.rc != 0 and result.code != 11:
      self.history.problem(f'{self.name}: {result.say()}')

  def collect(self):
    with self.history.lock:
      keep = sorted(self.history.may_live)
    listed = [{'containerID': name, 'ifname': 'eth0'} for name in keep]
    result, spoilt = self.call('GC', self.cni.net(version='1.1.0'), {'cni.dev/valid-attachments': listed})
    if not spoilt and result.rc != 0 and result.code != 11:
      self.history.problem(f'GC: {result.say()}')

  def run(self):
    try:
      # Where others have the processors, longer: until there is something to judge.
      while time.monotonic() < self.deadline or (self.history.counts.get('ADD succeeded', 0) < 40 and
                                                 time.monotonic() < self.deadline + 200):
        dice = self.rng.random()
        if dice < 0.01:
          self.collect()
        elif dice < 0.06:
          self.lose()
        elif dice < 0.5:
          self.add()
        elif dice < 0.85:
          self.delete()
        else:
          self.check()
      # Whoever does not know whether it lives ends it.
      if not self.result:
        self.result = None
        for _ in range(5):
          result, _ = self.call('DEL', self.net or self.cni.net(version='1.1.0'), spoil=False)
          if result.rc == 0:
            break
        self.history.gone(self.name)
    except Exception as error:  # pylint: disable=broad-except
      self.history.problem(f'{self.name}: the worker broke: {error!r}')


def forwarded(lab):
  """{host port: address} of the forwards in the rules."""
  found = {}
  for port, address in re.findall(r'tcp \. (\d+)[^:]* : (\d+\.\d+\.\d+\.\d+) \. ', lab.ruleset()):
    found[int(port)] = address
  return found


class Tap:
  def __init__(self):
    self.count = self.failed = 0

  def ok(self, is_true, text, *details):
    self.count += 1
    self.failed += not is_true
    print(f'{"ok" if is_true else "not ok"} {self.count} - {text}')
    for line in details if not is_true else ():
      print(f'# {str(line)[:400]}')
    sys.stdout.flush()


def judge(tap, lab, cni, history, workers, before):
  for worker in workers:
    if worker.result:
      history.ends(worker.name)
  print('# ' + ', '.join(f'{n} {what}' for what, n in sorted(history.counts.items())))
  tap.ok(history.counts.get('ADD succeeded', 0) > 20, 'many ADDs succeeded', history.counts)
  tap.ok(not history.problems, 'every call that was left alone ended as it may', *history.problems[:10],
         len(history.problems))
  overlaps = history.overlaps()
  tap.ok(not overlaps, 'no address and no port was held by two at once', *overlaps[:10])
  living = [w for w in workers if w.result]
  bad = [(w.name, r.say()) for w, r in ((w, w.call('CHECK', w.net, spoil=False)[0]) for w in living) if r.rc != 0]
  tap.ok(not bad, f'the {len(living)} that live are healthy', *bad[:5])
  wanted = {w.net.plugins[0]['runtimeConfig']['portMappings'][0]['hostPort']: w.result.ip() for w in living}
  have = forwarded(lab)
  tap.ok(have == wanted, 'the rules forward what lives and nothing else', f'have {have}', f'want {wanted}')
  listed = [(w.name, 'eth0') for w in living]
  net = cni.net(version='1.1.0')
  result = cni.gc(net, listed)
  tap.ok(result.rc == 0, 'GC with the living', result.say())
  bad = [w.name for w in living if w.call('CHECK', w.net, spoil=False)[0].rc != 0]
  tap.ok(not bad, 'GC has kept them', bad)
  result = cni.gc(net, [])
  tap.ok(result.rc == 0, 'GC with none', result.say())
  until(5, lambda: not {f for f in lab.facts() - before if '/cursors/' not in f})
  after = {f for f in lab.facts() if '/cursors/' not in f}
  tap.ok(after == before, 'nothing is left', *sorted(after ^ before)[:10])


def run():
  seconds = float(os.environ.get('CHAOS_SECONDS', '20'))
  seed = int(os.environ.get('CHAOS_SEED', str(int(time.time()))))
  print(f'# seed {seed}, {seconds:.0f} s')
  mount('tmpfs', '/mnt', 'tmpfs', 0, 'mode=755')
  shutil.copy(os.environ['NETNS_UP_CNI'], '/mnt/netd')
  shutil.copy(os.environ['NETNS_UP_FORWARDER'], '/mnt/netns-up-forwarder')
  tap, lab, history = Tap(), Lab(), History()
  cni = Runtime('/mnt', 'netd', '1.1.0')
  deadline = time.monotonic() + seconds
  before = lab.facts()
  workers = [Worker(n, lab, cni, history, deadline, os.environ['KILLAT'], seed) for n in range(WORKERS)]
  for worker in workers:
    worker.start()
  for worker in workers:
    worker.join()
  judge(tap, lab, cni, history, workers, before)
  print(f'1..{tap.count}')
  sys.exit(1 if tap.failed else 0)


def main():
  if os.environ.get('CHAOS_INSIDE') != '1':
    os.environ['CHAOS_INSIDE'] = '1'
    os.execvp('unshare', ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc',
                          sys.executable, '-B', os.path.abspath(__file__)])
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  run()


if __name__ == '__main__':
  main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""powercut.py ext4|xfs: the state directory on a disk that loses its power at any moment, as TAP.

The disk is a file on a loop device. While a process makes and ends attachments and networks without a pause,
it is stopped at random instants and the file is copied, until two copies in a row are the same: that is what
a machine would find that lost its power then. Each copy is mounted and must hold what had been acknowledged
and not what had been acknowledged as ended, no empty record, and be read by the program without complaint.
(What a disk with a cache that lies would lose is not looked for.)

Environment: POWERCUT_SECONDS (20), POWERCUT_SEED, NETNS_UP, NETNS_UP_FORWARDER. Needs loop devices.
"""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conform'))
# pylint: disable=wrong-import-position
from chaos import Tap
from lab import SCRATCH, Lab, mount, sh, until

PROGRAM = '/mnt/netns-up'
DISK, COPY = '/mnt/disk', '/mnt/copy'
STATE, LOOK = '/run/disk', '/run/look'
BYTES = {'ext4': 32 << 20, 'xfs': 320 << 20}
OPTIONS = {'ext4': 'loop', 'xfs': 'loop,nouuid'}
LOG = f'{SCRATCH}/ops'
BOXES, NETWORKS = [f'c{n}' for n in range(6)], [f'n{n}' for n in range(4)]
SNAPSHOTS = 100


def program(*argv, state=f'{STATE}/netd'):
  return subprocess.run([PROGRAM, *argv, '--state-dir', state], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                        check=False, timeout=60)


def words_of(verb, name):
  number = name[1:]
  return {'up': ['up', name, '-q', '-p', f'800{number}:80', '-p', f'8{number}10-8{number}19:90-99'],
          'down': ['down', name, '-q'],
          'create': ['network', 'create', name, '--subnet', f'203.0.113.{int(number) * 16}/28'],
          'rm': ['network', 'rm', name]}[verb]


def work(seed):
  """Goes on until it is killed; what it says is in LOG, a line for each begin and each success."""
  rng, live = random.Random(seed), set()
  with open(LOG, 'w', encoding='ascii', buffering=1) as log:
    while True:
      name = rng.choice(BOXES + NETWORKS)
      first, second = ('up', 'down') if name in BOXES else ('create', 'rm')
      verb = second if name in live else first
      log.write(f'begin {verb} {name}\n')
      done = program(*words_of(verb, name))
      if done.returncode != 0:
        log.write(f'failed {verb} {name} {done.stderr.strip()}\n')
        continue
      log.write(f'done {verb} {name}\n')
      (live.discard if name in live else live.add)(name)


class Said:
  """What the log says at one moment: what must be there, what must not, what failed."""

  def __init__(self):
    with open(LOG, encoding='ascii') as file:
      lines = file.read().splitlines()
    self.there, self.gone, self.failed, self.n = set(), set(), [l for l in lines if l.startswith('failed')], 0
    for line in lines:
      what, verb, name = line.split()[:3]
      self.there.discard(name)
      self.gone.discard(name)
      if what == 'done':
        self.n += 1
        (self.there if verb in ('up', 'create') else self.gone).add(name)


def extents(path):
  """The data of a sparse file, piece by piece."""
  with open(path, 'rb', buffering=0) as file:
    at, end = 0, os.fstat(file.fileno()).st_size
    while at < end:
      try:
        at = os.lseek(file.fileno(), at, os.SEEK_DATA)
      except OSError:
        return
      hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
      while at < hole:
        data = os.pread(file.fileno(), min(1 << 20, hole - at), at)
        yield at, data
        at += len(data)


def copy_once():
  total = hashlib.sha1()
  with open(COPY, 'wb') as to:
    for at, data in extents(DISK):
      total.update(b'%d' % at + data)
      to.seek(at)
      to.write(data)
    to.truncate(os.path.getsize(DISK))
  return total.digest()


def copy():
  """A copy of one moment: nothing was written between the last two."""
  last = None
  for _ in range(50):
    now = copy_once()
    if now == last:
      return True
    last = now
  return False


def names_of(*argv):
  """{name: phase} of what the program lists in the copy; None and its words when it complains."""
  done = program(*argv, '--json', state=f'{LOOK}/netd')
  if done.returncode != 0 or done.stderr:
    return None, f'{argv}: {done.returncode} {done.stderr.strip()}'
  return {x.get('id') or x['name']: x.get('phase', 'committed') for x in json.loads(done.stdout)}, None


def empty_files():
  """Records without content. The lock has none, and a cursor is a hint that may have lost its own."""
  return [os.path.join(folder, n) for folder, _, names in os.walk(f'{LOOK}/netd') for n in names
          if n != 'lock' and not folder.endswith('/cursors') and not os.path.islink(os.path.join(folder, n)) and os.path.getsize(os.path.join(folder, n)) == 0]


def examine(kind, said):
  """What is wrong with the copy."""
  wrong = []
  sh(f'mount -t {kind} -o {OPTIONS[kind]} {COPY} {LOOK}')
  try:
    for argv, mine in ((('ls',), BOXES), (('network', 'ls'), NETWORKS)):
      names, why = names_of(*argv)
      if names is None:
        wrong.append(why)
        continue
      wrong += [f'{n} was acknowledged and is {names.get(n, "not there")}' for n in sorted(said.there & set(mine))
                if names.get(n) != 'committed']
      wrong += [f'{n} was ended and is there' for n in sorted(said.gone & set(names))]
    wrong += [f'empty: {path}' for path in empty_files()]
  finally:
    sh(f'umount {LOOK}')
  return wrong


def snapshots(kind, pid, rng, end):
  """(number of copies, what is wrong in them, how many were not of one moment)."""
  n, wrong, torn = 0, [], 0
  while n < SNAPSHOTS and time.monotonic() < end:
    time.sleep(rng.random() * 0.1)
    os.killpg(pid, signal.SIGSTOP)
    is_whole, said = copy(), Said()
    os.killpg(pid, signal.SIGCONT)
    if not is_whole:
      torn += 1
      continue
    n += 1
    wrong += [f'copy {n}: {w}' for w in examine(kind, said)]
  return n, wrong, torn


def run(kind):
  seconds = float(os.environ.get('POWERCUT_SECONDS', '20'))
  seed = int(os.environ.get('POWERCUT_SEED', str(int(time.time()))))
  print(f'# seed {seed}, {seconds:.0f} s, {kind}')
  mount('tmpfs', '/mnt', 'tmpfs', 0, 'mode=755')
  shutil.copy(os.environ['NETNS_UP'], PROGRAM)
  shutil.copy(os.environ['NETNS_UP_FORWARDER'], '/mnt/netns-up-forwarder')
  tap, lab, rng = Tap(), Lab(), random.Random(seed)
  for path in (STATE, LOOK):
    os.makedirs(path)
  with open(DISK, 'wb') as file:
    file.truncate(BYTES[kind])
  sh(f'mkfs.{kind} -q {DISK} && mount -o loop {DISK} {STATE}')
  for name in BOXES:
    lab.box(name)
  pid = os.fork()
  if pid == 0:
    os.setpgid(0, 0)
    work(seed)
  until(60, lambda: os.path.exists(LOG) and Said().n > 3)
  n, wrong, torn = snapshots(kind, pid, rng, time.monotonic() + seconds)
  os.killpg(pid, signal.SIGKILL)
  os.waitpid(pid, 0)
  said = Said()
  print(f'# {n} copies, {torn} more were not of one moment; {said.n} calls acknowledged')
  tap.ok(n >= max(3, seconds // 6), 'there were copies', f'{n}, {torn} torn')
  tap.ok(said.n > 10 and not said.failed, 'every call succeeded', f'{said.n} did', *said.failed[:5])
  tap.ok(not wrong, f'each of {n} copies holds what was acknowledged, and nothing broken', *wrong[:20])
  print(f'1..{tap.count}')
  sys.exit(1 if tap.failed else 0)


def main():
  if os.environ.get('POWERCUT_INSIDE') != '1':
    os.environ['POWERCUT_INSIDE'] = '1'
    os.execvp('unshare', ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc',
                          sys.executable, '-B', os.path.abspath(__file__), *sys.argv[1:]])
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  if sys.argv[1:] not in (['ext4'], ['xfs']):
    sys.exit('powercut.py ext4|xfs')
  run(sys.argv[1])


if __name__ == '__main__':
  main()

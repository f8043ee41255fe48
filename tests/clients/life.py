#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""life.py: what a node goes through, with the CNI plugin and without a daemon, as TAP.

A reboot with its leftovers, a firewall that is flushed and repaired by the next ADD or GC, containers that died,
a state directory elsewhere, sysctls that cannot be written. Also run as root of a user namespace (user.sh).
Environment: NETNS_UP_CNI, NETNS_UP_FORWARDER.
"""
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'conform'))
# pylint: disable=wrong-import-position
from cni import Runtime
from lab import MS_BIND, MS_RDONLY, MS_REMOUNT, Lab, mount, sh, umount, until

NAMES = ('netd', 'bridge', 'portmap')


class Tap:
  def __init__(self):
    self.count = self.failed = 0

  def ok(self, is_true, text, detail=''):
    self.count += 1
    self.failed += not is_true
    print(f'{"ok" if is_true else "not ok"} {self.count} - {text}')
    if not is_true and detail:
      print('# ' + str(detail).replace('\n', ' ')[:600])
    sys.stdout.flush()
    return is_true

  def same(self, lab, before, text):
    """The host is as it was: nothing is left."""
    look = lambda: {f for f in lab.facts() if '/cursors/' not in f}
    until(5, lambda: look() == before, 0.1)
    after = look()
    self.ok(after == before, text, sorted(after ^ before)[:8])


def facts(lab):
  return {f for f in lab.facts() if '/cursors/' not in f}


def answers(source, address, port, word):
  return until(3, lambda: (source.ask(address, port) or ('',))[0] == word)


def strangers():
  """Processes that are not of this test: what a plugin left running."""
  mine = {os.getpid(), 1}
  found = []
  for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
      with open(f'/proc/{pid}/comm', encoding='ascii') as file:
        if int(pid) in mine or not file.read().strip().startswith('netns-up'):
          continue
      with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
        if file.read().rpartition(')')[2].split()[0] not in 'ZX':
          found.append(int(pid))
    except OSError:
      pass
  return found


def flush(tap, lab, cni):
  """The rules are flushed: CHECK tells, the next ADD or GC repairs."""
  before = facts(lab)
  one, two = (cni.net(version='1.1.0', ports=[cni.port(port)]) for port in (8080, 8081))
  a, b = lab.box('a'), lab.box('b')
  first = cni.add(one, a)
  tap.ok(first.rc == 0, 'ADD', first.say())
  server = a.serve('tcp', 80)
  for text, harm in (('flushed', 'nft flush ruleset'),
                     ('one table deleted', 'nft delete table inet netd'), ('the guard deleted', 'nft delete table bridge netd')):
    for how in ('ADD', 'GC'):
      sh(harm)
      tap.ok(cni.check(one, a, first.doc).code == 103, f'{text}: CHECK tells')
      if how == 'ADD':
        result = cni.add(two, b)
        tap.ok(result.rc == 0, f'{text}: the next ADD', result.say())
      else:
        result = cni.gc(one, [('a', 'eth0'), ('b', 'eth0')])
        tap.ok(result.rc == 0, f'{text}: the next GC', result.say())
      checked = cni.check(one, a, first.doc)
      tap.ok(checked.rc == 0, f'{text}: CHECK after {how}', checked.say())
      tap.ok(answers(lab.out, lab.V4, 8080, 'a') and answers(lab.out, lab.V6, 8080, 'a'),
             f'{text}: the first port answers after {how}')
      if how == 'GC':
        tap.ok(cni.delete(two, b).rc == 0, f'{text}: DEL')
  lab.end(server)
  sh('nft flush ruleset')
  result = cni.delete(one, a, first.doc)
  tap.ok(result.rc == 0, 'DEL without rules', result.say())
  tap.same(lab, before, 'nothing is left')


def death(tap, lab, cni):
  """Containers die without a word: their addresses and ports go to others, a late DEL hurts nobody."""
  before = facts(lab)
  pool = {'subnet': '203.0.113.0/24', 'rangeStart': '203.0.113.50', 'rangeEnd': '203.0.113.51'}
  net = cni.net(version='1.1.0', ipam=cni.ipam(pool), ports=[cni.port(8080)])
  prev = None
  for turn in range(4):
    box = lab.box(f'd{turn}')
    result = cni.add(net, box)
    tap.ok(result.rc == 0, f'ADD {turn}: address and port of the dead are free', result.say())
    if prev:
      late = cni.delete(net, '', prev.doc, ident=f'd{turn - 1}')
      tap.ok(late.rc == 0, f'late DEL {turn - 1}', late.say())
    server = box.serve('tcp', 80)
    tap.ok(answers(lab.out, lab.V4, 8080, f'd{turn}'), f'the port is of {turn}')
    lab.end(server)
    lab.box_kill(box)
    prev = result
  # A new namespace under the name of a dead one is not touched by the old one's DEL.
  box = lab.box('d3')
  box.sh('ip link add eth0 type veth peer name other; ip link set eth0 up')
  tap.ok(cni.delete(net, box, prev.doc).rc == 0, 'DEL with another namespace at the path')
  tap.ok(box.has_link(), 'its eth0 is not ours to take')
  tap.same(lab, before, 'nothing is left')


def reboot(tap, lab, cni):
  """The state directory outlives the kernel's state: another boot id, no links, no rules, no processes."""
  before = facts(lab)
  one, two = (cni.net(version='1.1.0', ports=[cni.port(port)]) for port in (8080, 8081))
  old = [cni.add(net, lab.box(name)) for net, name in ((one, 'r1'), (two, 'r2'))]
  tap.ok(all(r.rc == 0 for r in old), 'ADD of two', [r.say() for r in old])
  for name in ('r1', 'r2'):
    lab.box_kill(lab.boxes[name])
  sh('ip link del br-web; nft flush ruleset; echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding; '
     'echo 0 >/proc/sys/net/ipv6/conf/eth0/force_forwarding || echo 0 >/proc/sys/net/ipv6/conf/all/forwarding')
  for pid in strangers():
    os.kill(pid, signal.SIGKILL)
  until(5, lambda: not strangers())
  lab.write('/run/t/boot', '00000000-1111-4222-8333-444444444444\n')
  mount('/run/t/boot', '/proc/sys/kernel/random/boot_id', None, MS_BIND)
  for path in ('/run/netns/r1',):
    lab.write(path, '')  # a regular file where the namespace was bound
  box = lab.box('r3')
  result = cni.add(one, box)
  tap.ok(result.rc == 0, 'the first ADD after a reboot, with a port of before', result.say())
  server = box.serve('tcp', 80)
  tap.ok(answers(lab.out, lab.V4, 8080, 'r3'), 'its port answers')
  tap.ok(cni.check(one, box, result.doc).rc == 0, 'CHECK')
  for net, prev, path, name in ((one, old[0], '/run/netns/r1', 'r1'), (two, old[1], '', 'r2')):
    late = cni.delete(net, path, prev.doc, ident=name)
    tap.ok(late.rc == 0, f'DEL of {name} of the boot before', late.say())
  tap.ok(answers(lab.out, lab.V4, 8080, 'r3'), 'the port still answers')
  tap.ok(cni.gc(one, [('r3', 'eth0')]).rc == 0, 'GC with the living one')
  tap.ok(answers(lab.out, lab.V4, 8080, 'r3'), 'the port still answers after GC')
  lab.end(server)
  tap.ok(cni.delete(one, box, result.doc).rc == 0, 'DEL')
  umount('/proc/sys/kernel/random/boot_id')
  tap.same(lab, before, 'nothing is left')


def elsewhere(tap, lab, cni):
  """NETNS_UP_STATE_DIR names the state directory."""
  before = facts(lab)
  env = {'NETNS_UP_STATE_DIR': '/run/user/state'}
  os.makedirs('/run/user')
  net, box = cni.net(version='1.1.0', ports=[cni.port(8080)]), lab.box('e')
  result = cni.add(net, box, env=env)
  tap.ok(result.rc == 0, 'ADD with a state directory of its own', result.say())
  tap.ok(os.path.isdir('/run/user/state') and not os.path.exists('/run/netd'), 'it is used')
  tap.ok(cni.check(net, box, result.doc, env=env).rc == 0, 'CHECK')
  tap.ok(cni.delete(net, box, env=env).rc == 0, 'DEL')
  sh('rm -rf /run/user')
  tap.same(lab, before, 'nothing is left')


def read_only_sysctls(tap, lab, cni):
  """Forwarding is on already, and /proc/sys cannot be written."""
  for path in ('ipv4/ip_forward', 'ipv4/conf/all/forwarding', 'ipv6/conf/all/forwarding',
               'ipv6/conf/default/force_forwarding', 'ipv6/conf/eth0/force_forwarding'):
    if os.path.exists(f'/proc/sys/net/{path}'):
      sh(f'echo 1 >/proc/sys/net/{path}')
  before = facts(lab)
  mount('/proc/sys', '/proc/sys', None, MS_BIND)
  mount(None, '/proc/sys', None, MS_BIND | MS_REMOUNT | MS_RDONLY)
  net, box = cni.net(version='1.1.0', ports=[cni.port(8080)]), lab.box('s')
  result = cni.add(net, box)
  if tap.ok(result.rc == 0, 'ADD with read-only sysctls', result.say()):
    server = box.serve('tcp', 80)
    tap.ok(answers(lab.out, lab.V4, 8080, 's') and answers(lab.out, lab.V6, 8080, 's'), 'the port answers')
    lab.end(server)
    tap.ok(cni.check(net, box, result.doc).rc == 0, 'CHECK')
  deleted = cni.delete(net, box)
  tap.ok(deleted.rc == 0, 'DEL', deleted.say())
  umount('/proc/sys')
  tap.same(lab, before, 'nothing is left')


def run():
  mount('tmpfs', '/mnt', 'tmpfs', 0, 'mode=755')
  shutil.copy(os.environ['NETNS_UP_CNI'], '/mnt/netns-up-cni')
  shutil.copy(os.environ['NETNS_UP_FORWARDER'], '/mnt/netns-up-forwarder')
  for name in NAMES:
    os.symlink('netns-up-cni', f'/mnt/{name}')
  tap = Tap()
  for kind in ('netd', 'bridge'):
    cni = Runtime('/mnt', kind, '1.1.0')
    for part in (flush, death, reboot, elsewhere, read_only_sysctls):
      if kind == 'bridge' and part in (elsewhere, read_only_sysctls):
        continue
      print(f'# {part.__name__}, type {kind}')
      lab = Lab()
      try:
        part(tap, lab, cni)
      except (OSError, RuntimeError, AttributeError, KeyError) as error:
        tap.ok(False, f'{part.__name__} broke', repr(error))
      for pid in strangers():
        os.kill(pid, signal.SIGKILL)
  print(f'1..{tap.count}')
  sys.exit(1 if tap.failed else 0)


def main():
  if os.environ.get('LIFE_INSIDE') != '1':
    os.environ['LIFE_INSIDE'] = '1'
    enter = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc']
    os.execvp(enter[0], enter + [sys.executable, '-B', os.path.abspath(__file__)])
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  run()


if __name__ == '__main__':
  main()

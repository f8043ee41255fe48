# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_hostile.py UID BACK-PID FRONT-PID OTHER-PID OWN-PID: one user against netd.

Starts as root, opens what that user could be given by others (namespaces of the host, of root, of
OTHER-PID), becomes UID, and tries. OWN-PID is a process in a network namespace of UID's. Prints
"PASS what" and "FAIL what: detail" lines.
"""
import ctypes
import os
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import time

from client import ask, ask_raw, connect, kind, request, send

uid, back, front, other, own = (int(a) for a in sys.argv[1:6])
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def check(what, good, detail=''):
  print(f'PASS {what}' if good else f'FAIL {what}: {detail}', flush=True)


def is_kind(what, answer, wanted):
  check(what, kind(answer) == wanted, answer)


def census():
  return [len(os.listdir(f'/proc/{p}/fd')) for p in (back, front)]


def census_is(wanted):
  """Asked for by the root half, which may look: written to a pipe, answered by another."""
  os.write(to_root[1], b'c')
  have = os.read(to_user[0], 64)
  for _ in range(1500):
    if have == wanted:
      return True
    time.sleep(0.02)
    os.write(to_root[1], b'c')
    have = os.read(to_user[0], 64)
  return False


def census_at_rest():
  """What it is when nothing of what was before is going on any more: the same for half a second."""
  have, since = b'', time.monotonic()
  while time.monotonic() < since + 0.5:
    os.write(to_root[1], b'c')
    now = os.read(to_user[0], 64)
    if now != have:
      have, since = now, time.monotonic()
    time.sleep(0.02)
  return have


def open_ns(pid, name='net', flags=os.O_RDONLY):
  return os.open(f'/proc/{pid}/ns/{name}', flags)


def wrong_descriptors(given):
  folder = tempfile.mkdtemp()
  os.mkfifo(f'{folder}/fifo')
  own_net = open_ns(own)
  a, b = socket.socketpair()
  epoll = select.epoll()
  things = {
    'a file': os.open(__file__, os.O_RDONLY),
    'a FIFO': os.open(f'{folder}/fifo', os.O_RDWR),
    'a directory': os.open(folder, os.O_RDONLY),
    'a memfd': os.memfd_create('x'),
    'a name of its own namespace (O_PATH)': open_ns(own, 'net', os.O_PATH),
    'a user namespace': open_ns(own, 'user'),
    'a mount namespace': open_ns('self', 'mnt'),
    'a process': os.pidfd_open(os.getpid()),
    'an epoll': epoll.fileno(),
    'a tun': os.open('/dev/net/tun', os.O_RDWR),
    'a socket': a.fileno(),
    "the host's network namespace": open_ns('self'),
    "a network namespace of root's": given['root'],
    "a network namespace of another user's": given['other'],
  }
  texts = set()
  before = census_at_rest()
  for what, fd in things.items():
    answer = ask_raw(request('attach', id='x'), [fd])
    check(f'{what} is refused', '"denied"' in answer, answer)
    texts.add(answer)
  check('all with the same words', len(texts) == 1, texts)
  dead = os.fork()
  if dead == 0:
    os._exit(0)
  gone = os.pidfd_open(dead)
  os.waitpid(dead, 0)
  for what, fd in {'a file': things['a file'], 'a process that is gone': gone,
                   'a second namespace': own_net}.items():
    answer = ask_raw(request('attach', id='x'), [own_net, fd])
    check(f'{what} for a process is refused', '"denied"' in answer, answer)
  for what, data, fds in [
      ('no descriptor', request('attach', id='x'), []),
      ('three', request('attach', id='x'), [own_net] * 3),
      ('two hundred and fifty-three', request('attach', id='x'), [own_net] * 253),
      ('one that is not asked for', request('status'), [own_net]),
      ('one with nothing to it', b'x', [own_net]),
  ]:
    answer = ask_raw(data, fds)
    check(f'{what}: refused', '"protocol"' in answer, answer)
  check('every descriptor that was passed is closed', census_is(before), before)
  for fd in things.values():
    if fd not in (a.fileno(), epoll.fileno()):
      os.close(fd)
  os.close(gone)
  os.close(own_net)
  b.close()
  a.close()
  epoll.close()
  os.unlink(f'{folder}/fifo')
  os.rmdir(folder)


def names():
  own_net = open_ns(own)
  bad = ['', '.', '..', '../x', 'a/b', 'eth%d', 'sixteen-letters1', 'a"b', "a'b", 'a\nb', 'a;b', 'a}b', 'a b',
         'a\\b', '$(id)', 'a\tb', '\u00e9', 'x' * 5000, 'lo', 'all']
  for name in bad:
    for key in ('id', 'ifname', 'network'):
      if key != 'ifname' and name in ('lo', 'all') or key != 'ifname' and name == 'sixteen-letters1':
        continue
      more = {'id': 'x', key: name}
      answer = ask_raw(request('attach', **more), [own_net])
      while '"busy"' in answer:
        time.sleep(0.05)
        answer = ask_raw(request('attach', **more), [own_net])
      if '"protocol"' not in answer:
        check(f'{key} {name!r} is refused', False, answer)
  check('names that are none are refused', True)
  os.close(own_net)


def random_bytes():
  seed = int(os.environ.get('SEED', time.time_ns() % 1000000))
  r = random.Random(seed)
  template = request('attach', id='web', publish=['8080:80'], ip='10.77.0.9')
  bad = 0
  for _ in range(400):
    data = bytearray(template) if r.random() < 0.5 else bytearray(r.randbytes(r.choice([1, 10, 1000, 65536])))
    for _ in range(r.randrange(1, 5)):
      data[r.randrange(len(data))] = r.randrange(256)
    answer = ask_raw(bytes(data))
    bad += '"ok"' in answer or '"error"' not in answer
  check(f'noise gets an error each time (seed {seed})', bad == 0, bad)
  try:
    answer = ask_raw(b'x' * 65537)
  except OSError as e:
    answer = f'"protocol" {e}'
  check('a message that is too long', '"protocol"' in answer, answer)


def quotas():
  first, second = open_ns(own), open_ns(own)
  is_kind('the first interface', ask('attach', [first], id='q1', ifname='q1', publish=['8010:80']), 'ok')
  is_kind('the second', ask('attach', [second], id='q2', ifname='q2'), 'ok')
  is_kind('the third is one too many', ask('attach', [first], id='q3', ifname='q3'), 'quota')
  is_kind('the same once more is none more', ask('attach', [second], id='q2', ifname='q2'), 'ok')
  is_kind('with other settings it is not the same', ask('attach', [second], id='q2', ifname='q2', mtu=1400),
          'conflict')
  is_kind('ports: one too many', ask('publish', id='q2', ifname='q2', publish=['8011-8013']), 'quota')
  is_kind('a port below the range', ask('publish', id='q2', ifname='q2', publish=['80']), 'denied')
  is_kind('a port beside the range', ask('publish', id='q2', ifname='q2', publish=['8099-8100']), 'denied')
  is_kind('an address that policy does not give', ask('attach', [first], id='q4', ip='10.77.0.99'), 'denied')
  is_kind('a MAC address neither', ask('attach', [first], id='q4', mac='02:00:00:00:00:01'), 'denied')
  is_kind('a network that is not named', ask('attach', [first], id='q4', network='secret'), 'denied')
  is_kind('down', ask('detach', id='q1', ifname='q1'), 'ok')
  is_kind('and its place is free', ask('attach', [first], id='q3', ifname='q3'), 'ok')
  is_kind('the interface inside is taken', ask('attach', [first], id='q5', ifname='q3'), 'quota')
  is_kind('down', ask('detach', id='q2', ifname='q2'), 'ok')
  is_kind('the interface inside is taken, with room', ask('attach', [first], id='q5', ifname='q3'), 'conflict')
  is_kind('down', ask('detach', id='q3', ifname='q3'), 'ok')
  check('nothing is held', ask('status')['interfaces'] == 0, ask('status'))
  os.close(first)
  os.close(second)


def guessing():
  """What is another's looks like what is not there, whatever is done with it."""
  for verb, more in (('detach', {}), ('publish', {'publish': ['8020:80']}), ('unpublish', {'publish': ['8020:80']})):
    answers = set()
    for name in ('theirs', f'user-{uid + 1}.theirs', 'nobodys'):
      answers.add(str(ask(verb, id=name, **more)))
    check(f'{verb}: a guess and a miss look the same', len(answers) == 1, answers)


def held_by_descriptor():
  """A namespace that only the client's descriptor holds: the lease ends with it."""
  r, w = os.pipe()
  pid = os.fork()
  if pid == 0:
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
      os.write(w, b'.')
    signal.pause()
    os._exit(0)
  os.read(r, 1)
  fd = open_ns(pid)
  os.kill(pid, signal.SIGKILL)
  os.waitpid(pid, 0)
  is_kind('a namespace without a process', ask('attach', [fd], id='empty'), 'ok')
  os.close(fd)
  end = time.time() + 120 # the kernel takes namespaces apart one after the other
  while ask('status')['interfaces'] and time.time() < end:
    time.sleep(0.05)
  check('its lease ends with the descriptor', ask('status')['interfaces'] == 0)
  os.close(r)
  os.close(w)


def dying_clients():
  net = open_ns(own)
  for _ in range(20):
    for data, fds in ((request('attach', id='d', ifname='d0'), [net]), (request('detach', id='d', ifname='d0'), [])):
      try:
        with connect() as s:
          send(s, data, fds)
      except (BrokenPipeError, ConnectionResetError):
        pass # one too many of this user's: refused before it had spoken
  is_kind('clients that do not wait: netd lives', ask('detach', id='d', ifname='d0'), 'ok')
  check('nothing is held', ask('status')['interfaces'] == 0)
  os.close(net)


def races():
  net = open_ns(own)
  wrong = []

  def worker(n):
    for i in range(6):
      a = ask('attach' if (i + n) % 2 else 'detach', [net] if (i + n) % 2 else [], id=f'r{n % 2}', ifname='r0')
      if kind(a) not in ('ok', 'conflict', 'busy', 'quota'):
        wrong.append(a)

  threads = [threading.Thread(target=worker, args=(n,)) for n in range(6)]
  for t in threads:
    t.start()
  os.write(to_root[1], b's') # netd stands still for a while
  os.read(to_user[0], 64)
  for t in threads:
    t.join()
  check('attach and detach at once, netd stopped in between', not wrong, wrong)
  for n in range(2):
    ask('detach', id=f'r{n}', ifname='r0')
  check('nothing is held', ask('status')['interfaces'] == 0)
  os.close(net)


def main():
  global to_root, to_user
  r, w = os.pipe()
  child = os.fork()
  if child == 0:
    libc.unshare(CLONE_NEWNET)
    os.write(w, b'.')
    signal.pause()
  os.read(r, 1)
  given = {'root': open_ns(child), 'other': open_ns(other)}
  os.kill(child, signal.SIGKILL)
  os.waitpid(child, 0)
  to_root, to_user = os.pipe(), os.pipe()
  pid = os.fork()
  if pid:
    # The half that stays root: looks and stops for the other.
    os.close(to_root[1])
    while True:
      word = os.read(to_root[0], 1)
      if not word:
        break
      if word == b's':
        os.kill(back, signal.SIGSTOP)
        time.sleep(1)
        os.kill(back, signal.SIGCONT)
        os.write(to_user[1], b'.')
      else:
        os.write(to_user[1], str(census()).encode())
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
  os.setgroups([])
  os.setresgid(uid, uid, uid)
  os.setresuid(uid, uid, uid)
  libc.prctl(4, 1, 0, 0, 0) # dumpable: its own /proc files
  for test in (wrong_descriptors, names, random_bytes, guessing, quotas, held_by_descriptor, dying_clients, races):
    test(*([given] if test is wrong_descriptors else []))
  print('DONE', flush=True)


main()

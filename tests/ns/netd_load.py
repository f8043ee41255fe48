# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_load.py: clients of netd that go on whatever happens to it.

  load REPORT UID PID [UID PID]...   until SIGTERM: each user attaches his box (the namespace of PID) and
                     detaches it, again and again, and asks for his list in between; every call is made
                     once, and must be answered well. Writes "calls N failed N slowest_ms N VERB", and why.
  late GO [N]        connects N times (1), says nothing until the file GO is there, then asks; prints what
                     the answers are
  lock FILE          holds every lock of FILE until it is killed
"""
import fcntl
import os
import signal
import sys
import threading
import time

from client import connect, request, send


def become(n):
  os.setgroups([])
  os.setresgid(n, n, n)
  os.setresuid(n, n, n)


def ask_once(data, fds):
  with connect(timeout=60) as s: # others may keep the kernel from links for seconds
    send(s, data, fds)
    return s.recv(65536).decode()


def user(uid, pid, out):
  over = threading.Event()
  signal.signal(signal.SIGTERM, lambda *_: over.set())
  become(uid)
  netns = os.open(f'/proc/{pid}/ns/net', os.O_RDONLY)
  calls, failed, slowest, why = 0, 0, (0, ''), ''
  verbs = [('attach', [netns], {'id': 'load', 'publish': [f'{8200 + uid % 2}:80']}), ('list', [], {}),
           ('detach', [], {'id': 'load'})]
  while not over.is_set():
    for verb, fds, more in verbs:
      began = time.monotonic()
      try:
        answer = ask_once(request(verb, **more), fds)
      except OSError as e:
        answer = repr(e)
      calls += 1
      slowest = max(slowest, (int((time.monotonic() - began) * 1000), verb))
      if '"ok":true' not in answer:
        failed += 1
        why = f'{verb}: {answer or "hung up"}'
      time.sleep(0.04) # netd takes 64 requests a second of a user
  os.write(out, f'calls {calls} failed {failed} slowest_ms {slowest[0]} {slowest[1]} {why}\n'.encode())


def load(report, users):
  pids, inp, out = [], *os.pipe()
  for uid, pid in zip(users[::2], users[1::2]):
    child = os.fork()
    if child == 0:
      user(int(uid), int(pid), out)
      os._exit(0)
    pids.append(child)
  os.close(out)

  def end(*_):
    for p in pids:
      os.kill(p, signal.SIGTERM)
  signal.signal(signal.SIGTERM, end)
  print('loading', flush=True)
  with os.fdopen(inp) as f:
    text = f.read()
  for p in pids:
    os.waitpid(p, 0)
  with open(report, 'w', encoding='utf-8') as f:
    f.write(text)


def late(go, n):
  conns = [connect(timeout=30) for _ in range(n)]
  print('waiting', flush=True)
  while not os.path.exists(go):
    time.sleep(0.01)
  for s in conns:
    send(s, request('status'))
  print('answers', sum(b'"ok":true' in s.recv(65536) for s in conns), flush=True)


def main(args):
  if args[0] == 'load':
    load(args[1], args[2:])
  elif args[0] == 'late':
    late(args[1], int(args[2]) if args[2:] else 1)
  else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(args[1], 'r+b') as f:
      fcntl.lockf(f, fcntl.LOCK_EX)
      print('locked', flush=True)
      signal.pause()


main(sys.argv[1:])

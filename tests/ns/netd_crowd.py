# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_crowd.py: many clients of netd at once.

  boxes N            makes N network namespaces in a user namespace of its own, prints "made" and holds
                     them, as its descriptors of the numbers 100 and up, until it is killed
  ask UID HOLDER N PORT UID2 HOLDER2 N2 PORT2 ... -- GO
                     N clients of each UID that ask at once to attach the boxes of the process HOLDER, with
                     ports from PORT on; prints "asking" when all have; then waits for the file GO. Prints
                     for each user "UID granted N addresses N", and what other answers were.
"""
import ctypes
import json
import os
import selectors
import signal
import sys
import time

from client import connect, request, send

FIRST = 100
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(what):
  if _libc.unshare(what):
    raise OSError(ctypes.get_errno(), 'unshare')


def boxes(n):
  ids = os.getuid(), os.getgid()
  unshare(CLONE_NEWUSER)
  for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {ids[0]} 1'), ('gid_map', f'0 {ids[1]} 1')):
    with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
      file.write(text)
  for i in range(n):
    unshare(CLONE_NEWNET)
    fd = os.open('/proc/self/ns/net', os.O_RDONLY)
    os.dup2(fd, FIRST + i)
    os.close(fd)
  print('made', flush=True)
  signal.pause()


def become(uid):
  os.setgroups([])
  os.setresgid(uid, uid, uid)
  os.setresuid(uid, uid, uid)
  _libc.prctl(4, 1, 0, 0, 0) # dumpable: its own /proc files


def crowd(uid, holder, n, port, go, asking, out):
  """Who is refused for want of room asks again, as the program's clients do."""
  become(uid)
  waiting, granted, addresses, other = selectors.DefaultSelector(), 0, set(), {}

  def ask(i):
    s = connect(timeout=120)
    net = os.open(f'/proc/{holder}/fd/{FIRST + i}', os.O_RDONLY)
    send(s, request('attach', id=f'c{i}', publish=[f'{port + i}:80']), [net])
    os.close(net)
    waiting.register(s, selectors.EVENT_READ, i)
  for i in range(n):
    ask(i)
  os.write(asking, b'.')
  while not os.path.exists(go):
    time.sleep(0.02)
  end = time.monotonic() + 1000
  while waiting.get_map() and time.monotonic() < end:
    for key, _ in waiting.select(1):
      waiting.unregister(key.fileobj)
      with key.fileobj as s:
        text = s.recv(65536).decode()
      answer = json.loads(text) if text else {}
      if answer.get('ok'):
        granted += 1
        addresses.add(json.dumps(answer['attachment']['addresses']))
        continue
      why = answer['error']['kind'] if answer else 'hung up'
      other[why] = other.get(why, 0) + 1
      if why == 'busy':
        time.sleep(0.05)
        ask(key.data)
  left = f' unanswered {len(waiting.get_map())}' if waiting.get_map() else ''
  os.write(out, f'{uid} granted {granted} addresses {len(addresses)}{left} {other or ""}\n'.encode())


def ask_all(words):
  at = words.index('--')
  asked, asking = os.pipe()
  inp, out = os.pipe()
  pids = []
  for i in range(0, at, 4):
    uid, holder, n, port = (int(w) for w in words[i:i + 4])
    pid = os.fork()
    if pid == 0:
      try:
        crowd(uid, holder, n, port, words[at + 1], asking, out)
      finally:
        os._exit(0)
    pids.append(pid)
  os.close(out)
  os.close(asking)
  for _ in pids:
    os.read(asked, 1)
  print('asking', flush=True)
  with os.fdopen(inp) as file:
    print(file.read(), end='', flush=True)
  for pid in pids:
    os.waitpid(pid, 0)


def main(args):
  if args[0] == 'boxes':
    boxes(int(args[1]))
  else:
    ask_all(args[1:])


main(sys.argv[1:])

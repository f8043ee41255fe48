#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_probe_load.py VERB ARGUMENT...: connections under load, both ways, whose bytes are compared as they come, and
how each of them ended. For tests that kill what carries them."""
import collections
import errno
import hashlib
import socket
import sys
import threading

PATIENCE = 120 # of one call: much more than anything takes that goes on at all
MOVING = 1 << 18 # bytes after which a connection counts as under way
# Its length is a prime: what is lost, doubled or elsewhere is not what is expected there.
BLOCK = b''.join(hashlib.sha256(b'%d' % i).digest() for i in range(2048))[:65521]
TWICE = BLOCK + BLOCK


def part(at, n):
  """Bytes of the endless stream from `at` on, n of them (at most a block)."""
  at %= len(BLOCK)
  return TWICE[at:at + n]


def family_of(host):
  return socket.AF_INET6 if ':' in host else socket.AF_INET


class Wrong(Exception):
  pass


def pour(s, on_bytes=lambda n: None):
  at = 0
  while True:
    n = s.send(part(at, len(BLOCK)))
    at += n
    on_bytes(n)


def drink(s, on_bytes=lambda n: None):
  at = 0
  while data := s.recv(len(BLOCK)):
    if data != part(at, len(data)):
      raise Wrong
    at += len(data)
    on_bytes(len(data))
  return at


def ping(s, on_bytes):
  at = 0
  while True:
    s.sendall(part(at, 512))
    got = b''
    while len(got) < 512:
      data = s.recv(512 - len(got))
      if not data:
        return
      got += data
    if got != part(at, 512):
      raise Wrong
    at += 512
    on_bytes(MOVING // 16) # so many answers are under way enough


def rest(s, on_bytes):
  """One answer, then nothing more is said: who waits learns of an end only by what is sent to him."""
  s.sendall(b'x')
  if s.recv(1) != b'x':
    raise Wrong
  on_bytes(MOVING)
  if s.recv(1):
    raise Wrong


def serve(port):
  """The other end of all: `sink`, `pour`, `echo`."""
  def one(c):
    with c:
      c.settimeout(PATIENCE)
      try:
        word = c.recv(5, socket.MSG_WAITALL)
        if word == b'sink\n':
          c.sendall(b'%d\n' % drink(c))
        elif word == b'pour\n':
          pour(c)
        while word == b'echo\n' and (data := c.recv(65536)):
          c.sendall(data)
      except (OSError, Wrong):
        pass
  s = socket.create_server(('::', int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
  while True:
    c, _ = s.accept()
    threading.Thread(target=one, args=(c,), daemon=True).start()


def load(host, port, told, n=1):
  """n connections that send, n that are sent to, n that ask and are answered and n that rest, until each has ended: `moving`
  goes to the file `told` when all are under way, then how they ended, the number before each reason."""
  how = collections.Counter()
  lock = threading.Lock()
  left = 4 * int(n)
  out = open(told, 'w', encoding='utf-8', buffering=1)

  def one(word, use):
    nonlocal left
    seen = 0
    def on_bytes(k):
      nonlocal left, seen
      before, seen = seen, seen + k
      if before < MOVING <= seen:
        with lock:
          left -= 1
          if left == 0:
            print('moving', file=out)
    end = 'end'
    try:
      with socket.socket(family_of(host), socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect((host, int(port)))
        s.sendall(word)
        use(s, on_bytes)
    except Wrong:
      end = 'wrong'
    except OSError as e:
      end = errno.errorcode.get(e.errno, repr(e))
    with lock:
      how[end] += 1

  threads = [threading.Thread(target=one, args=kind)
             for kind in ((b'sink\n', pour), (b'pour\n', drink), (b'echo\n', ping), (b'echo\n', rest)) for _ in range(int(n))]
  for t in threads:
    t.start()
  for t in threads:
    t.join()
  print(*(f'{k} {word}' for word, k in sorted(how.items())), file=out)


def steady(host, port, told):
  """One connection each way, that are never to end. For each line of standard input, more must have come on both
  since it was read: `moved`. At its end: `whole`, or what was wrong."""
  news = threading.Condition()
  count = {'up': 0, 'down': 0}
  ended = []

  def one(name, word, use):
    def on_bytes(k):
      with news:
        count[name] += k
        news.notify()
    try:
      with socket.create_connection((host, int(port)), timeout=PATIENCE) as s:
        s.sendall(word)
        use(s, on_bytes)
      say = 'end'
    except Wrong:
      say = 'wrong'
    except OSError as e:
      say = errno.errorcode.get(e.errno, repr(e))
    with news:
      ended.append(f'{name} {say}')
      news.notify()

  with open(told, 'w', encoding='utf-8', buffering=1) as out:
    for name, word, use in (('up', b'echo\n', ping), ('down', b'pour\n', drink)):
      threading.Thread(target=one, args=(name, word, use), daemon=True).start()
    for line in sys.stdin:
      with news:
        want = {name: n + MOVING for name, n in count.items()}
        news.wait_for(lambda: ended or all(count[n] >= want[n] for n in want), PATIENCE)
        ok = not ended and all(count[n] >= want[n] for n in want)
      print('moved' if ok else f'stopped {ended}', line.strip(), file=out)
    print(*(ended or ['whole']), file=out)


if __name__ == '__main__':
  globals()[sys.argv[1]](*sys.argv[2:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Verbs of slirp_probe.py about very many connections, and odd ones. It is never run by itself."""
import selectors
import socket
import sys

from probe import PATIENCE, dial


def serve_many(port):
  """Echoes for any number of connections, in one thread."""
  listener = socket.create_server(('::', int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
  listener.setblocking(False)
  sel = selectors.DefaultSelector()
  sel.register(listener, selectors.EVENT_READ)
  while True:
    for key, _ in sel.select():
      try:
        if key.fileobj is listener:
          c, _ = listener.accept()
          c.setblocking(False)
          sel.register(c, selectors.EVENT_READ)
          continue
        data = key.fileobj.recv(65536)
        if data:
          key.fileobj.send(data)
          continue
      except BlockingIOError:
        continue
      except OSError:
        pass
      sel.unregister(key.fileobj)
      key.fileobj.close()


def tcp_odd(host, port, n, told):
  """n connections each of which one side has ended and the other neither reads nor ends; until the end of
  standard input."""
  kept = []
  for _ in range(int(n)):
    kept.append(dial(host, port, 'early')) # their end first, never read
    s = dial(host, port, 'half 5000000') # our end, and what they send is not read
    s.shutdown(socket.SHUT_WR)
    kept.append(s)
    s = dial(host, port, 'stall') # our end behind more than they read
    s.setblocking(False)
    try:
      while True:
        s.send(bytes(1 << 16))
    except BlockingIOError:
      s.shutdown(socket.SHUT_WR)
    kept.append(s)
  with open(told, 'w', encoding='utf-8') as out:
    print(len(kept), 'odd', file=out)
  sys.stdin.read()


def tcp_many(host, port, n, told):
  """n connections, each with an echo; `N open` when they rest. Then, for each line of standard input, an echo
  on all of them, of other bytes: `N right`. At its end they are closed. told: sentences go to this file."""
  n = int(n)
  sockets = []
  with open(told, 'w', encoding='utf-8', buffering=1) as out:
    def exchange(few, word):
      for i, s in few:
        s.sendall(word + b' %d' % i)
      return sum(s.recv(100) == word + b' %d' % i for i, s in few)
    while len(sockets) < n:
      few = [(i, socket.create_connection((host, int(port)), timeout=PATIENCE))
             for i in range(len(sockets), min(n, len(sockets) + 100))]
      if exchange(few, b'first') != len(few):
        break
      sockets += [s for _, s in few]
    print(len(sockets), 'open', file=out)
    for line in sys.stdin:
      few = list(enumerate(sockets))
      right = sum(exchange(few[at:at + 100], line.strip().encode()) for at in range(0, len(few), 100))
      print(right, 'right', file=out)

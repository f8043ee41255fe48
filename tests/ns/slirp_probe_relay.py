#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_probe_relay.py VERB ARGUMENT...: clients and a server for what slirp_engine.sh looks at."""
import errno
import os
import select
import socket
import struct
import sys
import threading
import time


def family_of(host):
  return socket.AF_INET6 if ':' in host else socket.AF_INET


def pour(s, until_quiet=1.0):
  """Writes until nothing is taken for so long; how much was taken."""
  s.setblocking(False)
  block, n = b'x' * 65536, 0
  while select.select([], [s], [], until_quiet)[1]:
    try:
      n += s.send(block)
    except BlockingIOError:
      pass
  return n


def own_queue(s):
  """What of it is still this end's: not acknowledged."""
  import fcntl
  return struct.unpack('i', fcntl.ioctl(s, 0x5411, b'\0' * 4))[0] # SIOCOUTQ


def serve(port):
  """`down`: pours to a client that does not read, says how much of it left on a second connection
  (`ask`). `up`: reads nothing. `hold`: waits."""
  s = socket.create_server(('::', int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
  told = []
  held = []
  def one(c):
    try:
      c.settimeout(120)
      word = c.recv(5)
      if word == b'down\n':
        told.append(pour(c) - own_queue(c))
        time.sleep(10)
      elif word == b'ask!\n':
        end = time.monotonic() + 60
        while not told and time.monotonic() < end:
          time.sleep(0.05)
        c.sendall(b'%d' % told.pop())
      elif word in (b'up..\n', b'hold\n'):
        held.append(c)
        return
    except OSError:
      pass
    c.close()
  while True:
    c, _ = s.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    threading.Thread(target=one, args=(c,), daemon=True).start()


def dial(host, port, word):
  s = socket.create_connection((host, int(port)), timeout=60)
  s.sendall(word)
  return s


def stalled_down(host, port):
  """What left the server and was not read by anybody, but for what is in our own queue."""
  s = socket.socket(family_of(host), socket.SOCK_STREAM)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
  s.connect((host, int(port)))
  s.sendall(b'down\n')
  with dial(host, port, b'ask!\n') as q:
    print(int(q.recv(100)))


def stalled_up(host, port):
  with dial(host, port, b'up..\n') as s:
    n = pour(s)
    print(n - own_queue(s))


def echo(s, text):
  s.sendall(text)
  got = b''
  while len(got) < len(text):
    data = s.recv(len(text) - len(got))
    if not data:
      raise OSError(errno.EPIPE, '')
    got += data
  return got == text


def from_port(host, port, source):
  s = socket.socket(family_of(host), socket.SOCK_STREAM)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  s.settimeout(60)
  s.bind(('', source))
  s.connect((host, int(port)))
  return s


def same_port(host, port, n):
  """n connections, one after another, from one source port. The server ends them: its side keeps no
  memory of ours, and ours none of its."""
  right = 0
  for i in range(int(n)):
    with from_port(host, port, 10401) as s:
      s.sendall(b'echo\n')
      right += echo(s, b'%d' % i)
      if i % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
      else:
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
  print(right, 'right')


def reborn(host, port):
  """The first connection is forgotten without a word (TCP_REPAIR), the next has the same ports."""
  s = from_port(host, port, 10402)
  s.sendall(b'echo\n')
  echo(s, b'first')
  s.setsockopt(socket.IPPROTO_TCP, 19, 1) # TCP_REPAIR
  s.close()
  with from_port(host, port, 10402) as s:
    s.sendall(b'echo\n')
    print('right' if echo(s, b'second') else 'wrong')


def ping_pong(host, port, n):
  right = 0
  with dial(host, port, b'echo\n') as s:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(int(n)):
      right += echo(s, b'%08d' % i)
  print(right, 'right')


def urgent(host, port, n):
  """Bytes before and behind an urgent one, which itself is not passed on: a read ends at its place."""
  right = 0
  with dial(host, port, b'echo\n') as s:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(int(n)):
      s.send(b'%08d' % i)
      s.send(b'!', socket.MSG_OOB)
      s.send(b'behind')
      got = b''
      while len(got) < 14 and (data := s.recv(14 - len(got))):
        got += data
      right += got == b'%08dbehind' % i
    print(right, 'right')


def idle(host, port, seconds):
  with dial(host, port, b'echo\n') as s:
    first = echo(s, b'before')
    time.sleep(float(seconds))
    print('right' if first and echo(s, b'after') else 'wrong')


def await_end(host, port):
  with dial(host, port, b'hold\n') as s:
    s.settimeout(120)
    try:
      print('end' if s.recv(1) == b'' else 'data')
    except OSError as e:
      print(errno.errorcode.get(e.errno, e))


if __name__ == '__main__':
  import signal
  signal.alarm(0 if sys.argv[1] == 'serve' else 240)
  try:
    globals()[sys.argv[1]](*sys.argv[2:])
  except OSError as error:
    print(errno.errorcode.get(error.errno, repr(error)))
  sys.stdout.flush()

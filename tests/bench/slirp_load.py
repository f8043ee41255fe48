# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_load.py serve KIND PORT | KIND SERVER PORT SECONDS: many short connections, many small exchanges, or
many connections that rest.

conn: connect, one byte there, one byte back, the server closes; two clients at a time. rr: one byte there
and back over one connection. The client prints {"value": per second, "count", "p99_us"}. many: for each
number that it reads the client opens so many connections more, sends a byte there and back over each, and
prints how many did; the server prints a line when it listens.
"""
import json
import os
import selectors
import socket
import sys
import time

CLIENTS = 2
AT_ONCE = 100  # of connections that rest


def serve(kind, port):
  servers = CLIENTS if kind == 'conn' else 1
  for _ in range(servers - 1):
    if os.fork() == 0:
      break
  listener = socket.socket()
  listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
  listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  listener.bind(('0.0.0.0', port))
  listener.listen(1024)
  while True:
    peer, _ = listener.accept()
    with peer:
      if kind == 'rr':
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
      try:
        while data := peer.recv(1):
          peer.send(data)
          if kind == 'conn':
            break
      except OSError:
        pass


def serve_many(port):
  listener = socket.create_server(('0.0.0.0', port), backlog=4096)
  sel = selectors.DefaultSelector()
  sel.register(listener, selectors.EVENT_READ)
  print('ready', flush=True)
  while True:
    for key, _ in sel.select():
      if key.fileobj is listener:
        sel.register(listener.accept()[0], selectors.EVENT_READ)
        continue
      try:
        if data := key.fileobj.recv(16):
          key.fileobj.send(data)
          continue
      except OSError:
        pass
      sel.unregister(key.fileobj)
      key.fileobj.close()


def open_many(server):
  kept = []
  for line in sys.stdin:
    wanted, right = int(line), 0
    while right < wanted:
      few = [socket.create_connection(server, timeout=20) for _ in range(min(AT_ONCE, wanted - right))]
      for s in few:
        s.send(b'x')
      n = sum(s.recv(1) == b'x' for s in few)
      kept += few
      right += n
      if n < len(few):
        break
    print(right, flush=True)


def connections(server, end):
  times = []
  while (begin := time.perf_counter()) < end:
    with socket.socket() as s:
      s.connect(server)
      s.send(b'x')
      answer = b''
      while data := s.recv(16):
        answer += data
    if answer == b'x':  # one that was accepted and led nowhere does not count
      times.append(time.perf_counter() - begin)
  return times


def exchanges(server, end):
  times = []
  with socket.socket() as s:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect(server)
    while (begin := time.perf_counter()) < end:
      s.send(b'x')
      s.recv(1)
      times.append(time.perf_counter() - begin)
  return times


def drive(kind, server, seconds):
  read_end, write_end = os.pipe()
  clients = CLIENTS if kind == 'conn' else 1
  begin = time.perf_counter()
  for _ in range(clients):
    if os.fork() == 0:
      times = (connections if kind == 'conn' else exchanges)(server, begin + seconds)
      times.sort()
      os.write(write_end, b'%d %d\n' % (len(times), times[int(len(times) * 0.99)] * 1e6 if times else 0))
      os._exit(0)
  os.close(write_end)
  with os.fdopen(read_end) as file:
    lines = [line.split() for line in file]
  count = sum(int(n) for n, _ in lines)
  print(json.dumps({'value': count / seconds, 'count': count, 'p99_us': max(int(p) for _, p in lines)}))


if __name__ == '__main__':
  if sys.argv[1] == 'serve':
    if sys.argv[2] == 'many':
      serve_many(int(sys.argv[3]))
    serve(sys.argv[2], int(sys.argv[3]))
  elif sys.argv[1] == 'many':
    open_many((sys.argv[2], int(sys.argv[3])))
  else:
    drive(sys.argv[1], (sys.argv[2], int(sys.argv[3])), float(sys.argv[4]))

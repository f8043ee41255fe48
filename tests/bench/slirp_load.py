# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_load.py serve KIND PORT | KIND SERVER PORT SECONDS: many short connections, or many small exchanges.

conn: connect, one byte there, one byte back, the server closes; two clients at a time. rr: one byte there
and back over one connection. The client prints {"value": per second, "count", "p99_us"}.
"""
import json
import os
import socket
import sys
import time

CLIENTS = 2


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
    serve(sys.argv[2], int(sys.argv[3]))
  else:
    drive(sys.argv[1], (sys.argv[2], int(sys.argv[3])), float(sys.argv[4]))

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""names_probe.py VERB SERVER ARGUMENT...: clients of the names responder that do not behave.

One line of output each; every wait has an end.
"""
import select
import socket
import struct
import sys
import time

PATIENCE = 60


def question(name, qtype=1, ident=0x1234):
  labels = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.'))
  return struct.pack('!HHHHHH', ident, 0x0100, 1, 0, 0, 0) + labels + b'\0' + struct.pack('!HH', qtype, 1)


def tcp(server):
  s = socket.create_connection((server, 53), timeout=PATIENCE)
  s.settimeout(PATIENCE)
  return s


def udp(server):
  s = socket.socket(socket.AF_INET6 if ':' in server else socket.AF_INET, socket.SOCK_DGRAM)
  s.connect((server, 53))
  s.settimeout(PATIENCE)
  return s


def ended(s):
  try:
    return s.recv(1) == b''
  except ConnectionError:
    return True


def idle(server, n):
  """Connections that say nothing: each is closed after three seconds."""
  begin = time.monotonic()
  all_of_them = [tcp(server) for _ in range(int(n))]
  closed = sum(ended(s) for s in all_of_them)
  took = time.monotonic() - begin
  # That it is 3 s and not 30 is told by the lower half of PATIENCE: the machine may be busy.
  print(f'closed {closed}' if 2 < took < 25 else f'closed {closed} after {took:.1f} s')


def share(server, n):
  """How many of n are closed at once: long before the three seconds of who is idle are over. Where this process did
  not have the processor in between nobody knows, and they come again."""
  for _ in range(10):
    begin = time.monotonic()
    all_of_them = [tcp(server) for _ in range(int(n))]
    poll = select.poll()
    for s in all_of_them:
      poll.register(s, select.POLLIN)
    seen, looked = set(), begin
    while looked < begin + 2:
      for fd, _ in poll.poll(max(0, begin + 2 - looked) * 1000):
        poll.unregister(fd)
        seen.add(fd)
      looked = time.monotonic()
    at_once = sum(ended(s) for s in all_of_them if s.fileno() in seen)
    if seen and looked < begin + 2.7:
      break
    for s in all_of_them:
      s.close()
  print(f'at once {at_once}')


def half(server):
  s = tcp(server)
  q = question('www')
  s.sendall(struct.pack('!H', len(q)) + q[:7])
  s.shutdown(socket.SHUT_WR)
  print('end' if ended(s) else 'talks')


def long(server):
  s = tcp(server)
  s.sendall(b'\xff\xff' + bytes(100))
  print('end' if ended(s) else 'talks')


def hostile(server):
  """Loops of pointers, lengths that lead nowhere, counts that lie."""
  head = struct.pack('!HHHHHH', 1, 0x0100, 1, 0, 0, 0)
  packets = [b'', b'\0', head[:11], head, head + b'\xc0\x0c\0\1\0\1', head + b'\3ab',
             head + b'\xc0\x0e\xc0\x0c\0\1\0\1', head + b'\x40' + bytes(64), head + b'\x3f' + bytes(10),
             head + b'\1a' * 200 + b'\0\0\1\0\1', struct.pack('!HHHHHH', 1, 0x0100, 0xffff, 0xffff, 0xffff, 0xffff),
             struct.pack('!HHHHHH', 1, 0x0100, 1, 0, 0, 0xffff) + question('www')[12:] + b'\xc0\x0c' * 40,
             struct.pack('!HHHHHH', 1, 0x8100, 1, 0, 0, 0) + question('www')[12:],
             question('www') + bytes(1900), question('www') + bytes(60000), question('www', 252), question('www', 0)]
  s = udp(server)
  for _ in range(20):
    for p in packets:
      s.send(p)
  s.settimeout(0.2)
  try:
    while s.recv(4096):
      pass
  except socket.timeout:
    pass
  s = udp(server)
  s.settimeout(2)
  for i in range(29, -1, -1): # behind so much it may be lost
    s.send(question('www', ident=7))
    try:
      print('alive' if s.recv(4096)[:2] == b'\0\7' else 'strange')
      break
    except socket.timeout:
      if i == 0:
        raise


def spelling(server, *names):
  said = []
  for name in names:
    s = udp(server)
    q = question(name)
    s.send(q)
    said.append('same' if s.recv(4096)[12:len(q)] == q[12:] else 'other')
  print(' '.join(said))


def flood(server, name):
  """As fast as it goes for half a second, and longer where that was not twice as much as is answered; fewer answers
  than questions come back: 500 at once, and 1000 a second."""
  s = udp(server)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
  q, sent, heard = question(name), 0, 0
  begin = time.monotonic()
  while (took := time.monotonic() - begin) < 0.5 or sent < 2 * (600 + 1000 * took) and took < PATIENCE:
    s.send(q)
    sent += 1
  try:
    while s.recv(4096): # the first may be late, where others have the processors
      heard += 1
      s.settimeout(0.2)
  except socket.timeout:
    pass
  most = 500 + 1000 * (time.monotonic() - begin) + 100
  print('cut' if 0 < heard < sent and heard < most else f'{heard} of {sent}, at most {most:.0f}')


if __name__ == '__main__':
  try:
    globals()[sys.argv[1]](*sys.argv[2:])
  except OSError as error:
    print(repr(error))

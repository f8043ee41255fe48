#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_probe.py: somebody who plays with the rules.

  mend delete|flush TIMES   deletes both tables (flush: all that there are) in one transaction and waits
                         until both are there again; prints "median_ms N max_ms N missed N"
  hold                   takes over tables netd that nobody holds, until it is killed
"""
import os
import signal
import socket
import statistics
import struct
import sys
import time

MENDED = 20.0 # tables that are deleted are there again by then, however busy the machine is

INET, BRIDGE = 1, 7 # NFPROTO_*
NEWTABLE, GETTABLE, DELTABLE = (10 << 8 | n for n in range(3))
BEGIN, END = 16, 17
REQUEST, ACK = 1, 4


def message(kind, flags, family, named=True, res=0, more=b''):
  name = struct.pack('=HH', 4 + 5, 1) + b'netd\0' + b'\0' * 3 if named else b''
  name += more
  body = struct.pack('>BBH', family, 0, res) + name
  return struct.pack('=IHHII', 16 + len(body), kind, REQUEST | flags, 1, 0) + body


def ask_why(sock, data):
  """0, or the error that the kernel answers with."""
  sock.send(data)
  answer = sock.recv(8192)
  return -struct.unpack_from('=i', answer, 16)[0] if struct.unpack_from('=H', answer, 4)[0] == 2 else 0


def ask(sock, data):
  """False: the kernel says no."""
  return ask_why(sock, data) == 0


def has_tables(sock):
  return all(ask(sock, message(GETTABLE, 0, family)) for family in (INET, BRIDGE))


def mend(what, times):
  took, missed = [], 0
  parts = {'delete': message(DELTABLE, 0, INET) + message(DELTABLE, ACK, BRIDGE),
           'flush': message(DELTABLE, ACK, 0, named=False)}[what]
  with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
    sock.bind((0, 0))
    for _ in range(times):
      began = time.monotonic()
      why = ask_why(sock, message(BEGIN, 0, 0, False, 10) + parts + message(END, 0, 0, False, 10))
      if why:
        raise SystemExit(f'not deleted after {len(took)} times, of which {missed} were missed: {os.strerror(why)}')
      while not (mended := has_tables(sock)) and time.monotonic() < began + MENDED:
        time.sleep(0.0005)
      took.append((time.monotonic() - began) * 1000)
      missed += not mended
      time.sleep(0.02)
  print(f'median_ms {statistics.median(took):.1f} max_ms {max(took):.1f} missed {missed}')


def hold():
  flags = struct.pack('=HH', 8, 2) + struct.pack('>I', 6) # NFTA_TABLE_FLAGS: owner, persist
  with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:
    sock.bind((0, 0))
    parts = message(NEWTABLE, 0, INET, more=flags) + message(NEWTABLE, ACK, BRIDGE, more=flags)
    print('held' if ask(sock, message(BEGIN, 0, 0, False, 10) + parts + message(END, 0, 0, False, 10)) else 'refused',
          flush=True)
    signal.pause()


def main(args):
  if args[0] == 'hold':
    hold()
  else:
    mend(args[1], int(args[2]))


main(sys.argv[1:])

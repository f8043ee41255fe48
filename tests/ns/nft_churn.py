#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nft_churn.py: makes a table of its own and takes it away, a hundred times a second; each line says how
often so far. Read linux/netfilter/nf_tables.h."""
import socket
import struct
import time

NETLINK_NETFILTER, NFPROTO_INET = 12, 1
REQUEST, CREATE = 1, 0x400
BATCH_BEGIN, BATCH_END = 16, 17
NFTABLES, NEWTABLE, DELTABLE = 10, 0, 2
NAME = b'netns-up-churn\0'


def message(kind, flags, family, resource, body=b''):
  load = struct.pack('=BB', family, 0) + struct.pack('!H', resource) + body
  return struct.pack('=IHHII', 16 + len(load), kind, REQUEST | flags, 1, 0) + load


def transaction(kind, flags):
  name = struct.pack('=HH', 4 + len(NAME), 1) + NAME + b'\0' * (-len(NAME) % 4)
  return (message(BATCH_BEGIN, 0, 0, NFTABLES) + message(NFTABLES << 8 | kind, flags, NFPROTO_INET, 0, name)
          + message(BATCH_END, 0, 0, NFTABLES))


def main():
  sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
  sock.bind((0, 0))
  turns = transaction(NEWTABLE, CREATE), transaction(DELTABLE, 0)
  n = 0
  while True:
    sock.send(turns[n % 2])
    n += 1
    print(n, flush=True)
    time.sleep(0.01)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_names_dns.py ADDRESS PORT RECORD...: a name server over UDP and TCP. RECORD is NAME[@TTL]=TARGET[,TARGET...]:
addresses of both families, or one name that it is an alias of; all on the way are in the answer. Others are NXDOMAIN.
TTL is 1 s where it is not said."""
import ipaddress
import socket
import struct
import sys
import threading


TTL = {}


def wire(name):
  return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'


def record(name, kind, data):
  return wire(name) + struct.pack('!HHIH', kind, 1, TTL.get(name, 1), len(data)) + data


def records(zone, name, qtype):
  out = []
  while name in zone:
    alias = [t for t in zone[name] if not t[0].isdigit() and ':' not in t]
    for target in zone[name]:
      if target in alias:
        continue
      ip = ipaddress.ip_address(target)
      if qtype == (1 if ip.version == 4 else 28):
        out.append(record(name, qtype, ip.packed))
    if not alias:
      break
    out.append(record(name, 5, wire(alias[0])))
    name = alias[0]
  return out


def answer(zone, query):
  at, labels = 12, []
  while query[at]:
    labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
    at += 1 + query[at]
  name, qtype = '.'.join(labels), struct.unpack('!H', query[at + 1:at + 3])[0]
  found = records(zone, name, qtype)
  flags = 0x8180 if name in zone else 0x8183
  return query[:2] + struct.pack('!HHHHH', flags, 1, len(found), 0, 0) + query[12:at + 5] + b''.join(found)


def take(client, size):
  data = b''
  while len(data) < size:
    more = client.recv(size - len(data))
    if not more:
      raise EOFError
    data += more
  return data


def serve_stream(zone, client):
  with client:
    try:
      while True:
        reply = answer(zone, take(client, struct.unpack('!H', take(client, 2))[0]))
        client.sendall(struct.pack('!H', len(reply)) + reply)
    except (EOFError, OSError):
      pass


def serve_streams(zone, listener):
  while True:
    client, _ = listener.accept()
    threading.Thread(target=serve_stream, args=(zone, client), daemon=True).start()


def main():
  zone = {}
  for name, targets in (r.split('=') for r in sys.argv[3:]):
    name, _, ttl = name.partition('@')
    zone[name] = targets.split(',')
    TTL[name] = int(ttl or 1)
  at = (sys.argv[1], int(sys.argv[2]))
  listener = socket.create_server(at)
  threading.Thread(target=serve_streams, args=(zone, listener), daemon=True).start()
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(at)
    while True:
      query, peer = s.recvfrom(4096)
      s.sendto(answer(zone, query), peer)


if __name__ == '__main__':
  main()

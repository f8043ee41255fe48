# SPDX-License-Identifier: GPL-2.0-or-later
"""ports_probe.py serve PORT | ask tcp|udp ADDRESS PORT: whom does the server of a published port see?

The server tells each client the address that it has for it. The client prints {"seen", "is_real"}: what it
was told, and whether that is its own address and port.
"""
import ipaddress
import json
import select
import socket
import sys


def plain(address):
  ip = ipaddress.ip_address(address[0].partition('%')[0])
  return str(getattr(ip, 'ipv4_mapped', None) or ip), address[1]


def serve(port):
  sockets = []
  for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('::', port))
    sockets.append(s)
  sockets[0].listen(64)
  while True:
    for s in select.select(sockets, [], [])[0]:
      if s is sockets[0]:
        peer, address = s.accept()
        with peer:
          peer.settimeout(2)
          peer.recv(64)
          peer.send(json.dumps(plain(address)).encode())
      else:
        _, address = s.recvfrom(64)
        s.sendto(json.dumps(plain(address)).encode(), address)


def ask(proto, address, port):
  family = socket.AF_INET6 if ':' in address else socket.AF_INET
  with socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM) as s:
    s.settimeout(2)
    s.connect((address, port))
    s.send(b'who am I?')
    seen = tuple(json.loads(s.recv(256)))
    print(json.dumps({'seen': seen[0], 'is_real': seen == plain(s.getsockname())}))


if __name__ == '__main__':
  try:
    if sys.argv[1] == 'serve':
      serve(int(sys.argv[2]))
    else:
      ask(sys.argv[2], sys.argv[3], int(sys.argv[4]))
  except (OSError, ValueError) as error:
    sys.exit(f'{type(error).__name__}: {error}')

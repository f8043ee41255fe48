# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_flood.py: what a container does that means harm, or well; run inside it.

netd_flood.py listen PORT         answers every connection, and closes it with its client
netd_flood.py hold N ADDRESS...   opens N connections to its port 5353 at each, all at once; prints how many
                                  were made until none came for 2.5 s, then holds them until its input ends
netd_flood.py flows N ADDRESS     a datagram from each of N ports; prints the seconds that it took
netd_flood.py packets N ADDRESS   N datagrams from one port; the same
netd_flood.py drown SECONDS ADDRESS
                                  both, as fast as it can
netd_flood.py sink PORT           counts datagrams; prints the number when none comes for 1 s
"""
import errno
import select
import socket
import sys
import time

PORT = 5353


def family(address):
  return socket.AF_INET6 if ':' in address else socket.AF_INET


def hold(n, addresses):
  waiting, kept, made = {}, [], 0
  for address in addresses:
    for _ in range(n):
      s = socket.socket(family(address), socket.SOCK_STREAM)
      s.setblocking(False)
      wrong = s.connect_ex((address, PORT))
      made += wrong == 0
      kept.append(s)
      if wrong == errno.EINPROGRESS:
        waiting[s.fileno()] = s
  poll = select.poll()
  for fd in waiting:
    poll.register(fd, select.POLLOUT)
  while True:
    events = poll.poll(2500)
    for fd, _ in events:
      poll.unregister(fd)
      made += waiting[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    if not events:
      break
  print(made, flush=True)
  sys.stdin.read()


def flows(n, address):
  for _ in range(n):
    with socket.socket(family(address), socket.SOCK_DGRAM) as s:
      s.sendto(b'x', (address, PORT))


def packets(n, address):
  with socket.socket(family(address), socket.SOCK_DGRAM) as s:
    for _ in range(n):
      s.sendto(b'x', (address, PORT))


def timed(what, n, address):
  began = time.monotonic()
  what(n, address)
  print(int(time.monotonic() - began) + 1)


def drown(seconds, address):
  end = time.monotonic() + seconds
  while time.monotonic() < end:
    flows(100, address)
    packets(100, address)


def listen(port):
  with socket.create_server(('', port), family=socket.AF_INET6, backlog=1024,
                            dualstack_ipv6=True) as server:
    conns = []
    while True:
      for s in select.select([server, *conns], [], [])[0]:
        if s is server:
          conns.append(s.accept()[0])
        else: # its client has closed it
          conns.remove(s)
          s.close()


def sink(port):
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind(('', port))
    n = 0
    while True:
      try:
        s.recv(16)
      except TimeoutError:
        break
      n += 1
      s.settimeout(1)
  print(n)


def main(argv):
  verb, number = argv[0], int(argv[1])
  if verb == 'hold':
    hold(number, argv[2:])
  elif verb == 'listen':
    listen(number)
  elif verb == 'sink':
    sink(number)
  elif verb == 'drown':
    drown(number, argv[2])
  else:
    timed({'flows': flows, 'packets': packets}[verb], number, argv[2])


if __name__ == '__main__':
  main(sys.argv[1:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""A container of tests/ns/user_many.sh: a server of TCP and UDP that says its name and who asks, and a client.

serve NAME         on port 80, both families; ends when it is killed
reach NAME...      asks each by name, over both families and protocols: how many say their name and our address
closed ADDRESS...  asks each at once: how many answer within two seconds
unknown NAME...    how many cannot be resolved
ports BASE HOST4 HOST6 NAME...
                   the same as reach, of published ports: BASE for the first, BASE + 1 for the next
seen ADDRESS [PORT] what the server there says of us
"""
import socket
import sys
import select
import time

PORT = 80
WAIT = 20 # seconds; a loaded machine


def dual(kind):
  s = socket.socket(socket.AF_INET6, kind)
  s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  s.bind(('::', PORT))
  return s


def serve(name):
  t, u = dual(socket.SOCK_STREAM), dual(socket.SOCK_DGRAM)
  t.listen(100)

  def say(peer):
    return ('%s %s' % (name, peer[0].removeprefix('::ffff:'))).encode()

  print('ready', flush=True)
  while True:
    for s in select.select([t, u], [], [])[0]:
      try:
        if s is t:
          c, peer = t.accept()
          with c:
            c.settimeout(WAIT)
            c.recv(10)
            c.sendall(say(peer))
        else:
          _, peer = u.recvfrom(100)
          u.sendto(say(peer), peer)
      except OSError:
        pass


def ask(kind, where):
  """What is said, and the address it was asked from. A lost datagram is sent again."""
  family, address = where
  with socket.socket(family, kind) as s:
    s.settimeout(WAIT if kind == socket.SOCK_STREAM else WAIT / 10)
    s.connect(address)
    mine = s.getsockname()[0]
    for i in range(10):
      try:
        s.sendall(b'who am I')
        return s.recv(200).decode(), mine
      except TimeoutError:
        if kind == socket.SOCK_STREAM or i == 9:
          raise


def count(wanted):
  """Of (name, kind, family, host, port): how many answer with the name and with our address."""
  good = 0
  for name, kind, family, host, port in wanted:
    try:
      where = socket.getaddrinfo(host, port, family, kind)[0][4]
      said, mine = ask(kind, (family, where))
      if said == '%s %s' % (name, mine):
        good += 1
      else:
        print('# %s from %s: %s' % (host, mine, said), file=sys.stderr)
    except OSError as e:
      print('# %s %s %s: %s' % (host, family.name, kind.name, e), file=sys.stderr)
  return '%d of %d' % (good, len(wanted))


KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def reach(*names):
  return count([(n, k, f, n, PORT) for n in names for k in KINDS for f in FAMILIES])


def ports(base, host4, host6, *names):
  return count([(n, k, f, h, int(base) + i) for i, n in enumerate(names) for k in KINDS
                for f, h in zip(FAMILIES, (host4, host6))])


def closed(*addresses):
  poll = select.epoll()
  sockets = {}
  for a in addresses:
    for kind in KINDS:
      s = socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET, kind)
      s.setblocking(False)
      try:
        s.connect((a, PORT))
        s.send(b'who am I')
      except OSError:
        pass # under way, or refused
      sockets[s.fileno()] = (s, kind)
      poll.register(s, select.EPOLLIN | (select.EPOLLOUT if kind == socket.SOCK_STREAM else 0))
  answered, end = 0, time.monotonic() + 2
  while time.monotonic() < end:
    for fd, event in poll.poll(max(0, end - time.monotonic())):
      poll.unregister(fd)
      if sockets[fd][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and not event & select.EPOLLERR:
        answered += 1
  return '%d of %d' % (answered, len(sockets))


def unknown(*names):
  n = 0
  for name in names:
    try:
      socket.getaddrinfo(name, PORT)
    except socket.gaierror:
      n += 1
  return '%d of %d' % (n, len(names))


def seen(address, port=PORT):
  family = socket.AF_INET6 if ':' in address else socket.AF_INET
  return ask(socket.SOCK_STREAM, (family, (address, int(port))))[0]


if __name__ == '__main__':
  verb = {'serve': serve, 'reach': reach, 'ports': ports, 'closed': closed, 'unknown': unknown, 'seen': seen}
  print(verb[sys.argv[1]](*sys.argv[2:]))

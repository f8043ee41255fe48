#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_probe.py VERB ARGUMENT...: clients and servers for the tests of slirp-lite.

The same client runs in a container and directly on the host; its one line of output is compared.
Every wait has an end.
"""
import errno
import hashlib
import os
import select
import selectors
import socket
import struct
import sys
import threading
import time

IP_RECVERR, IP_MTU_DISCOVER, IP_MTU = 11, 10, 14
IPV6_RECVERR, IPV6_MTU_DISCOVER, IPV6_MTU = 25, 23, 24
PMTUDISC_DONT, PMTUDISC_WANT, PMTUDISC_DO = 0, 1, 2
MSG_ERRQUEUE = 0x2000
UDP_SEGMENT = 103
SO_NO_CHECK = 11
SO_RCVBUFFORCE = 33
PATIENCE = 60 # in all, of whatever the machine is busy with


def family_of(host):
  return socket.AF_INET6 if ':' in host else socket.AF_INET


def place(host, port):
  """The socket's address of host:port; a link-local one names its interface (fe80::1%eth0)."""
  return socket.getaddrinfo(host, int(port), flags=socket.AI_NUMERICHOST)[0][4]


def name_of(e):
  return errno.errorcode.get(e, str(e)) if e else 'none'


def pattern(n, seed=0):
  """n bytes that repeat nowhere near."""
  block = bytearray()
  i = 0
  while len(block) < n:
    block += hashlib.sha256(b'%d %d' % (seed, i)).digest()
    i += 1
  return bytes(block[:n])


# --- UDP ------------------------------------------------------------------------------------------

def udp_socket(family):
  s = socket.socket(family, socket.SOCK_DGRAM)
  try:
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
  except OSError:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
  return s


def serve_udp(port):
  """Echoes. `who` is answered with the sender's address and port; `other` from the next port;
  `pour N SIZE` by N numbered datagrams; `count` by how many numbered ones came, `reset` forgets."""
  port = int(port)
  sockets = {}
  for family, host in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
    for p in (port, port + 1):
      s = udp_socket(family)
      if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      s.bind((host, p))
      sockets[s] = family
  main = {(f, s.getsockname()[1]): s for s, f in sockets.items()}
  seen, wrong = 0, 0
  while True:
    for s in select.select(list(sockets), [], [])[0]:
      try:
        data, peer = s.recvfrom(65536)
      except OSError:
        continue
      try:
        if data == b'who':
          s.sendto(('%s %d' % peer[:2]).encode(), peer)
        elif data == b'other':
          main[sockets[s], port + 1].sendto(b'from another', peer)
        elif data == b'reset':
          seen = wrong = 0
          s.sendto(b'done', peer)
        elif data == b'count':
          s.sendto(b'%d %d' % (seen, wrong), peer)
        elif data.startswith(b'pour '):
          n, size = map(int, data.split()[1:])
          pour(s, n, size, peer)
        elif data.startswith(b'NUM'):
          wrong += data != numbered(struct.unpack('!I', data[3:7])[0], len(data))
          seen += 1
        else:
          s.sendto(data, peer)
      except OSError:
        pass


def numbered(i, size):
  head = b'NUM' + struct.pack('!I', i)
  return (head + pattern(64, i % 7) * (size // 64 + 1))[:size]


def pour(s, n, size, peer):
  """n numbered datagrams, by UDP_SEGMENT in runs of 20, with a pause that a socket's buffer outlives."""
  for at in range(0, n, 20):
    run = b''.join(numbered(i, size) for i in range(at, min(at + 20, n)))
    s.sendmsg([run], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack('=H', size))], 0, peer)
    time.sleep(0.002)


def ask(s, data, host, port, tries=8, good=lambda answer, peer: True):
  """The answer; what is lost is asked again, as any user of UDP does. An answer that is not good is one to an
  earlier question, which came late."""
  for i in range(tries):
    s.sendto(data, place(host, port))
    end = time.monotonic() + PATIENCE / 30
    while (left := end - time.monotonic()) > 0:
      s.settimeout(left)
      try:
        answer = s.recvfrom(65536)
      except TimeoutError:
        break
      if good(*answer):
        return answer
  raise TimeoutError('timed out')


def udp_who(host, port, source=0):
  """The address and port of this client as the server sees it."""
  with udp_socket(family_of(host)) as s:
    s.bind(('', int(source)))
    print(ask(s, b'who', host, int(port))[0].decode())


def udp_sizes(host, port, *sizes):
  """Which sizes do not come back as they went; `exact` when all do."""
  bad = []
  with udp_socket(family_of(host)) as s:
    v6 = family_of(host) == socket.AF_INET6
    s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP,
                 IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PMTUDISC_WANT if v6 else PMTUDISC_DONT)
    for size in map(int, sizes):
      data = pattern(size, size)
      try:
        # The first may find out the path's MTU. Earlier ones that come late are of another size, and right.
        got = ask(s, data, host, int(port), good=lambda a, _: len(a) == size or a != pattern(len(a), len(a)))[0]
      except OSError as e:
        bad.append(f'{size}: {e}')
        continue
      if got != data:
        bad.append(f'{size}: came back as {len(got)} other bytes')
  print('; '.join(bad) or 'exact')


def udp_mapping(host, host2, port):
  """One source port: the same port outside to two servers, to two ports; and a stranger answers."""
  port = int(port)
  with udp_socket(family_of(host)) as s:
    seen = {ask(s, b'who', h, p, good=lambda _, peer: peer[1] == p)[0].split()[1]
            for h in (host, host2) for p in (port, port + 1)}
    data, peer = ask(s, b'other', host, port, good=lambda answer, _: answer == b'from another')
    print('ports', len(seen), data.decode(), peer[1] - port)


def udp_error(host, port, size=10, df=0, seconds=30):
  """What a connected socket is told about one datagram: errno of send and receive, and the entry of
  its error queue: origin, type, code, info, who said so. seconds: how long that is awaited."""
  v6 = family_of(host) == socket.AF_INET6
  level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
  out = []
  with udp_socket(family_of(host)) as s:
    s.setsockopt(level, IPV6_RECVERR if v6 else IP_RECVERR, 1)
    if int(df):
      s.setsockopt(level, IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PMTUDISC_DO)
    try:
      s.connect((host, int(port)))
      s.send(pattern(int(size)))
      out.append('sent')
    except OSError as e:
      out.append('send ' + name_of(e.errno))
    poll = select.poll()
    poll.register(s, select.POLLIN)
    events = poll.poll(float(seconds) * 1000)
    if events and events[0][1] & select.POLLIN:
      out.append('answered')
    out.append(name_of(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
    out.append(read_error(s))
  print(' '.join(out))


def read_error(s):
  try:
    data, control, _, _ = s.recvmsg(2048, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
  except OSError:
    return 'no entry'
  for level, kind, value in control:
    if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
      continue
    sys_errno, origin, icmp_type, code, _, info, _ = struct.unpack('=IBBBBII', value[:16])
    who = value[16:]
    said = 'nobody'
    if len(who) >= 8 and who[0] == socket.AF_INET:
      said = socket.inet_ntop(socket.AF_INET, who[4:8])
    elif len(who) >= 24 and who[0] == socket.AF_INET6:
      said = socket.inet_ntop(socket.AF_INET6, who[8:24])
    is_mine = 'mine' if not data or pattern(len(data)) == data else 'strange'
    return f'{name_of(sys_errno)} origin {origin} type {icmp_type} code {code} info {info} by {said} {is_mine}'
  return 'an entry without an error'


def udp_hops(host, port, hops):
  """Who answers datagrams whose hops end at 1, 2, ...: what traceroute asks."""
  v6 = family_of(host) == socket.AF_INET6
  out = []
  for ttl in range(1, int(hops) + 1):
    with udp_socket(family_of(host)) as s:
      s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, IPV6_RECVERR if v6 else IP_RECVERR, 1)
      s.setsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP,
                   socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
      s.sendto(b'hop', (host, int(port)))
      poll = select.poll()
      poll.register(s, select.POLLIN)
      events = poll.poll(30000)
      if events and events[0][1] & select.POLLIN:
        out.append('answer')
        continue
      said = read_error(s).split()
      out.append(said[said.index('by') + 1] if 'by' in said else 'nobody')
  print(' '.join(out))


def udp_path_mtu(host, port):
  """Sends 1400 bytes that may not be fragmented until the path's MTU is known; what it is then, and
  whether a datagram of exactly that size comes back."""
  v6 = family_of(host) == socket.AF_INET6
  level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
  with udp_socket(family_of(host)) as s:
    s.setsockopt(level, IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PMTUDISC_DO)
    s.connect((host, int(port)))
    end = time.monotonic() + PATIENCE
    mtu = 0
    while time.monotonic() < end:
      try:
        s.send(pattern(1400))
      except OSError as e:
        if e.errno != errno.EMSGSIZE:
          print('send', name_of(e.errno))
          return
      mtu = s.getsockopt(level, IPV6_MTU if v6 else IP_MTU)
      if mtu < 1400:
        break
      time.sleep(0.05)
    size = mtu - (48 if v6 else 28)
    data = pattern(size, 1)
    got = None
    for _ in range(20):
      s.settimeout(0.5)
      try:
        s.send(data)
        got = s.recv(65536)
      except OSError:
        continue
      if got == data:
        break
    print('mtu', mtu, 'exact' if got == data else 'lost')


def one_of_many(once, n):
  """Datagrams are lost where a reader on the way does not have the processor for longer than a queue holds: once in
  ten times that all come is enough, and never is one wrong."""
  wrong = 0
  for _ in range(10):
    seen, bad = once()
    wrong += bad
    if seen == n:
      break
  print(seen, wrong)


def udp_up(host, port, n, size, segment=1):
  """n numbered datagrams to the server; how many came, how many of them wrong."""
  n, size = int(n), int(size)

  def once():
    with udp_socket(family_of(host)) as s:
      ask(s, b'reset', host, int(port), good=lambda answer, _: answer == b'done')
      if int(segment):
        pour(s, n, size, (host, int(port)))
      else:
        for i in range(n):
          s.sendto(numbered(i, size), (host, int(port)))
          if i % 20 == 19:
            time.sleep(0.002)
      time.sleep(0.2)
      seen, wrong = ask(s, b'count', host, int(port), good=lambda answer, _: answer != b'done')[0].split()
      return int(seen), int(wrong)
  one_of_many(once, n)


def udp_down(host, port, n, size):
  """n numbered datagrams from the server, as udp_up."""
  n, size = int(n), int(size)

  def once():
    seen, wrong, last = 0, 0, -1
    with udp_socket(family_of(host)) as s:
      s.settimeout(5)
      s.sendto(b'pour %d %d' % (n, size), (host, int(port)))
      try:
        while seen < n:
          data = s.recv(65536)
          i = struct.unpack('!I', data[3:7])[0]
          wrong += data != numbered(i, size) or i <= last
          last = i
          seen += 1
      except OSError:
        pass
    return seen, wrong
  one_of_many(once, n)


def udp_no_checksum(host, port):
  with udp_socket(family_of(host)) as s:
    s.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    print(ask(s, b'without', host, int(port))[0].decode())


def udp_flood(host, port, n):
  """One datagram from each of n source ports; a conversation from before them goes on."""
  with udp_socket(family_of(host)) as old:
    ask(old, b'who', host, int(port))
    for _ in range(int(n)):
      with udp_socket(family_of(host)) as s:
        try:
          s.sendto(b'flood', (host, int(port)))
        except OSError:
          pass
    print(ask(old, b'who', host, int(port))[0].decode())


# --- TCP ------------------------------------------------------------------------------------------

def tcp_connect(host, port, seconds=60):
  """What connect() says, within so many seconds."""
  with socket.socket(family_of(host), socket.SOCK_STREAM) as s:
    s.setblocking(False)
    e = s.connect_ex((host, int(port)))
    if e == errno.EINPROGRESS:
      poll = select.poll()
      poll.register(s, select.POLLOUT)
      if not poll.poll(float(seconds) * 1000):
        print('silence')
        return
      e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    print(name_of(e) if e else 'connected')


def stream(n):
  block = pattern(1 << 20)
  at = 0
  while at < n:
    part = struct.pack('!Q', at) + block[8:]
    yield part[:n - at]
    at += len(part)


def receive(s, n=None):
  """The digest and length of what comes until its end, or of n bytes."""
  h, got = hashlib.sha256(), 0
  while n is None or got < n:
    data = s.recv(1 << 20 if n is None else min(1 << 20, n - got))
    if not data:
      break
    h.update(data)
    got += len(data)
  return f'{got} {h.hexdigest()}'


def send(s, n):
  h = hashlib.sha256()
  for part in stream(n):
    s.sendall(part)
    h.update(part)
  return f'{n} {h.hexdigest()}'


def serve_tcp(port):
  """One line says what: `sink` answers what came until the end; `source N`; `echo`; `half N` sends N
  bytes after the client's end; `reset` resets; `await` says how the connection ended; `peer`."""
  s = socket.create_server(('::', int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
  ended = []
  while True:
    c, peer = s.accept()
    threading.Thread(target=serve_one, args=(c, peer, ended), daemon=True).start()


def serve_one(c, peer, ended):
  with c:
    c.settimeout(240)
    word = b''
    try:
      while not word.endswith(b'\n'):
        b = c.recv(1)
        if not b:
          return
        word += b
      word = word.split()
      if word[0] == b'sink':
        c.sendall(receive(c).encode())
      elif word[0] == b'source':
        send(c, int(word[1]))
      elif word[0] == b'half':
        seen = receive(c)
        c.sendall(seen.encode() + b'\n')
        send(c, int(word[1]))
      elif word[0] == b'early':
        c.sendall(b'bye\n')
        c.shutdown(socket.SHUT_WR)
        seen = receive(c)
        ended.append(seen)
      elif word[0] == b'stall':
        time.sleep(10) # reads nothing
      elif word[0] == b'reset':
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
      elif word[0] == b'await':
        c.sendall(b'y')
        try:
          c.recv(1)
          ended.append('end')
        except OSError as e:
          ended.append(name_of(e.errno))
      elif word[0] == b'ended':
        for _ in range(1200):
          if ended:
            break
          time.sleep(0.05)
        c.sendall((ended.pop() if ended else 'nothing').encode())
      elif word[0] == b'peer':
        c.sendall(('%s %d' % peer[:2]).encode())
      elif word[0] == b'echo':
        while True:
          data = c.recv(65536)
          if not data:
            return
          c.sendall(data)
    except OSError:
      pass


def dial(host, port, word):
  s = socket.create_connection((host, int(port)), timeout=240)
  s.sendall(word.encode() + b'\n')
  return s


def tcp_up(host, port, n):
  with dial(host, port, 'sink') as s:
    want = send(s, int(n))
    s.shutdown(socket.SHUT_WR)
    got = s.recv(200).decode()
  print('equal' if got == want else f'sent {want}, came {got}')


def tcp_down(host, port, n, pause=0):
  """pause: milliseconds between reads of 64 KiB by a slow reader."""
  n = int(n)
  with dial(host, port, f'source {n}') as s:
    if not int(pause):
      got = receive(s)
    else:
      h, length = hashlib.sha256(), 0
      while True:
        data = s.recv(65536)
        if not data:
          break
        h.update(data)
        length += len(data)
        time.sleep(int(pause) / 1000)
      got = f'{length} {h.hexdigest()}'
  h = hashlib.sha256()
  for part in stream(n):
    h.update(part)
  want = f'{n} {h.hexdigest()}'
  print('equal' if got == want else f'sent {want}, came {got}')


def tcp_half(host, port, n):
  """Our end first: what comes after it; then theirs first: what goes after it."""
  n = int(n)
  h = hashlib.sha256()
  for part in stream(n):
    h.update(part)
  with dial(host, port, f'half {n}') as s:
    want = send(s, n)
    s.shutdown(socket.SHUT_WR)
    f = s.makefile('rb')
    seen = f.readline().decode().strip()
    rest = f.read()
    print('ours', 'equal' if seen == want and hashlib.sha256(rest).digest() == h.digest() else 'differs', end=' ')
  with dial(host, port, 'early') as s:
    with s.makefile('rb') as f:
      first = f.read()
    want = send(s, n)
  with dial(host, port, 'ended') as s:
    seen = receive_text(s)
  print('theirs', 'equal' if first == b'bye\n' and seen == want else f'differs: {first} {seen}')


def receive_text(s):
  text = b''
  while True:
    data = s.recv(1000)
    if not data:
      return text.decode()
    text += data


def tcp_reset(host, port):
  """How a reset by either side reaches the other."""
  with dial(host, port, 'reset') as s:
    try:
      theirs = 'end' if s.recv(1) == b'' else 'data'
    except OSError as e:
      theirs = name_of(e.errno)
  s = dial(host, port, 'await')
  s.recv(1)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
  s.close()
  with dial(host, port, 'ended') as s:
    print('theirs', theirs, 'ours', receive_text(s))


def tcp_parallel(host, port, n):
  """n connections at once, each with an echo of its own."""
  n = int(n)
  sel = selectors.DefaultSelector()
  state = {}
  for i in range(n):
    s = socket.socket(family_of(host), socket.SOCK_STREAM)
    s.setblocking(False)
    s.connect_ex((host, int(port)))
    state[s] = [i, pattern(1000, i), b'', False]
    sel.register(s, selectors.EVENT_WRITE)
  right = 0
  end = time.monotonic() + 200
  failed = {}
  while state and time.monotonic() < end:
    for key, mask in sel.select(1):
      s = key.fileobj
      st = state[s]
      try:
        if mask & selectors.EVENT_WRITE and not st[3]:
          e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
          if e:
            raise OSError(e, '')
          s.send(b'echo\n' + st[1])
          st[3] = True
          sel.modify(s, selectors.EVENT_READ)
        elif mask & selectors.EVENT_READ:
          data = s.recv(65536)
          st[2] += data
          if len(st[2]) >= 1000:
            right += st[2] == st[1]
            sel.unregister(s)
            del state[s] # the socket stays open until all are done
            failed.setdefault('done', []).append(s)
          elif not data:
            raise OSError(errno.EPIPE, '')
      except OSError as e:
        failed.setdefault(name_of(e.errno), []).append(s)
        sel.unregister(s)
        del state[s]
  print(right, 'right', *(f'{len(v)} {k}' for k, v in failed.items() if k != 'done'),
        *([f'{len(state)} open'] if state else []))


def tcp_peer(host, port):
  with dial(host, port, 'peer') as s:
    print(receive_text(s))


def status(path, field):
  """A field of slirp-lite's status, its counters included; 0 when it has none. A worker that has not answered in
  time is asked again: what it did not say is not nothing."""
  import json
  until = time.monotonic() + PATIENCE
  while True:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
      s.settimeout(PATIENCE)
      s.connect(path)
      s.sendall(b'{"execute": "status"}')
      answer = json.loads(receive_text(s))['return']
    if field in answer or not answer.get('silent') or time.monotonic() > until:
      break
    time.sleep(0.1)
  print(answer.get(field, answer.get('counters', {}).get(field, 0)))


# --- DNS ------------------------------------------------------------------------------------------

def dns_answer(query, tcp):
  """NAME.test: A 192.0.2.N and AAAA 2001:db8::N by the length of NAME; big.test: 40 TXT records."""
  if len(query) < 17 or query[2] & 0x80:
    return None
  at, labels = 12, []
  while query[at]:
    labels.append(query[at + 1:at + 1 + query[at]])
    at += 1 + query[at]
  question = query[12:at + 5]
  qtype = struct.unpack('!H', query[at + 1:at + 3])[0]
  name = b'.'.join(labels).lower()
  records = []
  if not name.endswith(b'.test'):
    return query[:2] + b'\x81\x83' + struct.pack('!HHHH', 1, 0, 0, 0) + question
  n = len(labels[0])
  if name == b'big.test' and qtype == 16:
    records = [(16, bytes([100]) + b'%100d' % i) for i in range(40)]
  elif qtype == 1:
    records = [(1, bytes([192, 0, 2, n]))]
  elif qtype == 28:
    records = [(28, socket.inet_pton(socket.AF_INET6, f'2001:db8::{n}'))]
  body = b''.join(b'\xc0\x0c' + struct.pack('!HHIH', t, 1, 60, len(d)) + d for t, d in records)
  flags = 0x8180
  if not tcp and len(body) > 450:
    flags, body, records = flags | 0x200, b'', []
  return query[:2] + struct.pack('!HHHHH', flags, 1, len(records), 0, 0) + question + body


def serve_dns(host, port):
  """A name server on one address, UDP and TCP; it writes down each query's source port."""
  u = udp_socket(family_of(host))
  u.bind((host, int(port)))
  t = socket.create_server((host, int(port)), family=family_of(host), backlog=100)
  while True:
    for s in select.select([u, t], [], [])[0]:
      try:
        if s is u:
          data, peer = u.recvfrom(4096)
          answer = dns_answer(data, False)
          if answer:
            u.sendto(answer, peer)
          continue
        c, _ = t.accept()
        with c:
          c.settimeout(5)
          while True:
            head = c.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
              break
            answer = dns_answer(c.recv(struct.unpack('!H', head)[0], socket.MSG_WAITALL), True)
            c.sendall(struct.pack('!H', len(answer)) + answer)
      except (OSError, IndexError, struct.error):
        pass


if __name__ == '__main__':
  import signal
  signal.alarm(0 if sys.argv[1].startswith('serve') else 280)
  run = globals().get(sys.argv[1])
  if not run:
    import probe_many, probe_ports # beside it, under these names
    run = getattr(probe_ports, sys.argv[1], None) or getattr(probe_many, sys.argv[1])
  try:
    run(*sys.argv[2:])
  except OSError as error:
    print(name_of(error.errno) if error.errno else repr(error))
  sys.stdout.flush()

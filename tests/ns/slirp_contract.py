#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_contract.py VERB ARGUMENT...: what clients of slirp4netns rely on, on its sockets.

api PATH        every request and its exact answer, table by table; says what is wrong, and how many were right
hostile PATH N  N clients that are silent, slow, broken, huge or deaf, until it is killed; says `there` first
bess PATH       a guest on a socket: ARP, DHCP, ping, and every form of a loopback address, at PORT
guard PORT FILE servers on the host's loopback addresses; each that reaches one is a line in FILE
reach PORT      from a container: all that of these addresses answers, in one line
died PROGRAM .. starts it with a parent-death signal, says its pid when it is ready, and waits
"""
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

BAD = 'bad request: '
ADD = BAD + 'add_hostfwd: bad arguments.'
FAILED = BAD + 'add_hostfwd: slirp_add_hostfwd failed'
ID = BAD + 'remove_hostfwd: bad arguments.id'
JSON = BAD + 'cannot parse JSON'


def ask(path, request, pieces=None, shut=True):
  """One connection. pieces: bytes a send."""
  data = request if isinstance(request, bytes) else request.encode()
  with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(60)
    s.connect(path)
    try:
      for at in range(0, len(data), pieces or len(data) or 1):
        s.sendall(data[at:at + (pieces or len(data))])
        if pieces and len(data) // pieces < 500:
          time.sleep(0.0005)
      if shut:
        s.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
      pass  # it has answered already
    out = b''
    try:
      while chunk := s.recv(65536):
        out += chunk
    except ConnectionResetError:
      pass
  return out


def add(**changes):
  a = dict(proto='tcp', host_addr='0.0.0.0', host_port=18080, guest_addr='10.0.2.100', guest_port=80)
  a.update(changes)
  return json.dumps({'execute': 'add_hostfwd', 'arguments': {k: v for k, v in a.items() if v is not KeyError}})


def remove(value):
  return json.dumps({'execute': 'remove_hostfwd', 'arguments': {'id': value}})


LIST = '{"execute":"list_hostfwd"}'
# Requests and the text of the error.
ERRORS = [
  ('', JSON), ('nonsense', JSON), ('{"execute":', JSON), ("{'execute':'x'}", JSON), ('\0', JSON), ('[' * 3000, JSON),
  ('{"execute":"status","execute":"stop"}', JSON), (b'{"execute":"\xff"}', JSON),
  ('[]', BAD + 'json_object() failed'), ('42', BAD + 'json_object() failed'), ('"x"', BAD + 'json_object() failed'),
  ('null', BAD + 'json_object() failed'),
  ('{}', BAD + 'no execute found'), ('{"execute":1}', BAD + 'no execute found'),
  ('{"execute":null}', BAD + 'no execute found'), ('{"arguments":{"id":1}}', BAD + 'no execute found'),
  ('{"execute":"x"}', BAD + 'unknown execute'), ('{"execute":"ADD_HOSTFWD"}', BAD + 'unknown execute'),
  ('{"execute":"' + 'x' * 60000 + '"}', BAD + 'unknown execute'),
  (' ' * 600000, BAD + 'too large message'), ('{"execute":"' + 'x' * 600000, BAD + 'too large message'),
  # Other protocols.
  ('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', JSON), ('SSH-2.0-x\r\n', JSON),
  ('<?xml version="1.0"?><methodCall/>', JSON), ('AUTH EXTERNAL 30\r\n', JSON),
  # add_hostfwd: missing, of the wrong type, out of range.
  ('{"execute":"add_hostfwd"}', ADD + 'proto'), ('{"execute":"add_hostfwd","arguments":1}', ADD + 'proto'),
  ('{"execute":"add_hostfwd","arguments":[]}', ADD + 'proto'),
  ('{"execute":"add_hostfwd","arguments":null}', ADD + 'proto'),
  *[(add(proto=v), ADD + 'proto') for v in (KeyError, None, 1, '', 'TCP', 'sctp', 'tcp7', [])],
  *[(add(host_addr=v), ADD + 'host_addr') for v in ('x', '::1', 1, [], '1.2.3', '1.2.3.4.5', '010.0.0.1', ' 0.0.0.0')],
  *[(add(host_port=v), ADD + 'host_port') for v in
    (KeyError, None, 0, -1, 65536, 70000, 1e300, 18080.5, '18080', '', 'x', True, [], '8010-8000', '0-10', '65530-65540')],
  *[(add(guest_addr=v), ADD + 'guest_addr') for v in ('x', 'fd00::100', 1, [], '127.0.0.1', '224.0.0.1')],
  *[(add(guest_port=v), ADD + 'guest_port') for v in (KeyError, None, 0, -1, 65536, 70000, '80', {}, '80-81')],
  (add(proto='tcp6'), ADD + 'host_addr'),
  (add(host_addr='192.0.2.99'), FAILED),
  (LIST.replace('list', 'remove'), ID), ('{"execute":"remove_hostfwd","arguments":{}}', ID),
  *[(remove(v), ID) for v in (0, -1, 1, 999, '1', None, 1.5, 2**40, 1e300, [])],
]


class Table:
  def __init__(self, path):
    self.path, self.right, self.wrong = path, 0, 0

  def check(self, what, good, got):
    self.right += good
    self.wrong += not good
    if not good:
      print(f'{str(what)[:120]}: {str(got)[:300]}')

  def error(self, request, text, **how):
    """One object with the text that clients know; more keys may stand beside it."""
    got = ask(self.path, request, **how)
    try:
      answer = json.loads(got)
      self.check(request, list(answer) == ['error'] and answer['error']['desc'] == text, got)
      return answer['error']
    except (ValueError, KeyError, TypeError):
      self.check(request, False, got)
      return {}

  def value(self, request, **how):
    got = ask(self.path, request, **how)
    try:
      return json.loads(got)
    except ValueError:
      self.check(request, False, got)
      return {}

  def same(self, request, answer, **how):
    got = self.value(request, **how)
    self.check(request, got == answer, got)


def entry(number, **changes):
  e = dict(id=number, proto='tcp', host_addr='0.0.0.0', host_port=18080, guest_addr='10.0.2.100', guest_port=80)
  e.update(changes)
  return e


def listed(*entries):
  return {'return': {'entries': list(entries)}, 'entries': list(entries)}


def free(port, kind=socket.SOCK_STREAM):
  with socket.socket(socket.AF_INET, kind) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      s.bind(('0.0.0.0', port))
      return True
    except OSError:
      return False


def life(t):
  """Ports come and go."""
  t.same(LIST, listed())
  t.same(add(), {'return': {'id': 1}})
  t.check('it is bound when the answer comes', not free(18080), '')
  again = t.error(add(), FAILED)
  t.check('taken: errno and by whom', again.get('errno') == 98 and '(1)' in again.get('detail', ''), again)
  t.same(add(proto='udp'), {'return': {'id': 2}})
  t.error(add(proto='udp'), FAILED)
  t.same(LIST, listed(entry(1), entry(2, proto='udp')))
  t.same(add(host_addr=KeyError, guest_addr=KeyError, host_port=18081), {'return': {'id': 3}})
  t.same(add(host_addr='', guest_addr='', host_port=18082), {'return': {'id': 4}})
  t.same(add(host_addr='127.0.0.1', guest_addr='0.0.0.0', host_port=18083.0, guest_port=8e1), {'return': {'id': 5}})
  t.same(add(host_addr=None, guest_addr='10.0.2.15', host_port=18084), {'return': {'id': 6}})
  t.same(LIST + ' and what nobody reads', listed(
      entry(1), entry(2, proto='udp'), entry(3, host_port=18081), entry(4, host_port=18082),
      entry(5, host_port=18083, host_addr='127.0.0.1'), entry(6, host_port=18084, guest_addr='10.0.2.15')))
  t.same('{"execute":"list_hostfwd","arguments":5}\0', t.value(LIST))
  t.same(remove(1), {'return': {}})
  t.check('it is free when the answer comes', free(18080), '')
  t.check('of udp still taken', not free(18080, socket.SOCK_DGRAM), '')
  t.error(remove(1), ID)
  t.same(add(), {'return': {'id': 7}})  # never used twice
  for number in (2, 3, 4, 5.0, 6, 7):
    t.same(remove(number), {'return': {}})
  t.same(LIST, listed())


def more(t):
  """What there is beyond slirp4netns."""
  first = t.value(add(proto='tcp6', host_addr='::', guest_addr='', host_port=18090))['return']['id']
  t.same(add(proto='udp6', host_addr='::1', guest_addr='fd00::100', host_port=18090), {'return': {'id': first + 1}})
  t.same(add(host_port='18100-18109', guest_port='80-89'), {'return': {'id': first + 2}})
  t.same(LIST, listed(
      entry(first, proto='tcp6', host_addr='::', guest_addr='fd00::100', host_port=18090),
      entry(first + 1, proto='udp6', host_addr='::1', guest_addr='fd00::100', host_port=18090),
      entry(first + 2, host_port='18100-18109', guest_port='80-89')))
  got = t.error(add(host_port='18095-18105', guest_port='80-90'), FAILED)
  t.check('all of a range or nothing', free(18095) and got.get('errno') == 98, got)
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    s.listen()
    port = s.getsockname()[1]
    got = t.error(add(host_port=port), FAILED)
    t.check('taken by somebody else', got.get('errno') == 98 and got.get('kind') == 'conflict', got)
  if os.geteuid():
    got = t.error(add(host_port=80), FAILED)
    t.check('a low port', got.get('errno') == 13 and 'ip_unprivileged_port_start' in got.get('detail', ''), got)
  ports = t.value('{"execute":"status"}')['return']['ports']
  t.check('counters of each port', [p['id'] for p in ports] == [first, first + 1, first + 2] and
          all(p[k] == 0 for p in ports for k in ('flows', 'bytes_in', 'bytes_out')), ports)
  for number in range(first, first + 3):
    t.same(remove(number), {'return': {}})


def api(path):
  t = Table(path)
  for request, text in ERRORS:
    t.error(request, text)
  life(t)
  for request, text in ERRORS:  # in pieces
    if len(request) < 300:
      t.error(request, text, pieces=7)
  t.error('{}', BAD + 'no execute found', shut=False)
  t.same(LIST, listed(), pieces=1, shut=False)
  t.same(LIST, listed(), shut=False)
  more(t)
  print(f'{t.right} right, {t.wrong} wrong')


# --- clients that are no good ----------------------------------------------------------------------

def hostile_client(path, kind):
  while True:
    try:
      with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        if kind == 0:  # silent
          while s.recv(1):
            pass
        elif kind == 1:  # byte by byte, never complete
          while True:
            s.send(b'[')
            time.sleep(0.01)
        elif kind == 2:  # huge
          while True:
            s.sendall(b'{"execute":"' + b'x' * 65536)
        elif kind == 3:  # asks much and reads nothing
          s.sendall(b'{"execute":"flows"}')
          time.sleep(3)
        elif kind == 4:  # a request after another
          s.sendall(LIST.encode())
          while s.recv(65536):
            pass
        else:  # nonsense
          s.sendall(os.urandom(3000))
          while s.recv(65536):
            pass
    except OSError:
      time.sleep(0.01)


def hostile(path, n):
  for i in range(int(n)):
    threading.Thread(target=hostile_client, args=(path, i % 6 if i % 2 else 0), daemon=True).start()
  time.sleep(0.3)
  print('there', flush=True)
  signal.pause()


# --- a guest on a socket -----------------------------------------------------------------------------

ME, MY4, MY6 = bytes.fromhex('525400000001'), socket.inet_aton('10.0.2.100'), socket.inet_pton(socket.AF_INET6, 'fd00::100')
GATEWAY = socket.inet_aton('10.0.2.2')


def checksum(data):
  data += b'\0' * (len(data) % 2)
  total = sum(struct.unpack(f'!{len(data) // 2}H', data))
  while total >> 16:
    total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff


def ip4(proto, source, to, payload):
  head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, source, to)
  return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


def ip6(proto, source, to, payload):
  return struct.pack('!IHBB16s16s', 6 << 28, len(payload), proto, 64, source, to) + payload


def with_sum(at, proto, source, to, data):
  pseudo = source + to + (struct.pack('!BBH', 0, proto, len(data)) if len(to) == 4 else
                          struct.pack('!I3xB', len(data), proto))
  return data[:at] + struct.pack('!H', checksum(pseudo + data) or 0xffff) + data[at + 2:]


class Guest:
  def __init__(self, path):
    self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    self.s.settimeout(60)
    self.s.connect(path)
    self.router = b'\xff' * 6

  def send(self, kind, payload):
    self.s.send(self.router + ME + struct.pack('!H', kind) + payload)

  def wait(self, good, seconds=60):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
      if not select.select([self.s], [], [], left)[0]:
        return None
      frame = self.s.recv(70000)
      if not frame:
        return None
      if good(frame):
        return frame
    return None


def bess(path, port):
  g = Guest(path)
  g.send(0x0806, struct.pack('!HHBBH6s4s6s4s', 1, 0x0800, 6, 4, 1, ME, MY4, bytes(6), GATEWAY))
  f = g.wait(lambda f: f[12:14] == b'\x08\x06' and f[20:22] == b'\0\2')
  g.router = f[6:12]
  print('arp', socket.inet_ntoa(f[28:32]), end=' ')
  discover = struct.pack('!BBBBIHH16x16s192x4s', 1, 1, 6, 0, 7, 0, 0x8000, ME, b'\x63\x82\x53\x63') + b'\x35\1\1\xff'
  zero, all4 = bytes(4), b'\xff' * 4
  dhcp = struct.pack('!HHHH', 68, 67, 8 + len(discover), 0) + discover
  g.send(0x0800, ip4(17, zero, all4, with_sum(6, 17, zero, all4, dhcp)))
  f = g.wait(lambda f: f[23] == 17 and f[36:38] == b'\0\x44')
  print('dhcp', socket.inet_ntoa(f[58:62]), end=' ')
  echo = struct.pack('!BBHHH', 8, 0, 0, 5, 6) + b'x' * 600
  g.send(0x0800, ip4(1, MY4, GATEWAY, echo[:2] + struct.pack('!H', checksum(echo)) + echo[4:]))
  f = g.wait(lambda f: f[23] == 1 and f[34] == 0)
  print('ping', f[42:] == b'x' * 600, end=' ')
  print('loopback', loopback_frames(g, int(port)) or 'closed')


def loopback_frames(g, port):
  """What answers of the host's loopback, whatever the guest's kernel would say to such addresses."""
  found = []
  forms = ['127.0.0.1', '127.0.0.53', '127.255.255.254', '0.0.0.0', '10.0.2.2', '10.0.2.3', '255.255.255.255',
           '::1', '::', '::ffff:127.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1', 'fd00::2', 'fd00::3', '::ffff:10.0.2.2',
           'fe80::1', 'ff02::1', '2002:7f00:1::']
  for i, form in enumerate(forms):
    family = socket.AF_INET6 if ':' in form else socket.AF_INET
    to, mine, wrap = socket.inet_pton(family, form), MY6 if family == socket.AF_INET6 else MY4, ip6
    if family == socket.AF_INET:
      wrap = ip4
    kind = 0x86dd if family == socket.AF_INET6 else 0x0800
    syn = struct.pack('!HHIIBBHHH', 40000 + i, port, 1, 0, 0x50, 2, 65535, 0, 0)
    g.send(kind, wrap(6, mine, to, with_sum(16, 6, mine, to, syn)))
    dgram = struct.pack('!HHHH', 40000 + i, port, 12, 0) + b'ping'
    g.send(kind, wrap(17, mine, to, with_sum(6, 17, mine, to, dgram)))
  end = time.monotonic() + 0.7
  while (left := end - time.monotonic()) > 0:
    f = g.wait(lambda f: True, left)
    if f is None:
      break
    at = 54 if f[12:14] == b'\x86\xdd' else 34
    proto = f[20] if at == 54 else f[23]
    if f[at:at + 2] == struct.pack('!H', port) and (proto == 17 or (proto == 6 and f[at + 13] & 0x12 == 0x12)):
      found.append(forms[struct.unpack('!H', f[at + 2:at + 4])[0] - 40000])
  return ' '.join(found)


# --- the host's loopback -------------------------------------------------------------------------------

LOOPBACK = ['127.0.0.1', '127.0.0.53', '::1']


def guard(port, path):
  sockets = []
  for host in LOOPBACK:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
      s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, kind)
      s.bind((host, int(port)))
      if kind == socket.SOCK_STREAM:
        s.listen()
      sockets.append(s)
  while True:
    for s in select.select(sockets, [], [])[0]:
      c, peer = s.accept() if s.type == socket.SOCK_STREAM else (None, s.recvfrom(2048)[1])
      with open(path, 'a', encoding='ascii') as f: # first: who has the answer finds it written down
        f.write(f'{s.getsockname()[0]} {peer[0]}\n')
      if c:
        c.send(b'hello')
        c.close()
      else:
        s.sendto(b'hello', peer)


def reach(port, *more_hosts):
  """TCP and UDP to all of them at once; what answers within half a second."""
  hosts = ['10.0.2.2', '10.0.2.3', '127.0.0.1', '127.0.0.53', '0.0.0.0', '::1', '::', 'fd00::2', 'fd00::3',
           '::ffff:10.0.2.2', '::ffff:127.0.0.1', *more_hosts]
  poll, names = select.poll(), {}
  for host in hosts:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
      s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
      try:
        s.connect_ex((host, int(port)))
        if kind == socket.SOCK_DGRAM:
          s.send(b'ping')
      except OSError:
        pass
      names[s.fileno()] = (s, host)
      poll.register(s, select.POLLIN)
  found, end = set(), time.monotonic() + 0.5
  while (left := end - time.monotonic()) > 0:
    for fd, _ in poll.poll(left * 1000):
      s, host = names[fd]
      try:
        if s.recv(100) == b'hello':
          found.add(host)
      except OSError:
        pass
      poll.unregister(fd)
  print(' '.join(sorted(found)) or 'closed')


def died(*command):
  """The kernel ends it with us."""
  r, w = os.pipe()
  prctl = ctypes.CDLL(None).prctl
  args = [a.replace('READY', str(w)) for a in command]
  p = subprocess.Popen(args, pass_fds=[w], preexec_fn=lambda: prctl(1, signal.SIGKILL),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  os.close(w)
  print(p.pid if os.read(r, 1) == b'1' else 'not ready', flush=True)
  signal.pause()


if __name__ == '__main__':
  globals()[sys.argv[1]](*sys.argv[2:])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_probe.py: what is reached while somebody plays with the rules.

  serve PORT...          an echo server on each port, for both families
  probe REPORT OPEN... -- CLOSED...   until SIGTERM: connects to each ADDRESS:PORT again and again; each
                         open one also has one connection that stays and says a byte all the time. Then
                         writes REPORT: "probes N opened N lost N broken N reached N slowest_ms N"
  mend delete|flush TIMES   deletes both tables (flush: all that there are) in one transaction and waits
                         until both are there again; prints "median_ms N max_ms N missed N"
  hold                   takes over tables netd that nobody holds, until it is killed
"""
import os
import selectors
import signal
import socket
import statistics
import struct
import sys
import threading
import time

MENDED = 20.0 # tables that are deleted are there again by then, however busy the machine is
WAIT = 10.0 # a published port has answered by then, retransmission of a first SYN included


def echo(conn):
  with conn:
    try:
      while data := conn.recv(4096):
        conn.sendall(data)
    except OSError:
      pass


def serve(ports):
  chosen = selectors.DefaultSelector()
  for port in ports:
    s = socket.create_server(('::', int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    chosen.register(s, selectors.EVENT_READ)
  while True:
    for key, _ in chosen.select():
      conn, _ = key.fileobj.accept()
      threading.Thread(target=echo, args=(conn,), daemon=True).start()


class Prober:
  def __init__(self):
    self.over = threading.Event()
    self.lock = threading.Lock()
    self.staying = threading.Semaphore(0)
    self.n = dict.fromkeys(('probes', 'opened', 'lost', 'broken', 'reached', 'slowest_ms'), 0)

  def count(self, *names, slow=0):
    with self.lock:
      for name in names:
        self.n[name] += 1
      self.n['slowest_ms'] = max(self.n['slowest_ms'], int(slow * 1000))

  def open(self, where):
    while not self.over.is_set():
      began = time.monotonic()
      try:
        with socket.create_connection(where, timeout=WAIT) as s:
          s.sendall(b'x')
          good = s.recv(1) == b'x'
      except OSError:
        good = False
      self.count('probes', 'opened' if good else 'lost', slow=time.monotonic() - began)
      time.sleep(0.004)

  def stay(self, where):
    is_there = False
    try:
      with socket.create_connection(where, timeout=WAIT) as s:
        s.settimeout(30)
        while not self.over.is_set():
          began = time.monotonic()
          s.sendall(b'y')
          if s.recv(1) != b'y':
            raise OSError('end')
          self.count(slow=time.monotonic() - began)
          if not is_there:
            is_there = True
            self.staying.release()
          time.sleep(0.003)
    except OSError:
      self.count('broken')
      self.staying.release()

  def closed(self, where):
    while not self.over.is_set():
      try:
        with socket.create_connection(where, timeout=0.02) as s:
          s.sendall(b'z')
          s.settimeout(0.5)
          reached = s.recv(1) == b'z'
      except OSError:
        reached = False
      self.count('probes', *(['reached'] if reached else []))
      time.sleep(0.002)

  def run(self, report, opened, closed):
    signal.signal(signal.SIGTERM, lambda *_: self.over.set())
    work = [(f, w) for w in opened for f in (self.open, self.stay)] + [(self.closed, w) for w in closed for _ in range(2)]
    threads = [threading.Thread(target=f, args=(w,)) for f, w in work]
    for t in threads:
      t.start()
    for _ in opened: # what is to stay is there before anybody plays with the rules
      self.staying.acquire()
    print('probing', flush=True)
    while not self.over.wait(0.1):
      pass
    for t in threads:
      t.join()
    with open(report, 'w', encoding='ascii') as f:
      print(*(f'{k} {v}' for k, v in self.n.items()), file=f)


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


def address(text):
  host, port = text.rsplit(':', 1)
  return host.strip('[]'), int(port)


def main(args):
  if args[0] == 'serve':
    serve(args[1:])
  elif args[0] == 'hold':
    hold()
  elif args[0] == 'probe':
    at = args.index('--')
    Prober().run(args[1], [address(a) for a in args[2:at]], [address(a) for a in args[at + 1:]])
  else:
    mend(args[1], int(args[2]))


main(sys.argv[1:])

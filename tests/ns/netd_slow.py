# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_slow.py UID UID2 FUSE OWN-PID: descriptors of UID that take time, while UID2 asks.

FUSE is a node of that device; OWN-PID a process in a network namespace of UID's. A file whose file system
UID serves himself holds up whoever closes it or asks what it is, until he answers; a socket that lingers
holds up whoever closes it last. Prints PASS and FAIL lines.
"""
import ctypes
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time

from client import ask, ask_raw, connect, kind, request, send

uid, other, fuse, own = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
MS_NOSUID, MS_NODEV = 2, 4
GETATTR, OPEN, INIT = 3, 14, 26
HELD_S = 8 # how long the file system does not answer: who waits for it is told from who waits for a processor


def check(what, good, detail=''):
  print(f'PASS {what}' if good else f'FAIL {what}: {detail}', flush=True)


def become(n):
  os.setgroups([])
  os.setresgid(n, n, n)
  os.setresuid(n, n, n)
  libc.prctl(4, 1, 0, 0, 0) # dumpable: its own /proc files


def serve(dev):
  """Answers what opening a file needs, and nothing else."""
  while True:
    data = os.read(dev, 1 << 17)
    _, opcode, unique = struct.unpack_from('<IIQ', data)
    if opcode == INIT:
      body = struct.pack('<IIIIHHIIHHI28x', 7, 31, 0, 0, 12, 9, 1 << 16, 1, 0, 0, 0)
    elif opcode == GETATTR:
      body = struct.pack('<QII6Q3I7I', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o100644, 1, 0, 0, 0, 4096, 0)
    elif opcode == OPEN:
      body = struct.pack('<QII', 1, 0, 0)
    else:
      continue
    os.write(dev, struct.pack('<IiQ', 16 + len(body), 0, unique) + body)


def own_file():
  """(descriptor, pid of its server): in a mount namespace of this process."""
  ids = os.getuid(), os.getgid()
  if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
    raise OSError(ctypes.get_errno(), 'unshare')
  for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {ids[0]} 1'), ('gid_map', f'0 {ids[1]} 1')):
    with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
      file.write(text)
  dev = os.open(fuse, os.O_RDWR)
  with tempfile.NamedTemporaryFile() as at:
    options = f'fd={dev},rootmode=100644,user_id=0,group_id=0'.encode()
    if libc.mount(b'own', at.name.encode(), b'fuse', MS_NOSUID | MS_NODEV, options):
      raise OSError(ctypes.get_errno(), 'mount')
    pid = os.fork()
    if pid == 0:
      serve(dev)
    os.close(dev)
    fd = os.open(at.name, os.O_RDONLY)
    libc.umount2(at.name.encode(), 2)
  return fd, pid


def lingering(address):
  """A socket whose last close takes a minute: its peer does not read."""
  s = socket.create_connection(address)
  s.setblocking(False)
  try:
    while True:
      s.send(bytes(65536))
  except BlockingIOError:
    pass
  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 60))
  return s


def give_away_lingering():
  """In a request, in one that is refused, and behind one; by processes that end at once, which does not linger."""
  listener = socket.create_server(('127.0.0.1', 0))
  for packets in ([request('attach', id='l')], [request('status')], [b'x', request('status')],
                  [request('list'), b'y']) * 3:
    pid = os.fork()
    if pid == 0:
      try:
        s = lingering(listener.getsockname())
        c = connect()
        for packet in packets[:-1]:
          send(c, packet)
        send(c, packets[-1], [s.fileno()])
      finally:
        os._exit(0)
    os.waitpid(pid, 0)
  return listener


def attack():
  net = os.open(f'/proc/{own}/ns/net', os.O_RDONLY)
  # What lingers first: connections are made where the host's loopback is.
  listener = give_away_lingering()
  fd, server = own_file()
  begin = time.monotonic()
  answers = [ask_raw(request('attach', id='f'), [fd]), ask_raw(request('status'), [fd]), ask_raw(b'x', [fd])]
  took = time.monotonic() - begin
  check('a file that its owner serves is refused', '"denied"' in answers[0] and
        all('"protocol"' in a for a in answers[1:]), answers)
  check('without asking it', took < HELD_S - 2, took)
  try:
    for _ in range(12):
      with connect() as c:
        send(c, request('attach', id='f'), [fd])
  except (BrokenPipeError, ConnectionResetError):
    pass
  time.sleep(HELD_S)
  os.kill(server, signal.SIGKILL)
  os.waitpid(server, 0)
  check('and once it is over, all is as before', kind(ask('attach', [net], id='f')) == 'ok')
  check('with an end', kind(ask('detach', id='f')) == 'ok')
  listener.close()


def main():
  pid = os.fork()
  if pid == 0:
    become(uid)
    attack()
    os._exit(0)
  become(other)
  took, failed, end = [], 0, time.monotonic() + 240
  done = os.pidfd_open(pid)
  while time.monotonic() < end and not select.select([done], [], [], 0)[0]:
    t = time.perf_counter()
    failed += '"ok":true' not in ask_raw(request('status'))
    took.append(time.perf_counter() - t)
    time.sleep(0.02)
  status = os.waitpid(pid, os.WNOHANG)
  check('he comes to his end', status[0] == pid and status[1] == 0, status)
  took.sort()
  print(f'# {len(took)} answers, median {took[len(took) // 2] * 1000:.1f} ms, longest {took[-1] * 1000:.1f} ms',
        flush=True)
  check('the other user is answered each time', failed == 0, failed)
  check('and soon', took[-1] < HELD_S - 2, took[-5:])
  print('DONE', flush=True)


main()

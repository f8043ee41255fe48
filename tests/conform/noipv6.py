# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that sees a kernel started with ipv6.disable=1: no IPv6 files in /proc, no IPv6 sockets.

Seccomp user notification (seccomp(2), seccomp_unotify(2)): calls that name a file are looked at by a thread
here, which says ENOENT for the files of IPv6; sockets of AF_INET6 are EAFNOSUPPORT. What goes over netlink
is not changed, so this is a part of such a kernel only.
"""
import array
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import threading

X86 = platform.machine() == 'x86_64'
AUDIT_ARCH = 0xc000003e if X86 else 0xc00000b7
SECCOMP = 317 if X86 else 277
SOCKET = 41 if X86 else 198
# Number of a call, and which argument is the path.
PATHS = {2: 0, 4: 0, 6: 0, 21: 0, 89: 0, 257: 1, 262: 1, 267: 1, 269: 1, 332: 1, 437: 1, 439: 1} if X86 else {
  56: 1, 48: 1, 78: 1, 79: 1, 291: 1, 437: 1, 439: 1}
RET_ALLOW, RET_NOTIFY, RET_ERRNO = 0x7fff0000, 0x7fc00000, 0x00050000
NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101


def _program():
  code = [(0x20, 0, 0, 4), (0x15, 1, 0, AUDIT_ARCH), (0x06, 0, 0, RET_ALLOW), (0x20, 0, 0, 0)]
  for number in PATHS:
    code += [(0x15, 0, 1, number), (0x06, 0, 0, RET_NOTIFY)]
  code += [(0x15, 0, 3, SOCKET), (0x20, 0, 0, 16), (0x15, 0, 1, socket.AF_INET6),
           (0x06, 0, 0, RET_ERRNO | errno.EAFNOSUPPORT), (0x06, 0, 0, RET_ALLOW)]
  return b''.join(struct.pack('HBBI', *line) for line in code), len(code)


class NoIpv6:
  """Use as: watch = NoIpv6(); Popen(..., preexec_fn=watch.enter); watch.end() after it has ended."""

  def __init__(self):
    self.here, self.there = socket.socketpair()
    self.stop = False
    self.hidden = 0
    self.thread = threading.Thread(target=self._serve, daemon=True)
    self.thread.start()

  def enter(self):
    """In the child, before exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    text, n = _program()
    buffer = ctypes.create_string_buffer(text, len(text))
    fprog = struct.pack('HxxxxxxQ', n, ctypes.addressof(buffer))
    libc.prctl(38, 1, 0, 0, 0)
    fd = libc.syscall(SECCOMP, 1, 8, fprog)
    if fd < 0:
      raise OSError(ctypes.get_errno(), 'seccomp')
    self.there.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
    os.close(fd)

  def end(self):
    self.stop = True
    self.thread.join(5)

  def _serve(self):
    self.here.settimeout(10)
    try:
      _, control, _, _ = self.here.recvmsg(1, socket.CMSG_SPACE(4))
    except OSError:
      return
    fd = array.array('i', control[0][2])[0]
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while not self.stop:
      events = poll.poll(100)
      if not events:
        continue
      if not events[0][1] & select.POLLIN:
        break
      self._answer(fd)
    os.close(fd)

  def _answer(self, fd):
    note = bytearray(80)
    try:
      fcntl.ioctl(fd, NOTIF_RECV, note)
    except OSError:
      return
    ident, pid, _, number = struct.unpack_from('QIIi', note)
    args = struct.unpack_from('6Q', note, 32)
    error, flags = 0, 1  # go on
    try:
      with open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory:
        memory.seek(args[PATHS[number]])
        path = memory.read(256).split(b'\0')[0]
      if b'net/ipv6' in path or b'if_inet6' in path or b'ipv6_route' in path:
        error, flags = -errno.ENOENT, 0
        self.hidden += 1
    except OSError:
      pass
    try:
      fcntl.ioctl(fd, NOTIF_SEND, struct.pack('Qqii', ident, 0, error, flags))
    except OSError:
      pass

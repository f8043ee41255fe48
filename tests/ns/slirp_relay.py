#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""slirp_relay.py PID PROFILE: a bad link between a container and slirp-lite.

Runs in the namespace of slirp-lite's tap, which it joins to a tap of its own by a bridge, and makes the
container's interface in the network namespace of PID. Frames between the two are lost, doubled, held back,
damaged as the file PROFILE says ("loss 0.01 dup 0.05 reorder 0.25 corrupt 0.01 burst 200 seed 1"), which is
read again on SIGHUP. Says `ready` when the link is up, `changed` for each profile.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000
BURST_EVERY = 1.0 # s between losses of everything
HELD_BACK = 0.003 # s that a frame is late


def tap(name):
  fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
  fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI))
  return fd


def sh(line):
  subprocess.run(line, shell=True, check=True, stdin=subprocess.DEVNULL)


def make_ends(pid):
  outer = tap('relay0')
  sh('''ip link add br0 type bridge forward_delay 0
    ip addr flush dev tap0
    ip link set tap0 master br0; ip link set relay0 master br0
    ip link set relay0 up; ip link set br0 up''')
  net = os.open(f'/proc/{pid}/ns/net', os.O_RDONLY)
  if ctypes.CDLL(None, use_errno=True).setns(net, CLONE_NEWNET) != 0:
    raise OSError(ctypes.get_errno(), 'setns')
  inner = tap('eth0')
  sh('''ip link set lo up; ip link set eth0 up
    ip addr add 10.0.2.100/24 dev eth0; ip addr add fd00::100/64 dev eth0 nodad
    ip route add default via 10.0.2.2; ip -6 route add default via fd00::2''')
  return outer, inner


class Direction:
  """Frames one way. Late ones wait in a heap; a burst loses all for a while."""

  def __init__(self, to):
    self.to, self.late, self.n = to, [], 0

  def put(self, frame, profile, rng, now):
    p = profile
    if p['burst'] and now % BURST_EVERY < p['burst'] / 1000:
      return
    if rng.random() < p['loss']:
      return
    if p['corrupt'] and len(frame) > 14 and rng.random() < p['corrupt']:
      at = rng.randrange(14, len(frame)) # nothing guards what is before
      frame = frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1:]
    for _ in range(2 if rng.random() < p['dup'] else 1):
      if rng.random() < p['reorder']:
        self.n += 1
        heapq.heappush(self.late, (now + HELD_BACK * rng.random(), self.n, frame))
      else:
        self.send(frame)

  def send(self, frame):
    try:
      os.write(self.to, frame)
    except OSError:
      pass # its queue is full: one more is lost

  def due(self, now):
    while self.late and self.late[0][0] <= now:
      self.send(heapq.heappop(self.late)[2])


def read_profile(path):
  with open(path, encoding='utf-8') as file:
    words = file.read().split()
  out = dict.fromkeys(('loss', 'dup', 'reorder', 'corrupt', 'burst', 'seed'), 0.0)
  out.update({k: float(v) for k, v in zip(words[::2], words[1::2])})
  return out


def relay(outer, inner, path):
  ways = {outer: Direction(inner), inner: Direction(outer)}
  profile = read_profile(path)
  rng = random.Random(profile['seed'])
  is_changed = []
  signal.signal(signal.SIGHUP, lambda *_: is_changed.append(1))
  poll = select.poll()
  for fd in ways:
    poll.register(fd, select.POLLIN)
  print('ready', flush=True)
  while True:
    late = [w.late[0][0] for w in ways.values() if w.late]
    wait = max(0.0, min(late) - time.monotonic()) * 1000 if late else 1000
    ready = poll.poll(wait)
    if is_changed:
      is_changed.clear()
      profile = read_profile(path)
      rng.seed(profile['seed'])
      print('changed', flush=True)
    now = time.monotonic()
    for fd, _ in ready:
      for _ in range(64):
        try:
          frame = os.read(fd, 65536)
        except BlockingIOError:
          break
        ways[fd].put(frame, profile, rng, now)
    now = time.monotonic()
    for way in ways.values():
      way.due(now)


if __name__ == '__main__':
  try:
    relay(*make_ends(int(sys.argv[1])), sys.argv[2])
  except KeyboardInterrupt:
    pass

# SPDX-License-Identifier: GPL-2.0-or-later
"""Verbs of slirp_probe.py about published ports and the control socket. It is never run by itself."""
import errno
import os
import socket
import time

from probe import PATIENCE, ask, family_of, name_of, place, receive_text, udp_socket


def udp_from(host, port):
  """The answer comes from the address that was asked: the socket takes no other."""
  with udp_socket(family_of(host)) as s:
    s.connect((host, int(port)))
    s.settimeout(PATIENCE / 5)
    for _ in range(5):
      s.send(b'who')
      try:
        print(s.recv(1000).decode())
        return
      except TimeoutError:
        pass
    print('silence')


def udp_leave(host, port):
  """Asks and is gone before the answer comes."""
  with udp_socket(family_of(host)) as s:
    s.sendto(b'refuse', (host, int(port)))


def serve_udp_refused(port):
  """Answers a client that is gone, until an error says so; prints it."""
  with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
    s.bind(('::', int(port)))
    s.settimeout(PATIENCE)
    peer = s.recvfrom(100)[1]
    s.connect(peer)
    s.settimeout(0.3)
    for _ in range(100):
      try:
        s.send(b'anybody')
        s.recv(10)
      except TimeoutError:
        continue
      except OSError as e:
        print(name_of(e.errno), flush=True)
        return
    print('silence', flush=True)


def serve_tcp4(port):
  """Says who comes, and is not there by IPv6."""
  serve_who(socket.AF_INET, '0.0.0.0', port)


def serve_tcp6(port):
  serve_who(socket.AF_INET6, '::', port)


def serve_who(family, host, port):
  s = socket.create_server((host, int(port)), family=family)
  while True:
    c, peer = s.accept()
    with c:
      if c.recv(100):
        c.sendall(('%s %d' % peer[:2]).encode())


def serve_crowd(port, n=200):
  """Listens on n ports from this one on, and serves none."""
  held = [socket.create_server(('::', int(port) + i), family=socket.AF_INET6, dualstack_ipv6=True)
          for i in range(int(n) - 1, -1, -1)]
  while held:
    time.sleep(1000)


def tcp_hold(host, port, n, seconds):
  """n connections that say nothing for some seconds; how many were there."""
  held = []
  for _ in range(int(n)):
    s = socket.create_connection((host, int(port)), 60)
    held.append(s)
  print(len(held), flush=True)
  time.sleep(float(seconds))


def tcp_crowd(host, port, n):
  """n clients at once; how many are answered, and what the others hear."""
  held = [socket.create_connection((host, int(port)), PATIENCE) for _ in range(int(n))]
  heard = {}
  for s in held:
    try:
      s.sendall(b'peer\n')
    except OSError as e:
      heard[errno.errorcode[e.errno]] = heard.get(errno.errorcode[e.errno], 0) + 1
  for s in held:
    try:
      what = 'answered' if receive_text(s) else 'nothing'
    except OSError as e:
      what = errno.errorcode.get(e.errno, str(e))
    heard[what] = heard.get(what, 0) + 1
    s.close()
  print(*(f'{k} {v}' for k, v in sorted(heard.items())))


def restarts(n, program, target, port, host):
  """Starts and ends the program again and again with the same port, with a client each time."""
  import subprocess
  for i in range(int(n)):
    r, w = os.pipe()
    p = subprocess.Popen([program, '-c', '-r', str(w), '-p', f'{port}:7000', target, 'tap0'], pass_fds=[w],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(w)
    ready = os.read(r, 1)
    os.close(r)
    if ready != b'1':
      print(i, p.stderr.read().decode().strip())
      p.wait()
      return
    with socket.create_connection((host, int(port)), 60) as s:
      s.sendall(b'peer\n')
      if not receive_text(s):
        print(i, 'no answer')
    p.terminate()
    if p.wait(60) != 0:
      print(i, 'status', p.returncode, p.stderr.read().decode().strip())
      return
    p.stderr.close()
  print(n, 'times')


def tcp_who(host, port, source=0):
  """The address and port of this client as the server sees it."""
  with socket.socket(family_of(host), socket.SOCK_STREAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(PATIENCE)
    s.bind(('', int(source)))
    s.connect(place(host, port))
    s.sendall(b'peer\n')
    print(receive_text(s).replace('::ffff:', ''))


def api(path, request, shut=1):
  """One request to a control socket; its answer."""
  with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
    s.settimeout(PATIENCE)
    s.connect(path)
    s.sendall(request.encode())
    if int(shut):
      s.shutdown(socket.SHUT_WR)
    print(receive_text(s))

# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of the benchmarks: hosts, containers and timed processes.

Everything lives in namespaces made here. The driver is one thread that steps into a host (network and
mount namespace) before it starts a process there; the whole run sits in a PID namespace, so nothing
outlives it. A process is timed as its caller sees it: from the spawn until its standard output and
error are at their end and it has been waited for.
"""
import ctypes
import os
import select
import socket
import subprocess
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
  if result != 0:
    number = ctypes.get_errno()
    raise OSError(number, f'{what}: {os.strerror(number)}')


def unshare(flags):
  _check(_libc.unshare(flags), 'unshare')


def setns(fd, kind):
  _check(_libc.setns(fd, kind), 'setns')


def mount(source, target, kind, flags, data=None):
  enc = [None if x is None else x.encode() for x in (source, target, kind, data)]
  _check(_libc.mount(enc[0], enc[1], enc[2], ctypes.c_ulong(flags), enc[3]), f'mount {target}')


def sh(text):
  """Runs a shell text of the set-up; its failure ends the benchmark."""
  done = subprocess.run(['sh', '-ec', text], stdin=subprocess.DEVNULL, capture_output=True, text=True)
  if done.returncode != 0:
    raise RuntimeError(f'{text}: {done.stderr.strip()}')
  return done.stdout


class Host:
  """A host with an outside peer: eth0 198.51.100.1 and 2001:db8:1::1, the peer .2 and ::2."""
  V4, V6 = '198.51.100.1', '2001:db8:1::1'
  OUT4, OUT6 = '198.51.100.2', '2001:db8:1::2'

  def __init__(self, name):
    self.name = name
    home = [os.open(f'/proc/self/ns/{k}', os.O_RDONLY | os.O_CLOEXEC) for k in ('net', 'mnt')]
    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount(None, '/', None, MS_PRIVATE | MS_REC)
    for path in ('/run', '/tmp', '/var/lib/cni'):
      os.makedirs(path, exist_ok=True)
      mount('tmpfs', path, 'tmpfs', 0, 'mode=755')
    mount('sysfs', '/sys', 'sysfs', 0)
    os.makedirs('/run/ns')
    os.makedirs('/run/lock')
    self.net = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    self.mnt = os.open('/proc/self/ns/mnt', os.O_RDONLY | os.O_CLOEXEC)
    self.out = os.open(self.netns('/run/out'), os.O_RDONLY | os.O_CLOEXEC)
    sh(f'''
      ip link set lo up
      ip link add eth0 type veth peer name eth0 netns /run/out
      ip link set eth0 up
      ip addr add {self.V4}/24 dev eth0
      ip addr add {self.V6}/64 dev eth0 nodad
      nsenter --net=/run/out sh -ec "
        ip link set lo up
        ip link set eth0 up
        ip addr add {self.OUT4}/24 dev eth0
        ip addr add {self.OUT6}/64 dev eth0 nodad"
      ip route add default via {self.OUT4}
      ip -6 route add default via {self.OUT6}''')
    setns(home[0], CLONE_NEWNET)
    setns(home[1], CLONE_NEWNS)
    for fd in home:
      os.close(fd)

  def enter(self):
    setns(self.net, CLONE_NEWNET)
    setns(self.mnt, CLONE_NEWNS)

  def netns(self, path):
    """Makes an empty network namespace and binds it to path. The caller is inside this host."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    unshare(CLONE_NEWNET)
    try:
      mount('/proc/self/ns/net', path, None, MS_BIND)
    finally:
      setns(self.net, CLONE_NEWNET)
    return path

  @staticmethod
  def netns_remove(path):
    _check(_libc.umount2(path.encode(), 2), f'umount {path}')
    os.unlink(path)

  def listen(self, path, port, v6=True):
    """A child that accepts and closes connections in the namespace at path. Returns its pid."""
    ready_r, ready_w = os.pipe()
    pid = os.fork()
    if pid == 0:
      try:
        fd = os.open(path, os.O_RDONLY)
        setns(fd, CLONE_NEWNET)
        server = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
        server.bind(('::' if v6 else '0.0.0.0', port))
        server.listen(4096)
        os.write(ready_w, b'1')
        while True:
          server.accept()[0].close()
      finally:
        os._exit(1)
    os.close(ready_w)
    if os.read(ready_r, 1) != b'1':
      raise RuntimeError(f'no server in {path}')
    os.close(ready_r)
    return pid

  def connect(self, address, port, timeout=3.0):
    """One connection from the outside peer; the seconds it took, from there."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    setns(self.out, CLONE_NEWNET)
    try:
      with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        s.settimeout(timeout)
        begin = time.perf_counter()
        s.connect((address, port))
        return time.perf_counter() - begin
    finally:
      setns(self.net, CLONE_NEWNET)


class Step:
  """One process of a job."""

  def __init__(self, argv, stdin='', env=None, may_fail=False):
    self.argv, self.stdin, self.env, self.may_fail = argv, stdin, env, may_fail


class JobError(RuntimeError):
  pass


class _Running:
  def __init__(self, job, step):
    self.job, self.step = job, step
    stdin = os.memfd_create('stdin', os.MFD_CLOEXEC)
    os.write(stdin, step.stdin.encode())
    os.lseek(stdin, 0, os.SEEK_SET)
    out_r, out_w = os.pipe2(os.O_CLOEXEC)
    err_r, err_w = os.pipe2(os.O_CLOEXEC)
    self.data = {out_r: [], err_r: []}
    self.out, self.err = out_r, err_r
    self.open = {out_r, err_r}
    env = os.environ if step.env is None else {**os.environ, **step.env}
    self.begin = time.perf_counter()
    self.pid = os.posix_spawn(step.argv[0], step.argv, env, file_actions=[
      (os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, out_w, 1), (os.POSIX_SPAWN_DUP2, err_w, 2)])
    for fd in (stdin, out_w, err_w):
      os.close(fd)

  def finish(self):
    """Waits; returns (seconds, output). Raises JobError when the process failed."""
    status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
    seconds = time.perf_counter() - self.begin
    out, err = (b''.join(self.data[fd]).decode(errors='replace') for fd in (self.out, self.err))
    if status != 0 and not self.step.may_fail:
      raise JobError(f'{" ".join(self.step.argv)}: exit status {status}: {err.strip()} {out.strip()}')
    return seconds, out


def run_jobs(jobs, width=1, deadline=600.0):
  """Runs jobs (generators that yield Steps and are sent each step's output), width at a time.

  Returns (results, seconds in all). A result is the sum of the seconds of the job's processes, or the
  JobError that ended it.
  """
  poll = select.poll()
  waiting = list(enumerate(jobs))[::-1]
  results = [None] * len(jobs)
  spent = [0.0] * len(jobs)
  by_fd = {}
  running = 0

  def advance(number, job, output):
    nonlocal running
    try:
      step = job.send(output)
    except StopIteration:
      results[number] = spent[number]
      running -= 1
      return
    process = _Running((number, job), step)
    for fd in process.open:
      by_fd[fd] = process
      poll.register(fd, select.POLLIN)

  begin = time.perf_counter()
  while waiting or running:
    while waiting and running < width:
      number, job = waiting.pop()
      running += 1
      advance(number, job, None)
    events = poll.poll(1000)
    if time.perf_counter() - begin > deadline:
      raise JobError(f'{running} processes did not end within {deadline:.0f} s')
    for fd, _ in events:
      process = by_fd[fd]
      chunk = os.read(fd, 65536)
      if chunk:
        process.data[fd].append(chunk)
        continue
      poll.unregister(fd)
      os.close(fd)
      del by_fd[fd]
      process.open.remove(fd)
      if process.open:
        continue
      number, job = process.job
      try:
        seconds, output = process.finish()
      except JobError as error:
        job.close()
        results[number] = error
        running -= 1
        continue
      spent[number] += seconds
      advance(number, job, output)
  return results, time.perf_counter() - begin

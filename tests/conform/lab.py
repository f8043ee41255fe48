# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of one conformance case: a host, an outside peer, containers, servers and clients.

Everything lives in namespaces that the case's own process has made (run.py gives it a PID namespace, so
whatever is left running ends with it). The host is a network and a mount namespace with private tmpfs
over /run, /var/lib and /etc/cni; nothing here touches the machine. The caller is one thread that stays in
the host and steps out only inside Ns.inside().
"""
import contextlib
import ctypes
import glob
import hashlib
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import time

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUSER = 0x00020000, 0x20000000, 0x40000000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
SCRATCH = '/run/t'  # the suite's own files; never looked at as traces

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
  if result != 0:
    number = ctypes.get_errno()
    raise OSError(number, f'{what}: {os.strerror(number)}')


def unshare(flags):
  _check(_libc.unshare(flags), 'unshare')


def setns(fd, kind):
  _check(_libc.setns(fd, kind), 'setns')


def mount(source, target, kind=None, flags=0, data=None):
  enc = [None if x is None else x.encode() for x in (source, target, kind, data)]
  _check(_libc.mount(enc[0], enc[1], enc[2], ctypes.c_ulong(flags), enc[3]), f'mount {target}')


def umount(target):
  _check(_libc.umount2(target.encode(), MNT_DETACH), f'umount {target}')


def sh(text, check=True):
  """Runs a shell text of the set-up and returns what it says; its failure ends the case."""
  done = subprocess.run(['sh', '-ec', text], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                        errors='replace')
  if check and done.returncode != 0:
    raise RuntimeError(f'{text}: {done.stderr.strip()}')
  return done.stdout


PATIENCE = 8  # how many times slower than an idle machine this one may be


def until(seconds, test, step=0.02):
  """True as soon as test() is; False when the time is over: so many seconds of an idle machine."""
  end = time.monotonic() + seconds * PATIENCE
  while not test():
    if time.monotonic() > end:
      return False
    time.sleep(step)
  return True


class Ns:
  """A network namespace, bound to a path."""

  def __init__(self, lab, name, path):
    self.lab, self.name, self.path = lab, name, path
    self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

  @contextlib.contextmanager
  def inside(self):
    setns(self.fd, CLONE_NEWNET)
    try:
      yield
    finally:
      setns(self.lab.net, CLONE_NEWNET)

  def sh(self, text, check=True):
    with self.inside():
      return sh(text, check)

  def has_link(self, name='eth0'):
    with self.inside():
      return name in [n for _, n in socket.if_nameindex()]

  def links(self):
    with self.inside():
      return {n: i for i, n in socket.if_nameindex()}

  def addresses(self, link='eth0', family=''):
    """Global addresses with their length, as the kernel tells them."""
    out = self.sh(f'ip {family} -o addr show dev {link} scope global', check=False)
    return [line.split()[3] for line in out.splitlines()]

  def spawn(self, work):
    """A child that runs work(tell) in this namespace; returns its pid after it has called tell()."""
    ready_r, ready_w = os.pipe()
    pid = os.fork()
    if pid == 0:
      try:
        setns(self.fd, CLONE_NEWNET)
        work(lambda: os.write(ready_w, b'1'))
      except Exception as error:  # pylint: disable=broad-except
        os.write(ready_w, str(error).encode())
      finally:
        os._exit(1)
    os.close(ready_w)
    said = os.read(ready_r, 200)
    os.close(ready_r)
    if said != b'1':
      raise RuntimeError(f'{self.name}: {said.decode(errors="replace")}')
    return pid

  def serve(self, proto, port, address='::', word=None):
    """A server that answers each client with a word (its name) and the client's address."""
    word = word or self.name

    def work(tell):
      family = socket.AF_INET6 if ':' in address else socket.AF_INET
      s = socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      s.bind((address, port))
      if proto == 'tcp':
        s.listen(64)
      tell()
      while True:
        if proto == 'tcp':
          try:
            c, peer = s.accept()
            c.sendall(f'{word} {peer[0]}'.encode())
            c.close()
          except OSError:
            pass
        else:
          _, peer = s.recvfrom(2000)
          s.sendto(f'{word} {peer[0]}'.encode(), peer)
    return self.spawn(work)

  def ask(self, address, port, proto='tcp', timeout=10.0, source_port=0, source=None, at_once=False):
    """(word, address as the server saw it), or None when nobody answers; at_once: nor where TCP had to send again."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with self.inside():
      s = socket.socket(family, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM)
      with s:
        s.settimeout(timeout)
        try:
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
          if source_port or source:
            s.bind((source or ('::' if family == socket.AF_INET6 else '0.0.0.0'), source_port))
          s.connect((address, port))
          if proto == 'udp':
            s.send(b'who?')
          said = s.recv(500).decode()
          if at_once and struct.unpack_from('I', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)[0]:
            return None  # tcpi_total_retrans
        except OSError:
          return None
    if ' ' not in said:
      return None
    word, peer = said.split(' ', 1)
    return word, peer[7:] if peer.startswith('::ffff:') else peer


class Lab(Ns):
  """The host (it is an Ns too) with eth0 198.51.100.1 and 2001:db8:1::1 towards `out`."""
  V4, V6, V4B = '198.51.100.1', '2001:db8:1::1', '198.51.100.11'
  OUT4, OUT6 = '198.51.100.2', '2001:db8:1::2'

  def __init__(self):  # pylint: disable=super-init-not-called
    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount(None, '/', None, MS_PRIVATE | MS_REC)
    mount('proc', '/proc', 'proc')
    for path in ('/run', '/var/lib'):
      mount('tmpfs', path, 'tmpfs', 0, 'mode=755')
    if os.path.isdir('/etc/cni'):
      mount('tmpfs', '/etc/cni', 'tmpfs', 0, 'mode=755')
    mount('sysfs', '/sys', 'sysfs')
    os.makedirs('/run/netns')
    os.makedirs('/run/lock')
    os.makedirs(SCRATCH)
    self.lab, self.name, self.path = self, 'host', '/proc/self/ns/net'
    self.fd = self.net = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    self.boxes = {}
    self.out = self.box('out')
    sh(f'''
      ip link set lo up
      ip link add eth0 type veth peer name eth0 netns {self.out.path}
      ip link set eth0 addrgenmode none
      ip link set eth0 up
      ip addr add {self.V4}/24 dev eth0
      ip addr add {self.V4B}/24 dev eth0
      ip addr add {self.V6}/64 dev eth0 nodad
      nsenter --net={self.out.path} sh -ec "
        ip link set lo up
        ip link set eth0 addrgenmode none
        ip link set eth0 up
        ip addr add {self.OUT4}/24 dev eth0
        ip addr add {self.OUT6}/64 dev eth0 nodad
        ip route add default via {self.V4}
        ip -6 route add default via {self.V6}"
      ip route add default via {self.OUT4}
      ip -6 route add default via {self.OUT6}''')

  def box(self, name):
    """A container's network namespace; its path is /run/netns/NAME."""
    path = f'/run/netns/{name}'
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    unshare(CLONE_NEWNET)
    try:
      mount('/proc/self/ns/net', path, None, MS_BIND)
      self.boxes[name] = Ns(self, name, path)
      sh('ip link set lo up')
    finally:
      setns(self.net, CLONE_NEWNET)
    return self.boxes[name]

  def box_kill(self, box):
    """The namespace goes, as when a container dies; waits until its links are gone from the host."""
    mine = {line.split(':')[0] for line in self.sh('ip -o link show type veth').splitlines()
            if f'netns {box.name}' in line or f'link-netns {box.name}' in line}
    os.close(box.fd)
    umount(box.path)
    os.unlink(box.path)
    self.boxes.pop(box.name, None)
    until(5, lambda: not mine & {line.split(':')[0] for line in self.sh('ip -o link show type veth').splitlines()})

  # --- users and the daemon ------------------------------------------------------------------------

  @staticmethod
  def has_users():
    """Whether there are other users than the one who runs this."""
    with open('/proc/self/uid_map', encoding='ascii') as file:
      return int(file.read().split()[2]) > 65535

  def powerless(self, uid=2001):
    """How to start a program without privilege: as another user, or, where there is none, without capabilities."""
    if self.has_users():
      return {'user': uid, 'group': uid, 'extra_groups': []}

    def drop():
      with open('/proc/sys/kernel/cap_last_cap', encoding='ascii') as file:
        last = int(file.read())
      for capability in range(last + 1):
        _check(_libc.prctl(24, capability, 0, 0, 0), 'bounding set')
    return {'preexec_fn': drop}

  def start_daemon(self, path, *policy):
    """netd with these lines of policy; its pid."""
    self.write(f'{SCRATCH}/policy/1.conf', ''.join(line + '\n' for line in policy))
    log = open(f'{SCRATCH}/daemon.log', 'w', encoding='utf-8')  # pylint: disable=consider-using-with
    pid = os.posix_spawn(path, [path, '--foreground', '--policy-dir', f'{SCRATCH}/policy'], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 2)])
    log.close()

    def ready():
      with open(f'{SCRATCH}/daemon.log', encoding='utf-8') as file:
        return 'ready:' in file.read()
    if not until(10, ready):
      with open(f'{SCRATCH}/daemon.log', encoding='utf-8') as file:
        raise RuntimeError('the daemon does not start: ' + file.read())
    return pid

  @staticmethod
  def user_box(uid):
    """The path of a network namespace that a user made for himself."""
    holder = subprocess.Popen(['unshare', '--user', '--map-root-user', '--net', 'sleep', '7200'], user=uid, group=uid,
                              extra_groups=[], stdin=subprocess.DEVNULL)

    def ready():
      with open(f'/proc/{holder.pid}/comm', encoding='ascii') as file:
        return file.read() == 'sleep\n'
    if not until(10, ready):
      raise RuntimeError('no namespace of a user')
    return f'/proc/{holder.pid}/ns/net'

  @staticmethod
  def bind(path, name):
    """The same namespace by a path that all may open."""
    to = f'/run/netns/{name}'
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    mount(path, to, None, MS_BIND)
    return to

  # --- what is there -----------------------------------------------------------------------------

  def host_links(self):
    return {name for _, name in socket.if_nameindex()}

  def ruleset(self):
    return sh('nft -s list ruleset 2>/dev/null', check=False)

  @staticmethod
  def generation():
    """How many transactions the ruleset has seen (NFT_MSG_GETGEN)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
      s.send(struct.pack('=IHHIIBBH', 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0))
      answer = s.recv(4096)
    return struct.unpack_from('>I', answer, 24)[0]

  @staticmethod
  def files():
    """{path: kind and content} of what is in /run and /var/lib, but for the suite's own."""
    found = {}
    for top in ('/run', '/var/lib'):
      for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if os.path.join(folder, f) not in (SCRATCH, '/run/netns')]
        for name in names + folders:
          path = os.path.join(folder, name)
          try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
              found[path] = 'link ' + os.readlink(path)
            elif stat.S_ISREG(mode):
              with open(path, 'rb') as file:
                found[path] = 'file ' + file.read().decode(errors='replace')
            else:
              found[path] = 'dir' if stat.S_ISDIR(mode) else 'other'
          except OSError:
            pass
    return found

  def traces(self, *words):
    """Where any of the words is still known: rules, files (name and content), links and addresses."""
    found = []
    rules, files = self.ruleset().splitlines(), self.files()
    for word in words:
      # An address is not part of a longer one.
      whole = re.compile(r'(?<![\w.:])' + re.escape(word) + r'(?![\w.:])')
      for line in rules:
        if whole.search(line):
          found.append(f'rule: {line.strip()[:150]}')
      for path, what in files.items():
        # Where a search for a free address goes on belongs to nobody.
        if 'last_reserved_ip' in path or '/cursors/' in path:
          continue
        if whole.search(os.path.basename(path).replace('_', ' ').replace('@', ' ')) or whole.search(what):
          found.append(f'file: {path} {what[:80]!r}')
      for line in sh('ip -o -d link; ip -o addr; ip route show table all; ip -6 route show table all; '
                     'ip neigh show nud all; bridge fdb show', check=False).splitlines():
        if word in line.replace('/', ' ').split():
          found.append(f'link: {line.strip()[:120]}')
    return found

  def facts(self):
    """Everything that a plugin could leave on the host, as a set of lines."""
    lines = set()
    for part, text in (('link', 'ip -o -d link show'), ('addr', 'ip -o addr show'),
                       ('route', 'ip route show table all'), ('route6', 'ip -6 route show table all'),
                       ('rule', 'nft -s list ruleset'), ('qdisc', 'tc qdisc show')):
      for line in sh(text + ' 2>/dev/null', check=False).splitlines():
        # Timers and lifetimes of bridges and addresses go on counting.
        words = [w for w in line.split() if not w.replace('.', '').isdigit() or part == 'rule']
        if part == 'link':
          # The kernel tells of carriers when it has the time.
          words = [w for before, w in zip([''] + words, words) if before != 'state']
          words = [','.join(f for f in w.strip('<>').split(',') if f not in ('NO-CARRIER', 'LOWER_UP', 'M-DOWN'))
                   if w[0] == '<' else w for w in words]
        lines.add(f'{part}: {" ".join(words)}')
    for path, what in self.files().items():
      if path != '/run/xtables.lock':
        lines.add(f'file: {path} {hashlib.sha1(what.encode()).hexdigest()[:10]}')
    for path in glob.glob('/proc/sys/net/ipv[46]/conf/*/*forwarding') + ['/proc/sys/net/ipv4/ip_forward']:
      with contextlib.suppress(OSError):
        with open(path, encoding='ascii') as file:
          lines.add(f'sysctl: {path} {file.read().strip()}')
    return lines

  @staticmethod
  def conntrack():
    try:
      with open('/proc/net/nf_conntrack', encoding='ascii') as file:
        return file.read().splitlines()
    except OSError:
      return []

  @staticmethod
  def end(pid):
    with contextlib.suppress(OSError):
      os.kill(pid, signal.SIGKILL)
      os.waitpid(pid, 0)

  @staticmethod
  def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
      file.write(text)
    os.chmod(path, mode)
    return path

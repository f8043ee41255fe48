# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of the published ports' benchmark: what slirp_world.py makes, the other way round.

The server of every measurement runs in the container (direct: on the host), the client outside of the host or
on it. All systems run at the same time on one host, each with host ports of its own.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import slirp_world
from slirp_world import AS_USER, PORTS, UID, Way, wait_for
from world import mount, sh

HOST4, HOST6, LOOPBACK = '198.51.100.1', '2001:db8::1', '127.0.0.1'
PROBE_PORT = 5400
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ports_probe.py')
NOFILE = 20000
MANY_FROM = 10000
MANY_BOUND_S = 120
# Inner ports, and what is added to a system's base for the host's port of each.
INNER = {'iperf': (PORTS['iperf'], 1), 'load': (PORTS['load'], 2), 'probe': (PROBE_PORT, 3)}
V6_OFFSET = 50


def ask_unix(path, text):
  """One request of slirp4netns' kind: JSON to its end, answer to its end."""
  with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(MANY_BOUND_S)
    s.connect(path)
    s.sendall(text.encode())
    s.shutdown(socket.SHUT_WR)
    out = b''
    while data := s.recv(65536):
      out += data
  answer = json.loads(out)
  if 'error' in answer:
    raise RuntimeError(str(answer['error']))
  return answer


class UnixHttp(http.client.HTTPConnection):
  def __init__(self, path):
    super().__init__('localhost', timeout=MANY_BOUND_S)
    self.path = path

  def connect(self):
    self.sock = socket.socket(socket.AF_UNIX)
    self.sock.settimeout(self.timeout)
    self.sock.connect(self.path)


class Direct(slirp_world.Direct):
  """No system: the server runs on the host itself."""
  title = 'direct'

  @staticmethod
  def port(what, _is_v6=False):
    return INNER[what][0]


class Published:
  """What systems with published ports have in common. Mixed in before a System."""
  base = 0
  first = 0  # more ports, published at the start
  count = 0

  def port(self, what, is_v6=False):
    return self.base + INNER[what][1] + (V6_OFFSET if is_v6 and self.is_v6_apart else 0)

  is_v6_apart = False
  dir = None

  def pairs(self):
    return [(self.base + add, inner) for inner, add in INNER.values()]


class SlirpLite(Published, slirp_world.SlirpLite):
  def argv(self, pid, ready):
    ports = [f'-p{host}:{inner}/{proto}' for host, inner in self.pairs() for proto in ('tcp', 'udp')]
    return super().argv(pid, ready)[:-2] + ['-6', '-a', f'{self.dir}/api', *ports, str(pid), 'tap0']

  def publish_many(self, first, count):
    ask_unix(f'{self.dir}/api', json.dumps({'execute': 'publish', 'arguments': {'ports': [f'{first}-{first + count - 1}']}}))


class Slirp4netns(Published, slirp_world.Slirp4netns):
  """Published ports by requests, one a port: it has no other way."""

  def argv(self, pid, ready):
    return super().argv(pid, ready)[:-2] + ['-6', '-a', f'{self.dir}/api', str(pid), 'tap0']

  def _add(self, proto, host, inner):
    ask_unix(f'{self.dir}/api', json.dumps({'execute': 'add_hostfwd', 'arguments': {
      'proto': proto, 'host_addr': '0.0.0.0', 'host_port': host, 'guest_port': inner}}))

  def publish(self):
    for host, inner in self.pairs():
      for proto in ('tcp', 'udp'):
        self._add(proto, host, inner)

  def publish_many(self, first, count):
    end = time.monotonic() + MANY_BOUND_S
    for port in range(first, first + count):
      self._add('tcp', port, port)
      if time.monotonic() > end:
        raise RuntimeError(f'{port - first + 1} ports in {MANY_BOUND_S} s')


class Pasta(Published, slirp_world.Pasta):
  """Ports at its start alone."""
  publish_many = None

  def argv(self, pid, _ready):
    spec = ','.join(f'{host}:{inner}' for host, inner in self.pairs())
    tcp = spec + (f',{self.first}-{self.first + self.count - 1}' if self.count else '')
    argv = super().argv(pid, _ready)
    argv[argv.index('-t') + 1] = tcp
    argv[argv.index('-u') + 1] = spec
    return argv


class Inside:
  """The namespaces that rootlesskit made."""

  def __init__(self, pid):
    self.pid = pid
    self.enter = ['nsenter', '-t', str(pid), '-n', '-U', '--preserve-credentials']

  def end(self):
    pass


class RootlessKit(Published, slirp_world.System):
  """With its builtin port driver, over slirp4netns."""
  name, says_ready, is_v6_apart = 'rootlesskit', False, True

  def argv(self, _pid, _ready):
    ports = []
    for host, inner in self.pairs():
      for proto in ('tcp', 'udp'):
        ports += ['-p', f'0.0.0.0:{host}:{inner}/{proto}', '-p', f'[::]:{host + V6_OFFSET}:{inner}/{proto}6']
    return ['env', f'HOME={self.dir}', f'XDG_RUNTIME_DIR={self.dir}', 'rootlesskit', f'--state-dir={self.dir}/state',
            '--net=slirp4netns', f'--mtu={self.mtu}', '--ipv6', '--disable-host-loopback', '--port-driver=builtin',
            '--copy-up=/etc', '--subid-source=static', *ports, 'sleep', 'infinity']

  def find_container(self):
    def is_there():
      try:
        with open(f'{self.dir}/state/child_pid', encoding='ascii') as file:
          self.container = Inside(int(file.read()))
        return os.path.exists(f'{self.dir}/state/api.sock')
      except (OSError, ValueError):
        return False
    wait_for('rootlesskit', is_there, 10)

  def publish_many(self, first, count):
    specs = [f'0.0.0.0:{p}:{p}/tcp' for p in range(first, first + count)]
    done = subprocess.run(['rootlessctl', '--socket', f'{self.dir}/state/api.sock', 'add-ports', *specs],
                          capture_output=True, text=True, timeout=MANY_BOUND_S, check=False)
    if done.returncode != 0:
      raise RuntimeError(done.stderr.strip().splitlines()[-1][:200])

  @staticmethod
  def version():
    return slirp_world.version_of(['rootlesskit', '--version'], 'rootlesskit')


class PortsWorld(slirp_world.World):
  def __init__(self):
    super().__init__()
    self.is_local = False  # where the client is: outside of the host, or on it
    self.n_started = 0
    # The user has a name and subordinate ids in a copy of /etc that is this world's alone.
    sh(f'''
      cp -a /etc /run/etc
      mount -n --bind /run/etc /etc
      echo 'bench:x:{UID}:{UID}::/tmp:/bin/sh' >>/etc/passwd
      for f in subuid subgid; do echo 'bench:600000:65536' >/etc/$f; done''')

  def way(self, system):
    inner = {what: port for what, (port, _) in INNER.items()}
    return Way(system.prefix, [] if self.is_local else self.server.enter, LOOPBACK if self.is_local else HOST4, inner,
               {what: system.port(what) for what in INNER})

  def start(self, system, with_many=(0, 0)):
    self.n_started += 1
    system.base = 20000 + 100 * (self.n_started % 90)
    system.dir = f'/tmp/{system.base}'
    system.first, system.count = with_many
    shutil.rmtree(system.dir, ignore_errors=True)
    os.mkdir(system.dir)
    os.chown(system.dir, UID, UID)
    if isinstance(system, RootlessKit):
      self._start_rootlesskit(system)
    else:
      super().start(system)
    if hasattr(system, 'publish'):
      system.publish()

  @staticmethod
  def _start_rootlesskit(system):
    with open(f'{system.dir}/log', 'w', encoding='utf-8') as log:
      system.process = subprocess.Popen(AS_USER + system.argv(0, 0), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
    try:
      system.find_container()
    except RuntimeError as error:
      with open(f'{system.dir}/log', encoding='utf-8') as log:
        raise RuntimeError(f'{error}: {log.read()[-500:]}') from error

  def _received(self, system, is_out):
    """Datagrams that programs at the receiving end have read, as their kernel counts."""
    pid = (system.container.pid if system.container else 'self') if not is_out else self.server.pid
    with open(f'/proc/{pid}/net/snmp', encoding='utf-8') as file:
      names, values = [line.split() for line in file if line.startswith('Udp:')]
    return int(values[names.index('InDatagrams')])

  def flood(self, system, seconds, is_out):
    """Datagrams of 1400 bytes as fast as the sender can, counted where they arrive."""
    before = self._received(system, is_out)
    _, cpu, _ = self._run_iperf(system, seconds, ['-u', '-b', '0', '-l', '1400'] + (['-R'] if is_out else []))
    count = self._received(system, is_out) - before
    if count < 10:
      return {'error': 'nothing arrived'}
    return {'value': count / seconds / 1e3, 'engine_cpu_us_per_packet': cpu / count * 1e6}

  def serve_probe(self, system, port):
    probe = subprocess.Popen(system.prefix + [sys.executable, '-B', PROBE, 'serve', str(port)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    pid = system.container.pid if system.container else 'self'

    def is_there():
      with open(f'/proc/{pid}/net/tcp6', encoding='ascii') as file:
        return f':{port:04X} 0000' in file.read()
    wait_for('the probe', is_there)
    return probe

  def seen_addresses(self, system):
    """{'tcp IPv4': (is it the client's own, what was seen)}, for clients outside of the host and on it."""
    probe, out = self.serve_probe(system, PROBE_PORT), {}
    try:
      for where, enter, addresses in (('', self.server.enter, {'IPv4': HOST4, 'IPv6': HOST6}),
                                      ('host ', [], {'IPv4': LOOPBACK})):
        for family, address in addresses.items():
          for proto in ('tcp', 'udp'):
            done = subprocess.run(
              enter + [sys.executable, '-B', PROBE, 'ask', proto, address, str(system.port('probe', family == 'IPv6'))],
              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            out[f'{where}{proto} {family}'] = (json.loads(done.stdout) if done.returncode == 0
                                               else {'seen': None, 'error': done.stderr.strip()})
    finally:
      os.killpg(probe.pid, signal.SIGKILL)
      probe.wait()
    return out

  def many(self, make, count):
    """Milliseconds until count more ports are published and the last of them serves; more memory, KiB."""
    last = MANY_FROM + count - 1
    system = make(1500)
    at_start = system.publish_many is None
    idle = 0
    if at_start:  # the same without them
      self.start(system)
      time.sleep(0.2)
      idle = system.rss_kb()
      self.stop(system)
      system = make(1500)
    begin = time.perf_counter()
    probe = None
    try:
      self.start(system, (MANY_FROM, count) if at_start else (0, 0))
      if not at_start:
        probe = self.serve_probe(system, last)
        idle = system.rss_kb()
        begin = time.perf_counter()
        system.publish_many(MANY_FROM, count)
      else:
        self._until_listens(last)
      took = (time.perf_counter() - begin) * 1e3
      probe = probe or self.serve_probe(system, last)
      serves = subprocess.run(self.server.enter + [sys.executable, '-B', PROBE, 'ask', 'tcp', HOST4, str(last)],
                              capture_output=True, text=True, check=False)
      if serves.returncode != 0:
        return {'error': f'the last port does not serve: {serves.stderr.strip()}'}
      return {'value': took, 'more_kb': system.rss_kb() - idle}
    except (RuntimeError, OSError, subprocess.TimeoutExpired, ValueError) as error:
      return {'error': str(error)[:200]}
    finally:
      if probe:
        os.killpg(probe.pid, signal.SIGKILL)
        probe.wait()
      if system.process:
        self.stop(system)

  @staticmethod
  def _until_listens(port):
    def is_there():
      with socket.socket() as s:
        return s.connect_ex((LOOPBACK, port)) == 0
    wait_for('the last port', is_there, MANY_BOUND_S)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of the user-mode networking benchmark: server, host, containers, systems, measurements.

The process that runs this is the host (a network namespace of its own already). Containers belong to an
ordinary user, who also runs the systems. Nothing here touches the machine's network.
"""
import json
import os
import signal
import subprocess
import sys
import time

from world import mount, sh

UID = 1500
SERVER = '198.51.100.2'
MTUS = [1500, 65520]


def as_user(uid):
  return ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']


AS_USER = as_user(UID)
LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'slirp_load.py')


def wait_for(what, test, seconds=5.0):
  end = time.monotonic() + seconds
  while not test():
    if time.monotonic() > end:
      raise RuntimeError(f'{what} did not come up in {seconds:.0f} s')
    time.sleep(0.005)


class Space:
  """Namespaces held by a process that sleeps."""

  def __init__(self, is_user, uid=UID):
    prefix = as_user(uid) + ['unshare', '-Urn'] if is_user else ['unshare', '-n']
    here = os.readlink('/proc/self/ns/net')
    self.process = subprocess.Popen(prefix + ['sleep', 'infinity'], stdin=subprocess.DEVNULL)
    self.pid = self.process.pid

    def is_there():
      with open(f'/proc/{self.pid}/cmdline', encoding='utf-8') as file:
        return file.read().startswith('sleep') and os.readlink(f'/proc/{self.pid}/ns/net') != here
    wait_for('a namespace', is_there)
    self.enter = ['nsenter', '-t', str(self.pid), '-n'] + (['-U', '--preserve-credentials'] if is_user else [])

  def end(self):
    self.process.kill()
    self.process.wait()


def version_of(argv, package=None):
  if package:
    done = subprocess.run(['dpkg-query', '-W', '-f', '${Package} ${Version}', package], capture_output=True,
                          text=True, check=False)
    if done.returncode == 0:
      return done.stdout.strip()
  done = subprocess.run(argv, capture_output=True, text=True, check=False)
  return (done.stdout or done.stderr).splitlines()[0].strip()


class Direct:
  """No system: the client runs on the host."""
  name, prefix, container, process = 'direct', [], None, None

  @staticmethod
  def cpu_s():
    return 0.0


class System:
  """One system in front of one container. argv(pid, ready_fd) is what its user would type."""
  says_ready = True

  def __init__(self, mtu):
    self.mtu = mtu
    self.container = self.process = None
    self.ready_ms = None

  @property
  def prefix(self):
    return self.container.enter

  def pids(self):
    """Its processes: the one that was started and what descends from it or is of its session."""
    parents, mine = {}, {self.process.pid}
    for name in os.listdir('/proc'):
      if not name.isdigit():
        continue
      try:
        with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as file:
          fields = file.read().rpartition(')')[2].split()
      except OSError:
        continue
      parents[int(name)] = int(fields[1])
      if int(fields[3]) == self.process.pid:
        mine.add(int(name))
    for pid in sorted(parents):
      if parents[pid] in mine:
        mine.add(pid)
    return [p for p in mine if p in parents]

  def cpu_s(self):
    total = 0
    for pid in self.pids():
      with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
        fields = file.read().rpartition(')')[2].split()
      total += int(fields[11]) + int(fields[12])
    return total / os.sysconf('SC_CLK_TCK')

  def rss_kb(self):
    total = 0
    for pid in self.pids():
      with open(f'/proc/{pid}/smaps_rollup', encoding='utf-8') as file:
        total += sum(int(line.split()[1]) for line in file if line.startswith('Pss:'))
    return total


class SlirpLite(System):
  def __init__(self, name, path, mtu):
    super().__init__(mtu)
    self.name, self.path = name, path

  def argv(self, pid, ready):
    return [self.path, '-c', '-m', str(self.mtu), '-r', str(ready), str(pid), 'tap0']

  def version(self):
    return version_of([self.path, '--version'])


class Slirp4netns(System):
  name = 'slirp4netns'

  def argv(self, pid, ready):
    return ['slirp4netns', '-c', '-m', str(self.mtu), '-r', str(ready), str(pid), 'tap0']

  @staticmethod
  def version():
    return version_of(['slirp4netns', '--version'], 'slirp4netns')


class Pasta(System):
  """Ready when it has gone to the background; measured in the foreground, where it is one process."""
  name, says_ready = 'pasta', False

  def argv(self, pid, _ready):
    return ['pasta', '-f', '-q', '--config-net', '--no-map-gw', '-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none',
            '-m', str(self.mtu), '--netns', f'/proc/{pid}/ns/net', '--userns', f'/proc/{pid}/ns/user']

  @staticmethod
  def version():
    return version_of(['pasta', '--version'], 'passt')


class Way:
  """Where a measurement's two ends are: how to enter each, and what the client calls."""

  def __init__(self, server, client, address, serve_at, call_at):
    self.server, self.client, self.address = server, client, address
    self.serve_at, self.call_at = serve_at, call_at  # {'iperf': port, 'load': port}


PORTS = {'iperf': 5201, 'load': 5300}


def timeouts_of(pid):
  with open(f'/proc/{pid}/net/netstat', encoding='utf-8') as file:
    lines = [line.split() for line in file]
  for names, values in zip(lines[::2], lines[1::2]):
    if names[0] == 'TcpExt:':
      return int(values[names.index('TCPTimeouts')])
  return 0


class World:
  def __init__(self):
    mount(None, '/', None, 1 << 18 | 16384)  # private, recursive
    mount('tmpfs', '/run', 'tmpfs', 0, 'mode=755')
    mount('tmpfs', '/tmp', 'tmpfs', 0, 'mode=1777')
    mount('tmpfs', '/dev/net', 'tmpfs', 0, 'mode=755')
    os.mknod('/dev/net/tun', 0o20666, os.makedev(10, 200))
    os.chmod('/dev/net/tun', 0o666)
    self.server = Space(False)
    sh(f'''
      ip link set lo up
      ip link add eth0 type veth peer name eth0 netns {self.server.pid}
      ip link set eth0 up
      ip addr add 198.51.100.1/24 dev eth0
      ip addr add 2001:db8::1/64 dev eth0 nodad
      nsenter -t {self.server.pid} -n sh -ec "
        ip link set lo up
        ip link set eth0 up
        ip addr add {SERVER}/24 dev eth0
        ip addr add 2001:db8::2/64 dev eth0 nodad"
      ip route add default via {SERVER}
      ip -6 route add default via 2001:db8::2''')

  @staticmethod
  def iperf_version():
    return version_of(['iperf3', '--version'])

  def start(self, system):
    system.container = Space(True)
    ready_r, ready_w = os.pipe()
    begin = time.perf_counter()
    system.process = subprocess.Popen(AS_USER + system.argv(system.container.pid, ready_w), pass_fds=[ready_w],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(ready_w)
    if system.says_ready:
      if os.read(ready_r, 1) != b'1':
        raise RuntimeError(f'{system.name} did not start')
      system.ready_ms = (time.perf_counter() - begin) * 1e3
    os.close(ready_r)

    def has_route():
      done = subprocess.run(system.prefix + ['ip', 'route', 'get', SERVER], capture_output=True, check=False)
      return done.returncode == 0
    wait_for(system.name, has_route)

  @staticmethod
  def stop(system):
    system.process.send_signal(signal.SIGTERM)
    try:
      system.process.wait(5)
    except subprocess.TimeoutExpired:
      system.process.kill()
      system.process.wait()
    system.container.end()

  def _timeouts(self, system):
    spaces = ['self', self.server.pid] + ([system.container.pid] if system.container else [])
    return sum(timeouts_of(p) for p in spaces)

  def way(self, system):
    return Way(self.server.enter, system.prefix, SERVER, PORTS, PORTS)

  def _measured(self, system, server, client, seconds):
    """Runs server, then client; (the client's output, CPU seconds of the system, time-outs)."""
    way = self.way(system)
    serving = subprocess.Popen(way.server + server, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
      time.sleep(0.2)
      cpu, timeouts = system.cpu_s(), self._timeouts(system)
      done = subprocess.run(way.client + client, capture_output=True, text=True, timeout=seconds * 2 + 15,
                            stdin=subprocess.DEVNULL, check=False)
      return done.stdout, system.cpu_s() - cpu, self._timeouts(system) - timeouts
    except subprocess.TimeoutExpired:
      return '', 0.0, self._timeouts(system) - timeouts
    finally:
      os.killpg(serving.pid, signal.SIGKILL)
      serving.wait()

  def _run_iperf(self, system, seconds, extra):
    way = self.way(system)
    return self._measured(
      system, ['iperf3', '-s', '-1', '-p', str(way.serve_at['iperf'])],
      ['iperf3', '-c', way.address, '-p', str(way.call_at['iperf']), '-t', f'{seconds:g}', '-J', *extra], seconds)

  def iperf(self, system, seconds, extra):
    text, cpu, timeouts = self._run_iperf(system, seconds, extra)
    try:
      end = json.loads(text)['end']
      gigabytes = end['sum_received']['bytes'] / 1e9
      percent = end['cpu_utilization_percent']
      ends = (percent['host_total'] + percent['remote_total']) / 100 * end['sum_received']['seconds']
      out = {'value': end['sum_received']['bits_per_second'] / 1e9, 'cpu_s_per_gb': (cpu + ends) / gigabytes,
             'retransmits': end['sum_sent'].get('retransmits'), 'timeouts': timeouts}
      if system.process:
        out['engine_cpu_s_per_gb'] = cpu / gigabytes
      return out
    except (ValueError, KeyError, ZeroDivisionError):
      return {'error': 'iperf3 gave no result', 'timeouts': timeouts}

  def iperf_udp(self, system, seconds, extra):
    text, cpu, _ = self._run_iperf(system, seconds, ['-u', '-b', '0', '-l', '1400', *extra])
    try:
      end = json.loads(text)['end']['sum']
      delivered = end['packets'] - end['lost_packets']
      return {'value': delivered / end['seconds'] / 1e3, 'sent_kpps': end['packets'] / end['seconds'] / 1e3,
              'engine_cpu_us_per_packet': cpu / max(delivered, 1) * 1e6}
    except (ValueError, KeyError, ZeroDivisionError):
      return {'error': 'iperf3 gave no result'}

  def load(self, system, kind, seconds):
    way, python = self.way(system), [sys.executable, '-B', LOAD]
    text, cpu, timeouts = self._measured(
      system, python + ['serve', kind, str(way.serve_at['load'])],
      python + [kind, way.address, str(way.call_at['load']), f'{seconds:g}'], seconds)
    try:
      out = json.loads(text)
    except ValueError:
      return {'error': 'the load gave no result', 'timeouts': timeouts}
    out['engine_cpu_us_each'] = cpu / max(out['count'], 1) * 1e6
    out['timeouts'] = timeouts
    return out

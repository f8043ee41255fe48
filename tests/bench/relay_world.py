# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of the benchmark of networks: ordinary users' networks on the host of ports_world.py.

Each system that is a network has a user of its own, two containers of his on it, and his netns-up beside the
slirp-lite that is measured. All systems run at the same time.
"""
import json
import os
import select
import shutil
import subprocess
import sys

import slirp_world
from ports_world import PortsWorld, Published
from slirp_world import LOAD, PORTS, SERVER, Space, Way, as_user, wait_for
from world import sh

UID_FIRST = 1600
OPEN_BOUND_S = 60
MANY_FIRST = 200  # connections before the ones that count: what is made once is there then
OURS = ('slirp-', 'netns-up')


class Network(Published):
  """Two containers on one network of a user's; engine: that of its way out."""

  def __init__(self, name, netns_up, forwarder, slirp_lite, number, engine):
    self.engine = engine
    self.name, self.uid = name, UID_FIRST + number
    self.bin = f'/run/bin.{self.uid}'
    os.mkdir(self.bin)
    for path, file in ((netns_up, 'netns-up'), (slirp_lite, 'slirp-lite'), (forwarder, 'netns-up-forwarder')):
      shutil.copy(path, f'{self.bin}/{file}')
    self.run_dir = f'/run/user/{self.uid}'
    os.makedirs(self.run_dir)
    os.chown(self.run_dir, self.uid, self.uid)
    self.container = self.other = self.other_address = None

  @property
  def prefix(self):
    return self.container.enter

  @property
  def process(self):
    return self.container.process if self.container else None

  def version(self):
    return slirp_world.version_of([f'{self.bin}/slirp-lite', '--version'])

  def call(self, *words):
    done = subprocess.run(as_user(self.uid) + ['env', f'XDG_RUNTIME_DIR={self.run_dir}', f'{self.bin}/netns-up', *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
      raise RuntimeError(f'netns-up {" ".join(words)}: {done.stderr.strip()}')
    return done.stdout

  def bring_up(self):
    self.container, self.other = Space(True, self.uid), Space(True, self.uid)
    self.call('network', 'create', 'bench', '--engine', self.engine, '-q')
    ports = [word for host, inner in self.pairs() for word in ('-p', f'{host}:{inner}/tcp')]
    for space, name, more in ((self.container, 'client', ports), (self.other, 'server', [])):
      self.call('up', str(space.pid), '--network', 'bench', '--name', name, '-q', *more)
    text = subprocess.run(self.other.enter + ['ip', '-j', '-4', 'addr', 'show', 'dev', 'eth0'], capture_output=True,
                          text=True, check=True).stdout
    self.other_address = json.loads(text)[0]['addr_info'][0]['local']

  def take_down(self):
    for name in ('client', 'server'):
      self.call('down', name)
    self.call('network', 'rm', 'bench')
    for space in (self.container, self.other):
      space.end()

  def pids(self):
    """What keeps the network and carries its connections: not the containers' own."""
    out = []
    for name in os.listdir('/proc'):
      if not name.isdigit():
        continue
      try:
        with open(f'/proc/{name}/status', encoding='utf-8', errors='replace') as file:
          fields = dict(line.split(':', 1) for line in file)
      except OSError:
        continue
      if fields['Name'].strip().startswith(OURS) and fields['Uid'].split()[0] == str(self.uid):
        out.append(int(name))
    return out

  cpu_s = slirp_world.System.cpu_s
  rss_kb = slirp_world.System.rss_kb


class Plain:
  """No system: two namespaces on a bridge of the kernel, as anybody would set it up."""
  name = 'direct'
  process = None
  other_address = '10.99.0.2'

  def __init__(self):
    self.bridge, self.container, self.other = Space(False), Space(False), Space(False)
    sh(f'nsenter -t {self.bridge.pid} -n sh -ec "ip link add br0 type bridge; ip link set br0 up"')
    for space, address in ((self.container, '10.99.0.1'), (self.other, self.other_address)):
      sh(f'''
        nsenter -t {self.bridge.pid} -n ip link add v{space.pid} type veth peer name eth0 netns {space.pid}
        nsenter -t {self.bridge.pid} -n ip link set v{space.pid} master br0 up
        nsenter -t {space.pid} -n sh -ec "ip link set lo up; ip link set eth0 up; ip addr add {address}/24 dev eth0"''')

  @property
  def prefix(self):
    return self.container.enter

  @staticmethod
  def cpu_s():
    return 0.0


class RelayWorld(PortsWorld):
  """side: 'out', containers are clients of a server outside; 'in', they serve a client outside; 'across', one
  is another's."""
  side = 'out'

  def way(self, system):
    if self.side == 'in':
      return super().way(system)
    if self.side == 'across':
      return Way(system.other.enter, system.prefix, system.other_address, PORTS, PORTS)
    return slirp_world.World.way(self, system)

  def start(self, system, with_many=(0, 0)):
    if not isinstance(system, Network):
      super().start(system, with_many)
      return
    self.n_started += 1
    system.base = 20000 + 100 * self.n_started
    system.bring_up()

    def serves():
      return subprocess.run(system.prefix + ['ip', 'route', 'get', SERVER], capture_output=True,
                            check=False).returncode == 0
    wait_for(system.name, serves)

  @staticmethod
  def stop(system):
    if isinstance(system, Network):
      system.take_down()
    else:
      PortsWorld.stop(system)

  @staticmethod
  def _kernel_kb():
    with open('/proc/meminfo', encoding='ascii') as file:
      return int(dict(line.split(':') for line in file)['Slab'].split()[0])

  def many(self, system, count):
    """Bytes of the system's own for each of count connections that rest; and the kernel's, of all their ends."""
    way, python = self.way(system), [sys.executable, '-B', LOAD]
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.DEVNULL, 'text': True}
    serving = subprocess.Popen(way.server + python + ['serve', 'many', str(way.serve_at['load'])], **pipes)
    clients = None
    try:
      serving.stdout.readline()
      clients = subprocess.Popen(way.client + python + ['many', way.address, str(way.call_at['load'])], **pipes)
      for n in (MANY_FIRST, count):
        own, kernel = system.rss_kb() if system.process else 0, self._kernel_kb()
        clients.stdin.write(f'{n}\n')
        clients.stdin.flush()
        if not select.select([clients.stdout], [], [], OPEN_BOUND_S)[0]:
          return {'error': f'{n} connections did not open in {OPEN_BOUND_S} s'}
        opened = clients.stdout.readline().strip()
        if opened != str(n):
          return {'error': f'{opened or "none"} of {n} connections'}
      return {'value': ((system.rss_kb() if system.process else 0) - own) * 1024 / count,
              'kernel_bytes': (self._kernel_kb() - kernel) * 1024 / count}
    finally:
      for p in (clients, serving):
        if p:
          p.kill()
          p.communicate()

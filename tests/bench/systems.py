# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs under comparison, each driven as its real caller drives it.

netns-up: one process. Its CNI plugin: one process of type netd, which does the work of the chain. netavark: one process with JSON on standard input, addresses chosen by its
caller (as podman does). The reference CNI plugins: one process a plugin, chained by prevResult as
libcni does. All get the same work: an interface eth0 with an IPv4 and an IPv6 address and default
routes, two published TCP ports (8080-like and 8443-like, unique on the host), masquerading.
"""
import hashlib
import ipaddress
import json
import os
import shutil

from copies import filled, plain
from world import JobError, Step, sh

PORTS = ((10000, 80), (30000, 443))  # first host port and container port of each published port


def ports_of(number):
  return [(first + number, inner) for first, inner in PORTS]


class System:
  parallel_setup = 2  # how many at once while attachments are piled up

  def __init__(self, host):
    self.host = host

  def ident(self, number):
    return f'bench{number}'

  def prepare(self):
    """Once, inside the host."""


class NetnsUp(System):
  parallel_setup = 8

  def __init__(self, host, program, mode):
    super().__init__(host)
    self.program, self.mode = program, mode
    self.title = f'netns-up, {mode}'

  def prepare(self):
    sh(f'{self.program} network create bench --mode {self.mode} --subnet 10.92.0.0/16 '
       '--subnet fd92:0:0:1::/64')

  def add(self, number, path, ports=None):
    argv = [self.program, 'up', path, '--name', self.ident(number), '--network', 'bench', '--quiet']
    for spec in ports or [f'{outer}:{inner}' for outer, inner in ports_of(number)]:
      argv += ['-p', spec]
    yield Step(argv)

  def delete(self, number, path):
    yield Step([self.program, 'down', self.ident(number)])

  def version(self):
    return sh(f'{self.program} --version').strip()


class Peer(System):
  """A system whose attachments copies.py can repeat."""
  bridge, hairpin, gateways, routes = '', False, ('', ''), ''

  def marks(self, number):
    """What tells attachment number from others: {name: word}, with its addresses as v4 and v6."""
    raise NotImplementedError

  def next_marks(self, numbers):
    """Those of attachments that are not there yet, were they made in this order."""
    raise NotImplementedError

  def files(self):
    """Texts: each file that tells of attachments, with its name."""
    return []

  def copy_files(self, number, others, marks):
    """The files of attachment number, and what its caller keeps, once more for others."""


class Netavark(Peer):
  bridge, gateways, routes = 'podman1', ('10.91.0.1', 'fd91:0:0:1::1'), 'proto static metric 100'

  def __init__(self, host, program):
    super().__init__(host)
    self.program = program
    self.title = 'netavark'

  def ident(self, number):
    return hashlib.sha256(super().ident(number).encode()).hexdigest()

  def addresses(self, number):
    return f'10.91.{(number + 2) >> 8}.{(number + 2) & 255}', f'fd91:0:0:1::{number + 2:x}'

  def marks(self, number):
    v4, v6 = self.addresses(number)
    return {'v4': v4, 'v6': v6, 'id': self.ident(number)} | {
      f'port{inner}': str(outer) for outer, inner in ports_of(number)}

  def next_marks(self, numbers):
    return [self.marks(n) for n in numbers]

  def prepare(self):
    os.makedirs('/run/netavark', exist_ok=True)

  def _conf(self, number):
    return json.dumps({
      'container_id': self.ident(number),
      'container_name': super().ident(number),
      'port_mappings': [{'container_port': inner, 'host_ip': '', 'host_port': outer, 'protocol': 'tcp',
                         'range': 1} for outer, inner in ports_of(number)],
      'networks': {'bench': {'interface_name': 'eth0', 'static_ips': self.addresses(number)}},
      'network_info': {'bench': {
        'name': 'bench', 'id': hashlib.sha256(b'bench').hexdigest(), 'driver': 'bridge',
        'network_interface': self.bridge, 'internal': False, 'ipv6_enabled': True, 'dns_enabled': False,
        'options': {}, 'ipam_options': {'driver': 'host-local'},
        'subnets': [{'gateway': '10.91.0.1', 'subnet': '10.91.0.0/16'},
                    {'gateway': 'fd91:0:0:1::1', 'subnet': 'fd91:0:0:1::/64'}]}}})

  def add(self, number, path):
    yield Step([self.program, '--config', '/run/netavark', 'setup', path], self._conf(number))

  def delete(self, number, path):
    yield Step([self.program, '--config', '/run/netavark', 'teardown', path], self._conf(number))

  def version(self):
    return 'netavark ' + json.loads(sh(f'{self.program} version'))['version']


class CniChain(Peer):
  PLUGINS = ('bridge', 'portmap', 'firewall')
  LEASES = '/run/cni-ipam'
  bridge, hairpin, gateways = 'cni0', True, ('10.90.0.1', 'fd90:0:0:1::1')

  def __init__(self, host, folder):
    super().__init__(host)
    self.folder = folder
    self.title = 'CNI plugins'
    self.results = {}

  def _marks(self, number, addresses):
    # The plugins' own names of chains: the hash of the network and of the container.
    digest = hashlib.sha512(f'bench{self.ident(number)}'.encode()).hexdigest()
    return dict(zip(('v4', 'v6'), addresses)) | {'id': self.ident(number), 'chain': digest[:24], 'ports': digest[:21]} | {
      f'port{inner}': str(outer) for outer, inner in ports_of(number)}

  def marks(self, number):
    return self._marks(number, [ip['address'].split('/')[0] for ip in self.results[number]['ips']])

  def next_marks(self, numbers):
    last = []
    for index in (0, 1):
      with open(f'{self.LEASES}/bench/last_reserved_ip.{index}', encoding='ascii') as file:
        last.append(ipaddress.ip_address(file.read()))
    return [self._marks(n, [str(address + 1 + i) for address in last]) for i, n in enumerate(numbers)]

  def files(self):
    # The address given last stays there when its owner goes.
    found = []
    for name in [n for n in os.listdir(f'{self.LEASES}/bench') if not n.startswith('last_')]:
      with open(f'{self.LEASES}/bench/{name}', encoding='ascii') as file:
        found.append(f'{name} {file.read()!r}\n')
    return found

  def copy_files(self, number, others, marks):
    mine = self.marks(number)
    for other, theirs in zip(others, marks):
      self.results[other] = json.loads(filled(plain(json.dumps(self.results[number]), mine), theirs))
      for index, word in enumerate(('v4', 'v6')):
        with open(f'{self.LEASES}/bench/{mine[word]}', encoding='ascii', newline='') as file:
          text = filled(plain(file.read(), mine), theirs)
        for name, content in ((theirs[word], text), (f'last_reserved_ip.{index}', theirs[word])):
          with open(f'{self.LEASES}/bench/{name}', 'w', encoding='ascii', newline='') as file:
            file.write(content)

  def _conf(self, plugin, number, prev):
    conf = {'cniVersion': '1.0.0', 'name': 'bench', 'type': plugin}
    if plugin == 'bridge':
      conf |= {'bridge': self.bridge, 'isGateway': True, 'ipMasq': True, 'hairpinMode': self.hairpin, 'ipam': {
        'type': 'host-local', 'dataDir': self.LEASES,
        'ranges': [[{'subnet': '10.90.0.0/16'}], [{'subnet': 'fd90:0:0:1::/64'}]],
        'routes': [{'dst': '0.0.0.0/0'}, {'dst': '::/0'}]}}
    elif plugin == 'portmap':
      conf |= {'snat': True, 'runtimeConfig': {'portMappings': [
        {'hostPort': outer, 'containerPort': inner, 'protocol': 'tcp'} for outer, inner in ports_of(number)]}}
    elif plugin == 'firewall':
      conf |= {'backend': 'iptables'}
    if prev is not None:
      conf['prevResult'] = prev
    return json.dumps(conf)

  def _step(self, plugin, command, number, path, prev):
    return Step([f'{self.folder}/{plugin}'], self._conf(plugin, number, prev), {
      'CNI_COMMAND': command, 'CNI_CONTAINERID': self.ident(number), 'CNI_NETNS': path,
      'CNI_IFNAME': 'eth0', 'CNI_PATH': self.folder})

  def add(self, number, path):
    result = None
    for plugin in self.PLUGINS:
      output = yield self._step(plugin, 'ADD', number, path, result)
      try:
        result = json.loads(output)
      except ValueError as error:
        raise JobError(f'{plugin} ADD: {error}: {output}') from error
    self.results[number] = result

  def delete(self, number, path):
    for plugin in reversed(self.PLUGINS):
      yield self._step(plugin, 'DEL', number, path, self.results.get(number))
    self.results.pop(number, None)

  def version(self):
    return 'CNI plugins (Debian) ' + sh(
      "dpkg-query -W -f '${Version}' containernetworking-plugins 2>/dev/null || echo unknown").strip()


class NetnsUpCni(System):
  parallel_setup = 8

  def __init__(self, host, program, mode):
    super().__init__(host)
    self.program, self.mode = program, mode
    self.title = f'netns-up CNI, {mode}'
    self.results = {}

  def _conf(self, number, ports=None, prev=None):
    conf = {
      'cniVersion': '1.1.0', 'name': 'bench', 'type': 'netd', 'mode': self.mode, 'isGateway': True, 'ipMasq': True,
      'hairpinMode': True,
      'ipam': {'type': 'host-local', 'ranges': [[{'subnet': '10.93.0.0/16'}], [{'subnet': 'fd93:0:0:1::/64'}]],
               'routes': [{'dst': '0.0.0.0/0'}, {'dst': '::/0'}]},
      'runtimeConfig': {'portMappings': [{'hostPort': outer, 'containerPort': inner, 'protocol': 'tcp'}
                                         for outer, inner in ports or ports_of(number)]}}
    if self.mode == 'bridge':
      conf['bridge'] = 'nu-bench'
    if prev is not None:
      conf['prevResult'] = prev
    return json.dumps(conf)

  def _step(self, command, number, path, conf):
    return Step([self.program], conf, {
      'CNI_COMMAND': command, 'CNI_CONTAINERID': self.ident(number), 'CNI_NETNS': path, 'CNI_IFNAME': 'eth0',
      'CNI_PATH': os.path.dirname(self.program), 'CNI_ARGS': ''})

  def add(self, number, path, ports=None):
    output = yield self._step('ADD', number, path, self._conf(number, ports))
    try:
      self.results[number] = json.loads(output)
    except ValueError as error:
      raise JobError(f'ADD: {error}: {output}') from error

  def delete(self, number, path):
    yield self._step('DEL', number, path, self._conf(number, prev=self.results.pop(number, None)))

  def status(self):
    conf = json.loads(self._conf(0))
    del conf['runtimeConfig']
    yield Step([self.program], json.dumps(conf), {'CNI_COMMAND': 'STATUS', 'CNI_PATH': os.path.dirname(self.program)})

  def version(self):
    return 'CNI plugin of ' + sh(f'{os.path.dirname(self.program)}/netns-up --version').strip()


def find_netavark():
  for path in ('/usr/lib/podman/netavark', '/usr/libexec/podman/netavark', shutil.which('netavark')):
    if path and os.access(path, os.X_OK):
      return path
  return None


def find_cni():
  for folder in ('/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'):
    if all(os.access(f'{folder}/{p}', os.X_OK) for p in CniChain.PLUGINS + ('host-local',)):
      return folder
  return None

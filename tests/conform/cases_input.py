# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 16 to 27: JSON as Go reads it, versions, types, names."""
import json

from case import case
from cni import GW4


def _text(net, **replace):
  """The configuration as bytes, with raw JSON in place of marked values."""
  text = json.dumps(net.conf())
  for mark, raw in replace.items():
    text = text.replace(f'"{mark}"', raw)
  return text.encode()


@case(16, 'duplicate keys: the last one wins')
def duplicates(t):
  net, box = t.cni.net(mtu='MARK', bridge='BR'), t.box('a')
  result = t.cni.raw('ADD', _text(net, MARK='1400,"mtu":1300', BR='"br-first","bridge":"br-last"'), box)
  t.added(result)
  mtu = box.sh('ip -o link show eth0').split(' mtu ')[1].split()[0]
  t.eq(mtu, '1300', 'mtu')
  t.ok('br-last' in t.lab.host_links() and 'br-first' not in t.lab.host_links(),
       f'bridge: {sorted(t.lab.host_links())}')


@case(17, 'escapes are decoded')
def escapes(t):
  net, box = t.cni.net(bridge='BR', comment='C', dns={'nameservers': ['203.0.113.53'], 'search': ['S']}), t.box('a')
  result = t.cni.raw('ADD', _text(net, BR='"br\\u002d\\u0078"', C='"\\u003ca\\u003e \\u0026 \\ud83d\\ude00"',
                                  S='"\\u0065xample.org"'), box)
  t.added(result)
  t.ok('br-x' in t.lab.host_links(), f'bridge br-x: {sorted(t.lab.host_links())}')
  t.eq((result.doc.get('dns') or {}).get('search'), ['example.org'], 'dns.search')


@case(18, 'a port as 8080.0 or 1e3: code 6, as Go')
def float_ports(t):
  for raw in ('8080.0', '1e3', '8.08e3'):
    net = t.cni.net(ports=[t.cni.port('P')])
    _last_fails(t, net, raw, 6, f'hostPort {raw}')


def _last_fails(t, net, raw, codes, what, where=None):
  """Adds a network whose port mapping has raw JSON in it; it has to fail without a trace."""
  box = t.box('a')
  links = t.lab.host_links()
  index, prev = len(net.plugins) - 1, None
  if index:
    first = t.cni.call('ADD', net, box)
    t.added(first, 'the first plugin')
    prev = first.doc
  text = json.dumps(net.conf(index, prev)).replace('"P"', raw).encode()
  result = t.cni.raw('ADD', text, box, kind=net.plugins[index]['type'])
  t.fails(result, codes, what, where)
  if index:
    t.quiet(t.cni.call('DEL', net, box, prev=prev))
  else:
    t.eq(t.lab.host_links(), links, f'{what}: links')
  t.ok(not box.has_link(), f'{what}: eth0 was made')
  if box.has_link():
    box.sh('ip link del eth0')


@case(19, 'a port as a string: code 6 with the JSON path in the details')
def string_port(t):
  _last_fails(t, t.cni.net(ports=[t.cni.port(80), t.cni.port('P')]), '"8080"', 6, 'hostPort "8080"',
              r'portMappings(\[1\]|\.1|/1)?.*hostPort')


def _published(t, mapping, port, what):
  """Adds a network with the mapping; the port answers from outside. Returns the box."""
  net, box = t.cni.net(ports=mapping), t.box('a')
  result = t.cni.add(net, box)
  t.added(result, what)
  server = box.serve('tcp', 80)
  t.reaches(t.lab.out, t.lab.V4, port, 'a', what)
  t.lab.end(server)
  return net, box, result


@case(20, 'HostPort, ContainerPort, Protocol, HostIP are accepted')
def go_keys(t):
  _published(t, [{'HostPort': 8080, 'ContainerPort': 80, 'Protocol': 'tcp', 'HostIP': ''}], 8080, 'Go keys')


@case(21, 'both hostPort and HostPort: the later one wins')
def both_keys(t):
  rest = {'containerPort': 80, 'protocol': 'tcp'}
  net, box, result = _published(t, [{'hostPort': 8081, 'HostPort': 8082} | rest], 8082, 'HostPort is later')
  t.quiet(t.cni.delete(net, box, result.doc))
  _published(t, [{'HostPort': 8083, 'hostPort': 8084} | rest], 8084, 'hostPort is later')
  t.unreachable(t.lab.out, t.lab.V4, 8083, 'the earlier one')


@case(22, 'no name, or a bad one: code 7')
def names(t):
  net, box = t.cni.net(), t.box('a')
  links = t.lab.host_links()
  t.fails(t.cni.raw('ADD', {k: v for k, v in net.conf().items() if k != 'name'}, box), 7, 'no name')
  for name in ('', 'a/b', '..', '.', '../x', '/', 'a b', 'a\nb', '-a', '\u00e9', 'a;b'):
    t.fails(t.cni.raw('ADD', net.conf() | {'name': name}, box), 7, f'name {name!r}')
  t.eq(t.lab.host_links(), links, 'links')
  t.ok(not box.has_link(), 'eth0 was made')


@case(23, 'no cniVersion: a result of 0.1.0')
def no_version(t):
  net, box = t.cni.net(), t.box('a')
  result = t.cni.raw('ADD', {k: v for k, v in net.conf().items() if k != 'cniVersion'}, box)
  t.added(result)
  t.ok('ip4' in result.doc and 'ips' not in result.doc and 'interfaces' not in result.doc,
       f'not of 0.1.0: {result.say()}')
  t.eq((result.doc.get('ip4') or {}).get('gateway'), GW4, 'ip4.gateway')


@case(24, 'cniVersion 9.9.9: code 1, the details list both sides')
def future(t):
  result = t.cni.call('ADD', t.cni.net().as_version('9.9.9'), t.box('a'))
  t.fails(result, 1, where=r'9\.9\.9')
  t.ok('0.4.0' in result.text and '1.0.0' in result.text, f'what is spoken is not listed: {result.text}')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(25, 'cniVersion 1.1, 1.1.0.0, x: code 1 or 6')
def no_versions(t):
  for version in ('1.1', '1.1.0.0', 'x', '1', 'v1.0.0', '1.0.0 ', '-1.0.0', '1.0.0-rc1', '99999999999.0.0', '1..0'):
    t.fails(t.cni.call('ADD', t.cni.net().as_version(version), t.box('a')), (1, 6), f'{version!r}')
  for version in (1.0, True, [], {}):
    t.fails(t.cni.call('ADD', t.cni.net().as_version(version), t.box('a')), (1, 6), f'{version!r}')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(26, 'a value of the wrong type or out of range: code 6 or 7')
def types(t):
  box = t.box('a')
  links = t.lab.host_links()
  for keys in ({'mtu': 'big'}, {'mtu': -1}, {'mtu': 1e30}, {'mtu': 2 ** 63}, {'vlan': 5000}, {'vlan': -1},
               {'vlan': '5'}, {'bridge': 5}, {'bridge': ['x']}, {'isGateway': 'yes'}, {'isGateway': 1},
               {'ipMasq': []}, {'ipam': 'host-local'}, {'ipam': []}, {'dns': 'x'}, {'dns': {'nameservers': 'x'}},
               {'runtimeConfig': 5}, {'args': 'x'}, {'prevResult': 'x'}, {'type': 5}, {'name': 5}):
    conf = t.cni.net().conf() | keys
    t.fails(t.cni.raw('ADD', conf, box), (6, 7), f'{json.dumps(keys)}')
    if box.has_link():
      box.sh('ip link del eth0')
  t.eq(t.lab.host_links() - links, set(), 'new links')


@case(27, 'an unknown key: ignored by default, code 2 with key and value in strict mode')
def unknown(t):
  net, box = t.cni.net(brigde='br-x'), t.box('a')
  t.added(t.cni.call('ADD', net, box), 'default mode', stop=False)
  t.fails(t.cni.call('ADD', net.but(strict=True), t.box('b')), 2, 'strict mode', 'brigde.*br-x')
  t.ok(not t.box('b').has_link(), 'strict mode: eth0 was made')

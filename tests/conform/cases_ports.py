# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 70 to 80: published ports, results by version, masquerading."""
import re

from case import case
from cni import OTHER4, OTHER6
from schema import check_result


def _up(t, net, box, what='ADD', servers=(('tcp', 80),)):
  """Adds a network; servers run inside. Returns the result."""
  result = t.cni.add(net, box)
  t.added(result, what)
  for proto, port in servers:
    box.serve(proto, port)
  return result


@case(70, 'portMappings empty or null: no rules, success')
def empty(t):
  for number, ports in enumerate(([], None)):
    box = t.box(f'b{number}')
    net = t.cni.net(ports=[])
    for plugin in net.plugins:
      if 'portMappings' in plugin.get('runtimeConfig', {}):
        plugin['runtimeConfig']['portMappings'] = ports
    result = t.cni.add(net, box)
    if t.added(result, f'{ports}', stop=False):
      found = re.search(rf'dnat to {result.ip()}|: {result.ip()} \.', t.lab.ruleset())
      t.ok(not found, f'{ports}: there is a forward: {found.group(0) if found else ""}')
      t.quiet(t.cni.delete(net, box, result.doc))


def _refused(t, ports, codes, what):
  box = t.box('r')
  net = t.cni.net('refused', ports=ports)
  result = t.cni.add(net, box)
  t.fails(result, codes, what)
  t.ok('pwn' not in t.lab.ruleset(), f'{what}: injected')
  if result.rc == 0 or box.has_link():
    t.cni.delete(net, box)
  if box.has_link():
    box.sh('ip link del eth0')


@case(71, 'hostPort 0, -1, 65536, 70000 or containerPort 0: code 7')
def port_numbers(t):
  for outer in (0, -1, 65536, 70000):
    _refused(t, [t.cni.port(outer)], 7, f'hostPort {outer}')
  for inner in (0, -1, 65536):
    _refused(t, [t.cni.port(8080, inner)], 7, f'containerPort {inner}')
  t.eq(t.lab.traces('70000', '203.0.113.2'), [], 'traces')


@case(72, 'protocol in any case is accepted; icmp, nothing or an injection: code 7')
def protocols(t):
  box = t.box('a')
  net = t.cni.net(ports=[t.cni.port(8080, 80, 'TCP'), t.cni.port(5353, 53, 'Udp')])
  result = t.cni.add(net, box)
  if t.added(result, 'TCP and Udp', stop=False):
    box.serve('tcp', 80)
    box.serve('udp', 53)
    t.reaches(t.lab.out, t.lab.V4, 8080, 'a', 'TCP')
    t.reaches(t.lab.out, t.lab.V4, 5353, 'a', 'Udp', 'udp')
    t.quiet(t.cni.delete(net, box, result.doc))
  for proto in ('icmp', '', 'tcp; add table ip pwn', 'tcp\nadd table ip pwn', '6', ' tcp'):
    _refused(t, [t.cni.port(8080, 80, proto)], 7, f'protocol {proto!r}')


@case(73, 'hostIP: 0.0.0.0 is IPv4 only, :: IPv6 only, loopback stays on the host, junk is code 7')
def host_ip(t):
  box, out, host = t.box('a'), t.lab.out, t.lab
  def published(where):
    net = t.cni.net(ports=[t.cni.port(8080, 80, 'tcp', where)])
    result = t.cni.add(net, box)
    t.added(result, where, stop=False)
    return net, result
  server = None
  for where, good, bad in (('0.0.0.0', host.V4, host.V6), ('::', host.V6, host.V4), ('', host.V4, None),
                           (host.V4B, host.V4B, host.V4)):
    net, result = published(where)
    if result.rc == 0:
      server = server or box.serve('tcp', 80)
      t.reaches(out, good, 8080, 'a', f'hostIP {where!r}')
      if where == '':
        t.reaches(out, host.V6, 8080, 'a', f'hostIP {where!r}')
      if bad:
        t.unreachable(out, bad, 8080, f'hostIP {where!r}')
    t.quiet(t.cni.delete(net, box, result.doc if result.rc == 0 else None), where)
  # A neighbour that sends packets for 127.0.0.1 and ::1 down the wire.
  out.sh('sysctl -qw net.ipv4.conf.eth0.route_localnet=1 net.ipv4.conf.all.route_localnet=1; ip link set lo down; '
         'ip route add 127.0.0.1/32 via 198.51.100.1; ip -6 route add ::1/128 via 2001:db8:1::1 || true')
  for where in ('127.0.0.1', '::1'):
    net, result = published(where)
    if result.rc == 0:
      server = server or box.serve('tcp', 80)
      t.reaches(host, where, 8080, 'a', f'hostIP {where}')
      for address in (host.V4, host.V6, where):
        t.unreachable(out, address, 8080, f'hostIP {where}')
    t.quiet(t.cni.delete(net, box, result.doc if result.rc == 0 else None), where)
  net = t.cni.net('scoped', ports=[t.cni.port(8080, 80, 'tcp', 'fe80::1%eth0')])
  result = t.cni.add(net, t.box('s'))
  if result.rc != 0:
    t.fails(result, 7, 'fe80::1%eth0')
  else:
    t.unreachable(host, host.V6, 8080, 'fe80::1%eth0')
  t.cni.delete(net, t.box('s'))
  for where in ('not-an-ip', '203.0.113', '1.2.3.4/24', 'localhost', '198.51.100.1; drop', ':::'):
    _refused(t, [t.cni.port(8080, 80, 'tcp', where)], 7, f'hostIP {where!r}')


@case(74, "host port of another container: code 100 with its owner; again by the same: fine; of a host's program: 100")
def taken(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  one, two = t.box('owner74'), t.box('b')
  first = _up(t, net, one)
  t.fails(t.cni.add(net, two), 100, 'held by another', 'owner74')
  t.reaches(t.lab.out, t.lab.V4, 8080, 'owner74', 'after the try')
  t.cni.delete(net, two)
  t.reaches(t.lab.out, t.lab.V4, 8080, 'owner74', "after the loser's DEL")
  last = len(net.plugins) - 1
  prev = first.doc if last else None
  again = t.cni.call('ADD', net, one, last, prev)
  if t.added(again, 'the same again', stop=False):
    t.eq(again.doc.get('ips'), first.doc.get('ips'), 'the same again: ips')
  t.reaches(t.lab.out, t.lab.V4, 8080, 'owner74', 'after the same again')
  server = t.lab.serve('tcp', 8090)
  net = t.cni.net('third', ports=[t.cni.port(8090)], bridge='br-web')
  t.fails(t.cni.add(net, t.box('c')), 100, "held by a program of the host")
  t.cni.delete(net, t.box('c'))
  t.reaches(t.lab.out, t.lab.V4, 8090, 'host', "the host's program")
  # A runtime that binds the ports itself asks for them all the same.
  net.plugins[-1]['portPolicy'] = 'steal'
  result = _up(t, net, t.box('c'), 'policy steal')
  t.reaches(t.lab.out, t.lab.V4, 8090, 'c', 'policy steal')
  t.quiet(t.cni.check(net, t.box('c'), result.doc), 'policy steal: CHECK')
  t.fails(t.cni.add(net, t.box('d')), 100, 'policy steal: held by another container', 'c')
  t.cni.delete(net, t.box('d'))
  t.quiet(t.cni.delete(net, t.box('c'), result.doc), 'policy steal: DEL')
  t.reaches(t.lab.out, t.lab.V4, 8090, 'host', "the host's program again")
  t.lab.end(server)


@case(75, 'tcp and udp of one number, one number on two host addresses: all fine')
def side_by_side(t):
  wants = (('a', t.cni.port(8080, 80, 'tcp', t.lab.V4), t.lab.V4, 'tcp'),
           ('b', t.cni.port(8080, 80, 'tcp', t.lab.V4B), t.lab.V4B, 'tcp'),
           ('c', t.cni.port(8080, 80, 'udp'), t.lab.V4, 'udp'))
  for name, port, _, proto in wants:
    _up(t, t.cni.net(ports=[port]), t.box(name), name, ((proto, 80),))
  for name, _, address, proto in wants:
    t.reaches(t.lab.out, address, 8080, name, name, proto)


@case(76, 'a host address and the wildcard of another container on one port: code 100')
def shadow(t):
  _up(t, t.cni.net(ports=[t.cni.port(8080, 80, 'tcp', t.lab.V4)]), t.box('first76'))
  net = t.cni.net(ports=[t.cni.port(8080)])
  t.fails(t.cni.add(net, t.box('b')), 100, 'wildcard second', 'first76')
  t.cni.delete(net, t.box('b'))
  t.reaches(t.lab.out, t.lab.V4, 8080, 'first76', 'the first')
  _up(t, t.cni.net(ports=[t.cni.port(8081)]), t.box('wild76'), servers=())
  net = t.cni.net(ports=[t.cni.port(8081, 80, 'tcp', t.lab.V4)])
  t.fails(t.cni.add(net, t.box('b')), 100, 'wildcard first', 'wild76')
  t.cni.delete(net, t.box('b'))
  # Whoever allows it says so; whoever does not, says that.
  net.plugins[-1]['allowShadow'] = True
  result = t.cni.add(net, t.box('b'))
  if result.rc != 0:
    t.fails(result, 2, 'allowShadow', 'allowShadow')


@case(77, '5,000 ports in one ADD: one transaction, less than 150 ms')
def five_thousand(t):
  ports = [t.cni.port(10000 + n, 20000 + (n * 7) % 5000) for n in range(5000)]
  _up(t, t.cni.net(ports=[t.cni.port(8080)]), t.box('before'))
  net, box = t.cni.net(ports=ports), t.box('a')
  prev, last = None, len(net.plugins) - 1
  for index in range(last):
    result = t.cni.call('ADD', net, box, index, prev)
    t.added(result)
    prev = result.doc
  before = t.lab.generation()
  result = t.cni.call('ADD', net, box, last, prev, timeout=40)
  t.added(result)
  n = t.lab.generation() - before
  # The guard of a new interface may be a transaction of its own.
  t.ok(n <= 2, f'{n} transactions')
  t.in_time(result.seconds, 0.150, 'ADD')
  box.serve('tcp', 20000 + 4999 * 7 % 5000)
  t.reaches(t.lab.out, t.lab.V4, 14999, 'a', 'the last port')
  t.quiet(t.cni.delete(net, box, result.doc, timeout=60))
  t.unreachable(t.lab.out, t.lab.V4, 14999, 'after DEL')


@case(78, 'overlapping port ranges: code 100')
def overlap(t):
  run = lambda first, n, inner: [t.cni.port(first + i, inner + i) for i in range(n)]
  _refused(t, [t.cni.port(8080, 80), t.cni.port(8080, 81)], 100, 'one port twice in one list')
  _up(t, t.cni.net(ports=run(8000, 100, 3000)), t.box('first78'), servers=(('tcp', 3050),))
  for first, n, what in ((8099, 10, 'at the end'), (7990, 11, 'at the start'), (8040, 20, 'inside'),
                         (7990, 200, 'around')):
    net = t.cni.net(ports=run(first, n, 5000))
    t.fails(t.cni.add(net, t.box('b')), 100, what, 'first78')
    t.cni.delete(net, t.box('b'))
  t.reaches(t.lab.out, t.lab.V4, 8050, 'first78', 'the first')


@case(79, 'results of 0.1.0, 0.2.0, 0.3.x, 0.4.0, 1.0.0 and 1.1.0 fit their schemas')
def schemas(t):
  for version in ('0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'):
    dns = {'nameservers': ['203.0.113.53'], 'search': ['example.org']}
    net = t.cni.net(version=version, dns=dns, ports=[t.cni.port(8080)] if version >= '0.3.0' else None)
    box = t.box('v' + version.replace('.', ''))
    result = t.cni.add(net, box)
    if not t.added(result, version, stop=False):
      continue
    for problem in check_result(version, result.doc):
      t.no(f'{version}: {problem}')
    if version >= '0.3.0':
      t.eq(len(result.ips()), 2, f'{version}: ips')
      names = [i['name'] for i in result.doc.get('interfaces') or []]
      t.ok('eth0' in names and 'br-web' in names and len(names) == 3, f'{version}: interfaces {names}')
    else:
      t.ok('ip4' in result.doc and 'ip6' in result.doc, f'{version}: one family of {sorted(result.doc)}')
      t.ok((result.doc.get('ip4') or {}).get('routes'), f'{version}: no routes in ip4')
    t.quiet(t.cni.delete(net, box, result.doc if version >= '0.3.0' else None), version)


@case(80, "no masquerading towards another bridge's container when noMasq holds its subnet")
def no_masquerade(t):
  one = t.cni.net('one', noMasq=[OTHER4, OTHER6])
  two = t.cni.net('two', ipam=t.cni.ipam(OTHER4, OTHER6))
  a, b = t.box('a'), t.box('b')
  first = _up(t, one, a, 'one', ())
  second = _up(t, two, b, 'two')
  for family in (4, 6):
    t.eq(t.reaches(a, second.ip(family), 80, 'b', f'IPv{family}'), first.ip(family), f'IPv{family}: address seen')
  t.lab.out.serve('tcp', 81, word='out')
  t.eq(t.reaches(a, t.lab.OUT4, 81, 'out', 'outside'), t.lab.V4, 'address seen outside')

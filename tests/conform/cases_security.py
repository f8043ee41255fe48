# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 110 to 116: hostile values, and hostile containers."""
import os
import select
import socket
import struct
import time

from case import case
from cni import GW4, GW6, Net
from lab import MS_BIND, mount, sh

EVIL = ('"; add table ip pwn; #', 'x" ; add table ip pwn', "x'; nft add table ip pwn; '", 'x\nadd table ip pwn\n',
        '{ type filter hook input priority 0; }', '$(nft add table ip pwn)', '`nft add table ip pwn`', 'a\\', '\\"',
        'x; flush ruleset', '@pwn', '* ', 'a\tb', 'x\u2028y', '-h', '--help')


@case(110, 'quotes, semicolons, newlines, braces, dollars, backslashes: code 7, or safely quoted')
def injection(t):
  t.added(t.cni.add(t.cni.net('first', ports=[t.cni.port(9999)], ipam=t.cni.ipam('192.0.2.0/24')), t.box('first')))
  rules = t.lab.ruleset()
  t.need(rules, 'no rules')
  box = t.box('a')
  for evil in EVIL:
    for what, net in (('name', t.cni.net(name=evil, bridge='br-x')), ('bridge', t.cni.net(bridge=evil)),
                      ('comment', t.cni.net(comment=evil)), ('dns', t.cni.net(dns={'domain': evil, 'search': [evil]})),
                      ('route', t.cni.net(ipam=t.cni.ipam() | {'routes': [{'dst': evil}]})),
                      ('ipMasqBackend', t.cni.net(ipMasqBackend=evil)), ('alias', t.cni.net(aliases=[evil]))):
      if what == 'alias':
        net.plugins[0]['runtimeConfig'] = {'aliases': [evil]}
      result = t.cni.call('ADD', net, box)
      if result.rc == 0:
        t.ok(what in ('comment', 'dns', 'ipMasqBackend', 'alias'), f'{what} {evil!r} is accepted')
      elif result.code is None or result.rc < 0 or result.n_docs != 1:
        t.no(f'{what} {evil!r}: {result.say()}')
      else:
        t.ok(result.code in (2, 4, 6, 7), f'{what} {evil!r}: code {result.code}')
      if box.has_link():
        t.cni.call('DEL', net, box)
        box.sh('ip link del eth0 2>/dev/null || true')
  now = t.lab.ruleset()
  t.ok('pwn' not in now, 'a table was injected')
  t.ok('192.0.2.2' in now, "the first one's rules are gone")


@case(111, 'dataDir /etc, a link in place of the lease folder or of a lease: nothing is written through, code 5')
def links(t):
  victim = t.lab.write('/run/t/victim', 'precious')
  elsewhere = '/run/t/elsewhere'
  os.mkdir(elsewhere)
  sh('mkdir /run/t/upper /run/t/work')
  mount('overlay', '/etc', 'overlay', 0, 'lowerdir=/etc,upperdir=/run/t/upper,workdir=/run/t/work')
  net, box = t.cni.net(), t.box('box111')
  result = t.cni.call('ADD', net.but(ipam=t.cni.ipam(dataDir='/etc')), box)
  # Leases that are kept elsewhere anyway do no harm.
  t.eq(os.listdir('/run/t/upper'), [], 'dataDir /etc: made in /etc')
  if result.rc != 0:
    t.fails(result, (5, 7), 'dataDir /etc')
  t.cni.call('DEL', net.but(ipam=t.cni.ipam(dataDir='/etc')), box)
  # A lease is replaced by a link to a file of somebody else's.
  result = t.cni.call('ADD', net, box)
  t.added(result)
  replaced = 0
  for path, what in t.lab.files().items():
    if what.startswith(('file', 'link')) and ('box111' in what or '203.0.113.2' in path) and 'last_reserved' not in path:
      os.unlink(path)
      os.symlink(victim, path)
      replaced += 1
  t.ok(replaced, 'no lease or record was found')
  for command in ('DEL', 'ADD', 'DEL', 'ADD'):
    done = t.cni.call(command, net, box)
    t.ok(done.rc == 0 or done.code in (5, 7, 101, 102, 999), f'{command} over links: {done.say()}')
  with open(victim, encoding='ascii') as file:
    t.eq(file.read(), 'precious', 'the file behind the links')
  # The state folder is a link to somewhere else.
  t.cni.call('DEL', net, box)
  box.sh('ip link del eth0 2>/dev/null || true')
  tops = [p for p in ('/run/netd', '/var/lib/cni', '/var/lib/cni/networks', '/var/lib/cni/networks/web')
          if os.path.lexists(p)]
  for top in tops or ['/run/netd']:
    sh(f'rm -rf {top} && ln -s {elsewhere} {top}')
    result = t.cni.call('ADD', net, t.box('box' + top.replace('/', '')[:8] + str(len(top))))
    t.fails(result, 5, f'{top} is a link')
    t.eq(os.listdir(elsewhere), [], f'{top} is a link: made behind it')
    sh(f'rm -rf {top} {elsewhere}; mkdir {elsewhere}')


@case(112, 'sysctls outside net or with a newline: code 7')
def sysctls(t):
  for name in ('core_pattern', 'panic'):
    mount(t.lab.write(f'/run/t/{name}', 'as it was'), f'/proc/sys/kernel/{name}', None, MS_BIND)
  net, box = t.cni.net(), t.box('a')
  base = t.cni.call('ADD', net, box)
  t.added(base)
  def tune(sysctl, command='ADD'):
    net.plugins[1:] = [{'type': 'tuning', 'sysctl': sysctl}]
    return t.cni.call(command, net, box, 1, base.doc)
  for key, value in (('../../kernel/core_pattern', 'x'), ('net/../kernel/x', 'x'), ('kernel.panic', '7'),
                     ('net/../../proc/sys/kernel/panic', '7'), ('/proc/sys/kernel/panic', '7'), ('net', '1'), ('', '1'),
                     ('net..ipv4', '1'), ('net.ipv4.conf.eth0.arp_filter', '1\n0'), ('vm.swappiness', '1'),
                     ('net.ipv4/../../kernel/x', '1'), ('net.no.such', '1')):
    t.fails(tune({key: value}), (7,) if 'such' not in key else (5, 7, 999), f'{key!r} = {value!r}')
    t.cni.call('DEL', net, box, 1, base.doc)
  for name in ('core_pattern', 'panic'):
    with open(f'/proc/sys/kernel/{name}', encoding='ascii') as file:
      t.eq(file.read(), 'as it was', f'kernel.{name}')
  host = sh('cat /proc/sys/net/core/somaxconn').strip()
  if t.added(tune({'net.core.somaxconn': '517'}), 'net.core.somaxconn', stop=False):
    t.eq(box.sh('cat /proc/sys/net/core/somaxconn').strip(), '517', 'net.core.somaxconn inside')
    t.eq(sh('cat /proc/sys/net/core/somaxconn').strip(), host, 'net.core.somaxconn of the host')


@case(113, 'a multicast or all-zero MAC address: code 7')
def macs(t):
  net, box = t.cni.net(), t.box('a')
  for mac in ('01:00:5e:00:00:01', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01', 'x', '02:00:00:00:00'):
    for what, more in (('runtimeConfig', {'runtimeConfig': {'mac': mac}}), ('args.cni', {'args': {'cni': {'mac': mac}}})):
      t.fails(t.cni.call('ADD', net.but(**more), box), 7, f'{what} {mac}')
      if box.has_link():
        t.cni.call('DEL', net, box)
        box.sh('ip link del eth0 2>/dev/null || true')
  result = t.cni.call('ADD', net.but(runtimeConfig={'mac': '02:00:00:00:00:77'}), box)
  t.added(result, 'a good one')
  t.ok('02:00:00:00:00:77' in box.sh('ip link show eth0'), 'a good one is not set')
  net.plugins.append({'type': 'tuning', 'mac': '01:00:5e:00:00:01'})
  t.fails(t.cni.call('ADD', net, box, 1, result.doc), 7, 'tuning')


# --- frames ----------------------------------------------------------------------------------------

def _sum16(data):
  data += b'\0' * (len(data) % 2)
  total = sum(struct.unpack(f'>{len(data) // 2}H', data))
  while total >> 16:
    total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff


def _mac(text):
  return bytes.fromhex(text.replace(':', ''))


def _ip4(src, dst, sport, dport, payload):
  udp = struct.pack('>HHHH', sport, dport, 8 + len(payload), 0) + payload
  head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(src),
                     socket.inet_aton(dst))
  return head[:10] + struct.pack('>H', _sum16(head)) + head[12:] + udp


def _ip6(src, dst, proto, body):
  s, d = (socket.inet_pton(socket.AF_INET6, a) for a in (src, dst))
  total = _sum16(s + d + struct.pack('>IHBB', len(body), 0, 0, proto) + body)
  at = 2 if proto == 58 else 6
  body = body[:at] + struct.pack('>H', total) + body[at + 2:]
  return struct.pack('>IHBB', 6 << 28, len(body), proto, 255) + s + d + body


def _udp6(src, dst, payload):
  return _ip6(src, dst, 17, struct.pack('>HHHH', 1000, 2000, 8 + len(payload), 0) + payload)


def _frames(a, b):
  """{what: (frame, mark)}: all but the first are of an impostor. a, b: dicts of mac, ip4, ip6, ll."""
  broad, me, you = b'\xff' * 6, _mac(a['mac']), _mac(b['mac'])
  all_nodes = b'\x33\x33\0\0\0\1'
  ra = struct.pack('>BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + b'\1\1' + me
  na = struct.pack('>BBHI', 136, 0, 0, 0xa0000000) + socket.inet_pton(socket.AF_INET6, GW6) + b'\2\1' + me
  arp = struct.pack('>HHBBH6s4s6s4s', 1, 0x800, 6, 4, 2, me, socket.inet_aton(GW4), you, socket.inet_aton(b['ip4']))
  other = b'\x02\xee\xee\xee\xee\x01'
  return {
    'an honest packet': (you + me + b'\x08\0' + _ip4(a['ip4'], b['ip4'], 1000, 2000, b'MARK-honest'), b'MARK-honest'),
    'an honest IPv6 packet': (you + me + b'\x86\xdd' + _udp6(a['ip6'], b['ip6'], b'MARK-six'), b'MARK-six'),
    'a router advertisement': (all_nodes + me + b'\x86\xdd' + _ip6(a['ll'], 'ff02::1', 58, ra), ra[4:12] + ra[12:]),
    'an advertisement of the gateway': (you + me + b'\x86\xdd' + _ip6(a['ip6'], b['ip6'], 58, na), na[8:]),
    'an ARP reply for the gateway': (you + me + b'\x08\x06' + arp, arp[8:18]),
    'a DHCP offer': (broad + me + b'\x08\0' + _ip4(a['ip4'], '255.255.255.255', 67, 68, b'MARK-dhcp'), b'MARK-dhcp'),
    'a foreign IPv4 source': (you + me + b'\x08\0' + _ip4('203.0.113.222', b['ip4'], 1, 2, b'MARK-src4'), b'MARK-src4'),
    'a foreign IPv6 source': (you + me + b'\x86\xdd' + _udp6('2001:db8:83::222', b['ip6'], b'MARK-src6'), b'MARK-src6'),
    'a foreign source MAC': (you + other + b'\x08\0' + _ip4(a['ip4'], b['ip4'], 1000, 2000, b'MARK-mac'), b'MARK-mac'),
  }


def _who(box, result):
  ll = [line.split()[3].split('/')[0] for line in box.sh('ip -6 -o addr show dev eth0 scope link').splitlines()]
  return {'mac': box.sh('cat /sys/class/net/eth0/address 2>/dev/null; ip -o link show eth0').split('link/ether ')[1]
          .split()[0], 'ip4': result.ip(), 'ip6': result.ip(6), 'll': ll[0] if ll else 'fe80::1'}


@case(114, 'router advertisement, DHCP server, ARP for the gateway, foreign source: dropped when the guard is on')
def guard(t):
  net = t.cni.net(macspoofchk=True)
  a, b = t.box('a'), t.box('b')
  first, second = t.cni.add(net, a), t.cni.add(net, b)
  t.added(first)
  t.added(second)
  time.sleep(0.1)
  frames = _frames(_who(a, first), _who(b, second))
  with b.inside():
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind(('eth0', 0))
  with a.inside():
    mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    mouth.bind(('eth0', 0))
  heard, end = [], time.monotonic() + 30
  def listen(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
      if select.select([ear], [], [], 0.02)[0]:
        heard.append(ear.recv(3000))
  honest = [w for w in frames if 'honest' in w]
  # The network settles: the honest ones are repeated until they pass.
  while time.monotonic() < end and not all(any(frames[w][1] in h for h in heard) for w in honest):
    for what in honest:
      mouth.send(frames[what][0])
    listen(0.05)
  for what in honest:
    t.ok(any(frames[what][1] in h for h in heard), f'{what} does not arrive')
  for _ in range(3):
    for what, (frame, _) in frames.items():
      mouth.send(frame)
    listen(0.1)
  for what, (_, mark) in frames.items():
    if what not in honest:
      t.ok(not any(mark in h for h in heard), f'{what} arrives')
  ear.close()
  mouth.close()


@case(115, 'a container adds an address of its own: it reaches nobody with it')
def own_address(t):
  net = t.cni.net(macspoofchk=True)
  a, b = t.box('a'), t.box('b')
  first, second = t.cni.add(net, a), t.cni.add(net, b)
  t.added(first)
  t.added(second)
  b.serve('tcp', 80)
  t.lab.serve('tcp', 81)
  for family, added, server in ((4, '203.0.113.99/24', t.lab.V4), (6, '2001:db8:83::99/64', t.lab.V6)):
    a.sh(f'ip addr add {added} dev eth0 {"nodad" if family == 6 else ""}')
    for address, port, word in ((second.ip(family), 80, 'b'), (server, 81, 'host')):
      own = [a.ask(address, port, source=first.ip(family)) for _ in range(2)]
      t.ok((word, first.ip(family)) in own, f'IPv{family}: its own address does not reach {address}')
      alien = a.ask(address, port, source=added.split('/')[0], timeout=0.5)
      t.ok(alien is None, f'IPv{family}: it reaches {address} with {added}')


def _broker_net(t, *ports):
  """A network of the host, by its name alone."""
  return Net(t.cni.version, 'default', [{'type': t.cni.kind, 'capabilities': {'portMappings': True},
                                         'runtimeConfig': {'portMappings': list(ports)}}])


def _with_aliases(net, *names):
  plugin = net.plugins[0]
  return Net(net.version, net.name, [{**plugin, 'capabilities': {**plugin['capabilities'], 'aliases': True},
                                      'runtimeConfig': {**plugin['runtimeConfig'], 'aliases': list(names)}}])


def _users(t, net):
  """Two users of the host: one may attach, both have a namespace."""
  alice, bob = 2001, 2002
  t.lab.start_daemon(t.options.daemon, f'allow {alice} default attach,publish range=8000-8099')
  own, others = t.lab.user_box(alice), t.lab.user_box(bob)
  bound = t.lab.bind(others, 'bound')
  caller, other = t.lab.powerless(alice), t.lab.powerless(bob)
  added = t.cni.add(net, own, ident='mine', **caller)
  t.added(added, 'ADD of the user\'s own namespace')
  t.quiet(t.cni.check(net, own, added.doc, ident='mine', **caller), 'CHECK')
  before = t.lab.facts()
  for what, path in (("root's", t.box('a').path), ("another user's", others), ("another user's, bound", bound),
                     ("the host's", '/proc/1/ns/net')):
    codes = (8, 105) if path.startswith('/proc/1/') else 105
    t.fails(t.cni.add(net, path, ident='theirs', **caller), codes, f'a namespace that is {what}')
    t.same(before, f'a namespace that is {what}')
  t.fails(t.cni.add(net, others, ident='his', **other), 105, 'a user that no rule names')
  t.fails(t.cni.add(_broker_net(t, t.cni.port(22)), own, ident='more', ifname='eth1', **caller), 105,
          'a port that policy does not give')
  t.quiet(t.cni.delete(net, own, ident='mine', **other), "DEL of another's name")
  t.same(before, 'refused, or of nothing')
  t.fails(t.cni.check(net, others, added.doc, ident='mine', **other), 103, "CHECK of another's")
  t.fails(t.cni.add(_broker_net(t, t.cni.port(8082)), own, ident='two', ifname='eth0', **caller), 102,
          'an interface that is there')
  t.fails(t.cni.add(_broker_net(t, t.cni.port(8081), t.cni.port(8080)), own, ident='two', ifname='eth1', **caller),
          100, 'a port that is taken')
  t.fails(t.cni.add(_broker_net(t).but(ipam=t.cni.ipam()), own, ident='two', ifname='eth1', **caller), 7,
          'addresses that the network does not have')
  t.fails(t.cni.add(net.but(portPolicy='steal'), own, ident='two', ifname='eth1', **caller), 2, 'not holding a port')
  t.fails(t.cni.add(_with_aliases(_broker_net(t), *(f'n{i}' for i in range(17))), own, ident='two', ifname='eth1',
                    **caller), 104, 'more aliases than the daemon takes')
  t.fails(t.cni.add(net.but(vlan=5), own, ident='two', ifname='eth1', **caller), 2, 'what the daemon does not do')
  # Where a search for a free address goes on belongs to nobody.
  before = {line for line in t.lab.facts() if '/cursors/' in line} | \
      {line for line in before if '/cursors/' not in line}
  t.same(before, 'refused, or undone')
  t.quiet(t.cni.gc(net, [('mine', 'eth0')], **caller), 'GC that keeps')
  t.same(before, 'GC that keeps')
  t.quiet(t.cni.gc(net, [], **caller), 'GC that keeps nothing')
  t.fails(t.cni.check(net, own, added.doc, ident='mine', **caller), 103, 'CHECK after it')
  t.quiet(t.cni.delete(net, own, ident='mine', **caller), 'DEL')


@case(116, "an unprivileged caller over the socket with someone else's namespace: code 105")
def broker(t):
  net = _broker_net(t, t.cni.port(8080))
  if not t.options.daemon:
    t.later('there is no daemon here (--daemon)')
    return
  box = t.box('b')
  before = t.lab.facts()
  t.fails(t.cni.add(net, box, **t.lab.powerless()), 105, 'without privilege and without the daemon', 'netd')
  t.same(before, 'without the daemon')
  if t.lab.has_users():
    _users(t, net)
  else:
    t.note('one user alone here, who is root of his namespace: only that without the daemon nothing is made')

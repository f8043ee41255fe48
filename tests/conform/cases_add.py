# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 33 to 49 and 66 to 69: namespaces, interfaces, bridges, many at once, killed anywhere."""
import os
import random
import signal
import subprocess
import time

from case import case
from cni import GW4, SUBNET4
from lab import CLONE_NEWNET, sh, unshare, until


@case(33, "CNI_NETNS is the plugin's own: code 8, nothing created")
def own_netns(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  t.lab.write('/run/t/x', '')
  sh('touch /run/netns/self; mount --bind /proc/self/ns/net /run/netns/self')
  before = t.lab.facts()
  for path in ('/proc/self/ns/net', '/run/netns/self'):
    t.fails(t.cni.add(net, path, ident='a'), 8, path)
    t.same(before, path)
  t.ok('br-web' not in t.lab.host_links(), 'the bridge was made')


@case(34, 'the same with CNI_NETNS_OVERRIDE=1: allowed')
def own_netns_override(t):
  net = t.cni.net()
  for word in ('1', 'TRUE'):
    env = {'CNI_NETNS_OVERRIDE': word}
    result = t.cni.call('ADD', net, '/proc/self/ns/net', ident='a', ifname='eth7', env=env)
    if t.added(result, word, stop=False):
      t.ok('eth7' in t.lab.host_links(), f'{word}: no eth7 on the host')
    t.quiet(t.cni.call('DEL', net, '/proc/self/ns/net', ident='a', ifname='eth7', env=env, prev=result.doc), word)
    t.ok('eth7' not in t.lab.host_links(), f'{word}: eth7 stays')


@case(35, 'CNI_NETNS does not exist: code 3')
def no_netns(t):
  net = t.cni.net()
  links = t.lab.host_links()
  for path in ('/run/netns/none', '/no/such/folder/x', '/proc/999999/ns/net', '/run/netns/' + 'x' * 300):
    t.fails(t.cni.call('ADD', net, path, ident='a'), 3 if len(path) < 255 else (3, 4, 8), path[:40])
  t.eq(t.lab.host_links(), links, 'links')
  t.eq(t.lab.traces('a', '203.0.113.2'), [], 'traces')


@case(36, 'CNI_NETNS is a regular file, a user namespace or a directory: code 8')
def wrong_netns(t):
  net = t.cni.net()
  links = t.lab.host_links()
  t.lab.write('/run/t/file', 'x')
  for path in ('/run/t/file', '/proc/self/ns/user', '/run', '/dev/null', '/proc/self/ns/mnt', '/proc/self/ns/pid'):
    t.fails(t.cni.call('ADD', net, path, ident='a'), 8, path)
  t.eq(t.lab.host_links(), links, 'links')
  t.eq(t.lab.traces('a', '203.0.113.2'), [], 'traces')


@case(37, 'CNI_NETNS is a dangling link: code 3; a FIFO: code 8 without blocking')
def dangling(t):
  net = t.cni.net()
  links = t.lab.host_links()
  os.symlink('/run/t/nothing', '/run/t/link')
  t.fails(t.cni.call('ADD', net, '/run/t/link', ident='a'), 3, 'dangling link')
  os.mkfifo('/run/t/fifo')
  result = t.cni.call('ADD', net, '/run/t/fifo', ident='a', timeout=60)
  t.fails(result, 8, 'FIFO')
  t.ok(result.seconds < 40, 'FIFO: it blocks')
  t.eq(t.lab.host_links(), links, 'links')


@case(38, 'the path is given another namespace meanwhile: one of the two gets all')
def swapped(t):
  one, two = t.box('one'), t.box('two')
  net, path = t.cni.net(), '/run/netns/x'
  os.symlink(one.path, path)
  swapper = os.fork()
  if swapper == 0:
    while True:
      for target in (two.path, one.path):
        os.symlink(target, path + '~')
        os.rename(path + '~', path)
        time.sleep(random.random() / 500)
  for turn in range(15):
    result = t.cni.call('ADD', net, path, ident='x')
    if t.added(result, f'turn {turn}', stop=False):
      have = {b.name: b.addresses() for b in (one, two) if b.has_link()}
      want = sorted(result.ips())
      t.ok(len(have) == 1 and sorted(next(iter(have.values()))) == want, f'turn {turn}: {have}, result {want}')
    os.kill(swapper, signal.SIGSTOP)
    real = next((b for b in (one, two) if b.has_link()), one)
    t.quiet(t.cni.call('DEL', net, real.path, ident='x', prev=result.doc))
    t.ok(not one.has_link() and not two.has_link(), f'turn {turn}: eth0 stays')
    os.kill(swapper, signal.SIGCONT)
  t.lab.end(swapper)


@case(39, '/proc/PID/ns/net of a process that ends during ADD: done, or code 3 and rolled back')
def dying(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  rounds, failed = 20, 0
  for turn in range(rounds):
    pid = os.fork()
    if pid == 0:
      unshare(CLONE_NEWNET)
      time.sleep(60)
      os._exit(0)
    until(2, lambda p=pid: os.readlink(f'/proc/{p}/ns/net') != os.readlink('/proc/self/ns/net'), 0.001)
    call = t.cni.start(net.plugins[0]['type'], 'ADD', net.conf(0), f'/proc/{pid}/ns/net', ident='dying').feed()
    time.sleep(turn * t.options.pace / rounds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    result = call.result()
    if result.rc == 0:
      t.quiet(t.cni.delete(net, '', result.doc, ident='dying'))
    else:
      failed += 1
      t.fails(result, 3, f'turn {turn}')
    t.clean(f'turn {turn}, E={result.rc}', 'dying', '203.0.113.2')
    t.ok(until(3, lambda: not sh('ip -o link show type veth | grep -v "^[0-9]*: eth0" || true').strip()),
         f'turn {turn}: a link stays')
  t.note(f'{failed} of {rounds} failed')


@case(40, 'the interface exists: code 102, it is untouched, no lease and no rule are left')
def exists(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('box40')
  box.sh('ip link add eth0 type veth peer name other; ip addr add 192.0.2.77/24 dev eth0; ip link set eth0 up;'
         'ip link set other up')
  until(5, lambda: 'state UP' in box.sh('ip -o link show eth0'))  # the kernel tells it a little later
  before = box.sh('ip -o link show eth0; ip -o -4 addr show eth0; ip route')
  links = t.lab.host_links()
  t.fails(t.cni.add(net, box), 102, where='eth0')
  t.eq(box.sh('ip -o link show eth0; ip -o -4 addr show eth0; ip route'), before, 'eth0')
  t.eq(t.lab.traces('box40', '203.0.113.2'), [], 'traces')
  t.eq(t.lab.host_links() - links - {'br-web'}, set(), 'new links')


@case(41, 'ADDed twice: the same result; with another configuration: code 102')
def twice(t):
  net, box = t.cni.net(), t.box('a')
  first = t.cni.call('ADD', net, box)
  t.added(first)
  again = t.cni.call('ADD', net, box)
  if t.added(again, 'again', stop=False):
    t.eq(again.doc, first.doc, 'again')
  for what, keys in (('mtu', {'mtu': 1400}), ('ranges', {'ipam': t.cni.ipam('192.0.2.0/24')}), ('bridge', {'bridge': 'br-b'})):
    t.fails(t.cni.call('ADD', net.but(**keys), box), 102, f'another {what}')
  t.eq(sorted(box.addresses()), sorted(first.ips()), 'addresses')
  t.quiet(t.cni.call('DEL', net, box, prev=first.doc))
  t.clean('DEL', '203.0.113.2', boxes=[box])


@case(42, 'the bridge name is taken by a link that is no bridge: code 7')
def no_bridge(t):
  sh('ip link add br-web type veth peer name other')
  before = sh('ip -o link show br-web')
  t.fails(t.cni.call('ADD', t.cni.net(), t.box('a')), 7, where='br-web')
  t.eq(sh('ip -o link show br-web'), before, 'the link')
  t.ok(not t.box('a').has_link(), 'eth0 was made')
  t.eq(t.lab.traces('203.0.113.2'), [], 'traces')


@case(43, 'the bridge has another subnet: code 7 without forceAddress, replaced with it')
def other_subnet(t):
  sh('ip link add br-web type bridge; ip addr add 192.0.2.1/24 dev br-web; ip link set br-web up')
  net = t.cni.net(ipam=t.cni.ipam(SUBNET4))
  t.fails(t.cni.call('ADD', net, t.box('a')), 7, 'without')
  t.ok('192.0.2.1' in sh('ip -o addr show br-web'), 'without: the address is gone')
  t.ok(not t.box('a').has_link(), 'eth0 was made')
  if t.box('a').has_link():
    t.box('a').sh('ip link del eth0')
  t.added(t.cni.call('ADD', net.but(forceAddress=True), t.box('a')), 'with')
  have = sh('ip -o -4 addr show br-web')
  t.ok('192.0.2.1' not in have and GW4 in have, f'with: {have}')


@case(44, 'a bridge name of 16 characters: code 7')
def long_bridge(t):
  for name in ('abcdefghijklmnop', 'a/b', 'a b', '..', 'a:b', 'br%d', 'all', 'a\nb'):
    t.fails(t.cni.call('ADD', t.cni.net(bridge=name), t.box('a')), 7, f'bridge {name!r}')
    if t.box('a').has_link():
      t.box('a').sh('ip link del eth0')
  t.eq(t.lab.traces('203.0.113.2'), [], 'traces')


@case(45, 'mtu 67 or 65536: code 7')
def bad_mtu(t):
  links = t.lab.host_links()
  for mtu in (67, 1, 65536, 100000):
    t.fails(t.cni.call('ADD', t.cni.net(mtu=mtu), t.box('a')), 7, f'mtu {mtu}')
    if t.box('a').has_link():
      t.box('a').sh('ip link del eth0')
  t.eq(t.lab.host_links() - links, set(), 'new links')


@case(46, 'hairpinMode with promiscMode: code 7')
def hairpin_promisc(t):
  t.fails(t.cni.call('ADD', t.cni.net(hairpinMode=True, promiscMode=True), t.box('a')), 7, where='hairpin|promisc')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


def _has_vlan_filtering():
  can = sh('ip link add brprobe type bridge vlan_filtering 1 2>&1 && echo yes; ip link del brprobe 2>/dev/null || true',
           check=False)
  return 'yes' in can


@case(47, 'vlan 0 to 4094 is accepted, a trunk with min > max is code 7')
def vlan(t):
  can = _has_vlan_filtering()
  net = t.cni.net()
  result = t.cni.call('ADD', net.but(vlan=0), t.box('a'))
  t.added(result, 'vlan 0', stop=False)
  t.cni.call('DEL', net, t.box('a'), prev=result.doc)
  for number, keys in enumerate(({'vlan': 1}, {'vlan': 4094}, {'vlanTrunk': [{'id': 100}]})):
    result = t.cni.call('ADD', net.but(**keys), t.box('a'))
    if can:
      t.added(result, str(keys), stop=False)
      if number == 2 and result.rc == 0:
        pvid = [line for line in sh('bridge vlan show').splitlines() if 'PVID' in line]
        t.ok(any(' 1 PVID' in line for line in pvid), f'native VLAN 1 of a trunk: {pvid}')
    else:
      # This kernel cannot: an unsupported field, named with what would help; never a wrong value.
      t.fails(result, 2, f'{keys} on a kernel without VLAN filtering', 'vlan')
    t.cni.call('DEL', net, t.box('a'), prev=result.doc if result.rc == 0 else None)
  for trunk in ([{'minID': 200, 'maxID': 100}], [{'minID': 100}], [{'maxID': 100}], [{'id': 5000}], [{'id': -1}]):
    t.fails(t.cni.call('ADD', net.but(vlanTrunk=trunk), t.box('a')), 7, f'vlanTrunk {trunk}')
    if t.box('a').has_link():
      t.box('a').sh('ip link del eth0')
  if not can:
    t.note('this kernel has no bridge VLAN filtering')


@case(48, 'IPAM together with disableContainerInterface: code 7')
def disabled(t):
  net = t.cni.net()
  t.fails(t.cni.call('ADD', net.but(disableContainerInterface=True), t.box('a')), 7, where='disableContainerInterface')
  t.eq(t.lab.traces('203.0.113.2'), [], 'traces')


@case(49, 'no ipam type: layer 2 only, link up, no addresses in the result')
def layer2(t):
  for name, ipam in (('a', {}), ('b', None)):
    net = t.cni.net(isGateway=None, ipMasq=None).but(ipam=ipam)
    result = t.cni.call('ADD', net, t.box(name))
    if not t.added(result, f'ipam {ipam}', stop=False):
      continue
    t.eq(result.ips(), [], 'ips of the result')
    t.eq(len(result.doc.get('interfaces') or []), 3, 'interfaces of the result')
    t.ok('state UP' in t.box(name).sh('ip -o link show eth0'), 'the link is not up')
    t.eq(t.box(name).addresses(), [], 'addresses')
    t.quiet(t.cni.call('DEL', net, t.box(name), prev=result.doc))
    t.ok(not t.box(name).has_link(), 'eth0 stays')


@case(66, '50 parallel ADDs on an empty host: 50 successes, 50 addresses, one bridge')
def fifty(t):
  net = t.cni.net()
  boxes = [t.box(f'p{n}') for n in range(50)]
  calls = [t.cni.start(t.cni.kind, 'ADD', net.conf(), box).feed() for box in boxes]
  results = [call.result() for call in calls]
  bad = [r for r in results if r.rc != 0 or r.n_docs != 1]
  t.ok(not bad, f'{len(bad)} of 50 failed: {bad[0].say() if bad else ""}')
  t.eq(len({r.ip() for r in results if r.rc == 0}), 50, 'distinct IPv4 addresses')
  t.eq(len({r.ip(6) for r in results if r.rc == 0}), 50, 'distinct IPv6 addresses')
  t.eq(len(sh('ip -o link show type bridge').splitlines()), 1, 'bridges')
  tables = [line for line in t.lab.ruleset().splitlines() if line.startswith('table ')]
  t.eq(len(tables), len(set(tables)), 'tables')
  t.ok(all(sorted(b.addresses()) == sorted(r.ips()) for b, r in zip(boxes, results) if r.rc == 0),
       'addresses inside differ from the results')
  calls = [t.cni.start(t.cni.kind, 'DEL', net.conf(prev=r.doc), b).feed() for b, r in zip(boxes, results)]
  bad = [r for r in (call.result() for call in calls) if r.rc != 0]
  t.ok(not bad, f'{len(bad)} of 50 DELs failed: {bad[0].say() if bad else ""}')
  t.clean('50 DELs', *[r.ip() for r in results[:3] if r.rc == 0], boxes=boxes)


@case(67, 'parallel ADDs of eth0 and eth1 of one container')
def two_interfaces(t):
  one, two = t.cni.net('one'), t.cni.net('two', ipam=t.cni.ipam('192.0.2.0/24', '2001:db8:84::/64'))
  for turn in range(5):
    box = t.box(f'c{turn}')
    calls = [t.cni.start(t.cni.kind, 'ADD', net.conf(), box, ifname=name).feed()
             for net, name in ((one, 'eth0'), (two, 'eth1'))]
    first, second = [call.result() for call in calls]
    t.added(first, f'turn {turn}: eth0')
    t.added(second, f'turn {turn}: eth1')
    t.eq(sorted(box.addresses('eth0')), sorted(first.ips()), 'eth0')
    t.eq(sorted(box.addresses('eth1')), sorted(second.ips()), 'eth1')
    t.quiet(t.cni.call('DEL', one, box, prev=first.doc))
    t.ok(box.has_link('eth1') and not box.has_link('eth0'), 'DEL of eth0 takes eth0 alone')
    t.quiet(t.cni.call('DEL', two, box, prev=second.doc, ifname='eth1'))


@case(68, 'SIGKILL at 20 random points: then DEL or GC leave no lease, link, rule or file')
def killed(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  box = t.box('k')
  first = t.cni.add(net, box)
  t.added(first)
  t.quiet(t.cni.delete(net, box, first.doc))
  rng = random.Random(68)
  ways, bad = {'DEL': 0, 'GC': 0}, 0
  for turn in range(20):
    # The list as a runtime runs it; one SIGKILL somewhere.
    left, prev = rng.random() * t.options.pace * len(net.plugins), None
    for index, plugin in enumerate(net.plugins):
      begin = time.monotonic()
      call = t.cni.start(plugin['type'], 'ADD', net.conf(index, prev), box).feed()
      try:
        call.process.wait(left)
      except subprocess.TimeoutExpired:
        call.process.kill()
      result = call.result()
      if result.rc != 0:
        break
      prev, left = result.doc, max(0.0, left - (time.monotonic() - begin))
    way = 'DEL' if turn % 2 == 0 else 'GC'
    if way == 'DEL':
      good = t.quiet(t.cni.delete(net, box), f'turn {turn}: DEL')
    else:
      good = t.quiet(t.cni.gc(net.as_version('1.1.0'), []), f'turn {turn}: GC')
    good = t.clean(f'turn {turn}: {way}', 'k', *[a.split('/')[0] for a in first.ips()], boxes=[box]) and good
    stray = sh('ip -o link show type veth | grep -v "^[0-9]*: eth0" || true').strip()
    if stray and not until(2, lambda: not sh('ip -o link show type veth | grep -v "^[0-9]*: eth0" || true').strip()):
      good = t.no(f'turn {turn}: {way}: a link stays: {stray[:80]}')
    ways[way] += 1
    if not good:
      bad += 1
      t.cni.delete(net, box, first.doc)
      if bad > 3:
        t.no('and so on')
        break


@case(69, 'prevResult: it is in the result, interfaces are appended, indices are right')
def chained(t):
  box = t.box('a')
  prev = {'cniVersion': t.cni.version, 'interfaces': [{'name': 'ext0'}, {'name': 'net7', 'mac': '02:00:00:00:00:07',
                                                                        'sandbox': box.path}],
          'ips': [{'address': '192.0.2.5/24', 'gateway': '192.0.2.1', 'interface': 1}], 'dns': {}}
  net = t.cni.net()
  result = t.cni.call('ADD', net, box, prev=prev)
  t.added(result)
  names = [i['name'] for i in result.doc.get('interfaces') or []]
  t.eq(names[:2], ['ext0', 'net7'], 'the first interfaces')
  t.ok('192.0.2.5/24' in result.ips(), f'the address of prevResult is gone: {result.ips()}')
  for ip in result.doc.get('ips') or []:
    at = ip.get('interface')
    want = 'net7' if ip['address'].startswith('192.0.2.5') else 'eth0'
    t.ok(isinstance(at, int) and at < len(names) and names[at] == want, f'{ip["address"]} points to interface {at}: {names}')
  t.quiet(t.cni.call('DEL', net, box, prev=result.doc))
  # What is chained after passes on what it was given.
  net = t.cni.net(ports=[t.cni.port(8080)], rates={'ingressRate': 8000000, 'ingressBurst': 800000})
  prev = None
  for index in range(len(net.plugins)):
    result = t.cni.call('ADD', net, t.box('b'), index, prev)
    t.added(result, net.plugins[index]['type'])
    if prev:
      for key in ('ips', 'routes'):
        t.eq(result.doc.get(key), prev.get(key), f'{net.plugins[index]["type"]}: {key}')
      t.eq((result.doc.get('interfaces') or [])[:3], prev.get('interfaces'), f'{net.plugins[index]["type"]}: interfaces')
    prev = result.doc
  t.quiet(t.cni.delete(net, t.box('b'), prev))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 81 to 92: DEL whatever has happened meanwhile."""
import os
import time

from case import case
from cni import SUBNET4
from lab import sh, until


def _up(t, net, box, server=None):
  result = t.cni.add(net, box)
  t.added(result)
  if server:
    box.serve(*server)
  return result


def _addresses(result):
  return [a.split('/')[0] for a in result.ips()]


@case(81, 'namespace gone, CNI_NETNS empty, a regular file in its place: success, lease and rules gone')
def gone(t):
  for number, way in enumerate(('path gone', 'empty', 'regular file', 'empty while it lives')):
    net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box(f'box81{number}')
    result = _up(t, net, box)
    path, name = box.path, box.name
    if way != 'empty while it lives':
      t.lab.box_kill(box)
    if way == 'regular file':
      t.lab.write(path, '')
    where = path if way in ('path gone', 'regular file') else ''
    t.quiet(t.cni.delete(net, where, result.doc, ident=name), way)
    t.clean(way, name, *_addresses(result))
    if way == 'regular file':
      t.ok(os.path.exists(path), f'{way}: the file was removed')


@case(82, 'three DELs in a row: success')
def three(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('box82')
  result = _up(t, net, box)
  for turn in range(3):
    t.quiet(t.cni.delete(net, box, result.doc), f'DEL {turn}')
  t.clean('DEL', 'box82', *_addresses(result), boxes=[box])


@case(83, 'DEL without an ADD before: success, nothing created')
def never(t):
  before = t.lab.facts()
  net = t.cni.net(ports=[t.cni.port(8080)])
  t.quiet(t.cni.delete(net, t.box('a')))
  t.same(before, 'DEL')


@case(84, 'DEL without prevResult: success by what was recorded')
def no_prev(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('box84')
  result = _up(t, net, box)
  t.quiet(t.cni.delete(net, box))
  t.clean('DEL', 'box84', *_addresses(result), boxes=[box])
  t.unreachable(t.lab.out, t.lab.V4, 8080, 'the port')


@case(85, "DEL with another container's prevResult: the other one keeps its address and ports")
def stale(t):
  one, two = t.cni.net(ports=[t.cni.port(8080)]), t.cni.net(ports=[t.cni.port(8081)])
  a, b = t.box('a85'), t.box('b85')
  first, second = _up(t, one, a, ('tcp', 80)), _up(t, two, b, ('tcp', 80))
  t.quiet(t.cni.delete(one, a, second.doc))
  t.clean('DEL of a', 'a85', *_addresses(first), boxes=[a])
  t.reaches(t.lab.out, t.lab.V4, 8081, 'b85', "b's port")
  t.ok(sorted(b.addresses()) == sorted(second.ips()), "b's addresses")
  third = _up(t, t.cni.net(), t.box('c85'))
  t.ok(not set(third.ips()) & set(second.ips()), f"b's address is given again: {third.ips()}")


@case(86, "an address goes from A to B; another DEL of A leaves B's forwards")
def handed_on(t):
  pool = {'subnet': SUBNET4, 'rangeStart': '203.0.113.50', 'rangeEnd': '203.0.113.50'}
  net = t.cni.net(ipam=t.cni.ipam(pool), ports=[t.cni.port(8080)])
  a, b = t.box('a86'), t.box('b86')
  first = _up(t, net, a)
  t.quiet(t.cni.delete(net, a, first.doc))
  _up(t, net, b, ('tcp', 80))
  t.quiet(t.cni.delete(net, a, first.doc), 'the second DEL of a')
  t.reaches(t.lab.out, t.lab.V4, 8080, 'b86', "b's port")
  t.quiet(t.cni.delete(net, b))
  # A dies without any DEL: its address is free for the next.
  c, d = t.box('c86'), t.box('d86')
  third = _up(t, net, c)
  t.lab.box_kill(c)
  result = t.cni.add(net, d)
  if t.added(result, 'ADD after a death', stop=False):
    d.serve('tcp', 80)
    t.reaches(t.lab.out, t.lab.V4, 8080, 'd86', "d's port")
    t.quiet(t.cni.delete(net, '', third.doc, ident='c86'), 'the late DEL of c')
    t.reaches(t.lab.out, t.lab.V4, 8080, 'd86', "d's port after the late DEL")


@case(87, 'bridge or ranges were edited since ADD: success by what ADD recorded')
def edited(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('box87')
  result = _up(t, net, box)
  other = net.but(bridge='br-other', mtu=1400, ipMasq=False, ipam=t.cni.ipam('192.0.2.0/24'))
  t.quiet(t.cni.delete(other, box, result.doc))
  t.clean('DEL', 'box87', *_addresses(result), boxes=[box])
  t.ok('br-other' not in t.lab.host_links(), 'br-other was made')
  result = _up(t, net, box)
  t.quiet(t.cni.delete(net.but(ipam={}), box), 'without ipam')
  t.clean('without ipam', 'box87', *_addresses(result), boxes=[box])


@case(88, 'the rules were flushed by someone: success')
def flushed(t):
  for number, flush in enumerate(('nft flush ruleset', 'for x in $(nft list tables | sed "s/table //;s/ /_/"); do '
                                  'nft flush table $(echo $x | tr _ " "); done')):
    net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box(f'box88{number}')
    result = _up(t, net, box)
    sh(flush)
    t.quiet(t.cni.delete(net, box, result.doc), flush[:17])
    t.clean(flush[:17], box.name, *_addresses(result), boxes=[box])


@case(89, 'delegated IPAM binary removed: own cleanup first, then an error')
def ipam_gone(t):
  path = t.fake_ipam('foreign', '[ $CNI_COMMAND != ADD ] || echo \'{"cniVersion":"1.0.0","ips":[{"address":'
                     '"203.0.113.40/24","gateway":"203.0.113.1"}]}\'')
  net, box = t.cni.net(ipam={'type': 'foreign'}), t.box('box89')
  result = t.cni.add(net, box, env={'CNI_PATH': path})
  t.added(result)
  os.unlink('/run/t/plugins/foreign')
  deleted = t.cni.delete(net, box, result.doc, env={'CNI_PATH': path})
  t.fails(deleted, (7, 999), where='foreign')
  t.ok(not box.has_link(), 'eth0 stays')
  t.eq(t.lab.traces('203.0.113.40'), [], 'traces')


@case(90, 'DEL while an ADD of the same container goes on: waits at most 10 s, then code 11')
def locked(t):
  path = t.fake_ipam('foreign', '[ $CNI_COMMAND != ADD ] || { exec sleep 24; }')
  net, box = t.cni.net(ipam={'type': 'foreign'}), t.box('box90')
  env = {'CNI_PATH': path}
  adding = t.cni.start(t.cni.kind, 'ADD', net.conf(), box, env=env).feed()
  until(5, lambda: t.fake_calls('foreign'))
  result = t.cni.delete(net, box, env=env, timeout=60)
  t.ok(result.seconds <= 22, f'DEL took {result.seconds:.1f} s')
  if result.rc == 0:
    # Whoever does not wait must have stopped the ADD from leaving anything.
    adding.result(120)
    t.clean('both have ended', 'box90', boxes=[box])
    t.ok(result.seconds > 1 or not box.has_link(), 'DEL passed by the ADD')
  else:
    t.fails(result, 11)
    t.ok(result.seconds >= 5, f'code 11 after {result.seconds:.1f} s already')
    adding.result(120)
  t.quiet(t.cni.delete(net, box, env=env), 'DEL afterwards')
  t.clean('DEL afterwards', 'box90', boxes=[box])


@case(91, "UDP flow through the port: its conntrack entry is gone after DEL, the host's next packet goes right")
def udp_flow(t):
  net, box = t.cni.net(ports=[t.cni.port(5353, 53, 'udp')]), t.box('a')
  result = _up(t, net, box, ('udp', 53))
  for address in (t.lab.V4, t.lab.V6):
    for _ in range(4):
      answer = t.lab.out.ask(address, 5353, 'udp', source_port=40000)
      if answer:
        break
    t.ok(answer and answer[0] == 'a', f'before, {address}: {answer}')
  have = [line for line in t.lab.conntrack() if 'dport=5353' in line]
  t.ok(have, 'no conntrack entry before DEL')
  t.quiet(t.cni.delete(net, box, result.doc))
  left = [line for line in t.lab.conntrack() if 'dport=5353' in line and 'udp' in line]
  t.eq(left, [], 'conntrack entries after DEL')
  t.lab.serve('udp', 5353)
  for address in (t.lab.V4, t.lab.V6):
    answer = t.lab.out.ask(address, 5353, 'udp', source_port=40000)
    t.ok(answer and answer[0] == 'host', f'after, {address}: answered by {answer}')


@case(92, "a sibling's conntrack entries are untouched")
def sibling_flow(t):
  one, two = t.cni.net(ports=[t.cni.port(5353, 53, 'udp')]), t.cni.net(ports=[t.cni.port(5354, 53, 'udp')])
  a, b = t.box('a'), t.box('b')
  first = _up(t, one, a, ('udp', 53))
  _up(t, two, b, ('udp', 53))
  t.lab.out.serve('udp', 7000)
  t.lab.out.ask(t.lab.V4, 5353, 'udp', source_port=40000)
  t.lab.out.ask(t.lab.V4, 5354, 'udp', source_port=40001)
  b.ask(t.lab.OUT4, 7000, 'udp', source_port=40002)
  entries = lambda: sorted(' '.join(w for w in line.split() if '=' in w and not w.startswith(('use', 'mark')))
                           for line in t.lab.conntrack() if 'dport=5354' in line or 'dport=7000' in line)
  before = entries()
  t.ok(len(before) >= 2, f'only {len(before)} entries before')
  t.quiet(t.cni.delete(one, a, first.doc))
  t.eq(entries(), before, "the sibling's entries")

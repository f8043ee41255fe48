# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 50 to 65: addresses: delegated plugins, asked ones, pools, IPv6."""
import json

from case import case
from cni import GW4, OTHER4, OTHER6, SUBNET4, SUBNET6
from lab import until
from noipv6 import NoIpv6

IP4 = '203.0.113.40/24'
GOOD = ('{"cniVersion":"%s","ips":[{%s"address":"203.0.113.40/24","gateway":"203.0.113.1"}],'
        '"routes":[{"dst":"0.0.0.0/0"}]}')


def _foreign(t, script, name='foreign', **keys):
  """A network whose addresses come from a script; (net, environment)."""
  path = t.fake_ipam(name, script)
  return t.cni.net(ipam={'type': name}, **keys), {'CNI_PATH': path}


def _nothing(t, box, links, what):
  t.ok(not box.has_link(), f'{what}: eth0 was made')
  t.eq(t.lab.host_links() - links - {'br-web'}, set(), f'{what}: new links')
  if box.has_link():
    box.sh('ip link del eth0')


@case(50, 'ipam.type with a path: code 7')
def ipam_path(t):
  t.lab.write('/run/t/plugins/evil', '#!/bin/sh\ntouch /run/t/ran\n', 0o755)
  box, links = t.box('a'), t.lab.host_links()
  for kind in ('../../bin/sh', '/run/t/plugins/evil', '../t/plugins/evil', '..', 'a/b', 'x\n', '', ' '):
    if kind == '':
      continue  # case 49
    result = t.cni.call('ADD', t.cni.net(ipam={'type': kind}), box, env={'CNI_PATH': '/run/t/plugins'})
    t.fails(result, 7, f'type {kind!r}')
  t.ok('/run/t/ran' not in t.lab.sh('ls /run/t/* -d').split(), 'it was executed')
  _nothing(t, box, links, 'all')


@case(51, 'delegated plugin not in CNI_PATH: code 7 naming the paths')
def not_found(t):
  box, links = t.box('a'), t.lab.host_links()
  net = t.cni.net(ipam={'type': 'nobody'})
  t.fails(t.cni.call('ADD', net, box, env={'CNI_PATH': f'{t.cni.folder}:/run/t/plugins'}), 7, where='nobody.*/run/t/plugins')
  _nothing(t, box, links, 'ADD')


@case(52, "delegated plugin fails with JSON: its code and message are passed up")
def error_passed(t):
  net, env = _foreign(t, '[ $CNI_COMMAND != ADD ] || { echo \'{"cniVersion":"1.0.0","code":123,"msg":"no luck today",'
                      '"details":"moon"}\'; exit 1; }')
  box, links = t.box('a'), t.lab.host_links()
  t.fails(t.cni.call('ADD', net, box, env=env), 123, where='no luck today')
  _nothing(t, box, links, 'ADD')


@case(53, 'delegated plugin fails with junk: code 6 or 999, the junk quoted and cut')
def junk(t):
  net, env = _foreign(t, '[ $CNI_COMMAND != ADD ] || { printf "%s" "Segmentation\tfault \\"x"; '
                      'head -c 300000 /dev/zero | tr "\\0" J; exit 1; }')
  box, links = t.box('a'), t.lab.host_links()
  result = t.cni.call('ADD', net, box, env=env)
  t.fails(result, (6, 999), where='Segmentation')
  t.ok(len(result.out) < 20000, f'{len(result.out)} bytes of output')
  _nothing(t, box, links, 'ADD')


@case(54, "delegated result without ips: code 7 after calling its DEL")
def no_ips(t):
  for number, text in enumerate(('{"cniVersion":"1.0.0"}', '{"cniVersion":"1.0.0","ips":[]}')):
    net, env = _foreign(t, f"[ $CNI_COMMAND != ADD ] || echo '{text}'", f'foreign{number}')
    box, links = t.box(f'b{number}'), t.lab.host_links()
    t.fails(t.cni.call('ADD', net, box, env=env), 7, text)
    t.eq([c for c, _ in t.fake_calls(f'foreign{number}')], ['ADD', 'DEL'], f'{text}: calls')
    _nothing(t, box, links, text)


@case(55, 'delegated result of another version: converted')
def converted(t):
  said = {'0.2.0': '{"cniVersion":"0.2.0","ip4":{"ip":"203.0.113.40/24","gateway":"203.0.113.1",'
                   '"routes":[{"dst":"0.0.0.0/0"}]},"dns":{}}',
          '0.4.0': GOOD % ('0.4.0', '"version":"4",'), '1.0.0': GOOD % ('1.0.0', '')}
  for number, (version, text) in enumerate(said.items()):
    for asked in ('0.4.0', t.cni.version):
      net, env = _foreign(t, f"[ $CNI_COMMAND != ADD ] || echo '{text}'", f'foreign{number}')
      box = t.box(f'v{number}{asked[0]}')
      result = t.cni.call('ADD', net.as_version(asked), box, env=env)
      if not t.added(result, f'{version} for {asked}', stop=False):
        continue
      t.eq(result.doc.get('cniVersion'), asked, 'cniVersion')
      t.eq(result.ips(), [IP4], f'{version} for {asked}: ips')
      t.eq(box.addresses(), [IP4], 'address inside')
      t.eq([r['dst'] for r in result.doc.get('routes') or []], ['0.0.0.0/0'], 'routes')
      t.eq('version' in result.doc['ips'][0], asked == '0.4.0', f'{version} for {asked}: key version')
      t.quiet(t.cni.call('DEL', net.as_version(asked), box, env=env, prev=result.doc))


@case(56, 'delegated plugin hangs: killed after the configured time, code 11, rolled back')
def hangs(t):
  net, env = _foreign(t, '[ $CNI_COMMAND != ADD ] || { sleep 86399 & wait; }', delegateTimeout=1)
  box, links = t.box('a'), t.lab.host_links()
  result = t.cni.call('ADD', net, box, env=env, timeout=60)
  t.fails(result, 11)
  t.ok(result.seconds < 40, f'after {result.seconds:.1f} s')
  _nothing(t, box, links, 'ADD')
  until(5, lambda: not t.lab.sh('pgrep -f "sleep 8639[9]"', check=False).split())  # the kernel ends it when it can
  stays = t.lab.sh('pgrep -f "sleep 8639[9]"', check=False).split()
  t.eq(stays, [], 'processes of the plugin that stay')
  t.eq(t.lab.traces('a', '203.0.113.2'), [], 'traces')


@case(57, 'asked address outside the ranges or the gateway: code 7; taken: 101 with its owner')
def asked(t):
  net, box = t.cni.net(), t.box('a')
  links = t.lab.host_links()
  for ip, code in (('192.0.2.9', 7), (GW4, 7), ('203.0.113.0', 7), ('203.0.113.255', 7), ('2001:db8:99::1', 7)):
    t.fails(t.cni.call('ADD', net, box, env={'CNI_ARGS': f'IgnoreUnknown=1;IP={ip}'}), code, f'IP={ip}')
    _nothing(t, box, links, ip)
  result = t.cni.call('ADD', net, t.box('owner1'), env={'CNI_ARGS': 'IgnoreUnknown=1;IP=203.0.113.99'})
  t.added(result)
  t.ok('203.0.113.99/24' in result.ips(), f'the asked address is not given: {result.ips()}')
  t.fails(t.cni.call('ADD', net, box, env={'CNI_ARGS': 'IgnoreUnknown=1;IP=203.0.113.99'}), 101, 'taken', 'owner1')
  t.ok(not box.has_link(), 'taken: eth0 was made')
  t.quiet(t.cni.call('DEL', net, t.box('owner1'), prev=result.doc))


@case(58, 'IP=1.2.3.4=5 in CNI_ARGS: code 4')
def args_junk(t):
  for args in ('IP=203.0.113.9=5', 'IP', '=x', 'IP=x', 'IP=203.0.113.9;', 'IP=203.0.113.256',
               'IgnoreUnknown=1;MAC=02:00:00:00:00'):
    result = t.cni.call('ADD', t.cni.net(), t.box('a'), env={'CNI_ARGS': args})
    # What hurts nobody may be taken: an empty pair at the end.
    if args.endswith(';') and result.rc == 0:
      t.cni.call('DEL', t.cni.net(), t.box('a'), prev=result.doc)
      continue
    t.fails(result, 4, args, 'CNI_ARGS|IP|MAC')
    if t.box('a').has_link():
      t.cni.call('DEL', t.cni.net(), t.box('a'))


@case(59, 'unknown CNI_ARGS: code 4 without IgnoreUnknown, fine with 1 or true')
def args_unknown(t):
  net, box = t.cni.net(), t.box('a')
  t.fails(t.cni.call('ADD', net, box, env={'CNI_ARGS': 'K8S_POD_NAME=a'}), 4, 'without', 'K8S_POD_NAME')
  if box.has_link():
    t.cni.call('DEL', net, box)
  t.fails(t.cni.call('ADD', net, box, env={'CNI_ARGS': 'IgnoreUnknown=maybe;K8S_POD_NAME=a'}), 4, 'maybe')
  if box.has_link():
    t.cni.call('DEL', net, box)
  t.fails(t.cni.call('ADD', net, box, env={'CNI_ARGS': 'IgnoreUnknown=0;K8S_POD_NAME=a'}), 4, '0')
  for word in ('1', 'true', 'True', 'TRUE'):
    args = f'K8S_POD_NAMESPACE=default;IgnoreUnknown={word};K8S_POD_NAME=a;K8S_POD_INFRA_CONTAINER_ID=' + 'f' * 64
    result = t.cni.call('ADD', net, box, env={'CNI_ARGS': args})
    if t.added(result, f'IgnoreUnknown={word}', stop=False):
      t.quiet(t.cni.call('DEL', net, box, prev=result.doc, env={'CNI_ARGS': args}))


@case(60, 'args.cni.ips beats CNI_ARGS, runtimeConfig.ips beats both')
def precedence(t):
  net, box = t.cni.net(), t.box('a')
  env = {'CNI_ARGS': 'IgnoreUnknown=1;IP=203.0.113.51'}
  args = {'args': {'cni': {'ips': ['203.0.113.52']}}}
  run = {'runtimeConfig': {'ips': ['203.0.113.53/24']}}
  for what, more, variables, want in (('CNI_ARGS', {}, env, '203.0.113.51'), ('args.cni', args, {}, '203.0.113.52'),
                                      ('runtimeConfig', run, {}, '203.0.113.53'),
                                      ('args.cni over CNI_ARGS', args, env, '203.0.113.52'),
                                      ('runtimeConfig over CNI_ARGS', run, env, '203.0.113.53'),
                                      ('runtimeConfig over all', args | run, env, '203.0.113.53')):
    result = t.cni.call('ADD', net.but(**more), box, env=variables)
    if not t.added(result, what, stop=False):
      continue
    t.eq(result.ip(), want, what)
    t.ok(result.ip(6), f'{what}: no IPv6 address from its set')
    t.quiet(t.cni.call('DEL', net, box, prev=result.doc, env=variables))


@case(61, 'subnets and ranges that make no sense: code 7')
def bad_ranges(t):
  box, links = t.box('a'), t.lab.host_links()
  bad = [[[{'subnet': s}]] for s in ('203.0.113.0/31', '203.0.113.4/32', '203.0.113.7/24', 'x', '203.0.113.0', '',
                                     '203.0.113.0/33', '2001:db8::/128', '2001:db8::1/64', '203.0.113.0/-1')]
  bad += [[[{'subnet': SUBNET4}], [{'subnet': '203.0.113.128/25'}]],
          [[{'subnet': SUBNET4}, {'subnet': '203.0.113.128/25'}]],
          [[{'subnet': SUBNET4, 'gateway': '192.0.2.1'}]],
          [[{'subnet': SUBNET4, 'gateway': 'x'}]],
          [[{'subnet': SUBNET4, 'rangeStart': '203.0.113.50', 'rangeEnd': '203.0.113.40'}]],
          [[{'subnet': SUBNET4, 'rangeStart': '192.0.2.50'}]],
          [[{'subnet': SUBNET4, 'rangeEnd': '192.0.2.50'}]],
          [[{'subnet': SUBNET4}, {'subnet': SUBNET6}]], [[]]]
  for ranges in bad:
    net = t.cni.net(ipam=t.cni.ipam() | {'ranges': ranges, 'routes': []})
    result = t.cni.call('ADD', net, box)
    t.fails(result, 7, json.dumps(ranges))
    if box.has_link():
      t.cni.call('DEL', net, box)
      box.sh('ip link del eth0 2>/dev/null || true')
  t.eq(t.lab.host_links() - links - {'br-web'}, set(), 'new links')


@case(62, 'two IPv4 sets with cniVersion 0.2.0: code 7')
def two_sets(t):
  net = t.cni.net(version='0.2.0', ipam=t.cni.ipam(SUBNET4, '192.0.2.0/24'))
  t.fails(t.cni.call('ADD', net, t.box('a')), 7)
  t.ok(not t.box('a').has_link(), 'eth0 was made')
  t.eq(t.lab.traces('203.0.113.2', '192.0.2.2'), [], 'traces')


@case(63, 'the last free address is given; the next ADD is 101 and leaves no eth0')
def exhausted(t):
  pool = {'subnet': SUBNET4, 'rangeStart': '203.0.113.10', 'rangeEnd': '203.0.113.11'}
  net = t.cni.net(ipam=t.cni.ipam(pool))
  first = t.cni.call('ADD', net, t.box('a'))
  t.added(first)
  second = t.cni.call('ADD', net, t.box('b'))
  t.added(second, 'the last address')
  t.eq({first.ip(), second.ip()}, {'203.0.113.10', '203.0.113.11'}, 'addresses')
  for turn in range(2):
    t.fails(t.cni.call('ADD', net, t.box('c')), 101, f'try {turn}')
    t.ok(not t.box('c').has_link(), f'try {turn}: eth0 stays')
  t.quiet(t.cni.call('DEL', net, t.box('a'), prev=first.doc))
  result = t.cni.call('ADD', net, t.box('c'))
  if t.added(result, 'after a DEL', stop=False):
    t.eq(result.ip(), first.ip(), 'after a DEL')


@case(64, 'dual stack: both families in order, IPv6 usable at return, in less than 20 ms')
def dual(t):
  for name, subnets in (('a', (SUBNET4, SUBNET6)), ('b', (OTHER6, OTHER4))):
    net = t.cni.net('n' + name, ipam=t.cni.ipam(*subnets), bridge='br-' + name)
    # One stays: what the first container of a host costs is measured elsewhere.
    t.added(t.cni.call('ADD', net, t.box(name + 'first')))
    times = []
    for turn in range(5):
      box = t.box(f'{name}{turn}')
      result = t.cni.call('ADD', net, box)
      tentative = box.sh('ip -6 -o addr show dev eth0 scope global tentative')
      t.added(result)
      times.append(result.seconds)
      t.eq([':' in a for a in result.ips()], [':' in s for s in subnets], 'order of families')
      t.eq(tentative, '', 'tentative at return')
      t.eq(sorted(box.addresses()), sorted(result.ips()), 'addresses inside')
      if turn == 0:
        server = box.serve('tcp', 80)
        t.ok(t.lab.ask(result.ip(6), 80, at_once=True), 'the first IPv6 connection fails')
        t.lab.end(server)
      t.quiet(t.cni.call('DEL', net, box, prev=result.doc))
    t.in_time(sorted(times)[len(times) // 2], 0.020, 'ADD, median')


@case(65, 'a kernel without IPv6: an IPv4 configuration works, one with IPv6 is code 7')
def without_ipv6(t):
  def run(command, net, box, prev=None):
    watch = NoIpv6()
    conf = net.conf(prev=prev)
    result = t.cni.start(net.plugins[0]['type'], command, conf, box, preexec_fn=watch.enter).result()
    watch.end()
    return result
  net = t.cni.net(ipam=t.cni.ipam(SUBNET4))
  result = run('ADD', net, t.box('a'))
  t.added(result, 'IPv4', stop=False)
  if result.rc == 0:
    server = t.box('a').serve('tcp', 80)
    t.reaches(t.lab, result.ip(), 80, 'a', 'IPv4')
    t.lab.end(server)
    t.quiet(run('DEL', net, t.box('a'), result.doc))
  t.fails(run('ADD', t.cni.net('six', bridge='br-six'), t.box('b')), 7, 'with IPv6', 'IPv6')
  t.ok(not t.box('b').has_link(), 'eth0 was made')

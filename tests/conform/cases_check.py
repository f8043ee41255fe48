# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 93 to 98: CHECK."""
from case import case
from lab import sh


def _up(t, name='a', **keys):
  net, box = t.cni.net(ports=[t.cni.port(8080)], **keys), t.box(name)
  result = t.cni.add(net, box)
  t.added(result)
  t.quiet(t.cni.check(net, box, result.doc), 'CHECK of a healthy one')
  return net, box, result.doc


@case(93, 'CHECK with cniVersion 0.3.1: code 1')
def old(t):
  net, box = t.cni.net(version='0.3.1'), t.box('a')
  result = t.cni.add(net, box)
  t.added(result)
  t.fails(t.cni.check(net, box, result.doc), 1)


@case(94, 'CHECK without prevResult: code 7')
def no_prev(t):
  net, box = t.cni.net(), t.box('a')
  t.added(t.cni.add(net, box))
  t.fails(t.cni.check(net, box, None), 7, where='prevResult')


def _host_veth(doc):
  return next(i['name'] for i in doc['interfaces'] if 'sandbox' not in i and not i['name'].startswith('br-'))


@case(95, 'what is missing or changed: code 103 naming it')
def broken(t):
  def address(net, box, doc):
    box.sh('ip addr del ' + doc['ips'][0]['address'] + ' dev eth0')
    return doc['ips'][0]['address'].split('/')[0].replace('.', r'\.')
  def down(net, box, doc):
    box.sh('ip link set eth0 down')
    return 'eth0|down'
  def host_down(net, box, doc):
    sh(f'ip link set {_host_veth(doc)} down')
    return _host_veth(doc) + '|down'
  def moved(net, box, doc):
    sh(f'ip link set {_host_veth(doc)} nomaster')
    return _host_veth(doc) + '|br-'
  def route(net, box, doc):
    box.sh('ip route del default')
    return 'route|default'
  def rule(net, box, doc):
    _cut_port(t)
    return '8080|publish|dnat|port|rule|table'
  def lease(net, box, doc):
    if not _steal(t, doc['ips'][0]['address'].split('/')[0], box.name):
      t.no('no lease was found in a file')
    return 'lease|claim|address|' + doc['ips'][0]['address'].split('/')[0]
  def gone(net, box, doc):
    box.sh('ip link del eth0')
    return 'eth0|link|veth'
  for number, harm in enumerate((address, down, host_down, moved, route, rule, lease, gone)):
    net, box, doc = _up(t, f'box95{number}')
    named = harm(net, box, doc)
    t.fails(t.cni.check(net, box, doc), 103, harm.__name__, named)
    t.cni.delete(net, box, doc)
    sh('nft flush ruleset')
  net = t.cni.net(rates={'ingressRate': 8000000, 'ingressBurst': 800000, 'egressRate': 8000000, 'egressBurst': 800000})
  box = t.box('rates')
  result = t.cni.add(net, box)
  t.added(result, 'with rates')
  t.quiet(t.cni.check(net, box, result.doc), 'CHECK with rates')
  sh(f'tc qdisc del dev {_host_veth(result.doc)} root')
  t.fails(t.cni.check(net, box, result.doc), 103, 'qdisc', 'rate|qdisc|bandwidth|tbf')


def _cut_port(t):
  """Takes away what forwards port 8080, in whatever form it is there."""
  text = sh('nft list ruleset')
  table = chain = None
  for line in text.splitlines():
    words = line.split()
    if words[:1] == ['table']:
      table = ' '.join(words[1:3])
    elif words[:1] in (['map'], ['set'], ['chain']):
      chain = words[1]
    if 'tcp . 8080' in line and ' : ' in line:
      start = line[line.index('tcp . 8080'):]
      element = start.split(' : ')[0].split(' comment')[0]
      sh(f'nft delete element {table} {chain} "{{ {element} }}"', check=False)
  if t.cni.is_chain:
    # Rules of iptables: the chains of this one container are emptied.
    sh('for c in iptables ip6tables; do $c -t nat -S | sed -n "s/^-N \\(CNI-DN-[0-9a-f]*\\)/\\1/p" | '
       'while read n; do $c -t nat -F $n; done; done', check=False)


def _steal(t, ip, owner):
  """The file that says who has the address says another one."""
  found = False
  for path, what in t.lab.files().items():
    if ip in path.rsplit('/', 1)[-1] and owner in what:
      sh(f"rm '{path}'")
      if what.startswith('link'):
        sh(f"ln -s '{what[5:].replace(owner, 'somebodyelse')}' '{path}'")
      else:
        with open(path, 'w', encoding='ascii') as file:
          file.write(what[5:].replace(owner, 'somebodyelse'))
      found = True
  return found


@case(96, "an extra route, or a MAC changed by tuning and told in prevResult: success")
def tolerated(t):
  net, box, doc = _up(t)
  box.sh('ip route add 198.18.0.0/15 via 203.0.113.1; ip addr add 203.0.113.200/32 dev eth0')
  t.quiet(t.cni.check(net, box, doc), 'an extra route and address')
  t.cni.delete(net, box, doc)
  net, box = t.cni.net(), t.box('b')
  net.plugins.append({'type': 'tuning', 'mac': '02:11:22:33:44:55', 'mtu': 1400})
  result = t.cni.add(net, box)
  t.added(result, 'with tuning')
  t.ok('02:11:22:33:44:55' in box.sh('ip link show eth0'), 'tuning did not change the MAC')
  macs = [i.get('mac') for i in result.doc['interfaces'] if i['name'] == 'eth0']
  t.eq(macs, ['02:11:22:33:44:55'], 'MAC of the result')
  t.quiet(t.cni.check(net, box, result.doc), 'a MAC by tuning')
  server = box.serve('tcp', 80)
  t.reaches(t.lab, result.ip(), 80, 'b', 'with its new MAC')
  t.lab.end(server)
  t.quiet(t.cni.delete(net, box, result.doc))


@case(97, 'CHECK writes nothing')
def writes_nothing(t):
  net, box, doc = _up(t, firewall=True)
  # The first CHECK has run in _up; after a flush anything that it makes is new.
  for what in ('healthy', 'flushed'):
    if what == 'flushed':
      sh('nft flush ruleset')
    before = t.lab.facts()
    t.cni.check(net, box, doc)
    t.same(before, what)
  t.cni.delete(net, box, doc)
  before = t.lab.facts()
  t.cni.check(net, t.box('never'), doc)
  t.same(before, 'of what was never made')


@case(98, 'CHECK right after ADD: never a false alarm')
def no_false_alarm(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  box, bad = t.box('a'), 0
  for turn in range(t.options.rounds):
    result = t.cni.add(net, box)
    t.added(result, f'turn {turn}')
    checked = t.cni.check(net, box, result.doc)
    if checked.rc != 0:
      bad += 1
      if bad <= 3:
        t.no(f'turn {turn}: {checked.say()}')
      if bad > 10:
        break
    t.need(t.quiet(t.cni.delete(net, box, result.doc)), f'turn {turn}: DEL')
  t.ok(not bad, f'{bad} false alarms')
  t.ok(not box.has_link(), 'eth0 stays')

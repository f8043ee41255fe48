# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 99 to 109: GC and STATUS."""
import os
import socket
import struct
import time

from case import case
from cni import SUBNET4
from lab import sh


def _up(t, net, *names):
  """{name: result} of an ADD for each."""
  results = {}
  for name in names:
    result = t.cni.add(net, t.box(name))
    t.added(result, name)
    results[name] = result
  return results


def _net(t, name='web', **keys):
  return t.cni.net(name, version='1.1.0', **keys)


def _there(t, results):
  """Names of those that still have their interface and their lease."""
  return sorted(n for n, r in results.items() if t.box(n).has_link() and sorted(t.box(n).addresses()) == sorted(r.ips()))


@case(99, 'GC with a configuration of 1.0.0: code 1')
def old(t):
  net = t.cni.net(version='1.0.0')
  results = _up(t, net, 'a')
  t.fails(t.cni.gc(net, []), 1)
  t.eq(_there(t, results), ['a'], 'still there')


@case(100, 'GC without the key: code 7; with null or []: all of this network go')
def key(t):
  net, other = _net(t), _net(t, 'other', ipam=t.cni.ipam('192.0.2.0/24'))
  for what, listed in (('null', None), ('[]', [])):
    results = _up(t, net, 'a', 'b')
    others = _up(t, other, 'c')
    result = t.cni.raw('GC', net.conf())
    t.fails(result, 7, 'without', 'valid-attachments')
    t.eq(_there(t, results), ['a', 'b'], 'without: still there')
    t.quiet(t.cni.gc(net, listed), what)
    t.eq(_there(t, results), [], f'{what}: still there')
    t.eq(_there(t, others), ['c'], f"{what}: the other network's")
    t.clean(what, *[r.ip() for r in results.values()], boxes=[t.box('a'), t.box('b')])
    t.quiet(t.cni.delete(other, t.box('c'), others['c'].doc))


@case(101, 'GC with cni.dev/attachments alone: honoured')
def historic(t):
  net = _net(t)
  results = _up(t, net, 'a', 'b')
  t.quiet(t.cni.gc(net, [('a', 'eth0')], key='cni.dev/attachments', both=False))
  t.eq(_there(t, results), ['a'], 'still there')


@case(102, 'GC: interfaces of one container are kept and removed on their own')
def by_ifname(t):
  net = _net(t)
  box = t.box('a')
  first = t.cni.add(net, box)
  t.added(first)
  t.added(t.cni.add(net, box, ifname='eth1'), 'eth1')
  t.quiet(t.cni.gc(net, [('a', 'eth1')]))
  t.ok(not box.has_link('eth0'), 'eth0 stays')
  t.ok(box.has_link('eth1'), 'eth1 is gone')


@case(103, 'GC of web leaves web-2 alone')
def prefix(t):
  nets = {n: _net(t, n, ipam=t.cni.ipam(s), bridge=f'br{i}') for i, (n, s) in enumerate(
    (('web', SUBNET4), ('web-2', '192.0.2.0/25'), ('we', '192.0.2.128/25')))}
  results = {}
  for number, net in enumerate(nets.values()):
    results |= _up(t, net, f'box{number}')
  t.quiet(t.cni.gc(nets['web'], []))
  t.eq(_there(t, results), ['box1', 'box2'], 'still there')


@case(104, 'GC is forwarded to a foreign IPAM')
def forwarded(t):
  env = {'CNI_PATH': t.fake_ipam('foreign', '[ $CNI_COMMAND != ADD ] || echo \'{"cniVersion":"1.0.0","ips":[{"address":'
                                 '"203.0.113.40/24","gateway":"203.0.113.1"}]}\'')}
  net = _net(t, ipam={'type': 'foreign'})
  t.added(t.cni.add(net, t.box('a'), env=env))
  t.quiet(t.cni.gc(net, [('a', 'eth0')], env=env))
  calls = [c for c in t.fake_calls('foreign') if c[0] == 'GC']
  t.eq(len(calls), 1, 'GC calls of the foreign plugin')
  if calls:
    conf = calls[0][1] or {}
    t.eq(conf.get('cni.dev/valid-attachments'), [{'containerID': 'a', 'ifname': 'eth0'}], 'what it was given')
  t.ok(t.box('a').has_link(), 'a is gone')


def _spoil(t, word, spoil):
  """Does something to each lease and record that knows the word."""
  spoilt = 0
  for path, what in t.lab.files().items():
    if word in what + path and what.startswith('file'):
      spoil(path)
      spoilt += 1
  t.need(spoilt, f'no file of {word} was found')


@case(105, 'GC with one unreadable lease: the others go, an error is told at the end')
def unreadable(t):
  def folder(path):
    os.unlink(path)
    os.mkdir(path)
    t.lab.write(path + '/x', '')

  def damaged(path):
    t.lab.write(path, '{{{')
  net = _net(t)
  for number, spoil in enumerate((damaged, folder)):
    good = [f'good{number}1', f'good{number}2']
    results = _up(t, net, good[0], f'bad{number}', good[1])
    _spoil(t, f'bad{number}', spoil)
    result = t.cni.gc(net, [])
    # What is damaged may be cleaned all the same; what cannot be read at all has to be told.
    if spoil is folder or result.rc != 0 or t.box(f'bad{number}').has_link():
      t.ok(result.rc not in (0, None) and result.n_docs == 1 and result.code,
           f'{spoil.__name__}: no error is told: {result.say()}')
    else:
      t.clean(f'{spoil.__name__}, no error', f'bad{number}', results[f'bad{number}'].ip())
    t.eq([n for n in _there(t, results) if n in good], [], f'{spoil.__name__}: the others')
    t.clean(f'{spoil.__name__}: the others', *[results[n].ip() for n in good])


@case(106, 'GC while an ADD goes on: the new attachment stays')
def concurrent(t):
  net = _net(t)
  results = _up(t, net, *[f'old{n}' for n in range(12)])
  fresh = [t.box(f'new{n}') for n in range(4)]
  collecting = t.cni.start(t.cni.kind, 'GC', net.conf() | {'cni.dev/valid-attachments': []}).feed()
  time.sleep(0.004)
  calls = [t.cni.start(t.cni.kind, 'ADD', net.conf(), box).feed() for box in fresh]
  added = [call.result() for call in calls]
  t.quiet(collecting.result(), 'GC')
  for box, result in zip(fresh, added):
    t.added(result, box.name)
    t.quiet(t.cni.check(net, box, result.doc), f'CHECK of {box.name}')
  t.eq(_there(t, results), [], 'old ones still there')


def _netd_down(t, net):
  """For a caller without privilege, who depends on it; for root nothing changes."""
  if not t.options.daemon:
    t.later('netd down: there is no daemon here (--daemon)')
    return
  caller = t.lab.powerless()
  t.fails(t.cni.status(net, **caller), 50, 'without privilege, netd down', 'netd')
  daemon = t.lab.start_daemon(t.options.daemon)
  t.quiet(t.cni.status(net, **caller), 'without privilege, netd up')
  t.quiet(t.cni.status(net), 'with privilege, netd up')
  t.lab.end(daemon)
  t.fails(t.cni.status(net, **caller), 50, 'without privilege, netd killed', 'netd')
  t.quiet(t.cni.status(net), 'with privilege, netd killed')


def _hold(sock, family, name):
  """Makes a table with the flag `owner` and a comment."""
  def attribute(kind, value):
    return struct.pack('=HH', 4 + len(value), kind) + value + bytes(-len(value) % 4)

  def message(kind, flags, nf_family, res, body=b''):
    return struct.pack('=IHHII', 20 + len(body), kind, flags | 1, 0, 0) + struct.pack('>BBH', nf_family, 0, res) + body
  comment = b'somebody else\0'
  body = (attribute(1, name.encode() + b'\0') + attribute(2, struct.pack('>I', 2)) +
          attribute(6, bytes([0, len(comment)]) + comment))
  sock.send(message(16, 0, 0, 10) + message(10 << 8, 0x404, family, 0, body) + message(17, 0, 0, 10))
  return struct.unpack_from('=i', sock.recv(4096), 16)[0] == 0


@case(107, 'STATUS: pool full is 50, tables of another owner are 51, netd down is 50 (or 0 without a daemon)')
def status(t):
  pool = {'subnet': SUBNET4, 'rangeStart': '203.0.113.10', 'rangeEnd': '203.0.113.11'}
  net = _net(t, ipam=t.cni.ipam(pool))
  t.quiet(t.cni.status(net), 'before anything is there, and without a daemon')
  _netd_down(t, net)
  _up(t, net, 'a')
  t.quiet(t.cni.status(net), 'one address left')
  _up(t, net, 'b')
  t.fails(t.cni.status(net), 50, 'pool full', SUBNET4.replace('.', r'\.') + '|203')
  t.quiet(t.cni.delete(net, t.box('b')))
  t.quiet(t.cni.status(net), 'one free again')
  tables = [line.split()[1:3] for line in t.lab.ruleset().splitlines() if line.startswith('table ')]
  t.need(tables, 'no table of the plugin')
  for family, name in tables:
    sh(f'nft delete table {family} {name}; nft add table {family} {name} "{{ comment \\"somebody else\\"; }}"; '
       f'nft add chain {family} {name} theirs')
  t.fails(t.cni.status(net), 51, 'tables of another owner')
  for family, name in tables:
    sh(f'nft delete table {family} {name}')
  # The same by a program that holds them, as far as the kernel lets it (Linux 5.12).
  with t.lab.inside():
    held = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
  with held:
    for family, name in tables:
      t.need(_hold(held, {'inet': 1, 'bridge': 7}[family], name), f'{family} {name} cannot be held')
    t.fails(t.cni.status(net), 51, 'tables that another program holds')


@case(108, 'STATUS many times: less than 2 ms each, nothing grows')
def many(t):
  net = _net(t, ports=[t.cni.port(8080)])
  _up(t, net, 'a')
  t.quiet(t.cni.status(net))
  before, times = t.lab.facts(), []
  for turn in range(t.options.rounds):
    result = t.cni.call('STATUS', net)
    times.append(result.seconds)
    t.need(result.rc == 0, f'turn {turn}: {result.say()}')
  t.same(before, f'{t.options.rounds} times')
  t.in_time(sorted(times)[len(times) // 2], 0.002, 'median')
  t.note(f'median {sorted(times)[len(times) // 2] * 1e3:.2f} ms')


@case(109, 'STATUS with the delegated IPAM missing: 50')
def no_ipam(t):
  t.fails(t.cni.status(_net(t, ipam={'type': 'nobody'})), 50, where='nobody')

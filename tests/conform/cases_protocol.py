# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases 1 to 15 and 28 to 32: variables, standard input and output, the environment."""
import os
import re
import resource

from case import case
from cni import Call, environment
from lab import MS_RDONLY, MS_REMOUNT, mount


@case(1, 'CNI_COMMAND unset: about text on stderr, success')
def about(t):
  env = {k: v for k, v in environment('').items() if not k.startswith('CNI_')}
  for what, stdin in (('empty stdin', b''), ('a config on stdin', b'{"cniVersion":"1.0.0","name":"x","type":"y"}')):
    result = Call(f'{t.cni.folder}/{t.cni.kind}', 'nothing', stdin, env).result()
    t.ok(result.rc == 0 and result.err.strip(), f'{what}: no about text on stderr with E=0: {result.say()}')


@case(2, 'CNI_COMMAND=FOO: code 4 naming CNI_COMMAND, with an empty stdin too')
def foo(t):
  t.fails(t.cni.raw('FOO', b''), 4, 'empty stdin', 'CNI_COMMAND')
  t.fails(t.cni.raw('FOO', t.cni.net().conf()), 4, 'with a config', 'CNI_COMMAND')


@case(3, 'CNI_COMMAND=add: code 4')
def lower(t):
  t.fails(t.cni.raw('add', t.cni.net().conf(), t.box('a')), 4)
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(4, 'missing variables: code 4, exactly the missing ones named, comma separated')
def missing(t):
  needed = {'ADD': ('CONTAINERID', 'NETNS', 'IFNAME', 'PATH'), 'DEL': ('CONTAINERID', 'IFNAME', 'PATH')}
  for command, names in needed.items():
    sets = [(n,) for n in names] + [names[:2], names[1:], names]
    for gone in sets:
      for empty in (None, ''):
        result = t.cni.raw(command, t.cni.net().conf(), t.box('a'), env={f'CNI_{n}': empty for n in gone})
        what = f'{command} without {", ".join(gone)} ({"unset" if empty is None else "empty"})'
        if not t.fails(result, 4, what):
          continue
        named = re.findall(r'CNI_[A-Z]+', result.text)
        t.eq(set(named) - {'CNI_COMMAND'}, {f'CNI_{n}' for n in gone}, f'{what}: named')
        t.ok(len(gone) == 1 or re.search(r'CNI_[A-Z]+, ?CNI_[A-Z]+', result.text),
             f'{what}: not comma separated: {result.text.strip()}')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(5, 'bad CNI_CONTAINERID: code 4')
def container_id(t):
  for ident in ('../x', 'a/b', '-a', '.a', 'a b', '\u00e9', 'a' * 4096, '_a', 'a\n', 'a;b', '"'):
    for command in ('ADD', 'DEL'):
      t.fails(t.cni.raw(command, t.cni.net().conf(), t.box('a'), ident=ident), 4, f'{command} id {ident[:20]!r}')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(6, 'bad CNI_IFNAME: code 4; 15 characters are fine; lo is 7 or 102')
def ifname(t):
  net = t.cni.net()
  for name in ('abcdefghijklmnop', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'a%d', 'all', 'default'):
    result = t.cni.call('ADD', net, t.box('a'), ifname=name)
    t.fails(result, 4, f'ifname {name!r}')
    made = set(t.box('a').links()) - {'lo'}
    if made:
      t.no(f'ifname {name!r}: links {sorted(made)} in the container')
      for link in made:
        t.box('a').sh(f"ip link del '{link}'", check=False)
  t.fails(t.cni.call('ADD', net, t.box('a'), ifname='lo'), (7, 102), 'ifname lo')
  result = t.cni.call('ADD', net, t.box('b'), ifname='abcdefghijklmno')
  if t.added(result, '15 characters', stop=False):
    t.ok(t.box('b').has_link('abcdefghijklmno'), '15 characters: not there')
    t.quiet(t.cni.call('DEL', net, t.box('b'), ifname='abcdefghijklmno'))


def _version(t, result, what, echo=None):
  if not t.added(result, what, stop=False):
    return
  spoken = result.doc.get('supportedVersions')
  t.ok(isinstance(spoken, list) and all(isinstance(v, str) for v in spoken), f'{what}: supportedVersions {spoken}')
  t.ok(isinstance(result.doc.get('cniVersion'), str), f'{what}: no cniVersion')
  if echo:
    t.eq(result.doc.get('cniVersion'), echo, f'{what}: cniVersion')
  return spoken


@case(7, 'VERSION: cniVersion is echoed, seven versions are listed')
def version(t):
  for asked in ('0.3.1', '1.0.0', '1.1.0'):
    spoken = _version(t, t.cni.raw('VERSION', {'cniVersion': asked}), f'asked {asked}', asked)
    t.eq(sorted(spoken or []), ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'], 'versions')


@case(8, 'VERSION with empty stdin, garbage, or without CNI_PATH: success')
def version_garbage(t):
  _version(t, t.cni.raw('VERSION', b''), 'empty stdin')
  _version(t, t.cni.raw('VERSION', b'{{{ not json'), 'garbage')
  env = {k: v for k, v in environment('VERSION').items() if not k.startswith('CNI_') or k == 'CNI_COMMAND'}
  _version(t, Call(f'{t.cni.folder}/{t.cni.kind}', 'VERSION', b'{"cniVersion":"1.0.0"}', env).result(), 'no variables')


@case(9, 'VERSION: dummy variables are not validated')
def version_dummy(t):
  env = {'CNI_NETNS': 'dummy', 'CNI_IFNAME': 'dummy', 'CNI_PATH': 'dummy', 'CNI_CONTAINERID': ''}
  _version(t, t.cni.raw('VERSION', {'cniVersion': '1.0.0'}, env=env), 'dummies')
  env |= {'CNI_IFNAME': 'a/b/c', 'CNI_CONTAINERID': '../x', 'CNI_ARGS': 'nonsense'}
  _version(t, t.cni.raw('VERSION', {'cniVersion': '1.0.0'}, env=env), 'nonsense')


@case(10, 'stdin closed or unreadable: code 5')
def stdin_closed(t):
  box = t.box('a')
  result = t.cni.start(t.cni.kind, 'ADD', None, box, preexec_fn=lambda: os.close(0), fd0=None).result()
  t.fails(result, 5, 'closed')
  folder = os.open('/', os.O_RDONLY)
  t.fails(t.cni.start(t.cni.kind, 'ADD', None, box, fd0=folder).result(), 5, 'a directory')
  os.close(folder)
  t.ok(not box.has_link(), 'eth0 was made')


@case(11, 'stdin of 64 MiB: code 6 by a limit, not by memory')
def stdin_huge(t):
  # From a file: the test itself must not hold it in memory, a child's record begins with its parent's.
  huge = os.memfd_create('huge')
  os.write(huge, b'{"cniVersion":"1.0.0","name":"web","type":"x","y":"')
  for _ in range(64):
    os.write(huge, b'a' * (1 << 20))
  os.write(huge, b'"}')
  os.lseek(huge, 0, os.SEEK_SET)
  t.fails(t.cni.start(t.cni.kind, 'ADD', None, t.box('a'), fd0=huge).result(), 6)
  t.ok(not t.box('a').has_link(), 'eth0 was made')
  rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
  t.ok(rss < 64 << 10, f'{rss >> 10} MiB of memory were used')


@case(12, 'stdin "{": code 6')
def stdin_cut(t):
  for text in (b'{', b'', b'{"cniVersion":"1.0.0"', b'{"name":"a"}}', b'{"name":"a"} x', b'\xef\xbb\xbf{}', b'{"a":01}'):
    t.fails(t.cni.raw('ADD', text, t.box('a')), 6, repr(text))


@case(13, 'stdin is no object: code 6')
def stdin_no_object(t):
  for text in (b'[]', b'"x"', b'7', b'true', b'null'):
    t.fails(t.cni.raw('ADD', text, t.box('a')), 6, repr(text))


@case(14, 'NUL or invalid UTF-8 on stdin: code 6 or 7')
def stdin_bytes(t):
  head = b'{"cniVersion":"1.0.0","type":"bridge","name":"'
  for name in (b'a\0b', b'a\\u0000b', b'a\xffb', b'\xc0\xaf', b'\xed\xa0\x80', b'a\\ud800b'):
    t.fails(t.cni.raw('ADD', head + name + b'"}', t.box('a')), (6, 7), f'name {name!r}')
  t.ok(not t.box('a').has_link(), 'eth0 was made')


@case(15, 'nested 10,000 deep: code 6, no stack overflow')
def stdin_deep(t):
  for deep in (b'[' * 10000 + b']' * 10000, b'{"a":' * 10000 + b'1' + b'}' * 10000, b'[' * 10000):
    text = b'{"cniVersion":"1.0.0","name":"web","type":"bridge","x":' + deep + b'}'
    t.fails(t.cni.raw('ADD', text, t.box('a')), 6, repr(deep[:6]))


@case(28, 'exactly one JSON document on stdout, on success and on failure')
def one_document(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('a')
  result = t.cni.add(net, box)
  t.added(result)
  t.quiet(t.cni.delete(net, box, result.doc))
  tries = [('own namespace', t.cni.call('ADD', net, '/proc/self/ns/net', ident='a')),
           ('no namespace', t.cni.call('ADD', net, '/run/netns/none', ident='a')),
           ('no version', t.cni.call('ADD', net.as_version('9.9.9'), box)),
           ('no JSON', t.cni.raw('ADD', b'{', box)),
           ('no bridge name', t.cni.call('ADD', net.but(bridge='a' * 40), box)),
           ('no command', t.cni.raw('FOO', b'{}', box)),
           ('bad subnet', t.cni.call('ADD', net.but(ipam=t.cni.ipam('203.0.113.0/31')), box)),
           ('bad port', t.cni.add(t.cni.net(ports=[t.cni.port(0)]), t.box('b')))]
  for what, result in tries:
    t.ok(result.rc not in (0, None) and result.n_docs == 1 and isinstance(result.code, int) and result.code > 0,
         f'{what}: expected one error document, got {result.n_docs}: {result.say()}')


@case(29, 'nothing on stdout when DEL, CHECK, GC or STATUS succeed')
def no_document(t):
  net, box = t.cni.net(ports=[t.cni.port(8080)]), t.box('a')
  result = t.cni.add(net, box)
  t.added(result)
  t.quiet(t.cni.check(net, box, result.doc), 'CHECK')
  t.quiet(t.cni.status(net.as_version('1.1.0')), 'STATUS')
  t.quiet(t.cni.gc(net.as_version('1.1.0'), [('a', 'eth0')]), 'GC')
  t.quiet(t.cni.delete(net, box, result.doc), 'DEL')


@case(30, 'stderr carries logs only; values of CNI_ARGS are not logged')
def stderr(t):
  net, box = t.cni.net(), t.box('a')
  args = {'CNI_ARGS': 'IgnoreUnknown=1;PASSWORD=hunter2;K8S_POD_UID=s3cr3t'}
  seen = [t.cni.call('ADD', net, box, env=args), t.cni.call('ADD', net.but(bridge='a' * 40), box, env=args),
          t.cni.call('DEL', net, box, env=args),
          t.cni.call('ADD', net, box, env={'CNI_ARGS': 'PASSWORD=hunter2'})]
  t.added(seen[0])
  for result in seen:
    t.ok('hunter2' not in result.err and 's3cr3t' not in result.err, f'a secret is logged: {result.err.strip()[:200]}')
    t.ok('supportedVersions' not in result.err and '"ips"' not in result.err, f'a result on stderr: {result.err[:80]}')


@case(31, 'TRACEPARENT appears in the log and changes nothing else')
def trace(t):
  parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  net, box = t.cni.net(), t.box('a')
  plain = t.cni.call('ADD', net, box)
  t.added(plain)
  t.quiet(t.cni.call('DEL', net, box, prev=plain.doc))
  env = {'TRACEPARENT': parent, 'TRACESTATE': 'x=1', 'BAGGAGE': 'y=2'}
  traced = t.cni.call('ADD', net, box, env=env)
  t.added(traced)
  failed = t.cni.call('ADD', net.but(bridge='a' * 40), t.box('b'), env=env)
  t.ok('4bf92f3577b34da6a3ce929d0e0e4736' in traced.err + failed.err, 'not in the log of a success nor of a failure')
  t.eq(sorted(traced.doc), sorted(plain.doc), 'keys of the result')
  t.eq(len(traced.ips()), len(plain.ips()), 'addresses of the result')


@case(32, 'no place to write: code 5, nothing half made')
def read_only(t):
  net = t.cni.net(ports=[t.cni.port(8080)])
  box = t.box('a')
  links = t.lab.host_links()
  for path in ('/var/lib', '/run'):
    mount(None, path, None, MS_REMOUNT | MS_RDONLY, 'mode=755')
  t.fails(t.cni.add(net, box), 5, 'read-only /var/lib and /run')
  t.eq(t.lab.host_links(), links, 'links of the host')
  t.ok(not box.has_link(), 'eth0 was made')
  t.eq(t.lab.traces('box', '203.0.113.2'), [], 'traces')
  mount(None, '/run', None, MS_REMOUNT, 'mode=755')
  # Whoever keeps nothing in /var/lib does not need it.
  result = t.cni.add(net, box)
  if result.rc != 0:
    t.fails(result, 5, 'read-only /var/lib')
    t.eq(t.lab.host_links(), links, 'links of the host')
    t.ok(not box.has_link(), 'eth0 was made')

# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of plugins as libcni makes them, and configurations as people write them.

A Net is a network configuration list. In chain mode (type `bridge`) each task has its plugin: bridge with
host-local, portmap, firewall, bandwidth, tuning. With any other type one plugin is given everything. Either
way a case speaks of a network, not of plugins. Nothing here judges a result; case.py does.
"""
import copy
import json
import os
import select
import subprocess
import time

SUBNET4, SUBNET6 = '203.0.113.0/24', '2001:db8:83::/64'
GW4, GW6 = '203.0.113.1', '2001:db8:83::1'
OTHER4, OTHER6 = '192.0.2.0/24', '2001:db8:84::/64'
KEEP = ('PATH', 'HOME', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'NETNS_UP_WITHOUT')
VARIABLES = ('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH')


class Result:
  """What one plugin did."""

  def __init__(self, plugin, command, rc, out, err, seconds):
    self.plugin, self.command, self.rc, self.seconds = plugin, command, rc, seconds
    self.raw, self.out, self.err = out, out.decode(errors='replace'), err.decode(errors='replace')
    self.doc, self.n_docs = None, 0
    rest, decoder = self.out.strip(), json.JSONDecoder()
    while rest:
      try:
        doc, end = decoder.raw_decode(rest)
      except (ValueError, RecursionError):
        self.n_docs = -1
        break
      if self.n_docs == 0:
        self.doc = doc
      self.n_docs += 1
      rest = rest[end:].strip()

  @property
  def code(self):
    return self.doc.get('code') if isinstance(self.doc, dict) else None

  @property
  def text(self):
    """Message and details of an error."""
    if not isinstance(self.doc, dict):
      return ''
    return f'{self.doc.get("msg", "")} {self.doc.get("details", "")}'

  def ips(self):
    return [ip['address'] for ip in (self.doc or {}).get('ips') or []]

  def ip(self, family=4):
    """The first address of a family, without its length."""
    for address in self.ips():
      if (':' in address) == (family == 6):
        return address.split('/')[0]
    return None

  def say(self):
    """One line for a reason of failure."""
    out = self.out.strip().replace('\n', ' ')
    out = out if len(out) < 260 else out[:200] + '...' + out[-50:]
    err = self.err.strip().replace('\n', ' ')
    return f'{self.plugin} {self.command}: E={self.rc} stdout={out or "(empty)"}' + (
      f' stderr={err[-160:]}' if err and not out else '')


def environment(command, **variables):
  """All six variables, as libcni sets them; one that is None is not set."""
  env = {k: os.environ[k] for k in KEEP if k in os.environ}
  for name in VARIABLES:
    env[name] = ''
  env['CNI_COMMAND'] = command
  env.update(variables)
  return {k: v for k, v in env.items() if v is not None}


class Process(subprocess.Popen):
  """Popen's wait with a time limit looks, sleeps a millisecond, looks again: more than STATUS takes."""

  def wait(self, timeout=None):
    if timeout is not None and self.returncode is None:
      fd = os.pidfd_open(self.pid)
      watch = select.poll()
      watch.register(fd, select.POLLIN)
      watch.poll(max(0, timeout) * 1000)
      os.close(fd)
    return super().wait(timeout)


class Call:
  """A plugin that has been started; result() waits for its end and for the end of its output."""

  def __init__(self, path, command, stdin, env, **popen):
    self.path, self.command = path, command
    self.stdin = stdin if isinstance(stdin, bytes) or stdin is None else json.dumps(stdin).encode()
    self.begin = time.perf_counter()
    self.process = Process([path], stdin=popen.pop('fd0', subprocess.PIPE), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=env, **popen)

  def feed(self):
    """Hands over the input of a call that runs beside others."""
    if self.stdin is not None and self.process.stdin:
      try:
        self.process.stdin.write(self.stdin)
        self.process.stdin.close()
      except BrokenPipeError:
        pass
      self.process.stdin = None
      self.stdin = None
    return self

  def result(self, timeout=60.0):
    late = b''
    try:
      out, err = self.process.communicate(self.stdin, timeout)
    except subprocess.TimeoutExpired:
      self.process.kill()
      late = f'did not end within {timeout:.0f} s '.encode()
      try:
        out, err = self.process.communicate(timeout=5)
      except subprocess.TimeoutExpired:
        out, err = b'', b''
    seconds = time.perf_counter() - self.begin
    return Result(os.path.basename(self.path), self.command, self.process.returncode, out, late + err, seconds)


class Net:
  """A network configuration list; `plugins` are the plain configurations, in order."""

  def __init__(self, version, name, plugins):
    self.version, self.name, self.plugins = version, name, plugins

  def conf(self, index=0, prev=None, **more):
    """What libcni gives to the plugin at index."""
    conf = {'cniVersion': self.version, 'name': self.name} | copy.deepcopy(self.plugins[index]) | more
    if prev is not None:
      conf['prevResult'] = prev
    return {k: v for k, v in conf.items() if v is not None}

  def but(self, **keys):
    """The same network with other keys in its first plugin (None takes one away)."""
    plugins = copy.deepcopy(self.plugins)
    plugins[0] = {k: v for k, v in (plugins[0] | keys).items() if v is not None}
    return Net(self.version, self.name, plugins)

  def as_version(self, version):
    return Net(version, self.name, self.plugins)


class Runtime:
  """Calls plugins of one folder on networks, as a runtime does."""

  def __init__(self, folder, kind, version):
    self.folder, self.kind, self.version = folder, kind, version
    self.is_chain = kind == 'bridge'

  # --- configurations ------------------------------------------------------------------------------

  def ipam(self, *subnets, **keys):
    """Host-local style ranges, one set a subnet (a subnet may be a whole range)."""
    ranges = [[s if isinstance(s, dict) else {'subnet': s}] for s in subnets or (SUBNET4, SUBNET6)]
    families = {(':' in r[0]['subnet']) for r in ranges}
    routes = [{'dst': '::/0' if six else '0.0.0.0/0'} for six in sorted(families)]
    return {'type': 'host-local' if self.is_chain else self.kind, 'ranges': ranges, 'routes': routes} | keys

  def net(self, name='web', version=None, ports=None, rates=None, firewall=False, ipam=None, **keys):
    """The usual network; ports: list of mappings, rates: the bandwidth capability."""
    first = {'type': self.kind, 'bridge': 'br-' + name, 'isGateway': True, 'ipMasq': True,
             'ipam': self.ipam() if ipam is None else ipam} | keys
    first = {k: v for k, v in first.items() if v is not None}
    plugins = [first]
    wants = {}
    if ports is not None:
      wants['portMappings'] = ports
    if rates is not None:
      wants['bandwidth'] = rates
    if self.is_chain:
      if firewall:
        plugins.append({'type': 'firewall'})
      for key, kind in (('portMappings', 'portmap'), ('bandwidth', 'bandwidth')):
        if key in wants:
          plugins.append({'type': kind, 'capabilities': {key: True}, 'runtimeConfig': {key: wants[key]}})
    elif wants:
      first['capabilities'] = {k: True for k in wants}
      first['runtimeConfig'] = wants | first.get('runtimeConfig', {})
    return Net(version or self.version, name, plugins)

  @staticmethod
  def port(outer, inner=80, proto='tcp', host_ip=None):
    mapping = {'hostPort': outer, 'containerPort': inner, 'protocol': proto}
    if host_ip is not None:
      mapping['hostIP'] = host_ip
    return mapping

  # --- calls ---------------------------------------------------------------------------------------

  def start(self, kind, command, conf, box=None, ident=None, ifname='eth0', env=None, **popen):
    """Starts one plugin. box: an Ns, a path or None; conf: a dict or bytes; env: variables to change."""
    netns = box if isinstance(box, str) else box.path if box else ''
    if ident is None:
      ident = getattr(box, 'name', None) or ('' if command in ('GC', 'STATUS') else 'box')
    variables = {'CNI_CONTAINERID': ident, 'CNI_NETNS': netns, 'CNI_IFNAME': ifname, 'CNI_PATH': self.folder}
    if command in ('GC', 'STATUS'):
      variables |= {'CNI_CONTAINERID': '', 'CNI_IFNAME': ''}
    return Call(f'{self.folder}/{kind}', command, conf, environment(command, **(variables | (env or {}))), **popen)

  def call(self, command, net, box=None, index=0, prev=None, more=None, timeout=60.0, **keys):
    """One plugin of a network."""
    kind = net.plugins[index]['type']
    return self.start(kind, command, net.conf(index, prev, **(more or {})), box, **keys).result(timeout)

  def raw(self, command, stdin, box=None, kind=None, timeout=60.0, **keys):
    """One plugin with any bytes as input."""
    return self.start(kind or self.kind, command, stdin, box, **keys).result(timeout)

  def add(self, net, box, prev=None, **keys):
    """ADD of the whole list: the last plugin's result, or that of the one that failed."""
    result = None
    for index in range(len(net.plugins)):
      result = self.call('ADD', net, box, index, prev, **keys)
      if result.rc != 0 or not isinstance(result.doc, dict):
        return result
      prev = result.doc
    return result

  def delete(self, net, box, prev=None, **keys):
    """DEL of the whole list in reverse; goes on after errors as a runtime's retries do; the worst result."""
    worst = None
    for index in reversed(range(len(net.plugins))):
      result = self.call('DEL', net, box, index, prev, **keys)
      if worst is None or result.rc != 0:
        worst = result
    return worst

  def check(self, net, box, prev, **keys):
    """CHECK of the whole list; the first failure, or the last result."""
    result = None
    for index in range(len(net.plugins)):
      result = self.call('CHECK', net, box, index, prev, **keys)
      if result.rc != 0:
        break
    return result

  def gc(self, net, attachments, key='cni.dev/valid-attachments', both=True, **keys):
    """GC of the whole list; attachments: (id, ifname) pairs, None for null. The first failure, or the last."""
    listed = None if attachments is None else [{'containerID': i, 'ifname': f} for i, f in attachments]
    more = {key: listed}
    if both:
      more['cni.dev/attachments'] = listed
    failed = result = None
    for index in range(len(net.plugins)):
      conf = net.conf(index) | more
      result = self.start(net.plugins[index]['type'], 'GC', conf, **keys).result()
      if result.rc != 0 and failed is None:
        failed = result
    return failed or result

  def status(self, net, **keys):
    result = None
    for index in range(len(net.plugins)):
      result = self.call('STATUS', net, None, index, **keys)
      if result.rc != 0:
        break
    return result

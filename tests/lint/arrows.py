#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""arrows.py TREE: the #include lines of the C files against the allowed arrows between rooms.

A room is a folder; it may include headers of itself and of the rooms in its row of ARROWS, some rooms
only one header of another. Prints each wrong arrow; exit status 1 when there is one.
"""
import os
import re
import sys

# folder -> rooms it may include from. A header in place of a room allows that one alone.
ARROWS = {
  'netd/base': ['base'],
  'netd/model': ['model', 'base'],
  'netd/sys': ['sys', 'base'],
  'netd/net': ['net', 'sys', 'model', 'base'],
  'netd/store': ['store', 'model', 'base', 'sys/lock.h'],
  'netd/engine': ['engine', 'store', 'net', 'sys', 'model', 'base'],
  # what stops traffic: looks below the engine, asks the engine what is on record
  'netd/doctor': ['doctor', 'engine/engine.h', 'net', 'sys', 'model', 'base'],
  'netd/broker': ['broker', 'engine/engine.h', 'model', 'sys', 'base'],
  # networks without privilege: processes of slirp-lite, no kernel networking
  'netd/rootless': ['rootless', 'sys', 'model', 'base',
                    # who has a port, from /proc
                    'net/portowner.h',
                    # records that are replaced whole
                    'store/file.h'],
  # of the daemon: how to ask it, what is said to it, and its policy's judge
  'netd/cli': ['cli', 'engine/engine.h', 'rootless/rootless.h', 'rootless/host.h', 'broker/ask.h', 'broker/login.h', 'broker/policy.h',
               'model', 'sys',
               'doctor/doctor.h', 'doctor/explain.h', 'doctor/finding.h',
               'base'],
  # without privilege it asks the daemon
  'cni-plugin': ['cni-plugin', 'engine/engine.h', 'broker/ask.h', 'model', 'sys', 'base'],
  'slirp-lite/wire': ['wire', 'base', 'model/addr.h'],
  'slirp-lite/flow': ['flow', 'base', 'model/addr.h',
                      # the egress policy
                      'model/attach_egress.h'],
  'slirp-lite/io': ['io', 'sys', 'base', 'model/addr.h'],
  'slirp-lite/emit': ['emit', 'wire', 'flow', 'io', 'base', 'model/addr.h'],
  'slirp-lite/tcp': ['tcp', 'emit', 'wire', 'flow', 'io', 'base', 'model/addr.h'],
  'slirp-lite/dgram': ['dgram', 'emit', 'wire', 'flow', 'io', 'base', 'model/addr.h'],
  'slirp-lite/local': ['local', 'emit', 'wire', 'flow', 'io', 'base', 'model/addr.h'],
  # connections of the host's own clients, for the local forwarder and for the worker
  'slirp-lite/relay': ['relay', 'sys/fdpass.h', 'base', 'model/addr.h'],
  # connections by the kernel's TCP on both sides: the SYN alone is seen
  'slirp-lite/through': ['through', 'relay', 'emit', 'wire', 'flow', 'io', 'base', 'model/addr.h'],
  'slirp-lite/fwd': ['fwd', 'relay', 'sys', 'base',
                     # the messages between the engine and the forwarder, and what is in them
                     'model/fwdmsg.h', 'model/addr.h', 'model/name.h',
                     # the other role of its program
                     'names/serve.h', 'model/namesmsg.h'],
  # the names responder: what it is told by the engine, and what tells it the host's resolvers
  'slirp-lite/names': ['names', 'relay', 'wire', 'flow', 'sys', 'base', 'model/namesmsg.h', 'model/addr.h',
                       'model/name.h', 'proc/nameservers.h', 'stack/config.h'],
  # the worker: the one room that knows all protocols
  'slirp-lite/stack': ['stack', 'ports', 'through', 'tcp', 'dgram', 'local', 'relay', 'emit', 'wire', 'flow', 'io', 'base', 'model/addr.h',
                       'sys/fdpass.h'],
  'slirp-lite/ports': ['ports', 'tcp', 'dgram', 'relay', 'flow', 'io', 'base', 'model/addr.h'],
  # the processes: options, set-up, supervisor, sandbox; no packet code but the worker's two calls
  'slirp-lite/proc': ['proc', 'stack/worker.h', 'stack/config.h', 'stack/ctlmsg.h', 'flow/plan.h', 'flow/policy.h',
                      'flow/stats.h', 'flow/port.h', 'sys', 'base', 'model/addr.h', 'model/name.h',
                      'model/publish.h', 'model/publish_list.h', 'model/attach_egress.h',
                      # rates, and the addresses of a container that is alone
                      'model/attach.h', 'model/alone.h',
                      # what sockets inside are asked for with
                      'relay/insidemsg.h',
                      # the set-up step makes and configures the tap with the engine's own netlink room
                      'net/rtnl.h', 'net/link.h', 'net/route.h',
                      # and readies it for the kernel's own TCP with the rules that takes
                      'net/divert.h', 'net/nft.h',
                      # who has a port that cannot be published, from /proc
                      'net/portowner.h',
                      # and what of the host's network is copied is read with it
                      'net/uplink.h'],
}

# (pattern of <header> or "header", files that may include it, why the others may not)
RESERVED = [
  (r'nftables/libnftables\.h', ['netd/net/nft.c'], 'libnftables is opened in one file'),
  (r'libmnl/', ['netd/net/'], 'netlink messages are the business of net'),
  (r'netlink/', ['netd/net/'], 'netlink messages are the business of net'),
  (r'linux/netfilter/nf_tables\.h', ['netd/net/'], 'nf_tables messages are the business of net'),
  (r'linux/(rtnetlink|if_link|if_addr|neighbour)\.h', ['netd/net/'], 'rtnetlink is the business of net'),
  (r'base/log\.h', ['netd/base/log.c', 'netd/cli/', 'netd/broker/', 'cni-plugin/', 'slirp-lite/'],
   'nothing below a main logs'),
]
# The files that are pure: text and values only.
PURE = {
  'netd/net/ruleset.c': r'nftables/|libmnl/|netlink/|linux/netfilter|sys/socket\.h',
  **{f'netd/net/{name}.c': r'nftables/|libmnl/|netlink/|linux/netfilter|sys/socket\.h' for name in ('elem', 'elem_sets')},
  **{f'netd/doctor/{name}.c': r'^(doctor/look|sys/)|libmnl/|netlink/|unistd\.h|fcntl\.h|sys/socket\.h'
     for name in ('walk', 'finding', 'check_host', 'check_rules', 'check_settings', 'check_user', 'path', 'explain_steps')},
  'netd/engine/plan.c': r'^(net/(rtnl|nft|nftbatch|conntrack|link|route)\.h|store/store\.h)$|libmnl/|netlink/',
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def room_of(path):
  folder = os.path.dirname(path)
  while folder and folder not in ARROWS:
    folder = os.path.dirname(folder)
  return folder


def check_file(path, text):
  room = room_of(path)
  if not room:
    return [f'{path}: in no room that the arrows know']
  wrong = []
  includes = [(m.group(1), m.group(2), text.count('\n', 0, m.start()) + 1) for m in INCLUDE.finditer(text)]
  for kind, header, line in includes:
    where = f'{path}:{line}: "{header}"'
    if kind == '"':
      target = header.split('/')[0]
      if '/' not in header:
        wrong.append(f'{where}: say the room: "{os.path.basename(room)}/{header}"')
      elif target not in ARROWS[room] and header not in ARROWS[room]:
        allowed = ', '.join(ARROWS[room])
        wrong.append(f'{where}: {room} may include from {allowed}')
    for pattern, files, why in RESERVED:
      if re.match(pattern, header) and not any(path.startswith(f) for f in files):
        wrong.append(f'{where}: {why}')
    if path in PURE and re.search(PURE[path], header):
      wrong.append(f'{where}: {path} is pure')
  wrong += check_order(path, includes)
  return wrong


def check_order(path, includes):
  """Own header first, then <...>, then "room/...", so that each header stands on its own feet. Own is
  NAME.h for NAME.c, and for NAME_part.c that has no header of its own."""
  rooted = '/' + path # a room may be at the top
  def is_own(header):
    stem = header[:-2]
    return rooted.endswith(f'/{stem}.c') or f'/{stem}_' in rooted
  rest = includes
  if path.endswith('.c') and includes:
    if includes[0][0] == '"' and is_own(includes[0][1]):
      rest = includes[1:]
    elif any(k == '"' and rooted.endswith(f'/{h[:-2]}.c') for k, h, _ in includes):
      return [f'{path}: its own header comes first']
  quoted = False
  for kind, header, line in rest:
    if kind == '<' and quoted:
      return [f'{path}:{line}: <{header}> comes before the headers of the project']
    quoted |= kind == '"'
  return []


def check_tree(top):
  wrong, n_files = [], 0
  for start in ('netd', 'slirp-lite', 'cni-plugin'):
    for folder, _, names in os.walk(os.path.join(top, start)):
      for name in sorted(names):
        if name.endswith(('.c', '.h')):
          full = os.path.join(folder, name)
          with open(full, encoding='utf-8') as file:
            wrong += check_file(os.path.relpath(full, top), file.read())
          n_files += 1
  if n_files == 0:
    wrong.append(f'{top}: no C file found')
  return wrong


if __name__ == '__main__':
  found = check_tree(sys.argv[1])
  print('\n'.join(found))
  sys.exit(1 if found else 0)

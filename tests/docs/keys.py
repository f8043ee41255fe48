#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""keys.py FOLDER: the manual pages against what the sources read, both ways: keys, their words, their usual values.

netd-policy(5) against policy_parse.c, netns-up-cni(7) against the plugins' tables of keys and what is read of a
configuration, netd.conf(5) against netd's --help (NETD in the environment) and its units, and the names of kernel
features. All is taken from the sources as they stand; what is not found there fails. TAP.
"""
import glob
import os
import re
import subprocess
import sys

import pages
import tap

BOLD = re.compile(r'\*((?:[^*\\\n]|\\.)+)\*')
# A getter: (function, object, key).
READ = re.compile(r'\b(gojson_(?:str|int|range|bool|obj|arr|get)|flag|get_bits|get_ip|conf_prefixes|parse_sets)\('
                  r'\s*([\w.>-]+),\s*(?:"[^"]*",\s*|path,\s*|at,\s*)?"([^"]+)"')
TOP = ('c->conf.doc', 'c->doc', 'ret->doc', 'c')


def compare(what, told, there, least=1):
  """told by the page, there in the sources."""
  told, there = set(told), set(there)
  tap.ok(f'{what}: {len(there)}', [f'only {len(there)} found in the sources'] * (len(there) < least) +
     [f'{name}: missing in the page' for name in sorted(there - told)] +
     [f'{name}: in the page, but not in the sources' for name in sorted(told - there)])


def read(top, path):
  with open(os.path.join(top, path), encoding='utf-8') as file:
    return file.read()


def bold(text):
  return [re.sub(r'\\(.)', r'\1', word) for word in BOLD.findall(text)]


def entries(page, section):
  """[(bold words of a line that begins with one, the text indented below it)] of a section."""
  found = []
  for line in page.sections.get(section, []):
    if line.startswith('*'):
      found.append((bold(line), line, []))
    elif line.startswith('\t') and found:
      found[-1][2].append(line.strip())
  return [(words, line, ' '.join(text)) for words, line, text in found if text]


def names_in(page, *sections):
  return [word for section in sections for words, _, _ in entries(page, section) for word in words]


def text_of(page, section, key):
  return next((text for words, _, text in entries(page, section) if key in words), '')


def body(source, function):
  """The text of a C function, or of a table."""
  found = re.search(rf'^[^\n]*\b{function}(?:\([^;{{]*\)\n{{|(?:\[\w*\])* = {{)(.*?)^}}', source, re.M | re.S)
  return found.group(1) if found else ''


def compared(text, variable):
  return re.findall(rf'strcmp\({variable}, "([^"]+)"\)', text)


def table(text, name='known'):
  """The first members of a table's rows."""
  found = re.search(rf'\b{name}\[\w*\] = {{(.*?)}};', text, re.S)
  return re.findall(r'{"([^"]+)"', found.group(1)) if found else []


def strings(source, name):
  found = re.search(rf'\b{name}\[\] = {{(.*?)}};', source, re.S)
  return re.findall(r'"([^"]+)"', found.group(1)) if found else []


def defined(source, name):
  found = re.search(rf'^#define {name} (\d+)\b', source, re.M)
  return int(found.group(1)) if found else None


def check_policy(page, top):
  parser, header = read(top, 'netd/broker/policy_parse.c'), read(top, 'netd/broker/policy.h')
  words = body(parser, 'parse_words')
  begin = re.search(r'^\*(\w+)\*\|\*(\w+)\* _SUBJECT_', '\n'.join(page.sections['DESCRIPTION']), re.M)
  compare('netd-policy: what begins a rule', begin.groups() if begin else (), compared(words, r'word\[0\]'), 2)
  compare('netd-policy: verbs', names_in(page, 'VERB'), table(body(parser, 'parse_verbs')), 2)
  limits = table(body(parser, 'parse_limit'))
  told = [word for words, line, _ in entries(page, 'LIMIT') for word in words if f'*{word}*=' in line]
  compare('netd-policy: limits', told, limits, 2)
  said = ''.join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', body(parser, 'parse_limit')))
  compare('netd-policy: limits that the parser\'s message names', re.findall(r'([a-z-]+)=', said), limits, 2)
  said = ''.join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', body(parser, 'parse_verbs'))).split('expected ')[-1]
  compare('netd-policy: verbs that the parser\'s message names', set(re.findall(r'[a-z]+', said)) - {'or'},
          table(body(parser, 'parse_verbs')), 2)
  line = next((line for _, line, _ in entries(page, 'LIMIT') if '*lifetime*' in line), '')
  compare('netd-policy: lifetimes', set(bold(line)) - {'lifetime'}, compared(body(parser, 'parse_lifetime'), 's'), 2)
  rates = next((read(top, path) for path in glob.glob(os.path.join(top, 'netd/model/*.c'))
                if 'rate_units[] = {' in read(top, path)), '')
  compare('netd-policy: units of a rate', set(bold(text_of(page, 'LIMIT', 'rate-in'))) - {'shape'},
          compared(body(rates, 'attach_rate_parse'), 's') + table(rates, 'rate_units'), 4)
  usual = {'nics': 'NICS', 'ports': 'PORTS', 'rate': 'RATE', 'conns': 'CONNS', 'conn-rate': 'CONN_RATE', 'in-conns': 'IN_CONNS',
           'in-conn-rate': 'IN_CONN_RATE'}
  wrong = []
  for key, name in usual.items():
    value = defined(header, f'POLICY_{name}')
    if value is None or not re.search(rf'\((?:\d+, and )?{value}(?:, and \d+)?\)', text_of(page, 'LIMIT', key)):
      wrong.append(f'{key}: the page does not say ({value})')
  tap.ok('netd-policy: usual limits', wrong)


def reads_of(source):
  """Keys that a source reads at the top of a configuration."""
  keys = {key for function, thing, key in READ.findall(source) if thing in TOP or function == 'get_bits'}
  for name in re.findall(r'"", (\w+)\[which\]|conf_refuse_lists\(&c->conf, (\w+),', source):
    keys |= set(strings(source, name[0] or name[1]))
  return keys


def check_keys(page, top, sources):
  shared = ''.join(text for name, text in sources.items() if not name.startswith('plugin_'))
  sets = {'Keys of all': (strings(sources['conf.c'], 'conf_common_keys'), shared),
          'Keys of netd, bridge and ptp': (strings(sources['conf_iface.c'], 'conf_iface_keys'), shared)}
  for plugin in ('portmap', 'bandwidth', 'tuning', 'firewall'):
    own = sources[f'plugin_{plugin}.c']
    sets[f'Keys of {plugin}'] = (strings(own, 'keys'), shared + own)
  for section, (keys, source) in sets.items():
    compare(f'netns-up-cni: {section}', names_in(page, section), keys, 2)
    idle = [word for words, _, text in entries(page, section) if text.startswith('Not looked at') for word in words]
    compare(f'netns-up-cni: {section} that nothing reads', idle, set(keys) - reads_of(source), 0)
  known = {key for keys, _ in sets.values() for key in keys}
  read_all = set().union(*(reads_of(text) for name, text in sources.items()
                           if name.startswith(('conf', 'plugin_', 'tune', 'verb_gc'))))
  tap.ok('netns-up-cni: no key is read that strict refuses', sorted(read_all - known) + ['nothing is read'] * (len(read_all) < 30))
  compare('netns-up-cni: Keys of ipam', names_in(page, 'Keys of ipam'), strings(sources['ipam.c'], 'ipam_keys'), 5)
  read_all = {key for _, thing, key in READ.findall(sources['ipam.c'] + sources['conf.c'])
              if thing in ('c->ipam', 'ret->ipam', 'o')}
  tap.ok('netns-up-cni: no key of ipam is read that strict refuses', sorted(read_all - set(strings(sources['ipam.c'], 'ipam_keys'))) +
     ['too little is read'] * (len(read_all) < 8))
  runtime = set(re.findall(r'"runtimeConfig", "(\w+)"', shared))
  for function in re.findall(r'(\w+)\(c->runtime, "runtimeConfig", (?!")', shared):
    runtime |= set(re.findall(r', path, "(\w+)"', body(shared, function)))
  compare('netns-up-cni: capabilities', names_in(page, 'Capabilities'), runtime, 5)


def check_words(page, top, sources):
  iface, common = 'Keys of netd, bridge and ptp', sources['conf_iface.c']
  words = {
    (iface, 'mode'): compared(body(read(top, 'netd/model/network.c'), 'net_mode_parse'), 's'),
    (iface, 'ingressPolicy'): compared(body(common, 'parse_policy'), 's'),
    (iface, 'ipMasqBackend'): compared(body(common, 'parse_network'), 'backend'),
    (iface, 'portPolicy'): compared(body(sources['conf_caps.c'], 'parse_policy'), 's'),
    ('Keys of firewall', 'ingressPolicy'): compared(body(sources['plugin_firewall.c'], 'parse'), 's'),
    ('Keys of ipam', 'type'): compared(body(sources['ipam.c'], 'ipam_kind'), 't'),
  }
  for (section, key), there in words.items():
    compare(f'netns-up-cni: words of {key} ({section})', set(bold(text_of(page, section, key))) - {'netns-up'}, there, 2)
  compare('netns-up-cni: CNI_ARGS', bold(text_of(page, 'ENVIRONMENT', 'CNI_ARGS')), compared(sources['env.c'], 'key'), 4)
  plugins = re.findall(r'\.name = "([^"]+)"', ''.join(sources.values()))
  compare('netns-up-cni: names', names_in(page, 'NAMES'), plugins, 9)
  text = ' '.join(page.sections['DESCRIPTION'])
  compare('netns-up-cni: versions', re.findall(r'\b\d\.\d\.\d\b', text), re.findall(r'= "(\d\.\d\.\d)"', sources['result.c']), 7)
  verbs = re.search(r'It knows ([A-Z, and]+) of', text)
  compare('netns-up-cni: verbs', re.findall('[A-Z]+', verbs.group(1) if verbs else ''),
          re.findall(r'\[CMD_\w+\] = {"(\w+)"', sources['env.c']), 6)
  codes = re.search(r'Codes: (.*?)\.(?: |$)', ' '.join(page.sections['EXIT STATUS']))
  compare('netns-up-cni: codes', re.findall(r'\d+', codes.group(1) if codes else ''),
          re.findall(r'^\tFAULT_\w+ = (\d+),', read(top, 'cni-plugin/fault.h'), re.M), 15)


def check_daemon(page, top, netd):
  text = subprocess.run([netd, '--help'], capture_output=True, text=True, timeout=30, check=True).stdout
  options = set(re.findall(r'^ .{5}(--[a-z-]+)', text, re.M)) - {'--help', '--version'}
  whole = '\n'.join(page.lines)
  compare('netd.conf: options', re.findall(r'\*(--[a-z-]+)\*', whole), options, 5)
  after = re.search(r'ends\nafter (\d+) seconds', whole)
  said = re.search(r'ends after (\d+) seconds', text)
  tap.ok('netd.conf: seconds without work', [] if after and said and after.group(1) == said.group(1) else [f'{after} {said}'])
  units = {}
  for path in glob.glob(os.path.join(top, 'netd/broker/units/netd.*')):
    for key, value in re.findall(r'^(\w+)=(.*)$', read(top, path), re.M):
      units.setdefault(key, []).append(value)
  prose = '\n'.join(line for section, lines in page.sections.items() if section != 'EXAMPLES' for line in lines)
  told = re.findall(r'\*(\w+)=([\w/.-]*)\*', prose)
  values = {(key, value) for key, value in told if value and key in units}
  wrong = [f'{key}={"|".join(sorted(v for k, v in values if k == key))}: the unit has {units[key]}'
           for key in sorted({key for key, _ in values}) if not any((key, value) in values for value in units[key])]
  tap.ok(f'netd.conf: what the units set: {len(values)}', wrong + ['fewer than 2'] * (len(values) < 2))
  # What a drop-in adds; all else that is named has to be in a unit.
  added = {'ReadWritePaths', 'SocketGroup', 'Environment'}
  named = {key for key, _ in told}
  tap.ok('netd.conf: settings of the units', [f'{key}: in no unit' for key in sorted(named - added - set(units))] +
     [f'{key}: a unit has it' for key in sorted(added & set(units))] + [f'{key}: not named' for key in sorted(added - named)])


def main():
  folder = sys.argv[1]
  top = os.path.join(folder, '..', '..')
  page = {name: pages.Page(os.path.join(folder, f'{name}.scd'))
          for name in ('netd-policy.5', 'netns-up-cni.7', 'netd.conf.5', 'netns-up.1')}
  sources = {os.path.basename(path): read(top, path) for path in glob.glob(os.path.join(top, 'cni-plugin/*.c'))}
  check_policy(page['netd-policy.5'], top)
  check_keys(page['netns-up-cni.7'], top, sources)
  check_words(page['netns-up-cni.7'], top, sources)
  check_daemon(page['netd.conf.5'], top, os.environ['NETD'])
  features = re.findall(r'\[PROBE_\w+\] = {"([^"]+)"', read(top, 'netd/sys/probe.c'))
  told = bold(text_of(page['netns-up.1'], 'ENVIRONMENT', 'NETNS_UP_WITHOUT').split('The names:')[-1])
  compare('netns-up: kernel features', told, features, 10)
  return tap.end()


sys.exit(main())

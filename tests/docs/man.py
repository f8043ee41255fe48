#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""man.py FOLDER: the manual pages against what --help says, both ways: verbs, operands, options, values.

NETNS_UP, SLIRP_LITE and NETD in the environment are the programs. Also: each page has the sections that belong to
its kind, each block of EXAMPLES says whether it is run, SEE ALSO names pages of ours that exist, and ENVIRONMENT
tells the variables that the program's sources ask for, and no others. TAP.
"""
import glob
import os
import re
import subprocess
import sys

import pages
import tap

HELP_OPTION = re.compile(r'^  (?:(-.),|   ) (--[a-z0-9-]+)(?: (\S+))?(?:  |$)')
SECTIONS = {
  '1': ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'FILES', 'ENVIRONMENT', 'EXAMPLES', 'SEE ALSO'],
  '8': ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'FILES', 'ENVIRONMENT', 'EXAMPLES', 'SEE ALSO'],
  '5': ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'FILES', 'EXAMPLES', 'SEE ALSO'],
  '7': ['NAME', 'DESCRIPTION', 'EXIT STATUS', 'ENVIRONMENT', 'FILES', 'EXAMPLES', 'SEE ALSO'],
}
# What each program is made of: its rooms, and files of the daemon's that are linked into others, or only into it.
ENGINE = ['base', 'model', 'sys', 'net', 'store', 'engine']
DAEMON_ALONE = ['netd/broker/listen.c', 'netd/broker/handover_file.c']
CLIENT_ALONE = ['netd/broker/ask.c']
SOURCES = {
  'netns-up.1': ([f'netd/{room}' for room in ENGINE + ['doctor', 'broker', 'rootless', 'cli']], DAEMON_ALONE),
  'slirp-lite.1': (['slirp-lite', 'netd/base', 'netd/model', 'netd/sys'], []),
  'netns-up-cni.7': ([f'netd/{room}' for room in ENGINE + ['broker']] + ['cni-plugin'], DAEMON_ALONE),
  'netd.8': ([f'netd/{room}' for room in ENGINE + ['broker']], CLIENT_ALONE),
}


def help_of(program, *words):
  return subprocess.run([program, *words, '--help'], capture_output=True, text=True, timeout=30, check=True).stdout


def help_options(text):
  found = {}
  for line in text.split('\n'):
    match = HELP_OPTION.match(line)
    if match:
      found[match.group(2)] = (match.group(1), match.group(3))
  return found


def listed_verbs(text):
  if '\nVerbs:\n' not in text:
    return []
  return re.findall(r'^  ([a-z-]+) +\S', text.split('\nVerbs:\n')[1].split('\n\n')[0], re.M)


def compare(told, there):
  """told by the page, there in --help; help itself is told once for all verbs."""
  wrong = [f'{name}: missing in the page' for name in there if name not in told]
  wrong += [f'{name}: in the page, but not in --help' for name in told if name not in there]
  wrong += [f'{name}: the page has {told[name]}, --help {there[name]}' for name in told
            if name in there and told[name] != there[name]]
  return wrong


def check_netns_up(page, program):
  top = help_of(program)
  tap.ok('netns-up: options', compare(page.options('OPTIONS'), help_options(top)))
  headings = {}
  for section in page.sections:
    match = re.match(r'netns-up ([a-z-]+(?: [a-z]+)?) \[OPTION\]', section)
    if match:
      headings[match.group(1)] = section
  verbs = []
  for verb in listed_verbs(top):
    subs = listed_verbs(help_of(program, verb))
    verbs += [f'{verb} {sub}' for sub in subs] or [verb]
  tap.ok('netns-up: there are verbs', [] if len(verbs) > 10 else [str(verbs)])
  tap.ok('netns-up: each verb has its place', [f'{v}: missing' for v in verbs if v not in headings] +
     [f'{v}: there is no such verb' for v in headings if v not in verbs])
  used = set()
  for verb in verbs:
    text = help_of(program, *verb.split())
    section = headings.get(verb, '')
    there = help_options(text)
    wrong = [] if there.pop('--help', None) else ['no --help in --help']
    told = page.options(section)
    used |= {n for n in told if told[n] == page.options('COMMON OPTIONS').get(n)}
    wrong += compare(told, there)
    usage = text.split('\n')[0]
    if usage != f'Usage: {section}':
      wrong.append(f'the heading is "{section}", --help says "{usage}"')
    tap.ok(f'netns-up {verb}', wrong)
  tap.ok('netns-up: nothing is told that no verb has',
     [name for name in page.options('COMMON OPTIONS') if name not in used])
  codes = set(re.findall(r'^\*(\d+)\*$', '\n'.join(page.sections['EXIT STATUS']), re.M))
  said = top.split('Exit codes:')[1].split('`run`')[0].replace('\n', ' ')
  there = set(re.findall(r'[ ,](\d{1,2}) [a-z`]', said))
  tap.ok('netns-up: exit codes', [str(codes ^ there)] if codes != there else [])
  told = set(re.findall(r'^\*([A-Z_]+)\*$', '\n'.join(page.sections['ENVIRONMENT']), re.M))
  missing = set(re.findall(r'NETNS_UP_[A-Z_]+', top)) - told
  tap.ok('netns-up: environment', sorted(missing))


def asked_for(text, macros):
  """The names that a file asks the environment for; what cannot be told is there as it is written."""
  names = set()
  for argument in re.findall(r'\bgetenv\(([^()]*)\)', text):
    if argument.startswith('"'):
      names.add(argument.strip('"'))
    elif '[' in argument: # of a table of names
      table = re.search(rf'\b{argument.split("[")[0]}\[\] = {{(.*?)}}', text, re.S)
      names |= set(re.findall(r'"(\w+)"', table.group(1))) if table else {argument}
    elif argument in macros:
      names.add(macros[argument])
    else: # a parameter: what the function is called with
      wrapper = re.search(rf'\b(\w+)\(const char \*{argument}\)\n{{[^}}]*\bgetenv\({argument}\)', text)
      names |= set(re.findall(rf'\b{wrapper.group(1)}\("(\w+)"\)', text)) if wrapper else {argument}
  return names


def check_environment(name, page, top):
  rooms, others = SOURCES[name]
  texts = {}
  for room in rooms:
    for path in glob.glob(os.path.join(top, room, '**', '*.[ch]'), recursive=True):
      if os.path.relpath(path, top) not in others:
        with open(path, encoding='utf-8') as file:
          texts[path] = file.read()
  macros = dict(re.findall(r'^#define (\w+) +"(\w+)"', '\n'.join(texts.values()), re.M))
  there = set().union(*(asked_for(text, macros) for text in texts.values()))
  told = set()
  for line in page.sections['ENVIRONMENT']:
    if re.match(r'\*[A-Z_]+\*', line):
      told |= set(re.findall(r'\*([A-Z_]+)\*', line))
  tap.ok(f'{name}: the {len(there)} variables of the environment', ['no sources'] if len(texts) < 10 else
     [f'{v}: missing in the page' for v in sorted(there - told)] +
     [f'{v}: in the page, but nothing asks for it' for v in sorted(told - there)])


def main():
  folder = sys.argv[1]
  names = sorted(name for name in os.listdir(folder) if name.endswith('.scd'))
  all_pages = {name[:-4]: pages.Page(os.path.join(folder, name)) for name in names}
  check_netns_up(all_pages['netns-up.1'], os.environ['NETNS_UP'])
  for name, variable in (('slirp-lite.1', 'SLIRP_LITE'), ('netd.8', 'NETD')):
    tap.ok(f'{name}: options', compare(all_pages[name].options('OPTIONS'), help_options(help_of(os.environ[variable]))))
  for name in SOURCES:
    check_environment(name, all_pages[name], os.path.join(folder, '..', '..'))
  for name, page in all_pages.items():
    base, section = name.rsplit('.', 1)
    wrong = list(page.wrong)
    if page.title != f'{base}({section})':
      wrong.append(f'the title is {page.title}')
    wrong += [f'{s} is missing' for s in SECTIONS[section] if s not in page.sections]
    if not any(mark == 'runnable' for _, mark, _, _ in page.examples):
      wrong.append('no example is run')
    for other in re.findall(r'\*(net[a-z.-]+|slirp-lite)\*\((\d)\)', '\n'.join(page.lines)):
      if other[0].startswith(('netns-up', 'netd', 'slirp')) and f'{other[0]}.{other[1]}' not in all_pages:
        wrong.append(f'{other[0]}({other[1]}) does not exist')
    tap.ok(f'{name}: well formed', wrong)
  return tap.end()


sys.exit(main())

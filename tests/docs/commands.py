#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""commands.py TREE: what README.md and docs/*.md tell to type is there. TAP.

NETNS_UP, SLIRP_LITE and NETD in the environment are the programs. In every block, and between backquotes, lines of
theirs name verbs that exist and options that these have, with their values; ./dev has the verbs that are named, and
meson the options; what is copied from docs exists. Options that stand alone between backquotes belong to one of the
programs. README's table of verbs is that of --help, both ways. Each block says whether it is run (pages.py).
"""
import glob
import os
import re
import subprocess
import sys

import pages
import tap

HELP_OPTION = re.compile(r'^  (?:(-.),|   ) (--[a-z0-9-]+)(?: (\S+))?(?:  |$)')
SPAN = re.compile(r'(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)')
PROGRAMS = ('netns-up', 'netd', 'slirp-lite', './dev', 'meson', 'cp')
# Options of others that stand alone in a text, each with whose it is; pasta.md tells all along of pasta's.
OTHERS = {
  '--quick': './dev bench', '--plugin-type': 'tests/conform/run.py', '--slack': 'tests/conform/run.py',
  '--daemon': 'tests/conform/run.py', '--rootfs': 'podman', '--allocate-node-cidrs': 'kube-controller-manager',
  '--device': 'podman and docker', '--net': 'rootlesskit', '--port-driver': 'rootlesskit',
}
OF_OTHERS = ('docs/pasta.md',)


class Options:
  """The options of a program, or of a verb of it: {name: whether it has a value}."""

  def __init__(self, program, *words):
    self.text = subprocess.run([program, *words, '--help'], capture_output=True, text=True, timeout=30, check=True).stdout
    self.takes = {}
    for line in self.text.split('\n'):
      match = HELP_OPTION.match(line)
      if match:
        short, name, value = match.groups()
        self.takes[name] = value is not None
        if short:
          self.takes[short] = value is not None
    verbs = self.text.split('\nVerbs:\n')
    self.verbs = re.findall(r'^  ([a-z-]+) +\S', verbs[1].split('\n\n')[0], re.M) if len(verbs) > 1 else []


class Programs:
  def __init__(self, top):
    env = os.environ
    self.netns_up = Options(env['NETNS_UP'])
    self.verbs = {}
    for verb in self.netns_up.verbs:
      first = Options(env['NETNS_UP'], verb)
      self.verbs[verb] = first
      for sub in first.verbs:
        self.verbs[f'{verb} {sub}'] = Options(env['NETNS_UP'], verb, sub)
    self.alone = {'netd': Options(env['NETD']), 'slirp-lite': Options(env['SLIRP_LITE'])}
    with open(os.path.join(top, 'dev'), encoding='utf-8') as file:
      text = file.read()
    self.dev = set(re.findall(r'^verb_(\w+)\(\)', text, re.M))
    with open(os.path.join(top, 'meson_options.txt'), encoding='utf-8') as file:
      self.meson = set(re.findall(r"^option\('(\w+)'", file.read(), re.M))
    self.top, self.others = top, set()
    self.every = {name for o in [self.netns_up, *self.verbs.values(), *self.alone.values()] for name in o.takes}


def words_of(line):
  """The simple commands of a line, as lists of words; quotes are kept whole, what follows # is a comment."""
  commands, words = [], []
  for word in re.findall(r'"[^"]*"|\'[^\']*\'|&&|\|\||[;|&()]|\$\(|(?:[^\s"\'`;|&()$]|\$(?!\())(?:[^\s;&()|"\']|"[^"]*"|\'[^\']*\')*', line):
    if word.startswith('#'):
      break
    if word in ('&&', '||', ';', '|', '&', '(', ')', '$('):
      commands.append(words)
      words = []
    else:
      words.append(word)
  return [c for c in commands + [words] if c]


def options_wrong(options, words, what):
  wrong, at = [], 0
  while at < len(words):
    word = words[at]
    at += 1
    if word == '--' or re.fullmatch(r'CMD|COMMAND', word):
      break
    if not re.match(r'-[A-Za-z]|--[a-z]', word):
      continue
    name, _, value = word.partition('=')
    if name not in options.takes:
      wrong.append(f'{what} has no {name}')
    elif options.takes[name] and not value:
      if at == len(words):
        wrong.append(f'{what} {name}: without its value')
      at += 1
  return wrong


def netns_up_wrong(programs, words):
  at = 1
  while at < len(words) and words[at].startswith('-') and words[at] in programs.netns_up.takes:
    at += 1
  if at == len(words):
    return []
  verb = words[at]
  if verb not in programs.verbs:
    # The short form is `up`: a pid, a path, what stands for one.
    if not re.match(r'\d+$|\$|PID|TARGET|/|-', verb):
      return [] if re.match(r'VERB|\.\.\.', verb) else [f'netns-up has no verb {verb}']
    return options_wrong(programs.verbs['up'], words[at:], 'netns-up')
  if programs.verbs[verb].verbs:
    if at + 1 == len(words):
      return []
    sub = f'{verb} {words[at + 1]}'
    if sub not in programs.verbs:
      return [] if re.match(r'[A-Z.]', words[at + 1]) else [f'there is no netns-up {sub}']
    return options_wrong(programs.verbs[sub], words[at + 2:], f'netns-up {sub}')
  return options_wrong(programs.verbs[verb], words[at + 1:], f'netns-up {verb}')


def command_wrong(programs, words):
  name, wrong = words[0], []
  if name == 'netns-up':
    return netns_up_wrong(programs, words)
  if name in programs.alone:
    return options_wrong(programs.alone[name], words[1:], name)
  if name == './dev' and len(words) > 1 and words[1] not in programs.dev:
    return [f'./dev has no verb {words[1]}']
  if name == 'meson':
    return [f'meson_options.txt has no {o}' for word in words for o in re.findall(r'^-D(\w+)', word) if o not in programs.meson]
  if name == 'cp':
    wrong = [f'{word} is not there' for word in words[1:] if word.startswith('docs/') and
             not glob.glob(os.path.join(programs.top, word))]
  return wrong


def lines_of(block):
  """Its lines without prompts, those that go on joined."""
  lines = '\n'.join(block).replace('\\\n', ' ').split('\n')
  prompted = [line[2:] for line in lines if line.startswith(('# ', '$ '))]
  return prompted or lines


def text_wrong(programs, path):
  blocks, wrong = pages.text_blocks(path)
  with open(path, encoding='utf-8') as file:
    text = file.read()
  spans = [re.sub(r'\s+', ' ', span) for span in SPAN.findall(re.sub(r'^```.*?^```', '', text, flags=re.M | re.S))]
  n = 0
  for line in [line for _, _, _, block in blocks for line in lines_of(block)] + spans:
    for words in words_of(line):
      # Assignments before a command, and what runs one.
      while words and re.match(r'[A-Z_]+=|ExecStart=$|until$|exec$|!$|if$|then$|do$', words[0]):
        words = words[1:]
      if words and words[0] in PROGRAMS:
        n += 1
        wrong += [f'{line}: {w}' for w in command_wrong(programs, words)]
      elif words and line in spans and re.match(r'--[a-z]', words[0]) and os.path.relpath(path, programs.top) not in OF_OTHERS:
        n += 1
        name = words[0].partition('=')[0]
        programs.others.add(name)
        if name not in programs.every and name not in OTHERS:
          wrong.append(f'{line}: no program has {name}')
  return wrong, n


def check_verbs(programs, top):
  with open(os.path.join(top, 'README.md'), encoding='utf-8') as file:
    text = file.read()
  table = text.split('\n| verb | |\n')[1].split('\n\n')[0] if '\n| verb | |\n' in text else ''
  told = set()
  for cell in re.findall(r'^\| ((?:[^|\\]|\\.)*) \|', table, re.M):
    for span in re.findall(r'`([^`]+)`', cell.replace('\\|', '|')):
      words = span.split()
      if words[0] == 'netns-up':
        continue
      subs = words[1].split('|') if words[0] in ('network', 'policy') and len(words) > 1 else []
      told |= {f'{words[0]} {sub}' for sub in subs} or {words[0]}
  there = {verb for verb, options in programs.verbs.items() if not options.verbs}
  tap.ok(f'README.md: its table of {len(there)} verbs', [f'{v}: missing in the table' for v in sorted(there - told)] +
     [f'{v}: there is no such verb' for v in sorted(told - there)])
  options = set(re.findall(r'^\| `-D(\w+)', text, re.M))
  tap.ok('README.md: its table of options of meson setup', [f'{o}: not in meson_options.txt' for o in sorted(options - programs.meson)] +
     ['no option'] * (not options))


def main():
  top = sys.argv[1]
  programs = Programs(top)
  check_verbs(programs, top)
  total = 0
  for path in [os.path.join(top, 'README.md'), *sorted(glob.glob(os.path.join(top, 'docs', '*.md')))]:
    wrong, n = text_wrong(programs, path)
    total += n
    tap.ok(f'{os.path.relpath(path, top)}: {n} commands and options', wrong)
  tap.ok(f'there are commands: {total}', ['too few'] * (total < 200) + [f'{o}: named nowhere' for o in OTHERS if o not in programs.others])
  return tap.end()


if __name__ == '__main__':
  sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-or-later
"""pages: the manual pages' sources, and the other texts' blocks, taken apart: sections, options, examples.

A page is scdoc text. An option is a paragraph `*-x*, *--long* _VALUE_` with its text indented below it. The options
of a verb stand below `## PROGRAM VERB [OPTION]... OPERANDS`; those told in COMMON OPTIONS are named in a paragraph
that begins with `Common options:`. A literal block in EXAMPLES follows a comment: `; runnable`, with
`; until CONDITION` behind it where a command that goes on by itself has to get ready, or `; not run: REASON`.
In a runnable block lines that begin with `# ` and `$ ` are commands, of root and of an ordinary user; the others
are what is printed.

In the texts (Markdown) each block follows a line `<!-- MARK -->`: `runnable` as in a page, `runnable as root` or
`runnable as a user` for the lines of one shell, `run as a user: NAME` for what tests/ns/recipes.sh runs, or
`not run: REASON`.
"""
import re

OPTION = re.compile(r'^(?:\*(-[A-Za-z0-9])\*, )?\*(--[a-z0-9-]+)\*(?: _(.*)_)?$')
TEXT_MARK = re.compile(r'^<!-- (runnable(?: as root| as a user)?|run as a user: \w+|not run: \S.*) -->$')
MARK = re.compile(r'^; (runnable|not run: \S.*?)(?:; until (.*))?$')


class Page:
  def __init__(self, path):
    with open(path, encoding='utf-8') as file:
      self.lines = file.read().split('\n')
    self.title = self.lines[0]
    self.sections = {}   # name -> lines; '## ...' are sections of their own
    self.examples = []   # (line number, mark, condition, lines)
    self.wrong = []
    self._read()

  def _read(self):
    section, mark, block, start = '', None, None, 0
    for number, line in enumerate(self.lines[1:], 2):
      if block is not None:
        if line != '```':
          block.append(line)
          continue
        if not mark:
          self.wrong.append(f'line {start}: a block without "; runnable" or "; not run: REASON" before it')
        else:
          self.examples.append((start, mark.group(1), mark.group(2), block))
        mark, block = None, None
      elif line == '```':
        block, start = [], number
      elif line.startswith('# ') or line.startswith('## '):
        section = line.lstrip('# ')
        self.sections[section] = []
      else:
        if line.startswith('; '):
          mark = MARK.match(line)
          if not mark:
            self.wrong.append(f'line {number}: a comment that means nothing: {line}')
        if section:
          self.sections[section].append(line)

  def options(self, section):
    """{long: (short, value)} of one section; those that COMMON OPTIONS tells are looked up there."""
    lines = self.sections.get(section, [])
    found = {}
    for at, line in enumerate(lines):
      match = OPTION.match(line)
      if not match:
        continue
      short, name, value = match.groups()
      if name in found:
        self.wrong.append(f'{section}: {name} twice')
      if at + 1 >= len(lines) or not lines[at + 1].startswith('\t'):
        self.wrong.append(f'{section}: {name} is not explained')
      found[name] = (short, value)
    paragraphs = '\n'.join(lines).split('\n\n')
    for paragraph in paragraphs:
      if paragraph.strip().startswith('Common options:'):
        common = self.options('COMMON OPTIONS')
        for name in re.findall(r'\*(--[a-z0-9-]+)\*', paragraph):
          if name in found:
            self.wrong.append(f'{section}: {name} twice')
          if name not in common:
            self.wrong.append(f'{section}: {name} is not in COMMON OPTIONS')
          found[name] = common.get(name)
    return found


def text_blocks(path):
  """([(line number, mark, None, lines)], what is wrong) of a text."""
  with open(path, encoding='utf-8') as file:
    lines = file.read().split('\n')
  found, wrong, block, start, mark = [], [], None, 0, None
  for number, line in enumerate(lines, 1):
    if not line.startswith('```'):
      if block is not None:
        block.append(line)
    elif block is None:
      block, start, mark = [], number, TEXT_MARK.match(lines[number - 2])
    else:
      if mark:
        found.append((start, mark.group(1), None, block))
      else:
        wrong.append(f'line {start}: a block without a mark before it that says whether it is run')
      block = None
  return found, wrong + ['a block without an end'] * (block is not None)


def examples_of(path):
  """[(line number, mark, condition, lines)] of a page or a text."""
  return text_blocks(path)[0] if path.endswith('.md') else Page(path).examples

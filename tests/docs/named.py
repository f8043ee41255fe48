#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""named.py [--links] TREE: what the texts name is there. TAP.

In each .md file: links to files of the tree, and to headings in them, and paths of the tree between backquotes
(`tests/...`, with `*` for any), exist. A path that is followed by a colon and words in double quotes is a test with
titles of its own: each of them stands in that file as it is quoted. With --links the links alone: of a package's
documents, which lie there without the tree. Drawings (docs/*.svg) are well formed, and nothing in them runs or is
fetched.
"""
import glob
import os
import re
import sys
import xml.etree.ElementTree

LINK = re.compile(r'\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)]*))?\)')
HEADING = re.compile(r'^#+ +(.*?) *$', re.M)
PATH = re.compile(r'`((?:tests|docs|netd|slirp-lite|cni-plugin|packaging)/[^`\s<]*)`')
QUOTED = re.compile(r'`(tests/[^`\s]+)`: ("[^"]+"(?:, "[^"]+")*)')
FENCE = re.compile(r'^(```|~~~).*?^\1', re.M | re.S)


def has_heading(path, anchor):
  with open(path, encoding='utf-8') as file:
    titles = HEADING.findall(FENCE.sub('', file.read()))
  return anchor in [re.sub(r'[^\w -]', '', title).lower().replace(' ', '-') for title in titles]


def wrong_in(top, name, links_alone):
  """What a text says that is not so, and how many things it named."""
  with open(os.path.join(top, name), encoding='utf-8') as file:
    text = FENCE.sub('', file.read())
  folder = os.path.dirname(name)
  wrong, n = [], 0
  for target, anchor in LINK.findall(text):
    n += 1
    path = os.path.join(top, folder, target) if target else os.path.join(top, name)
    if not os.path.exists(path):
      wrong.append(f'link to {target}')
    elif anchor and not (path.endswith('.md') and has_heading(path, anchor)):
      wrong.append(f'link to {target}#{anchor}')
  if links_alone:
    return wrong, n
  for path in PATH.findall(text):
    n += 1
    path = path.rstrip('/')
    # A room or a test may be named without what its files end with.
    if not glob.glob(os.path.join(top, path)) and not glob.glob(os.path.join(top, path + '[._]*')):
      wrong.append(f'{path} is not there')
  for path, titles in QUOTED.findall(text):
    try:
      with open(os.path.join(top, path), encoding='utf-8') as file:
        test = file.read()
    except OSError:
      continue # told above
    for title in re.findall(r'"([^"]+)"', titles):
      n += 1
      if title not in test and title.replace("'", "'\"'\"'") not in test:
        wrong.append(f'{path} does not say "{title}"')
  return wrong, n


def wrong_in_drawing(path):
  wrong = []
  for e in xml.etree.ElementTree.parse(path).iter():
    if e.tag.split('}')[-1] not in ('svg', 'title', 'style', 'defs', 'marker', 'path', 'rect', 'text'):
      wrong.append(f'an element {e.tag}')
    if any(key.startswith('on') or 'href' in key for key in e.attrib):
      wrong.append(f'an attribute of {e.tag}')
  return wrong


def main():
  top, links_alone = sys.argv[-1], sys.argv[1] == '--links'
  names = sorted(os.path.relpath(p, top) for p in glob.glob(os.path.join(top, '*.md')) +
                 glob.glob(os.path.join(top, 'docs', '**', '*.md'), recursive=True))
  drawings = sorted(glob.glob(os.path.join(top, 'docs', '*.svg')))
  print(f'1..{len(names) + len(drawings)}')
  failed = 0
  for count, name in enumerate(names, 1):
    wrong, n = wrong_in(top, name, links_alone)
    failed += bool(wrong)
    print(f'{"not " if wrong else ""}ok {count} - {name}: {n} things that it names')
    for line in wrong:
      print(f'# {line}')
  for count, path in enumerate(drawings, len(names) + 1):
    wrong = wrong_in_drawing(path)
    failed += bool(wrong)
    print(f'{"not " if wrong else ""}ok {count} - {os.path.relpath(path, top)}: a drawing alone')
    for line in wrong:
      print(f'# {line}')
  return failed or not names


sys.exit(main() != 0)

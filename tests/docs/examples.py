#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of a manual page or another text, run as they stand there.

examples.py list PAGE: line number and first command of each block that is to be run.
examples.py run PAGE LINE ROOT USER [FROM=TO]...: runs the commands of one block, those of "# " by the program ROOT,
those of "$ " by USER, each as its only argument. Each has to succeed and to print what the page says: words are
compared without regard to the space between them, "..." stands for anything, alone in a line for any lines, and
addresses of fd00::/8 are alike. FROM=TO replaces a word. A command that ends with "&" goes on to the end of the
block, and the block's condition is awaited.
"""
import re
import shlex
import subprocess
import sys
import time

import pages

# The lines of one shell as at a prompt, where jobs can be killed; each succeeds, but for waiting for what was killed.
SHELL = 'exec bash -mc '
TRAP = "trap 'case $BASH_COMMAND in wait*) ;; *) echo \"failed: $BASH_COMMAND\"; exit 1 ;; esac' ERR"
UNIQUE = re.compile(r'\bfd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f:]+')


def steps_of(mark, block):
  """[who, command, expected lines]"""
  if mark != 'runnable': # what they print is not told
    return [['#' if mark == 'runnable as root' else '$', SHELL + shlex.quote('\n'.join([TRAP, *block])), ['...']]]
  steps, until, goes_on = [], None, False
  for line in block:
    if until is not None or goes_on:
      steps[-1][1] += '\n' + line
      if line == until:
        until = None
      goes_on = until is None and goes_on and line.endswith('\\')
    elif line.startswith(('# ', '$ ')):
      steps.append([line[0], line[2:], []])
      match = re.search(r"<<'(\w+)'", line)
      until = match.group(1) if match else None
      goes_on = line.endswith('\\')
    else:
      steps[-1][2].append(line)
  return steps


def words(line):
  return ' '.join(UNIQUE.sub('fd', line).split())


def pattern(lines):
  text = ''
  for line in lines:
    if line == '...':
      text += r'(?:.*\n)*?'
    else:
      text += '.*'.join(re.escape(part) for part in words(line).split('...')) + r'\n'
  return text


def replace(text, pairs):
  for old, new in pairs:
    text = re.sub(rf'(?<![\w.]){re.escape(old)}(?!\w)', new, text)
  return text


def run(page, line, root, user, pairs):
  block = next(e for e in pages.examples_of(page) if e[0] == line)
  running = []
  try:
    for who, command, wanted in steps_of(block[1], block[3]):
      command = replace(command, pairs)
      program = root if who == '#' else user
      print(f'{who} {command}')
      if command.endswith('&'):
        running.append(subprocess.Popen([program, 'exec ' + command[:-1]]))
        end = time.monotonic() + 20
        while block[2] and subprocess.run([root, block[2]], check=False).returncode != 0:
          if time.monotonic() > end:
            sys.exit(f'not after 20 seconds: {block[2]}')
          time.sleep(0.02)
        continue
      done = subprocess.run([program, command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL, timeout=30, check=False)
      print(done.stdout, end='')
      if done.returncode != 0:
        sys.exit(f'exit status {done.returncode}')
      got = ''.join(words(l) + '\n' for l in done.stdout.splitlines())
      if not re.fullmatch(pattern([replace(l, pairs) for l in wanted]), got):
        sys.exit('the page says:\n' + '\n'.join(wanted))
  finally:
    for process in running:
      process.terminate()
    for process in running:
      process.wait(20)


def main():
  if sys.argv[1] == 'list':
    for line, mark, _, block in pages.examples_of(sys.argv[2]):
      if mark.startswith('runnable'):
        print(line, block[0].lstrip('#$ '))
    return
  page, line, root, user = sys.argv[2:6]
  run(page, int(line), root, user, [pair.split('=') for pair in sys.argv[6:]])


main()

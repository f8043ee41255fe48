# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case is: a number, the text of the contract, and a function that gathers reasons of failure.

A case gets a T: the lab (made on first use), the runtime, and assertions. Assertions do not stop a case;
need() does. The list CASES is filled by the decorator as the case files are imported.
"""
import json
import re

from lab import Lab

CASES = {}


class Stop(Exception):
  """The rest of the case makes no sense."""


def case(number, text):
  def note(function):
    assert number not in CASES, number
    CASES[number] = (text, function)
    return function
  return note


class T:
  def __init__(self, runtime, options):
    self.cni, self.options = runtime, options
    self.reasons, self.notes, self.pending = [], [], None
    self._lab = None

  @property
  def lab(self):
    if self._lab is None:
      self._lab = Lab()
    return self._lab

  def box(self, name):
    return self.lab.boxes.get(name) or self.lab.box(name)

  # --- assertions ----------------------------------------------------------------------------------

  def no(self, reason):
    self.reasons.append(str(reason))
    return False

  def note(self, text):
    self.notes.append(str(text))

  def later(self, why):
    """A part of the case cannot be tested here: it does not pass."""
    self.pending = why

  def ok(self, is_true, reason):
    return True if is_true else self.no(reason)

  def eq(self, got, wanted, what):
    return self.ok(got == wanted, f'{what}: got {got!r}, expected {wanted!r}')

  def need(self, is_true, reason):
    if not is_true:
      self.no(reason)
      raise Stop

  def added(self, result, what='ADD', stop=True):
    """An ADD that has to succeed with one document."""
    good = result is not None and result.rc == 0 and result.n_docs == 1 and isinstance(result.doc, dict)
    if stop:
      self.need(good, f'{what}: expected success, got {result.say()}')
    return self.ok(good, f'{what}: expected success, got {result.say()}')

  def quiet(self, result, what=None):
    """A DEL, CHECK, GC or STATUS that has to succeed."""
    return self.ok(result.rc == 0 and result.out == '', f'{what or result.command}: expected success without output, '
                   f'got {result.say()}')

  def fails(self, result, codes, what=None, where=None):
    """Fails with one of the codes (a number or several) and one error document; where: a pattern in its text."""
    codes = (codes,) if isinstance(codes, int) else tuple(codes)
    what = what or result.command
    wanted = ' or '.join(map(str, codes))
    if result.rc == 0:
      return self.no(f'{what}: expected code {wanted}, got success: {result.say()}')
    if result.rc is None or result.rc < 0:
      return self.no(f'{what}: expected code {wanted}, ended by a signal: {result.say()}')
    good = True
    if result.n_docs != 1:
      good = self.no(f'{what}: {result.n_docs if result.n_docs >= 0 else "broken"} documents on stdout: {result.say()}')
    if result.code not in codes:
      good = self.no(f'{what}: expected code {wanted}, got {result.code}: {result.say()}')
    elif not isinstance(result.doc.get('msg'), str) or not result.doc['msg']:
      good = self.no(f'{what}: no message: {result.say()}')
    if where and not re.search(where, result.text, re.I | re.S):
      good = self.no(f'{what}: nothing like /{where}/ in "{result.text.strip()[:200]}"')
    return good

  def clean(self, what, *words, boxes=()):
    """No trace of the words on the host, no interface of ours in the boxes."""
    good = True
    found = self.lab.traces(*words)
    if found:
      good = self.no(f'{what}: left behind ({len(found)}): ' + '; '.join(found[:3]))
    for box in boxes:
      if box.has_link():
        good = self.no(f'{what}: eth0 stays in {box.name}')
    return good

  def same(self, before, what):
    """The host is as it was (before: lab.facts())."""
    after = self.lab.facts()
    new, gone = sorted(after - before), sorted(before - after)
    return self.ok(not new and not gone, f'{what}: new on the host: {"; ".join(new[:3])[:300]} ({len(new)}), '
                   f'gone: {"; ".join(gone[:2])[:150]} ({len(gone)})')

  def reaches(self, source, address, port, word, what, proto='tcp', tries=3):
    """source gets an answer from the server of that word; returns the address seen there."""
    answer = None
    for _ in range(tries):
      answer = source.ask(address, port, proto)
      if answer and answer[0] == word:
        return answer[1]
    self.no(f'{what}: {source.name} -> {proto}/{address}:{port}: ' + (f'answered by {answer[0]}' if answer else
                                                                      'no answer'))
    return None

  def unreachable(self, source, address, port, what, proto='tcp'):
    answer = source.ask(address, port, proto, timeout=0.4)
    return self.ok(answer is None, f'{what}: {source.name} -> {proto}/{address}:{port} is answered by {answer}')

  def in_time(self, seconds, bound, what):
    """A bound of the contract, widened on machines and builds that are told to be slow."""
    bound *= self.options.slack
    return self.ok(seconds <= bound, f'{what}: {seconds * 1e3:.1f} ms, at most {bound * 1e3:.0f} ms')

  # --- helpers -------------------------------------------------------------------------------------

  def fake_ipam(self, name, script):
    """A foreign IPAM plugin as a shell script beside the others; it logs each command to /run/t/NAME.log.
    Returns the CNI_PATH to use."""
    folder = '/run/t/plugins'
    self.lab.write(f'{folder}/{name}', '#!/bin/sh\n'
                   f'in=$(cat)\nprintf "%s %s %s\\n" "$CNI_COMMAND" "$CNI_CONTAINERID" "$in" >>/run/t/{name}.log\n'
                   f'{script}\n', 0o755)
    return f'{self.cni.folder}:{folder}'

  @staticmethod
  def fake_calls(name):
    """[(command, input)] of a foreign IPAM plugin."""
    try:
      with open(f'/run/t/{name}.log', encoding='utf-8') as file:
        calls = [line.split(' ', 2) for line in file.read().splitlines()]
    except OSError:
      return []
    made = []
    for words in calls:
      try:
        made.append((words[0], json.loads(words[2])))
      except (IndexError, ValueError):
        made.append((words[0], None))
    return made

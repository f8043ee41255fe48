# SPDX-License-Identifier: GPL-2.0-or-later
"""netd_client.py: says to netd whatever it is told to.

netd_client.py [--socket PATH] VERB [ID] [NETNS-PATH | PORT...] [--ip A] [--mac M] [--ifname NAME]
  [--rateIn N] [--rateOut N] [--flows true]
prints the answer. Imported, it is the pieces of that.
"""
import array
import json
import os
import socket
import sys
import time

SOCKET = '/run/netd/netd.sock'


def connect(path=SOCKET, timeout=30):
  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
  s.settimeout(timeout)
  s.connect(path)
  return s


def send(s, data, fds=()):
  control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
  s.sendmsg([data], control)


def ask_raw(data, fds=(), path=SOCKET):
  """The answer as text; '' when netd hung up without one."""
  with connect(path) as s:
    try:
      send(s, data, fds)
      return s.recv(65536).decode()
    except (ConnectionResetError, BrokenPipeError):
      return ''


def request(verb, **more):
  return json.dumps({'netd': 1, 'verb': verb, **more}).encode()


def ask(verb, fds=(), **more):
  """The answer; of a busy netd, the next one."""
  for _ in range(1200):
    answer = ask_raw(request(verb, **more), fds)
    if answer and '"busy"' not in answer:
      return json.loads(answer)
    time.sleep(0.05)
  raise TimeoutError('netd is busy for good')


def kind(answer):
  return 'ok' if answer.get('ok') else answer['error']['kind']


def main(argv):
  more, words = {}, []
  while argv:
    word = argv.pop(0)
    if word.startswith('--'):
      value = argv.pop(0)
      more[word[2:]] = (int(value) if word.startswith('--rate') else
                        value == 'true' if word == '--flows' else value)
    else:
      words.append(word)
  verb, fds = words[0], []
  if len(words) > 1:
    more['id'] = words[1]
  if verb == 'attach':
    fds = [os.open(p, os.O_RDONLY) for p in words[2:3]]
    if words[3:]:
      more['publish'] = words[3:]
  elif words[2:]:
    more['publish'] = words[2:]
  print(json.dumps(ask(verb, fds, **more), separators=(',', ':')))


if __name__ == '__main__':
  main(sys.argv[1:])

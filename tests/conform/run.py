#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run.py DIR: the conformance cases of a CNI plugin directory, as TAP.

Black box: a plugin is what answers to a type's name in DIR, so the reference plugins are measured with the
same cases. `--plugin-type bridge` (the default) drives bridge with host-local and the chained plugins; any
other type is one plugin that does everything. Each case is one line, with all reasons when it fails. A case
of which a part cannot be tested yet is a "not ok" that TAP expects, "pending:" and why: never passed.

  --only N,N        these cases alone             --jobs N     that many cases side by side (1)
  --rounds N        repetitions of long cases     --slack X    time bounds are X times the contract's
  --binary PATH     in place of DIR: a folder with this plugin under all names it has, --forwarder beside it
  --daemon PATH     the daemon that a plugin without privilege asks
"""
import argparse
import importlib
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from case import CASES, Stop, T
from cni import Runtime, environment
from lab import CLONE_NEWPID, mount, unshare

NAMES = ('netd', 'bridge', 'portmap', 'firewall', 'host-local', 'bandwidth', 'tuning', 'loopback', 'ptp')
FILES = ('cases_protocol', 'cases_input', 'cases_add', 'cases_ipam', 'cases_ports', 'cases_del', 'cases_check',
         'cases_gc', 'cases_security')
TIMEOUT = 150  # seconds a case may take, and half a second for each round
PLACE = '/mnt'  # where the plugins are seen by all cases


def stage(options):
  """The plugins at PLACE, whatever a case mounts elsewhere."""
  if not options.binary:
    mount(os.path.abspath(options.folder), PLACE, None, 4096 | 16384)
    return
  mount('tmpfs', PLACE, 'tmpfs', 0, 'mode=755')
  target = f'{PLACE}/netns-up-cni'
  shutil.copy(options.binary, target)
  if options.forwarder:
    shutil.copy(options.forwarder, f'{PLACE}/netns-up-forwarder')
  if options.daemon:
    options.daemon = shutil.copy(options.daemon, f'{PLACE}/netd-daemon')
  for name in NAMES:
    os.symlink('netns-up-cni', f'{PLACE}/{name}')


def newest_version(kind):
  """The newest version of the specification that the plugin speaks."""
  done = subprocess.run([f'{PLACE}/{kind}'], input=b'{"cniVersion":"1.0.0"}', capture_output=True, check=False,
                        env=environment('VERSION', CNI_PATH=PLACE))
  import json  # pylint: disable=import-outside-toplevel
  try:
    spoken = json.loads(done.stdout)['supportedVersions']
  except (ValueError, KeyError, TypeError):
    return '1.1.0'
  return '1.1.0' if '1.1.0' in spoken else '1.0.0'


def run_case(number, options, version):
  """Inside the case's own PID namespace: (reasons, notes)."""
  t = T(Runtime(PLACE, options.plugin_type, version), options)
  try:
    t.lab  # pylint: disable=pointless-statement
    CASES[number][1](t)
  except Stop:
    pass
  except Exception:  # pylint: disable=broad-except
    t.no('the case broke: ' + ' | '.join(traceback.format_exc().strip().splitlines()[-4:]))
  return t.reasons, t.notes, t.pending


class Job:
  """One case in processes of its own: a keeper, and under it the first process of a PID namespace."""

  def __init__(self, number, options, version):
    self.number, self.begin = number, time.monotonic()
    self.limit = TIMEOUT + options.rounds / 2
    read, write = os.pipe()
    self.fd = read
    self.pid = os.fork()
    if self.pid == 0:
      status = 1
      try:
        os.close(read)
        os.setpgid(0, 0)
        unshare(CLONE_NEWPID)
        child = os.fork()
        if child == 0:
          signal.signal(signal.SIGTERM, signal.SIG_DFL)
          answer = pickle.dumps(run_case(number, options, version))
          while answer:
            answer = answer[os.write(write, answer):]
          os._exit(0)
        os.close(write)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
      finally:
        os._exit(1 if status else 0)
    os.close(write)
    os.set_blocking(read, False)
    self.data = b''

  def poll(self):
    """(reasons, notes, what is pending) when it has ended."""
    while True:
      try:
        chunk = os.read(self.fd, 65536)
      except BlockingIOError:
        break
      if not chunk:
        break
      self.data += chunk
    if time.monotonic() - self.begin > self.limit:
      # The keeper's child is the PID namespace: all in it ends with it.
      for child in open(f'/proc/{self.pid}/task/{self.pid}/children', encoding='ascii').read().split():
        os.kill(int(child), signal.SIGKILL)
      os.waitpid(self.pid, 0)
      os.close(self.fd)
      return [f'did not end within {self.limit:.0f} s'], [], None
    if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
      return None
    while True:
      try:
        chunk = os.read(self.fd, 65536)
      except BlockingIOError:
        break
      if not chunk:
        break
      self.data += chunk
    os.close(self.fd)
    try:
      return pickle.loads(self.data)
    except (EOFError, pickle.UnpicklingError):
      return ['the case ended without a word'], [], None


def show(number, reasons, notes, pending, seconds, options):
  text = CASES[number][0]
  word, tail = 'ok', ''
  if reasons:
    word = 'not ok'
  elif pending:
    word, tail = 'not ok', f' # TO' f'DO pending: {pending}'
  print(f'{word} {number} - {text.replace("#", "no. ")}{tail}')
  for reason in reasons[:options.reasons]:
    print('# ' + reason.replace('\n', ' ')[:600])
  if len(reasons) > options.reasons:
    print(f'# and {len(reasons) - options.reasons} more')
  for note in notes:
    print('# note: ' + note)
  if options.times:
    print(f'# {seconds:.1f} s')
  sys.stdout.flush()


def run(options):
  wanted = sorted(CASES) if not options.only else [int(n) for n in options.only.split(',')]
  version = options.cni_version or newest_version(options.plugin_type)
  print(f'1..{len(wanted)}')
  print(f'# type {options.plugin_type}, version {version} where a case asks for none')
  waiting, running, done = list(wanted), [], {}
  failed = passed = 0
  while waiting or running:
    while waiting and len(running) < options.jobs:
      running.append(Job(waiting.pop(0), options, version))
    time.sleep(0.01)
    for job in list(running):
      answer = job.poll()
      if answer is not None:
        running.remove(job)
        done[job.number] = (*answer, time.monotonic() - job.begin)
    while wanted and wanted[0] in done:
      number = wanted.pop(0)
      reasons, notes, pending, seconds = done[number]
      show(number, reasons, notes, pending, seconds, options)
      failed += bool(reasons)
      passed += not reasons and not pending
  pending = len(done) - failed - passed
  print(f'# {passed} passed, {failed} failed, {pending} pending')
  return 1 if failed else 0


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('folder', nargs='?')
  parser.add_argument('--binary')
  parser.add_argument('--forwarder')
  parser.add_argument('--daemon')
  parser.add_argument('--plugin-type', default='bridge')
  parser.add_argument('--cni-version')
  parser.add_argument('--only')
  parser.add_argument('--tap', action='store_true', help='the only format there is; accepted for clarity')
  parser.add_argument('--jobs', type=int, default=1)
  parser.add_argument('--rounds', type=int, default=1000)
  parser.add_argument('--slack', type=float, default=1.0)
  parser.add_argument('--pace', type=float, default=0.004, help='seconds an ADD may take, for kills in the middle')
  parser.add_argument('--reasons', type=int, default=6, help='shown of a failed case')
  parser.add_argument('--times', action='store_true')
  options = parser.parse_args()
  if bool(options.folder) == bool(options.binary):
    parser.error('either DIR or --binary')
  if os.geteuid() != 0:
    sys.exit('conform: needs root, for namespaces')
  if os.environ.get('CONFORM_INSIDE') != '1':
    os.environ['CONFORM_INSIDE'] = '1'
    os.execvp('unshare', ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc',
                          sys.executable, '-B', os.path.abspath(__file__), *sys.argv[1:]])
  # The first process of a PID namespace gets only the signals that it handles.
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  for name in FILES:
    importlib.import_module(name)
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  stage(options)
  sys.exit(run(options))


if __name__ == '__main__':
  main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""soak.py BUILD [--minutes N] [--only NAME]...: the tests that need time, one after another.

Each gets a share of the minutes, and is killed (which is a failure) when it takes much more. What each says
is in BUILD/soak/NAME.log; the end is that of a test run, "N passed, N failed". Owns the list, starts the
programs of tests/fault and tests/ns, and makes nothing of its own.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import count

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SLACK = 240  # seconds beyond twice its share that a test may need, to begin and to tidy up

# name: (share of ten minutes, argv under tests/, what its environment gets of its seconds)
TESTS = {
  'chaos': (1.0, ['fault/chaos.py'], lambda s: {'CHAOS_SECONDS': s}),
  'powercut-ext4': (1.0, ['fault/powercut.py', 'ext4'], lambda s: {'POWERCUT_SECONDS': s}),
  'powercut-xfs': (1.0, ['fault/powercut.py', 'xfs'], lambda s: {'POWERCUT_SECONDS': s}),
  'pressure': (1.0, ['fault/pressure.sh'], lambda s: {'PRESSURE_SECONDS': s}),
  'oom': (0.5, ['fault/oom.sh'], lambda s: {'OOM_SECONDS': s}),
  'oom-netd': (0.5, ['ns/netd_oom.sh'], lambda s: {'OOM_SECONDS': s}),
  'cycles': (1.0, ['ns/soak.sh', '10000'], lambda s: {'NETNS_UP_SOAK_SECONDS': s}),
  'usernet': (2.0, ['ns/user_soak.sh', '1000'], lambda s: {'NETNS_UP_SOAK_SECONDS': s}),
  'blaster': (1.0, ['ns/slirp_hostile.sh'], lambda s: {'SLIRP_TEST_SEEDS': '1 2 3 4 5', 'SLIRP_TEST_SECONDS': max(s // 5, 3),
                                                           'SLIRP_TEST_FRAMES': 1000000}),
  'loss': (1.0, ['ns/slirp_loss.sh'], lambda s: {'SLIRP_TEST_BYTES': max(s * 1700000, 1000000)}),
}


def environment(build):
  built = {
    'NETNS_UP': 'netd/cli/netns-up', 'NETNS_UP_FORWARDER': 'slirp-lite/fwd/netns-up-forwarder',
    'NETNS_UP_CNI': 'cni-plugin/netns-up-cni', 'NETD': 'netd/broker/netd', 'SLIRP_LITE': 'slirp-lite/proc/slirp-lite',
    'SLIRP_BLAST': 'tests/ns/slirp-blast', 'SLIRP_RELAY': 'tests/ns/slirp-relay', 'KILLAT': 'tests/fault/killat', 'SMALLBUF': 'tests/fault/libsmallbuf.so'}
  return os.environ | {name: os.path.join(build, path) for name, path in built.items()}


def run(name, build, minutes):
  """One test, as a line of meson's log."""
  share, argv, more = TESTS[name]
  seconds = max(int(minutes * 60 * share / 10), 1)
  argv = [f'{TOP}/tests/{argv[0]}', *argv[1:]]
  argv = (['sh'] if argv[0].endswith('.sh') else [sys.executable, '-B']) + argv
  environ = environment(build) | {k: str(v) for k, v in more(seconds).items()}
  begin, result = time.monotonic(), 'OK'
  print(f'== {name}, {seconds} s', flush=True)
  with open(f'{build}/soak/{name}.log', 'w+', encoding='utf-8', errors='replace') as log:
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environ,
                          start_new_session=True) as process:
      try:
        result = 'OK' if process.wait(2 * seconds + SLACK) == 0 else 'FAIL'
      except subprocess.TimeoutExpired:
        result = 'TIMEOUT'
        end(process)
      except BaseException:
        end(process)
        raise
    log.seek(0)
    text = log.read()
  took = time.monotonic() - begin
  for line in text.splitlines():
    if line.startswith('#'):
      print(f'   {line}')
  print(f'   {result} in {took:.0f} s', flush=True)
  return {'name': name, 'stdout': text, 'result': result, 'duration': took}


def end(process):
  """Asks it to tidy up, and ends it."""
  os.killpg(process.pid, signal.SIGTERM)
  try:
    process.wait(60)
  except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
  parser = argparse.ArgumentParser(prog='soak', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('build', metavar='BUILD')
  parser.add_argument('--minutes', type=float, default=10, help='for all of them together (10)')
  parser.add_argument('--only', action='append', choices=list(TESTS), help='these alone (may be repeated)')
  args = parser.parse_args()
  if not args.minutes > 0:
    parser.error('--minutes is not above 0')
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  build = os.path.abspath(args.build)
  os.makedirs(f'{build}/soak', exist_ok=True)
  log = f'{build}/soak/log.json'
  with open(log, 'w', encoding='utf-8') as file:
    for name in args.only or TESTS:
      file.write(json.dumps(run(name, build, args.minutes)) + '\n')
      file.flush()
  return count.main([log])


if __name__ == '__main__':
  try:
    sys.exit(main())
  except KeyboardInterrupt:
    sys.exit(130)

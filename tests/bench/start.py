# SPDX-License-Identifier: GPL-2.0-or-later
"""start.py: what the program of every benchmark does around its measurements.

Options, a PID and mount namespace of its own (whatever the systems leave running ends with the run), turns,
progress on standard error, and the results: AREA.json, AREA.md and AREA.svg in the folder of --out, the
page also on standard output.
"""
import argparse
import os
import shutil
import signal
import sys
import time

import report

INSIDE = 'NETNS_UP_BENCH_INSIDE'
QUIET_WITHIN = 300  # seconds that a run waits for a quiet machine


def say(text):
  print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def parser(doc):
  """Options that all benchmarks have."""
  out = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
  out.add_argument('--quick', action='store_true', help='a run of a few minutes that proves nothing')
  out.add_argument('--out', default='build/bench', metavar='DIR', help='folder of the results (build/bench)')
  return out


def in_turns(systems, rounds, measure, summed=()):
  """A figure of every system; the order goes round so that nobody is always first."""
  samples = {s.name: [] for s in systems}
  for i in range(rounds):
    at = i % len(systems)
    for system in systems[at:] + systems[:at]:
      samples[system.name].append(measure(system))
  return {name: report.merge(list_, summed) for name, list_ in samples.items()}


def tell(figures):
  """A cell's figures as progress."""
  for who, f in figures.items():
    say(f'  {who:22s} ' + (f'{f["value"]:10.2f} ({f["low"]:.2f} to {f["high"]:.2f})' if 'value' in f
                           else f'failed: {f.get("error")}'))


def go_inside():
  """Runs the program again in namespaces of its own."""
  os.environ[INSIDE] = '1'
  unshare = shutil.which('unshare') or sys.exit('bench: util-linux is missing')
  os.execv(unshare, [unshare, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--ipc',
                     sys.executable, '-B', os.path.abspath(sys.argv[0]), *sys.argv[1:]])


def wait_for_quiet(is_quick):
  """Waits until the machine is as quiet as a proof wants it, or for a while; the load then."""
  end, load = time.monotonic() + QUIET_WITHIN, os.getloadavg()[0]
  if not is_quick and not report.is_quiet(load, os.cpu_count()):
    say(f'load {load:.1f}: waiting for a quiet machine, {QUIET_WITHIN} s at most')
    while not report.is_quiet(load, os.cpu_count()) and time.monotonic() < end:
      time.sleep(5)
      load = os.getloadavg()[0]
  return load


def main(args, run):
  """Measures: run(args) returns a Report, or None when there is nothing to tell."""
  if os.geteuid() != 0:
    sys.exit('bench: needs root, for namespaces')
  if os.environ.get(INSIDE) != '1':
    go_inside()
  # The first process of a PID namespace gets only the signals that it handles.
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
  begin = time.monotonic()
  try:
    # Opened now: hosts have other files at many a path.
    os.makedirs(args.out, exist_ok=True)
    folder = os.open(args.out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    load = wait_for_quiet(args.quick)
    found = run(args)
    found.doc['load'][0] = load
    found.doc['quick'] = bool(args.quick)
    report.write(found.doc, folder)
  except KeyboardInterrupt:
    sys.exit(130)
  except (RuntimeError, OSError) as error:
    sys.exit(f'bench: {error}')
  sys.stdout.write(report.markdown(found.doc))
  say(f'done in {time.monotonic() - begin:.0f} s; {args.out}/{found.doc["area"]}.json, .md, .svg')

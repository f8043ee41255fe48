#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools.py: what judges other tests, judged: the gates of coverage.py and the runs of soak.py, on what is made up
here. Prints TAP."""
import contextlib
import io
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import coverage  # noqa: E402
import soak  # noqa: E402

COUNT = FAILED = 0


def ok(name, passed, detail=''):
  global COUNT, FAILED
  COUNT += 1
  FAILED += not passed
  print(f'{"ok" if passed else "not ok"} {COUNT} - {name}')
  if not passed:
    print('# ' + str(detail).replace('\n', '\n# '))


def counted(name, lines, branches):
  """A file with 100 lines and 100 branches, of which so many were reached."""
  return {'filename': name, 'line_covered': lines, 'line_total': 100, 'branch_covered': branches, 'branch_total': 100}


def test_gates():
  summary = {'files': [
    counted('slirp-lite/wire/good.c', 98, 95), counted('slirp-lite/wire/lines.c', 97, 100),
    counted('slirp-lite/wire/branches.c', 100, 94), counted('slirp-lite/tcp/tcb.c', 100, 100),
    counted('slirp-lite/tcp/tcb_x.c', 80, 60), counted('slirp-lite/tcp/flows.c', 60, 60), counted('netd/cli/main.c', 1, 1)]}
  gates = {g.name: g.is_met for _, g in coverage.gates_of(summary)}
  for name, wanted in (('slirp-lite/wire/good.c', True), ('slirp-lite/wire/lines.c', False),
                       ('slirp-lite/wire/branches.c', False), ('the TCP machine', True), ('TCP in all', False),
                       ('netd/broker/policy_parse.c', False)):
    ok(f'{name}: {"met" if wanted else "not met"}', gates.get(name) == wanted, gates)
  ok('what is no parser has no gate', 'netd/cli/main.c' not in gates)
  lines, passed, failed = coverage.report(summary)
  ok('all are counted', passed == sum(gates.values()) and passed + failed == len(gates), (passed, failed, gates))
  ok('how many are met is said first', lines[0].startswith(f'gates: {passed} are met, {failed} are not'), lines[0])
  ok('and what is not met before what is', lines.index('not met:') < lines.index('met:'), lines)
  ok('what is missing is told', any('lines.c' in l and 'missing: 3 lines, 0 branches' in l for l in lines), lines)


def soaked(tests, minutes='0.001'):
  """(exit status, last line, log) of a run of these tests, which are shell texts."""
  with tempfile.TemporaryDirectory() as folder:
    soak.TESTS, soak.TOP, soak.SLACK = {}, folder, 1
    os.makedirs(f'{folder}/tests')
    for name, text in tests.items():
      with open(f'{folder}/tests/{name}.sh', 'w', encoding='utf-8') as file:
        file.write(text)
      soak.TESTS[name] = (10.0, [f'{name}.sh'], lambda s: {'SECONDS_GIVEN': s})
    out = io.StringIO()
    sys.argv = ['soak.py', folder, '--minutes', minutes]
    with contextlib.redirect_stdout(out):
      status = soak.main()
    with open(f'{folder}/soak/log.json', encoding='utf-8') as file:
      return status, out.getvalue().splitlines()[-1], [json.loads(line) for line in file]


def test_soak():
  good = 'echo "# given $SECONDS_GIVEN"; echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2\n'
  status, last, log = soaked({'good': good}, '0.05')
  ok('all pass', (status, last) == (0, '2 passed, 0 failed'), (status, last, log))
  ok('the share is given', '# given 3\n' in log[0]['stdout'], log)
  status, last, log = soaked({'good': good, 'bad': 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1\n'})
  ok('a failure', (status, last) == (1, '3 passed, 1 failed'), (status, last, log))
  status, last, log = soaked({'broken': 'echo "ok 1 - a"; exit 99\n'})
  ok('one that breaks off is a failure', (status, last) == (1, '1 passed, 1 failed'), (status, last, log))
  status, last, log = soaked({'long': 'echo "ok 1 - a"; exec sleep 600\n', 'good': good})
  ok('one that does not end is killed, and the next begins', (status, last) == (1, '3 passed, 1 failed')
     and log[0]['result'] == 'TIMEOUT', (status, last, log))


if __name__ == '__main__':
  test_gates()
  test_soak()
  print(f'1..{COUNT}')
  sys.exit(1 if FAILED else 0)

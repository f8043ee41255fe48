#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""selftest.py [FOLDER]: what the benchmarks make of figures, on figures made up here; and that the pages and
plots in FOLDER are those of the documents beside them. Prints TAP. Measures nothing."""
import contextlib
import glob
import io
import json
import os
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import copies  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import start  # noqa: E402

COUNT = FAILED = 0


def ok(name, passed, detail=''):
  global COUNT, FAILED
  COUNT += 1
  FAILED += not passed
  print(f'{"ok" if passed else "not ok"} {COUNT} - {name}')
  if not passed:
    print('# ' + str(detail).replace('\n', '\n# '))


def same(name, got, wanted):
  ok(name, got == wanted, f'got {got!r}\nwanted {wanted!r}')


def test_summary():
  same('odd', report.summary([3, 1, 2]), {'value': 2, 'low': 1, 'high': 3, 'n': 3, 'samples': [3, 1, 2]})
  same('even', report.summary([4.0, 1.0])['value'], 2.5)
  many = report.summary(list(range(100)))
  same('many: the 5th and 95th percentile', (many['low'], many['high'], many['value']), (5, 94, 49.5))
  ok('many are not kept', 'samples' not in many)
  same('19 are few', report.summary(list(range(19)))['high'], 18)
  same('digits', report.summary([1 / 3])['value'], 0.333333)


def test_merge():
  got = report.merge([{'value': 2.0, 'timeouts': 1, 'cpu': 1.0}, {'error': 'broke', 'timeouts': 3},
                      {'value': 4.0, 'timeouts': 0, 'cpu': 2.0}], ('timeouts',))
  same('the median of what succeeded', (got['value'], got['n'], got['cpu']), (3.0, 2, 1.5))
  same('what is added up counts in failed ones too', got['timeouts'], 4)
  same('failures', (got['error'], got['failed']), ('broke', 1))
  none = report.merge([{'error': 'x'}, {'error': 'y'}])
  ok('all failed: no value', 'value' not in none and none['failed'] == 2, none)


class Named:
  def __init__(self, name):
    self.name = name


def test_turns():
  seen = []

  def measure(system):
    seen.append(system.name)
    return {'value': len(seen)}
  figures = start.in_turns([Named('a'), Named('b'), Named('c')], 3, measure)
  same('nobody is always first', ''.join(seen), 'abcbcacab')
  same('each has its figures', figures['a']['samples'], [1, 6, 8])


def test_copies():
  mine = {'v4': '10.0.0.4', 'v6': 'fd00::4', 'chain': '0f582ea7de71', 'ports': '0f582ea7', 'port80': '10002', 'id': 'c2'}
  other = {'v4': '10.0.1.5', 'v6': 'fd00::105', 'chain': 'aaaabbbbcccc', 'ports': 'aaaabbbb', 'port80': '10300', 'id': 'c300'}
  text = '-A N-0f582ea7de71 -d 10.0.0.4/32 "c2" [fd00::4]:80'
  same('marks are named', copies.plain(text, mine), '-A N-<chain> -d <v4>/32 "<id>" [<v6>]:80')
  for near in ('10.0.0.41', '110.0.0.4', 'fd00::40', '100020', 'c23', 'abc2', '0f582ea7de', '0f582ea7de710'):
    same(f'no mark: {near}', copies.plain(near, mine), near)
  same('the short name where it stands alone', copies.plain(':D-0f582ea7 -', mine), ':D-<ports> -')
  same('words of others', copies.filled(copies.plain(text, mine), other), '-A N-aaaabbbbcccc -d 10.0.1.5/32 "c300" [fd00::105]:80')
  same('what is no mark stays', copies.filled('<other> <v4>', other), '<other> 10.0.1.5')
  save = '# x\n*filter\n:FORWARD ACCEPT [0:0]\n-A F -d 10.0.0.3/32 -j ACCEPT\nCOMMIT\n*nat\n:OUT ACCEPT [1:2]\n' \
         ':D-0f582ea7 - [0:0]\n-A OUT -p tcp --dport 10001 -j X\n-A OUT -p tcp --dport 10002 -j D-0f582ea7\nCOMMIT\n'
  rules = copies.rules_of(save, mine)
  same('an attachment\'s own chains and rules', rules,
       {'nat': ([':D-<ports> - [0:0]'], ['-A OUT -p tcp --dport <port80> -j D-<ports>'])})
  same('for two others', copies.restore_text(rules, [mine, other]),
       '*nat\n:D-0f582ea7 - [0:0]\n:D-aaaabbbb - [0:0]\n-A OUT -p tcp --dport 10002 -j D-0f582ea7\n'
       '-A OUT -p tcp --dport 10300 -j D-aaaabbbb\nCOMMIT\n')


def example():
  found = report.Report('slirp', 'An <example> & more', ['ours', 'ours 2'], limit='direct')
  f = report.summary
  found.add('win', 'won', 'Gbit/s', 2, {'direct': f([20.0]), 'ours': f([10.0, 12.0]), 'ours 2': f([9.0]),
                                        'peer': f([5.0, 6.0])})
  found.add('lose', 'lost cell', '1/s', 0, {'direct': f([4000.0]), 'ours': f([1000.0, 1010.0]),
                                            'peer': f([2000.0, 2100.0]), 'other': f([1500.0])})
  found.add('close', 'close cell', 'ms', 1, {'ours': f([2.0, 3.0, 4.0]), 'peer': f([1.5, 2.5, 3.5])}, less=True)
  found.add('less', 'less is won', 'ms', 1, {'ours': f([2.0]), 'peer': f([3.0]), 'other': {'error': 'it is <broken>'}},
            less=True, group='Times')
  found.add('gone', 'no figure here', 'ms', 1, {'ours': {'error': 'x', 'failed': 1}, 'peer': f([3.5])}, group='Times')
  found.aim('half of direct', found.ratio('win', 'ours', 'direct'), least=0.5)
  found.aim('twice the peer', found.ratio('lose', 'ours', 'peer'), least=2)
  found.aim('not measured', found.ratio('nowhere', 'ours', 'peer'), least=2)
  found.aim('an aim of another', 3.0, most=2, who='ours 2')
  found.table('A table', ['', 'x'], [['a|b', 1]])
  found.doc.update(date='2026-01-02', kernel='6.1', cpus=2, cpu='Cpu 1', commit='abc+', load=[0.5, 0.4, 1.0], run='2 rounds', versions=['ours 1'])
  return found.doc


def test_page(doc):
  text = report.markdown(doc)
  for key, wanted in (('win', []), ('lose', ['ours']), ('close', ['ours']), ('less', []), ('gone', ['ours'])):
    same(f'who loses: {key}', report.lost_by(doc, report.cell_of(doc, key)), wanted)
  ok('a loss is told with the best peer and the ratio', '* lost cell: 1,005 1/s, peer 2,050 (ratio 0.49).' in text, text)
  ok('spreads that overlap are told', '(ratio 1.20; their spreads overlap).' in text, text)
  ok('no figure is a loss', '* no figure here: no figure (x).' in text, text)
  ok('a missed aim is one', '* Aim missed: twice the peer: 0.49.' in text, text)
  ok('an aim that is met is in the table', '| half of direct | 0.55 | yes |' in text, text)
  ok('what was not measured is no aim', 'not measured' not in text, text)
  ok('who loses nothing but misses an aim of its own',
     '## Where ours 2 loses or misses an aim\n\n* Aim missed: an aim of another: 3.00.\n\n## Aims of ours\n' in text, text)
  ok('each has its aims', '## Aims of ours 2\n\n| aim | figure | met |\n| --- | --- | --- |\n| an aim of another | 3.00 | **no** |'
     in text, text)
  ok('who loses nothing', '## Where ours 2 loses or misses an aim\n\n* Nowhere in this run.' in
     report.markdown(doc | {'aims': []}))
  order = [text.index(t) for t in ('## Where ours loses', '## Aims', '## All cells', '| **lost** lost cell', '| **lost** close',
                                   '| won, Gbit/s', '## Times', '| **lost** no figure', '| less is won', '## A table')]
  ok('losses come first, of each table too', order == sorted(order), order)
  ok('ratios are to the limit', '| won, Gbit/s | 20.00 | 11.00 (0.55) [10.00-12.00] | 9.00 (0.45) |' in text, text)
  ok('... or to ours', '| less is won, ms | 2.0 | 3.0 (1.50) | failed: it is <broken> |' in text, text)
  ok('a bar in a table is escaped', '| a\\|b | 1 |' in text, text)
  ok('date, kernel, load, versions', 'Run of 2026-01-02 (commit abc+), Linux 6.1, 2 cores of Cpu 1; load 0.5 before it, 0.4 to 1.0 in it; 2 rounds. '
     'ours 1.' in text, text)
  ok('a quiet run is a proof', 'prove nothing' not in text)
  for change, why in (({'quick': True}, 'the run was a quick one'), ({'load': [1.1, 1.0, 2.0]}, 'the machine was busy')):
    ok(f'no proof: {why}', f'prove nothing: {why}' in report.markdown(doc | change))
  ok('without peers nothing is claimed',
     'No peer does the same' in report.markdown(doc | {'cells': [
       {**c, 'figures': {'ours': c['figures']['ours']}} for c in doc['cells'][:1]], 'aims': [], 'ours': ['ours']}))


def test_plot(doc):
  text = report.pages(doc)['svg']
  root = ET.fromstring(text)
  ns = '{http://www.w3.org/2000/svg}'
  words = [e.text for e in root.iter(f'{ns}text')]
  same('the title', words[0], 'An <example> & more')
  ok('date, kernel, load', words[1].startswith('2026-01-02, Linux 6.1, 2 cores, load 0.5 before'), words[1])
  titles = [w for w in words if w.startswith('lost: ') or w == 'won, Gbit/s']
  same('lost cells come first', titles, ['lost: lost cell, 1/s', 'lost: close cell, ms (less is better)',
                                         'lost: no figure here, ms', 'won, Gbit/s'])
  same('what failed is told', words.count('failed'), 2)
  bars = {e.find(f'{ns}title').text: float(e.get('width')) for e in root.iter(f'{ns}rect') if e.find(f'{ns}title') is not None}
  same('a bar for each value', len(bars), 4 + 4 + 2 + 2 + 1)
  ok('as long as the value', abs(bars['direct: 20.00 Gbit/s'] / bars['ours: 11.00 Gbit/s'] - 20 / 11) < 0.01, bars)
  ok('nothing is outside', all(0 <= float(e.get('x') or 0) + float(e.get('width')) <= plot.WIDTH
                               for e in root.iter(f'{ns}rect')))
  same('the same again', report.pages(doc)['svg'], text)


def test_files(doc):
  with tempfile.TemporaryDirectory() as folder:
    fd = os.open(folder, os.O_RDONLY)
    report.write(doc, fd)
    os.close(fd)
    same('three files', sorted(os.listdir(folder)), ['slirp.json', 'slirp.md', 'slirp.svg'])
    with open(f'{folder}/slirp.json', encoding='utf-8') as file:
      back = json.load(file)
    same('the document comes back', back, doc)
    os.unlink(f'{folder}/slirp.md')
    with contextlib.redirect_stdout(io.StringIO()):
      report.main([folder])
    with open(f'{folder}/slirp.md', encoding='utf-8') as file:
      same('the page can be made anew', file.read(), report.markdown(doc))


def test_published(folder):
  """What is published is what its documents say, and was measured on a quiet machine."""
  for path in sorted(glob.glob(f'{folder}/*.json')):
    name = os.path.basename(path)
    with open(path, encoding='utf-8') as file:
      doc = json.load(file)
    ok(f'{name}: a proof', report.is_proof(doc), doc['load'])
    for end, text in report.pages(doc).items():
      with open(f'{path[:-5]}.{end}', encoding='utf-8') as file:
        ok(f'{name[:-5]}.{end} is that of its document', file.read() == text, 'python3 tests/bench/report.py docs/bench')


if __name__ == '__main__':
  test_summary()
  test_merge()
  test_turns()
  test_copies()
  test_page(example())
  test_plot(example())
  test_files(example())
  if len(sys.argv) > 1:
    test_published(sys.argv[1])
  print(f'1..{COUNT}')
  sys.exit(1 if FAILED else 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py FOLDER...: figures of a benchmark, and what is made of them.

Owns the form of the results (one JSON document for each area), the medians, and the Markdown page: what is
lost to a peer or misses an aim comes first, then every cell. Measures nothing. As a program it makes the
pages and the plots of all documents in the folders anew.

A document holds the cells; a cell has a key, title, unit, digits, whether less is better, a group, and for
each system a figure: value (the median), low, high, n, samples when they are few, error when there is none
or when some failed, and what else was measured with it.
"""
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import plot

MANY = 20  # samples from which on low and high are the 5th and the 95th percentile
KEPT = 60  # more samples than these are not kept one by one
SPREAD = f'median (ratio) [lowest-highest; of {MANY} samples and more the 5th and 95th percentile]'


def short(value):
  """Six digits are more than any of these figures is worth."""
  return float(f'{value:.6g}') if isinstance(value, float) else value


def summary(values):
  """The median of numbers, and their spread."""
  values = [short(v) for v in values]
  ordered = sorted(values)
  cut = int(0.05 * len(ordered)) if len(ordered) >= MANY else 0
  out = {'value': short(statistics.median(ordered)), 'low': ordered[cut], 'high': ordered[-1 - cut], 'n': len(ordered)}
  if len(values) <= KEPT:
    out['samples'] = values
  return out


def merge(samples, summed=()):
  """One figure of samples, each with a value or an error; what else they hold is added up or its median."""
  good = [s for s in samples if s.get('value') is not None]
  out = summary([s['value'] for s in good]) if good else {}
  for key in sorted({k for s in samples for k in s} - {'value', 'error'}):
    values = [s[key] for s in (samples if key in summed else good) if s.get(key) is not None]
    if values:
      out[key] = short(sum(values) if key in summed else statistics.median(values))
  failed = [s['error'] for s in samples if s.get('value') is None]
  if failed:
    out['error'], out['failed'] = failed[0], len(failed)
  return out


def processor():
  """What the kernel calls it."""
  with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
    return next((line.partition(':')[2].strip() for line in file if line.startswith('model name')), '')


def commit():
  """That of the tree, with a plus when it is changed; '' where there is no git."""
  try:
    done = subprocess.run(['git', '-C', os.path.dirname(os.path.abspath(__file__)), 'describe', '--always', '--dirty=+'],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
  except OSError:
    return ''
  return done.stdout.strip() if done.returncode == 0 else ''


class Report:
  """What a run has found; filled as it goes on."""

  def __init__(self, area, title, ours, limit=None):
    self.doc = {
      'area': area, 'title': title, 'date': time.strftime('%Y-%m-%d'), 'kernel': platform.release().split('-')[0],
      'cpus': os.cpu_count(), 'cpu': processor(), 'commit': commit(), 'versions': [], 'load': [os.getloadavg()[0]] * 3, 'quick': False, 'run': '',
      'ours': ours, 'limit': limit, 'notes': [], 'cells': [], 'aims': [], 'tables': []}

  def add(self, key, title, unit, digits, figures, less=False, group=''):
    """A cell: figures are of merge() or summary(), by system."""
    self.doc['cells'].append({'key': key, 'title': title, 'unit': unit, 'digits': digits, 'less': less,
                              'group': group, 'figures': figures})
    self.look_at_load()

  def look_at_load(self):
    now, load = os.getloadavg()[0], self.doc['load']
    self.doc['load'] = [load[0], min(load[1], now), max(load[2], now)]

  def ratio(self, key, who, other):
    """How many times other's value that of who is; None when one of them was not measured."""
    a, b = value_of(self.doc, key, who), value_of(self.doc, key, other)
    return a / b if a is not None and b else None

  def aim(self, text, figure, least=None, most=None, unit='', who=None):
    """An aim of who (the first of ours); left out when its figure was not measured."""
    if figure is not None:
      aim = {'text': text, 'figure': f'{figure:.2f}{unit}', 'met': figure >= least if least is not None else figure <= most}
      self.doc['aims'].append(aim | ({'who': who} if who else {}))

  def table(self, title, head, rows):
    self.doc['tables'].append({'title': title, 'head': head, 'rows': rows})


def cell_of(doc, key):
  return next((c for c in doc['cells'] if c['key'] == key), None)


def value_of(doc, key, who, field='value'):
  cell = cell_of(doc, key)
  return cell['figures'].get(who, {}).get(field) if cell else None


def systems_of(doc):
  """All systems: the limit, ours, peers, in the order in which they were measured."""
  seen = []
  for cell in doc['cells']:
    seen += [n for n in cell['figures'] if n not in seen]
  return [n for n in seen if n == doc['limit']] + [n for n in doc['ours'] if n in seen] + \
         [n for n in seen if n != doc['limit'] and n not in doc['ours']]


def peers_of(doc):
  return [n for n in systems_of(doc) if n != doc['limit'] and n not in doc['ours']]


def lost(doc, cell, who):
  """Texts: how who loses this cell; none when it does not."""
  mine, unit, digits = cell['figures'].get(who), cell['unit'], cell['digits']
  if mine is None:
    return []
  if mine.get('value') is None:
    return [f'{cell["title"]}: no figure ({mine.get("error")}).']
  out, sign = [], -1 if cell['less'] else 1
  peers = {p: cell['figures'][p] for p in peers_of(doc) if cell['figures'].get(p, {}).get('value') is not None}
  better = {p: f for p, f in peers.items() if f['value'] * sign > mine['value'] * sign}
  if better:
    best = max(better, key=lambda p: better[p]['value'] * sign)
    f = better[best]
    # Of one sample each there is no spread to speak of.
    is_close = min(mine['n'], f['n']) > 1 and f['low'] <= mine['high'] and mine['low'] <= f['high']
    out.append(f'{cell["title"]}: {mine["value"]:,.{digits}f} {unit}, {best} {f["value"]:,.{digits}f} '
               f'(ratio {mine["value"] / f["value"]:.2f}' + ('; their spreads overlap' if is_close else '') + ').')
  if mine.get('failed'):
    out.append(f'{cell["title"]}: {mine["failed"]} failed ({mine["error"]}).')
  if mine.get('timeouts'):
    out.append(f'{cell["title"]}: {mine["timeouts"]} TCP retransmission time-outs.')
  return out


def lost_by(doc, cell):
  return [who for who in doc['ours'] if lost(doc, cell, who)]


def ordered_cells(doc):
  """Those that we lose first."""
  return sorted(doc['cells'], key=lambda c: not lost_by(doc, c))


def base_of(doc, cell):
  """(whose, value) of what ratios are to: the limit, or the first of ours."""
  for who in [doc['limit']] + doc['ours'][:1]:
    value = cell['figures'].get(who, {}).get('value')
    if value:
      return who, value
  return None, None


def cell_text(doc, cell, who):
  f = cell['figures'].get(who)
  if f is None:
    return ''
  if f.get('value') is None:
    return f'failed: {f.get("error")}'
  digits = cell['digits']
  text = f'{f["value"]:,.{digits}f}'
  base, value = base_of(doc, cell)
  if base and who != base:
    text += f' ({f["value"] / value:.2f})'
  if f['high'] != f['low']:
    text += f' [{f["low"]:,.{digits}f}-{f["high"]:,.{digits}f}]'
  return text + (f', {f["failed"]} failed' if f.get('failed') else '')


def table_text(head, rows):
  lines = [head, ['---'] * len(head)] + rows
  return '\n'.join('| ' + ' | '.join(str(c).replace('|', '\\|') for c in row) + ' |' for row in lines) + '\n'


def aims_of(doc, who):
  return [a for a in doc['aims'] if a.get('who', doc['ours'][0]) == who]


def losses_text(doc, who):
  out = [t for cell in doc['cells'] for t in lost(doc, cell, who)]
  out += [f'Aim missed: {a["text"]}: {a["figure"]}.' for a in aims_of(doc, who) if not a['met']]
  if not out:
    out = ['Nowhere in this run.' if peers_of(doc) else 'No peer does the same; the table tells the ratio to the limit.']
  return f'\n## Where {who} loses or misses an aim\n\n' + '\n'.join(f'* {t}' for t in out) + '\n'


def cells_text(doc):
  names, groups = systems_of(doc), []
  for cell in doc['cells']:
    groups += [cell['group']] if cell['group'] not in groups else []
  text = ''
  for group in groups:
    cells = [c for c in ordered_cells(doc) if c['group'] == group]
    here = [n for n in names if any(n in c['figures'] for c in cells)]
    text += f'\n## {group or "All cells"}\n\n{SPREAD}\n\n' + table_text([''] + here, [
      [('**lost** ' if lost_by(doc, c) else '') + f'{c["title"]}, {c["unit"]}'] + [cell_text(doc, c, n) for n in here]
      for c in cells])
  return text


def is_quiet(load, cpus):
  return load <= cpus / 2


def is_proof(doc):
  return not doc['quick'] and is_quiet(doc['load'][0], doc['cpus'])


def head_text(doc):
  before, low, high = doc['load']
  text = f'# {doc["title"]}\n\n'
  if not is_proof(doc):
    text += 'These figures prove nothing: ' + ('the run was a quick one' if doc['quick'] else 'the machine was busy before it') + \
      '.\n\n'
  of = f' of {doc["cpu"]}' if doc.get('cpu') else ''
  text += f'Run of {doc["date"]}' + (f' (commit {doc["commit"]})' if doc.get('commit') else '')
  text += f', Linux {doc["kernel"]}, {doc["cpus"]} cores{of}; load {before:.1f} before it, ' \
          f'{low:.1f} to {high:.1f} in it; {doc["run"]}. ' + ', '.join(doc['versions']) + '.\n'
  text += ''.join(f'\n{note}\n' for note in doc['notes'])
  return text + f'\n![all cells]({doc["area"]}.svg)\n'


def markdown(doc):
  text = head_text(doc) + ''.join(losses_text(doc, who) for who in doc['ours'])
  for who in doc['ours']:
    if aims_of(doc, who):
      text += f'\n## Aims of {who}\n\n' + table_text(
        ['aim', 'figure', 'met'], [[a['text'], a['figure'], 'yes' if a['met'] else '**no**'] for a in aims_of(doc, who)])
  text += cells_text(doc)
  for t in doc['tables']:
    text += f'\n## {t["title"]}\n\n' + table_text(t['head'], t['rows'])
  return text


def pages(doc):
  """{end of the name: text} of all that is made of a document."""
  lose = [c['key'] for c in doc['cells'] if lost_by(doc, c)]
  return {'json': json.dumps(doc, indent=1) + '\n', 'md': markdown(doc),
          'svg': plot.svg(doc, ordered_cells(doc), systems_of(doc), lose)}


def write(doc, folder):
  """Writes the pages to folder, a descriptor: the run may be elsewhere by now."""
  for end, text in pages(doc).items():
    fd = os.open(f'{doc["area"]}.{end}', os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=folder)
    with os.fdopen(fd, 'w', encoding='utf-8') as file:
      file.write(text)


def main(folders):
  for folder in folders:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for path in sorted(glob.glob(f'{folder}/*.json')):
      with open(path, encoding='utf-8') as file:
        write(json.load(file), fd)
      print(f'{path[:-5]}.md, .svg')
    os.close(fd)


if __name__ == '__main__':
  main(sys.argv[1:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""The published ports' benchmark as Markdown: what is lost or missed first, then every cell."""

# name: (title, unit, digits)
CELLS = {
  'in1': ('remote client sends, 1 stream', 'Gbit/s', 2),
  'out1': ('remote client receives, 1 stream', 'Gbit/s', 2),
  'in4': ('remote client sends, 4 streams', 'Gbit/s', 2),
  'out4': ('remote client receives, 4 streams', 'Gbit/s', 2),
  'conn': ('remote client, connections', '1/s', 0),
  'rr': ('remote client, exchanges of one byte', '1/s', 0),
  'udpin': ('UDP from a remote client, 1400 bytes, delivered', 'kpps', 1),
  'udpout': ('UDP to a remote client, 1400 bytes, delivered', 'kpps', 1),
  'localin': ('client on 127.0.0.1 sends, 1 stream', 'Gbit/s', 2),
  'localout': ('client on 127.0.0.1 receives, 1 stream', 'Gbit/s', 2),
  'localconn': ('client on 127.0.0.1, connections', '1/s', 0),
  'localrr': ('client on 127.0.0.1, exchanges of one byte', '1/s', 0),
  'many1000': ('1,000 TCP ports published', 'ms', 1),
  'many10000': ('10,000 TCP ports published', 'ms', 1),
}
SMALLER = ('many1000', 'many10000')


def title_of(key):
  name, _, mtu = key.partition('@')
  title, unit, digits = CELLS[name]
  return title + (f', MTU {mtu}' if mtu else ''), unit, digits


def value_of(result, key, who, field='value'):
  return result['cells'].get(key, {}).get(who, {}).get(field)


def names_of(result):
  out = []
  for figures in result['cells'].values():
    out += [n for n in figures if n not in out]
  return out


def peers_of(result):
  return [n for n in names_of(result) if n != 'direct' and n not in result['ours']]


def keeps_address(result, who, proto):
  seen = result.get('seen', {}).get(who, {}).get(f'{proto} IPv4', {})
  return bool(seen.get('is_real'))


def lost(result, who):
  """Texts: the cells in which a peer is better."""
  out = []
  for key, figures in result['cells'].items():
    ours = figures.get(who, {}).get('value')
    is_less = key in SMALLER
    others = {p: figures[p]['value'] for p in peers_of(result) if 'value' in figures.get(p, {})}
    title, unit, digits = title_of(key)
    if ours is None:
      if figures.get(who):
        out.append(f'{title}: no figure ({figures[who].get("error")}).')
      continue
    better = {p: v for p, v in others.items() if (v < ours if is_less else v > ours)}
    if better:
      best = (min if is_less else max)(better, key=better.get)
      out.append(f'{title}: {ours:,.{digits}f} {unit}, {best} {better[best]:,.{digits}f} (ratio {ours / better[best]:.2f}).')
    if figures[who].get('timeouts'):
      out.append(f'{title}: {figures[who]["timeouts"]} TCP retransmission time-outs.')
  return out


def aims(result, who):
  """(text, figure, is met) of each aim that was measured."""
  def ratio(key, other):
    a, b = value_of(result, key, who), value_of(result, key, other) if other else None
    return a / b if a is not None and b else None

  out = []
  for name in ('in1', 'out1'):
    for mtu in (1500, 65520):
      out.append((f'{title_of(f"{name}@{mtu}")[0]}: >= 0.7 of direct', ratio(f'{name}@{mtu}', 'direct'), 0.7))
  out.append(('remote client, connections: >= 2 times rootlesskit', ratio('conn@1500', 'rootlesskit'), 2))
  for name in ('localin', 'localout', 'localconn', 'localrr'):
    out.append((f'{CELLS[name][0]}: >= rootlesskit', ratio(f'{name}@1500', 'rootlesskit'), 1))
  for name in ('udpin', 'udpout'):
    peers = {p: value_of(result, f'{name}@1500', p) or 0 for p in peers_of(result) if keeps_address(result, p, 'udp')}
    best = max(peers, key=peers.get) if peers else None
    out.append((f'{CELLS[name][0]}: >= 3 times the best peer that keeps the address ({best or "none does"})',
                ratio(f'{name}@1500', best), 3))
  rows = [(text, f'{figure:.2f}', figure >= aim) for text, figure, aim in out if figure is not None]
  for field, unit, most, text in (('value', 'ms', 100, 'time'), ('more_kb', 'KiB', 3072, 'memory')):
    figure = value_of(result, 'many10000', who, field)
    if figure is not None:
      rows.append((f'10,000 ports, {text}: <= {most} {unit}', f'{figure:.0f} {unit}', figure <= most))
  return rows


def table(head, rows):
  print('\n| ' + ' | '.join(head) + ' |')
  print('|' + '---|' * len(head))
  for row in rows:
    print('| ' + ' | '.join(row) + ' |')


def show_cell(result, key, who):
  f = result['cells'][key].get(who)
  if f is None:
    return ''
  if 'value' not in f:
    return f'failed: {f.get("error")}'
  digits = title_of(key)[2]
  limit = value_of(result, key, 'direct')
  text = f'{f["value"]:,.{digits}f}'
  if limit and who != 'direct':
    text += f' ({f["value"] / limit:.2f})'
  if f['max'] != f['min']:
    text += f' [{f["min"]:,.{digits}f}-{f["max"]:,.{digits}f}]'
  if f.get('failed'):
    text += f', {f["failed"]} failed'
  return text


def show_cells(result, names):
  keys = [k for k in result['cells'] if not k.startswith('many')]
  if not keys:
    return
  print('\n## All cells: median (ratio to direct) [lowest-highest]')
  table([''] + names, [[f'{title_of(k)[0]}, {title_of(k)[1]}'] + [show_cell(result, k, n) for n in names] for k in keys])
  streams = [k for k in keys if CELLS[k.partition('@')[0]][1] == 'Gbit/s']
  if streams:
    print('\n## CPU seconds a gigabyte: all processes (the system\'s own)')

    def cpu(key, who):
      f = result['cells'][key].get(who, {})
      if f.get('cpu_s_per_gb') is None:
        return ''
      own = f.get('engine_cpu_s_per_gb')
      return f'{f["cpu_s_per_gb"]:.2f}' + (f' ({own:.2f})' if own is not None else '')
    table([''] + names, [[title_of(k)[0]] + [cpu(k, n) for n in names] for k in streams])
  print('\n## TCP retransmission time-outs, all cells and rounds')
  counted = [k for k in keys if not k.startswith('udp')]
  table(names, [[str(sum(result['cells'][k].get(n, {}).get('timeouts') or 0 for k in counted)) for n in names]])


def show_seen(result, names):
  if 'seen' not in result:
    return
  print('\n## Does the server see the client\'s own address and port?')
  keys = list(next(iter(result['seen'].values())))

  def answer(who, key):
    f = result['seen'][who][key]
    return 'no answer' if f.get('seen') is None else 'yes' if f['is_real'] else f'no: {f["seen"]}'
  heads = [k.replace('host ', 'client on the host, ') for k in keys]
  table([''] + heads, [[n] + [answer(n, k) for k in keys] for n in names if n in result['seen']])


def show_many(result, names):
  keys = [k for k in result['cells'] if k.startswith('many')]
  if not keys:
    return
  print('\n## Thousands of TCP ports at once: milliseconds, more memory (PSS of all its processes)')

  def cell(key, who):
    f = result['cells'][key].get(who, {})
    if 'value' not in f:
      return f'failed: {f.get("error")}' if f else ''
    return f'{show_cell(result, key, who)} ms, {f["more_kb"]:,.0f} KiB'
  table([''] + names, [[title_of(k)[0]] + [cell(k, n) for n in names] for k in keys])


def show(result):
  names = names_of(result)
  print(f'Run of {result["date"]}, Linux {result["kernel"]}, {result["cpus"]} cores, load {result["load"][0]:.1f} to '
        f'{result["load"][1]:.1f}; {result["rounds"]} rounds of {result["seconds"]:g} s; ' +
        ', '.join(result['versions']) + '.')
  for who in result['ours']:
    print(f'\n## Where {who} loses or misses an aim\n')
    missed = [f'{text}: {figure}.' for text, figure, is_met in aims(result, who) if not is_met]
    for text in lost(result, who) + [f'Aim missed: {t}' for t in missed]:
      print(f'* {text}')
    if not missed and not lost(result, who):
      print('* Nowhere in this run.')
    rows = aims(result, who)
    if rows:
      print(f'\n## Aims of {who}')
      table(['aim', 'figure', 'met'], [[t, f, 'yes' if m else '**no**'] for t, f, m in rows])
  show_cells(result, names)
  show_seen(result, [n for n in names if n != 'direct'])
  show_many(result, [n for n in names if n != 'direct'])

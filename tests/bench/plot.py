# SPDX-License-Identifier: GPL-2.0-or-later
"""plot.py: the cells of a benchmark's document as bars, in one SVG.

Each cell is a panel with a bar for each system, as long as its value is to the greatest in the panel, with
a line from low to high (cut off at the panel's end). The same document gives the same text. Knows nothing of how figures come about.
"""
from html import escape

WIDTH, COLUMNS, MARGIN, GAP = 1080, 2, 16, 24
NAME, BAR, HEAD, VALUE = 144, 15, 24, 86  # width of names, height of a bar, of a title, width of values
LIMIT, OURS, PEERS = '#9aa0a6', ('#1b6ca8', '#2f9e8f', '#5b5ea6', '#4c8c2b'), ('#e07b39', '#c94c4c', '#b58900', '#8d6e63')


def colours(doc, systems):
  out, n_ours, n_peers = {}, 0, 0
  for name in systems:
    if name == doc['limit']:
      out[name] = LIMIT
    elif name in doc['ours']:
      out[name] = OURS[n_ours % len(OURS)]
      n_ours += 1
    else:
      out[name] = PEERS[n_peers % len(PEERS)]
      n_peers += 1
  return out


def text(x, y, content, more=''):
  return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(content)}</text>\n'


def bar(cell, name, figure, greatest, colour, x, y, width):
  """One line of a panel: name, bar, value."""
  out = text(x + NAME - 6, y + 11, name[:22], ' text-anchor="end"')
  if figure.get('value') is None:
    return out + text(x + NAME + 3, y + 11, 'failed', ' class="small"')
  scale = (width - NAME - VALUE) / greatest
  length = max(figure['value'] * scale, 1)
  out += f'<rect x="{x + NAME:.1f}" y="{y + 1:.1f}" width="{length:.1f}" height="{BAR - 3}" fill="{colour}">' \
         f'<title>{escape(name)}: {figure["value"]:,.{cell["digits"]}f} {escape(cell["unit"])}</title></rect>\n'
  low, end = figure['low'] * scale, max(length, min(figure['high'] * scale, width - NAME - VALUE))
  if figure['high'] != figure['low']:
    out += f'<path d="M{x + NAME + low:.1f} {y + 7.5:.1f}H{x + NAME + end:.1f}"/>\n'
  return out + text(x + NAME + end + 4, y + 11, f'{figure["value"]:,.{cell["digits"]}f}', ' class="small"')


def panel(doc, cell, systems, is_lost, x, y, width):
  colour = colours(doc, systems)
  title = f'{cell["title"]}, {cell["unit"]}' + (' (less is better)' if cell['less'] else '')
  out = text(x, y + 15, ('lost: ' if is_lost else '') + title, ' class="lost"' if is_lost else ' class="title"')
  figures = {n: cell['figures'][n] for n in systems if n in cell['figures']}
  measured = [f for f in figures.values() if f.get('value') is not None]
  value = max((f['value'] for f in measured), default=0)
  # A single wild sample does not make all bars short.
  greatest = min(max((f['high'] for f in measured), default=0), 1.25 * value) or 1
  for i, (name, figure) in enumerate(figures.items()):
    out += bar(cell, name, figure, greatest, colour[name], x, y + HEAD + i * BAR, width)
  return out


def svg(doc, cells, systems, lost):
  """The text of the picture: cells in their order, those with a key in lost marked."""
  width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
  y, body = 78.0, ''
  for first in range(0, len(cells), COLUMNS):
    row = cells[first:first + COLUMNS]
    for i, cell in enumerate(row):
      body += panel(doc, cell, systems, cell['key'] in lost, MARGIN + i * (width + GAP), y, width)
    y += HEAD + max(len(c['figures']) for c in row) * BAR + 14
  before, low, high = doc['load']
  caption = f'{doc["date"]}, Linux {doc["kernel"]}, {doc["cpus"]} cores, load {before:.1f} before, {low:.1f} to ' \
            f'{high:.1f} in it; {doc["run"]}' + ('; a quick run' if doc['quick'] else '')
  return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0f}" viewBox="0 0 {WIDTH} {y:.0f}" '
          f'role="img">\n<title>{escape(doc["title"])}</title>\n'
          '<style>text{font:12px sans-serif;fill:#222}.small{font-size:11px;fill:#555}.title{font-weight:bold}'
          '.lost{font-weight:bold;fill:#b00020}path{stroke:#222;stroke-width:1;fill:none}</style>\n'
          f'<rect width="{WIDTH}" height="{y:.0f}" fill="#fff"/>\n' +
          text(MARGIN, 28, doc['title'], ' style="font-size:18px;font-weight:bold"') +
          text(MARGIN, 48, caption, ' class="small"') +
          text(MARGIN, 64, ', '.join(doc['versions']), ' class="small"') + body + '</svg>\n')

# SPDX-License-Identifier: GPL-2.0-or-later
"""copies.py: many attachments of a peer without waiting for it.

A peer's call reads every rule there is back, so a thousand attachments take it an hour on a slow machine. What
one attachment has left (rules, files, the pair of interfaces, addresses, routes) is therefore repeated with the
numbers, names and addresses of others. prove() shows, before anything is measured, that a copy and what the
peer makes itself are alike, and that the peer takes a copy away as if it were its own.
"""
import re

from world import JobError, run_jobs, sh

SAVES = ('iptables', 'ip6tables')
CONTAINER = ('ip -o addr show dev eth0 scope global', 'ip route', "ip -6 route | grep -v '^fe80:'")


def pattern(marks):
  """What finds the marks of one attachment: whole words, the longest first."""
  words = sorted(marks.values(), key=len, reverse=True)
  return re.compile(r'(?<![0-9A-Za-z.])(' + '|'.join(re.escape(w) for w in words) + r')(?![0-9A-Za-z])')


def plain(text, marks):
  """text with the name of each mark in its place."""
  names = {word: name for name, word in marks.items()}
  return pattern(marks).sub(lambda m: f'<{names[m.group(1)]}>', text)


def filled(text, marks):
  """text of plain() with the marks of another attachment."""
  return re.sub(r'<(\w+)>', lambda m: marks.get(m.group(1), m.group(0)), text)


def rules_of(save, marks):
  """{table: ([chains], [rules])}: what an attachment has in the output of iptables-save, as of plain()."""
  found, table = {}, None
  for line in save.splitlines():
    if line.startswith('*'):
      table = line[1:]
      found[table] = ([], [])
    elif line[:1] in (':', '-') and pattern(marks).search(line):
      found[table][line[0] == '-'].append(plain(line, marks))
  return {name: parts for name, parts in found.items() if any(parts)}


def restore_text(rules, others):
  """What iptables-restore --noflush takes: rules of rules_of() once for each of others, behind those there."""
  out = []
  for table, parts in rules.items():
    out.append(f'*{table}')
    for lines in parts:
      out += [filled(line, marks) for marks in others for line in lines]
    out.append('COMMIT')
  return '\n'.join(out) + '\n'


def copy_rules(system, number, others):
  """The rules of attachment number once more for each of others: marks."""
  for save in SAVES:
    text = restore_text(rules_of(sh(f'{save}-save'), system.marks(number)), others)
    with open('/run/rules', 'w', encoding='ascii') as file:
      file.write(text)
    sh(f'{save}-restore --noflush </run/rules')


def copy_links(system, containers, others):
  """The pair of interfaces of each container, its addresses and routes."""
  hairpin = 'on' if system.hairpin else 'off'
  text = ''
  for number, path in containers:
    text += f'link add copy{number} type veth peer name eth0 netns {path}\n' \
            f'link set copy{number} master {system.bridge} up\n' \
            f'link set copy{number} type bridge_slave hairpin {hairpin}\n'
  with open('/run/links', 'w', encoding='ascii') as file:
    file.write(text)
  sh('ip -batch /run/links')
  for (_, path), marks in zip(containers, others):
    sh(f'''nsenter --net={path} sh -ec "
	echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
	exec ip -batch -" <<-end
	addr add {marks["v4"]}/16 brd + dev eth0
	addr add {marks["v6"]}/64 dev eth0
	link set eth0 up
	route add default via {system.gateways[0]} {system.routes}
	route add default via {system.gateways[1]} {system.routes}
	end''')


def copy_records(system, number, numbers):
  """The rules and files of attachment number once more for each of numbers: their marks."""
  others = system.next_marks(numbers)
  copy_rules(system, number, others)
  system.copy_files(number, numbers, others)
  return others


def copy(system, number, containers):
  """Attachment number once more for each of containers, which are empty."""
  copy_links(system, containers, copy_records(system, number, [n for n, _ in containers]))


def picture(system, number, path):
  """What attachment number is, in the words of plain(); and all rules of the host, so that their order counts."""
  marks = system.marks(number)
  text = ''.join(sh(f'{save}-save') for save in SAVES)
  text = re.sub(r'\[\d+:\d+\]', '', re.sub(r'(?m)^#.*\n', '', text))
  for command in CONTAINER:
    text += sh(f'nsenter --net={path} sh -c "{command}"')
  index = re.search(r'eth0@if(\d+)', sh(f'nsenter --net={path} ip -o link show eth0')).group(1)
  port = re.search(rf'(?m)^{index}: ([^@:]+)', sh('ip -o link')).group(1)
  text += re.sub(r'(?m)^\d+: \S+', '', sh(f'bridge -d link show dev {port}'))
  # The number of the interface and what it says of it are of no account.
  text = re.sub(r'(?m)^\d+: eth0 ', 'eth0 ', text)
  return plain(text, marks) + ''.join(sorted(plain(file, marks) for file in system.files()))


def mentions(system, number, marks):
  """Lines that still tell of an attachment: rules, files, its interface on the host."""
  text = sh('ip -o link').replace(f'copy{number}@', f'{marks["v4"]} still has copy{number} ')
  text += ''.join(sh(f'{save}-save') for save in SAVES) + ''.join(system.files())
  return [line for line in text.splitlines() if pattern(marks).search(line)]


def _run(job):
  results, _ = run_jobs([job])
  if isinstance(results[0], JobError):
    raise results[0]


def prove(system, number, fresh):
  """A copy of attachment number is like what the peer makes, and the peer takes it away. Raises JobError where
  that is not so. fresh(count) makes empty containers; those used are returned."""
  # The same number twice: the chains of one are listed where its name belongs.
  (again, path), (_, other) = containers = fresh(2)
  copy(system, number, [(again, path)])
  of_copy, marks = picture(system, again, path), system.marks(again)
  _run(system.delete(again, path))
  left = mentions(system, again, marks)
  if left:
    raise JobError(f'{system.title}: what it left of a copy: {left[:3]}')
  _run(system.add(again, other))
  of_made = picture(system, again, other)
  _run(system.delete(again, other))
  if of_copy != of_made:
    ours, theirs = of_copy.splitlines(), of_made.splitlines()
    odd = [line for line in ours if line not in theirs] + [line for line in theirs if line not in ours]
    raise JobError(f'{system.title}: a copy is not what it makes itself: {odd[:4] or "another order"}')
  return containers

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""coverage.py SUMMARY: the gates of coverage, on what gcovr has counted (--json-summary).

Every file that reads bytes of strangers is held to 98 % of its lines and 95 % of its branches, the TCP
machine, as a whole, to 90 % and 80 %. What misses its gate comes first, with what is missing. Ends with
"N passed, N failed": a gate counts one. A gate that names no file fails too.
"""
import fnmatch
import json
import sys

PARSER, MACHINE = (98, 95), (90, 80)
# What reads bytes of strangers: (what, patterns). Files with a target in tests/fuzz that are not here are mostly calls of
# the system, whose failures the unit tests do not all play: local/dns.c, learn.c and local.c and the room dgram (sockets),
# names/control.c (accept, epoll, descriptors), proc/pesto.c (a connection), sys/userns_map.c (newuidmap and /proc; a
# quarter of it reads lines), sys/fdpass.c, store/record.c (files; what they hold is the codec's). doctor/walk.c reads what
# nftlook.c has checked.
PARSERS = (
  ('frames and packets', ['slirp-lite/wire/*.c']),
  ('what asks the gateway', ['slirp-lite/local/arp.c', 'slirp-lite/local/ndp.c', 'slirp-lite/local/dhcp.c',
                             'slirp-lite/local/dhcp6.c', 'slirp-lite/local/resolvers.c']),
  ('queries to the names responder', ['slirp-lite/names/msg.c', 'slirp-lite/names/query.c', 'slirp-lite/names/answer.c']),
  ('control protocols', ['slirp-lite/proc/ctl.c', 'slirp-lite/stack/ctlmsg.c', 'netd/broker/request.c', 'netd/broker/call.c',
                         'netd/broker/handover.c']),
  ('what users give slirp-lite', ['slirp-lite/proc/hostfwd.c', 'slirp-lite/proc/pasta_ports.c',
                                  'slirp-lite/proc/nameservers.c']),
  ('what the container\'s side says', ['slirp-lite/proc/nsdports.c', 'slirp-lite/proc/nsdscan.c',
                                      'slirp-lite/relay/inside.c']),
  ('CNI\'s JSON and environment', ['cni-plugin/conf*.c', 'cni-plugin/env.c', 'cni-plugin/gojson.c',
                                  'cni-plugin/result_parse.c']),
  ('records and messages', ['netd/model/codec*.c']),
  ('packets that were refused', ['netd/model/refusal.c']),
  ('addresses and ports', ['netd/model/addr.c', 'netd/model/name.c', 'netd/model/publish.c',
                           'netd/model/attach_egress.c']),
  ('policies', ['netd/broker/policy_parse.c']),
  ('rules of others', ['netd/net/nftlook.c', 'netd/net/nftexpr.c', 'netd/net/iptlegacy.c']),
)
MACHINES = (
  ('the TCP machine', ['slirp-lite/tcp/tcb*.c']),
  ('TCP in all', ['slirp-lite/tcp/*.c']),
)


def files_of(summary, patterns):
  return [f for f in summary['files'] if any(fnmatch.fnmatchcase(f['filename'], p) for p in patterns)]


def share(covered, total):
  return 100 * covered / total if total else 100.0


class Gate:
  """A gate over some files together."""

  def __init__(self, name, files, gate):
    self.name, self.gate = name, gate
    self.counts = [sum(f[k] for f in files) for k in ('line_covered', 'line_total', 'branch_covered', 'branch_total')]
    self.lines, self.branches = share(*self.counts[:2]), share(*self.counts[2:])
    self.is_met = self.counts[1] > 0 and self.lines >= gate[0] and self.branches >= gate[1]

  def text(self):
    covered, lines, taken, branches = self.counts
    missing = '' if self.is_met else f'  missing: {lines - covered} lines, {branches - taken} branches'
    return f'  {self.name:36s} lines {self.lines:5.1f} %  branches {self.branches:5.1f} %{missing}'


def gates_of(summary):
  out = []
  for what, patterns in PARSERS:
    for pattern in patterns:
      found = [f for f in files_of(summary, [pattern]) if f['line_total']]
      out += [(what, Gate(f['filename'], [f], PARSER)) for f in found] or [(what, Gate(pattern, [], PARSER))]
  return out + [(what, Gate(what, files_of(summary, patterns), MACHINE)) for what, patterns in MACHINES]


def rooms_text(summary):
  rooms = {}
  for f in summary['files']:
    if f['filename'].endswith('.c'):
      rooms.setdefault(f['filename'].rpartition('/')[0], []).append(f)
  return [Gate(room, files, (0, 0)).text() for room, files in sorted(rooms.items())]


def report(summary):
  """(lines of text, how many gates are met, how many are not)."""
  gates = gates_of(summary)
  missed = [g for _, g in gates if not g.is_met]
  lines = [f'gates: {len(gates) - len(missed)} are met, {len(missed)} are not (parsers {PARSER[0]} % of lines and '
           f'{PARSER[1]} % of branches, TCP {MACHINE[0]} % and {MACHINE[1]} %), by the unit tests alone']
  for title, want in (('not met:', False), ('met:', True)):
    rows = [g.text() for _, g in gates if g.is_met == want]
    lines += ['', title] + (rows or ['  none'])
  lines += ['', 'each room, which has no gate:'] + rooms_text(summary)
  return lines, len(gates) - len(missed), len(missed)


def main(path):
  with open(path, encoding='utf-8') as file:
    lines, passed, failed = report(json.load(file))
  print('\n'.join(lines))
  print(f'{passed} passed, {failed} failed')
  return 1 if failed or not passed else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))

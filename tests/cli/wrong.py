#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""wrong.py: what each program says to who calls it wrongly: one line on standard error that names what is
wrong, nothing on standard output, an exit status that is not 0. As whoever runs it, and for root as an
ordinary user too. Nothing is made: every case is over before that. Prints TAP.

Environment: NETNS_UP, SLIRP_LITE, NETD, NETNS_UP_CNI, NETNS_UP_FORWARDER: the programs.
"""
import concurrent.futures
import os
import shutil
import stat
import subprocess
import sys
import tempfile

USER = 1900001  # nobody's: it owns nothing and nothing of it stays
GONE = '4194305'  # above PID_MAX_LIMIT: no process ever has it
LONG = 'a' * 200

# Arguments, and what the line has to say.
CASES = {
  'NETNS_UP': [
    ('', 'a verb or a target is missing'), ('frobnicate', 'frobnicate: expected a verb or a pid'),
    ('lst', 'lst: expected a verb or a pid (ls?)'), ('rm x', '(down?)'), ('staus c', '(status?)'),
    ('chekc c', '(check?)'),
    ('--nonsense', '--nonsense: expected a verb or a pid'), ('up', 'expected TARGET'), ('up 0', '0: expected a pid'),
    ('up 99999999999999999999', 'expected a pid'), (f'up {GONE}', 'No such process'), ('up -1', '-1: unknown option'),
    ('up /nonexistent', '/nonexistent: No such file'), ('up /etc/passwd', 'a regular file, not a network namespace'),
    ('up 1 2', '"2": unexpected operand'), ('up 1 --name a/b', '--name: '), ('up 1 -p', '-p: expected a value SPEC'),
    ('up 1 -p 0:0:0:0', 'container port'), ('up 1 -p 99999:80', 'host port'), ('up 1 -p 80:80/icmp', 'tcp, udp or sctp'),
    ('up 1 --ip 256.1.1.1', '--ip: '),
    ('up 1 --ip 10.1.2.3/16', 'it has no /LENGTH here'), ('up 1 --ip6 ::1::', '--ip6: '), ('up 1 --network a/b', '--network: '),
    ('up 1 --rate-in fast', '--rate-in: '), ('up 1 --mac zz', '--mac: '), (f'up 1 --ifname {LONG}', '--ifname: '),
    ('up 1 --to x:y', '--to: '), ('up 1 --state-dir', '--state-dir: expected a value'), ('down', 'expected TARGET|ID'),
    ('run', 'expected -- CMD'), ('status', 'expected TARGET|ID'), ('ls x', 'unexpected operand'),
    ('top --interval 0', '--interval: '), ('publish x', 'found fewer operands'), ('unpublish x x', 'host port'),
    ('limit x', '--rate-in or --rate-out is needed'), ('create a/b', 'namespace name'), ('delete ..', 'namespace name'),
    ('network frob', 'expected create, ls'), ('network create a/b', 'network name'), ('graph --svg --dot', 'one of'),
    ('network create x --subnet 10.0.0.1/24', 'without host bits'), ('network create x --mtu 1', '--mtu: '),
    ('policy', 'expected test'), ('policy test', '--user is needed'), ('explain 70000', 'expected PORT'),
    ('policy test --user no/such', 'there is no such user'), ('gc x', 'unexpected operand'),
    ('install-cni /nonexistent/dir', '/nonexistent/dir: No such file'), ('metrics --nonsense', 'see "metrics --help"'),
  ],
  'SLIRP_LITE': [
    ('', 'expected PID, PATH or FD'), ('--nonsense', '--nonsense: unknown option'), ('0', 'PID: expected a number'),
    ('abc', 'PID: expected a number'), (GONE, 'No such process'), ('/nonexistent', 'No such file'),
    ('/etc/passwd', 'not a network namespace'), (f'-c {GONE} {LONG}', 'TAPNAME: '), (f'--mtu 1 {GONE}', '--mtu: '),
    (f'--mtu x {GONE}', '--mtu: '), ('--mtu', '--mtu: expected a value'), (f'--cidr 10.0.2.0/33 {GONE}', '--cidr: '),
    (f'--cidr 300.0.0.0/24 {GONE}', '--cidr: '), (f'--ready-fd 99 {GONE}', 'descriptor 99 is not open'),
    (f'--ready-fd x {GONE}', '--ready-fd: '), (f'-p 70000:1 {GONE}', '-p: '), (f'--to 1.2.3.4/99 {GONE}', '--to: '),
    (f'--not-to name.example:80 {GONE}', '--not-to: '), (f'--outbound-addr nosuchif0 {GONE}', '--outbound-addr: '),
    (f'--host-loopback tcp:70000 {GONE}', '--host-loopback: '), (f'--sandbox=maybe {GONE}', '--sandbox: '),
    (f'--engine foo {GONE}', '--engine: '), ('--netns-type=tapfd 77', 'descriptor 77 is not open'),
    ('--netns-type=tapfd 0', 'descriptor 0 is no tap device'), ('--netns-type=bad 1', '--netns-type: '),
    ('--target-type=bess /nonexistent/x/y', '/nonexistent/x/'), (f'--log-level loud {GONE}', '--log-level: '),
    (f'--log-file /nonexistent/x {GONE}', '--log-file: '), (f'--macaddress zz {GONE}', '--macaddress: '),
    (f'-c --macaddress 01:00:00:00:00:00 {GONE}', 'multicast MAC'), (f'--disable-dns=3 {GONE}', 'expected no value'),
    (f'--name a/b {GONE}', '--name: '), (f'--api-socket /tmp/{LONG} {GONE}', '--api-socket: '),
  ],
  'NETD': [
    ('', 'expected --foreground'), ('--nonsense', '--nonsense: unknown option; see "--help"'),
    ('x', '"x": unexpected operand; see "--help"'), ('--foreground=1', '--foreground: expected no value'),
    ('--foreground --socket', '--socket: expected a value'), ('--foreground --socket x', 'an absolute path'),
    ('--foreground --policy-dir x', 'an absolute path'), ('--foreground --state-dir x', 'an absolute path'),
    ('--foreground --user no/such', 'there is no such user'), ('--foreground --user root', 'without privilege'),
    ('--foreground --idle-exit x', '--idle-exit: '), ('--foreground --idle-exit -1', '--idle-exit: '),
    ('--idle-exit 9999999999999', '--idle-exit: '),
  ],
  'NETNS_UP_FORWARDER': [('', 'cannot be used by itself'), ('names', 'cannot be used by itself')],
}
# Where the line depends on who calls.
ROOT = [
  ('NETD', '--foreground --socket /nonexistent/x/s --state-dir {dir}/st', '/nonexistent/x'),
  ('NETD', '--foreground --socket /etc/passwd --state-dir {dir}/st', '/etc/passwd is there and no socket'),
  ('NETD', '--foreground --socket {dir}/s --state-dir /proc/nope', 'state directory /proc/nope'),
  ('NETNS_UP', 'network import /nonexistent --state-dir {dir}/st', 'directory /nonexistent: No such file'),
]
ORDINARY = [('NETD', '--foreground --socket {dir}/s --state-dir {dir}/st', 'start it as root')]
# A CNI plugin answers on standard output, and says the same on standard error.
CNI = [
  ('ADD', '{}', 'env variables [CNI_CONTAINERID,CNI_NETNS'), ('FROB', '{}', 'FROB: code 4: unknown CNI_COMMAND: FROB'),
]
COUNT = FAILED = 0


def ok(name, passed, detail):
  global COUNT, FAILED
  COUNT += 1
  FAILED += not passed
  print(f'{"ok" if passed else "not ok"} {COUNT} - {name}')
  if not passed:
    print('# ' + detail.replace('\n', '\n# '))


def call(program, words, user, folder, env=None, text=''):
  env = {'PATH': os.environ['PATH'], 'HOME': folder, 'XDG_RUNTIME_DIR': folder, **(env or {})}
  for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
    if name in os.environ:
      env[name] = os.environ[name]
  if user:
    # Built for coverage, a program complains where it may not write what it has counted, which is not its own answer.
    env['GCOV_PREFIX'] = os.path.join(folder, 'counted')
  who = {'user': user, 'group': user, 'extra_groups': []} if user else {}
  return subprocess.run([program, *words], input=text, capture_output=True, text=True, timeout=300, env=env, **who)


def as_one(user, programs, folder, pool):
  title = 'an ordinary user' if user else f'user {os.getuid()}'
  jobs = [(name, words, want) for name, cases in CASES.items() for words, want in cases]
  jobs += ORDINARY if user or os.getuid() else ROOT
  made = [(name, words, want, pool.submit(call, programs[name], words.format(dir=folder).split(), user, folder))
          for name, words, want in jobs]
  for name, words, want, future in made:
    done = future.result()
    ok(f'{title}: {name.lower()} {words[:60]}', done.returncode > 0 and not done.stdout and want in done.stderr
       and done.stderr.count('\n') == 1 and done.stderr.endswith('\n'), f'{done.returncode} {done.stdout}{done.stderr}')
  for command, text, want in CNI:
    done = call(programs['NETNS_UP_CNI'], [], user, folder, {'CNI_COMMAND': command}, text)
    ok(f'{title}: netns-up-cni {command}', done.returncode > 0 and '"code":' in done.stdout and want in done.stderr
       and done.stderr.count('\n') == 1, f'{done.returncode} {done.stdout}{done.stderr}')


def main():
  with tempfile.TemporaryDirectory() as top, concurrent.futures.ThreadPoolExecutor(4) as pool:
    os.chmod(top, 0o755)
    programs = {name: shutil.copy(os.environ[name], top) for name in [*CASES, 'NETNS_UP_CNI']}
    for user in (0, USER) if os.getuid() == 0 else (0,):
      folder = os.path.join(top, f'home{user}')
      os.mkdir(folder, 0o700)
      os.chown(folder, user or -1, user or -1)
      as_one(user, programs, folder, pool)
      left = [name for name in os.listdir(folder) if not stat.S_ISDIR(os.stat(os.path.join(folder, name)).st_mode)]
      ok('and nothing was made', left == [], str(left))
  print(f'1..{COUNT}')
  return 1 if FAILED else 0


if __name__ == '__main__':
  sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""completion.py DIRECTORY: the completions in DIRECTORY are taken by their shells and offer what --help says.

PROGRAMS in the environment: the programs' paths, separated by ':'. Each shell is asked for every verb, zsh at a
terminal, for it completes nowhere else; bash and zsh also by a key press. Names come from a program of the same name that this test makes, and what
is in a name is not executed. Needs no root. TAP.
"""
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tempfile
import time

FILES = {'bash': '{}', 'zsh': '_{}', 'fish': '{}.fish'}
count = failed = 0


def ok(what, good, detail=''):
  global count, failed
  count += 1
  failed += not good
  print(f'{"" if good else "not "}ok {count} - {what}')
  if not good and detail:
    print('\n'.join('# ' + line for line in str(detail).splitlines()[:20]))


def run(*command, env=None):
  return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def long_options(text):
  return sorted(re.findall(r'^ +(?:-., )? *(--[a-z0-9-]+)', text, re.M))


def verbs_of(program):
  """{words behind the program's name: its long options}"""
  top = run(program, '--help').stdout
  if 'Verbs:' not in top:
    return {'': long_options(top)}
  found = {}
  for verb in re.findall(r'^  ([a-z-]+) ', top.split('Verbs:')[1], re.M):
    text = run(program, verb, '--help').stdout
    if 'Verbs:' not in text:
      found[verb] = long_options(text)
      continue
    for sub in re.findall(r'^  ([a-z-]+) ', text.split('Verbs:')[1], re.M):
      found[f'{verb} {sub}'] = long_options(run(program, verb, sub, '--help').stdout)
  return found


BASH = '''
complete_line() { # the words of a line, the last one is being written
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	$function
	printf '%s\\t' "${COMPREPLY[@]}"
	echo
}
'''


def ask_bash(script, name, lines, env):
  """What bash offers for each line, sorted."""
  function = '_' + re.sub('[^a-zA-Z0-9]', '_', name)
  text = f'. {shlex.quote(script)}\nfunction={function}\n{BASH}'
  # Words as bash splits them.
  text += ''.join('complete_line ' + ' '.join(shlex.quote(w) for w in re.findall(r'[:=]+|[^ :=]+', line)) +
                  (" ''" if line.endswith(' ') else '') + '\n' for line in lines)
  out = run('bash', '--norc', '-c', text, env=env)
  ok(f'bash: nothing is complained about for {name}', not out.stderr, out.stderr)
  return [sorted(w for w in line.split('\t') if w) for line in out.stdout.splitlines()]


def ask_fish(script, lines, env):
  text = f'source {shlex.quote(script)}\n' + ''.join(f'complete -C {shlex.quote(l)}; echo =\n' for l in lines)
  out = run('fish', '--no-config', '-c', text, env=env)
  ok(f'fish: nothing is complained about for {os.path.basename(script)}', not out.stderr, out.stderr)
  return [sorted(l.split('\t')[0] for l in part.splitlines() if l) for part in out.stdout.split('=\n')[:-1]]


class Terminal:
  """A shell at a terminal of its own."""

  def __init__(self, command, env, before):
    self.seen = ''
    self.pid, self.fd = pty.fork()
    if self.pid == 0:
      os.execvpe(command[0], command, env)
    os.write(self.fd, (before + 'echo REA""DY\n').encode())
    self.wait('READY')

  def wait(self, wanted, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      if select.select([self.fd], [], [], 0.1)[0]:
        self.seen += os.read(self.fd, 4096).decode(errors='replace')
        if wanted in self.seen:
          return True
    return False

  def shows(self, typed, wanted, seconds=20):
    """After typed was typed, on an empty line."""
    os.write(self.fd, b'\x15')
    self.seen = ''
    os.write(self.fd, typed.encode())
    return self.wait(wanted, seconds)

  def close(self):
    os.kill(self.pid, 9)
    os.waitpid(self.pid, 0)
    os.close(self.fd)


def zsh_before(folder):
  return f'fpath=({shlex.quote(folder)} $fpath); autoload -U compinit; compinit -u -D; PS1=; '


ZSH = '''
compadd() { # what is offered is kept, but where a function of zsh's asks what would match
	local -a hits
	if [[ ${@[1,(i)(-|--)]} == *-[OAD]\\ * ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A hits "$@"
	answers+=($hits)
	builtin compadd "$@"
}
complete_here() {
	_main_complete
	compstate[insert]= compstate[list]=
}
ask() {
	local line
	for line in $lines; do
		answers=()
		BUFFER=$line CURSOR=$#line
		zle complete-here
		print -r -- ${(pj:\\t:)answers}
	done >$answered
	BUFFER=
	print ANSWER""ED
}
zle -C complete-here complete-word complete_here
zle -N ask
bindkey '^X^A' ask
'''


def ask_zsh(folder, lines, env):
  text, answered = f'{env["HOME"]}/ask.zsh', f'{env["HOME"]}/answered'
  with open(text, 'w', encoding='utf-8') as file:
    file.write(f'lines=({" ".join(map(shlex.quote, lines))})\nanswered={shlex.quote(answered)}\n{ZSH}')
  terminal = Terminal(['zsh', '-f', '-i'], env, zsh_before(folder) + f'. {shlex.quote(text)}; ')
  good = terminal.shows('\x18\x01', 'ANSWERED', 20 + 2 * len(lines))
  ok(f'zsh: asked {len(lines)} lines at a terminal', good, repr(terminal.seen))
  terminal.close()
  if not good:
    return []
  with open(answered, encoding='utf-8') as file:
    return [sorted({w for w in line.split('\t') if w}) for line in file.read().splitlines()]


def check_program(path, folder, env):
  name = os.path.basename(path)
  verbs = verbs_of(path)
  ok(f'{name}: --help tells options', len(verbs) > 0 and all(verbs.values()), verbs)
  for shell, form in FILES.items():
    script = os.path.join(folder, form.format(name))
    out = run(shell, '-n', script)
    ok(f'{shell} takes the completions of {name}', out.returncode == 0 and os.path.getsize(script) > 0, out.stderr)
  lines = [f'{name} {verb + " " if verb else ""}--' for verb in verbs]
  scripts = {shell: os.path.join(folder, form.format(name)) for shell, form in FILES.items()}
  for shell, got in (('bash', ask_bash(scripts['bash'], name, lines, env)),
                     ('zsh', ask_zsh(folder, lines, env)),
                     ('fish', ask_fish(scripts['fish'], lines, env))):
    for line, have, want in zip(lines, got, verbs.values()):
      ok(f'{shell}: {line}<TAB> offers the options of --help', have == want, f'got {have}\nwant {want}')
    ok(f'{shell}: each line was answered', len(got) == len(lines))


def check_lines(folder, env):
  """Verbs, names, files and values, where they are expected."""
  home = env['HOME']
  cases = [
    ('netns-up net', ['network']),
    ('netns-up network in', ['inspect']),
    ('netns-up up --p', ['--publish']),
    ('netns-up 4242 --pub', ['--publish']),
    ('netns-up down we', ['web']),
    ('netns-up down --ifname eth0 we', ['web']),
    ('netns-up publish web ', []),
    ('netns-up publish -q we', ['web']),
    ('netns-up network create --mode r', ['routed']),
    ('netns-up network rm bl', ['blue']),
    ('netns-up up --network bl', ['blue']),
    ('netns-up up -p 8080:80 --network bl', ['blue']),
    (f'netns-up install-cni {home}/somed', [f'{home}/somedir']),
    (f'netns-up ls --state-dir {home}/somed', [f'{home}/somedir']),
    ('slirp-lite --sandbox st', ['strict']),
    ('slirp-lite --sandbox=st', ['strict']),
    (f'slirp-lite --pcap {home}/somef', [f'{home}/somefile']),
  ]
  for shell in ('bash', 'fish'):
    for name in ('netns-up', 'slirp-lite'):
      mine = [c for c in cases if c[0].startswith(name)]
      script = os.path.join(folder, FILES[shell].format(name))
      lines = [c[0] for c in mine]
      got = ask_bash(script, name, lines, env) if shell == 'bash' else ask_fish(script, lines, env)
      for (line, want), have in zip(mine, got):
        # fish gives the whole word back, and a slash behind a directory
        have = [w.rstrip('/').replace('--sandbox=', '') for w in have]
        ok(f'{shell}: {line}<TAB>', have == want, f'got {have}\nwant {want}')
  everything = ask_bash(os.path.join(folder, 'netns-up'), 'netns-up', ['netns-up down '], env)[0]
  ok('bash: a name with a command in it is offered as a name', any('touch' in w for w in everything), everything)
  ok('and is not executed', not os.path.exists(f'{home}/touched'))


def check_terminal(folder, env):
  cases = (
    (['bash', '--norc', '--noprofile', '-i'], f'. {folder}/netns-up; PS1=; ', (
      ('netns-up up --p', '--publish '), ('netns-up network cr', 'create '))),
    (['zsh', '-f', '-i'], zsh_before(folder), (
      ('netns-up up --p', '--publish'), ('netns-up network cr', 'create'), ('netns-up 4242 --pub', '--publish'),
      ('netns-up down we', 'web'), ('netns-up network create --mode r', 'routed'),
      ('slirp-lite --conf', '--configure'), ('slirp-lite --sandbox=st', 'strict'))))
  for command, before, lines in cases:
    terminal = Terminal(command, env, before)
    for typed, wanted in lines:
      good = terminal.shows(typed + '\t', wanted)
      ok(f'{command[0]} at a terminal: {typed}<TAB>', good, repr(terminal.seen))
    terminal.close()


def main():
  folder = sys.argv[1]
  with tempfile.TemporaryDirectory() as home:
    os.mkdir(f'{home}/bin')
    os.mkdir(f'{home}/somedir')
    with open(f'{home}/somefile', 'w', encoding='utf-8'):
      pass
    with open(f'{home}/bin/netns-up', 'w', encoding='utf-8') as file:
      file.write('#!/bin/sh\n[ "$1" = network ] && { echo "blue bridge"; exit; }\n'
                 f"printf 'ID  IFNAME\\nweb eth0\\n$(touch\\t{home}/touched) eth0\\n`touch\\t{home}/touched` eth0\\n'\n")
    os.chmod(f'{home}/bin/netns-up', 0o755)
    env = {'PATH': f'{home}/bin:{os.environ["PATH"]}', 'HOME': home, 'TERM': 'dumb', 'LC_ALL': 'C.UTF-8'}
    for path in os.environ['PROGRAMS'].split(':'):
      check_program(path, folder, env)
    check_lines(folder, env)
    check_terminal(folder, env)
  print(f'1..{count}')
  return failed != 0


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""compiled.py analyzer|tidy|cppcheck BUILDDIR TREE: static analysis with the flags of the build.

Reads BUILDDIR/compile_commands.json. analyzer: gcc -fanalyzer over the product. tidy: clang-tidy with
.clang-tidy over the product. cppcheck: over the product and the tests' helpers. Any finding fails.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile

PRODUCT = ('netd/', 'slirp-lite/', 'cni-plugin/')

# Findings of gcc 12's analyzer that are wrong, by option, each with its reason.
ANALYZER_OFF = [
  # Scope cleanup functions close descriptors and free memory; gcc 12 does not follow a cleanup
  # attribute through a call in another file and reports what they release as lost.
  '-Wno-analyzer-fd-leak',
  '-Wno-analyzer-malloc-leak',
]

# Single false alarms: (file, option of gcc or check of clang-tidy) with the reason. One that no longer
# occurs does no harm; one that is not listed fails.
FALSE_ALARMS = {
  ('netd/base/fd.c', '-Wno-analyzer-use-of-uninitialized-value'):
    'memcpy of a pointer, which gcc 12 does not take for a write',
  ('netd/net/nft.c', '-Wno-analyzer-use-of-uninitialized-value'):
    'memcpy of a function pointer, which gcc 12 does not take for a read of a set variable',
  ('netd/net/elem.c', '-Wno-analyzer-null-dereference'):
    'an address and its presence come from the same test, two functions away',
  ('netd/store/dir.c', 'bugprone-suspicious-missing-comma'): 'the dot before the name of a temporary file',
  ('netd/store/dir.c', 'clang-diagnostic-string-concatenation'): 'the same',
  ('netd/store/claim_sweep.c', 'bugprone-sizeof-expression'): 'qsort of pointers: the size of a pointer is meant',
  ('netd/sys/resolv.c', 'bugprone-not-null-terminated-result'): 'memchr over three characters, without their NUL',
  ('slirp-lite/wire/cksum.c', '-Wno-analyzer-shift-count-overflow'):
    'a shift of a vector of 64-bit lanes, which gcc 12 takes for one of a bit',
  ('slirp-lite/relay/dgram.c', 'bugprone-suspicious-memory-comparison'):
    'the key is cleared whole before it is filled, padding included',
  ('slirp-lite/relay/dgram.c', 'cert-exp42-c'): 'the same',
  ('slirp-lite/relay/dgram.c', 'cert-flp37-c'): 'the same',
}

# Flags of the build that an analysis does without: optimisation folds the code away, variables that are
# zeroed by the compiler hide that the source does not set them, and each analysis says itself what fails.
STRIPPED = ('-Werror', '-O', '-D_FORTIFY_SOURCE', '-U_FORTIFY_SOURCE', '-ftrivial-auto-var-init=')

CPPCHECK = [
  '--std=c11', '--enable=warning,performance,portability', '--inline-suppr', '--error-exitcode=1', '--quiet',
  '--template={file}:{line}: {severity}: {message} [{id}]', '-D__GNUC__=12', '-D_GNU_SOURCE',
  # Not a finding: system headers are left out on purpose, their meaning is built in.
  '--suppress=missingIncludeSystem',
  # The variable of a cleanup attribute is used by its destructor, which cppcheck does not see.
  '--suppress=unusedVariable', '--suppress=unreadVariable',
  # The same for what the destructor frees; the leak check of the sanitizer build is the judge of leaks.
  '--suppress=memleak', '--suppress=resourceLeak',
]


def read_commands(build, top, folders):
  """[(path in the tree, folder, argv)] of each C file once."""
  seen, out = set(), []
  with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
    for entry in json.load(file):
      path = os.path.relpath(os.path.join(entry['directory'], entry['file']), top)
      if path.endswith('.c') and path.startswith(folders) and path not in seen:
        seen.add(path)
        argv = shlex.split(entry['command'])
        # Where there is ccache, it starts the compiler.
        out.append((path, entry['directory'], argv[1:] if os.path.basename(argv[0]) == 'ccache' else argv))
  return out


def strip(argv):
  """The command without its output, its dependency files and what STRIPPED names."""
  out, skip = [], False
  for word in argv:
    if skip:
      skip = False
    elif word in ('-o', '-MF', '-MQ', '-MT'):
      skip = True
    elif word not in ('-MD', '-c') and not word.startswith(STRIPPED):
      out.append(word)
  return out


def alarms_off(path, gcc):
  return [what for file, what in FALSE_ALARMS if file == path and what.startswith('-W') == gcc]


def run_all(jobs):
  """Runs (name, folder, argv) two at a time; prints the output of those that fail. Number of failures."""
  def one(job):
    done = subprocess.run(job[2], cwd=job[1], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return job[0], done.returncode, done.stdout + done.stderr
  failed = 0
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for name, status, text in pool.map(one, jobs):
      if status != 0:
        failed += 1
        print(f'--- {name}: exit status {status}\n{text}')
  return failed


def analyzer(build, top):
  return run_all([(path, folder, strip(argv) + ['-fanalyzer', '-Werror', '-fdiagnostics-color=never',
                                        '-fdiagnostics-path-format=none', '-c', '-o', '/dev/null'] + ANALYZER_OFF
                   + alarms_off(path, True))
                  for path, folder, argv in read_commands(build, top, PRODUCT)])


def tidy(build, top):
  commands = read_commands(build, top, PRODUCT)
  with tempfile.TemporaryDirectory() as folder:
    # Headers are reported from the .c files that include them.
    with open(os.path.join(folder, 'compile_commands.json'), 'w', encoding='utf-8') as file:
      json.dump([{'directory': where, 'file': os.path.join(top, path),
                  'arguments': ['clang'] + strip(argv)[1:]}
                 for path, where, argv in commands], file)
    return run_all([(path, top, ['clang-tidy', '--quiet', '--warnings-as-errors=*', '-p', folder]
                     + ['--checks=' + ''.join(f',-{c}' for c in alarms_off(path, False)).lstrip(',')] + [path])
                    for path, _, _ in commands])


def cppcheck(build, top):
  paths = [path for path, _, _ in read_commands(build, top, PRODUCT)]
  argv = ['cppcheck', '-j', str(os.cpu_count()), '-I', 'netd', '-I', 'slirp-lite'] + CPPCHECK + paths
  return run_all([('cppcheck', top, argv)])


def main():
  kinds = {'analyzer': analyzer, 'tidy': tidy, 'cppcheck': cppcheck}
  kind, build, top = sys.argv[1], os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
  if not read_commands(build, top, PRODUCT):
    sys.exit('no C file in compile_commands.json')
  sys.exit(1 if kinds[kind](build, top) else 0)


if __name__ == '__main__':
  main()

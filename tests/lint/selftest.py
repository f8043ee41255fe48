#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""selftest.py BUILDDIR: the checkers of this folder on planted trees: each fault is found, and a
faultless file passes. Prints TAP."""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import arrows  # noqa: E402
import filters  # noqa: E402
import text  # noqa: E402
import used  # noqa: E402

SPDX = '/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* head: what it owns. */\n'
COUNT = 0
FAILED = 0


def ok(name, passed, detail=''):
  global COUNT, FAILED
  COUNT += 1
  FAILED += not passed
  print(f'{"ok" if passed else "not ok"} {COUNT} - {name}')
  if not passed and detail:
    print('# ' + str(detail).replace('\n', '\n# '))


def arrow(path, *includes):
  return arrows.check_file(path, SPDX + ''.join(f'#include {i}\n' for i in includes))


def test_used():
  head = '#define SEEN 1\n#define UNSEEN 2\nint called(int a);\nint *orphan(const char *a,\n\t\t   int b);\n' \
         'static inline int quick(void)\n{\n\treturn 1;\n}\nstatic inline int idle(void)\n{\n\treturn 1;\n}\n'
  body = '/* orphan, UNSEEN, idle */\nint called(int a)\n{\n\treturn a + SEEN + quick();\n}\n' \
         'int *orphan(const char *a, int b)\n{\n\tcalled(1);\n\tputs("orphan");\n\treturn 0;\n}\n'
  found = used.unused({'a.h': head}, {'a.c': body})
  ok('what no program uses is found', found == [('a.h', 'UNSEEN'), ('a.h', 'idle'), ('a.h', 'orphan')], found)


def test_arrows():
  good = [
    ('netd/net/link.c', '"net/link.h"', '<errno.h>', '<netlink/msg.h>', '"base/fd.h"', '"model/addr.h"',
     '"sys/netns.h"'),
    ('netd/net/rtnl_batch.c', '"net/rtnl.h"', '<errno.h>', '"base/buf.h"'),
    ('netd/store/dir.c', '"store/dir.h"', '<errno.h>', '"sys/lock.h"'),
    ('netd/cli/main.c', '<stdio.h>', '"base/log.h"', '"engine/engine.h"'),
    ('slirp-lite/fwd/ports.c', '"fwd/ports.h"', '"model/fwdmsg.h"', '"relay/relay.h"'),
  ]
  for case in good:
    ok(f'allowed: {case[0]} {" ".join(case[1:])}', not arrow(*case), arrow(*case))
  bad = [
    ('netd/base/fd.c', '"model/addr.h"'), ('netd/model/addr.c', '"sys/netns.h"'),
    ('netd/sys/netns.c', '"model/name.h"'), ('netd/net/link.c', '"store/store.h"'),
    ('netd/store/dir.c', '"sys/netns.h"'), ('netd/store/dir.c', '"net/link.h"'),
    ('netd/engine/up.c', '"cli/cli.h"'), ('netd/cli/main.c', '"engine/plan.h"'),
    ('netd/cli/main.c', '"net/link.h"'), ('netd/cli/main.c', '"store/store.h"'),
    ('cni-plugin/main.c', '"engine/plan.h"'), ('slirp-lite/relay/relay.c', '"model/network.h"'),
    ('slirp-lite/relay/relay.c', '"engine/engine.h"'), ('slirp-lite/wire/ip.c', '"io/tap.h"'),
    ('netd/net/ruleset.c', '<nftables/libnftables.h>'), ('netd/net/elem.c', '<libmnl/libmnl.h>'),
    ('netd/net/ruleset.c', '<linux/netfilter/nf_tables.h>'), ('netd/net/link.c', '<nftables/libnftables.h>'),
    ('netd/engine/up.c', '<libmnl/libmnl.h>'), ('netd/engine/plan.c', '"net/rtnl.h"'),
    ('netd/engine/plan.c', '"store/store.h"'), ('netd/net/link.c', '"base/log.h"'),
    ('netd/engine/up.c', '"internal.h"'), ('netd/net/link.c', '<errno.h>', '"net/link.h"'),
    ('netd/net/link.c', '"net/link.h"', '"base/fd.h"', '<errno.h>'), ('netd/other/x.c', '<errno.h>'),
  ]
  for case in bad:
    ok(f'refused: {case[0]} {" ".join(case[1:])}', arrow(*case))


def test_text():
  good = SPDX + '/* the system ( call ) and "exit(1)" of a comment */\nint x; /* popen(3) */\n'
  ok('a plain C file passes', not text.check_file('netd/net/x.c', good), text.check_file('netd/net/x.c', good))
  bad = {
    'no licence line': '/* head */\nint x;\n',
    'no head comment': SPDX.split('\n')[0] + '\nint x;\n',
    'no newline at the end': SPDX + 'int x;',
    'white space at the end of a line': SPDX + 'int x; \n',
    'carriage returns': SPDX + 'int x;\r\n',
    'a mark of unfinished work': SPDX + '/* TO' + 'DO: later */\n',
    'system': SPDX + 'int f(void) { return system("ip link"); }\n',
    'popen': SPDX + 'void *f(void) { return popen ("nft", "r"); }\n',
    'execvp': SPDX + 'void f(char **v) { execvp(v[0], v); }\n',
    'posix_spawn': SPDX + 'void f(void) { posix_spawn(0, "/sbin/ip", 0, 0, 0, 0); }\n',
    'exit below a main': SPDX + 'void f(void) { exit(1); }\n',
    'printing below a main': SPDX + 'void f(void) { printf("x"); }\n',
    'too many lines': SPDX + 'int x;\n' * text.MAX_LINES,
  }
  for name, content in bad.items():
    ok(f'found: {name}', text.check_file('netd/net/x.c', content))
  listed = next(iter(text.STARTS_PROGRAM))
  ok('a listed file may start a program', not text.check_file(listed, SPDX + 'void f(void) { execve(p, a, e); }\n'))
  ok('... but no tool', text.check_file(listed, SPDX + 'void f(void) { execve("/usr/sbin/nft", a, e); }\n'))
  ok('... and is listed for a cause', text.check_file(listed, SPDX + 'int x;\n'))
  long = '{\n' + '"x": 1,\n' * text.MAX_LINES + '}\n'
  ok('found: long JSON', text.check_file('docs/examples/x.json', long))
  ok('short JSON passes', not text.check_file('docs/examples/x.json', '{}\n'))
  ok('figures may be long', not text.check_file('docs/bench/x.json', long))
  ok('a script without licence line is found', text.check_file('tests/x.sh', '#!/bin/sh\ntrue\n'))


def test_filters():
  code = '''#define FLAGS (MSG_DONTWAIT | MSG_PEEK)
static const struct filter_rule worker[] = {
	FILTER_FLAGS(recvfrom, 3, FLAGS),
	FILTER_ANY(epoll_pwait),
	FILTER_SET(IPPROTO_TCP, TCP_NODELAY),
	{SCMP_SYS(accept4), {{3, FILTER_EQ, SOCK_NONBLOCK}}},
};
'''
  behind = 'recv(fd, p, n, MSG_DONTWAIT | MSG_PEEK); epoll_wait(e); set(TCP_NODELAY); accept4(fd);'
  rows = filters.table_of(code, 'worker')
  ok('each call has a caller', not list(filters.check_table(rows, behind)), list(filters.check_table(rows, behind)))
  ok('no such table', filters.table_of(code, 'supervisor') is None)
  for gone, name in (('recv(', 'recvfrom()'), ('MSG_PEEK', 'MSG_PEEK'), ('epoll_wait', 'epoll_pwait()'),
                     ('TCP_NODELAY', 'TCP_NODELAY'), ('accept4', 'accept4()')):
    found = list(filters.check_table(rows, behind.replace(gone, '')))
    ok(f'found: {name} without a caller', len(found) == 1 and found[0].startswith(name), found)


def test_compiled(top):
  """One fault for each analysis, with the flags of a compilation database."""
  faults = {
    'analyzer': '#include <stdlib.h>\nvoid f(void);\nvoid f(void) { char *p = malloc(1); free(p); free(p); }\n',
    'tidy': '#include <string.h>\nint f(const char *a);\nint f(const char *a) { return strcmp(a, "x") == 1; }\n',
    'cppcheck': 'int f(void);\nint f(void) { int a[2]; a[0] = 1; a[1] = 2; return a[2]; }\n',
  }
  with tempfile.TemporaryDirectory() as folder:
    os.makedirs(f'{folder}/netd/base')
    os.makedirs(f'{folder}/slirp-lite')
    os.symlink(f'{top}/.clang-tidy', f'{folder}/.clang-tidy')
    with open(f'{folder}/compile_commands.json', 'w', encoding='utf-8') as file:
      json.dump([{'directory': folder, 'file': 'netd/base/x.c',
                  'command': 'cc -O2 -o x.o -c netd/base/x.c'}], file)
    for kind, fault in faults.items():
      for what, content, wanted in (('a fault is found', fault, True), ('no fault, no finding', 'extern int x;\n', False)):
        with open(f'{folder}/netd/base/x.c', 'w', encoding='utf-8') as file:
          file.write(SPDX + content)
        done = subprocess.run([sys.executable, '-B', f'{HERE}/compiled.py', kind, folder, folder],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        ok(f'{kind}: {what}', (done.returncode == 1) == wanted and done.returncode in (0, 1),
           done.stdout + done.stderr)


if __name__ == '__main__':
  test_arrows()
  test_text()
  test_filters()
  test_used()
  test_compiled(os.path.dirname(os.path.dirname(HERE)))
  print(f'1..{COUNT}')
  sys.exit(1 if FAILED else 0)

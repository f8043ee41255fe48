#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py OUT|ERR|KEYS=...|TERM CMD [ARG]...: runs CMD at a terminal of 24 lines and 80 columns.

OUT: its standard output is the terminal, ERR: its standard error alone, KEYS=k: standard input and output are, and
the keys k are typed as soon as something was printed; TERM: SIGTERM comes then. The terminal has to be as it was at the
end. What came to it is printed, byte by byte; the exit status is CMD's.
"""
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios


def main():
  what, command = sys.argv[1], sys.argv[2:]
  master, slave = pty.openpty()
  attributes = termios.tcgetattr(slave)
  attributes[1] &= ~termios.OPOST
  termios.tcsetattr(slave, termios.TCSANOW, attributes)
  fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
  keys = what[5:].encode() if what.startswith('KEYS=') else b''
  process = subprocess.Popen(command, stdin=slave if keys else subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL if what == 'ERR' else slave,
                             stderr=slave if what == 'ERR' else None,
                             # its terminal: keys like Ctrl-C become signals
                             start_new_session=True,
                             preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if keys else None)
  # The terminal stays open: a master that nobody else has the other end of any more may tell of the end before it
  # has told all. What is written last, when the process is over, is read last.
  end, printed = b'\0end\0', b''
  is_over = False
  while not printed.endswith(end):
    if not is_over and process.poll() is not None:
      is_over = True
      os.write(slave, end)
    if not select.select([master], [], [], 0.02)[0]:
      continue
    printed += os.read(master, 65536)
    if keys:
      os.write(master, keys)
      keys = b''
    if what == 'TERM':
      process.terminate()
      what = ''
  sys.stdout.buffer.write(printed[:-len(end)])
  sys.stdout.flush()
  status = process.wait(30)
  if termios.tcgetattr(master)[:4] != attributes[:4]:
    sys.exit('the terminal is not as it was')
  sys.exit(status if status >= 0 else 128 - status)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""copy_lease.py STATE N: the state directory's only lease, c1@eth0, N - 1 times more, as if so many had been made: c2 with
the next address and so on, each with its record, its membership and its address.
"""
import os
import shutil
import sys


def crc32c(data):
  crc = 0xffffffff
  for byte in data:
    crc ^= byte
    for _ in range(8):
      crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
  return crc ^ 0xffffffff


def copy(source, target, old, new):
  """A file, or a link that names its owner."""
  if os.path.islink(source):
    os.symlink(os.readlink(source).replace(old, new), target)
  else:
    shutil.copyfile(source, target)


def main():
  state, n = sys.argv[1], int(sys.argv[2])
  with open(f'{state}/attachments/c1@eth0', encoding='ascii') as file:
    record, trailer = file.read().rsplit('crc32c ', 1)
  if trailer != f'{crc32c(record.encode()):08x}\n':
    sys.exit('the record has another checksum')
  for i in range(2, n + 1):
    address, name = f'10.90.{(i + 1) >> 8}.{(i + 1) & 255}', f'c{i}@eth0'
    text = record.replace('"id":"c1"', f'"id":"c{i}"').replace('"10.90.0.2/16"', f'"{address}/16"')
    with open(f'{state}/attachments/{name}', 'w', encoding='ascii') as file:
      file.write(f'{text}crc32c {crc32c(text.encode()):08x}\n')
    copy(f'{state}/members/many/c1@eth0', f'{state}/members/many/{name}', 'c1@eth0', name)
    copy(f'{state}/addrs/10.90.0.2', f'{state}/addrs/{address}', 'c1@eth0', name)


main()

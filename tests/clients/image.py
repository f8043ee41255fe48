#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""image.py ROOTFS ARCHIVE NAME CMD...: an OCI image archive of one layer made of the folder ROOTFS.

For tests with runtimes that want an image and have no registry. See the OCI image specification, v1.0.
"""
import hashlib
import io
import json
import platform
import sys
import tarfile

KIND = 'application/vnd.oci.image.'


def blob(data, media):
  return {'mediaType': KIND + media, 'digest': 'sha256:' + hashlib.sha256(data).hexdigest(), 'size': len(data)}


def main(rootfs, archive, name, command):
  layer = io.BytesIO()
  with tarfile.open(fileobj=layer, mode='w') as tar:
    tar.add(rootfs, arcname='.')
  layer = layer.getvalue()
  machine = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine())
  config = json.dumps({
    'architecture': machine, 'os': 'linux', 'config': {'Cmd': command},
    'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(layer).hexdigest()]}}).encode()
  manifest = json.dumps({
    'schemaVersion': 2, 'mediaType': KIND + 'manifest.v1+json', 'config': blob(config, 'config.v1+json'),
    'layers': [blob(layer, 'layer.v1.tar')]}).encode()
  index = json.dumps({'schemaVersion': 2, 'manifests': [
    blob(manifest, 'manifest.v1+json') | {'annotations': {'io.containerd.image.name': name}}]}).encode()
  files = {'oci-layout': b'{"imageLayoutVersion":"1.0.0"}', 'index.json': index}
  for data in (layer, config, manifest):
    files['blobs/sha256/' + hashlib.sha256(data).hexdigest()] = data
  with tarfile.open(archive, 'w') as tar:
    for path, data in files.items():
      info = tarfile.TarInfo(path)
      info.size = len(data)
      tar.addfile(info, io.BytesIO(data))


if __name__ == '__main__':
  main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])

# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of each version of the specification as schemas, and a checker of the few words that they need.

Words: type, required, properties (no others are allowed), items, pattern, enum. Written from the text of
the specification, versions 0.1.0 to 1.1.0.
"""
import re

IPV4 = r'(\d{1,3}\.){3}\d{1,3}'
IPV6 = r'[0-9a-f:]*:[0-9a-f:.]*'
ADDRESS = {'type': str, 'pattern': f'^({IPV4}|{IPV6})$'}
CIDR = {'type': str, 'pattern': rf'^({IPV4}|{IPV6})/\d{{1,3}}$'}
MAC = {'type': str, 'pattern': r'^([0-9a-f]{2}:){5}[0-9a-f]{2}$'}
TEXT = {'type': str}
NUMBER = {'type': int}


def thing(required, **properties):
  return {'type': dict, 'required': required, 'properties': properties}


def many(items):
  return {'type': list, 'items': items}


DNS = thing([], nameservers=many(TEXT), domain=TEXT, search=many(TEXT), options=many(TEXT))
ROUTE = thing(['dst'], dst=CIDR, gw=ADDRESS)
ROUTE11 = thing(['dst'], dst=CIDR, gw=ADDRESS, mtu=NUMBER, advmss=NUMBER, priority=NUMBER, table=NUMBER, scope=NUMBER)
IP02 = thing(['ip'], ip=CIDR, gateway=ADDRESS, routes=many(ROUTE))
INTERFACE = thing(['name'], name=TEXT, mac=MAC, sandbox=TEXT)
INTERFACE11 = thing(['name'], name=TEXT, mac=MAC, mtu=NUMBER, sandbox=TEXT, socketPath=TEXT, pciID=TEXT)
IP10 = thing(['address'], interface=NUMBER, address=CIDR, gateway=ADDRESS)
IP03 = thing(['version', 'address'], version={'type': str, 'enum': ['4', '6']}, **IP10['properties'])


def _result(version, interface, ip, route, required=()):
  return thing(['cniVersion', *required], cniVersion={'type': str, 'enum': [version]}, interfaces=many(interface),
               ips=many(ip), routes=many(route), dns=DNS)


SCHEMAS = {v: thing(['cniVersion'], cniVersion={'type': str, 'enum': [v]}, ip4=IP02, ip6=IP02, dns=DNS)
           for v in ('0.1.0', '0.2.0')}
SCHEMAS |= {v: _result(v, INTERFACE, IP03, ROUTE, ('dns',)) for v in ('0.3.0', '0.3.1', '0.4.0')}
SCHEMAS['1.0.0'] = _result('1.0.0', INTERFACE11, IP10, ROUTE11)  # libcni has one type for 1.0.0 and 1.1.0
SCHEMAS['1.1.0'] = _result('1.1.0', INTERFACE11, IP10, ROUTE11)


def problems(schema, value, path='$'):
  """What is wrong with value, as lines."""
  kind = schema['type']
  if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
    return [f'{path}: not a {kind.__name__}: {value!r}']
  found = []
  if kind is str:
    if 'pattern' in schema and not re.match(schema['pattern'], value):
      found.append(f'{path}: {value!r} has not the form {schema["pattern"]}')
    if 'enum' in schema and value not in schema['enum']:
      found.append(f'{path}: {value!r} is none of {schema["enum"]}')
  elif kind is list:
    for number, item in enumerate(value):
      found += problems(schema['items'], item, f'{path}[{number}]')
  elif kind is dict:
    found += [f'{path}.{key}: missing' for key in schema['required'] if key not in value]
    for key, item in value.items():
      if key not in schema['properties']:
        found.append(f'{path}.{key}: not in this version')
      else:
        found += problems(schema['properties'][key], item, f'{path}.{key}')
  return found


def check_result(version, doc):
  """Schema and what a schema cannot say: indices of interfaces, families."""
  found = problems(SCHEMAS[version], doc)
  if found or not isinstance(doc, dict):
    return found
  n = len(doc.get('interfaces') or [])
  for ip in doc.get('ips') or []:
    if 'interface' in ip and not 0 <= ip['interface'] < n:
      found.append(f'interface {ip["interface"]} of {ip["address"]} is none of {n}')
    if 'version' in ip and (ip['version'] == '6') != (':' in ip['address']):
      found.append(f'version {ip["version"]} of {ip["address"]}')
  for key, six in (('ip4', False), ('ip6', True)):
    if key in doc and (':' in doc[key]['ip']) != six:
      found.append(f'{key} is {doc[key]["ip"]}')
  if version < '0.3.0' and not ('ip4' in doc or 'ip6' in doc):
    found.append('neither ip4 nor ip6')
  return found

import { validateServiceName } from '@sd/core';
import { dnsNameOf } from '../../../packages/backends/dns/src/service-names.ts';
import { ServiceNames } from '../../../packages/backends/kubernetes/src/service-names.ts';
import { serviceKeys } from '../../../packages/backends/redis/src/service-keys.ts';
import { isPath } from '../../../packages/backends/zookeeper/src/connection-string.ts';
import { holds, typed } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** A name becomes part of keys, paths, labels and host names: what is let through means nothing in any of them. */
export const serviceNamesTarget: FuzzTarget = {
  name: 'service-names',
  format: 'text',
  seeds: [
    'orders',
    'orders.shop',
    'a-b_c.D1',
    '..',
    'a/b',
    'a'.repeat(128),
    '__proto__',
    'a{b}',
    'a%2f',
    'é',
  ],
  words: ['.', '..', '/', '-', '_', '{', '}', '*', '%', '\0', '\n', ' ', '?', '#', '@', ':'],
  run(input) {
    const name = input.toString();
    const names = new ServiceNames(undefined, true);
    const valid = typed(() => validateServiceName(name));
    if (valid === undefined) {
      holds(typed(() => (names.validate(name), true)) === undefined, 'Kubernetes takes what is no name');
      return;
    }
    holds(valid === name && name.length <= 128, 'another name, or a longer one');
    const { keys, channel } = serviceKeys('sd:', name, 0);
    holds(new Set([...keys, channel].map(hashTag)).size === 1, 'keys of one service in several slots');
    holds(hashTag(channel) === name, 'another hash tag than the name');
    holds(isPath(`/sd/${name}`), 'no path for ZooKeeper');
    holds(new URL(`http://h/v1/${name}?x`).pathname === `/v1/${name}`, 'it means something in a URL');
    const dns = typed(() => dnsNameOf(name, '_{service}._tcp.example.com'));
    holds(dns === undefined || dns === `_${name}._tcp.example.com`, 'DNS asks for another name');
    if (typed(() => (names.validate(name), true)) === undefined) return;
    const { service, namespace } = names.place(name, 'default');
    holds(
      /^[A-Za-z0-9._-]{1,63}$/.test(service) && /^[a-z0-9-]{1,63}$/.test(namespace),
      'no label of Kubernetes',
    );
  },
};

/** What decides on the slot of a key, as Redis Cluster has it. */
function hashTag(key: string): string {
  const start = key.indexOf('{');
  const end = key.indexOf('}', start);
  return start === -1 || end <= start + 1 ? key : key.slice(start + 1, end);
}

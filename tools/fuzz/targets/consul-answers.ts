import { ConsulStore } from '../../../packages/backends/consul/src/consul-store.ts';
import type { Requests } from '../../../packages/backends/consul/src/requests.ts';
import {
  areInstances,
  field,
  goodAreThere,
  goodInstances,
  holds,
  listOf,
  newMalformed,
  parseJson,
  reportIsBounded,
  textOf,
  typedLater,
} from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const check = (id: string, status: string) => ({ CheckID: id, Status: status, ServiceID: 'orders:a' });
const foreign = {
  Node: { Node: 'n1', Address: '10.0.0.1', Meta: { zone: 'a', region: '' } },
  Service: {
    ID: 'orders/1 é',
    Address: '',
    Port: 8080,
    Tags: ['secure=true', 'v1'],
    Meta: { version: '1.2.3', protocol: 'grpc' },
    Weights: { Passing: 10, Warning: 1 },
    ModifyIndex: 17,
  },
  Checks: [check('serfHealth', 'passing'), check('_node_maintenance', 'critical')],
};
const ours = {
  Node: { Node: 'n1', Address: '10.0.0.1', Meta: null },
  Service: {
    ID: 'orders:a',
    Address: '10.0.0.2',
    Port: 8080,
    Tags: null,
    Meta: {
      'sd-id': 'a',
      'sd-protocol': 'http',
      'sd-status': 'degraded',
      'sd-more-0': '{"a.b":"c"}',
      shard: '3',
    },
    Weights: { Passing: 10, Warning: 1 },
    ModifyIndex: 18,
  },
  Checks: [check('sd:ttl:orders:a:me', 'passing'), check('sd:status-draining:orders:a', 'critical')],
};

/** What an agent answers, also one that is none: instances of a service, names of services, checks. */
export const consulAnswers: FuzzTarget = {
  name: 'consul-answers',
  format: 'json',
  seeds: [
    JSON.stringify({ what: 'read', body: [foreign, ours] }),
    JSON.stringify({
      what: 'read',
      body: [ours, { ...ours, Service: { ...ours.Service, ModifyIndex: 3 } }, null],
    }),
    JSON.stringify({ what: 'list', body: { orders: ['a'], consul: [], 'a/b': [] } }),
    JSON.stringify({ what: 'doubtful', body: [{ CheckID: 'sd:ttl:a', ServiceName: 'orders' }, 1] }),
    JSON.stringify({ what: 'heldBy', body: { a: { ServiceID: 'orders:a' }, b: null } }),
  ],
  words: [
    'sd-id',
    'sd-status',
    'sd-weight',
    'sd-more-0',
    'sd:ttl:',
    'sd:alias:',
    'sd:http:',
    'passing',
    'critical',
    'warning',
    'unknown',
    'read',
    'list',
  ],
  async run(input) {
    const asked = parseJson(input);
    const [what, body] = [field(asked, 'what'), field(asked, 'body')];
    const malformed = newMalformed();
    if (what === 'list') {
      const listing = await typedLater(() => storeOf(body, malformed).list());
      for (const name of listing?.services.keys() ?? [])
        holds(/^[A-Za-z0-9._-]+$/.test(name), 'no name of a service');
    } else if (what === 'doubtful') {
      const names = await typedLater(() => storeOf(body, malformed).doubtful(undefined));
      holds(names?.every((name) => typeof name === 'string') ?? true, 'no name');
    } else if (what === 'heldBy') {
      await typedLater(() => storeOf(body, malformed).heldBy('me'));
    } else await read(body, malformed);
    reportIsBounded(malformed);
  },
};

/** Those of a good provider are found, whatever stands between them. */
async function read(body: unknown, malformed: ReturnType<typeof newMalformed>): Promise<void> {
  if (!Array.isArray(body)) {
    const none = await typedLater(() => storeOf(body, malformed).read('orders'));
    holds(none === undefined, 'what is no list has instances');
    return;
  }
  const entries = listOf(body);
  const good = goodInstances(3);
  const all = [entryOf(good[0]?.id), ...entries, entryOf(good[1]?.id), entryOf(good[2]?.id)];
  const { instances, size } = await storeOf(all, malformed).read('orders');
  holds(size === all.length && instances.length <= size, 'more than there was');
  areInstances(instances, 'orders');
  if (entries.some((entry) => isOneOf(entry))) return; // it claims to be a good one, and newer
  goodAreThere(
    instances,
    good.map((instance, index) => ({ ...instance, host: `10.9.9.${index + 1}` })),
  );
}

function entryOf(id = ''): unknown {
  const host = `10.9.9.${Number(id.at(-1)) + 1}`;
  return {
    Node: { Node: 'n9', Address: host },
    Service: {
      ID: `orders:${id}`,
      Address: host,
      Port: 8080,
      Meta: { 'sd-id': id, 'sd-protocol': 'http', 'sd-status': 'healthy', 'sd-registered-at': '1000' },
      ModifyIndex: 1e6,
    },
    Checks: [{ CheckID: `sd:ttl:orders:${id}:me`, Status: 'passing', ServiceID: `orders:${id}` }],
  };
}

const isOneOf = (entry: unknown): boolean =>
  textOf(field(field(field(entry, 'Service'), 'Meta'), 'sd-id')).startsWith('good-');

function storeOf(body: unknown, malformed: ReturnType<typeof newMalformed>): ConsulStore {
  // Requests of which no more is needed here.
  const requests = {
    send: () => Promise.resolve({ body, index: 1, isFiltered: false }),
  } as unknown as Requests;
  return new ConsulStore({ requests, malformed, timeoutMs: 1_000 });
}

import { fileURLToPath } from 'node:url';
import { systemClock, type Clock } from '@sd/core';
import {
  FaultProxy,
  haltableClock,
  networkOf,
  realTime,
  silentLogger,
  type BackendClient,
  type ClientOptions,
  type RegistryHarness,
} from '@sd/testkit';
import type { EtcdServer } from '../../../../tools/servers/index.ts';
import { EtcdBackend } from '../src/index.ts';
import { user, type Deployment } from './deployments.ts';

/** etcd counts in whole seconds; of one, little would be left where servers and clients share two cores. */
const ttl = 2_000;
let harnesses = 0;

/** A prefix of its own on a deployment that is shared, and all that can be done to it. */
export async function etcdHarness(deployment: Deployment): Promise<RegistryHarness> {
  harnesses += 1;
  const prefix = `${user.prefix}${process.pid}-${harnesses}/`;
  const { nodes, server, failOver } = deployment;
  const backends: EtcdBackend[] = [];
  const proxies: FaultProxy[] = [];
  const keyOf = (service: string, id: string): string => `${prefix}${service}/${id}`;
  const listen = async (): Promise<readonly FaultProxy[]> => {
    const through = await Promise.all(nodes.map(({ host, port }) => FaultProxy.listen({ host, port })));
    proxies.push(...through);
    return through;
  };
  const front = await listen();
  const stranger = (): EtcdServer => {
    const node = nodes.find(({ isUp }) => isUp);
    if (node === undefined) throw new Error('No member is up');
    return node;
  };

  const createClient = (
    through: readonly FaultProxy[],
    { clockOffsetMs = 0 }: ClientOptions = {},
  ): BackendClient<EtcdBackend> => {
    const clock = haltableClock(shifted(clockOffsetMs));
    const backend = new EtcdBackend({
      ...deployment.connect(through),
      prefix,
      timeoutMs: 1_000,
      logger: silentLogger,
      clock,
    });
    backends.push(backend);
    return {
      backend,
      clock,
      crash: async () => clock.halt(),
      get pendingTimers() {
        return clock.pendingTimers;
      },
    };
  };

  return {
    time: realTime(),
    ttl,
    push: true,
    pollBoundMs: 700, // it looks for leases that have run out twice a second
    silenceMs: 1_000,
    server,
    failOver,
    createClient: async (options) => createClient(front, options),
    async createRemoteClient() {
      const through = await listen();
      return Object.assign(createClient(through), { network: networkOf(through) });
    },
    async disconnectAll() {
      for (const proxy of proxies) proxy.reset();
    },
    async requests() {
      const counts = await Promise.all(nodes.map(requestsOf));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    deleteAsStranger: (service, id) => stranger().delete(keyOf(service, id)),
    writeMalformed: (service, key) => stranger().put(keyOf(service, key), '{ "service": '),
    async forgetLease(service, id) {
      const key = keyOf(service, id);
      const [entry] = await stranger().entries(key);
      if (entry === undefined) throw new Error(`No key ${key}`);
      await stranger().put(key, entry.value); // without the lease
      await stranger().call('lease/revoke', { ID: entry.lease });
    },
    async moveRevision(_, where) {
      if (where === 'ahead') return moveAhead(stranger(), `${prefix}moving`);
      const entries = await stranger().entries(prefix);
      await server.kill();
      await server.start({ keepData: false });
      for (const { key, value } of entries) await stranger().put(key, value);
    },
    compact: () => stranger().compact(),
    access: {
      async deny() {
        await stranger().call('auth/user/changepw', { name: user.name, password: 'another' });
        for (const proxy of proxies) proxy.reset();
      },
      allow: () => allow(stranger()),
    },
    providerProgram: (instance) =>
      program('provider.program.ts', ...[{ ...deployment.connect([]), prefix }, instance, ttl].map(toJson)),
    program: program('closing.program.ts', toJson({ ...deployment.connect([]), prefix })),
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await deployment.mend();
      await allow(stranger());
    },
  };
}

/** One revision for each transaction. */
async function moveAhead(node: EtcdServer, key: string): Promise<void> {
  for (let round = 0; round < 10; round += 1)
    await Promise.all(Array.from({ length: 10 }, () => node.put(key, '')));
  await node.delete(key);
}

async function allow(node: EtcdServer): Promise<void> {
  const hasUsers = (await node.call('auth/user/list').catch(() => ({}))) as { readonly users?: unknown };
  if (hasUsers.users !== undefined)
    await node.call('auth/user/changepw', { name: user.name, password: user.password });
}

const toJson = (value: unknown): string => JSON.stringify(value);

function program(file: string, ...args: readonly string[]): readonly string[] {
  return ['--conditions=@sd/source', '--import=tsx', fileURLToPath(new URL(file, import.meta.url)), ...args];
}

/** Messages of clients, and those few of ours. */
const requestsOf = (node: EtcdServer): Promise<number> => node.metric('grpc_server_msg_received_total');

function shifted(offsetMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + offsetMs };
}

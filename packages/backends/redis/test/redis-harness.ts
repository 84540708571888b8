import { fileURLToPath } from 'node:url';
import { encodeInstance, systemClock, type Clock } from '@sd/core';
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
import { RedisBackend } from '../src/index.ts';
import type { Deployment } from './deployments.ts';

const ttl = 900;
let harnesses = 0;

/** A namespace of its own on a deployment that is shared, and all that can be done to it. */
export async function redisHarness(deployment: Deployment): Promise<RegistryHarness> {
  harnesses += 1;
  const prefix = `sd-${process.pid}-${harnesses}:`;
  const backends: RedisBackend[] = [];
  const proxies: FaultProxy[] = [];
  const { nodes } = deployment;
  const stranger = deployment.stranger();
  const keyOf = (service: string, part: string): string => `${prefix}{${service}}:${part}`;

  const createClient = (
    { clockOffsetMs = 0 }: ClientOptions = {},
    through: readonly FaultProxy[] = [],
  ): BackendClient<RedisBackend> => {
    const clock = haltableClock(shifted(clockOffsetMs));
    const backend = new RedisBackend({
      ...deployment.connect(through),
      prefix,
      pollMs: 500,
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
    pollBoundMs: 600,
    silenceMs: 1_000,
    createClient: async (clientOptions) => createClient(clientOptions),
    async deleteAsStranger(service, id) {
      await stranger.hdel(keyOf(service, 'instances'), id);
      await stranger.zrem(keyOf(service, 'expiries'), id);
    },
    async writeMalformed(service, key) {
      await stranger.hset(keyOf(service, 'instances'), key, '{ "service": ');
      await stranger.zadd(keyOf(service, 'expiries'), Date.now() + 60_000, key);
      await stranger.publish(keyOf(service, 'changes'), 'something changed');
    },
    async forgetLease(service, id) {
      await stranger.zrem(keyOf(service, 'expiries'), id);
    },
    async losePush(changed) {
      await stranger.hset(keyOf(changed.service, 'instances'), changed.id, encodeInstance(changed));
      await stranger.hincrby(keyOf(changed.service, 'owners'), '#version', 1);
    },
    async moveRevision(service, where) {
      const hourUs = 3_600_000_000;
      await stranger.hincrby(keyOf(service, 'owners'), '#version', where === 'back' ? -hourUs : hourUs);
    },
    async loseRevision(service) {
      await stranger.hdel(keyOf(service, 'owners'), '#version', '#epoch');
    },
    providerProgram: (instance) =>
      program('provider.program.ts', ...[{ ...deployment.connect([]), prefix }, instance, ttl].map(toJson)),
    program: program('closing.program.ts', toJson({ ...deployment.connect([]), prefix })),
    ...(nodes.length === 0 ? {} : control(deployment, { createClient, proxies })),
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      stranger.disconnect();
      await deployment.mend?.();
      await allow(nodes);
    },
  };
}

interface Clients {
  readonly createClient: (
    options: ClientOptions,
    through: readonly FaultProxy[],
  ) => BackendClient<RedisBackend>;
  readonly proxies: FaultProxy[];
}

/** What can be done to servers that are ours alone. */
function control(
  { nodes, server, failOver }: Deployment,
  { createClient, proxies }: Clients,
): Partial<RegistryHarness> {
  return {
    server,
    failOver,
    async createRemoteClient() {
      const through = await Promise.all(nodes.map(({ host, port }) => FaultProxy.listen({ host, port })));
      proxies.push(...through);
      return Object.assign(createClient({}, through), { network: networkOf(through) });
    },
    async disconnectAll() {
      for (const node of nodes) {
        await node.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await node.command('CLIENT', 'KILL', 'USER', 'sd');
      }
    },
    async requests() {
      const counts = await Promise.all(nodes.map(requestsOf));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    access: {
      async deny() {
        for (const node of nodes) {
          await node.command('ACL', 'SETUSER', 'sd', 'off');
          await node.command('CLIENT', 'KILL', 'USER', 'sd');
        }
      },
      allow: () => allow(nodes),
    },
  };
}

async function allow(nodes: Deployment['nodes']): Promise<void> {
  for (const node of nodes) await node.command('ACL', 'SETUSER', 'sd', 'on');
}

const toJson = (value: unknown): string => JSON.stringify(value);

function program(file: string, ...args: readonly string[]): readonly string[] {
  return ['--conditions=@sd/source', '--import=tsx', fileURLToPath(new URL(file, import.meta.url)), ...args];
}

/** Requests of clients; not those that scripts make, and not ours. */
async function requestsOf(node: Deployment['nodes'][number]): Promise<number> {
  const stats = await node.info('commandstats');
  return ['evalsha', 'eval', 'subscribe', 'ping', 'auth']
    .map((command) => Number(/calls=(\d+)/.exec(stats.get(`cmdstat_${command}`) ?? '')?.[1] ?? 0))
    .reduce((sum, count) => sum + count, 0);
}

function shifted(offsetMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + offsetMs };
}

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
import { ZooKeeperBackend } from '../src/index.ts';
import { permissions, create, getChildren, remove, setAcl, type Acl } from '../src/protocol/requests.ts';
import { hasCode } from '../src/protocol/zookeeper-error.ts';
import type { Deployment } from './deployments.ts';
import { Stranger } from './stranger.ts';

const ttl = 2_000;
const everybody: readonly Acl[] = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];
const nobody: readonly Acl[] = [{ permissions: permissions.all, scheme: 'digest', id: 'nobody:x' }];
let harnesses = 0;

/** A root of its own on a deployment that is shared, and all that can be done to it. */
export async function zookeeperHarness(deployment: Deployment): Promise<RegistryHarness> {
  harnesses += 1;
  const root = `/sd-${process.pid}-${harnesses}/services`;
  const backends: ZooKeeperBackend[] = [];
  const proxies: FaultProxy[] = [];
  const { servers, server, lateMs, failOver } = deployment;
  const stranger = new Stranger(() => servers.filter(({ isUp }) => isUp));
  const pathOf = (service: string, id: string): string => `${root}/${service}/${id}`;

  const createClient = (
    { clockOffsetMs = 0 }: ClientOptions = {},
    through: readonly FaultProxy[] = [],
  ): BackendClient<ZooKeeperBackend> => {
    const clock = haltableClock(shifted(clockOffsetMs));
    const backend = new ZooKeeperBackend({
      ...deployment.connect(through),
      root,
      timeoutMs: 1_500,
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

  /** The root and its services. */
  const withTree = async (acl: readonly Acl[]): Promise<void> => {
    for (const service of await childrenOf(stranger, root))
      await stranger.do(setAcl(`${root}/${service}`, acl));
    await stranger.do(setAcl(root, acl));
  };

  const disconnectAll = async (): Promise<void> => {
    for (const each of servers.filter(({ isUp }) => isUp)) {
      for (const id of await sessionsOn(each)) await stranger.interrupt(id, each);
    }
  };

  return {
    time: realTime(),
    ttl,
    push: true,
    pollBoundMs: lateMs,
    silenceMs: 1_500,
    server,
    failOver,
    createClient: async (clientOptions) => createClient(clientOptions),
    async createRemoteClient() {
      const through = await Promise.all(servers.map(({ host, port }) => FaultProxy.listen({ host, port })));
      proxies.push(...through);
      return Object.assign(createClient({}, through), { network: networkOf(through) });
    },
    deleteAsStranger: (service, id) => stranger.do(remove(pathOf(service, id), -1)),
    forgetLease: (service, id) => stranger.endSessionOf(pathOf(service, id)),
    writeMalformed: (service, key) =>
      stranger.do(
        create(pathOf(service, key), { data: '{ "service": ', acl: everybody, kind: 'persistent' }),
      ),
    disconnectAll,
    async requests() {
      const counts = await Promise.all(servers.filter(({ isUp }) => isUp).map(requestsOf));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    access: {
      async deny() {
        await withTree(nobody);
        await disconnectAll();
      },
      allow: () => withTree(everybody),
    },
    providerProgram: (instance) =>
      program('provider.program.ts', ...[{ ...deployment.connect([]), root }, instance, ttl].map(toJson)),
    program: program('closing.program.ts', toJson({ ...deployment.connect([]), root })),
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await deployment.mend?.();
    },
  };
}

const toJson = (value: unknown): string => JSON.stringify(value);

function program(file: string, ...args: readonly string[]): readonly string[] {
  return ['--conditions=@sd/source', '--import=tsx', fileURLToPath(new URL(file, import.meta.url)), ...args];
}

async function childrenOf(stranger: Stranger, path: string): Promise<readonly string[]> {
  try {
    return await stranger.do(getChildren(path));
  } catch (error) {
    if (hasCode(error, 'NoNode')) return [];
    throw error;
  }
}

/** Those that have a connection to this server now. */
async function sessionsOn(server: Deployment['servers'][number]): Promise<readonly bigint[]> {
  return [...(await server.ask('cons')).matchAll(/sid=0x([0-9a-f]+)/g)]
    .map(([, id = '0']) => BigInt.asIntN(64, BigInt(`0x${id}`)))
    .filter((id) => id !== 0n);
}

async function requestsOf(server: Deployment['servers'][number]): Promise<number> {
  return Number(/^Received: (\d+)/m.exec(await server.ask('srvr'))?.[1] ?? 0);
}

function shifted(offsetMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + offsetMs };
}

import { fileURLToPath } from 'node:url';
import { systemClock, type Clock } from '@sd/core';
import {
  FaultProxy,
  haltableClock,
  realTime,
  silentLogger,
  type BackendClient,
  type ClientOptions,
  type RegistryHarness,
} from '@sd/testkit';
import type { ConsulServer } from '../../../../tools/servers/index.ts';
import { ConsulBackend, type ConsulBackendOptions } from '../src/index.ts';
import { ConsulFront } from './consul-front.ts';

const ttl = 1_500;

/** An agent that is shared, and empty again after each case. */
export async function consulHarness(server: ConsulServer): Promise<RegistryHarness> {
  const front = await ConsulFront.listen({ host: server.host, port: server.port });
  const backends: ConsulBackend[] = [];
  const proxies: FaultProxy[] = [];
  const optionsFor = ({ host, port }: { host: string; port: number }): ConsulBackendOptions => ({
    url: `http://${host}:${port}`,
    token: server.clientToken,
    timeoutMs: 1_000,
    waitMs: 1_000,
    pollMs: 500,
    maxBlockingQueries: 3,
  });

  const createClient = (
    { clockOffsetMs = 0 }: ClientOptions = {},
    through: { host: string; port: number } = front,
  ): BackendClient<ConsulBackend> => {
    const clock = haltableClock(shifted(clockOffsetMs));
    const backend = new ConsulBackend({ ...optionsFor(through), logger: silentLogger, clock });
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

  const connection = { url: server.url, token: server.clientToken };

  return {
    time: realTime(),
    ttl,
    push: true,
    pollBoundMs: 1_000,
    silenceMs: 1_000,
    createClient: async (clientOptions) => createClient(clientOptions),
    async createRemoteClient() {
      const proxy = await FaultProxy.listen({ host: front.host, port: front.port });
      proxies.push(proxy);
      return Object.assign(createClient({}, proxy), { network: proxy });
    },
    server,
    async deleteAsStranger(service, id) {
      await server.command('PUT', `agent/service/deregister/${service}:${id}`);
    },
    async writeMalformed(service, key) {
      await server.command('PUT', 'agent/service/register', { Name: service, ID: key });
    },
    async forgetLease(service, id) {
      const ids = [...(await server.listed('checks')).keys()];
      const check = ids.find((each) => each.startsWith(`sd:ttl:${service}:${id}:`));
      await server.command('PUT', `agent/check/deregister/${check}`);
    },
    async moveRevision(_service, where) {
      front.move(where);
    },
    async loseRevision() {
      front.hideIndex();
    },
    async disconnectAll() {
      front.reset();
    },
    async requests() {
      return front.requests;
    },
    access: {
      async deny() {
        await server.denyClients();
        front.reset();
      },
      allow: () => server.allowClients(),
    },
    providerProgram: (instance) => program('provider.program.ts', ...[connection, instance, ttl].map(toJson)),
    program: program('closing.program.ts', toJson(connection)),
    async dispose() {
      await Promise.all(backends.map((backend) => backend.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await front.close();
      await empty(server, front.registrations);
    },
  };
}

/** @param registrations how many there were: an agent that must tell of a thousand failed checks answers nobody else */
async function empty(server: ConsulServer, registrations: number): Promise<void> {
  server.thaw();
  if (registrations > 200) await server.kill();
  if (!server.isUp) await server.start({ keepData: false });
  await server.allowClients();
  const ids = [...(await server.listed('services')).keys()];
  for (const id of ids) await server.command('PUT', `agent/service/deregister/${id}`);
}

const toJson = (value: unknown): string => JSON.stringify(value);

function program(file: string, ...args: readonly string[]): readonly string[] {
  return ['--conditions=@sd/source', '--import=tsx', fileURLToPath(new URL(file, import.meta.url)), ...args];
}

function shifted(offsetMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + offsetMs };
}

import { printTable } from '../../../../tools/bench/table.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRng, type Lease, type Rng } from '@sd/core';
import { FaultProxy, realTime, silentLogger, ViewRecorder } from '@sd/testkit';
import { ZooKeeperEnsemble } from '../../../../tools/servers/index.ts';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { instance } from './stage.ts';

const ttl = 4_000;
const count = 100;
/** Short, as the ttl is: by default a silent store is noticed well within it. */
const timeoutMs = 1_000;

type Place = { readonly host: string; readonly port: number };

/** What is done, and when it is over. */
interface Fault {
  readonly name: string;
  readonly work: (scene: Scene) => Promise<void>;
}

const restart =
  (keepData: boolean, awayMs: number) =>
  async ({ group }: Scene) => {
    await group.kill();
    await sleep(awayMs);
    await group.start({ keepData });
  };

const faults: readonly Fault[] = [
  { name: 'all killed, back with their data', work: restart(true, 0) },
  { name: 'all killed, back with their data after 2 T', work: restart(true, 2 * ttl) },
  { name: 'all killed, back without their data', work: restart(false, 0) },
  {
    name: 'the leader killed',
    work: async ({ group }) => {
      await (await group.leader()).kill();
    },
  },
  {
    name: 'all frozen for 2 T',
    work: async ({ group }) => {
      group.freeze();
      await sleep(2 * ttl);
      group.thaw();
    },
  },
  {
    name: 'a black hole for T/2',
    work: async ({ proxies }) => {
      await Promise.all(proxies.map((proxy) => proxy.set({ blackHole: 'both' })));
      await sleep(ttl / 2);
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
  },
  {
    name: 'a black hole for 2 T',
    work: async ({ proxies }) => {
      await Promise.all(proxies.map((proxy) => proxy.set({ blackHole: 'both' })));
      await sleep(2 * ttl);
      await Promise.all(proxies.map((proxy) => proxy.heal()));
    },
  },
  {
    name: 'all connections reset',
    work: async ({ proxies }) => {
      for (const proxy of proxies) proxy.reset();
    },
  },
];

interface Scene {
  readonly group: ZooKeeperEnsemble;
  readonly proxies: readonly FaultProxy[];
}

/** How long after a fault is over all providers are published and a watcher sees the next change. */
export async function measureRecovery(): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const { name, work } of faults) rows.push([name, ...(await recoveryFrom(work))]);
  printTable(
    `Recovery: ${count} providers with a session each, three servers, ttl ${ttl} ms, timeoutMs ${timeoutMs}`,
    [
      's after it is over',
      'registrations lost',
      'all providers back',
      'a watcher sees a change',
      'fewest in its view',
    ],
    rows,
  );
}

async function recoveryFrom(work: Fault['work']): Promise<readonly number[]> {
  await using group = await ZooKeeperEnsemble.start();
  const proxies = await Promise.all(group.nodes.map(({ host, port }) => FaultProxy.listen({ host, port })));
  const connectionString = proxies.map(({ host, port }: Place) => `${host}:${port}`).join(',');
  const open = () => new ZooKeeperBackend({ connectionString, timeoutMs, logger: silentLogger });
  const providers = Array.from({ length: count }, (_, n) => new Provider(open(), n));
  await Promise.all(providers.map((provider) => provider.publish()));
  const watcher = open();
  const view = new ViewRecorder(watcher, 'orders', { time: realTime(), rng: seededRng(1), ttl });
  await view.shows(({ length }) => length === count, 20_000);

  const known = view.views.length;
  await work({ group, proxies });
  const overAt = performance.now();
  const changed = providers[0]?.change(9);
  const back = (async () => {
    const observer = open();
    for (;;) {
      const isBack = providers.every(({ isPublished }) => isPublished);
      const seen = isBack ? await observer.getInstances('orders').catch(() => []) : [];
      if (seen.length === count) break;
      await sleep(20);
    }
    await observer.close();
    return (performance.now() - overAt) / 1_000;
  })();
  await view.shows((instances) => instances.some(({ weight }) => weight === 9), 60_000);
  const seen = (performance.now() - overAt) / 1_000;
  await changed;
  const backAfter = await back;
  await sleep(ttl);
  const losses = providers.reduce((sum, provider) => sum + provider.losses, 0);
  const result = [losses, backAfter, seen, view.fewest(known)];
  view.close();
  await Promise.all([watcher, ...providers].map((each) => each.close()));
  await Promise.all(proxies.map((proxy) => proxy.close()));
  return result;
}

/** Keeps an instance published as `ServiceRegistry` does: what is lost is registered again after a random pause. */
class Provider {
  readonly #backend: ZooKeeperBackend;
  readonly #rng: Rng;
  readonly #n: number;
  #lease: Lease | undefined;
  #isClosed = false;
  losses = 0;

  constructor(backend: ZooKeeperBackend, n: number) {
    this.#backend = backend;
    this.#rng = seededRng(n);
    this.#n = n;
  }

  get isPublished(): boolean {
    return this.#lease?.lost.aborted === false;
  }

  async publish(weight = 1): Promise<void> {
    const lease = await this.#untilDone(() =>
      this.#backend.register({ ...instance(this.#n), weight }, { ttl }),
    );
    this.#lease = lease;
    lease?.lost.addEventListener('abort', () => {
      this.losses += 1;
      void this.#pause().then(() => this.publish(lease.instance.weight));
    });
  }

  async change(weight: number): Promise<void> {
    await this.#untilDone(async () => this.#lease?.update({ ...instance(this.#n), weight }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#backend.close();
  }

  async #untilDone<T>(work: () => Promise<T>): Promise<T | undefined> {
    while (!this.#isClosed) {
      try {
        return await work();
      } catch {
        await this.#pause();
      }
    }
    return undefined;
  }

  #pause(): Promise<void> {
    return sleep(this.#rng() * Math.min(1_000, ttl / 3));
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { isQuick } from '../command-line.ts';
import { Program } from '../program.ts';
import { inTurn } from '../turns.ts';
import { printGrowth, scaleRounds } from './growth-table.ts';
import type { ProvidersTasks } from './providers.program.ts';
import { cpuMsOf, rssMbOf, startStore } from './store-server.ts';
import { storeNames, type StoreName } from './stores.ts';
import type { WatcherTasks } from './watcher.program.ts';

const sizes = isQuick ? [100, 300] : [1_000, 3_000, 10_000];
const perService = 10;
const ttl = 60_000;
const changesPerSecond = 100;
const restMs = isQuick ? 2_000 : 10_000;
/** etcd takes a while for the watches of views that are there already. */
const settleMs = isQuick ? 500 : 5_000;

/** One process that watches many services of 10 instances: what it takes, and how that grows. */
export async function measureWatches(): Promise<void> {
  for (const store of storeNames) {
    const columns = await inTurn(sizes, { rounds: scaleRounds }, (services) => measure(store, services));
    printGrowth(`One process that watches ${store}`, 'services, of 10 instances each', columns);
  }
}

async function measure(store: StoreName, services: number) {
  await using server = await startStore(store);
  await using providers = new Program<ProvidersTasks>(new URL('providers.program.ts', import.meta.url));
  await using watcher = new Program<WatcherTasks>(new URL('watcher.program.ts', import.meta.url));
  const place = { store, url: server.url };
  const publishedMs = await providers.ask('publish', { place, services, perService, ttl });
  const first = await watcher.ask('watch', { place, services });
  if (first.instances !== services * perService) {
    throw new Error(`The views have ${first.instances} instances of ${services * perService}`);
  }
  await sleep(settleMs);
  const idle = await during(restMs, () => sleep(restMs));
  const busy = await during(restMs, () =>
    providers.ask('change', { perSecond: changesPerSecond, ms: restMs }),
  );
  return {
    's until all is published, by one process': publishedMs / 1_000,
    's until all views are there': first.ms / 1_000,
    's of that in CPU time': first.cpuMs / 1_000,
    'MB of heap': first.heapMb,
    'bytes of heap for each instance': (first.heapMb * 1e6) / first.instances,
    'MB of memory (RSS)': first.rssMb,
    'idle: % of a core': idle.percent,
    'idle: requests/s at the store': idle.requestsPerSecond,
    [`${changesPerSecond} changes/s: % of a core`]: busy.percent,
    [`${changesPerSecond} changes/s: snapshots/s`]: busy.changesPerSecond,
    [`${changesPerSecond} changes/s: % of a core of the store`]: busy.serverPercent,
    'MB of memory (RSS) of the store': rssMbOf(server.pid),
  };

  async function during(ms: number, work: () => Promise<unknown>) {
    const [before, serverBefore, requestsBefore] = [
      await watcher.ask('spent', undefined),
      cpuMsOf(server.pid),
      await server.requests(),
    ];
    await work();
    const after = await watcher.ask('spent', undefined);
    return {
      percent: ((after.cpuMs - before.cpuMs) / ms) * 100,
      changesPerSecond: ((after.changes - before.changes) * 1_000) / ms,
      serverPercent: ((cpuMsOf(server.pid) - serverBefore) / ms) * 100,
      requestsPerSecond: (((await server.requests()) - requestsBefore) * 1_000) / ms,
    };
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { isQuick } from '../command-line.ts';
import { now, Program } from '../program.ts';
import { inTurn } from '../turns.ts';
import { printGrowth, scaleRounds } from './growth-table.ts';
import type { ConsumersTasks } from './consumers.program.ts';
import type { ProvidersTasks } from './providers.program.ts';
import { cpuMsOf, rssMbOf, startStore } from './store-server.ts';
import { storeNames, type StoreName } from './stores.ts';

const sizes = isQuick ? [20, 40] : [100, 300, 1_000];
const processes = 4;
const services = 100;
const perService = 10;
/** Services that each consumer watches. */
const each = 5;
const restMs = isQuick ? 2_000 : 10_000;
const downMs = 3_000;

/** Many consumers of one store, each with connections of its own: what they cost it, and what its restart does. */
export async function measureConsumers(): Promise<void> {
  for (const store of storeNames) {
    const columns = await inTurn(sizes, { rounds: scaleRounds }, (consumers) => measure(store, consumers));
    printGrowth(`Consumers of one ${store}`, `consumers, each of ${each} of ${services} services`, columns);
  }
}

async function measure(store: StoreName, consumers: number) {
  await using server = await startStore(store);
  await using providers = new Program<ProvidersTasks>(new URL('providers.program.ts', import.meta.url));
  const place = { store, url: server.url };
  await providers.ask('publish', { place, services, perService, ttl: 60_000 });
  await using crowd = new Crowd();
  const { programs } = crowd;
  const share = consumers / processes;
  const openedAt = now();
  await Promise.all(
    programs.map((program, index) =>
      program.ask('open', { place, first: index * share, consumers: share, services, each }),
    ),
  );
  const openedMs = now() - openedAt;
  const idle = await during(() => sleep(restMs));
  const busy = await during(() => providers.ask('change', { perSecond: 10, ms: restMs }));
  const rssMb = rssMbOf(server.pid);

  await server.kill();
  await sleep(downMs);
  await server.start();
  const restartedAt = now();
  const liveMs: number[] = [];
  const total = consumers * each;
  while (liveMs.length < shares.length && now() - restartedAt < 120_000) {
    const views = await Promise.all(programs.map((program) => program.ask('views', undefined as never)));
    const live = views.reduce((sum, view) => sum + view.live, 0);
    while (liveMs.length < shares.length && live >= total * (shares[liveMs.length] ?? 1)) {
      liveMs.push(now() - restartedAt);
    }
    await sleep(50);
  }
  const cpuMs = cpuMsOf(server.pid);
  return {
    's until all views are there': openedMs / 1_000,
    'idle: requests/s at the store': idle.requestsPerSecond,
    'idle: % of a core of the store': idle.percent,
    '10 changes/s: requests/s at the store': busy.requestsPerSecond,
    '10 changes/s: % of a core of the store': busy.percent,
    'MB of memory (RSS) of the store': rssMb,
    's after its restart: half of the views are live': (liveMs[0] ?? Number.NaN) / 1_000,
    's after its restart: all are': (liveMs[1] ?? Number.NaN) / 1_000,
    'requests until then': await server.requests(),
    's of CPU time of the store until then': cpuMs / 1_000,
  };

  async function during(work: () => Promise<unknown>) {
    const [cpuBefore, requestsBefore] = [cpuMsOf(server.pid), await server.requests()];
    await work();
    return {
      percent: ((cpuMsOf(server.pid) - cpuBefore) / restMs) * 100,
      requestsPerSecond: (((await server.requests()) - requestsBefore) * 1_000) / restMs,
    };
  }
}

const shares = [0.5, 1];

class Crowd implements AsyncDisposable {
  readonly programs = Array.from(
    { length: processes },
    () => new Program<ConsumersTasks>(new URL('consumers.program.ts', import.meta.url)),
  );

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.programs.map((program) => program[Symbol.asyncDispose]()));
  }
}

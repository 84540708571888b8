import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../../../tools/servers/index.ts';
import { serverCpuUs } from './measure.ts';
import type { ProviderTasks } from './providers.program.ts';
import type { Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';
import type { WatcherTasks } from './watcher.program.ts';

/** What it takes to watch very many services in which nothing happens but renewals, by another process. */
export async function measureIdling(stage: Stage): Promise<void> {
  const [services, ttl, pollMs, windowMs] = stage.quick
    ? [500, 3_000, 1_000, 2_000]
    : [10_000, 30_000, 10_000, 20_000];
  const server = await stage.server();
  const { url } = server;
  const provider = stage.program<ProviderTasks>('providers.program.ts');
  const watcher = stage.program<WatcherTasks>('watcher.program.ts');
  await provider.ask('publish', { url, services, ttl, from: 0, to: 1 });
  const memoryBefore = await watcher.ask('memory', undefined);
  const beginning = await watcher.ask('watch', { url, services, pollMs });
  await sleep(pollMs); // from now on, polls do not come all at once
  const memory = await watcher.ask('memory', undefined);

  const usage = async () => ({
    watcher: await watcher.ask('usage', undefined),
    server: await usageOf(server),
  });
  const before = await usage();
  const startedAt = performance.now();
  await sleep(windowMs);
  const after = await usage();
  const seconds = (performance.now() - startedAt) / 1_000;

  const title = `${figure(services)} watched services with an instance each, for ${figure(seconds)} s`;
  const ofServer = (part: keyof typeof after.server): number =>
    (after.server[part] - before.server[part]) / seconds;
  const ofWatcher = (part: keyof typeof after.watcher): number =>
    (after.watcher[part] - before.watcher[part]) / seconds;
  const rows: readonly (readonly [string, number])[] = [
    ['scripts/s that the server runs', ofServer('scripts')],
    ['… polls of the watching process', ofServer('polls')],
    ['… renewals of the provider, in rounds', ofServer('renewals')],
    ['% of a CPU for the watching process', ofWatcher('cpuUs') / 1e4],
    ['% of a CPU for the server, for both', ofServer('cpuUs') / 1e4],
    ['kB/s that the watching process sends', ofWatcher('bytesOut') / 1e3],
    ['kB/s that the watching process receives', ofWatcher('bytesIn') / 1e3],
    ['MB of heap that watching takes', (memory.heapUsed - memoryBefore.heapUsed) / 1e6],
    ['MB of memory (RSS) of the watching process', memory.rss / 1e6],
    ['s to begin all watches, 500 at once', (beginning.wall * services) / 1e6],
  ];
  printTable(
    `Idling: ${title} (ttl ${figure(ttl)} ms, pollMs ${figure(pollMs)})`,
    ['what', 'value'],
    rows.map(([what, value]) => [what, figure(value)]),
  );
}

/** Scripts that have been run; polls and renewals are told apart by a command that only they contain. */
async function usageOf(server: RedisServer) {
  const stats = await server.info('commandstats');
  const of = (command: string): number =>
    Number(/calls=(\d+)/.exec(stats.get(`cmdstat_${command}`) ?? '')?.[1] ?? 0);
  return {
    cpuUs: await serverCpuUs(server),
    scripts: of('evalsha') + of('eval'),
    polls: of('zcount'),
    renewals: of('zmscore'),
  };
}

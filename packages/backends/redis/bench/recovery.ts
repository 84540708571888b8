import { median } from '../../../../tools/bench/statistics.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '../../../../tools/servers/index.ts';
import { serviceKeys } from '../src/service-keys.ts';
import { serviceName } from './population.ts';
import type { ProviderTasks } from './providers.program.ts';
import type { Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

/** `kill -9` and a restart without data, with everybody's registrations gone: how long until all are back? */
export async function measureRecovery(stage: Stage): Promise<void> {
  const [services, providers, processes, ttl, rounds] = stage.quick
    ? [20, 20, 1, 3_000, 1]
    : [100, 100, 4, 15_000, 3];
  const all = services * providers;
  const server = await stage.server();
  const share = providers / processes;
  await Promise.all(
    Array.from({ length: processes }, (_, place) => {
      const worker = stage.program<ProviderTasks>('providers.program.ts');
      const plan = { url: server.url, services, ttl, from: place * share, to: (place + 1) * share };
      return worker.ask('publish', plan);
    }),
  );
  const shares = [0.5, 0.99, 1];
  const times: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    await sleep(ttl / 3); // everybody has had a quiet time
    await server.restart({ keepData: false });
    const startedAt = performance.now();
    const back: number[] = [];
    for (const share of shares) {
      while ((await published(server, services)) < all * share) await sleep(20);
      back.push((performance.now() - startedAt) / 1_000);
    }
    times.push(back);
  }

  const cells = shares.map((_, place) => times.map((back) => back[place] ?? Number.NaN));
  const row = (name: string, pick: (values: readonly number[]) => number): string[] => [
    name,
    ...cells.map((values) => figure(pick(values))),
  ];
  printTable(
    `Recovery: ${figure(all)} instances of ${providers} providers, ttl ${ttl / 1_000} s`,
    ['seconds after the restart', 'half is back', '99 % is back', 'all are back'],
    [row(`median of ${rounds}`, median), row('longest', (values) => Math.max(...values))],
  );
  console.log(
    `\nEach provider has a client of its own and an instance in each of ${services} services, in ${processes} process${processes === 1 ? '' : 'es'}. ` +
      `Bar: ttl / 3 + 5 s = ${figure(ttl / 3_000 + 5)} s.`,
  );
}

/** How many leases Redis has. */
async function published(server: RedisServer, services: number): Promise<number> {
  const keys = Array.from(
    { length: services },
    (_, index) => serviceKeys('sd:', serviceName(index), 0).keys[1],
  );
  const sum = `local sum = 0 for _, key in ipairs(KEYS) do sum = sum + redis.call('ZCARD', key) end return sum`;
  return Number(await server.command('EVAL', sum, keys.length, ...keys));
}

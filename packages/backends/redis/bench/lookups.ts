import { median } from '../../../../tools/bench/statistics.ts';
import type { RedisServer } from '../../../../tools/servers/index.ts';
import type { ContestantName } from './contestants.ts';
import type { ContestantTasks } from './contestant.program.ts';
import { medianCost, withServer, type Cost } from './measure.ts';
import { recordBytes } from './population.ts';
import type { Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';
import type { Program } from '../../../../tools/bench/program.ts';

const perService = 10;
const ways = [
  { name: 'one at a time', atOnce: 1, share: 0.25 },
  { name: '50 at once', atOnce: 50, share: 1 },
];

/**
 * What it takes to ask Redis for the instances of a service that is not watched, and whether that grows with the number
 * of services. A server for each size; in each round all sizes in turn, by one process for each library.
 */
export async function measureLookups(stage: Stage): Promise<void> {
  const sizes = stage.quick ? [10, 200] : [10, 1_000, 10_000];
  const [rounds, lookups] = stage.quick ? [2, 400] : [9, 2_000];
  const series = (
    await Promise.all(stage.libraries.map((library) => seriesOf(stage, library, sizes)))
  ).flat();
  for (let round = -1; round < rounds; round += 1) {
    for (const { worker, services, server, way, costs } of series) {
      const steps = lookups * way.share;
      const from = (round + 1) * steps;
      const job = { url: server.url, services, from, to: from + steps, atOnce: way.atOnce };
      const cost = await withServer(server, steps, () => worker.ask('run', { ...job, operation: 'lookUp' }));
      if (round >= 0) costs.push(cost); // the first round is for the compiler
    }
  }

  const rows = series.map(({ library, services, way, costs }) => {
    const base = series.find((other) => other.library === library && other.way === way)?.costs ?? [];
    const { wall, client, server } = medianCost(costs);
    const times = (part: keyof Cost): string =>
      `(${figure(median(costs.map((cost, round) => cost[part] / (base[round]?.[part] ?? Number.NaN))))}x)`;
    return [
      `${library}, ${way.name}`,
      figure(services),
      figure(1e6 / wall),
      `${figure(wall)} ${times('wall')}`,
      `${figure(client)} ${times('client')}`,
      `${figure(server)} ${times('server')}`,
    ];
  });
  printTable(
    `Lookups: ${perService} instances of ${recordBytes} B in each service`,
    ['lookup', 'services', 'per second', 'us', 'client CPU us', 'server CPU us'],
    rows,
  );
  console.log(
    `\nMedians of ${rounds} rounds. (…x): beside 10 services, the median of the ratios in each round. Bar at 10,000: 1.2x.`,
  );
}

interface Series {
  readonly library: ContestantName;
  readonly worker: Program<ContestantTasks>;
  readonly services: number;
  readonly server: RedisServer;
  readonly way: (typeof ways)[number];
  readonly costs: Cost[];
}

/** A server for each size, with what a process has registered that is gone again. */
async function seriesOf(stage: Stage, library: ContestantName, sizes: readonly number[]): Promise<Series[]> {
  const worker = stage.program<ContestantTasks>('contestant.program.ts', library);
  await using writer = stage.program<ContestantTasks>('contestant.program.ts', library);
  const series: Series[] = [];
  for (const services of sizes) {
    const server = await stage.server();
    const all = { services, from: 0, to: services * perService, atOnce: 500 };
    await writer.ask('run', { url: server.url, operation: 'register', ...all });
    for (const way of ways) series.push({ library, worker, services, server, way, costs: [] });
  }
  return series;
}

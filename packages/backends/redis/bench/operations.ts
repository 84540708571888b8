import type { ContestantTasks, Job } from './contestant.program.ts';
import { medianCost, withServer, type Cost } from './measure.ts';
import { recordBytes } from './population.ts';
import type { Stage } from './stage.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const renewing = 'renew all';

/** What it takes to come, stay, change and go: in that order in each round, each step by each library in turn. */
export async function measureOperations(stage: Stage): Promise<void> {
  const [services, all, rounds] = stage.quick ? [20, 1_000, 2] : [100, 10_000, 5];
  const entrants = await Promise.all(
    stage.libraries.map(async (library) => ({
      library,
      server: await stage.server(),
      worker: stage.program<ContestantTasks>('contestant.program.ts', library),
      costs: new Map<string, Cost[]>(),
    })),
  );
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, job } of stepsOfRound(all)) {
      for (const { server, worker, costs } of entrants) {
        const { url } = server;
        const cost = await (job === undefined
          ? withServer(server, all, () => worker.ask('renewAll', { url }))
          : withServer(server, job.to - job.from, () => worker.ask('run', { url, services, ...job })));
        if (round >= 0) costs.set(name, [...(costs.get(name) ?? []), cost]); // the first round is for the compiler
      }
    }
  }

  const names = [...new Set(stepsOfRound(all).map(({ name }) => name))];
  const rows = names.map((name) => {
    const costs = entrants.map((entrant) => medianCost(entrant.costs.get(name) ?? []));
    const cells = costs.flatMap(({ wall, client, server }) => [1e6 / wall, client, server].map(figure));
    const [ours, other] = costs;
    return [name, ...cells, ...(ours && other ? [`${figure(other.wall / ours.wall)}x`] : [])];
  });
  const heads = entrants.flatMap(({ library }) => [
    `${library}: per second`,
    'client CPU us',
    'server CPU us',
  ]);
  printTable(
    `Operations: ${figure(all)} instances of ${recordBytes} B in ${services} services, one process`,
    ['operation', ...heads, ...(entrants.length > 1 ? ['sd / hazel'] : [])],
    rows,
  );
  console.log(`\nMedians of ${rounds} rounds. ${notes.join(' ')}`);
  const renewal = medianCost(entrants[0]?.costs.get(renewing) ?? []);
  console.log(`sd renews ${figure(1e6 / renewal.wall)} instances/s (bar: 80,000).`);
}

const notes = [
  `"${renewing}" of sd is one whole round of its renewals, from its timer to the answer of what is asked next: a script for each`,
  'service, one for the index of services, and what is noted of each lease.',
  'That of hazel is its heartbeat for each instance, all at once. Its update, updateStatus(), tells nobody.',
];

type Range = Pick<Job, 'operation' | 'from' | 'to' | 'atOnce'>;

/** Without a job all are renewed. */
function stepsOfRound(all: number): readonly { readonly name: string; readonly job?: Range }[] {
  const few = all / 20;
  const both = (operation: Job['operation'], to: number) => [
    { name: `${operation}, one at a time`, job: { operation, from: 0, to: few, atOnce: 1 } },
    { name: `${operation}, 50 at once`, job: { operation, from: few, to, atOnce: 50 } },
  ];
  const renew = { name: renewing };
  return [...both('register', all), renew, renew, ...both('update', all / 2), ...both('release', all)];
}

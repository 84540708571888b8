import type { SlowStartOptions } from '@sd/load-balancers';
import { Consumer, instances } from '../consumer.ts';
import { rival, withRivals } from '../rivals/index.ts';
import { RunRecord } from '../run-record.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { exponential, Server } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * A server has 4 workers and a queue without end; a request takes it 10 ms on average, exponentially distributed. Two
 * consumers load 11 of them to 60 %. After 10 s a twelfth joins, whose first requests take ten times as long; that falls
 * evenly to nothing in 20 s, and these count. A request without an answer for 1 s is an error.
 *
 * The floor is high: of requests that wait for nothing, 1 in 1,000 takes more than 69 ms.
 * Others come out as they are known (README): random 8.3 % errors (8.3), two choices without slow start p99.9 216 to
 * 242 ms (223).
 */
export const coldStart: Scenario = {
  id: 'S4',
  title: 'a twelfth server joins, 10 times slower than the others, and warms up in 20 s',
  target: 'no errors, p99.9 <= 80 ms',
  contestants: [
    contestant('peak-ewma', { windowMs: 20_000 }, true),
    contestant('peak-ewma'),
    contestant('least-request', { windowMs: 20_000 }),
    contestant('least-request'),
    contestant('random', { windowMs: 20_000 }),
    contestant('random'),
    contestant(rival.finagle),
    contestant(rival.goZero),
    contestant(rival.twoChoices),
    contestant(rival.fullScan),
  ],
};

const workers = 4;
const meanMs = 10;
const consumers = 2;
const load = 0.6;
const joinsMs = 10_000;
const warmingMs = 20_000;
const timeoutMs = 1_000;

function contestant(strategy: string, slowStart?: SlowStartOptions, isOurs = false): Contestant {
  const name = slowStart === undefined ? strategy : `${strategy}, slow start`;
  return { name, isOurs, run: (seed) => run(strategy, slowStart, seed) };
}

function run(strategy: string, slowStart: SlowStartOptions | undefined, seed: number): ScenarioResult {
  const simulation = new Simulation(seed);
  const record = new RunRecord();
  const ids = Array.from({ length: 12 }, (_, index) => `server-${index}`);
  const old = ids.slice(0, -1);
  const coldness = (index: number, time: number): number =>
    index < old.length ? 0 : Math.max(0, 1 - (time - joinsMs) / warmingMs);
  const servers = new Map(
    ids.map((id, index) => [
      id,
      new Server(simulation, {
        workers,
        serviceMs: (time, rng) => (1 + 9 * coldness(index, time)) * exponential(meanMs, rng),
      }),
    ]),
  );
  const perSecond = (load * old.length * workers * 1_000) / meanMs;
  const factory = withRivals();
  const pools = Array.from({ length: consumers }, () => {
    const options = { strategy, servers, factory, timeoutMs, slowStart, onEnd: record.add };
    const consumer = new Consumer(simulation, options);
    consumer.pool.update(instances(old));
    simulation.at(joinsMs, () => consumer.pool.update(instances(ids)));
    consumer.sendAtRandom(perSecond / consumers, 0, joinsMs + warmingMs);
    return consumer.pool;
  });
  simulation.run(joinsMs + warmingMs + timeoutMs);
  for (const pool of pools) pool.close();
  const warming = record.filter(({ startedAt }) => startedAt >= joinsMs);
  const errors = 100 * warming.errorShare;
  const p999 = warming.percentile(0.999);
  const missed = [
    ...(errors === 0 ? [] : [`${errors.toPrecision(3)} % errors`]),
    ...(p999 <= 80 ? [] : [`p99.9 ${p999.toFixed(1)} ms`]),
  ];
  return { figures: { 'errors, %': errors, 'p99.9, ms': p999 }, missed, series: record.series(1_000, 0.99) };
}

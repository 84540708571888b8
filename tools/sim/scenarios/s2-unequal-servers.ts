import { Consumer, instances } from '../consumer.ts';
import { rival, withRivals } from '../rivals/index.ts';
import { ProbedServer } from '../rivals/probed-server.ts';
import { RunRecord } from '../run-record.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { exponential } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * A server has 4 workers and a queue without end. A request takes it 10 ms on average, or 20 on a slow one,
 * exponentially distributed, so together they bear 15,000 a second; 13,500 come. Each consumer has its own pool and
 * knows only of its own requests. A request without an answer for 1 s is an error, and the server works on it all the
 * same. 8 s from an empty start, all of which count: time for a queue of 1 s at servers that get a third too much.
 *
 * These are the parameters with which others come out as they are known (README): round robin 32 % (31 % errors),
 * P2C 175 ms (176), peak EWMA 99 ms (96), Prequal 81 ms (79).
 */
export const unequalServers: Scenario = {
  id: 'S2',
  title: '50 servers, half of them twice as slow, 20 consumers that know nothing of each other, 90 % load',
  target: 'p99 <= 100 ms, no errors',
  contestants: [
    contestant('peak-ewma', true),
    contestant('least-request'),
    contestant('round-robin'),
    contestant(rival.finagle),
    contestant(rival.goZero),
    contestant(rival.twoChoices),
    contestant(rival.fullScan),
    contestant(rival.prequal),
  ],
};

const workers = 4;
const meanMs = 10;
const consumers = 20;
const load = 0.9;
const untilMs = 8_000;
const timeoutMs = 1_000;

function contestant(strategy: string, isOurs = false): Contestant {
  return { name: strategy, isOurs, run: (seed) => run(strategy, seed) };
}

function run(strategy: string, seed: number): ScenarioResult {
  const simulation = new Simulation(seed);
  const record = new RunRecord();
  const ids = Array.from({ length: 50 }, (_, index) => `server-${index}`);
  const slowness = (index: number): number => (index % 2 === 0 ? 1 : 2);
  const servers = new Map(
    ids.map((id, index) => [
      id,
      new ProbedServer(simulation, {
        workers,
        serviceMs: (_time, rng) => exponential(meanMs * slowness(index), rng),
      }),
    ]),
  );
  const capacity = ids.reduce((sum, _id, index) => sum + (1_000 * workers) / (meanMs * slowness(index)), 0);
  const factory = withRivals(servers);
  for (let count = 0; count < consumers; count += 1) {
    const consumer = new Consumer(simulation, { strategy, servers, factory, timeoutMs, onEnd: record.add });
    consumer.pool.update(instances(ids));
    consumer.sendAtRandom((load * capacity) / consumers, 0, untilMs);
  }
  simulation.run(untilMs + timeoutMs);
  const errors = 100 * record.errorShare;
  const p99 = record.percentile(0.99);
  const missed = [
    ...(errors === 0 ? [] : [`${errors.toPrecision(3)} % errors`]),
    ...(p99 <= 100 ? [] : [`p99 ${p99.toFixed(0)} ms`]),
  ];
  return { figures: { 'errors, %': errors, 'p99, ms': p99 }, missed, series: record.series(250, 0.99) };
}

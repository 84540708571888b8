import { Consumer, instances } from '../consumer.ts';
import { rival, withRivals } from '../rivals/index.ts';
import { RunRecord } from '../run-record.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { exponential, Server } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * One consumer sends 540 requests a second; an answer takes 20 ms on average, exponentially distributed, however many
 * are under way. After 10 s of health one server loses what it depends on and fails everything in 1 ms. The 30 s from
 * then on count. Nothing but the strategy sees it: no retries, no ejection.
 *
 * Others come out as they are known (README): round robin 10 % errors (10), full least request 34 % (34), peak EWMA
 * 19.8 % (19.6), go-zero 3.0 % (3.3).
 */
export const blackHole: Scenario = {
  id: 'S3',
  title: 'one of 10 servers becomes a black hole: it fails in 1 ms; no retries',
  target: '<= 0.1 % errors',
  contestants: [
    contestant('peak-ewma', true),
    contestant('least-request'),
    contestant('least-connections'),
    contestant('round-robin'),
    contestant(rival.finagle),
    contestant(rival.goZero),
    contestant(rival.fullScan),
    contestant(rival.twoChoices),
  ],
};

const fromMs = 10_000;
const untilMs = 40_000;

function contestant(strategy: string, isOurs = false): Contestant {
  return { name: strategy, isOurs, run: (seed) => run(strategy, seed) };
}

function run(strategy: string, seed: number): ScenarioResult {
  const simulation = new Simulation(seed);
  const record = new RunRecord();
  const ids = Array.from({ length: 10 }, (_, index) => `server-${index}`);
  const fails = (index: number, time: number): boolean => index === 0 && time >= fromMs;
  const servers = new Map(
    ids.map((id, index) => [
      id,
      new Server(simulation, {
        serviceMs: (time, rng) => (fails(index, time) ? 1 : exponential(20, rng)),
        outcome: (time) => (fails(index, time) ? 'error' : 'ok'),
      }),
    ]),
  );
  const factory = withRivals();
  const consumer = new Consumer(simulation, { strategy, servers, factory, onEnd: record.add });
  consumer.pool.update(instances(ids));
  consumer.sendAtRandom(540, 0, untilMs);
  simulation.run(untilMs + 5_000);
  consumer.pool.close();
  const failing = record.filter(({ startedAt }) => startedAt >= fromMs);
  const errors = 100 * failing.errorShare;
  return {
    figures: { 'errors, %': errors, 'p99, ms': failing.percentile(0.99) },
    missed: errors <= 0.1 ? [] : [`${errors.toPrecision(3)} % errors`],
  };
}

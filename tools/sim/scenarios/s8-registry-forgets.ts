import type { Rng } from '@sd/core';
import type { DiscoveryClientOptions } from '@sd/discovery';
import { ordersOn, ScriptedRegistry } from '../registry-script.ts';
import { RetryConsumer } from '../retry-consumer.ts';
import { RunRecord } from '../run-record.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { Server } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * The registry is away for 1 s and comes back without 45 of its 50 instances: a replica took over that had fallen behind,
 * and it needs 10 s to catch up. All instances serve all the time. Each bears 100 requests a second; 1,000 come, which
 * is a fifth of what all bear and twice what the 5 do.
 */
export const registryForgets: Scenario = {
  id: 'S8a',
  title: 'the registry forgets 45 of 50 instances, which still serve',
  target: '<= 0.1 % errors, p99 <= 60 ms',
  contestants: contestants({ perSecond: 1_000, until: 17_000, areGone: false, mostErrors: 0.1 }),
};

/**
 * The registry is away for 1 s, and when it comes back 45 of its 50 instances are gone and refuse connections, each
 * within 1 ms. There are 200 requests a second, which is two fifths of what the 5 bear. Errors are counted until what was
 * held has been verified, 15 s after the comeback; most of them are of the first 120 ms, when nobody knows yet.
 */
export const instancesGo: Scenario = {
  id: 'S8b',
  title: 'the registry forgets 45 of 50 instances, which are gone',
  target: '<= 1 % errors, p99 <= 60 ms',
  contestants: contestants({ perSecond: 200, until: 22_000, areGone: true, mostErrors: 1 }),
};

interface Half {
  readonly perSecond: number;
  /** No calls begin later. Milliseconds from the start. */
  readonly until: number;
  readonly areGone: boolean;
  /** In percent. */
  readonly mostErrors: number;
}

/** The shipped client: as it is, believing whatever the registry says, and never believing it while it never tries twice. */
function contestants(half: Half): readonly Contestant[] {
  const contestant = (
    name: string,
    isOurs: boolean,
    options: Pick<DiscoveryClientOptions, 'follow' | 'retries'>,
  ): Contestant => ({ name, isOurs, run: (seed) => run(half, options, seed) });
  return [
    contestant('guard and retries', true, {}),
    contestant('trusting', false, { follow: { shrinkGuard: { share: 1 } } }),
    contestant('holding, no retries', false, {
      follow: { shrinkGuard: { verifyAfterMs: 1e9 } },
      retries: 0,
    }),
  ];
}

const awayFrom = 3_000;
const awayUntil = 4_000;
const caughtUpAt = 14_000;

async function run(
  { perSecond, until, areGone, mostErrors }: Half,
  options: Pick<DiscoveryClientOptions, 'follow' | 'retries'>,
  seed: number,
): Promise<ScenarioResult> {
  const simulation = new Simulation(seed);
  const rng = simulation.rng();
  const record = new RunRecord();
  const ids = Array.from({ length: 50 }, (_, index) => `server-${index}`);
  const forgotten = new Set(shuffled(ids, rng).slice(0, 45));
  const refuses = (id: string, time: number): boolean => areGone && time >= awayFrom && forgotten.has(id);
  const servers = new Map(
    ids.map((id) => [
      id,
      new Server(simulation, {
        workers: 1,
        queue: 100,
        serviceMs: (time, random) => (refuses(id, time) ? 1 : 5 + 10 * random()),
        outcome: (time) => (refuses(id, time) ? 'connect-failure' : 'ok'),
      }),
    ]),
  );
  const registry = new ScriptedRegistry(ordersOn(ids));
  const consumer = new RetryConsumer(simulation, {
    ...options,
    backend: registry,
    servers,
    attemptTimeoutMs: 250,
    onEnd: record.add,
  });
  consumer.callAtRandom(perSecond, 0, until);
  const rest = ids.filter((id) => !forgotten.has(id));
  simulation.at(awayFrom, () => registry.goAway());
  simulation.at(awayUntil, () => registry.comeBack(ordersOn(rest)));
  if (!areGone) simulation.at(caughtUpAt, () => registry.list(ordersOn(ids)));
  await simulation.runAsync(until + 10_000);
  await consumer.close();
  const since = record.filter(({ startedAt }) => startedAt >= awayFrom);
  const errors = 100 * since.errorShare;
  const p99 = since.percentile(0.99);
  const doubtful = since.filter(({ startedAt }) => startedAt >= awayUntil + 1_000 && startedAt < caughtUpAt);
  return {
    figures: {
      'errors, %': errors,
      'errors while it lists 5, %': 100 * doubtful.errorShare,
      'p99, ms': p99,
    },
    missed: [
      ...(errors <= mostErrors ? [] : [`${errors.toFixed(2)} % errors`]),
      ...(p99 <= 60 ? [] : [`p99 ${p99.toFixed(0)} ms`]),
    ],
    series: record.series(1_000, 0.99),
  };
}

function shuffled<T>(list: readonly T[], rng: Rng): readonly T[] {
  return list
    .map((item) => ({ item, place: rng() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);
}

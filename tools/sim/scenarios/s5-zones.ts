import { createInstance } from '@sd/core';
import type { EndpointPoolOptions } from '@sd/load-balancers';
import { Consumer, type EndedRequest } from '../consumer.ts';
import { RunRecord } from '../run-record.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { exponential, Server } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * S5: consumers of three zones send 50, 30 and 20 % of the traffic; there are 30 servers of 4 workers and 40 ms
 * (exponential) each, 85 % of them busy, which refuse what would wait behind more than 12. Zones have servers as they
 * have traffic (15, 9, 6), or alike (10, 10, 10). Ten consumers in each zone know nothing of each other or of the other
 * zones' traffic. Measured after 40 s, in which they may learn.
 */
export const zones: Scenario = {
  id: 'S5',
  title: 'zones with 50, 30 and 20 % of the traffic, and servers to match or alike',
  target: 'fullest zone <= 1.08 x fair, cross-zone <= 18 %, in both',
  contestants: [
    contestant('by load, peak-ewma', true, { zoneAware: { by: 'load' } }),
    contestant('by capacity (as Envoy)', false, { zoneAware: true }),
    contestant('own zone alone', false, { filterOwnZone: true }),
    contestant('zones ignored', false, {}),
  ],
};

interface ZoneChoice extends Pick<EndpointPoolOptions, 'zoneAware'> {
  readonly filterOwnZone?: boolean;
}

const zoneNames = ['a', 'b', 'c'] as const;
const traffic = { a: 0.5, b: 0.3, c: 0.2 };
const [workers, serviceMs, busy] = [4, 40, 0.85];
const [learnMs, endMs] = [40_000, 80_000];

function contestant(name: string, isOurs: boolean, choice: ZoneChoice): Contestant {
  return {
    name,
    isOurs,
    run: (seed) => {
      const matching = run({ a: 15, b: 9, c: 6 }, choice, seed);
      const equal = run({ a: 10, b: 10, c: 10 }, choice, seed);
      return both(matching, equal);
    },
  };
}

interface Half {
  readonly fullest: number;
  readonly crossZone: number;
  readonly errors: number;
}

function run(sizes: Readonly<Record<string, number>>, choice: ZoneChoice, seed: number): Half {
  const simulation = new Simulation(seed);
  const instances = zoneNames.flatMap((zone) =>
    Array.from({ length: sizes[zone] ?? 0 }, (_, index) =>
      createInstance({ service: 'orders', id: `${zone}-${index}`, host: zone, port: 80, zone }, 0),
    ),
  );
  const servers = new Map(
    instances.map(({ id }) => [
      id,
      new Server(simulation, { workers, queue: 12, serviceMs: (_time, rng) => exponential(serviceMs, rng) }),
    ]),
  );
  const record = new RunRecord();
  const perSecond = (busy * instances.length * workers * 1_000) / serviceMs;
  const came: Record<string, number> = {};
  let abroad = 0;
  for (const zone of zoneNames) {
    const { filterOwnZone = false, ...options } = choice;
    const onEnd = (request: EndedRequest): void => {
      if (request.startedAt < learnMs || request.endpoint === undefined) return;
      record.add(request);
      const to = request.endpoint.instance.zone ?? '';
      came[to] = (came[to] ?? 0) + 1;
      if (to !== zone) abroad += 1;
    };
    for (let number = 0; number < 10; number += 1) {
      const consumer = new Consumer(simulation, { ...options, strategy: 'peak-ewma', zone, servers, onEnd });
      consumer.pool.update(
        filterOwnZone ? instances.filter((instance) => instance.zone === zone) : instances,
      );
      consumer.sendAtRandom((perSecond * traffic[zone]) / 10, 0, endMs);
    }
  }
  simulation.run(endMs);
  const fair = record.count / instances.length;
  const loads = zoneNames.map((zone) => (came[zone] ?? 0) / (sizes[zone] ?? 1) / fair);
  return {
    fullest: Math.max(...loads),
    crossZone: (100 * abroad) / record.count,
    errors: 100 * record.errorShare,
  };
}

function both(matching: Half, equal: Half): ScenarioResult {
  const missed = Object.entries({ matching, equal }).flatMap(([name, { fullest, crossZone }]) => [
    ...(fullest <= 1.08 ? [] : [`${name}: fullest zone ${fullest.toFixed(2)} x fair`]),
    ...(crossZone <= 18 ? [] : [`${name}: ${crossZone.toFixed(1)} % cross-zone`]),
  ]);
  return {
    missed,
    figures: {
      'servers match: fullest zone, x fair': matching.fullest,
      'cross-zone, %': matching.crossZone,
      'errors, %': matching.errors,
      'servers alike: fullest zone, x fair': equal.fullest,
      'alike: cross-zone, %': equal.crossZone,
      'alike: errors, %': equal.errors,
    },
  };
}

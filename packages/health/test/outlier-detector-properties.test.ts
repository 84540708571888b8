import { seededRng } from '@sd/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Detection, latencyBy } from './detection.ts';

const outcomes = ['ok', 'error', 'overload', 'connect-failure', 'timeout', 'cancelled'] as const;

const anyCommand = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      does: fc.constant('record'),
      slot: fc.nat(99),
      outcome: fc.constantFrom('ok', 'ok', ...outcomes),
      latencyMs: fc.constantFrom(0, 5, 80, 2_000),
      times: fc.constantFrom(1, 1, 5, 60),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant('advance'), ms: fc.constantFrom(1, 300, 1_000, 6_000, 70_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('load'),
      slot: fc.nat(99),
      inFlight: fc.constantFrom(0, 1, 9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('hold off'), slot: fc.nat(99), ms: fc.nat(50_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constantFrom('replace', 'isolate', 'release', 'lose the probe'),
      slot: fc.nat(99),
    }),
  },
);
type Command = typeof anyCommand extends fc.Arbitrary<infer C> ? C : never;

const anyWorld = fc.record({
  seed: fc.nat(1_000),
  endpoints: fc.integer({ min: 1, max: 14 }),
  commands: fc.array(anyCommand, { maxLength: 80, size: 'max' }),
});

async function run(d: Detection, command: Command): Promise<void> {
  if (command.does === 'advance') return d.clock.advance(command.ms);
  const endpoint = d.at(command.slot % d.pool.endpoints.length);
  switch (command.does) {
    case 'record':
      d.pool.probes.delete(endpoint);
      d.record(endpoint, command.outcome, command);
      return;
    case 'load':
      endpoint.inFlight = command.inFlight;
      return;
    case 'hold off':
      d.detector.holdOff(endpoint, command.ms);
      return;
    case 'replace':
      d.pool.replace(endpoint);
      return;
    case 'isolate':
      d.detector.isolate(endpoint);
      return;
    case 'release':
      d.detector.release(endpoint);
      return;
    case 'lose the probe':
      d.pool.probes.delete(endpoint);
      return;
  }
}

function check(d: Detection): void {
  let failing = 0;
  for (const endpoint of d.pool.endpoints) {
    const state = d.detector.stateOf(endpoint);
    const isOut = state.value === 'open' || state.value === 'half-open';
    must(endpoint.ejected === isOut, `${endpoint.id} is ejected as its state says`);
    must(endpoint.isolated === (state.value === 'isolated'), `${endpoint.id} is isolated as its state says`);
    must(!endpoint.unreachable || (isOut && state.reason === 'unreachable'), `${endpoint.id} is unreachable`);
    must(state.value !== 'open' || !d.pool.probes.has(endpoint), 'none is probed before its time');
    if (isOut && state.reason !== 'unreachable') failing += 1;
  }
  must(
    failing <= Math.max(1, Math.floor(0.3 * d.pool.endpoints.length)),
    'no more are ejected than the cap allows',
  );
  const slow = d.pool.endpoints.filter((endpoint) => endpoint.slow).length;
  must(2 * slow <= d.pool.endpoints.length, 'no more than half are degraded');
  must(d.clock.pendingTimers <= 1, 'there is one timer');
}

/** From now on all is well. */
async function recover(d: Detection): Promise<void> {
  for (const endpoint of d.pool.endpoints) {
    endpoint.inFlight = 0;
    d.detector.release(endpoint);
  }
  for (let second = 0; second < 1_000; second += 1) {
    const usable = d.pool.endpoints.filter(({ ejected, slow }) => !ejected && !slow);
    for (const endpoint of d.pool.endpoints) {
      const isProbed = d.pool.probes.delete(endpoint);
      // A pool that has nobody else uses those that are out.
      if (isProbed || usable.length === 0 || usable.includes(endpoint)) d.record(endpoint, 'ok');
    }
    await d.clock.advance(1_000);
    check(d);
    if (d.pool.endpoints.every(({ ejected, slow }) => !ejected && !slow)) return;
  }
  must(false, 'all are back some day');
}

/** Cheaper than `expect`. */
function must(holds: boolean, what: string): void {
  if (!holds) expect.fail(`not so: ${what}`);
}

describe('a detector', () => {
  it('keeps to its limits through any sequence of events, and lets all back when all is well', async () => {
    const property = fc.asyncProperty(anyWorld, async ({ seed, endpoints, commands }) => {
      const d = new Detection({ endpoints, rng: seededRng(seed) });
      for (const command of commands) {
        await run(d, command);
        check(d);
      }
      await recover(d);
      d.detector.close();
      must(d.clock.pendingTimers === 0, 'no timer is left');
    });
    await fc.assert(property, {
      seed: Number(process.env.SEED ?? 20_260),
      numRuns: Number(process.env.RUNS ?? 150),
    });
  }, 60_000);

  it('leaves a healthy fleet alone: ten minutes of 20 endpoints with 1 % errors', async () => {
    const d = new Detection({ endpoints: 20, rng: seededRng(1) });
    const rng = seededRng(2);
    for (let second = 0; second < 600; second += 1) {
      for (let time = 0; time < 400; time += 1) {
        const endpoint = d.at(Math.floor(20 * rng()));
        d.record(endpoint, rng() < 0.01 ? 'error' : 'ok', { latencyMs: latencyBy(rng) });
      }
      await d.clock.advance(1_000);
    }
    expect(d.events).toEqual([]);
  });
});

import type { DiscoveryClientOptions } from '@sd/discovery';
import { ordersOn, ScriptedRegistry } from '../registry-script.ts';
import { RetryConsumer, type EndedCall } from '../retry-consumer.ts';
import { NaiveConsumer } from '../retry-naive.ts';
import { RunRecord } from '../run-record.ts';
import type { Scenario, ScenarioResult } from '../scenario.ts';
import { exponential, Server } from '../server.ts';
import { Simulation } from '../simulation.ts';

/**
 * Ten servers, 2 requests at once each, 20 ms on average: 1,000/s, of which 600 are asked for. At 60 ms they bear 333,
 * their queues of 100 fill, and whoever waits in them is given up after 250 ms; the servers work on for nobody. Retries
 * that double the load keep it so after the servers are fast again.
 *
 * Ours is the shipped `DiscoveryClient.call` with 3 retries like the loop, and at most 5 attempts in flight on each
 * endpoint: four times what each has when all is well, and what it can answer in 150 ms when it is slow. What is beyond is
 * refused at once, as no more than 56 % can be answered anyway. Without that bound the budget keeps retries low as well, but
 * queues that are full of work that nobody waits for take seconds to drain: the second contestant.
 */
export const retryStorm: Scenario = {
  id: 'S7',
  title: 'all of 10 servers are 3x slower for 5 s, which is more than they can bear',
  target: '<= 1.2 attempts per call meanwhile, recovered <= 2 s after',
  contestants: [
    {
      name: 'budget and maxInFlight',
      isOurs: true,
      run: (seed) => runEngine(seed, { balancing: { maxInFlight: 5 } }),
    },
    { name: 'budget alone', isOurs: false, run: (seed) => runEngine(seed, {}) },
    { name: '3 naive retries', isOurs: false, run: runNaive },
  ],
};

const ids = Array.from({ length: 10 }, (_, index) => `server-${index}`);
const slowFrom = 8_000;
const slowUntil = 13_000;
const until = 24_000;
const perSecond = 600;
const retries = 3;
const timeoutMs = 250;

async function runEngine(
  seed: number,
  options: Pick<DiscoveryClientOptions, 'balancing'>,
): Promise<ScenarioResult> {
  const simulation = new Simulation(seed);
  const calls: EndedCall[] = [];
  const consumer = new RetryConsumer(simulation, {
    ...options,
    backend: new ScriptedRegistry(ordersOn(ids)),
    servers: makeServers(simulation),
    retries,
    attemptTimeoutMs: timeoutMs,
    onEnd: (call) => calls.push(call),
  });
  consumer.callAtRandom(perSecond, 0, until);
  await simulation.runAsync(until + 10_000);
  await consumer.close();
  return resultOf(calls);
}

function runNaive(seed: number): ScenarioResult {
  const simulation = new Simulation(seed);
  const calls: EndedCall[] = [];
  const servers = [...makeServers(simulation).values()];
  const consumer = new NaiveConsumer(simulation, {
    servers,
    retries,
    timeoutMs,
    onEnd: (call) => calls.push(call),
  });
  consumer.callAtRandom(perSecond, 0, until);
  simulation.run(until + 10_000);
  return resultOf(calls);
}

function makeServers(simulation: Simulation): ReadonlyMap<string, Server> {
  const meanMs = (time: number): number => (time >= slowFrom && time < slowUntil ? 60 : 20);
  return new Map(
    ids.map((id) => [
      id,
      new Server(simulation, {
        workers: 2,
        queue: 100,
        serviceMs: (time, rng) => exponential(meanMs(time), rng),
      }),
    ]),
  );
}

function resultOf(calls: readonly EndedCall[]): ScenarioResult {
  const record = recordOf(calls);
  const slow = calls.filter(({ startedAt }) => startedAt >= slowFrom && startedAt < slowUntil);
  const attempts = slow.reduce((sum, call) => sum + call.attempts, 0);
  const perCall = attempts / slow.filter((call) => call.attempts > 0).length;
  const recoveredMs = recoveryOf(calls);
  return {
    figures: {
      'attempts per call that is not refused': perCall,
      'errors before, %': 100 * errorsIn(calls, 0, slowFrom),
      'errors meanwhile, %': 100 * errorsIn(calls, slowFrom, slowUntil),
      'errors from 2 s after on, %': 100 * errorsIn(calls, slowUntil + 2_000, until),
      'recovered after, s': recoveredMs / 1_000,
    },
    missed: [
      ...(perCall <= 1.2 ? [] : [`${perCall.toFixed(2)} attempts per call`]),
      ...(recoveredMs <= 2_000 ? [] : [`recovered after ${(recoveredMs / 1_000).toFixed(1)} s`]),
    ],
    series: record.series(1_000, 0.99),
  };
}

/**
 * Milliseconds from the end of the slowness until calls are as they were before, and stay so: in each second from then
 * on at most 1 % fail and p99 is at most twice what it was.
 */
function recoveryOf(calls: readonly EndedCall[]): number {
  const usualMs = recordOf(calls).percentile(0.99, ({ startedAt }) => startedAt < slowFrom);
  const stepMs = 250;
  let recoveredAt = Infinity;
  for (let from = until - 1_000; from >= slowUntil; from -= stepMs) {
    const second = recordOf(callsIn(calls, from, from + 1_000));
    if (second.errorShare > 0.01 || second.percentile(0.99) > 2 * usualMs) break;
    recoveredAt = from;
  }
  return recoveredAt - slowUntil;
}

function errorsIn(calls: readonly EndedCall[], from: number, to: number): number {
  return recordOf(callsIn(calls, from, to)).errorShare;
}

function callsIn(calls: readonly EndedCall[], from: number, to: number): readonly EndedCall[] {
  return calls.filter(({ startedAt }) => startedAt >= from && startedAt < to);
}

function recordOf(calls: readonly EndedCall[]): RunRecord {
  const record = new RunRecord();
  for (const call of calls) record.add(call);
  return record;
}

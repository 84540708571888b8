import { createInstance, follow, seededRng, systemClock, type Rng, type ServiceInstance } from '@sd/core';
import { ServiceRegistry } from '@sd/registry';
import { eventually, haltableClock, silentLogger } from '@sd/testkit';
import { setTimeout as wait } from 'node:timers/promises';
import { requireServer } from '../../servers/index.ts';
import { below, choose } from '../mutate.ts';
import { holds, listOf, parseJson, typedLater } from '../oracle.ts';
import { planOf, type Plan } from '../streams/plan.ts';
import { stateOf } from '../streams/store.ts';
import { strayErrors } from '../streams/stray-errors.ts';
import { wireStores, type WireStore } from '../streams/wire-stores.ts';
import { Wire } from '../streams/wire.ts';
import type { FuzzTarget } from '../target.ts';

/** In milliseconds: as short as two busy cores allow for, so that what is lost is found soon. */
const timeoutMs = 500;
const ttlMs = 2_000;
/** When all must have come right on a clean wire: a backend waits for up to 5 s for a store that is silent, and connects. */
const patienceMs = 20_000;

/** So many frames are reached by an input. */
const reach = 80;

/** A frame of HTTP/2. */
function frame(type: number, stream: number, ...payload: readonly number[]): string {
  const bytes = [0, 0, payload.length, type, 0, 0, 0, 0, stream, ...payload];
  return String.fromCharCode(...bytes);
}

/** GOAWAY: streams after this one are not looked at. */
const goAway = (last: number, error: number): string => frame(7, 0, 0, 0, 0, last, 0, 0, 0, error);
/** RST_STREAM for the first streams of a connection. */
const resetStreams = (error: number): string =>
  [1, 3, 5, 7, 9, 11, 13].map((stream) => frame(3, stream, 0, 0, 0, error)).join('');
const [noError, refusedStream, cancel, enhanceYourCalm] = [0, 7, 8, 11];
/** SETTINGS with MAX_CONCURRENT_STREAMS. */
const mostStreams = (count: number): string => frame(4, 0, 0, 3, 0, 0, 0, count);

const frames = [
  ...[goAway(0, noError), goAway(127, enhanceYourCalm), resetStreams(cancel), resetStreams(refusedStream)],
  ...[mostStreams(0), frame(6, 0, 0, 0, 0, 0, 0, 0, 0, 0), frame(8, 0, 127, 255, 255, 255)],
];

/**
 * A provider and a view over connections that are cut, held back, garbled and added to: nothing is thrown that nobody
 * catches, soon after all is well the view is live and true, the registration is there once, and closing leaves nothing.
 */
export const wire: FuzzTarget = {
  name: 'wire',
  format: 'json',
  seeds: [
    [
      ['ahead', 11, goAway(1, noError)],
      ['ahead', 21, resetStreams(refusedStream)],
      ['ahead', 35, goAway(127, enhanceYourCalm)],
    ],
    [['break', 7, 20], ['break', 15, 3], ['break', 10, 4], ['reset'], ['cut', 5]],
    [
      ['wait', 5, 900],
      ['byte', 13, 14, 255],
      ['put', 19, 3, 4, '\r\n'],
      ['wait', 8, 700],
    ],
    [
      ['twice', 13],
      ['drop', 19],
      ['ahead', 25, mostStreams(0)],
    ],
  ].map((steps) => JSON.stringify(steps)),
  words: ['cut', 'break', 'reset', 'twice', 'drop', 'byte', 'put', 'wait', 'ahead', 'draw', ...frames],
  testRuns: 2,
  mostMs: 50_000,
  async run(input) {
    const plan = planOf(withDrawn(input), { frames: { length: reach } });
    const chosen = wireStores.filter(({ name }) => requireServer(name));
    await Promise.all(chosen.map(({ server }) => server()));
    const before = openHandles();
    const strays = strayErrors();
    try {
      const ends = await Promise.allSettled(chosen.map((store) => play(store, plan)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      await eventually(() => holds(openHandles() <= before, 'a socket or a timer is left'));
    } finally {
      strays.end();
    }
  },
};

/** A step `["draw", seed]` stands for some at random. */
function withDrawn(input: Buffer): Buffer {
  const steps = listOf(parseJson(input)).flatMap((step) => {
    const [kind, seed] = listOf(step);
    return kind === 'draw' && typeof seed === 'number' ? drawn(seededRng(seed)) : [step];
  });
  return Buffer.from(JSON.stringify(steps));
}

const drawn = (rng: Rng): readonly unknown[] =>
  Array.from({ length: 1 + below(8, rng) }, () => {
    const frame = below(reach, rng);
    const at = below(120, rng);
    switch (below(8, rng)) {
      case 0:
        return ['break', frame, at];
      case 1:
        return ['wait', frame, 8 * at];
      case 2:
        return ['byte', frame, at, below(256, rng)];
      case 3:
        return ['put', frame, at, below(9, rng), choose(frames, rng)?.slice(below(9, rng))];
      case 4:
        return [choose(['twice', 'drop'], rng), frame];
      case 5:
        return [choose(['cut', 'reset'], rng), frame];
      default:
        return ['ahead', frame, choose(frames, rng)];
    }
  });

let services = 0;

async function play({ name, server, open }: WireStore, plan: Plan): Promise<void> {
  const { port } = await server();
  const line = await Wire.start(port, plan);
  const clock = haltableClock(systemClock);
  const backend = open(line.port, { timeoutMs, clock });
  const other = open(port, { timeoutMs: patienceMs, clock: systemClock });
  services += 1;
  const service = `wire-${services}`;
  const registry = new ServiceRegistry({ backend, ttlMs, clock, logger: silentLogger, rng: seededRng(1) });
  const following = follow(backend, service, {
    clock,
    logger: silentLogger,
    rng: seededRng(1),
    firstSnapshotTimeoutMs: 2 * timeoutMs,
    reconnect: { baseMs: 20, capMs: 200 },
    shrinkGuard: { verifyAfterMs: timeoutMs },
  });
  const instance = (at: string): ServiceInstance =>
    createInstance({ service, id: 'a', host: '127.0.0.1', port: 8080, metadata: { at } }, Date.now());
  const register = () => registry.register({ service, id: 'own', host: '127.0.0.1', port: 8081 });
  try {
    const lease = await other.register(instance('first'), { ttl: 60_000 });
    const registering = typedLater(register);
    for (let change = 0; change < 5; change += 1) {
      await wait(100);
      await lease.update(instance(`${change}`));
    }
    line.clean();
    // It may have been told that it has no right to.
    const own = (await registering) ?? (await register());
    for (const at of ['clean', 'later']) {
      await Promise.all([lease.update(instance(at)), own.update({ metadata: { at } })]);
      await eventually(
        async () => {
          const { state, held, instances } = following.view;
          const [seen, there] = [stateOf(instances), stateOf(await other.getInstances(service))];
          const ids = there.split(', ').map((text) => text.split(' ')[0]);
          holds(ids.join() === 'a,own', `the store has ${there}`);
          holds(
            state === 'live' && held === 0 && seen === there,
            `${state}, ${held} held: ${seen}, not ${there}`,
          );
        },
        { timeoutMs: patienceMs },
      );
    }
    await lease.release();
  } catch (error) {
    throw new Error(`${name}: ${String(error)}`, { cause: error });
  } finally {
    following.close();
    await registry.close();
    await Promise.all([backend.close(), other.close()]);
    await line.gone();
    await line.close();
  }
  holds(clock.pendingTimers === 0, `${name}: ${clock.pendingTimers} timers are left`);
}

/** Of what keeps a process. */
const openHandles = (): number =>
  process.getActiveResourcesInfo().filter((kind) => /^(TCP|Timeout)/.test(kind)).length;

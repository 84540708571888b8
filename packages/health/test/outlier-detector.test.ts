import {
  ConfigValidationError,
  createInstance,
  ManualClock,
  resetLogger,
  seededRng,
  setLogger,
} from '@sd/core';
import { anyRequest, EndpointPool, type Endpoint, type Outcome } from '@sd/load-balancers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OutlierDetector } from '../src/outlier-detector.ts';
import type { OutlierEvent } from '../src/outlier-event.ts';
import type { OutlierOptions } from '../src/outlier-options.ts';
import { Detection } from './detection.ts';
import { FakePool } from './fake-pool.ts';

afterEach(resetLogger);

describe('a detector', () => {
  it('starts clean with an endpoint that comes into the slot of another', () => {
    const d = new Detection();
    d.record(d.at(0), 'error', { times: 4 });
    d.record(d.pool.replace(d.at(0)), 'error', { times: 4 });
    expect(d.events).toEqual([]);
  });

  it('ignores an endpoint that has left, and what it is told of it late', () => {
    const d = new Detection({ endpoints: 3 });
    const gone = d.at(0);
    d.record(gone, 'error', { times: 5 });
    d.pool.replace(gone);
    d.record(gone, 'error', { times: 100 });
    d.record(d.at(1), 'error', { times: 5 }); // no longer one too many
    expect(d.ejected).toEqual(['e1']);
    expect(d.detector.stateOf(gone)).toEqual({ value: 'closed' });
    expect(d.eventsOf('eject')).toHaveLength(2);
  });

  it('does not probe an endpoint that has left', async () => {
    const d = new Detection({ endpoints: 3 });
    d.record(d.at(0), 'error', { times: 5 });
    d.pool.remove(d.at(0));
    await d.clock.advance(60_000);
    expect(d.pool.probesAsked).toBe(0);
    expect(d.clock.pendingTimers).toBe(0);
  });

  it('knows an endpoint that came later, in a slot of its own', () => {
    const d = new Detection({ endpoints: 2 });
    d.answerAll();
    d.pool.endpoints = [...d.pool.endpoints, ...new FakePool(40).endpoints.slice(2)];
    d.record(d.at(39), 'error', { times: 5 });
    expect(d.ejected).toEqual(['e39']);
  });

  it('has one timer, and only while there is traffic', async () => {
    const d = new Detection();
    expect(d.clock.pendingTimers).toBe(0);
    d.answerAll({ times: 10 });
    expect(d.clock.pendingTimers).toBe(1);
    await d.clock.advance(9_000);
    expect(d.clock.pendingTimers).toBe(1);
    await d.clock.advance(2_000);
    expect(d.clock.pendingTimers).toBe(0);
    d.answerAll();
    expect(d.clock.pendingTimers).toBe(1);
  });

  it('has one as long as somebody is to be probed', async () => {
    const d = new Detection({ options: { ejection: { baseMs: 60_000 } } });
    d.record(d.at(0), 'error', { times: 5 });
    await d.clock.advance(59_000);
    expect(d.clock.pendingTimers).toBe(1);
    await d.clock.advance(1_000);
    expect(d.pool.probes.size).toBe(1);
    expect(d.clock.pendingTimers).toBe(0);
  });

  it('lets back what it took out when it is closed, and does nothing more', async () => {
    const d = new Detection();
    d.record(d.at(0), 'error', { times: 5 });
    d.record(d.at(1), 'ok', { times: 60, latencyMs: 300 });
    d.answerAll({ times: 60, latencyMs: 10, but: [d.at(1)] });
    d.detector.isolate(d.at(2));
    await d.clock.advance(1_000);
    expect([d.at(0).ejected, d.at(1).slow]).toEqual([true, true]);
    {
      using _scoped = d.detector;
    }
    d.detector.close();
    expect([d.at(0).ejected, d.at(1).slow, d.at(2).isolated]).toEqual([false, false, true]);
    expect(d.clock.pendingTimers).toBe(0);
    d.record(d.at(0), 'error', { times: 50 });
    d.detector.holdOff(d.at(0), 1_000);
    d.detector.isolate(d.at(3));
    expect([d.ejected, d.at(3).isolated, d.clock.pendingTimers]).toEqual([[], false, 0]);
  });

  it('goes on when its listener throws', () => {
    const error = vi.fn();
    setLogger({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error });
    const pool = new FakePool(3);
    const onEvent = (): void => {
      throw new Error('mine');
    };
    const detector = new OutlierDetector({ service: 'orders', pool, clock: new ManualClock(), onEvent });
    const [first] = pool.endpoints;
    if (first === undefined) throw new Error('no endpoint');
    for (let time = 0; time < 5; time += 1) detector.record(first, 'error', 1);
    expect(first.ejected).toBe(true);
    expect(error).toHaveBeenCalledOnce();
    detector.close();
  });

  it('lets its listener isolate one that was just let back, and release it', async () => {
    const [pool, clock] = [new FakePool(3), new ManualClock()];
    const onEvent = ({ type, endpoint }: OutlierEvent): void => {
      if (type === 'return') detector.isolate(endpoint);
    };
    const detector = new OutlierDetector({ service: 'orders', pool, clock, onEvent });
    const [first, ...others] = pool.endpoints;
    if (first === undefined) throw new Error('no endpoint');
    for (let time = 0; time < 5; time += 1) detector.record(first, 'error', 1);
    for (const other of others) detector.record(other, 'error', 1);
    await clock.advance(1_000);
    expect(first).toMatchObject({ isolated: true, ejected: false });

    detector.release(first);

    expect(first).toMatchObject({ isolated: false, ejected: false });
    detector.close();
  });

  it('has defaults, also for parts of a rule', () => {
    const d = new Detection({ options: { successRate: { attempts: 40 }, consecutiveFailures: undefined } });
    for (let time = 0; time < 39; time += 1) d.record(d.at(0), time % 4 === 0 ? 'error' : 'ok');
    expect(d.ejected).toEqual([]);
    d.record(d.at(0), 'error');
    expect(d.events).toMatchObject([{ reason: 'rate', attempts: 40 }]);
  });

  it.each<[OutlierOptions, string]>([
    [{ consecutiveFailures: 0 }, 'consecutiveFailures'],
    [{ consecutiveTimeouts: 1.5 }, 'consecutiveTimeouts'],
    [{ connectFailures: true as never }, 'connectFailures'],
    [{ successRate: { least: 80 } }, 'successRate.least'],
    [{ successRate: { attempts: '20' as never } }, 'successRate.attempts'],
    [{ successRate: 0.8 as never }, 'successRate'],
    [{ deviation: { surprise: 1 } as never }, 'deviation.surprise'],
    [{ latency: { factor: 1 } }, 'latency.factor'],
    [{ latency: { baseMs: 400_000 } }, 'latency'],
    [{ silence: { forMs: 0 } }, 'silence.forMs'],
    [{ ejection: { baseMs: Infinity } }, 'ejection.baseMs'],
    [{ ejection: { baseMs: 10, maxMs: 5 } }, 'ejection'],
    [{ maxEjected: 30 }, 'maxEjected'],
    [{ maxHoldOffMs: Number.NaN }, 'maxHoldOffMs'],
    [{ surprise: 1 } as never, 'surprise'],
  ])('checks its options: %o', (options, field) => {
    const make = () => new OutlierDetector({ service: 'orders', pool: new FakePool(1), options });
    expect(make).toThrow(ConfigValidationError);
    expect(make).toThrow(expect.objectContaining({ field }));
  });

  it.each([
    [null, ''],
    [{ pool: new FakePool(1) }, 'service'],
    [{ service: 'orders', pool: undefined }, 'pool'],
  ])('checks what it is made of: %o', (parts, field) => {
    // @ts-expect-error as plain JavaScript may call it
    const make = (): unknown => new OutlierDetector(parts);
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SD_CONFIG', field }));
  });
});

describe('a detector on an EndpointPool', () => {
  it('takes a black hole out of rotation and, when it is well, lets it back', async () => {
    const clock = new ManualClock();
    const pool = new EndpointPool({ service: 'orders', clock, rng: seededRng(1) });
    pool.update(
      Array.from({ length: 10 }, (_, index) =>
        createInstance({ service: 'orders', host: `h${index}`, port: 80, id: `i${index}` }, 1),
      ),
    );
    const set = pool.set('round-robin');
    const detector = new OutlierDetector({ service: 'orders', pool, clock, rng: seededRng(2) });
    const call = (outcomeOf: (endpoint: Endpoint) => Outcome): Outcome => {
      const endpoint = set.pick(anyRequest);
      if (endpoint === undefined) throw new Error('nobody');
      const outcome = outcomeOf(endpoint);
      pool.finish(endpoint, outcome, 0);
      detector.record(endpoint, outcome, 0);
      return outcome;
    };
    const bad = ({ id }: Endpoint): Outcome => (id === 'i3' ? 'error' : 'ok');
    let failures = 0;
    for (let time = 0; time < 3_000; time += 1) {
      if (call(bad) === 'error') failures += 1;
      await clock.advance(10);
    }
    // Five, and probes after about 5 and 15 s.
    expect(failures).toBe(7);
    const isOut = (): boolean => pool.endpoints.some(({ ejected }) => ejected);
    expect(isOut()).toBe(true);
    for (let time = 0; time < 2_000; time += 1) {
      call(() => 'ok');
      await clock.advance(10);
    }
    expect(isOut()).toBe(false);
    detector.close();
    pool.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('onAnswer', () => {
  function hearing(): Detection & { readonly heard: number[] } {
    const heard: number[] = [];
    const onAnswer = (_endpoint: Endpoint, latencyMs: number): void => void heard.push(latencyMs);
    return Object.assign(new Detection({ onAnswer }), { heard });
  }

  function answer(d: Detection, latencies: readonly number[]): void {
    for (const latencyMs of latencies) d.record(d.at(0), 'ok', { latencyMs });
  }

  it('hears of the first answer at once, and of the following together, in their order', () => {
    const d = hearing();
    const latencies = Array.from({ length: 65 }, (_, index) => index);
    answer(d, latencies.slice(0, 64));
    expect(d.heard).toEqual([0]);
    answer(d, latencies.slice(64));
    expect(d.heard).toEqual(latencies);
  });

  it('hears of them when something depends on them: before a failure, and when it is asked', () => {
    const d = hearing();
    answer(d, [1, 2]);
    d.record(d.at(1), 'error');
    expect(d.heard).toEqual([1, 2]);
    answer(d, [3]);
    expect(d.detector.answersMs(1)).toBeCloseTo(3, 0);
    expect(d.heard).toEqual([1, 2, 3]);
  });

  it('hears of them a second later at the latest, and when the detector closes', async () => {
    const d = hearing();
    answer(d, [1, 2]);
    await d.clock.advance(1_000);
    expect(d.heard).toEqual([1, 2]);
    answer(d, [3]);
    d.detector.close();
    expect(d.heard).toEqual([1, 2, 3]);
  });
});

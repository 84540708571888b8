import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { Detection, type Given } from './detection.ts';

/** With e0 ejected. */
function withOneOut(given: Given = {}): Detection {
  const d = new Detection(given);
  d.record(d.at(0), 'error', { times: 5 });
  return d;
}

describe('an ejected endpoint', () => {
  it('stays ejected and is probed when its time is over', async () => {
    const d = withOneOut();
    await d.clock.advance(4_999);
    expect(d.pool.probes.size).toBe(0);
    await d.clock.advance(1);
    expect([...d.pool.probes]).toEqual([d.at(0)]);
    expect(d.ejected).toEqual(['e0']);
    expect(d.detector.stateOf(d.at(0))).toEqual({ value: 'half-open', reason: 'failures', since: 5_000 });
    expect(d.events.at(-1)).toEqual({ type: 'half-open', endpoint: d.at(0), reason: 'failures' });
  });

  it('is back when the probe is ok, and what it did before does not count', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'ok', 5);
    expect(d.ejected).toEqual([]);
    expect(d.detector.stateOf(d.at(0))).toEqual({ value: 'closed' });
    expect(d.events.at(-1)).toEqual({
      type: 'return',
      endpoint: d.at(0),
      reason: 'failures',
      afterMs: 5_005,
    });
    d.record(d.at(0), 'error', { times: 4 });
    d.record(d.at(0), 'ok', { times: 16 });
    expect(d.ejected).toEqual([]);
  });

  it.each(['error', 'overload', 'timeout'] as const)(
    'is ejected for longer when the probe ends as %s',
    async (outcome) => {
      const d = withOneOut();
      await d.clock.advance(5_000);
      await d.probe(d.at(0), outcome);
      expect(d.ejected).toEqual(['e0']);
      expect(d.events.at(-1)).toMatchObject({
        type: 'eject',
        reason: 'probe',
        outcome,
        forMs: 10_000,
        ejections: 2,
      });
    },
  );

  it('is ejected for 300 s at most', async () => {
    const d = withOneOut();
    for (let time = 0; time < 8; time += 1) {
      await d.clock.advance(300_000);
      await d.probe(d.at(0), 'error');
    }
    expect(d.eventsOf('eject').map(({ forMs }) => forMs / 1_000)).toEqual([
      5, 10, 20, 40, 80, 160, 300, 300, 300,
    ]);
  });

  it('is ejected for 20 % more or less, so that consumers do not come back together', () => {
    const rng = seededRng(5);
    const times = Array.from({ length: 100 }, () => withOneOut({ rng }).eventsOf('eject')[0]?.forMs ?? 0);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(4_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(6_000);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(1_500);
  });

  it('does not come back by answers to what was asked before it was probed', async () => {
    const d = withOneOut();
    d.record(d.at(0), 'ok', { latencyMs: 0 });
    await d.clock.advance(5_000.25);
    d.record(d.at(0), 'ok', { latencyMs: 3_000 });
    d.record(d.at(0), 'error', { latencyMs: 1 });
    expect(d.detector.stateOf(d.at(0)).value).toBe('half-open');
    await d.clock.advance(0.75);
    d.record(d.at(0), 'ok', { latencyMs: 1 });
    expect(d.ejected).toEqual([]);
  });

  it('is probed again when the probe lost against another attempt', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'cancelled');
    await d.probe(d.at(0), 'cancelled');
    expect(d.detector.stateOf(d.at(0)).value).toBe('half-open');
    await d.probe(d.at(0), 'ok');
    expect(d.ejected).toEqual([]);
  });

  it.each([
    ['5 s, where all that is in flight was answered', 2, 5_000],
    ['30 s, where something in flight may be the probe', 1, 30_000],
  ])('is probed again when nothing was heard of the probe for %s', async (_, answering, afterMs) => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    d.pool.probes.clear();
    Object.assign(d.at(0), { inFlight: 2, answering });
    for (let passed = 0; passed < afterMs; passed += 1_000) {
      expect(d.pool.probes.size).toBe(0);
      d.answerAll();
      await d.clock.advance(1_000);
    }
    expect([...d.pool.probes]).toEqual([d.at(0)]);
  });

  it('is ejected for longer when three probes in a row lost', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    for (let time = 0; time < 3; time += 1) await d.probe(d.at(0), 'cancelled');
    expect(d.events.at(-1)).toMatchObject({
      type: 'eject',
      reason: 'probe',
      outcome: 'cancelled',
      forMs: 10_000,
    });
    await d.clock.advance(10_000);
    for (let time = 0; time < 2; time += 1) await d.probe(d.at(0), 'cancelled');
    expect(d.detector.stateOf(d.at(0)).value).toBe('half-open');
  });

  it('is probed again when nothing was heard of the probe, but not while it is under way', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    d.pool.probes.clear();
    d.at(0).inFlight = 1;
    const traffic = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        d.answerAll();
        await d.clock.advance(1_000);
      }
    };
    await traffic(6);
    expect(d.pool.probes.size).toBe(0);
    d.at(0).inFlight = 0;
    await traffic(2);
    expect([...d.pool.probes]).toEqual([d.at(0)]);
    expect(d.pool.probesAsked).toBe(2);
  });

  it('is not forgiven for the time that it waits for a probe', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'ok', 0);
    d.record(d.at(0), 'error', { times: 5 });
    await d.clock.advance(300_000);
    await d.probe(d.at(0), 'error', 0);
    expect(d.events.at(-1)).toMatchObject({ forMs: 20_000, ejections: 3 });
  });

  it('is forgiven one ejection each time that it is well for as long as the last one', async () => {
    const d = withOneOut();
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'error', 0); // 10 s
    await d.clock.advance(10_000);
    await d.probe(d.at(0), 'ok', 0);
    await d.clock.advance(9_999);
    d.record(d.at(0), 'error', { times: 5 });
    expect(d.events.at(-1)).toMatchObject({ forMs: 20_000, ejections: 3 });
    await d.clock.advance(20_000);
    await d.probe(d.at(0), 'ok', 0);
    await d.clock.advance(30_000); // 20 s and 10 s: two are forgiven
    d.record(d.at(0), 'error', { times: 5 });
    expect(d.events.at(-1)).toMatchObject({ forMs: 10_000, ejections: 2 });
  });
});

describe('the cap', () => {
  it('lets 30 % of the endpoints be ejected, and says once whom it spared', async () => {
    const d = new Detection({ endpoints: 10 });
    for (let slot = 0; slot < 5; slot += 1) d.record(d.at(slot), 'error', { times: 8 });
    await d.clock.advance(3_000);
    expect(d.ejected).toEqual(['e0', 'e1', 'e2']);
    expect(d.eventsOf('cap')).toMatchObject([
      { endpoint: { id: 'e3' }, reason: 'failures', ejected: 3, most: 3 },
      { endpoint: { id: 'e4' }, reason: 'failures', ejected: 3, most: 3 },
    ]);
  });

  it('lets one be ejected of however few', () => {
    const d = new Detection({ endpoints: 2 });
    for (const slot of [0, 1]) d.record(d.at(slot), 'error', { times: 5 });
    expect(d.ejected).toEqual(['e0']);
  });

  it('ejects whom it spared as soon as there is room, if it still fails', async () => {
    const d = new Detection({ endpoints: 3 });
    for (const slot of [0, 1]) d.record(d.at(slot), 'error', { times: 5 });
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'ok');
    await d.clock.advance(1_000);
    expect(d.ejected).toEqual(['e1']);
  });

  it('does not eject whom it spared if it is well by then', async () => {
    const d = new Detection({ endpoints: 2 });
    for (const slot of [0, 1]) d.record(d.at(slot), 'error', { times: 5 });
    d.record(d.at(1), 'ok', { times: 40 });
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'ok');
    await d.clock.advance(2_000);
    expect(d.ejected).toEqual([]);
    d.record(d.at(0), 'error', { times: 5 });
    d.record(d.at(1), 'error', { times: 5 });
    expect(d.eventsOf('cap')).toHaveLength(2); // said anew
  });

  it('remembers who asked to be left alone, for as long as was asked', async () => {
    const d = new Detection({ endpoints: 3 });
    d.record(d.at(0), 'error', { times: 5 });
    d.detector.holdOff(d.at(1), 20_000);
    d.detector.holdOff(d.at(2), 2_000);
    await d.clock.advance(5_000);
    await d.probe(d.at(0), 'ok', 0);
    await d.clock.advance(1_000);
    expect(d.ejected).toEqual(['e1']);
    expect(d.events.at(-1)).toMatchObject({ type: 'eject', reason: 'asked', forMs: 14_000 });
  });

  it('does not count those that cannot be connected to', () => {
    const d = new Detection({ endpoints: 10 });
    for (let slot = 0; slot < 8; slot += 1) d.record(d.at(slot), 'connect-failure');
    for (const slot of [8, 9]) d.record(d.at(slot), 'error', { times: 5 });
    expect(d.ejected).toHaveLength(10);
  });

  it('lets back one that can be connected to again and would be one too many for failing', async () => {
    const d = new Detection({ endpoints: 2 });
    d.record(d.at(1), 'connect-failure');
    d.record(d.at(0), 'error', { times: 5 });
    await d.clock.advance(1_000);
    await d.probe(d.at(1), 'error');
    expect(d.ejected).toEqual(['e0']);
    expect(d.events.slice(-2).map(({ type }) => type)).toEqual(['cap', 'return']);
  });

  it('can be set, or switched off', () => {
    for (const [maxEjected, expected] of [
      [0.5, 5],
      [false, 10],
    ] as const) {
      const d = new Detection({ options: { maxEjected } });
      for (const endpoint of d.pool.endpoints) d.record(endpoint, 'error', { times: 5 });
      expect(d.ejected).toHaveLength(expected);
    }
  });
});

describe('an isolated endpoint', () => {
  it('is out until it is released, whatever it does', async () => {
    const d = withOneOut();
    d.detector.isolate(d.at(0));
    d.detector.isolate(d.at(0));
    expect(d.at(0)).toMatchObject({ isolated: true, ejected: false });
    expect(d.detector.stateOf(d.at(0))).toEqual({ value: 'isolated', since: 0 });
    await d.clock.advance(60_000);
    d.record(d.at(0), 'ok', { times: 100 });
    d.record(d.at(0), 'error', { times: 100 });
    d.detector.holdOff(d.at(0), 1_000);
    expect(d.at(0)).toMatchObject({ isolated: true, ejected: false });
    d.detector.release(d.at(0));
    d.detector.release(d.at(0));
    expect(d.at(0)).toMatchObject({ isolated: false, ejected: false });
    expect(d.detector.stateOf(d.at(0))).toEqual({ value: 'closed' });
    expect(d.events.map(({ type }) => type)).toEqual(['eject', 'isolate', 'release']);
  });

  it('does not count for the cap', () => {
    const d = new Detection({ endpoints: 3 });
    d.record(d.at(0), 'error', { times: 5 });
    d.detector.isolate(d.at(0));
    d.record(d.at(1), 'error', { times: 5 });
    expect(d.ejected).toEqual(['e1']);
  });
});

describe('where most fail', () => {
  it('nobody is ejected for it: it is no fault of theirs', async () => {
    const d = new Detection({ endpoints: 3 });
    for (let time = 0; time < 50; time += 1) {
      for (const slot of [0, 1, 2]) d.record(d.at(slot), time % 2 === 0 ? 'overload' : 'timeout');
    }
    await d.clock.advance(3_000);
    expect(d.ejected).toEqual([]);
  });

  it('those that were ejected for how they answer are let back', async () => {
    const d = new Detection({ endpoints: 3 });
    d.record(d.at(0), 'error', { times: 5 });
    expect(d.ejected).toEqual(['e0']);
    for (const slot of [1, 2]) d.record(d.at(slot), 'overload');
    await d.clock.advance(1_000);
    expect(d.ejected).toEqual([]);
    expect(d.eventsOf('return')).toMatchObject([{ endpoint: { id: 'e0' }, reason: 'failures' }]);
  });

  it('nobody is ejected while all together fail more than a fifth of their attempts', async () => {
    const d = new Detection({ endpoints: 10 });
    for (let time = 0; time < 100; time += 1) {
      for (let slot = 0; slot < 10; slot += 1) d.record(d.at(slot), (time + slot) % 4 === 0 ? 'error' : 'ok');
    }
    await d.clock.advance(1_000);
    d.record(d.at(0), 'error', { times: 10 });
    expect(d.ejected).toEqual([]);
    await d.clock.advance(3_000); // the others have nothing to be said against them any more
    d.record(d.at(0), 'error', { times: 5 });
    expect(d.ejected).toEqual(['e0']);
  });

  it('having been ejected is forgotten', async () => {
    const d = new Detection({ endpoints: 3 });
    for (let round = 0; round < 3; round += 1) {
      d.record(d.at(0), 'error', { times: 5 });
      for (const slot of [1, 2]) d.record(d.at(slot), 'error');
      await d.clock.advance(1_000);
      for (const slot of [0, 1, 2]) d.record(d.at(slot), 'ok');
      await d.clock.advance(3_000);
    }
    expect(d.eventsOf('eject').map(({ forMs }) => forMs)).toEqual([5_000, 5_000, 5_000]);
  });

  it('those that cannot be connected to stay out', async () => {
    const d = new Detection({ endpoints: 3, options: { reconnection: { baseMs: 10_000 } } });
    d.record(d.at(0), 'connect-failure');
    for (const slot of [1, 2]) d.record(d.at(slot), 'error');
    await d.clock.advance(5_000);
    expect(d.ejected).toEqual(['e0']);
  });

  it('one that fails beside one well and one failing peer is ejected all the same', () => {
    const d = new Detection({ endpoints: 3 });
    d.record(d.at(2), 'ok');
    for (let time = 0; time < 5; time += 1) for (const slot of [0, 1]) d.record(d.at(slot), 'error');
    expect(d.ejected).toEqual(['e0']);
  });

  it('a rate is none of an outlier when the others have it too', async () => {
    const d = new Detection({ endpoints: 3 });
    for (let time = 0; time < 100; time += 1) {
      for (const slot of [0, 1, 2]) d.record(d.at(slot), time % 3 === 0 ? 'error' : 'ok');
    }
    await d.clock.advance(3_000);
    expect(d.ejected).toEqual([]);
  });
});

describe('an endpoint to which a connection opens', () => {
  it('is back at once when it was out as unreachable', () => {
    const d = new Detection();
    d.record(d.at(0), 'connect-failure');
    expect(d.ejected).toEqual(['e0']);

    d.detector.reached(d.at(0));

    expect(d.ejected).toEqual([]);
    expect(d.events.at(-1)).toMatchObject({ type: 'return', reason: 'unreachable' });
  });

  it('stays out for how it answered', () => {
    const d = withOneOut();
    d.detector.reached(d.at(0));
    expect(d.ejected).toEqual(['e0']);
  });
});

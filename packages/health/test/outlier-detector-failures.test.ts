import { describe, expect, it } from 'vitest';
import { noOutlierRules } from '../src/outlier-options.ts';
import { Detection } from './detection.ts';

describe('an endpoint that fails', () => {
  it.each(['error', 'overload', 'timeout'] as const)('is ejected after 5 times %s in a row', (outcome) => {
    const d = new Detection();
    d.record(d.at(0), outcome, { times: 4 });
    d.record(d.at(1), outcome, { times: 4 });
    expect(d.ejected).toEqual([]);
    d.record(d.at(0), outcome);
    expect(d.ejected).toEqual(['e0']);
    expect(d.events).toEqual([
      {
        type: 'eject',
        endpoint: d.at(0),
        reason: 'failures',
        outcome: outcome === 'timeout' ? 'timeout' : 'error',
        consecutive: 5,
        forMs: 5_000,
        ejections: 1,
      },
    ]);
    expect(d.detector.stateOf(d.at(0))).toEqual({
      value: 'open',
      reason: 'failures',
      since: 0,
      until: 5_000,
    });
    expect(d.detector.stateOf(d.at(1))).toEqual({ value: 'closed' });
  });

  it('is not while an ok comes in between', () => {
    const d = new Detection({ options: { successRate: false } });
    for (let time = 0; time < 20; time += 1) {
      d.record(d.at(0), 'error', { times: 4 });
      d.record(d.at(0), 'timeout', { times: 4 });
      d.record(d.at(0), 'ok');
    }
    expect(d.ejected).toEqual([]);
  });

  it('is not for attempts that lost against others', () => {
    const d = new Detection();
    d.record(d.at(0), 'cancelled', { times: 100, latencyMs: 50 });
    expect(d.ejected).toEqual([]);
  });

  it('is not if no rule is on', () => {
    const d = new Detection({ options: noOutlierRules });
    for (const outcome of ['error', 'timeout', 'connect-failure', 'cancelled'] as const)
      d.record(d.at(0), outcome, { times: 500, latencyMs: 10_000 });
    d.detector.holdOff(d.at(0), 1_000);
    expect(d.events).toEqual([]);
  });
});

describe('an endpoint that cannot be connected to', () => {
  it('is ejected at once, as unreachable', () => {
    const d = new Detection();
    d.record(d.at(0), 'connect-failure');
    expect(d.at(0)).toMatchObject({ ejected: true, unreachable: true });
    expect(d.events).toMatchObject([{ type: 'eject', reason: 'unreachable', forMs: 1_000 }]);
  });

  it('is ejected after as many failures as told, unless it answers in between', () => {
    const d = new Detection({ options: { connectFailures: 3, successRate: false } });
    for (const answer of ['ok', 'error', 'ok'] as const) {
      d.record(d.at(0), 'connect-failure', { times: 2 });
      d.record(d.at(0), answer);
    }
    expect(d.ejected).toEqual([]);
    d.record(d.at(0), 'connect-failure', { times: 3 });
    expect(d.ejected).toEqual(['e0']);
  });

  it('is left alone for longer each time, up to 30 s', async () => {
    const d = new Detection();
    d.record(d.at(0), 'connect-failure');
    for (let time = 0; time < 6; time += 1) {
      await d.clock.advance(40_000);
      await d.probe(d.at(0), 'connect-failure', 0);
    }
    expect(d.eventsOf('eject').map(({ forMs }) => forMs)).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
  });

  it('is ejected like any other when it can be connected to again, and fails', async () => {
    const d = new Detection();
    d.record(d.at(0), 'connect-failure');
    await d.clock.advance(1_000);
    await d.probe(d.at(0), 'error');
    expect(d.at(0)).toMatchObject({ ejected: true, unreachable: false });
    expect(d.events.at(-1)).toMatchObject({ type: 'eject', reason: 'probe', outcome: 'error', forMs: 5_000 });
  });
});

describe('an endpoint that succeeds too seldom', () => {
  it('is ejected when less than 80 % of 20 attempts succeed', () => {
    const d = new Detection();
    const outcomes = ['ok', 'ok', 'ok', 'error'] as const;
    for (let time = 0; time < 19; time += 1) d.record(d.at(0), outcomes[time % 4] ?? 'ok');
    expect(d.ejected).toEqual([]);
    d.record(d.at(0), 'error');
    expect(d.events).toMatchObject([{ type: 'eject', reason: 'rate', successRate: 0.75, attempts: 20 }]);
  });

  it('is not when just 80 % do', () => {
    const d = new Detection({ options: { deviation: false } });
    for (let time = 0; time < 200; time += 1) d.record(d.at(0), time % 5 === 4 ? 'error' : 'ok');
    expect(d.ejected).toEqual([]);
  });

  it('is judged by the last 10 s', async () => {
    const d = new Detection();
    for (let time = 0; time < 19; time += 1) d.record(d.at(0), time % 3 === 0 ? 'ok' : 'overload');
    await d.clock.advance(11_000);
    d.record(d.at(0), 'overload');
    expect(d.ejected).toEqual([]);
  });
});

describe('an endpoint that fails more often than the others do', () => {
  /** Of 200 attempts each, so many fail, evenly spread. */
  async function failing(d: Detection, ...failures: number[]): Promise<void> {
    failures.forEach((count, slot) => {
      for (let time = 0; time < 200; time += 1) {
        const due = (attempts: number): number => Math.floor((attempts * count) / 200 + 0.5);
        const isFailure = due(time + 1) > due(time);
        d.record(d.at(slot), isFailure ? 'error' : 'ok');
      }
    });
    await d.clock.advance(1_000);
  }

  it('is ejected when it is 1.9 standard deviations below the mean', async () => {
    const d = new Detection();
    await failing(d, 0, 1, 2, 1, 0, 1, 2, 1, 0, 36);
    expect(d.ejected).toEqual(['e9']);
    expect(d.events).toMatchObject([{ type: 'eject', reason: 'outlier', successRate: 0.82, attempts: 200 }]);
  });

  it('is not when it is less than 5 percentage points below', async () => {
    const d = new Detection();
    await failing(d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10);
    expect(d.ejected).toEqual([]);
  });

  it('is not when it may be chance', async () => {
    const d = new Detection();
    await failing(d, 10, 10, 10, 10, 10, 10, 10, 10, 10, 22); // 6 percentage points, 3.8 times its standard error
    expect(d.ejected).toEqual([]);
  });

  it('is not when there are fewer than 5 to compare with', async () => {
    const d = new Detection({ endpoints: 4, options: { deviation: { factor: 1 } } });
    await failing(d, 0, 0, 0, 36);
    expect(d.ejected).toEqual([]);
  });

  it('is not compared with those that are ejected', async () => {
    const d = new Detection({ endpoints: 5, options: { deviation: { factor: 1 }, maxEjected: false } });
    d.record(d.at(4), 'ok', { times: 200 });
    d.detector.holdOff(d.at(4), 9_000);
    await failing(d, 0, 0, 0, 36);
    expect(d.ejected).toEqual(['e4']);
  });

  it('is not compared with those that had less than 100 attempts', async () => {
    const d = new Detection();
    d.answerAll({ times: 99, but: [d.at(9)] });
    await failing(d, 0, 0, 0);
    for (let time = 0; time < 200; time += 1) d.record(d.at(9), time % 6 === 5 ? 'error' : 'ok');
    await d.clock.advance(1_000);
    expect(d.ejected).toEqual([]);
  });
});

describe('an endpoint that asks to be left alone', () => {
  it('is, for as long as it asks, and then probed', async () => {
    const d = new Detection();
    d.detector.holdOff(d.at(0), 7_000);
    expect(d.events).toEqual([
      { type: 'eject', endpoint: d.at(0), reason: 'asked', askedMs: 7_000, forMs: 7_000, ejections: 0 },
    ]);
    await d.clock.advance(6_999);
    expect(d.pool.probes.size).toBe(0);
    await d.clock.advance(1);
    await d.probe(d.at(0), 'ok');
    expect(d.ejected).toEqual([]);
  });

  it('is for 30 s at most', () => {
    const d = new Detection();
    d.detector.holdOff(d.at(0), 1e9);
    expect(d.events).toMatchObject([{ forMs: 30_000 }]);
  });

  it('does not come back earlier for having asked', () => {
    const d = new Detection();
    d.record(d.at(0), 'error', { times: 5 });
    d.detector.holdOff(d.at(0), 100);
    expect(d.detector.stateOf(d.at(0))).toMatchObject({ reason: 'failures', until: 5_000 });
    d.detector.holdOff(d.at(0), 8_000);
    expect(d.detector.stateOf(d.at(0))).toMatchObject({ reason: 'asked', until: 8_000 });
  });

  it.each([0, -5, Number.NaN])('is not for %d ms', (forMs) => {
    const d = new Detection();
    d.detector.holdOff(d.at(0), forMs);
    expect(d.events).toEqual([]);
  });
});

describe('endpoints that failed and take no requests any more', () => {
  /** Two of five fail at their last attempt; what happens to them then; later a third one fails. */
  async function ejectedAfter(gone: (d: Detection) => void): Promise<readonly string[]> {
    const d = new Detection({ endpoints: 5 });
    d.answerAll();
    const bad = [d.at(0), d.at(1), d.at(2)];
    for (const endpoint of bad) d.record(endpoint, 'error');
    gone(d);
    for (let second = 0; second < 20; second += 1) {
      await d.clock.advance(1_000);
      d.answerAll({ but: bad });
    }
    d.record(d.at(3), 'error', { times: 5 });
    return d.ejected;
  }

  it('do not keep others from being ejected when they have left', async () => {
    expect(
      await ejectedAfter((d) => {
        for (const slot of [0, 1, 2]) d.pool.remove(d.at(slot));
      }),
    ).toEqual(['e3']);
  });

  it('do not keep others from being ejected when an operator has isolated them', async () => {
    expect(
      await ejectedAfter((d) => {
        for (const slot of [0, 1, 2]) d.detector.isolate(d.at(slot));
      }),
    ).toEqual(['e3']);
  });

  it('do not keep others from being ejected when they say that they are unhealthy', async () => {
    expect(
      await ejectedAfter((d) => {
        for (const slot of [0, 1, 2]) {
          const endpoint = d.at(slot);
          endpoint.instance = { ...endpoint.instance, status: 'unhealthy' };
        }
      }),
    ).toEqual(['e3']);
  });
});

describe('one of few endpoints that fails most of its requests, but not in a row', () => {
  it.each([2, 3])('is ejected by its rate: one of %d', async (endpoints) => {
    const d = new Detection({ endpoints });
    const [bad] = d.pool.endpoints;
    for (let second = 0; second < 30 && d.ejected.length === 0; second += 1) {
      for (let round = 0; round < 3 && bad !== undefined; round += 1) {
        d.record(bad, 'error', { times: 4 });
        d.record(bad, 'ok');
        d.answerAll({ times: 5, but: [bad] });
      }
      await d.clock.advance(1_000);
    }
    expect(d.ejected).toEqual(['e0']);
  });
});

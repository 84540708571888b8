import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { Detection } from './detection.ts';

/** So many answers each, in a second: the first ones slow, the others not. */
async function answering(
  d: Detection,
  slow: readonly number[],
  latencyMs: number,
  times = 60,
): Promise<void> {
  const slowOnes = slow.map((slot) => d.at(slot));
  for (const endpoint of slowOnes) d.record(endpoint, 'ok', { times, latencyMs });
  d.answerAll({ times, latencyMs: 20, but: slowOnes });
  await d.clock.advance(1_000);
}

const slowOnes = (d: Detection): string[] => d.pool.endpoints.filter(({ slow }) => slow).map(({ id }) => id);

describe('a slow endpoint', () => {
  it('is degraded, not ejected, when it takes over three times as long as its peers', async () => {
    const d = new Detection();
    await answering(d, [3], 80);
    expect(slowOnes(d)).toEqual(['e3']);
    expect(d.ejected).toEqual([]);
    expect(d.events).toMatchObject([
      { type: 'degrade', endpoint: { id: 'e3' }, forMs: 5_000, degradations: 1 },
    ]);
    const [event] = d.eventsOf('degrade');
    expect(event?.p90Ms).toBeGreaterThan(72);
    expect(event?.p90Ms).toBeLessThan(88);
    expect(event?.peersP90Ms).toBeGreaterThan(18);
    expect(event?.peersP90Ms).toBeLessThan(22);
  });

  it('is degraded within 2 s, however much it has answered in time before', async () => {
    const d = new Detection({ endpoints: 3 });
    for (let time = 0; time < 100; time += 1) {
      d.answerAll({ times: 20, latencyMs: 20 });
      await d.clock.advance(100);
    }
    for (let time = 0; time < 20; time += 1) {
      d.answerAll({ times: 20, latencyMs: 20, but: [d.at(1)] });
      d.record(d.at(1), 'ok', { times: 4, latencyMs: 320 });
      await d.clock.advance(100);
    }
    expect(d.eventsOf('degrade')).toMatchObject([{ endpoint: { id: 'e1' } }]);
  });

  it('is not when it takes twice as long', async () => {
    const d = new Detection();
    await answering(d, [3], 40);
    expect(slowOnes(d)).toEqual([]);
  });

  it('is not for a few slow answers', async () => {
    const d = new Detection();
    d.record(d.at(3), 'ok', { times: 5, latencyMs: 900 });
    await answering(d, [], 0);
    expect(slowOnes(d)).toEqual([]);
  });

  it('is not for less than 10 ms', async () => {
    const d = new Detection({ endpoints: 4 });
    for (const slot of [0, 1, 2]) d.record(d.at(slot), 'ok', { times: 60, latencyMs: 1 });
    d.record(d.at(3), 'ok', { times: 60, latencyMs: 9 });
    await d.clock.advance(1_000);
    expect(slowOnes(d)).toEqual([]);
    d.record(d.at(3), 'ok', { times: 60, latencyMs: 14 });
    await d.clock.advance(1_000);
    expect(slowOnes(d)).toEqual(['e3']);
  });

  it('is not without 50 latencies of its own and of a peer', async () => {
    const few = new Detection({ endpoints: 3 });
    few.record(few.at(0), 'ok', { times: 49, latencyMs: 500 });
    few.answerAll({ times: 60, latencyMs: 20, but: [few.at(0)] });
    await few.clock.advance(1_000);
    expect(slowOnes(few)).toEqual([]);

    const alone = new Detection({ endpoints: 3 });
    alone.record(alone.at(0), 'ok', { times: 60, latencyMs: 500 });
    alone.answerAll({ times: 49, latencyMs: 20, but: [alone.at(0)] });
    await alone.clock.advance(1_000);
    expect(slowOnes(alone)).toEqual([]);
  });

  it('has one peer to compare with in a service of two', async () => {
    const d = new Detection({ endpoints: 2 });
    await answering(d, [1], 200);
    expect(slowOnes(d)).toEqual(['e1']);
  });

  it('is slow by timeouts and by attempts that lost, too', async () => {
    for (const outcome of ['timeout', 'cancelled'] as const) {
      const d = new Detection({
        options: { consecutiveTimeouts: false, successRate: false, silence: false },
      });
      d.record(d.at(3), outcome, { times: 60, latencyMs: 400 });
      await answering(d, [], 0);
      expect(slowOnes(d)).toEqual(['e3']);
    }
  });

  it('is slow when its attempts lose against others, however soon those answer', async () => {
    const d = new Detection({ options: { silence: false } });
    d.record(d.at(3), 'cancelled', { times: 20, latencyMs: 40 });
    d.record(d.at(3), 'ok', { times: 50, latencyMs: 20 });
    await answering(d, [], 0);
    expect(slowOnes(d)).toEqual(['e3']);
  });

  it('is not slow where all are', async () => {
    const d = new Detection();
    await answering(d, [0, 1, 2, 3, 4, 5], 300);
    await answering(d, [0, 1, 2, 3, 4, 5], 300);
    expect(slowOnes(d)).toEqual([]);
  });

  it('is one of half the endpoints at most', async () => {
    const d = new Detection({ endpoints: 6 });
    for (const slow of [0, 1, 2, 3]) {
      d.record(d.at(slow), 'ok', { times: 60, latencyMs: 200 });
      for (const endpoint of d.pool.endpoints.slice(slow + 1))
        d.record(endpoint, 'ok', { times: 60, latencyMs: 20 });
      await d.clock.advance(12_000); // those that are degraded have no traffic
    }
    expect(slowOnes(d)).toEqual(['e0', 'e1', 'e2']);
  });

  it('does not count any more when it has left', async () => {
    const d = new Detection({ endpoints: 2 });
    await answering(d, [0], 200);
    d.pool.replace(d.at(0));
    await d.clock.advance(12_000);
    await answering(d, [1], 200);
    expect(slowOnes(d)).toEqual(['e1']);
  });
});

describe('a degraded endpoint', () => {
  async function degraded(): Promise<Detection> {
    const d = new Detection();
    await answering(d, [0], 200);
    expect(slowOnes(d)).toEqual(['e0']);
    await d.clock.advance(4_999);
    expect(d.pool.probes.size).toBe(0);
    await d.clock.advance(1);
    return d;
  }

  it('is probed after a while with three attempts, and is as good as new if they are fast', async () => {
    const d = await degraded();
    await d.probe(d.at(0), 'ok', 25);
    await d.probe(d.at(0), 'ok', 90);
    expect(slowOnes(d)).toEqual(['e0']);
    await d.probe(d.at(0), 'ok', 30);
    expect(slowOnes(d)).toEqual([]);
    expect(d.events.at(-1)).toMatchObject({ type: 'undegrade', endpoint: { id: 'e0' }, medianMs: 30 });
    expect(d.pool.probes.size).toBe(0);
    await answering(d, [], 0, 1);
    expect(slowOnes(d)).toEqual([]);
  });

  it('stays degraded for longer if they are slow', async () => {
    const d = await degraded();
    for (const latencyMs of [25, 90, 95]) await d.probe(d.at(0), 'ok', latencyMs);
    expect(slowOnes(d)).toEqual(['e0']);
    expect(d.events.at(-1)).toMatchObject({ type: 'degrade', p90Ms: 90, forMs: 10_000, degradations: 2 });
  });

  it.each(['cancelled', 'timeout'] as const)(
    'is not well for probes that were given up early: %s',
    async (outcome) => {
      const d = await degraded();
      for (let time = 0; time < 3; time += 1) await d.probe(d.at(0), outcome, 25);
      expect(slowOnes(d)).toEqual(['e0']);
      expect(d.events.at(-1)).toMatchObject({ type: 'degrade', degradations: 2 });
    },
  );

  it('is judged by whatever it answers, if it has traffic', async () => {
    const d = await degraded();
    d.pool.probes.clear();
    await d.clock.advance(30);
    d.record(d.at(0), 'ok', { times: 3, latencyMs: 20 });
    expect(slowOnes(d)).toEqual([]);
  });

  it('is not judged by attempts from before it was probed', async () => {
    const d = await degraded();
    await d.clock.advance(10);
    d.record(d.at(0), 'ok', { times: 3, latencyMs: 11 });
    expect(slowOnes(d)).toEqual(['e0']);
  });

  it('is probed again when a probe fails, which says nothing of latency', async () => {
    const d = await degraded();
    await d.probe(d.at(0), 'error', 1);
    for (let time = 0; time < 3; time += 1) await d.probe(d.at(0), 'ok', 20);
    expect(slowOnes(d)).toEqual([]);
  });

  it('is well where for a minute nobody was called enough to be compared with', async () => {
    const d = await degraded();
    d.pool.probes.clear();
    await d.clock.advance(75_000);
    d.record(d.at(0), 'ok', { times: 3, latencyMs: 190 });
    expect(slowOnes(d)).toEqual([]);
  });

  it('is not silent for it that its attempts lose', async () => {
    const d = await degraded();
    for (let second = 0; second < 10; second += 1) {
      d.record(d.at(0), 'cancelled', { latencyMs: 40 });
      d.answerAll({ times: 5, latencyMs: 20, but: [d.at(0)] });
      await d.clock.advance(1_000);
    }
    expect(d.ejected).toEqual([]);
  });

  it('is probed again when nothing was heard of the probe', async () => {
    const d = await degraded();
    d.pool.probes.clear();
    for (let second = 0; second < 6; second += 1) {
      d.answerAll({ latencyMs: 20, but: [d.at(0)] });
      await d.clock.advance(1_000);
    }
    expect([...d.pool.probes]).toEqual([d.at(0)]);
  });

  it('that is ejected as well is not probed for its latency', async () => {
    const d = new Detection();
    await answering(d, [0], 200);
    await d.clock.advance(4_000);
    d.record(d.at(0), 'error', { times: 5 });
    await d.clock.advance(4_999);
    expect(d.pool.probes.size).toBe(0);
    await d.clock.advance(1);
    await d.probe(d.at(0), 'ok', 20);
    expect(d.ejected).toEqual([]);
    expect(slowOnes(d)).toEqual(['e0']);
    await d.clock.advance(1_000);
    for (let time = 0; time < 3; time += 1) await d.probe(d.at(0), 'ok', 20);
    expect(slowOnes(d)).toEqual([]);
  });
});

describe('endpoints that are alike', () => {
  it('are hardly ever degraded for chance, where one in twelve requests is slow wherever it goes', async () => {
    const rng = seededRng(1);
    const d = new Detection({ endpoints: 10 });
    for (let second = 0; second < 300; second += 1) {
      for (const endpoint of d.pool.endpoints) {
        for (let time = 0; time < 10; time += 1) {
          d.record(endpoint, 'ok', { latencyMs: rng() < 1 / 12 ? 500 : 10 });
        }
      }
      await d.clock.advance(1_000);
    }
    expect(d.eventsOf('degrade').length).toBeLessThan(5);
  });
});

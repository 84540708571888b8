import { describe, expect, it } from 'vitest';
import { Detection } from './detection.ts';

/** All but e0 answer for so long. */
async function othersAnswer(d: Detection, forMs: number, latencyMs = 20): Promise<void> {
  for (let passed = 0; passed < forMs; passed += 100) {
    d.answerAll({ latencyMs, but: [d.at(0)] });
    await d.clock.advance(100);
  }
}

describe('an endpoint that hangs', () => {
  it('is ejected when 5 attempts got no answer for a second and the others answer', async () => {
    const d = new Detection();
    await othersAnswer(d, 1_000);
    for (let time = 0; time < 9; time += 1) {
      d.record(d.at(0), 'cancelled', { latencyMs: 60 });
      await othersAnswer(d, 100);
    }
    expect(d.ejected).toEqual([]);
    await d.clock.advance(50);
    d.record(d.at(0), 'cancelled', { latencyMs: 60 });
    expect(d.ejected).toEqual(['e0']);
    expect(d.events).toMatchObject([
      { type: 'eject', reason: 'silent', unanswered: 10, silentMs: 1_010, othersAnswered: 81 },
    ]);
  });

  it('is ejected by a sweep when they are all still under way', async () => {
    const d = new Detection();
    d.at(0).inFlight = 5;
    await othersAnswer(d, 1_900);
    expect(d.ejected).toEqual([]);
    await othersAnswer(d, 200);
    expect(d.events).toMatchObject([{ type: 'eject', reason: 'silent', unanswered: 5, silentMs: 1_000 }]);
  });

  it('is not for what it has answered and still sends', async () => {
    const d = new Detection();
    d.at(0).inFlight = 5;
    d.at(0).answering = 5;
    await othersAnswer(d, 10_000);
    expect(d.ejected).toEqual([]);
    d.at(0).inFlight = 10;
    await othersAnswer(d, 3_000);
    expect(d.ejected).toEqual(['e0']);
  });

  it('is not while it answers now and then, be it with errors', async () => {
    const d = new Detection();
    d.at(0).inFlight = 8;
    for (let time = 0; time < 4; time += 1) {
      await othersAnswer(d, 900);
      d.record(d.at(0), 'error', { latencyMs: 3_000 });
      d.record(d.at(0), 'cancelled', { times: 4, latencyMs: 60 });
    }
    expect(d.ejected).toEqual([]);
  });

  it('is not while the others do not answer either', async () => {
    const d = new Detection({ options: { consecutiveTimeouts: false, successRate: false } });
    for (let second = 0; second < 60; second += 1) {
      for (const endpoint of d.pool.endpoints) d.record(endpoint, 'timeout', { latencyMs: 1_000 });
      d.record(d.at(1), 'ok', { latencyMs: 1_000, times: second % 5 === 0 ? 1 : 0 });
      await d.clock.advance(1_000);
    }
    expect(d.ejected).toEqual([]);
  });

  it('is given three times the 99th percentile of the service', async () => {
    const d = new Detection();
    d.at(0).inFlight = 5;
    await othersAnswer(d, 4_000, 1_500);
    expect(d.ejected).toEqual([]);
    await othersAnswer(d, 3_000, 1_500);
    expect(d.ejected).toEqual(['e0']);
  });

  it('was not silent while it had nothing to answer', async () => {
    const d = new Detection();
    d.at(0).inFlight = 1;
    await othersAnswer(d, 1_000);
    d.at(0).inFlight = 0; // the caller lost interest
    await othersAnswer(d, 5_000);
    d.at(0).inFlight = 9;
    await othersAnswer(d, 1_000);
    expect(d.ejected).toEqual([]);
  });

  it('was not silent while nobody looked', async () => {
    const d = new Detection();
    d.at(0).inFlight = 1;
    await othersAnswer(d, 1_000);
    await d.clock.advance(60_000);
    d.at(0).inFlight = 9; // none of them is that one
    await othersAnswer(d, 1_000);
    expect(d.ejected).toEqual([]);
  });

  it('is not thought to hang for ever by latencies that are none', async () => {
    const d = new Detection();
    await othersAnswer(d, 1_000);
    for (const latencyMs of [Number.NaN, Infinity, -1]) {
      d.record(d.at(0), 'cancelled', { times: 5, latencyMs });
      await othersAnswer(d, 300);
    }
    expect(d.ejected).toEqual([]);
  });

  it('is ejected again when its probes get no answer either', async () => {
    const d = new Detection();
    d.at(0).inFlight = 5;
    await othersAnswer(d, 2_100);
    d.at(0).inFlight = 0;
    await d.clock.advance(5_000);
    for (let time = 0; time < 3; time += 1) await d.probe(d.at(0), 'cancelled', 60);
    expect(d.events.at(-1)).toMatchObject({
      type: 'eject',
      reason: 'probe',
      outcome: 'cancelled',
      forMs: 10_000,
    });
  });
});

import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { anyRequest, LoadBalancerFactory, type Outcome, type Strategy } from '../src/index.ts';
import { instances, pick, poolOf } from './pools.ts';

describe('an attempt', () => {
  it('counts from its pick to its end', () => {
    const pool = poolOf(instances(1));
    const attempt = pool.set('round-robin').begin();
    expect([attempt?.endpoint.inFlight, attempt?.reason]).toEqual([1, 'direct']);
    attempt?.done('ok');
    expect(attempt?.endpoint.inFlight).toBe(0);
  });

  it('ends once: what is said of it later takes nothing from others', () => {
    const pool = poolOf(instances(1));
    const set = pool.set('round-robin');
    const attempt = set.begin();
    const other = pick(set);
    attempt?.done('ok');
    attempt?.done('ok');
    attempt?.done('error');
    expect(other.inFlight).toBe(1);
  });

  it('measures how long it took, unless it is told', async () => {
    const clock = new ManualClock();
    const told: [Outcome, number][] = [];
    let first: ReturnType<Strategy['pick']>;
    const listening = (): Strategy => ({
      update: ([one]) => (first = one),
      pick: () => first,
      finished: (_endpoint, outcome, latencyMs) => told.push([outcome, latencyMs]),
    });
    const factory = new LoadBalancerFactory().register('listening', listening);
    const set = poolOf(instances(1), { clock, factory }).set('listening');
    const [measured, given] = [set.begin(anyRequest), set.begin(anyRequest)];
    await clock.advance(25);
    measured?.done('ok');
    given?.done('timeout', 7);
    expect(told).toEqual([
      ['ok', 25],
      ['timeout', 7],
    ]);
  });

  it('does not begin where nobody is', () => {
    expect(poolOf([]).set('round-robin').begin()).toBeUndefined();
  });
});

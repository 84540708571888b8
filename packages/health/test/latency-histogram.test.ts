import { ManualClock, seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { bucketOf, latencyBuckets, latencyOf } from '../src/latency-buckets.ts';
import { LatencyColumns } from '../src/latency-columns.ts';
import { LatencyHistogram } from '../src/latency-histogram.ts';

describe('a latency bucket', () => {
  it('is at most 10 % off anything in it, from 0.1 ms to 100 s', () => {
    for (let latencyMs = 0.1; latencyMs <= 100_000; latencyMs *= 1.003) {
      const error = Math.abs(latencyOf(bucketOf(latencyMs)) - latencyMs) / latencyMs;
      expect(error).toBeLessThanOrEqual(0.1 + 1e-9);
    }
  });

  it('is the first or the last for what is outside', () => {
    for (const latencyMs of [0, -1, Number.NaN, 0.01]) expect(bucketOf(latencyMs)).toBe(0);
    for (const latencyMs of [1e6, Infinity]) expect(bucketOf(latencyMs)).toBe(latencyBuckets - 1);
  });
});

describe('a latency histogram', () => {
  it('knows no quantile of nothing', () => {
    expect(new LatencyHistogram({ clock: new ManualClock() }).quantile(0.95)).toBeUndefined();
  });

  it('gives quantiles within 10 % of the exact ones', () => {
    const rng = seededRng(7);
    const histogram = new LatencyHistogram({ clock: new ManualClock() });
    const exact = Array.from({ length: 2_000 }, () => 5 + 400 * rng() ** 3);
    for (const latencyMs of exact) histogram.record(latencyMs);
    exact.sort((left, right) => left - right);
    for (const quantile of [0.01, 0.5, 0.9, 0.95, 0.99, 1]) {
      const expected = exact[Math.ceil(quantile * exact.length) - 1] ?? 0;
      expect(Math.abs((histogram.quantile(quantile) ?? 0) - expected) / expected).toBeLessThan(0.1);
    }
    expect(histogram.count).toBe(2_000);
  });

  it('gives the smallest for the quantile 0', () => {
    const histogram = new LatencyHistogram({ clock: new ManualClock() });
    for (const latencyMs of [10, 1_000]) histogram.record(latencyMs);
    expect(histogram.quantile(0)).toBeLessThan(12);
  });

  it('forgets after 5 to 10 s', async () => {
    const clock = new ManualClock();
    const histogram = new LatencyHistogram({ clock });
    await clock.advance(4_900);
    histogram.record(100);
    await clock.advance(5_000);
    expect(histogram.count).toBe(1);
    await clock.advance(100);
    expect(histogram.count).toBe(0);
    histogram.record(100);
    await clock.advance(60_000);
    expect(histogram.quantile(0.5)).toBeUndefined();
  });

  it('answers from memory for 250 ms', async () => {
    const clock = new ManualClock();
    const histogram = new LatencyHistogram({ clock });
    histogram.record(10);
    const before = histogram.quantile(0.95);
    for (let time = 0; time < 99; time += 1) histogram.record(1_000);
    await clock.advance(249);
    expect(histogram.quantile(0.95)).toBe(before);
    await clock.advance(1);
    expect(histogram.quantile(0.95)).toBeGreaterThan(900);
  });

  it('ignores what is no latency', () => {
    const histogram = new LatencyHistogram({ clock: new ManualClock() });
    histogram.record(Number.NaN);
    histogram.record(-1);
    expect(histogram.count).toBe(0);
  });
});

describe('latency columns', () => {
  it('keep slots apart, also when they grow or one is reset', () => {
    const columns = new LatencyColumns();
    columns.add(0, 3);
    columns.add(1, 60);
    columns.turn(1);
    columns.grow(9);
    columns.add(8, 20);
    columns.add(1, 60);
    columns.reset(0);
    expect([0, 1, 8].map((slot) => columns.quantile(slot, 0.5))).toEqual([-1, 60, 20]);
    expect([0, 1, 8].map((slot) => columns.count(slot))).toEqual([0, 2, 1]);
  });
});

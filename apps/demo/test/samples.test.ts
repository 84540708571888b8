import { describe, expect, it } from 'vitest';
import { quantile, Samples } from '../src/samples.ts';

describe('Samples', () => {
  it('has a rate and quantiles of the last two seconds', () => {
    const samples = new Samples();
    for (let at = 0; at < 4_000; at += 10) samples.add(at < 2_000 ? 999 : at / 40, at);
    expect(samples.read(3_999)).toEqual({ perSecond: 100, p50: 74.75, p99: 99.25 });
  });

  it('takes the time since the first sample where that is less, but a second at least', () => {
    const samples = new Samples();
    samples.add(1, 10_000);
    expect(samples.read(10_000).perSecond).toBe(1);
    for (let at = 10_010; at < 11_500; at += 10) samples.add(1, at);
    expect(samples.read(11_500).perSecond).toBe(100);
  });

  it('says nothing of latency without samples', () => {
    const samples = new Samples();
    samples.add(5, 0);
    expect(samples.read(2_000)).toEqual({ perSecond: 0, p50: undefined, p99: undefined });
  });
});

describe('quantile', () => {
  it('is the nearest rank', () => {
    const values = Float64Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 50, 99, 100]);
  });
});

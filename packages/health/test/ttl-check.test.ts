import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { TtlCheck } from '../src/checks/ttl-check.ts';

function startTtl() {
  const clock = new ManualClock();
  return { clock, ttl: new TtlCheck({ ttlMs: 1_000, clock }) };
}

describe('TtlCheck', () => {
  it('is unhealthy before anything was reported', async () => {
    expect(await startTtl().ttl.check()).toEqual({ status: 'unhealthy', detail: 'nothing reported yet' });
  });

  it.each([
    ['pass', 'healthy'],
    ['warn', 'degraded'],
    ['fail', 'unhealthy'],
  ] as const)('finds what was last reported: after %s() it is %s', async (report, status) => {
    const { ttl } = startTtl();
    ttl.fail('the queue is full');
    ttl[report]('12 jobs');
    expect(await ttl.check()).toEqual({ status, detail: '12 jobs' });
  });

  it('is unhealthy when nothing was reported for the whole time, and recovers with a report', async () => {
    const { clock, ttl } = startTtl();
    ttl.pass('12 jobs');
    await clock.advance(999);
    expect(await ttl.check()).toMatchObject({ status: 'healthy' });
    await clock.advance(1);
    expect(await ttl.check()).toEqual({
      status: 'unhealthy',
      detail: 'nothing reported for 1000 ms; the last was: 12 jobs',
    });
    ttl.pass();
    expect(await ttl.check()).toEqual({ status: 'healthy', detail: 'reported as passing' });
  });

  it('keeps a report for 30 s by default, and is called ttl', async () => {
    const clock = new ManualClock();
    const ttl = new TtlCheck({ clock });
    ttl.pass();
    await clock.advance(29_999);
    expect(await ttl.check()).toMatchObject({ status: 'healthy' });
    await clock.advance(1);
    expect(await ttl.check()).toMatchObject({ status: 'unhealthy' });
    expect([ttl.name, new TtlCheck({ name: 'importer' }).name]).toEqual(['ttl', 'importer']);
  });
});

import { describe, expect, it } from 'vitest';
import { eventLine, renderScreen, renderStatus } from '../src/table.ts';
import { paint, widthOf } from '../src/text.ts';
import { someInstance, someState } from './shop-state.ts';

const terminal = { columns: 80, rows: 24 };
const textOf = (lines: ReturnType<typeof renderScreen>) =>
  lines.map((line) => paint(line, { colour: false }));

describe('renderScreen', () => {
  it('shows each instance with what the registry says and what happened to it', () => {
    expect(`\n${textOf(renderScreen(someState(), terminal)).join('\n')}\n`).toBe(`
A small shop · least-connections · 100 calls/s                      8.3 of 20 s
1,234 calls   0 failed   5 retried   p50 21 ms   p99 272 ms   3 in flight

service   instance    version  status          req/s  p50 ms  p99 ms  in flight
checkout  checkout-1  1.0.0    draining           33       5      18          1
          checkout-2  1.0.0    healthy            33       5      18          1
orders    orders-1    1.0.0    healthy, slowed     9     255     258          1
          orders-2    2.0.0    healthy            33       5      18          1
payments  payments-1  1.0.0    healthy, killed    33       5      18          0
          payments-2  1.0.0    gone, drained       0       -       -          0

  1.6 s  scale up: checkout-3 and orders-4 have started
  6.1 s  payments-1 is killed
`);
  });

  it('gives the same lines for the same state', () => {
    expect(renderScreen(someState(), terminal)).toEqual(renderScreen(someState(), terminal));
  });

  it('is never wider than the terminal, whatever the numbers', () => {
    const huge = someState({
      strategy: 'weighted-round-robin',
      rate: 1_000,
      elapsedMs: 600_000,
      durationMs: 600_000,
      calls: {
        made: 600_000,
        failed: 123_456,
        retries: 99_999,
        inFlight: 99_999,
        perSecond: 1e6,
        p50: 60_000,
        p99: 60_000,
      },
      instances: [
        someInstance({
          service: 'a-service-with-a-long-name',
          id: 'an-instance-with-a-long-name',
          version: '1.0.0-beta.123456789',
          status: 'out-of-service',
          fate: 'slowed',
          perSecond: 123_456_789,
          p50: 123_456_789,
          p99: 123_456_789,
          inFlight: 1e12,
        }),
      ],
      events: [{ atMs: 600_000, text: 'x'.repeat(500) }],
    });
    for (const columns of [80, 40, 10, 1]) {
      const widths = renderScreen(huge, { columns, rows: 24 }).map(widthOf);
      expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    }
  });

  it('is never higher than the terminal, and keeps the newest events', () => {
    const events = Array.from({ length: 50 }, (_, index) => ({
      atMs: index * 1_000,
      text: `event ${index}`,
    }));
    const lines = textOf(renderScreen(someState({ events }), terminal));
    expect(lines).toHaveLength(24);
    expect(lines.at(-1)).toContain('event 49');
    expect(renderScreen(someState({ events }), { columns: 80, rows: 5 })).toHaveLength(5);
  });
});

describe('plain lines', () => {
  it('say how the callers fare, in 80 columns and without control codes', () => {
    const line = renderStatus(someState());
    expect(paint(line, { colour: false })).toBe(
      '  8.3 s  1,234 calls  0 failed  5 retried  p50 21 ms  p99 272 ms  5 instances',
    );
    expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  it('say when something happened', () => {
    expect(paint(eventLine({ atMs: 12_345, text: 'this' }), { colour: false })).toBe(' 12.3 s  this');
  });
});

describe('paint', () => {
  it('colours only what has a style, and switches back after it', () => {
    expect(paint([{ text: 'a' }, { text: 'b', style: 'red' }], { colour: true })).toBe('a\x1b[31mb\x1b[0m');
  });
});

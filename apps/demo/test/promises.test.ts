import { describe, expect, it } from 'vitest';
import type { Departure } from '../src/departure.ts';
import type { Facts } from '../src/facts.ts';
import { judge } from '../src/promises.ts';

const brokenBy = (changes: Partial<Facts>): readonly string[] =>
  judge({ ...goodFacts, ...changes })
    .filter(({ kept }) => !kept)
    .map(({ promise }) => promise);

const [idle, busy] = [0, 40];
const instance = { id: 'orders-1', requests: busy, availableMs: 10_000, cutOff: 0, late: 0 };
const [fast, slow] = [
  { goneAfterMs: 3, graceMs: 0 },
  { goneAfterMs: 2_500, graceMs: 0 },
];
const killed: Departure = { id: 'payments-1', how: 'killed', views: [fast, slow], ttlMs: 3_000 };
const drained: Departure = { id: 'orders-1', how: 'drained', views: [fast, fast], ttlMs: 3_000 };
const lostBy = (goneAfterMs: number | undefined, graceMs = 0) => ({
  views: [fast, { goneAfterMs, graceMs }],
});

const goodFacts: Facts = {
  rate: 10,
  load: { tookMs: 20_000, planned: 200, made: 198 },
  failedCalls: 0,
  soldOrders: ['0', '1'],
  bookedOrders: ['0', '1'],
  departures: [killed, drained],
  rollout: { version: '2.0.0', doneAtMs: 15_000 },
  versionsInViews: ['2.0.0', '2.0.0'],
  versionsAnswering: ['2.0.0'],
  instances: [instance],
};

describe('judge', () => {
  it('finds every promise kept when all went well', () => {
    expect(brokenBy({})).toEqual([]);
    expect(judge(goodFacts)).toHaveLength(7);
  });

  it.each<[string, string, Partial<Facts>]>([
    ['no call fails', 'a call failed', { failedCalls: 1 }],
    ['the load is real', 'more than a tenth was not made', { load: { ...goodFacts.load, made: 179 } }],
    ['the load is real', 'no load', { load: { tookMs: 0, planned: 0, made: 0 } }],
    ['each order is paid once', 'one was paid twice', { bookedOrders: ['0', '1', '1'] }],
    ['each order is paid once', 'one was not paid', { bookedOrders: ['1'] }],
    [
      'the dead vanish',
      'one stayed in a view',
      { departures: [{ ...killed, ...lostBy(undefined, 9_000) }, drained] },
    ],
    ['the dead vanish', 'one outlived its lease', { departures: [{ ...killed, ...lostBy(4_001) }, drained] }],
    [
      'the dead vanish',
      'one outlived its lease and what a lost store may add',
      { departures: [{ ...killed, ...lostBy(13_001, 9_000) }, drained] },
    ],
    ['the dead vanish', 'nobody died', { departures: [drained] }],
    ['drains lose nothing', 'a request was cut off', { instances: [{ ...instance, cutOff: 1 }] }],
    ['drains lose nothing', 'a request came too late', { instances: [{ ...instance, late: 1 }] }],
    ['drains lose nothing', 'its lease ran out', { departures: [killed, { ...drained, ...lostBy(2_000) }] }],
    ['drains lose nothing', 'nobody drained', { departures: [killed] }],
    ['the new version serves', 'it was not finished', { rollout: undefined }],
    ['the new version serves', 'an old one is in a view', { versionsInViews: ['2.0.0', '1.0.0'] }],
    ['the new version serves', 'an old one answers', { versionsAnswering: ['1.0.0', '2.0.0'] }],
    ['the new version serves', 'nobody answers', { versionsAnswering: [] }],
    ['everybody serves', 'one was left out', { instances: [{ ...instance, requests: idle }] }],
  ])('finds “%s” broken when %s', (promise, _, changes) => {
    expect(brokenBy(changes)).toEqual([promise]);
  });

  it('allows for a store that was lost while an instance left', () => {
    const departures = [
      { ...killed, ...lostBy(13_000, 9_000) },
      { ...drained, ...lostBy(10_000, 9_000) },
    ];
    expect(brokenBy({ departures, instances: [{ ...instance, late: 1 }] })).toEqual([]);
    expect(judge({ ...goodFacts, departures }).map(({ evidence }) => evidence)).toContain(
      'payments-1 after 13.0 s, with a lease of 3.0 s and a lost store',
    );
  });

  it('blames a drain for what it cut off, whatever the store did', () => {
    const departures = [killed, { ...drained, ...lostBy(10_000, 9_000) }];
    expect(brokenBy({ departures, instances: [{ ...instance, cutOff: 1 }] })).toEqual([
      'drains lose nothing',
    ]);
  });

  it('does not blame an instance that was there too briefly', () => {
    expect(brokenBy({ instances: [instance, { ...instance, requests: idle, availableMs: 1_000 }] })).toEqual(
      [],
    );
  });

  it('does not blame a killed instance for what it cut off', () => {
    expect(brokenBy({ instances: [instance, { ...instance, id: 'payments-1', cutOff: 3 }] })).toEqual([]);
  });
});

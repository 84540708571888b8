import { ConfigValidationError, type DiscoveryLogger, type ServiceInstance } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { anyRequest } from '../src/index.ts';
import { atOnce, ids, inTurn, instance, instances, pick, poolOf, tally } from './pools.ts';

const snapshot = [
  instance('a', { zone: 'x', version: '1.2.0', tags: ['blue', 'fast'] }),
  instance('b', { zone: 'y', version: '2.0.0', tags: ['blue'] }),
  instance('c', { zone: 'y', status: 'draining' }),
];

function remembering(): { logger: DiscoveryLogger; messages: string[] } {
  const messages: string[] = [];
  const log = (message: string): void => void messages.push(message);
  return { messages, logger: { debug: log, info: log, warn: log, error: log } };
}

describe('a set', () => {
  it('has those that the filter lets through, eligible or not', () => {
    const set = poolOf(snapshot).set('round-robin', { zone: 'y' });
    expect(ids(set.matching)).toEqual(['b', 'c']);
    expect(ids(set.eligible)).toEqual(['b']);
  });

  it('follows the pool', () => {
    const pool = poolOf(snapshot);
    const set = pool.set('round-robin', { version: '^2.0.0' });
    pool.update([...snapshot, instance('d', { version: '2.1.0' })]);
    expect(ids(set.eligible)).toEqual(['b', 'd']);
  });

  it('is empty where nothing matches, and picks nothing', () => {
    const set = poolOf(snapshot).set('round-robin', { zone: 'z' });
    expect(set.matching).toEqual([]);
    expect(set.pick(anyRequest)).toBeUndefined();
  });

  it('has an order of its own for each filter', () => {
    const pool = poolOf(instances(4), { rng: () => 0 });
    const all = pool.set('round-robin');
    const some = pool.set('round-robin', { predicate: ({ id }) => id !== 'i-003' });
    expect([...inTurn(pool, all, 2), ...inTurn(pool, some, 2), ...inTurn(pool, all, 1)]).toEqual([
      ...['i-000', 'i-001'],
      ...['i-000', 'i-001'],
      'i-002',
    ]);
  });
});

describe('the same set', () => {
  const isA = ({ id }: ServiceInstance): boolean => id === 'a';

  it.each([
    ['no filter', undefined, undefined],
    ['no filter and an empty one', undefined, {}],
    ['equal filters', { zone: 'y', tags: ['blue'] }, { tags: ['blue'], zone: 'y' }],
    ['equal metadata', { metadata: { m: '1', n: '2' } }, { metadata: { n: '2', m: '1' } }],
    ['a field left out and one undefined', { zone: 'y' }, { zone: 'y', version: undefined }],
    ['the same predicate', { predicate: isA }, { predicate: isA }],
  ])('comes for %s', (_what, one, other) => {
    const pool = poolOf(snapshot);
    expect(pool.set('random', one)).toBe(pool.set('random', other));
  });

  it.each([
    ['filters', { zone: 'x' }, { zone: 'y' }],
    ['fields', { zone: 'x' }, { region: 'x' }],
    ['predicates', { predicate: isA }, { predicate: (one: ServiceInstance) => isA(one) }],
  ])('does not come for other %s', (_what, one, other) => {
    const pool = poolOf(snapshot);
    expect(pool.set('random', one)).not.toBe(pool.set('random', other));
  });

  it('does not come for another strategy', () => {
    const pool = poolOf(snapshot);
    expect(pool.set('random')).not.toBe(pool.set('round-robin'));
  });
});

describe('a filter', () => {
  it.each([
    ['an unknown field', { zones: 'x' }, 'zones'],
    ['a broken version range', { version: 'newest' }, 'version'],
    ['a value that no text can show', { metadata: { n: 10n } }, 'metadata.n'],
    ['no object', 'zone=x', ''],
    ['null', null, ''],
  ])('with %s is refused', (_what, filter, field) => {
    const pool = poolOf(snapshot);
    // @ts-expect-error as plain JavaScript may call it
    const call = (): unknown => pool.set('random', filter);
    expect(call).toThrow(ConfigValidationError);
    expect(call).toThrow(expect.objectContaining({ field }));
  });

  it('is asked once per instance and change', () => {
    const asked: string[] = [];
    const pool = poolOf(snapshot);
    const set = pool.set('random', { predicate: ({ id }) => asked.push(id) > 0 });
    expect(ids(set.matching)).toEqual(['a', 'b', 'c']);
    for (const endpoint of pool.endpoints) pool.eject(endpoint, 1_000);
    pool.update([...snapshot.slice(1), instance('a', { weight: 2 })]);
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
    pool.close();
  });

  it('that throws leaves that instance out and says so once', () => {
    const { logger, messages } = remembering();
    const pool = poolOf(snapshot, { logger });
    const set = pool.set('random', {
      predicate: ({ id }) => {
        if (id === 'a') throw new Error('broken');
        return true;
      },
    });
    expect(ids(set.eligible)).toEqual(['b']);
    pool.update([...snapshot]);
    expect(messages).toEqual(['The filter of service "orders" threw; "a" is left out']);
  });
});

describe('more sets than are kept up to date', () => {
  const filters = Array.from({ length: 200 }, (_, index) => ({ zone: [`z${index}`, 'x', 'y'] }));

  it('do not make one that is held go stale', () => {
    const pool = poolOf(instances(2));
    const held = pool.set('round-robin');
    pick(held);
    for (const filter of filters) pool.set('round-robin', filter).pick(anyRequest);
    pool.update(instances(3).slice(2));
    expect(ids(held.eligible)).toEqual(['i-002']);
    expect(pick(held).id).toBe('i-002');
  });

  it('do not make one that is held lose count', () => {
    const pool = poolOf(snapshot.slice(0, 2));
    const held = pool.set('least-connections');
    const first = pick(held);
    for (const filter of filters) pool.set('round-robin', filter).pick(anyRequest);
    for (const endpoint of pool.endpoints) {
      while (endpoint.inFlight > 0) pool.finish(endpoint, 'ok', 1);
    }
    expect(first.inFlight).toBe(0);
    expect(tally(atOnce(held, 10))).toEqual({ a: 5, b: 5 });
  });

  it('are forgotten, the oldest first', () => {
    const pool = poolOf(snapshot);
    const [oldest, newest] = [pool.set('random', { zone: 'x' }), pool.set('random', { zone: 'y' })];
    for (const filter of filters.slice(0, 63)) pool.set('random', filter);
    expect(pool.set('random', { zone: 'y' })).toBe(newest);
    expect(pool.set('random', { zone: 'x' })).not.toBe(oldest);
  });

  it('cost nothing to those that nobody uses any more', () => {
    let asked = 0;
    const pool = poolOf(snapshot);
    pool.set('random', { predicate: () => (asked += 1) > 0 }).pick(anyRequest);
    for (const filter of filters) pool.set('round-robin', filter).pick(anyRequest);
    const before = asked;
    pool.update(snapshot.map(({ id }) => instance(id)));
    expect(asked).toBe(before);
  });
});

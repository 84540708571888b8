import { describe, expect, it } from 'vitest';
import { addressOf, createInstance, parseInstance, sameInstance } from '../src/index.ts';
import { order, orders } from './orders.ts';

describe('addressOf()', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1:8080'],
    ['orders.internal', 'orders.internal:8080'],
    ['::1', '[::1]:8080'],
  ])('of %s is %s', (host, address) => {
    expect(addressOf({ host, port: 8080 })).toBe(address);
  });
});

describe('sameInstance()', () => {
  it('is true for two that say the same', () => {
    expect(sameInstance(order(1), order(1))).toBe(true);
  });

  it('does not care when a record was written', () => {
    expect(sameInstance(order(1, { updatedAt: 1 }), order(1, { updatedAt: 2 }))).toBe(true);
  });

  it.each([
    { service: 'payments' },
    { id: 'other' },
    { host: '10.0.0.9' },
    { port: 1 },
    { protocol: 'https' },
    { version: '1.0.0' },
    { region: 'eu' },
    { zone: 'a' },
    { weight: 2 },
    { priority: 1 },
    { tags: ['canary'] },
    { metadata: { team: 'a' } },
    { status: 'draining' as const },
    { registeredAt: 1 },
  ])('is false for another %o', (fields) => {
    expect(sameInstance(order(1), order(1, fields))).toBe(false);
    expect(sameInstance(order(1, fields), order(1))).toBe(false);
  });

  it('does not care for the order of metadata, but for that of tags', () => {
    const ab = { metadata: { a: '1', b: '2' }, tags: ['a', 'b'] };
    expect(sameInstance(order(1, ab), order(1, { ...ab, metadata: { b: '2', a: '1' } }))).toBe(true);
    expect(sameInstance(order(1, ab), order(1, { ...ab, tags: ['b', 'a'] }))).toBe(false);
  });

  it('does not care for the order of fields', () => {
    const instance = createInstance({ ...orders, version: '1.0.0' }, 0);
    const reversed = Object.fromEntries(Object.entries(instance).reverse()) as typeof instance;
    expect(sameInstance(instance, reversed)).toBe(true);
  });

  it('sees a change in a field that only newer versions know', () => {
    const read = (more: unknown) =>
      parseInstance({ ...orders, more }, { service: 'orders' }).instance ?? expect.fail();
    expect(sameInstance(read({ a: [1] }), read({ a: [1] }))).toBe(true);
    expect(sameInstance(read({ a: [1] }), read({ a: [2] }))).toBe(false);
    expect(sameInstance(read([]), read({}))).toBe(false);
    expect(sameInstance(read(null), read({}))).toBe(false);
  });
});

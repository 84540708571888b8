import { describe, expect, it } from 'vitest';
import { createInstance, encodeInstance, maxRecordLength, parseInstance, seededRng } from '../src/index.ts';
import { junk } from './junk.ts';
import { orders } from './orders.ts';

const place = { service: 'orders' };
const read = (record: unknown) => parseInstance(record, place);
const readMore = (more: string) => read(`{"service":"orders","host":"10.0.0.1","port":80,${more}}`);

describe('a record', () => {
  it('is read as it was written', () => {
    const instance = createInstance(
      {
        ...orders,
        version: '1.2.3',
        zone: 'a',
        tags: ['t'],
        metadata: { k: 'ü\n' },
        registeredAt: 1,
        updatedAt: 2,
      },
      0,
    );
    expect(read(encodeInstance(instance))).toEqual({ instance });
    expect(read(JSON.parse(encodeInstance(instance)))).toEqual({ instance });
  });

  it('may leave out what has a default', () => {
    expect(read('{"service":"orders","host":"10.0.0.1","port":8080}')).toEqual({
      instance: createInstance(orders, 0),
    });
  });

  it('keeps fields that a newer version added, also when it is written again', () => {
    const instance = readMore('"shard":{"key":[1,2]}').instance ?? expect.fail();
    expect(instance).toHaveProperty('shard', { key: [1, 2] });
    expect(read(encodeInstance(instance))).toEqual({ instance });
  });

  it('is frozen, fields that a newer version added included', () => {
    const { instance } = readMore('"shard":{"key":[{}]}');
    expect(instance).toHaveProperty('shard.key.0', {});
    const parts = [instance, ...['shard', 'shard.key', 'shard.key.0'].map((path) => at(instance, path))];
    expect(parts.map(Object.isFrozen)).toEqual([true, true, true, true]);
  });

  it('has nothing in common with the object it was read from', () => {
    const record = { ...orders, shard: { key: 1 } };
    const { instance } = read(record);
    record.shard.key = 2;
    expect(instance).toHaveProperty('shard.key', 1);
  });

  it.each(['__proto__', 'constructor', 'prototype'])('loses keys called %s at every level', (key) => {
    const evil = `${JSON.stringify(key)}:{"polluted":"yes"}`;
    const text = `${evil},"metadata":{"a":"b",${JSON.stringify(key)}:"x"},"more":[{"deep":{${evil}}}]`;
    const instance = readMore(text).instance ?? expect.fail();
    expect(encodeInstance(instance)).not.toContain(key);
    expect(instance.metadata).toEqual({ a: 'b' });
    expect(instance).not.toHaveProperty('polluted');
    expect(Object.getPrototypeOf(instance)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('a record is malformed when it', () => {
  it.each([
    ['is no JSON', '{"service":', 'the record is "{\\"service\\":", expected an object'],
    ['is empty', '', 'the record is "", expected an object'],
    ['is a number', '7', 'the record is 7, expected an object'],
    ['is null', null, 'the record is null, expected an object'],
    ['is missing', undefined, 'the record is missing, expected JSON'],
    ['is a function', () => 1, 'the record is a function, expected JSON'],
    ['is a list', '[]', '"service" is missing, expected a name'],
    ['lacks a host', '{"service":"orders","port":80}', '"host" is missing, expected a host name'],
    ['has a port in quotes', { ...orders, port: '80' }, '"port" is "80", expected a whole number'],
    ['has a port of 70000', { ...orders, port: 70_000 }, '"port" is 70000, expected a whole number'],
    [
      'has metadata that is no text',
      { ...orders, metadata: { a: 1 } },
      '"metadata.a" is 1, expected a string',
    ],
    ['has an unknown status', { ...orders, status: 'sick' }, '"status" is "sick", expected one of'],
    ['has two mistakes, of which one is told', { ...orders, port: 0, host: '' }, '"host" is "", expected'],
    [
      'is of another service',
      { ...orders, service: 'web' },
      '"service" is "web", expected "orders" from its place',
    ],
  ])('%s', (_what, record, problem) => {
    const { instance, problem: found } = read(record);
    expect(instance).toBeUndefined();
    expect(found?.slice(0, problem.length)).toBe(problem);
  });

  it('has another id than its place', () => {
    const at = (id: string) => parseInstance({ ...orders, id: 'orders-1' }, { ...place, id });
    expect(at('orders-1').instance?.id).toBe('orders-1');
    expect(at('orders-2').problem).toBe('"id" is "orders-1", expected "orders-2" from its place');
  });

  it.each([
    ['as text', (more: string) => JSON.stringify({ ...orders, more })],
    ['as an object', (more: string) => ({ ...orders, more })],
  ])('is longer than 64 Ki characters %s', (_how, record) => {
    const overhead = JSON.stringify(record('')).length + (typeof record('') === 'string' ? -10 : 0);
    expect(read(record('x'.repeat(maxRecordLength - overhead))).instance).toBeDefined();
    expect(read(record('x'.repeat(maxRecordLength))).problem).toMatch(/^the record is \d+ characters long/);
  });

  it('has more than 64 fields', () => {
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count - 3 }, (_, n) => [`field${n}`, n]));
    expect(read({ ...orders, ...fields(64) }).instance).toBeDefined();
    expect(read({ ...orders, ...fields(65) }).problem).toContain('at most 64 fields');
  });

  it('is nested deeper than 16 levels', () => {
    const nested = (levels: number) => readMore(`"more":${'['.repeat(levels)}${']'.repeat(levels)}`);
    expect(nested(15).instance).toBeDefined();
    expect(nested(16).problem).toContain('at most 16 levels of nesting');
    expect(nested(30_000).problem).toContain('at most 16 levels of nesting');
  });

  it.each([
    ['contains itself', circular()],
    ['is nested 100,000 levels deep', { ...orders, more: deep(100_000) }],
    ['is nested 100,000 levels deep in its metadata', { ...orders, metadata: { a: deep(100_000) } }],
    ['holds what JSON has no word for', { ...orders, more: 1n }],
    ['throws when it is read', throwing()],
  ])('%s', (_what, record) => {
    expect(read(record)).toEqual({
      problem: 'the record is an object, expected JSON or what can be written as JSON',
    });
  });
});

describe('parseInstance()', () => {
  it('never throws, and says briefly and in one line what is wrong, whatever it gets', () => {
    const rng = seededRng(7);
    const text = encodeInstance(createInstance(orders, 0));
    for (let round = 0; round < 5_000; round += 1) {
      const record = rng() < 0.5 ? junk(rng) : { ...orders, [anyKey(rng)]: junk(rng) };
      const torn = text.slice(Math.floor(rng() * 20)) + text.slice(0, Math.floor(rng() * text.length));
      for (const variant of [record, safeJson(record), torn]) {
        const { instance, problem } = read(variant);
        if (instance === undefined) expect(problem).toMatch(/^[^\p{Cc}]{1,600}$/u);
        else expect(read(encodeInstance(instance))).toEqual({ instance });
      }
    }
  });

  it('does not repeat a hostile key in full', () => {
    const { problem } = read({ ...orders, metadata: { [`\u001b[2J${'k'.repeat(60_000)}`]: 'x' } });
    expect(problem).toMatch(/^[ -~]{1,300}$/);
  });
});

const anyKey = (rng: () => number): string => {
  const keys = [
    'service',
    'id',
    'host',
    'port',
    'tags',
    'metadata',
    'status',
    'weight',
    'updatedAt',
    '__proto__',
    'x',
  ];
  return keys[Math.floor(rng() * keys.length)] ?? 'x';
};

function safeJson(value: unknown): unknown {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((part, key) => Reflect.get(Object(part), key), value);
}

function deep(levels: number): unknown {
  let value: unknown = 'bottom';
  for (let level = 0; level < levels; level += 1) value = { value };
  return value;
}

function circular(): object {
  const record: Record<string, unknown> = { ...orders };
  record['self'] = record;
  return record;
}

function throwing(): object {
  return Object.defineProperty({ ...orders }, 'host', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
}

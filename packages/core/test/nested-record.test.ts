import { describe, expect, it } from 'vitest';
import { encodeInstance, parseInstance, sameInstance } from '../src/index.ts';

const parseNested = (levels: number) =>
  parseInstance(
    `{"service":"orders","host":"10.0.0.1","port":80,"more":${'['.repeat(levels)}${']'.repeat(levels)}}`,
    { service: 'orders' },
  );

describe('a record with nested unknown fields', () => {
  it('is kept, compared and encoded when it is nested as people nest', () => {
    const { instance } = parseNested(15);
    if (instance === undefined) throw new Error('not read');
    const { instance: again } = parseInstance(encodeInstance(instance), { service: 'orders' });
    expect(again && sameInstance(instance, again)).toBe(true);
  });

  it('is malformed when comparing it would exhaust the stack', () => {
    expect(parseNested(30_000).problem).toContain('at most 16 levels of nesting');
    expect(parseNested(16).problem).toContain('at most 16 levels of nesting');
  });

  it('is malformed when it contains itself', () => {
    const more: unknown[] = [];
    more.push(more);
    const record = { service: 'orders', host: '10.0.0.1', port: 80, more };
    expect(parseInstance(record, { service: 'orders' }).problem).toContain('at most 16 levels of nesting');
  });
});

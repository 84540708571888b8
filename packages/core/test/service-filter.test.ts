import { describe, expect, it } from 'vitest';
import {
  applyServiceFilter,
  compileServiceFilter,
  ConfigValidationError,
  type ServiceFilter,
  type ServiceInstanceInit,
} from '../src/index.ts';
import { order } from './orders.ts';
import { thrownBy } from './thrown-by.ts';

const lets = (filter: ServiceFilter, fields: Partial<ServiceInstanceInit>) =>
  compileServiceFilter(filter)(order(1, fields));

describe('a service filter', () => {
  it('that is empty lets all through', () => {
    expect(lets({}, {})).toBe(true);
    expect(lets({ zone: undefined, tags: [], metadata: {} }, {})).toBe(true);
  });

  it.each<[ServiceFilter, Partial<ServiceInstanceInit>, boolean]>([
    [{ zone: 'a' }, { zone: 'a' }, true],
    [{ zone: 'a' }, { zone: 'b' }, false],
    [{ zone: 'a' }, {}, false],
    [{ zone: ['a', 'b'] }, { zone: 'b' }, true],
    [{ zone: ['a', 'b'] }, { zone: 'c' }, false],
    [{ zone: [] }, { zone: 'a' }, false],
    [{ region: 'eu' }, { region: 'eu' }, true],
    [{ region: ['us', 'eu'] }, { region: 'ap' }, false],
    [{ protocol: 'grpc' }, { protocol: 'grpc' }, true],
    [{ protocol: ['http', 'https'] }, {}, true],
    [{ protocol: ['http', 'https'] }, { protocol: 'grpc' }, false],

    [{ status: 'healthy' }, { status: 'healthy' }, true],
    [{ status: 'healthy' }, { status: 'unknown' }, false],
    [{ status: ['healthy', 'degraded'] }, { status: 'degraded' }, true],

    [{ tags: ['a'] }, { tags: ['a', 'b'] }, true],
    [{ tags: ['a', 'b'] }, { tags: ['b', 'a'] }, true],
    [{ tags: ['a', 'b'] }, { tags: ['a'] }, false],
    [{ tags: ['a'] }, {}, false],

    [{ metadata: { team: 'a' } }, { metadata: { team: 'a', tier: '1' } }, true],
    [{ metadata: { team: 'a' } }, { metadata: { team: 'A' } }, false],
    [{ metadata: { team: 'a', tier: '1' } }, { metadata: { team: 'a' } }, false],
    [{ metadata: { team: '' } }, {}, false],
    [{ metadata: { toString: 'x' } }, {}, false],
    [{ metadata: { constructor: 'x' } }, {}, false],
    [{ metadata: { toString: 'x' } }, { metadata: { toString: 'x' } }, true],

    [{ predicate: ({ port }) => port === 8080 }, {}, true],
    [{ predicate: ({ port }) => port === 8080 }, { port: 80 }, false],
  ])('%o and an instance with %o: %o', (filter, fields, let_) => {
    expect(lets(filter, fields)).toBe(let_);
  });

  it.each([
    ['^2.1.0', '2.1.0', true],
    ['^2.1.0', '2.9.9', true],
    ['^2.1.0', '3.0.0', false],
    ['^2.1.0', 'v2.1.0', true],
    ['1.x || >=3.0.0', '3.4.5', true],
    ['1.x || >=3.0.0', '2.0.0', false],
    ['*', '0.0.1', true],
    ['', '1.0.0', true],
    ['1.2.3', '1.2.3+build.7', true],
    ['^2.0.0', '2.1.0-beta.1', false],
    ['^2.1.0-beta.1', '2.1.0-beta.2', true],
    ['^2.1.0-beta.1', '2.2.0-beta.2', false],
    ['*', undefined, false],
    ['*', 'latest', false],
    ['*', '1.2', false],
    ['*', '1'.repeat(128), false],
  ])('with the range %o and an instance of version %o: %o', (range, version, let_) => {
    expect(lets({ version: range }, { version })).toBe(let_);
  });

  it.each<Partial<ServiceInstanceInit>>([
    { zone: 'b' },
    { region: 'us' },
    { status: 'draining' },
    { tags: [] },
    { metadata: {} },
    { version: '2.0.0' },
    { port: 80 },
  ])('with every criterion leaves out an instance with %o', (fields) => {
    const filter: ServiceFilter = {
      zone: 'a',
      region: 'eu',
      status: 'healthy',
      tags: ['canary'],
      metadata: { team: 'a' },
      version: '^1.0.0',
      predicate: ({ port }) => port === 8080,
    };
    const fits: Partial<ServiceInstanceInit> = {
      zone: 'a',
      region: 'eu',
      tags: ['canary'],
      metadata: { team: 'a' },
      version: '1.2.3',
    };
    expect(lets(filter, fits)).toBe(true);
    expect(lets(filter, { ...fits, ...fields })).toBe(false);
  });

  it('is read once: what is done to it afterwards changes nothing', () => {
    const zone = ['a'];
    const tags: string[] = [];
    const metadata: Record<string, string> = {};
    const holds = compileServiceFilter({ zone, tags, metadata });
    zone.pop();
    tags.push('canary');
    metadata['team'] = 'a';
    expect(holds(order(1, { zone: 'a' }))).toBe(true);
  });

  it('asks the predicate only about instances that fit otherwise', () => {
    const asked: string[] = [];
    const filter = { zone: 'a', predicate: ({ id }: { id: string }) => asked.push(id) > 0 };
    applyServiceFilter([order(1), order(2, { zone: 'a' })], filter);
    expect(asked).toEqual(['orders-2']);
  });

  it.each([
    [{ version: 'not a range' }, 'version', '"not a range"', 'a semver range such as "^2.1.0"'],
    [{ version: 2 }, 'version', '2', 'a semver range such as "^2.1.0"'],
    [{ zone: 1 }, 'zone', '1', 'a zone or an array of zones'],
    [{ zone: [1] }, 'zone', '[1]', 'a zone or an array of zones'],
    [{ region: null }, 'region', 'null', 'a region or an array of regions'],
    [{ protocol: 6 }, 'protocol', '6', 'a protocol or an array of protocols'],
    [{ tags: 'canary' }, 'tags', '"canary"', 'an array of tags'],
    [{ tags: [1] }, 'tags.0', '1', 'a tag'],
    [{ metadata: { team: 1 } }, 'metadata.team', '1', 'a string'],
    [{ metadata: 'team' }, 'metadata', '"team"', 'an object of strings'],
    [
      { status: 'sick' },
      'status',
      '"sick"',
      expect.stringMatching(/^one or more of "starting", /) as unknown,
    ],
    [{ status: ['healthy', 1] }, 'status', '["healthy",1]', expect.any(String) as unknown],
    [{ predicate: 'healthy' }, 'predicate', '"healthy"', 'a function (instance) => boolean'],
    [{ zones: 'a' }, 'zones', 'an unknown option', expect.stringMatching(/"zone"/) as unknown],
    [undefined, '', 'missing', 'an object'],
    ['a', '', '"a"', 'an object'],
  ])('%o is refused', (filter, field, received, expected) => {
    const error = thrownBy(() => compileServiceFilter(filter as never));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field, received, expected });
    expect(thrownBy(() => applyServiceFilter([], filter as never))).toEqual(error);
  });
});

describe('applyServiceFilter()', () => {
  it('returns the same instances in the same order, and leaves the list alone', () => {
    const instances = Object.freeze([order(3, { zone: 'a' }), order(1), order(2, { zone: 'a' })]);
    const filtered = applyServiceFilter(instances, { zone: 'a' });
    expect(filtered.map(({ id }) => id)).toEqual(['orders-3', 'orders-2']);
    expect(filtered[0]).toBe(instances[0]);
    expect(instances).toHaveLength(3);
  });
});

import { describe, expect, it } from 'vitest';
import { ConfigValidationError, createInstance, validateServiceName } from '../src/index.ts';
import { orders } from './orders.ts';
import { thrownBy } from './thrown-by.ts';

const now = 1_767_225_600_000;
const containing = (text: string): unknown => expect.stringContaining(text);
const create = (fields: object) => createInstance({ ...orders, ...fields }, now);

describe('createInstance()', () => {
  it('fills in what is not said', () => {
    expect(createInstance({ service: 'orders', host: '10.0.0.1', port: 8080 }, now)).toEqual({
      service: 'orders',
      id: 'orders-10.0.0.1-8080',
      host: '10.0.0.1',
      port: 8080,
      protocol: 'http',
      weight: 1,
      priority: 0,
      tags: [],
      metadata: {},
      status: 'healthy',
      registeredAt: now,
      updatedAt: now,
    });
  });

  it('keeps what is said', () => {
    const said = {
      service: 'orders',
      id: 'orders-1',
      host: 'orders-1.internal',
      port: 443,
      protocol: 'https',
      version: '1.2.3',
      region: 'eu',
      zone: 'eu-1a',
      weight: 0.5,
      priority: 2,
      tags: ['canary'],
      metadata: { team: 'a' },
      status: 'starting' as const,
      registeredAt: 1,
      updatedAt: 2,
    };
    expect(createInstance(said, now)).toEqual(said);
  });

  it('takes undefined as not said', () => {
    expect(create({ id: undefined, version: undefined, tags: undefined })).toEqual(create({}));
    expect(create({ version: undefined })).not.toHaveProperty('version');
  });

  it('was last changed when it was registered, unless told otherwise', () => {
    expect(create({ registeredAt: 5 })).toMatchObject({ registeredAt: 5, updatedAt: 5 });
  });

  it.each([
    ['fe80::1', 'orders-fe80::1-8080'],
    ['fe80::1%eth0', 'orders-fe80::1@eth0-8080'],
  ])('makes an id of the IPv6 address %s that can be given as an id', (host, id) => {
    const instance = create({ host });
    expect(instance.id).toBe(id);
    expect(create({ host, id: instance.id })).toEqual(instance);
  });

  it('is frozen, all the way down', () => {
    const instance = create({ tags: ['canary'], metadata: { team: 'a' } });
    expect([instance, instance.tags, instance.metadata].every(Object.isFrozen)).toBe(true);
  });

  it('has nothing in common with what it was made of', () => {
    const tags = ['canary'];
    const metadata = { team: 'a' };
    const instance = create({ tags, metadata });
    tags.push('late');
    metadata.team = 'b';
    expect(instance).toMatchObject({ tags: ['canary'], metadata: { team: 'a' } });
  });

  it('takes the same fields again', () => {
    const instance = create({ version: '1.0.0' });
    expect(createInstance(instance, now + 1)).toEqual(instance);
  });
});

describe('the limits of createInstance()', () => {
  it.each([
    { service: 'o' },
    { service: 'Orders_2.eu-1' },
    { service: 'constructor' },
    { id: '@' },
    { id: '...' },
    { host: 'a' },
    { host: 'my_host' },
    { host: 'example.com.' },
    { host: '3com.example' },
    { host: '::' },
    { host: '::ffff:10.0.0.1' },
    { port: 1 },
    { port: 65_535 },
    { protocol: 'grpc+tls' },
    { weight: 0 },
    { weight: 10_000 },
    { priority: 1_000 },
    { tags: ['ä b'] },
    { metadata: { '': '', 'any key': 'a\0b' } },
    { updatedAt: 0 },
  ])('include %o', (fields) => {
    expect(create(fields)).toMatchObject(fields);
  });

  const name = containing('a name of 1 to 128');
  const id = containing('an id of 1 to 256');
  const host = 'a host name, an IPv4 address, or an IPv6 address without brackets';
  const port = 'a whole number from 1 to 65535';
  const weight = 'a number from 0 to 10000';
  const priority = 'a whole number from 0 to 1000';
  const time = 'milliseconds since the epoch';

  it.each([
    ['service', '', '""', name],
    ['service', undefined, 'missing', name],
    ['service', null, 'null', name],
    ['service', 7, '7', name],
    ['service', 'a/b', '"a/b"', name],
    ['service', '.', '"."', name],
    ['service', '..', '".."', name],
    ['service', '../etc', '"../etc"', name],
    ['service', 'a b', '"a b"', name],
    ['service', 'a\0', String.raw`"a\u0000"`, name],
    ['service', 'a\n', String.raw`"a\n"`, name],
    ['service', '-a', '"-a"', name],
    ['service', 'a.', '"a."', name],
    ['service', 'ä', '"ä"', name],
    ['service', '__proto__', '"__proto__"', name],

    ['id', '', '""', id],
    ['id', 'a/b', '"a/b"', id],
    ['id', '.', '"."', id],
    ['id', '..', '".."', id],
    ['id', 'a\0', String.raw`"a\u0000"`, id],
    ['id', null, 'null', id],

    ['host', '', '""', host],
    ['host', undefined, 'missing', host],
    ['host', '..', '".."', host],
    ['host', 'a..b', '"a..b"', host],
    ['host', '-a', '"-a"', host],
    ['host', 'a-.b', '"a-.b"', host],
    ['host', 'a/b', '"a/b"', host],
    ['host', 'a:80', '"a:80"', host],
    ['host', 'a b', '"a b"', host],
    ['host', 'http://a', '"http://a"', host],
    ['host', 'a\0', String.raw`"a\u0000"`, host],
    ['host', '[::1]', '"[::1]"', host],
    ['host', ':::', '":::"', host],
    ['host', '999.0.0.1', '"999.0.0.1"', host],
    ['host', '10.0.0', '"10.0.0"', host],
    ['host', '80', '"80"', host],
    ['host', 10, '10', host],

    ['port', 70_000, '70000', port],
    ['port', undefined, 'missing', port],
    ['port', 0, '0', port],
    ['port', -1, '-1', port],
    ['port', 1.5, '1.5', port],
    ['port', '80', '"80"', port],
    ['port', Number.NaN, 'NaN', port],

    ['protocol', 'http:', '"http:"', containing('a URL scheme')],
    ['protocol', 'HTTP', '"HTTP"', containing('a URL scheme')],
    ['version', '', '""', 'a version of 1 to 128 characters'],
    ['version', 'v\n1', String.raw`"v\n1"`, 'a version of 1 to 128 characters'],
    ['region', 1, '1', 'a region of 1 to 128 characters'],

    ['weight', -1, '-1', weight],
    ['weight', Number.NaN, 'NaN', weight],
    ['weight', Infinity, 'Infinity', weight],
    ['weight', 10_001, '10001', weight],
    ['weight', '1', '"1"', weight],
    ['priority', -1, '-1', priority],
    ['priority', 0.5, '0.5', priority],
    ['priority', 1_001, '1001', priority],

    ['tags', 'canary', '"canary"', 'an array of tags'],
    ['metadata', 'team', '"team"', 'an object of strings'],
    ['status', 'sick', '"sick"', containing('one of "starting", "healthy"')],
    ['registeredAt', -1, '-1', time],
    ['updatedAt', 1e300, '1e+300', time],
    ['updatedAt', '2026-01-01', '"2026-01-01"', time],
    ['hots', 'a', 'an unknown option', containing('one of "service", "id", "host"')],
  ])('exclude %s %o', (field, value, received, expected) => {
    const error = thrownBy(() => create({ [field]: value }));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field, received, expected, issues: [{ field }] });
  });

  it.each(['__proto__', 'prototype', 'constructor'])('exclude metadata with the key %s', (key) => {
    const metadata: unknown = JSON.parse(`{"${key}":"x","ok":"1"}`);
    expect(thrownBy(() => create({ metadata }))).toMatchObject({ field: `metadata.${key}` });
  });

  it.each([
    ['service', 128],
    ['id', 256],
    ['version', 128],
    ['zone', 128],
    ['region', 128],
    ['protocol', 32],
  ])('exclude a %s of more than %d characters', (field, most) => {
    expect(create({ [field]: 'x'.repeat(most) })).toHaveProperty(field);
    expect(thrownBy(() => create({ [field]: 'x'.repeat(most + 1) }))).toMatchObject({ field });
  });

  it('exclude a host of more than 253 characters, and a part of it of more than 63', () => {
    const withHost = (text: string) => () => create({ id: 'orders-1', host: text });
    expect(withHost(`${'h.'.repeat(126)}h`)().host).toHaveLength(253);
    expect(thrownBy(withHost(`${'h.'.repeat(126)}hh`))).toMatchObject({ field: 'host', expected: host });
    expect(thrownBy(withHost('h'.repeat(64)))).toMatchObject({ field: 'host', expected: host });
  });

  it('exclude more than 64 tags', () => {
    const tags = Array<string>(65).fill('t');
    expect(create({ tags: tags.slice(1) }).tags).toHaveLength(64);
    expect(thrownBy(() => create({ tags }))).toMatchObject({ field: 'tags', expected: 'at most 64 tags' });
  });

  it('exclude long metadata', () => {
    const metadata = { k: 'x'.repeat(4_097) };
    const expected = 'a string of at most 4096 characters';
    expect(thrownBy(() => create({ metadata }))).toMatchObject({ field: 'metadata.k', expected });
  });

  it.each([
    [{ tags: ['a', ''] }, 'tags.1', '""', 'a tag of 1 to 256 characters'],
    [{ tags: [1] }, 'tags.0', '1', 'a tag of 1 to 256 characters'],
    [{ metadata: { team: 1 } }, 'metadata.team', '1', 'a string'],
    [{ metadata: { team: { name: 'a' } } }, 'metadata.team', '{"name":"a"}', 'a string'],
  ])('exclude %o', (fields, field, received, expected) => {
    const error = thrownBy(() => create(fields));
    expect(error).toMatchObject({ field, received, expected });
  });

  it('exclude more than 128 entries of metadata', () => {
    const metadata = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, '']));
    expect(thrownBy(() => create({ metadata }))).toMatchObject({
      field: 'metadata',
      expected: 'at most 128 entries',
    });
  });

  it('exclude an id made of a service and a host that are together too long for one', () => {
    const long = { service: 's'.repeat(128), host: `${'h'.repeat(63)}.${'h'.repeat(63)}` };
    expect(thrownBy(() => create(long))).toMatchObject({
      expected: containing('an id of its own'),
    });
    expect(create({ ...long, id: 'orders-1' }).id).toBe('orders-1');
  });

  it.each([
    [undefined, 'missing'],
    [null, 'null'],
    ['orders', '"orders"'],
  ])('exclude %o', (init, received) => {
    const error = thrownBy(() => createInstance(init as never, now));
    expect(error).toMatchObject({ field: '', received, expected: 'an object with service, host and port' });
  });

  it('are reported together', () => {
    const error = thrownBy(() => create({ port: 70_000, service: '', weight: -1 }));
    expect(error).toMatchObject({ issues: [{ field: 'service' }, { field: 'port' }, { field: 'weight' }] });
  });
});

describe('validateServiceName()', () => {
  it('returns a name that a service can have', () => {
    expect(validateServiceName('orders')).toBe('orders');
  });

  it.each(['', 'a/b', '..', 'a\0b', 's'.repeat(129), undefined, 7, {}])('refuses %o', (name) => {
    const error = thrownBy(() => validateServiceName(name));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(String(error)).toContain('Service name');
  });
});

import { describe, expect, it } from 'vitest';
import { ConfigValidationError, createInstance, MalformedEntries, type ServiceInstanceInit } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { readEntries } from '../src/health-entry.ts';
import { describeService } from '../src/service-definition.ts';

const holder = {
  owner: 'me',
  keptBy: { ttl: 5_000 },
  check: { kind: 'ttl' as const },
  deregisterAfterMs: 60_000,
};

function published(fields: Partial<ServiceInstanceInit>) {
  const init = { service: 'orders', id: 'orders-1', host: '10.0.0.1', port: 8080, ...fields };
  const instance = createInstance(init, 1_767_225_600_000);
  return { instance, definition: describeService(instance, holder) };
}

/** What Consul makes of a registration when it is asked for the health of the service. */
function entryOf({ definition: { registration, fields } }: ReturnType<typeof published>) {
  const { id, address, port, tags, meta, checks } = registration;
  return {
    Node: { Node: 'n1', Address: '127.0.0.1', Meta: null },
    Service: { ID: id, Address: address, Port: port, Tags: tags, Meta: meta, ...fields },
    Checks: checks.map(({ checkid, status }) => ({ CheckID: checkid, Status: status, ServiceID: id })),
  };
}

const read = (entry: unknown) => readEntries('orders', [entry], new MalformedEntries(silentLogger));

describe('what Consul holds of an instance', () => {
  it.each<Partial<ServiceInstanceInit>>([
    {},
    { weight: 0 },
    { weight: 2.5 },
    { weight: 10_000, priority: 1_000 },
    { host: 'fe80::1%eth0', protocol: 'grpc+tls' },
    { version: '1.2.3', region: 'eu', zone: 'ä'.repeat(128) },
    { tags: ['a b', 'ä/ö', ...Array.from({ length: 62 }, (_, n) => `tag-${n}`)] },
    { metadata: { empty: '', 'a b/ä': 'x', 'sd-id': 'mine', 'consul-x': 'y' } },
    { metadata: { long: 'ü'.repeat(4_096), 'line\nbreak': '😀"\\' } },
    { metadata: Object.fromEntries(Array.from({ length: 128 }, (_, n) => [`key-${n}`, `value ${n}`])) },
    { status: 'degraded' },
    { status: 'unhealthy' },
    { status: 'draining' },
    { status: 'unknown' },
  ])('is read as it was published: %j', (fields) => {
    const given = published(fields);
    expect(read(entryOf(given))).toEqual([given.instance]);
  });

  it('is metadata under its own names where Consul can hold it so', () => {
    const { meta } = published({ metadata: { plain: 'text', 'not plain': 'text' } }).definition.registration;
    expect(meta).toMatchObject({ plain: 'text', 'sd-more-0': '{"not plain":"text"}' });
  });

  it('stays within what Consul allows', () => {
    const metadata = {
      ...Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`k${n}`, 'ä'.repeat(99)])),
    };
    const { meta } = published({ metadata }).definition.registration;
    expect(Object.keys(meta).length).toBeLessThanOrEqual(64);
    for (const [key, value] of Object.entries(meta)) {
      expect(key).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(512);
    }
  });

  it('refuses what is more than Consul can hold, and says how much that is', () => {
    const metadata = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`k${n}`, 'x'.repeat(4_096)]));
    expect(() => published({ metadata })).toThrow(ConfigValidationError);
    expect(() => published({ metadata })).toThrow(/"metadata".*64 pairs of 512 bytes/);
  });

  it('has a critical check beside where it takes no requests, for those who do not know our statuses', () => {
    const { checks } = published({ status: 'draining' }).definition.registration;
    expect(checks.map(({ checkid, status }) => [checkid, status])).toEqual([
      ['sd:ttl:orders:orders-1:me', 'passing'],
      ['sd:status-draining:orders:orders-1', 'critical'],
    ]);
  });

  it.each([
    [{ 'sd-id': 'a b' }, /"id"/],
    [{ 'sd-weight': 'many' }, /"weight"/],
    [{ 'sd-status': 'fine' }, /"status"/],
    [{ 'sd-more-0': '{"cut' }, /sd-more/],
    [{ 'sd-more-0': '{"nested": {}}' }, /"metadata/],
  ])('is malformed with %j', (meta, problem) => {
    const entry = entryOf(published({}));
    const malformed = new MalformedEntries(silentLogger);
    const changed = { ...entry, Service: { ...entry.Service, Meta: { ...entry.Service.Meta, ...meta } } };
    expect(readEntries('orders', [changed, entry], malformed)).toHaveLength(1);
    expect(malformed.recent[0]).toMatchObject({ key: 'n1/orders:orders-1' });
    expect(malformed.recent[0]?.problem).toMatch(problem);
  });

  it.each([null, 1, 'x', [], {}, { Node: {}, Service: {} }, { Node: null, Service: { ID: 'x' } }])(
    'is no entry of Consul: %j',
    (entry) => {
      const malformed = new MalformedEntries(silentLogger);
      expect(readEntries('orders', [entry], malformed)).toEqual([]);
      expect(malformed.count).toBe(1);
    },
  );
});

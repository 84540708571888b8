import { ConfigValidationError, type ServiceInstance } from '@sd/core';

/** What Consul allows in the meta of a service; it counts bytes. */
const maxPairs = 64;
const maxBytes = 512;

/** A key that is metadata as it stands: others read it under its own name. */
const plainKey = /^(?!sd-|consul-)[A-Za-z0-9_-]{1,128}$/;

/**
 * The meta of a service: metadata under its own names where Consul can hold it so, fields that Consul does not know as
 * `sd-…`, and what does not fit as JSON in pieces, `sd-more-0` and so on.
 * @throws {ConfigValidationError} it is too much for Consul
 */
export function metaOf(instance: ServiceInstance): Record<string, string> {
  const own = fieldsOf(instance);
  const all = Object.entries(instance.metadata);
  const plain = all.filter(([key, value]) => plainKey.test(key) && Buffer.byteLength(value) <= maxBytes);
  const other = all.filter(([key, value]) => !plainKey.test(key) || Buffer.byteLength(value) > maxBytes);
  const fitting = [...own, ...plain, ...pieces(other)];
  if (fitting.length <= maxPairs) return Object.fromEntries(fitting);
  const packed = [...own, ...pieces(all)];
  if (packed.length <= maxPairs) return Object.fromEntries(packed);
  const issue = {
    field: 'metadata',
    received: `${Buffer.byteLength(JSON.stringify(Object.fromEntries(all)))} bytes as JSON`,
    expected: `at most ${(maxPairs - own.length) * maxBytes}, all that Consul holds in ${maxPairs} pairs of ${maxBytes} bytes`,
  };
  throw new ConfigValidationError('Service instance', [issue], { service: instance.service });
}

/** The fields and metadata that {@link metaOf} wrote. @throws it was not written so */
export function readMeta(meta: Readonly<Record<string, string>>): {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const number = (key: string): number | undefined =>
    meta[key] === undefined ? undefined : Number(meta[key]);
  const fields = {
    id: meta['sd-id'],
    protocol: meta['sd-protocol'],
    version: meta['sd-version'],
    region: meta['sd-region'],
    zone: meta['sd-zone'],
    status: meta['sd-status'],
    weight: number('sd-weight'),
    priority: number('sd-priority'),
    registeredAt: number('sd-registered-at'),
    updatedAt: number('sd-updated-at'),
  };
  const plain = Object.entries(meta).filter(([key]) => !key.startsWith('sd-'));
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { fields: Object.fromEntries(given), metadata: Object.fromEntries([...plain, ...rest(meta)]) };
}

function fieldsOf(instance: ServiceInstance): [string, string][] {
  const { id, protocol, version, region, zone, weight, priority, status } = instance;
  const isWeightOfConsul = Number.isInteger(weight) && weight >= 1;
  const fields: [string, string | number | undefined][] = [
    ['sd-id', id],
    ['sd-protocol', protocol],
    ['sd-version', version],
    ['sd-region', region],
    ['sd-zone', zone],
    ['sd-status', status],
    ['sd-weight', isWeightOfConsul ? undefined : weight],
    ['sd-priority', priority === 0 ? undefined : priority],
    ['sd-registered-at', instance.registeredAt],
    ['sd-updated-at', instance.updatedAt],
  ];
  return fields.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
}

function pieces(entries: readonly (readonly [string, string])[]): [string, string][] {
  if (entries.length === 0) return [];
  const found: string[] = [];
  let [piece, bytes] = ['', 0];
  for (const character of JSON.stringify(Object.fromEntries(entries))) {
    const length = Buffer.byteLength(character);
    if (bytes + length > maxBytes) {
      found.push(piece);
      [piece, bytes] = ['', 0];
    }
    piece += character;
    bytes += length;
  }
  return [...found, piece].map((each, n) => [`sd-more-${n}`, each]);
}

function rest(meta: Readonly<Record<string, string>>): [string, string][] {
  let json = '';
  for (let n = 0; ; n += 1) {
    const piece = meta[`sd-more-${n}`];
    if (piece === undefined) break;
    json += piece;
  }
  return json === '' ? [] : Object.entries(JSON.parse(json) as Record<string, string>);
}

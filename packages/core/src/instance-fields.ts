import { isIP } from 'node:net';
import * as v from 'valibot';
import { instanceStatuses } from './instance-status.ts';

const text = (maxLength: number, expected: string) =>
  v.pipe(
    v.string(expected),
    v.nonEmpty(expected),
    v.maxLength(maxLength, expected),
    // eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
    v.regex(/^[^\u0000-\u001f\u007f]*$/, expected),
  );

const inRange = (min: number, max: number, expected: string) =>
  v.pipe(v.number(expected), v.minValue(min, expected), v.maxValue(max, expected));

const nameText =
  'a name of 1 to 128 letters, digits, ".", "_" or "-" that starts and ends with a letter or digit';
const idText = 'an id of 1 to 256 letters, digits, ".", "_", "-", ":" or "@", but not "." or ".."';
const hostText = 'a host name, an IPv4 address, or an IPv6 address without brackets';
const portText = 'a whole number from 1 to 65535';
const protocolText = 'a URL scheme such as "http", without ":"';
const priorityText = 'a whole number from 0 to 1000';
const timeText = 'milliseconds since the epoch';
const statusText = `one of ${instanceStatuses.map((status) => `"${status}"`).join(', ')}`;

export const serviceName = v.pipe(
  v.string(nameText),
  v.regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, nameText),
);

const fields = {
  service: serviceName,
  id: v.optional(v.pipe(v.string(idText), v.regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,256}$/, idText))),
  host: v.pipe(v.string(hostText), v.check(isHost, hostText)),
  port: v.pipe(inRange(1, 65_535, portText), v.integer(portText)),
  protocol: v.optional(v.pipe(v.string(protocolText), v.regex(/^[a-z][a-z0-9+.-]{0,31}$/, protocolText))),
  version: v.optional(text(128, 'a version of 1 to 128 characters')),
  region: v.optional(text(128, 'a region of 1 to 128 characters')),
  zone: v.optional(text(128, 'a zone of 1 to 128 characters')),
  weight: v.optional(inRange(0, 10_000, 'a number from 0 to 10000')),
  priority: v.optional(v.pipe(inRange(0, 1_000, priorityText), v.integer(priorityText))),
  tags: v.optional(
    v.pipe(
      v.array(text(256, 'a tag of 1 to 256 characters'), 'an array of tags'),
      v.maxLength(64, 'at most 64 tags'),
    ),
  ),
  metadata: v.optional(
    v.pipe(
      v.record(
        v.pipe(v.string(), v.maxLength(128, 'keys of at most 128 characters')),
        v.pipe(v.string('a string'), v.maxLength(4_096, 'a string of at most 4096 characters')),
        'an object of strings',
      ),
      v.check((metadata) => Object.keys(metadata).length <= 128, 'at most 128 entries'),
    ),
  ),
  status: v.optional(v.picklist(instanceStatuses, statusText)),
  registeredAt: v.optional(inRange(0, 8.64e15, timeText)),
  updatedAt: v.optional(inRange(0, 8.64e15, timeText)),
};

/** Labels as DNS has them, with `_` as DNS-SD and Docker use it; the last one is no number, as that means IPv4. */
const hostName =
  /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*(?!\d+\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$/;

function isHost(host: string): boolean {
  // The longest IPv6 address has 45 characters; the rest is for its zone.
  return host.length <= 253 && (hostName.test(host) || (host.length <= 64 && isIP(host) !== 0));
}

const required = new Map<unknown, string>([
  ['service', nameText],
  ['host', hostText],
  ['port', portText],
]);

/** A field that is missing is a mistake of the object, but what is expected is the field. */
const expectedOf = ({ path }: v.BaseIssue<unknown>): string =>
  required.get(path?.at(-1)?.key) ?? 'an object with service, host and port';

const strictFields = v.strictObject(fields, expectedOf);

export type InstanceFields = v.InferOutput<typeof strictFields>;

const idFits = v.check(
  (record: InstanceFields) => record.id !== undefined || defaultId(record).length <= 256,
  'an id of its own, as the one made of service, host and port is longer than 256 characters',
);

/** What the user of `@sd/*` gives: a field that does not exist is a typo. */
export const strictInit = v.pipe(strictFields, idFits);

/** IPv6 zones are written with a `%`, which ids cannot have. */
export function defaultId({ service, host, port }: InstanceFields): string {
  return `${service}-${host.replaceAll('%', '@')}-${port}`;
}

/** A field that a newer version added: kept, but frozen and harmless to those who copy or descend into it. */
const unknownField = v.pipe(
  v.unknown(),
  v.check((value) => isNestedAtMost(15, value), 'at most 16 levels of nesting'),
  v.transform(sealed),
);

/** For records from a store: what a newer version added is let through. */
export const looseInit = v.pipe(
  v.objectWithRest(fields, unknownField, expectedOf),
  v.check((record) => Object.keys(record).length <= 64, 'at most 64 fields'),
  idFits,
);

function isNestedAtMost(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((part) => isNestedAtMost(levels - 1, part));
}

const reserved = new Set(['__proto__', 'constructor', 'prototype']);

function sealed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(sealed));
  const entries = Object.entries(value).filter(([key]) => !reserved.has(key));
  return Object.freeze(Object.fromEntries(entries.map(([key, part]) => [key, sealed(part)])));
}

import {
  instanceStatuses,
  parseInstance,
  rankedStatuses,
  type InstanceStatus,
  type MalformedEntries,
  type ParsedRecord,
  type ServiceInstance,
} from '@sd/core';
import * as v from 'valibot';
import { readMeta } from './meta.ts';
import { checkPrefix, isMainCheck } from './service-definition.ts';

/** The instances in what `/v1/health/service/:name` answered, by whomever they were registered. */
export function readEntries(
  service: string,
  entries: readonly unknown[],
  malformed: MalformedEntries,
): readonly ServiceInstance[] {
  const found = new Map<string, { readonly instance: ServiceInstance; readonly index: number }>();
  for (const entry of entries) {
    const parsed = v.safeParse(schema, entry, { abortEarly: true });
    if (!parsed.success) {
      malformed.report({ service, key: keyOf(entry), problem: 'it is no entry as Consul writes it' });
      continue;
    }
    const { Node, Service } = parsed.output;
    const read = readEntry(service, parsed.output);
    if (read === undefined) continue;
    const { instance, problem } = read;
    if (instance === undefined) {
      malformed.report({ service, key: `${Node.Node}/${Service.ID}`, problem });
      continue;
    }
    // Of several with one id, which moved from agent to agent, the newest counts.
    const index = Service.ModifyIndex;
    if ((found.get(instance.id)?.index ?? -1) <= index) found.set(instance.id, { instance, index });
  }
  return Array.from(found.values(), ({ instance }) => instance);
}

const text = v.nullish(v.string(), '');
const texts = v.nullish(v.record(v.string(), v.string()), {});
const schema = v.object({
  Node: v.object({ Node: v.string(), Address: text, Meta: texts }),
  Service: v.object({
    ID: v.string(),
    Address: text,
    Port: v.nullish(v.number(), 0),
    Tags: v.nullish(v.array(v.string()), []),
    Meta: texts,
    Weights: v.nullish(v.object({ Passing: v.number(), Warning: v.number() })),
    ModifyIndex: v.nullish(v.number(), 0),
  }),
  Checks: v.nullish(v.array(v.object({ CheckID: v.string(), Status: v.string(), ServiceID: text })), []),
});

type Entry = v.InferOutput<typeof schema>;

/** Undefined for one that is gone, though Consul still lists it. */
function readEntry(service: string, entry: Entry): ParsedRecord | undefined {
  const { Node, Service } = entry;
  const isOurs = Service.Meta['sd-id'] !== undefined;
  const found = statusFound(entry, isOurs);
  if (found === 'gone') return undefined;
  try {
    const address = { service, host: Service.Address || Node.Address, port: Service.Port };
    const zones = { zone: Node.Meta['zone'], region: Node.Meta['region'] };
    const record = isOurs ? publishedRecord(entry, found) : foreignRecord(entry, found);
    return parseInstance({ ...withoutBlanks(zones), ...address, ...record }, { service });
  } catch {
    return { problem: 'its sd-more-… meta is no JSON' };
  }
}

/** As it was published, unless checks found it worse. */
function publishedRecord({ Service }: Entry, found: InstanceStatus) {
  const { fields, metadata } = readMeta(Service.Meta);
  // One that is no status makes the record malformed.
  const published = fields['status'];
  const status = isStatus(published) ? worse(published, found) : published;
  return { tags: Service.Tags, weight: Service.Weights?.Passing ?? 1, ...fields, metadata, status };
}

/** Registered by others: by Nomad, Spring, a script, in any language. */
function foreignRecord({ Node, Service }: Entry, status: InstanceStatus) {
  const { Meta, Tags, Weights } = Service;
  const isSecure = Meta['secure'] === 'true' || Tags.includes('secure=true');
  const protocol = [Meta['protocol'], Meta['scheme']].find((each) =>
    /^[a-z][a-z0-9+.-]{0,31}$/.test(each ?? ''),
  );
  const weight = (status === 'degraded' ? Weights?.Warning : Weights?.Passing) ?? 1;
  return {
    // The ids of Consul are unique for each agent alone, and may have any characters.
    id: `${escaped(Node.Node)}:${escaped(Service.ID, ':')}`,
    protocol: protocol ?? (isSecure ? 'https' : 'http'),
    ...withoutBlanks({ version: Meta['version'], zone: Meta['zone'], region: Meta['region'] }),
    weight: Math.min(10_000, Math.max(0, weight)),
    tags: Tags.filter(isHoldable).slice(0, 64),
    metadata: Meta,
    status,
    registeredAt: 0,
  };
}

/**
 * What all checks but those that say what the instance itself says have found. An instance of ours whose process renews
 * no more is gone; but an alias also turns critical for a check of the whole node, and then it is that check that counts.
 */
function statusFound({ Checks }: Entry, isOurs: boolean): InstanceStatus | 'gone' {
  const others = isOurs ? Checks.filter(({ CheckID }) => !CheckID.startsWith(checkPrefix)) : Checks;
  const status = others.map(statusOf).reduce(worse, 'healthy');
  if (!isOurs) return status;
  // While one process takes over from another there may be two.
  const mains = Checks.filter(({ CheckID }) => isMainCheck(CheckID));
  const main = mains.find(({ Status }) => Status !== 'critical') ?? mains[0];
  if (main === undefined) return 'gone';
  if (!/^sd:(ttl|alias):/.test(main.CheckID)) return worse(status, statusOf(main));
  const isNodeTroubled = others.some(({ ServiceID, Status }) => ServiceID === '' && Status !== 'passing');
  return main.Status === 'critical' && !isNodeTroubled ? 'gone' : status;
}

function statusOf({ CheckID, Status }: Entry['Checks'][number]): InstanceStatus {
  if (Status === 'passing') return 'healthy';
  if (/^_(service|node)_maintenance/.test(CheckID)) return 'draining';
  return Status === 'warning' ? 'degraded' : 'unhealthy';
}

const isStatus = (value: unknown): value is InstanceStatus =>
  instanceStatuses.some((status) => status === value);

function worse(left: InstanceStatus, right: InstanceStatus): InstanceStatus {
  if (left === 'unknown' && right === 'healthy') return left;
  return rankedStatuses.indexOf(left) >= rankedStatuses.indexOf(right) ? left : right;
}

/** What an instance can have as a tag. */
// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
const isHoldable = (tag: string): boolean => /^[^\u0000-\u001f\u007f]{1,256}$/.test(tag);

function withoutBlanks(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, value]) =>
      value === undefined || value === '' ? [] : [[key, value]],
    ),
  );
}

/** What an id cannot have becomes `@` and the hexadecimal digits of each of its bytes. */
function escaped(text: string, allowed = ''): string {
  return Array.from(text, (character) => {
    if (/^[A-Za-z0-9._-]$/.test(character) || character === allowed) return character;
    return Array.from(Buffer.from(character), (byte) => `@${byte.toString(16).padStart(2, '0')}`).join('');
  }).join('');
}

function keyOf(entry: unknown): string {
  const id: unknown = Reflect.get(Object(Reflect.get(Object(entry), 'Service')), 'ID');
  return typeof id === 'string' ? id : '?';
}

import {
  ConfigValidationError,
  encodeInstance,
  instanceStatuses,
  maxRecordLength,
  parseInstance,
  takesRequests,
  type InstanceStatus,
  type ParsedRecord,
  type ServiceInstance,
} from '@sd/core';
import type { InstanceCodec } from './codec.ts';

/**
 * `ServiceInstance` of Curator's x-discovery as Spring Cloud ZooKeeper writes it. What it has no field for (weight, zone,
 * version …) goes into the metadata of the payload, under keys that begin with `sd-`, and comes back from there.
 */
export const curatorCodec: InstanceCodec = {
  encode(instance) {
    encodeInstance(instance); // refuses what no consumer would read
    refuseReserved(instance);
    const { service: name, id, host: address, port, protocol, registeredAt, status } = instance;
    return JSON.stringify({
      name,
      id,
      address,
      port,
      sslPort: protocol === 'https' ? port : null,
      payload: { '@class': payloadClass, id, name, metadata: metadataOf(instance) },
      registrationTimeUTC: registeredAt,
      serviceType: 'DYNAMIC',
      uriSpec,
      enabled: takesRequests(status),
    });
  },

  decode(text, place): ParsedRecord {
    if (text.length > 2 * maxRecordLength) return { problem: `the record is ${text.length} characters long` };
    const record = parsed(text);
    if (typeof record !== 'object' || record === null || Array.isArray(record))
      return { problem: 'the record is no JSON object' };
    return parseInstance(initOf(new Map(Object.entries(record))), place);
  },
};

/** Under these names the format itself has something: metadata there would be read as that, or be lost. */
function refuseReserved({ service, metadata }: ServiceInstance): void {
  const key = Object.keys(metadata).find((each) => each === statusKey || extraKeys.has(each));
  if (key === undefined) return;
  const issue = {
    field: 'metadata',
    received: `the key "${key}"`,
    expected: 'keys that Curator data do not use',
  };
  throw new ConfigValidationError('Service instance', [issue], { service });
}

const payloadClass = 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance';
const statusKey = 'instance_status';

/** `{scheme}://{address}:{port}`, from which Spring makes the URI. */
const uriSpec = {
  parts: [
    { value: 'scheme', variable: true },
    { value: '://', variable: false },
    { value: 'address', variable: true },
    { value: ':', variable: false },
    { value: 'port', variable: true },
  ],
};

function metadataOf(instance: ServiceInstance): Record<string, string> {
  const { metadata, protocol, weight, priority, tags, status, registeredAt, updatedAt } = instance;
  const { version, region, zone } = instance;
  const extra = Object.entries({
    ...(protocol === 'http' || protocol === 'https' ? {} : { protocol }),
    ...(version === undefined ? {} : { version }),
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(weight === 1 ? {} : { weight }),
    ...(priority === 0 ? {} : { priority }),
    ...(tags.length === 0 ? {} : { tags: JSON.stringify(tags) }),
    ...(status === 'healthy' ? {} : { status }),
    ...(updatedAt === registeredAt ? {} : { updatedAt }),
  }).map(([key, value]): [string, string] => [`sd-${key}`, String(value)]);
  return { ...metadata, ...Object.fromEntries<string>(extra), [statusKey]: springStatus(status) };
}

const springStatus = (status: InstanceStatus): string => (takesRequests(status) ? 'UP' : 'OUT_OF_SERVICE');

/** As it could be given to `createInstance()`: what is wrong with it is found by those who check that. */
function initOf(record: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const payload = entriesOf(record.get('payload'));
  const all = entriesOf(payload.get('metadata'));
  const extra = (key: string): unknown => all.get(`sd-${key}`);
  const metadata = [...all].filter(([key]) => key !== statusKey && !extraKeys.has(key));
  const sslPort = record.get('sslPort') ?? undefined;
  return {
    service: record.get('name'),
    id: record.get('id'),
    host: record.get('address'),
    port: sslPort ?? record.get('port'),
    protocol: extra('protocol') ?? (sslPort === undefined ? 'http' : 'https'),
    version: extra('version'),
    region: extra('region'),
    zone: extra('zone'),
    weight: numeric(extra('weight')),
    priority: numeric(extra('priority')),
    tags: parsed(extra('tags')),
    metadata: Object.fromEntries(metadata),
    status: statusOf(record.get('enabled'), all.get(statusKey), extra('status')),
    registeredAt: record.get('registrationTimeUTC'),
    updatedAt: numeric(extra('updatedAt')),
  };
}

const extraKeys: ReadonlySet<string> = new Set(
  ['protocol', 'version', 'region', 'zone', 'weight', 'priority', 'tags', 'status', 'updatedAt'].map(
    (key) => `sd-${key}`,
  ),
);

/** Somebody else may have taken it out of service since: Spring's word counts when ours contradicts it. */
function statusOf(enabled: unknown, spring: unknown, ours: unknown): unknown {
  const isOut = enabled === false || (typeof spring === 'string' && spring !== 'UP');
  const exact = instanceStatuses.find((status) => status === ours) ?? (ours === undefined ? 'healthy' : ours);
  const known = instanceStatuses.find((status) => status === exact);
  return isOut && known !== undefined && takesRequests(known) ? 'out-of-service' : exact;
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

const numeric = (value: unknown): unknown =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : value;

function parsed(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

import { addressOf, maxRecordLength, parseInstance, type ParsedRecord, type ServiceInstance } from '@sd/core';
import type { EtcdCodec, EtcdEntry } from './codec.ts';

/**
 * What go-kratos publishes: `/microservices/<service>/<id>`, with `{ id, name, version, metadata, endpoints }` as JSON.
 * An instance of theirs has an endpoint for each protocol, and one of ours has one address.
 * @param scheme of the endpoint to take: `grpc`. Default: `http` where there is one, else the first.
 */
export function kratosCodec(scheme?: string): EtcdCodec {
  return { name: 'kratos', prefix: '/microservices/', parse: (entry) => parse(entry, scheme), encode };
}

function parse({ service, id, value }: EtcdEntry, scheme: string | undefined): ParsedRecord {
  if (value.length > maxRecordLength) return parseInstance(value, { service }); // which says so
  const record = parseJson(value);
  if (typeof record !== 'object' || record === null) return parseInstance(value, { service });
  const { name, version, metadata, endpoints }: KratosRecord = record;
  if (name !== service) return { problem: `"name" is not "${service}", which its key says` };
  if ('id' in record && record.id !== id) return { problem: `"id" is not "${id}", which its key says` };
  const urls = Array.isArray(endpoints) ? endpoints.flatMap(parseUrl) : [];
  const url = urls.find((each) => each.scheme === (scheme ?? 'http')) ?? (scheme ? undefined : urls[0]);
  if (url === undefined)
    return { problem: `"endpoints" has no URL${scheme ? ` of the scheme ${scheme}` : ''}` };
  return parseInstance(
    {
      service,
      id,
      host: url.host,
      port: url.port,
      protocol: protocolOf(url),
      ...(typeof version === 'string' && version !== '' ? { version } : {}),
      ...(metadata === null || metadata === undefined ? {} : { metadata, ...weightOf(metadata) }),
    },
    { service, id },
  );
}

function encode(instance: ServiceInstance): string {
  const { id, service: name, version = '', protocol, weight } = instance;
  const isSecure = protocol === 'https' || protocol === 'grpcs';
  const scheme = isSecure ? protocol.slice(0, -1) : protocol;
  const metadata = weight === 1 ? instance.metadata : { ...instance.metadata, weight: String(weight) };
  const endpoints = [`${scheme}://${addressOf(instance)}?isSecure=${isSecure}`];
  return JSON.stringify({ id, name, version, metadata, endpoints });
}

interface KratosRecord {
  readonly id?: unknown;
  readonly name?: unknown;
  readonly version?: unknown;
  readonly metadata?: unknown;
  readonly endpoints?: unknown;
}

/** As its own balancers do, which take a weight from there. */
function weightOf(metadata: unknown): { readonly weight?: number } {
  const text: unknown = Reflect.get(Object(metadata), 'weight');
  const weight = typeof text === 'string' && text !== '' ? Number(text) : NaN;
  return weight >= 0 && weight <= 10_000 ? { weight } : {};
}

function protocolOf({ scheme, isSecure }: Address): string {
  return isSecure && (scheme === 'http' || scheme === 'grpc') ? `${scheme}s` : scheme;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Address {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** Not with `URL`, which drops the ports that are usual. */
function parseUrl(text: unknown): readonly Address[] {
  if (typeof text !== 'string') return [];
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([^\]]+)\]|([^:/?#@]+)):(\d{1,5})(?:[/?#]|$)/.exec(text);
  const [, scheme = '', bracketed, plain = '', port] = match ?? [];
  if (match === null) return [];
  return [
    { scheme, host: bracketed ?? plain, port: Number(port), isSecure: /[?&]isSecure=true(&|$)/.test(text) },
  ];
}

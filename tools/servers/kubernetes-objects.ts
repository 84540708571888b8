import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { isRecord } from './kubernetes-patch.ts';

/** An EndpointSlice as it is stored: fields in the order in which API servers write them. */
export interface StoredSlice {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
    readonly creationTimestamp: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields: readonly unknown[];
  };
  readonly addressType: unknown;
  readonly endpoints: unknown;
  readonly ports: unknown;
}

/** A mistake of the client, as the API server answers it. */
export class RequestError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** What a client sent, as it will be stored. @param before what it replaces */
export function makeSlice(
  sent: unknown,
  place: { readonly namespace: string; readonly name?: string; readonly revision: number },
  before?: StoredSlice,
): StoredSlice {
  const { metadata, addressType, endpoints, ports } = isRecord(sent) ? sent : {};
  const meta = isRecord(metadata) ? metadata : {};
  const prefix = typeof meta.generateName === 'string' ? meta.generateName : '';
  const generated = prefix === '' ? '' : prefix + randomUUID().slice(0, 5);
  const name = place.name ?? (typeof meta.name === 'string' ? meta.name : generated);
  const time = `${new Date().toISOString().slice(0, 19)}Z`;
  check(name, { addressType, endpoints });
  return {
    metadata: {
      name,
      namespace: place.namespace,
      uid: before?.metadata.uid ?? randomUUID(),
      resourceVersion: String(place.revision),
      generation: (before?.metadata.generation ?? 0) + 1,
      creationTimestamp: before?.metadata.creationTimestamp ?? time,
      ...strings('labels', meta.labels),
      ...strings('annotations', meta.annotations),
      managedFields: [
        {
          manager: 'unknown',
          operation: 'Update',
          apiVersion: 'discovery.k8s.io/v1',
          time,
          fieldsType: 'FieldsV1',
          fieldsV1: {
            'f:addressType': {},
            'f:endpoints': {},
            'f:metadata': { 'f:labels': { '.': {}, 'f:kubernetes.io/service-name': {} } },
            'f:ports': {},
          },
        },
      ],
    },
    addressType: addressType ?? '',
    endpoints: endpoints ?? null,
    ports: Array.isArray(ports) ? ports.map(completePort) : null,
  };
}

/** Whether two say the same, apart from when and by whom it was said. */
export function isSameSlice(left: StoredSlice, right: StoredSlice): boolean {
  const essence = ({
    metadata: { labels, annotations },
    addressType,
    endpoints,
    ports,
  }: StoredSlice): string => JSON.stringify([labels, annotations, addressType, endpoints, ports]);
  return essence(left) === essence(right);
}

/** What of the API server's validation tests could otherwise get past. */
function check(
  name: string,
  { addressType, endpoints }: { readonly addressType: unknown; readonly endpoints: unknown },
): void {
  const invalid = (problem: string): never => {
    throw new RequestError(422, 'Invalid', `EndpointSlice.discovery.k8s.io "${name}" is invalid: ${problem}`);
  };
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) invalid('metadata.name: Invalid value');
  const family = { IPv4: 4, IPv6: 6, FQDN: 0 }[String(addressType)];
  if (family === undefined) return invalid('addressType: Unsupported value');
  if (endpoints === undefined || endpoints === null) return;
  if (!Array.isArray(endpoints) || endpoints.length > 1_000) return invalid('endpoints: Too many');
  for (const endpoint of endpoints as readonly unknown[]) {
    const addresses: unknown = isRecord(endpoint) ? endpoint.addresses : undefined;
    if (!Array.isArray(addresses) || addresses.length === 0)
      return invalid('endpoints[].addresses: Required value');
    if (!addresses.every((address) => isIP(String(address)) === family))
      return invalid(`endpoints[].addresses: Invalid value: must be a valid ${String(addressType)} address`);
  }
}

function completePort(port: unknown): unknown {
  const { name = '', protocol = 'TCP', port: number = null, ...rest } = isRecord(port) ? port : {};
  return { name, protocol, port: number, ...rest };
}

function strings(field: string, value: unknown): Record<string, Record<string, string>> {
  if (!isRecord(value) || Object.keys(value).length === 0) return {};
  const sorted = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return { [field]: Object.fromEntries(sorted.map(([key, text]) => [key, String(text)])) };
}

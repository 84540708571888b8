/** What is kept of an EndpointSlice. Its fields come from anybody who may write one, so what they hold is looked at later. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** The Service that it belongs to, by its label. */
  readonly service: string;
  readonly version: string;
  /** Of this object and no other, in any store; empty where the server gives none. */
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly addressType: unknown;
  readonly endpoints: readonly unknown[];
  readonly ports: readonly unknown[];
}

export const serviceLabel = 'kubernetes.io/service-name';

/** The slice that `object` is; undefined when there is nobody to whom it could belong. */
export function parseSlice(object: unknown): EndpointSlice | undefined {
  const { metadata, addressType, endpoints, ports } = fields(object);
  const { name, namespace, resourceVersion, uid, labels, annotations } = fields(metadata);
  const texts = strings(labels);
  const service = texts[serviceLabel];
  if (typeof name !== 'string' || typeof namespace !== 'string' || service === undefined) return undefined;
  return {
    namespace,
    name,
    service,
    version: typeof resourceVersion === 'string' ? resourceVersion : '',
    uid: typeof uid === 'string' ? uid : '',
    labels: texts,
    annotations: strings(annotations),
    addressType,
    endpoints: Array.isArray(endpoints) ? (endpoints as readonly unknown[]) : [],
    ports: Array.isArray(ports) ? (ports as readonly unknown[]) : [],
  };
}

export const keyOf = ({ namespace, name }: EndpointSlice): string => `${namespace}/${name}`;

/** Of any object that JSON can hold; none of anything else. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Of what a text says in JSON; none of one that is no JSON. */
export function parseFields(text: string): Readonly<Record<string, unknown>> {
  try {
    return fields(JSON.parse(text));
  } catch {
    return {};
  }
}

function strings(value: unknown): Record<string, string> {
  const entries = Object.entries(fields(value));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

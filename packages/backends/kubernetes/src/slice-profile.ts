import type { EndpointSlice } from './endpoint-slice.ts';
import { fields } from './endpoint-slice.ts';

/** What a slice says of all its endpoints. */
export interface SliceProfile {
  readonly port: number;
  /** How far down the list of what is usually called the port is; 0 where it was wanted. */
  readonly portRank: number;
  readonly protocol: string;
  readonly version: string | undefined;
  readonly region: string | undefined;
  readonly weight: number;
  readonly priority: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A profile, unless there is no port, and what is wrong with the slice. */
export interface ReadProfile {
  readonly profile?: SliceProfile;
  readonly problem?: string;
}

/** Begins the annotations and labels that are for us. An annotation counts before a label. */
const prefix = 'sd.io/';

/** What an instance may say in words. */
// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
export const isText = (value: string): boolean => /^[^\u0000-\u001f\u007f]{1,128}$/.test(value);
export const textRule = 'a text of 1 to 128 characters';

const isProtocol = (value: string): boolean => /^[a-z][a-z0-9+.-]{0,31}$/.test(value);

/**
 * What a label says wrongly is not said: it costs no endpoint.
 * @param wanted name or number of the port; undefined for the usual choice
 */
export function readProfile(slice: EndpointSlice, wanted: string | number | undefined): ReadProfile {
  const { labels, annotations } = slice;
  const problems: string[] = [];
  const own = (name: string): string | undefined => annotations[prefix + name] ?? labels[prefix + name];
  /** Labels may be empty, which is no mistake. */
  const told = (
    key: string,
    value: string | undefined,
    isValid: (value: string) => boolean,
    rule: string,
  ) => {
    if (value === undefined || value === '' || isValid(value)) return value === '' ? undefined : value;
    problems.push(`"${key}" is not ${rule}; it is ignored`);
    return undefined;
  };
  const ports = slice.ports.map(parsePort).filter((port) => port !== undefined);
  const there = ports.map(({ name, port }) => `"${name}" ${port}`).join(', ');
  const isThere = (value: string): boolean => choosePort(ports, value) !== undefined;
  const name = wanted ?? told('sd.io/port', own('port'), isThere, `one of the ports: ${there}`);
  const port = choosePort(ports, name);
  if (port === undefined) {
    const which = wanted === undefined ? 'no TCP port with a number' : `no port "${wanted}"`;
    return { problem: `it has ${which}${there === '' ? '' : `, but ${there}`}` };
  }
  const weight = numberOf(own('weight'), 1, 10_000);
  const priority = numberOf(own('priority'), 0, 1_000);
  if (weight === undefined) problems.push('"sd.io/weight" is no number from 0 to 10000; 1 is used');
  if (priority === undefined) problems.push('"sd.io/priority" is no number from 0 to 1000; 0 is used');
  const text = (key: string, value = labels[key]) => told(key, value, isText, textRule);
  const profile = {
    port: port.port,
    portRank: name === undefined ? usualRank(port) : 0,
    protocol: told('sd.io/protocol', own('protocol'), isProtocol, 'a URL scheme') ?? protocolOf(port),
    version: text('sd.io/version', own('version')) ?? text('app.kubernetes.io/version'),
    region: text('topology.kubernetes.io/region'),
    weight: weight ?? 1,
    priority: Math.trunc(priority ?? 0),
    metadata: metadataOf(slice, port, ports),
  };
  return { profile, ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
}

interface SlicePort {
  readonly name: string;
  readonly port: number;
  readonly isTcp: boolean;
  readonly appProtocol: string;
}

function parsePort(value: unknown): SlicePort | undefined {
  const { name, port, protocol, appProtocol } = fields(value);
  if (typeof port !== 'number') return undefined; // without one it means all ports, which nobody can call
  return {
    name: typeof name === 'string' ? name : '',
    port,
    isTcp: protocol === undefined || protocol === null || protocol === 'TCP',
    appProtocol: typeof appProtocol === 'string' ? appProtocol : '',
  };
}

function choosePort(ports: readonly SlicePort[], wanted: string | number | undefined): SlicePort | undefined {
  if (wanted !== undefined)
    return ports.find(({ name, port }) => name === wanted || String(port) === String(wanted));
  const tcp = ports.filter(({ isTcp }) => isTcp);
  const best = Math.min(...tcp.map(usualRank));
  return tcp.find((port) => usualRank(port) === best);
}

export const worstPortRank = 2;

/** That called `http`, else one that speaks it or gRPC, else any. */
function usualRank(port: SlicePort): number {
  if (port.name === 'http') return 0;
  return webProtocols.has(protocolOf(port, '')) ? 1 : worstPortRank;
}

const webProtocols = new Set(['http', 'https', 'grpc', 'grpcs', 'ws', 'wss']);

/** The names that Kubernetes gives to protocols, as URL schemes. */
const schemes: Readonly<Record<string, string>> = {
  'kubernetes.io/h2c': 'http',
  'kubernetes.io/ws': 'ws',
  'kubernetes.io/wss': 'wss',
  http2: 'http',
  h2c: 'http',
  'grpc-web': 'http',
};

/** By `appProtocol`, else by the first part of the port's name, as Istio has it: `grpc-orders`. */
function protocolOf({ name, appProtocol }: SlicePort, otherwise = 'http'): string {
  const told = schemes[appProtocol] ?? appProtocol.toLowerCase();
  if (isProtocol(told)) return told;
  const [first = ''] = name.split('-');
  const named = schemes[first] ?? first;
  return webProtocols.has(named) || named === 'tcp' ? named : otherwise;
}

function numberOf(text: string | undefined, otherwise: number, most: number): number | undefined {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return text.trim() !== '' && value >= 0 && value <= most ? value : undefined;
}

/** Labels may be called so, but no metadata of an instance. */
const reservedKeys = new Set(['__proto__', 'prototype', 'constructor']);

/** Labels of the users' own, the other ports, and where it is from. */
function metadataOf(
  { namespace, labels }: EndpointSlice,
  { name, appProtocol }: SlicePort,
  ports: readonly SlicePort[],
): Record<string, string> {
  const own = Object.entries(labels).filter(
    ([key, value]) =>
      key.length <= 128 &&
      value.length <= 4_096 &&
      !/(^|\.)k(ubernete|8)s\.io\/|^sd\.io\//.test(key) &&
      !reservedKeys.has(key),
  );
  const others = ports.filter((port) => port.name !== '' && port.name !== name);
  return {
    ...Object.fromEntries(own.slice(0, 64)),
    ...Object.fromEntries(others.slice(0, 32).map((port) => [`port.${port.name}`, String(port.port)])),
    namespace,
    ...(name === '' ? {} : { portName: name }),
    ...(appProtocol === '' ? {} : { appProtocol }),
  };
}

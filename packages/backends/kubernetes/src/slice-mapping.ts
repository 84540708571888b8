import { isDeepStrictEqual } from 'node:util';
import {
  addressOf,
  ConfigValidationError,
  createInstance,
  type InstanceStatus,
  type MalformedEntries,
  type ServiceInstance,
} from '@sd/core';
import { fields, type EndpointSlice } from './endpoint-slice.ts';
import { isOlder } from './resource-version.ts';
import { isText, readProfile, textRule, worstPortRank, type SliceProfile } from './slice-profile.ts';

export type Family = 'IPv4' | 'IPv6';

export interface SliceMappingOptions {
  readonly port: string | number | undefined;
  readonly ports: Readonly<Record<string, string | number>> | undefined;
  readonly family: Family | undefined;
  readonly malformed: MalformedEntries;
}

/** A slice, and the instances that it means. */
export interface MappedSlice {
  readonly slice: EndpointSlice;
  readonly profile: SliceProfile | undefined;
  /** By the first of their addresses, as which they are known. */
  readonly endpoints: ReadonlyMap<string, MappedEndpoint>;
}

export interface MappedEndpoint {
  readonly endpoint: unknown;
  readonly instance: ServiceInstance;
  /** Whose address it is; addresses are used again. */
  readonly target: string;
  /** Address and port. */
  readonly place: string;
}

/** Turns endpoints of slices into instances; see the README for what becomes what. */
export class SliceMapping {
  readonly #options: SliceMappingOptions;

  constructor(options: SliceMappingOptions) {
    this.#options = options;
  }

  /** @param before an earlier state of the slice: endpoints that are the same are not read again */
  map(service: string, slice: EndpointSlice, before?: MappedSlice): MappedSlice {
    const { ports, port, malformed } = this.#options;
    const nothing = { slice, profile: undefined, endpoints: new Map<string, MappedEndpoint>() };
    const { addressType, endpoints } = slice;
    // Of names there is no way to know whether they mean the same as an address of another slice.
    if (addressType !== 'IPv4' && addressType !== 'IPv6') return nothing;
    const { profile, problem } = readProfile(slice, own(ports, service) ?? port);
    const place = `${slice.namespace}/${slice.name}`;
    if (problem !== undefined && endpoints.length > 0) malformed.report({ service, key: place, problem });
    if (profile === undefined) return nothing;
    const known = isDeepStrictEqual(before?.profile, profile) ? before?.endpoints : undefined;
    const mapped = new Map<string, MappedEndpoint>();
    for (const [index, endpoint] of endpoints.entries()) {
      const address = firstAddress(endpoint);
      const same = known?.get(address);
      if (same !== undefined && isDeepStrictEqual(same.endpoint, endpoint)) {
        const other = mapped.get(address);
        if (other === undefined || !isLeaving(same, other)) mapped.set(address, same);
        continue;
      }
      const report = (problem: string): void => {
        const key = `${place}#${podOf(endpoint) ?? (address === '' ? index : address)}`;
        malformed.report({ service, key, problem });
      };
      try {
        const instance = instanceOf(service, address, endpoint, profile, report);
        const read = { endpoint, instance, target: targetOf(endpoint), place: addressOf(instance) };
        const other = mapped.get(address);
        if (other === undefined || !isLeaving(read, other)) mapped.set(address, read);
      } catch (error) {
        if (!(error instanceof ConfigValidationError)) throw error;
        report(`"${error.field}" is ${error.received}, expected ${error.expected}`);
      }
    }
    return { slice, profile, endpoints: mapped };
  }

  /**
   * Of the slices of a service those with the lowest are served. Of a dual stack, which has slices of each family, that is
   * one; and pods that lack the port which others are called by, and are in a slice of their own, are not called by
   * another of their ports, which is for something else. Infinity: nobody is there.
   */
  rank({ slice, profile, endpoints }: MappedSlice): number {
    if (profile === undefined || endpoints.size === 0) return Infinity;
    const { family } = this.#options;
    if (slice.addressType === (family ?? 'IPv4')) return profile.portRank;
    return family === undefined ? worstPortRank + 1 + profile.portRank : Infinity;
  }

  /**
   * All slices of a service as one. While endpoints move from one slice to another they are in both, and what the newer
   * one says counts.
   */
  merge(slices: Iterable<MappedSlice>): MergedSlices {
    const there = [...slices].filter((each) => this.rank(each) < Infinity);
    const rank = there.reduce((lowest, each) => Math.min(lowest, this.rank(each)), Infinity);
    const byAddress = new Map<string, Claim>();
    const contested = new Map<string, [Claim, ...Claim[]]>();
    for (const each of there) {
      if (this.rank(each) > rank) continue;
      const { version } = each.slice;
      for (const { place, instance, target } of each.endpoints.values()) {
        const claim = { instance, target, version };
        const other = byAddress.get(place);
        if (other === undefined) byAddress.set(place, claim);
        else contested.set(place, [...(contested.get(place) ?? [other]), claim]);
      }
    }
    for (const [place, claims] of contested) byAddress.set(place, holder(claims));
    const { instances, isPlain } = distinct(byAddress.values());
    return { rank, instances, isPlain: isPlain && contested.size === 0 };
  }
}

/** The instances of a service. */
export interface MergedSlices {
  /** Of the slices that are served. */
  readonly rank: number;
  readonly instances: readonly ServiceInstance[];
  /** Each endpoint is in one slice alone, and each id belongs to one endpoint. */
  readonly isPlain: boolean;
}

interface Claim {
  readonly instance: ServiceInstance;
  readonly target: string;
  readonly version: string;
}

/**
 * Of each pod the newest slice counts; of several pods the one that stays, as the address of one that ends may be given
 * to another before it is gone.
 */
function holder([first, ...others]: readonly [Claim, ...Claim[]]): Claim {
  const newest = new Map([[first.target, first]]);
  for (const claim of others) {
    const known = newest.get(claim.target);
    if (known === undefined || isOlder(known.version, claim.version)) newest.set(claim.target, claim);
  }
  return [...newest.values()].reduce((best, claim) => {
    if (isLeaving(best, claim) || isLeaving(claim, best)) return isLeaving(best, claim) ? claim : best;
    return isOlder(best.version, claim.version) ? claim : best;
  });
}

/** @returns whether `one` ends and its address belongs to `other` by now */
function isLeaving(
  one: Pick<Claim, 'instance' | 'target'>,
  other: Pick<Claim, 'instance' | 'target'>,
): boolean {
  return (
    one.target !== other.target && one.instance.status === 'draining' && other.instance.status !== 'draining'
  );
}

/** A pod that was made anew under its old name may be there twice for a moment: the newer one has the name. */
function distinct(claims: Iterable<Claim>): Omit<MergedSlices, 'rank'> {
  const byId = new Map<string, Claim>();
  let isPlain = true;
  for (const claim of claims) {
    const { id } = claim.instance;
    const other = byId.get(id);
    if (other === undefined) {
      byId.set(id, claim);
      continue;
    }
    const [newer, older] = isBefore(claim, other) ? [claim, other] : [other, claim];
    isPlain = false;
    const { host, port } = older.instance;
    const renamed = Object.freeze({ ...older.instance, id: addressId(host, port) });
    byId.set(id, newer).set(renamed.id, { ...older, instance: renamed });
  }
  return { instances: Array.from(byId.values(), ({ instance }) => instance), isPlain };
}

/** In one slice the address decides: in which order claims come is no matter. */
function isBefore(left: Claim, right: Claim): boolean {
  if (left.version === right.version) return left.instance.host < right.instance.host;
  return isOlder(right.version, left.version);
}

function instanceOf(
  service: string,
  address: string,
  endpoint: unknown,
  { port, protocol, version, region, weight, priority, metadata }: SliceProfile,
  report: (problem: string) => void,
): ServiceInstance {
  const { zone, nodeName, hostname, hints } = fields(endpoint);
  const pod = podOf(endpoint);
  const { forZones, forNodes } = fields(hints);
  const details = {
    pod,
    node: nodeName,
    hostname,
    'hints.zones': names(forZones),
    'hints.nodes': names(forNodes),
  };
  const told = Object.entries(details).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '',
  );
  const zoneText = typeof zone === 'string' && zone !== '' ? zone : undefined;
  const hasZone = zoneText !== undefined && isText(zoneText);
  if (zoneText !== undefined && !hasZone) report(`"zone" is not ${textRule}; it is ignored`);
  const init = {
    service,
    id: pod === undefined ? addressId(address, port) : `${pod}-${port}`,
    host: address,
    port,
    protocol,
    version,
    region,
    zone: hasZone ? zoneText : undefined,
    weight,
    priority,
    metadata: { ...metadata, ...Object.fromEntries(told) },
    status: statusOf(endpoint),
  };
  // Kubernetes does not say since when; a guess would make each move to another slice a new process.
  return createInstance(init, 0);
}

/** The zone of an IPv6 address is written with a `%`, which ids cannot have. */
const addressId = (host: string, port: number): string => `${host.replaceAll('%', '@')}-${port}`;

function statusOf(endpoint: unknown): InstanceStatus {
  const { ready, terminating } = fields(fields(endpoint).conditions);
  if (terminating === true) return 'draining';
  // What is not said means yes.
  return ready === false ? 'unhealthy' : 'healthy';
}

/** Others are the same endpoint under another address, which nobody uses. */
function firstAddress(endpoint: unknown): string {
  const { addresses } = fields(endpoint);
  const first: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
  return typeof first === 'string' ? first : '';
}

/** Pods of a StatefulSet have the same name in each of their lives, and another uid. */
function targetOf(endpoint: unknown): string {
  const { kind, name, uid } = fields(fields(endpoint).targetRef);
  return JSON.stringify([kind, name, uid]);
}

function podOf(endpoint: unknown): string | undefined {
  const { kind, name } = fields(fields(endpoint).targetRef);
  if (kind !== 'Pod' || typeof name !== 'string') return undefined;
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,249}$/.test(name) ? name : undefined;
}

function names(list: unknown): string {
  if (!Array.isArray(list)) return '';
  const all = (list as readonly unknown[]).map((each) => fields(each).name);
  return all.filter((name) => typeof name === 'string').join(',');
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

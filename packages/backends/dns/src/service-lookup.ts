import {
  BackendUnavailableError,
  ConfigValidationError,
  createInstance,
  describeValue,
  TimeLimit,
  type Clock,
  type MalformedEntries,
  type ServiceInstance,
} from '@sd/core';
import { canonical } from './dns-message.ts';
import type { DnsBackendOptions } from './dns-options.ts';
import type { DnsAnswer, DnsSource, KnownAddress, SrvRecord } from './dns-source.ts';
import { inFamilies } from './families.ts';
import { least } from './least.ts';
import { dnsNameOf, isDnsName } from './service-names.ts';
import { ranked } from './srv-ranks.ts';

/** What an answer says of a service. */
export interface Found {
  readonly instances: readonly ServiceInstance[];
  /** Targets whose addresses could not be had, although they may have some. */
  readonly unresolved: ReadonlySet<string>;
  /** How long it is good for; undefined when that is not known. */
  readonly ttlMs: number | undefined;
}

export interface ServiceLookupOptions extends Pick<
  DnsBackendOptions,
  'name' | 'type' | 'port' | 'protocol' | 'targets' | 'family'
> {
  readonly source: DnsSource;
  readonly clock: Clock;
  /** What a server may take. */
  readonly timeoutMs: number;
  readonly malformed: MalformedEntries;
}

/** Makes instances of records. */
export class ServiceLookup {
  readonly #options: ServiceLookupOptions;

  constructor(options: ServiceLookupOptions) {
    this.#options = options;
  }

  /**
   * @throws {ConfigValidationError} when the service can have no name in DNS
   * @throws {BackendUnavailableError} when it is not known whether there are instances
   */
  async find(service: string, signal: AbortSignal): Promise<Found> {
    const { type = 'SRV', name: template } = this.#options;
    const name = dnsNameOf(service, template);
    try {
      return type === 'SRV'
        ? await this.#findRecords(service, name, signal)
        : await this.#findAddresses(service, name, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new BackendUnavailableError('dns', `cannot resolve ${type} of "${name}": ${problem}`, {
        service,
        cause,
      });
    }
  }

  async #findAddresses(service: string, name: string, signal: AbortSignal): Promise<Found> {
    const { source, family, port = 0 } = this.#options;
    const { records, ttlMs } = await source.addresses(name, family, signal);
    const instances = records.map((host) => this.#instance(service, name, { host, port }));
    return { instances: complete(instances), unresolved: new Set(), ttlMs };
  }

  async #findRecords(service: string, name: string, signal: AbortSignal): Promise<Found> {
    const { source, targets = 'addresses' } = this.#options;
    const answer = await source.srv(name, signal);
    // A single record with the root as its target: decidedly not available here (RFC 2782).
    const records = answer.records
      // As names are compared: what a server writes otherwise is no other target.
      .map((record) => ({ ...record, target: canonical(record.target) }))
      .filter(({ target }) => answer.records.length > 1 || target !== '');
    const hosts = targets === 'names' ? undefined : await this.#hostsOf(records, signal);
    const unresolved = hosts?.unresolved ?? new Set<string>();
    const instances = ranked(records).flatMap(({ target: host, port, priority, weight }) => {
      if (hosts === undefined) return [this.#instance(service, name, { host, port, priority, weight })];
      const addresses = hosts.addresses.get(host) ?? [];
      if (addresses.length === 0 && !unresolved.has(host)) {
        const problem = isDnsName(host) ? 'has no address' : 'is no DNS name';
        this.#report(service, `${name} ${host}:${port}`, `the target ${describeValue(host)} ${problem}`);
      }
      // The weight is that of the target, however many addresses it has.
      const share = weight / addresses.length;
      return addresses.map((address) =>
        this.#instance(service, name, {
          host: address,
          port,
          priority,
          weight: share,
          metadata: { target: host },
        }),
      );
    });
    const ttlMs = least(answer.ttlMs, hosts?.ttlMs);
    return { instances: complete(instances), unresolved, ttlMs };
  }

  /** Those that did not come with the records are asked for. One that cannot be had costs itself alone. */
  async #hostsOf(records: readonly SrvRecord[], signal: AbortSignal): Promise<Hosts> {
    const { clock } = this.#options;
    // What a target may cost the others: where one server is silent about it, the next is still heard.
    const timeoutMs = 2 * this.#options.timeoutMs;
    const targets = new Map(
      records.filter(({ target }) => isDnsName(target)).map(({ target, addresses }) => [target, addresses]),
    );
    const addresses = new Map<string, readonly string[]>();
    const unresolved = new Set<string>();
    let ttlMs: number | undefined;
    let failure: unknown;
    const find = async (target: string, known: readonly KnownAddress[]): Promise<void> => {
      const tooLate = () => new Error(`no address of "${target}" within ${timeoutMs} ms`);
      const limit = new TimeLimit(clock, timeoutMs, tooLate, signal);
      try {
        const answer = await this.#addressesOf(target, known, limit.signal);
        if (answer.records.length > 0) addresses.set(target, [...new Set(answer.records)]);
        ttlMs = least(ttlMs, answer.ttlMs);
      } catch (error) {
        failure = error;
        unresolved.add(target);
        // Who wants both takes what there is, and alone those that are missing are not known.
        if (this.#options.family === 'both' && known.length > 0)
          addresses.set(target, [...new Set(known.map(({ address }) => address))]);
      } finally {
        limit.end();
      }
    };
    await Promise.all(Array.from(targets, ([target, known]) => find(target, known)));
    signal.throwIfAborted();
    if (unresolved.size > 0 && addresses.size === 0) throw failure;
    return { addresses, unresolved, ttlMs };
  }

  /** A family of which none came along may still have some: servers add what they have at hand, or what fits. */
  #addressesOf(
    target: string,
    known: readonly KnownAddress[],
    signal: AbortSignal,
  ): Promise<DnsAnswer<string>> {
    const { source, family } = this.#options;
    return inFamilies(family, async (each) => {
      const fitting = known.filter(({ address }) => address.includes(':') === (each === 6));
      // A target is a whole name: search domains are not for it.
      if (fitting.length === 0) return source.addresses(`${target}.`, each, signal);
      return {
        records: fitting.map(({ address }) => address),
        ttlMs: Math.min(...fitting.map(({ ttlMs }) => ttlMs)),
      };
    });
  }

  /** Nothing for what can be no instance; that is reported. */
  #instance(service: string, name: string, fields: InstanceFields): ServiceInstance | undefined {
    const { protocol = 'http' } = this.#options;
    try {
      // 0, not now: what DNS says again is the same instance in every process.
      return createInstance({ service, protocol, ...fields }, 0);
    } catch (error) {
      if (!(error instanceof ConfigValidationError)) throw error;
      const { field, received, expected } = error;
      this.#report(
        service,
        `${name} ${fields.host}:${fields.port}`,
        `"${field}" is ${received}, expected ${expected}`,
      );
      return undefined;
    }
  }

  #report(service: string, key: string, problem: string): void {
    this.#options.malformed.report({ service, key, problem });
  }
}

interface Hosts {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly unresolved: ReadonlySet<string>;
  readonly ttlMs: number | undefined;
}

interface InstanceFields {
  readonly host: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Each once; of several records with one address and port the most preferred counts, in whatever order they come. */
function complete(instances: readonly (ServiceInstance | undefined)[]): readonly ServiceInstance[] {
  const byId = new Map<string, ServiceInstance>();
  for (const instance of instances) {
    if (instance === undefined) continue;
    const known = byId.get(instance.id);
    if (known === undefined || isPreferred(instance, known)) byId.set(instance.id, instance);
  }
  return [...byId.values()];
}

function isPreferred(left: ServiceInstance, right: ServiceInstance): boolean {
  if (left.priority !== right.priority) return left.priority < right.priority;
  if (left.weight !== right.weight) return left.weight > right.weight;
  return (left.metadata['target'] ?? '') < (right.metadata['target'] ?? '');
}

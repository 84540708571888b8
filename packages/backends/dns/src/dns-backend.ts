import {
  ClosedError,
  ConfigValidationError,
  MalformedEntries,
  onAbort,
  SharedWatches,
  systemClock,
  systemRng,
  validateServiceName,
  type BackendReadOptions,
  type DiscoveryBackend,
  type MalformedReport,
  type ServiceInstance,
  type WatchFeed,
} from '@sd/core';
import { CustomSource } from './custom-source.ts';
import { DnsClient } from './dns-client.ts';
import { validateOptions, type DnsBackendOptions } from './dns-options.ts';
import { DnsServers } from './dns-servers.ts';
import type { DnsSource } from './dns-source.ts';
import { readSearchRules, type SearchRules } from './search-rules.ts';
import { ServiceLookup } from './service-lookup.ts';
import { ServiceMembers } from './service-members.ts';
import { followService, type FollowServiceOptions } from './service-watch.ts';

type Snapshot = readonly ServiceInstance[];

/**
 * Services that DNS knows: SRV records, or addresses with a port. A watch asks again when the TTL of what was said is
 * over; DNS pushes nothing. Nothing is asked before the first use, and no socket is kept between two questions.
 */
export class DnsBackend implements DiscoveryBackend {
  readonly name = 'dns';
  readonly #malformed: MalformedEntries;
  readonly #lookup: ServiceLookup;
  readonly #watches: SharedWatches;
  readonly #watching: FollowServiceOptions;
  readonly #members: ServiceMembers;
  readonly #misses: number;
  readonly #services: readonly string[] | undefined;
  readonly #closed = new AbortController();

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: DnsBackendOptions) {
    validateOptions(options);
    const { minIntervalMs = 1_000, maxIntervalMs = 30_000, misses = 1, services, logger } = options;
    const { clock = systemClock, rng = systemRng, timeoutMs = 3_000 } = options;
    this.#malformed = new MalformedEntries(logger);
    this.#misses = misses;
    this.#members = new ServiceMembers(misses, clock);
    this.#services = services;
    const source = makeSource(options);
    const { name, type, port, protocol, targets, family } = options;
    const reading = { name, type, port, protocol, targets, family };
    this.#lookup = new ServiceLookup({ ...reading, source, clock, timeoutMs, malformed: this.#malformed });
    this.#watching = { lookup: this.#lookup, minIntervalMs, maxIntervalMs, clock, rng };
    this.#watches = new SharedWatches((feed) => void this.#follow(feed));
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  /** @throws {ConfigValidationError} without the option `services`, as DNS cannot list services */
  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
    if (this.#services === undefined) {
      const expected = 'the names to ask for, as DNS cannot list services';
      throw new ConfigValidationError('DnsBackend', [{ field: 'services', received: 'missing', expected }]);
    }
    const found = await Promise.all(
      this.#services.map(async (service) =>
        (await this.#find(service, signal)).length > 0 ? [service] : [],
      ),
    );
    return found.flat();
  }

  async getInstances(service: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    validateServiceName(service);
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
    return this.#find(service, signal);
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    return this.#watches.watch(service, signal);
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    const closed = new ClosedError('The dns backend');
    this.#closed.abort(closed);
    this.#watches.close(closed);
    this.#members.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #find(service: string, signal: AbortSignal | undefined): Promise<Snapshot> {
    const over = new AbortController();
    const forget = [this.#closed.signal, signal].map((each) => onAbort(each, () => over.abort(each?.reason)));
    try {
      const found = await this.#lookup.find(service, over.signal);
      const members = this.#members.get(service);
      if (members === undefined || (this.#misses === 1 && found.unresolved.size === 0))
        return found.instances;
      members.see(found);
      return members.instances;
    } finally {
      for (const each of forget) each();
    }
  }

  async #follow(feed: WatchFeed): Promise<void> {
    const members = this.#members.begin(feed.service);
    onAbort(feed.signal, () => this.#members.end(feed.service));
    try {
      await followService(feed, members, this.#watching);
    } catch (error) {
      if (feed.signal.aborted) return; // nobody watches any more
      this.#members.fail(feed.service, members);
      feed.fail(error);
    }
  }
}

function makeSource(options: DnsBackendOptions): DnsSource {
  const {
    resolver,
    timeoutMs = 3_000,
    clock = systemClock,
    transport = 'udp',
    servers,
    search,
    ndots,
  } = options;
  if (resolver !== undefined) return new CustomSource(resolver, timeoutMs, clock);
  let systemRules: Promise<SearchRules> | undefined;
  const searchRules = async (): Promise<SearchRules> => {
    systemRules ??= readSearchRules().catch((error: unknown) => {
      systemRules = undefined;
      throw error;
    });
    const system = await systemRules;
    return { domains: search ?? system.domains, ndots: ndots ?? system.ndots };
  };
  return new DnsClient({ servers: new DnsServers(servers, clock), transport, searchRules, timeoutMs, clock });
}

import {
  ClosedError,
  MalformedEntries,
  onAbort,
  SharedWatches,
  systemClock,
  systemRng,
  type BackendReadOptions,
  type DiscoveryBackend,
  type MalformedReport,
  type ServiceInstance,
  type WatchFeed,
} from '@sd/core';
import { CachedAccess } from './access.ts';
import { accessSource } from './access-sources.ts';
import { Breather, type Asked } from './breather.ts';
import { ApiClient } from './api-client.ts';
import { validateOptions, type KubernetesBackendOptions } from './kubernetes-options.ts';
import { ServiceNames } from './service-names.ts';
import { listSlices } from './slice-list.ts';
import { SliceMapping } from './slice-mapping.ts';
import { SliceReflector, type SliceReflectorOptions } from './slice-reflector.ts';

type Snapshot = readonly ServiceInstance[];

/**
 * Services of Kubernetes, by their EndpointSlices. However many are watched, a process has one watch open; it begins
 * with the first of them and ends with the last. A lookup is a request of its own.
 */
export class KubernetesBackend implements DiscoveryBackend {
  readonly name = 'kubernetes';
  readonly #malformed: MalformedEntries;
  readonly #api: ApiClient;
  readonly #names: ServiceNames;
  readonly #mapping: SliceMapping;
  readonly #labelSelector: string | undefined;
  readonly #reflecting: SliceReflectorOptions;
  readonly #watches: SharedWatches;
  // Apart from each other: who may list, may not be allowed to watch.
  readonly #afterWatch: Breather;
  readonly #afterLookup: Breather;
  readonly #closed = new AbortController();
  #reflector: SliceReflector | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: KubernetesBackendOptions = {}) {
    validateOptions(options);
    const { namespace, allNamespaces = false, labelSelector, port, ports, family, logger } = options;
    const { timeoutMs = 5_000, idleMs = 90_000, relistMs = 600_000 } = options;
    const { clock = systemClock, rng = systemRng } = options;
    const access = new CachedAccess(accessSource(options, { clock, timeoutMs }), clock);
    this.#malformed = new MalformedEntries(logger);
    this.#api = new ApiClient({ access, timeoutMs, idleMs, clock, rng });
    this.#names = new ServiceNames(namespace, allNamespaces);
    this.#mapping = new SliceMapping({ port, ports, family, malformed: this.#malformed });
    this.#labelSelector = labelSelector;
    this.#reflecting = {
      api: this.#api,
      names: this.#names,
      mapping: this.#mapping,
      labelSelector,
      relistMs,
      clock,
      rng,
      onEnd: (error) => {
        this.#reflector = undefined;
        this.#afterWatch.failed(error);
      },
    };
    this.#afterWatch = new Breather({ clock, rng });
    this.#afterLookup = new Breather({ clock, rng });
    this.#watches = new SharedWatches((feed) => this.#feed(feed));
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    return this.#lookUp({ scope: this.#names.scope(''), signal }, async (limit) => {
      const namespace = this.#names.scope(await this.#api.namespace(limit));
      const { slices } = await listSlices(
        this.#api,
        { namespace, labelSelector: this.#labelSelector },
        limit,
      );
      const alive = slices.filter(
        (slice) => this.#mapping.map(this.#names.nameOf(slice), slice).endpoints.size > 0,
      );
      return [...new Set(alive.map((slice) => this.#names.nameOf(slice)))];
    });
  }

  async getInstances(name: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    this.#names.validate(name);
    const { namespace } = this.#names.place(name, '');
    return this.#lookUp({ service: name, scope: namespace, signal }, async (limit) => {
      const place = this.#names.place(name, await this.#api.namespace(limit));
      const { slices } = await listSlices(this.#api, { ...place, labelSelector: this.#labelSelector }, limit);
      return this.#mapping.merge(slices.map((slice) => this.#mapping.map(name, slice))).instances;
    });
  }

  async *watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    this.#names.validate(service);
    yield* this.#watches.watch(service, signal);
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    const error = new ClosedError('The kubernetes backend');
    this.#closed.abort(error);
    this.#watches.close(error);
    this.#api.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #feed(feed: WatchFeed): void {
    const isFirst = this.#reflector === undefined;
    if (isFirst) this.#afterWatch.assertOver();
    const reflector = (this.#reflector ??= new SliceReflector(this.#reflecting));
    reflector.add(feed);
    if (isFirst) reflector.start();
  }

  /** Ends with the signal, and with the backend. */
  async #lookUp<T>(
    { signal, ...asked }: Asked & BackendReadOptions,
    work: (limit: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
    this.#afterLookup.assertOver(asked);
    const limit = new AbortController();
    const closed = this.#closed.signal;
    const forget = [signal, closed].map((each) => onAbort(each, () => limit.abort(each?.reason)));
    try {
      const found = await work(limit.signal);
      this.#afterLookup.succeeded(asked.scope);
      return found;
    } catch (error) {
      if (!limit.signal.aborted) this.#afterLookup.failed(error, asked.scope);
      throw error;
    } finally {
      for (const each of forget) each();
    }
  }
}

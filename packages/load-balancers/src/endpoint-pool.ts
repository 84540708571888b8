import {
  globalLogger,
  systemClock,
  systemRng,
  type Clock,
  type DiscoveryLogger,
  type Rng,
  type ServiceFilter,
  type ServiceInstance,
  type Timer,
} from '@sd/core';
import { balancingOptions, checkBalancing, checkNames, type BalancingOptions } from './balancing-options.ts';
import { EndpointSet } from './endpoint-set.ts';
import { EndpointSets } from './endpoint-sets.ts';
import type { CheckedStatus, Endpoint, Outcome } from './endpoint.ts';
import { LatencyMetric } from './latency-metric.ts';
import { SlowStart } from './layers/slow-start.ts';
import { LoadBalancerFactory } from './load-balancer-factory.ts';
import { PooledEndpoint } from './pooled-endpoint.ts';
import { Probes } from './probes.ts';

export interface EndpointPoolOptions extends BalancingOptions {
  readonly service: string;
  /** Default: one with the strategies of the package. */
  readonly factory?: LoadBalancerFactory | undefined;
  /** The consumer's own zone. */
  readonly zone?: string | undefined;
  /** New endpoints are `awaited` until the first `report` of them. Default: false. */
  readonly awaitChecks?: boolean | undefined;
  /** Hears of each endpoint that has left, also when the pool is closed; requests to it may be under way. */
  readonly onLeave?: ((endpoint: Endpoint) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

/**
 * The endpoints of one service and what is known of them. Statistics belong to an endpoint: they survive changes of
 * membership, are shared by all sets, and leave with it.
 */
export class EndpointPool implements Disposable {
  readonly service: string;
  readonly #clock: Clock;
  readonly #sets: EndpointSets;
  readonly #maxInFlight: number;
  readonly #awaitChecks: boolean;
  readonly #probes: Probes;
  readonly #slowStart: SlowStart | undefined;
  readonly #onLeave: ((endpoint: Endpoint) => void) | undefined;
  #latencies: LatencyMetric | undefined;
  readonly #endpoints = new Map<string, PooledEndpoint>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #snapshots = 0;
  #hadSnapshot = false;
  #list: readonly PooledEndpoint[] = [];
  readonly #ejections = new Map<
    PooledEndpoint,
    { readonly until: number; readonly timer: Timer | undefined }
  >();
  #closed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: EndpointPoolOptions) {
    checkBalancing('EndpointPool', options);
    checkNames('EndpointPool', options, poolOptions);
    const { service, clock = systemClock } = options;
    this.service = service;
    this.#clock = clock;
    this.#awaitChecks = options.awaitChecks ?? false;
    this.#onLeave = options.onLeave;
    this.#probes = new Probes(clock);
    this.#maxInFlight = options.maxInFlight ?? 2 ** 30; // small integers compare faster than Infinity does
    this.#slowStart =
      options.slowStart === undefined
        ? undefined
        : new SlowStart(options.slowStart, clock, (endpoints) => this.#sets.warmed(endpoints));
    const { logger = globalLogger } = options;
    this.#sets = new EndpointSets(this.#setMaker(options), (error) =>
      logger.error(`A strategy of service "${service}" threw; it starts anew with the next pick`, { error }),
    );
  }

  /** All endpoints, eligible or not, in the order of the snapshot. */
  get endpoints(): readonly Endpoint[] {
    return this.#list;
  }

  /** Applies a snapshot: the complete list of the service's instances. Of several with one id, the last counts. */
  update(instances: readonly ServiceInstance[]): void {
    this.#snapshots += 1;
    const before = this.#list;
    const present = this.#recognize(instances);
    if (present === undefined) {
      this.update([...new Map(instances.map((instance) => [instance.id, instance])).values()]);
      return;
    }
    for (const endpoint of before) if (endpoint.seen !== this.#snapshots) this.#remove(endpoint);
    this.#list = instances.map(
      (instance, place) => this.#keep(present[place], instance) ?? this.#add(instance),
    );
    this.#hadSnapshot = true;
    this.#sets.update(this.#list, this.#slots);
    // Now that sets know: whoever hears of it may end attempts on those that left.
    const onLeave = this.#onLeave;
    if (onLeave !== undefined) for (const endpoint of before) if (endpoint.gone) onLeave(endpoint);
  }

  /** Asks all layers anew: something that a layer of yours goes by has changed. */
  refresh(): void {
    this.#sets.update(this.#list, this.#slots);
  }

  /**
   * The endpoints that match a filter, in the order of a strategy. The same arguments give the same set; with a filter
   * that is used often, pass the same object each time.
   * @throws {ConfigValidationError} when the strategy is unknown or the filter malformed
   */
  set(strategy: string, filter?: ServiceFilter): EndpointSet {
    return this.#sets.get(strategy, filter);
  }

  /** Hot path. It has answered an attempt that goes on until `finish`, which is to be told so. */
  answered(endpoint: Endpoint): void {
    if (PooledEndpoint.is(endpoint)) endpoint.answering += 1;
  }

  /**
   * Gives back an endpoint that a set picked, exactly once.
   * @param latencyMs from the pick to the answer; ignored when the outcome is `cancelled`
   * @param wasAnswered whether `answered` was called for it. Default: false
   */
  finish(endpoint: Endpoint, outcome: Outcome, latencyMs: number, wasAnswered = false): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.inFlight === 0) return;
    endpoint.inFlight -= 1;
    if (wasAnswered && endpoint.answering > 0) endpoint.answering -= 1;
    if (endpoint.saturated) this.#relieve(endpoint);
    if (endpoint.gone) {
      if (endpoint.inFlight === 0) this.#free(endpoint);
      return;
    }
    if (outcome === 'ok') this.#slowStart?.answered(endpoint);
    const isMeasured = latencyMs >= 0 && latencyMs < Infinity;
    // A wrong latency would never be forgotten; without one, an answer says nothing that strategies could go by.
    const told = isMeasured || outcome !== 'ok' ? outcome : 'cancelled';
    this.#latencies?.finished(endpoint, told, isMeasured ? latencyMs : 0);
    this.#sets.finished(endpoint, told, isMeasured ? latencyMs : 0);
  }

  /**
   * Takes an endpoint out of rotation for a while; a longer time replaces a shorter one.
   * @param forMs Infinity: until `restore`
   * @param options.unreachable nothing listens there, so that panic does not use it either, while there is another
   */
  eject(
    endpoint: Endpoint,
    forMs: number,
    { unreachable = false }: { readonly unreachable?: boolean } = {},
  ): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.gone || this.#closed) return;
    const isNews = !endpoint.ejected || (unreachable && !endpoint.unreachable);
    const until = this.#clock.monotonic() + forMs;
    const running = this.#ejections.get(endpoint);
    if (running === undefined || running.until < until) {
      running?.timer?.cancel();
      const timer =
        forMs === Infinity ? undefined : this.#clock.setTimer(() => this.restore(endpoint), forMs);
      this.#ejections.set(endpoint, { until, timer });
    }
    this.#probes.remove(endpoint);
    endpoint.ejected = true;
    endpoint.unreachable ||= unreachable;
    if (isNews) this.#sets.changed(endpoint);
  }

  /** Puts an ejected endpoint back into rotation. What was measured of it before is forgotten. */
  restore(endpoint: Endpoint): void {
    if (!PooledEndpoint.is(endpoint) || !endpoint.ejected) return;
    this.#forgetEjection(endpoint);
    this.#latencies?.reset(endpoint);
    this.#sets.changed(endpoint);
  }

  /**
   * Has the next request that suits go to an endpoint that is out of rotation or gets little: one attempt, which changes
   * nothing by itself. Restore the endpoint or eject it for longer by its outcome.
   */
  probe(endpoint: Endpoint): void {
    if (PooledEndpoint.is(endpoint) && !endpoint.gone && !this.#closed) this.#probes.add(endpoint);
  }

  /** Judges an endpoint slow beside its peers, or not any more. */
  degrade(endpoint: Endpoint, isSlow: boolean): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.gone || endpoint.slow === isSlow) return;
    endpoint.slow = isSlow;
    this.#probes.remove(endpoint);
    if (!isSlow) this.#latencies?.reset(endpoint);
    this.#sets.changed(endpoint);
  }

  /** Says what the consumer's own check found. In panic, an endpoint that fails it is used all the same. */
  report(endpoint: Endpoint, checked: CheckedStatus): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.gone || endpoint.checked === checked) return;
    endpoint.checked = checked;
    this.#sets.changed(endpoint);
  }

  /** Takes an endpoint out by hand, also from panic, or lets it back. */
  isolate(endpoint: Endpoint, isIsolated: boolean): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.gone || endpoint.isolated === isIsolated) return;
    endpoint.isolated = isIsolated;
    this.#sets.changed(endpoint);
    this.refresh(); // whether those of weight 0 are used depends on who else is
  }

  /** Stops its timers, and ejects no more. Attempts under way may finish. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { timer } of this.#ejections.values()) timer?.cancel();
    this.#ejections.clear();
    this.#slowStart?.close();
    for (const endpoint of this.#list) this.#onLeave?.(endpoint);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #setMaker(options: EndpointPoolOptions): ConstructorParameters<typeof EndpointSets>[0] {
    const { service, zone, factory = new LoadBalancerFactory(), zoneAware, layers = [], subset } = options;
    const { clock = systemClock, rng = systemRng, logger = globalLogger } = options;
    const context = { service, zone, clock, rng, latencies: () => this.#measureLatencies() };
    const { by = 'capacity', clientShare } = typeof zoneAware === 'object' ? zoneAware : {};
    const zones = zone === undefined ? undefined : { own: zone, by, clientShare };
    const usesZones = zoneAware !== undefined && zoneAware !== false;
    return (strategy, wanted, join) =>
      new EndpointSet({
        service,
        makeStrategy: () => factory.create(strategy, context),
        wanted,
        layers,
        subset,
        priority: {
          overprovisioning: options.overprovisioning ?? 1.4,
          panicThreshold: options.panicThreshold ?? 0.5,
        },
        zones: usesZones || strategy === 'zone-aware' ? zones : undefined,
        count: this.#count,
        finish: (endpoint, outcome, latencyMs) => this.finish(endpoint, outcome, latencyMs),
        probes: this.#probes,
        join,
        clock,
        rng,
        logger,
      });
  }

  /** Hot path. */
  readonly #count = (endpoint: Endpoint): void => {
    if (!PooledEndpoint.is(endpoint)) return;
    endpoint.inFlight += 1;
    this.#latencies?.started(endpoint);
    this.#sets.started(endpoint);
    if (endpoint.inFlight >= this.#maxInFlight && !endpoint.saturated) {
      endpoint.saturated = true;
      this.#sets.changed(endpoint);
    }
  };

  #relieve(endpoint: PooledEndpoint): void {
    endpoint.saturated = false;
    this.#sets.changed(endpoint);
  }

  #measureLatencies(): LatencyMetric {
    if (this.#latencies === undefined) {
      this.#latencies = new LatencyMetric({ clock: this.#clock });
      for (const endpoint of this.#list) this.#latencies.reset(endpoint);
    }
    return this.#latencies;
  }

  /** By place, what is known of the instances of a snapshot; undefined if it has an id more than once. */
  #recognize(instances: readonly ServiceInstance[]): readonly (PooledEndpoint | undefined)[] | undefined {
    const newIds = new Set<string>();
    const before = this.#list;
    const present = new Array<PooledEndpoint | undefined>(instances.length);
    for (let place = 0; place < instances.length; place += 1) {
      const instance = instances[place];
      if (instance === undefined) continue;
      // Most of a snapshot is as it was, at the same place or near it.
      const endpoint =
        before[place]?.instance === instance ? before[place] : this.#endpoints.get(instance.id);
      if (endpoint === undefined) {
        if (newIds.has(instance.id)) return undefined;
        newIds.add(instance.id);
      } else {
        if (endpoint.seen === this.#snapshots) return undefined;
        endpoint.seen = this.#snapshots;
      }
      present[place] = endpoint;
    }
    return present;
  }

  #keep(endpoint: PooledEndpoint | undefined, instance: ServiceInstance): PooledEndpoint | undefined {
    if (endpoint === undefined || endpoint.instance === instance) return endpoint;
    const { host, port, registeredAt } = endpoint.instance;
    if (host !== instance.host || port !== instance.port || registeredAt !== instance.registeredAt) {
      this.#remove(endpoint); // the same identity in another process: what was known does not hold for it
      return undefined;
    }
    endpoint.instance = instance;
    return endpoint;
  }

  #add(instance: ServiceInstance): PooledEndpoint {
    const endpoint = new PooledEndpoint(instance, this.#freeSlots.pop() ?? this.#slots++);
    endpoint.seen = this.#snapshots;
    if (this.#awaitChecks) endpoint.checked = 'awaited';
    this.#endpoints.set(instance.id, endpoint);
    this.#latencies?.reset(endpoint);
    this.#slowStart?.begin(endpoint, this.#hadSnapshot ? 0 : this.#clock.now() - instance.registeredAt);
    return endpoint;
  }

  #remove(endpoint: PooledEndpoint): void {
    this.#endpoints.delete(endpoint.id);
    this.#forgetEjection(endpoint);
    this.#slowStart?.forget(endpoint);
    endpoint.gone = true;
    if (endpoint.inFlight === 0) this.#free(endpoint);
  }

  /** Once, even if a strategy picks it again after it has left. */
  #free(endpoint: PooledEndpoint): void {
    if (endpoint.freed) return;
    endpoint.freed = true;
    this.#freeSlots.push(endpoint.slot);
  }

  #forgetEjection(endpoint: PooledEndpoint): void {
    endpoint.ejected = false;
    endpoint.unreachable = false;
    this.#probes.remove(endpoint);
    this.#ejections.get(endpoint)?.timer?.cancel();
    this.#ejections.delete(endpoint);
  }
}

const poolOptions = [
  ...balancingOptions,
  'service',
  'factory',
  'zone',
  'awaitChecks',
  'onLeave',
  'clock',
  'rng',
  'logger',
];

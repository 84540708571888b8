import {
  follow,
  onAbort,
  type Clock,
  type DiscoveryBackend,
  type DiscoveryError,
  type DiscoveryLogger,
  type Following,
  type FollowOptions,
  type Latest,
  type Rng,
  type ServiceView,
} from '@sd/core';
import {
  EndpointPool,
  type BalancingOptions,
  type EndpointSet,
  type LoadBalancerFactory,
} from '@sd/load-balancers';
import { ConnectBackoff } from './connect-backoff.ts';
import { NoHealthyInstanceError, OverloadedError, UnknownServiceError } from './errors.ts';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';

export interface TrackedServiceOptions {
  readonly backend: DiscoveryBackend;
  readonly factory: LoadBalancerFactory;
  readonly zone: string | undefined;
  readonly balancing: BalancingOptions;
  readonly follow: Omit<FollowOptions, 'onChange' | 'clock' | 'rng' | 'logger'>;
  readonly retryBudget: RetryBudgetOptions;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** All state of one service: its view, its endpoints, its retry budget. Nothing of it is shared between services. */
export class TrackedService {
  readonly name: string;
  readonly backend: string;
  readonly pool: EndpointPool;
  readonly budget: RetryBudget;
  readonly connects: ConnectBackoff;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Set with each use, cleared by the sweep for idle services. */
  used = true;
  readonly #following: Following;
  readonly #readers = new Set<Latest<ServiceView>>();
  readonly #waiting = new Set<() => void>();
  #users = 0;

  constructor(name: string, options: TrackedServiceOptions) {
    const { backend, clock, rng, logger } = options;
    this.name = name;
    this.backend = backend.name;
    this.clock = clock;
    this.rng = rng;
    this.pool = new EndpointPool({
      ...options.balancing,
      service: name,
      factory: options.factory,
      zone: options.zone,
      clock,
      rng,
      logger,
    });
    this.budget = new RetryBudget({ ...options.retryBudget, clock });
    this.connects = new ConnectBackoff(this.pool, clock, rng);
    let applied: ServiceView['instances'] = [];
    this.#following = follow(backend, name, {
      ...options.follow,
      clock,
      rng,
      logger,
      onChange: (view) => {
        if (view.instances !== applied) this.pool.update(view.instances);
        applied = view.instances;
        for (const reader of this.#readers) reader.push(view);
        this.#wake();
      },
    });
  }

  get view(): ServiceView {
    return this.#following.view;
  }

  /** A call or a lookup began; it may wait for long without an attempt in flight. */
  enter(): void {
    this.#users += 1;
  }

  /** It ended. */
  leave(): void {
    this.#users -= 1;
    this.used = true;
  }

  /** Whether somebody calls it, waits for it, reads its changes or has an attempt in flight. */
  get busy(): boolean {
    return (
      this.#users > 0 || this.#readers.size > 0 || this.pool.endpoints.some(({ inFlight }) => inFlight > 0)
    );
  }

  /** @throws the signal's reason, or a `ClosedError` */
  ready(signal?: AbortSignal): Promise<ServiceView> {
    return this.#following.ready({ signal });
  }

  /** Why a set of its pool has nobody to pick. */
  nobody(set: EndpointSet): DiscoveryError {
    const { instances } = this.view;
    if (instances.length === 0) return new UnknownServiceError(this.name, this.backend);
    if (set.serves) return new OverloadedError(this.name);
    return new NoHealthyInstanceError(
      this.name,
      instances,
      set.matching.map(({ instance }) => instance),
    );
  }

  /** Resolves with the next change, when the signal aborts, or after `withinMs`. */
  changed(withinMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        forget();
        this.#waiting.delete(done);
        resolve();
      };
      const timer = this.clock.setTimer(done, withinMs, { keepAlive: true });
      const forget = onAbort(signal, done);
      this.#waiting.add(done);
    });
  }

  /** From now on the reader gets each view. */
  attach(reader: Latest<ServiceView>): void {
    this.#readers.add(reader);
    if (this.view.state !== 'connecting') reader.push(this.view);
  }

  detach(reader: Latest<ServiceView>): void {
    this.#readers.delete(reader);
  }

  close(reason: Error): void {
    this.#following.close();
    this.pool.close();
    for (const reader of this.#readers) reader.fail(reason);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

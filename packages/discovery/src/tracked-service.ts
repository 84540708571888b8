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
  CircuitBreaker,
  OutlierDetector,
  type AdvancedHealthChecker,
  type CircuitBreakerOptions,
  type OutlierEvent,
  type OutlierOptions,
} from '@sd/health';
import {
  EndpointPool,
  type BalancingOptions,
  type Endpoint,
  type EndpointSet,
  type LoadBalancerFactory,
  type Outcome,
} from '@sd/load-balancers';
import { Alarms } from './alarms.ts';
import { CallQueue, type CallQueueOptions } from './call-queue.ts';
import { EndpointChecks } from './endpoint-checks.ts';
import { healthOf, type EndpointHealth } from './endpoint-health.ts';
import { NoHealthyInstanceError, OverloadedError, UnknownServiceError } from './errors.ts';
import { HedgeDelay, type HedgingOptions } from './hedge-delay.ts';
import { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts';
import type { ServiceStatus } from './service-status.ts';
import { telemetry } from './telemetry.ts';

/** See `CircuitBreakerOptions` of `@sd/health`. */
export type BreakerOptions = Pick<
  CircuitBreakerOptions,
  'failureRate' | 'minimumCalls' | 'consecutiveFailures' | 'openMs' | 'maxOpenMs' | 'probes'
>;

export interface TrackedServiceOptions {
  readonly backend: DiscoveryBackend;
  readonly factory: LoadBalancerFactory;
  readonly zone: string | undefined;
  readonly balancing: BalancingOptions;
  readonly follow: Omit<FollowOptions, 'onChange' | 'onLost' | 'clock' | 'rng' | 'logger'>;
  readonly retryBudget: RetryBudgetOptions;
  readonly outliers: OutlierOptions;
  readonly breaker: BreakerOptions | undefined;
  /** Undefined: no second attempts beside late ones. */
  readonly hedging: HedgingOptions | undefined;
  readonly queue: CallQueueOptions;
  readonly healthChecker: AdvancedHealthChecker | undefined;
  readonly onLeave: (endpoint: Endpoint) => void;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** All state of one service: its view, its endpoints and their health, its budget. Services share nothing. */
export class TrackedService {
  readonly name: string;
  readonly backend: string;
  readonly pool: EndpointPool;
  readonly breaker: CircuitBreaker;
  /** Undefined: no second attempts beside late ones. */
  readonly hedging: HedgeDelay | undefined;
  readonly queue: CallQueue;
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Set with each use, cleared by the sweep for idle services. */
  used = true;
  readonly #budget: RetryBudget;
  readonly #following: Following;
  readonly #readers = new Set<Latest<ServiceView>>();
  readonly #listeners = new Set<(view: ServiceView) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #outliers: OutlierOptions;
  /** Made when the first attempt has ended: of many services, most are watched and seldom called. */
  #madeDetector: OutlierDetector | undefined;
  readonly #checks: EndpointChecks | undefined;
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
      awaitChecks: options.healthChecker !== undefined,
      onLeave: options.onLeave,
      clock,
      rng,
      logger,
    });
    this.#outliers = options.outliers;
    // Also without rules, so that an operator can isolate the service.
    this.breaker = new CircuitBreaker({ failureRate: false, ...options.breaker, service: name, clock, rng });
    this.breaker.onStateChange((state) => {
      if (telemetry.breaker.hasSubscribers) telemetry.breaker.publish({ service: name, state });
    });
    this.hedging =
      options.hedging && new HedgeDelay(options.hedging, clock, () => this.#madeDetector?.settle());
    this.queue = new CallQueue(options.queue, clock);
    this.alarms = new Alarms(clock);
    this.#checks =
      options.healthChecker &&
      new EndpointChecks(this.pool, options.healthChecker, () => this.queue.wakeAll());
    this.#budget = new RetryBudget({ ...options.retryBudget, clock });
    let applied: ServiceView['instances'] = [];
    let state: ServiceView['state'] = 'connecting';
    this.#following = follow(backend, name, {
      ...options.follow,
      clock,
      rng,
      logger,
      onChange: (view) => {
        if (view.instances !== applied) {
          this.pool.update(view.instances);
          this.#checks?.update();
          if (telemetry.snapshot.hasSubscribers) {
            telemetry.snapshot.publish({ service: name, backend: backend.name, view });
          }
        }
        if (
          view.state !== state &&
          (view.state === 'stale' || state === 'stale') &&
          telemetry.stale.hasSubscribers
        ) {
          telemetry.stale.publish({ service: name, backend: backend.name, view });
        }
        applied = view.instances;
        state = view.state;
        for (const reader of this.#readers) reader.push(view);
        for (const listener of this.#listeners) {
          try {
            listener(view);
          } catch (error) {
            logger.error(`A listener to the endpoints of service "${name}" threw`, { error });
          }
        }
        this.#wake();
        this.queue.wakeAll();
      },
      onLost: (error) => {
        if (!telemetry.reconnect.hasSubscribers) return;
        telemetry.reconnect.publish({ service: name, backend: backend.name, error });
      },
    });
  }

  get view(): ServiceView {
    return this.#following.view;
  }

  /**
   * Hot path. An attempt ended: what that says of its endpoint, and of the service.
   * @param outcome `cancelled` only when it was late: another attempt was faster, or the caller gave it up
   * @param durationMs NaN where it says nothing of latency
   * @param now of the clock, where you have just read it
   */
  judge(endpoint: Endpoint, outcome: Outcome, durationMs: number, now = this.clock.monotonic()): void {
    this.#detector.record(endpoint, outcome, durationMs, now);
    if (outcome !== 'ok' && outcome !== 'cancelled' && outcome !== 'connect-failure')
      this.#budget.observe(false, now);
  }

  /** Hot path. A call began. @param now of the clock */
  began(now: number): void {
    this.#budget.deposit(now);
  }

  /** Of its retries and hedges. */
  get budget(): RetryBudget {
    this.#madeDetector?.settle(); // it goes by what became of attempts
    return this.#budget;
  }

  /** A connection to it is open. */
  reached(endpoint: Endpoint): void {
    this.#detector.reached(endpoint);
  }

  /** So long half of the answers take, in milliseconds; 0 while too little is known. */
  usualMs(now: number): number {
    return this.hedging?.delayMs(slowOne, now) ?? this.#madeDetector?.answersMs(0.5) ?? 0;
  }

  /** After so long an answer is late, in milliseconds; 0 while too little is known. */
  lateMs(now: number): number {
    return this.hedging?.delayMs(anyOne, now) ?? this.#madeDetector?.answersMs(0.99) ?? 0;
  }

  /** Hot path. It needs its endpoint no longer. @param wasAnswered whether the pool was told that it has answered */
  giveBack(endpoint: Endpoint, outcome: Outcome, durationMs: number, wasAnswered = false): void {
    this.pool.finish(endpoint, outcome, durationMs, wasAnswered);
    this.queue.wake();
  }

  /** The endpoint asked to be spared for a while. */
  holdOff(endpoint: Endpoint, forMs: number): void {
    this.#detector.holdOff(endpoint, forMs);
  }

  /** By hand: an endpoint gets nothing until it is released. */
  isolate(endpoint: Endpoint, isIsolated: boolean): void {
    if (isIsolated) this.#detector.isolate(endpoint);
    else this.#detector.release(endpoint);
  }

  /** How each of its endpoints is. */
  get endpoints(): readonly EndpointHealth[] {
    return this.pool.endpoints.map(healthOf);
  }

  get status(): ServiceStatus {
    const { view } = this;
    return {
      service: this.name,
      view,
      outOfSyncMs: view.state === 'live' ? 0 : Math.max(0, this.clock.now() - view.since),
      breaker: this.breaker.state.value,
      retriesLeft: this.budget.left,
    };
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
    if (set.serves) return new OverloadedError(this.name, this.queue.length);
    return new NoHealthyInstanceError(this.name, instances, set.matching.map(healthOf));
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

  /** Tells the listener each new view, as soon as the pool has it. @returns how to stop that */
  listen(listener: (view: ServiceView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(reason: Error): void {
    this.#following.close();
    this.alarms.close();
    this.#checks?.close();
    this.#detector.close(); // also where there was none: what ends later shall not make one
    this.pool.close();
    for (const reader of this.#readers) reader.fail(reason);
    this.#wake();
  }

  get #detector(): OutlierDetector {
    this.#madeDetector ??= new OutlierDetector({
      service: this.name,
      pool: this.pool,
      options: this.#outliers,
      clock: this.clock,
      rng: this.rng,
      onEvent: (event) => this.#publish(event),
      onAnswer: (endpoint, latencyMs, now) => {
        this.#budget.observe(true, now);
        if (latencyMs >= 0) this.hedging?.observe(endpoint, latencyMs, now);
      },
    });
    return this.#madeDetector;
  }

  #publish(event: OutlierEvent): void {
    const isBack = event.type === 'return' || event.type === 'release' || event.type === 'undegrade';
    const channel = isBack ? telemetry.return : telemetry.eject;
    if (channel.hasSubscribers) channel.publish({ service: this.name, event });
    if (isBack && this.queue.length > 0) queueMicrotask(() => this.queue.wakeAll());
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

const slowOne = { slow: true } as const;
const anyOne = { slow: false } as const;

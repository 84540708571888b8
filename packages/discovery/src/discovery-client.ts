import { AsyncResource } from 'node:async_hooks';
import {
  abortable,
  BackendUnavailableError,
  ClosedError,
  compileServiceFilter,
  globalLogger,
  Latest,
  onAbort,
  systemClock,
  systemRng,
  validate,
  validateServiceName,
  type Clock,
  type DiscoveryBackend,
  type ServiceInstance,
  type ServiceView,
  type Timer,
} from '@sd/core';
import { noOutlierRules, serviceHealth, type ServiceHealth } from '@sd/health';
import { checkBalancing, LoadBalancerFactory, type Endpoint, type SetExplanation } from '@sd/load-balancers';
import type { Attempt, CallHandler } from './attempt.ts';
import { CallRules, type CallDefaults } from './call-rules.ts';
import { beginCall, dispatchCall, type PendingCall } from './call.ts';
import type { EndpointHealth } from './endpoint-health.ts';
import { UnknownInstanceError } from './errors.ts';
import {
  attemptSchema,
  callOptionsSchema,
  choiceOptionsSchema,
  clientOptionsSchema,
  lookupOptionsSchema,
  openOptionsSchema,
  signalOptionsSchema,
  type CallOptions,
  type DiscoveryClientOptions,
  type LookupOptions,
} from './options.ts';
import { changeBetween, type ServiceChange } from './service-change.ts';
import type { ServiceStatus } from './service-status.ts';
import { ServiceEndpoints, type OpenOptions } from './service-endpoints.ts';
import { TrackedService, type TrackedServiceOptions } from './tracked-service.ts';

/**
 * Finds services and calls them. A service is watched from its first use until it was idle for a while; each use in
 * between is answered from memory.
 */
export class DiscoveryClient implements AsyncDisposable {
  /** Strategies by name; register your own here. */
  readonly loadBalancers: LoadBalancerFactory;
  readonly #backend: DiscoveryBackend;
  readonly #defaults: CallDefaults;
  readonly #serviceOptions: TrackedServiceOptions;
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #services = new Map<string, TrackedService>();
  /** By options that cannot change: whoever calls often freezes them. */
  readonly #rules = new WeakMap<CallOptions, CallRules>();
  readonly #leaveListeners = new Set<(endpoint: Endpoint) => void>();
  #idleTimer: Timer | undefined;
  #closed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: DiscoveryClientOptions) {
    validate('DiscoveryClient', clientOptionsSchema, options);
    checkBalancing('DiscoveryClient', options.balancing ?? {}, 'balancing.');
    const { backend, clock = systemClock, rng = systemRng, logger = globalLogger } = options;
    this.loadBalancers = options.loadBalancers ?? new LoadBalancerFactory();
    this.#backend = backend;
    this.#clock = clock;
    this.#idleMs = options.idleMs ?? 300_000;
    this.#defaults = {
      strategy: options.strategy ?? 'round-robin',
      deadlineMs: options.deadlineMs ?? 15_000,
      attemptTimeoutMs: options.attemptTimeoutMs ?? 5_000,
      retries: options.retries ?? 2,
    };
    this.loadBalancers.get(this.#defaults.strategy); // a wrong name is better reported here than at the first call
    this.#serviceOptions = {
      backend,
      factory: this.loadBalancers,
      zone: options.zone,
      balancing: options.balancing ?? {},
      follow: options.follow ?? {},
      retryBudget: options.retryBudget ?? {},
      hedging: options.hedging === false ? undefined : (options.hedging ?? {}),
      outliers: options.outliers === false ? noOutlierRules : (options.outliers ?? {}),
      breaker: options.breaker && { failureRate: 0.5, ...options.breaker },
      queue: options.queue ?? {},
      healthChecker: options.healthChecker,
      onLeave: (endpoint) => {
        for (const listener of this.#leaveListeners) {
          try {
            listener(endpoint);
          } catch (error) {
            logger.error('A listener to endpoints that leave threw', { error });
          }
        }
      },
      clock,
      rng,
      logger,
    };
  }

  /** Names of all services the backend knows, sorted. Asks the backend each time. */
  async services(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<readonly string[]> {
    validate('DiscoveryClient.services', signalOptionsSchema, options);
    this.#assertOpen();
    const names = await abortable(this.#backend.listServices(options), options.signal);
    return [...new Set(names)].sort();
  }

  /**
   * All instances of a service that match the filter, whatever their status; empty if there are none.
   * @throws {BackendUnavailableError} when there is no snapshot yet and none came in time
   */
  async getInstances(service: string, options: LookupOptions = {}): Promise<readonly ServiceInstance[]> {
    validate('DiscoveryClient.getInstances', lookupOptionsSchema, options);
    const wanted = options.filter === undefined ? undefined : compileServiceFilter(options.filter);
    const { instances } = await this.#ready(this.#track(service), options);
    return wanted === undefined ? instances : instances.filter(wanted);
  }

  /**
   * One instance, chosen by a strategy among those that take requests. What becomes of it is not known here, so it
   * counts for nothing: prefer `call`, which also retries elsewhere.
   * @throws {UnknownServiceError} {@link NoHealthyInstanceError} {@link OverloadedError} {@link BackendUnavailableError}
   */
  async getInstance(
    service: string,
    options: LookupOptions & Pick<CallOptions, 'strategy' | 'key'> = {},
  ): Promise<ServiceInstance> {
    validate('DiscoveryClient.getInstance', choiceOptionsSchema, options);
    const tracked = this.#track(service);
    const set = tracked.pool.set(options.strategy ?? this.#defaults.strategy, options.filter);
    await this.#ready(tracked, options);
    const endpoint = set.pick({ key: options.key, tried: [], mayProbe: 'never' });
    if (endpoint === undefined) throw tracked.nobody(set);
    tracked.pool.finish(endpoint, 'cancelled', 0);
    return endpoint.instance;
  }

  /** What is known of a service now, without waiting and without starting to watch it. */
  peek(service: string): ServiceView | undefined {
    return this.#services.get(service)?.view;
  }

  /**
   * Who of a service takes requests and why the others do not, now; undefined if the service is not in use.
   * @throws {ConfigValidationError} when the strategy is unknown or the filter malformed
   */
  explain(
    service: string,
    { strategy = this.#defaults.strategy, filter }: Pick<CallOptions, 'strategy' | 'filter'> = {},
  ): SetExplanation | undefined {
    return this.#services.get(service)?.pool.set(strategy, filter).explain();
  }

  /**
   * Asks layers of your own anew, without waiting for the next snapshot: what they go by has changed.
   * @param service that is in use; default: all that are
   */
  refresh(service?: string): void {
    for (const [name, { pool }] of this.#services)
      if (service === undefined || name === service) pool.refresh();
  }

  /** The services in use, for gauges: how this client does with each of them, now. */
  inUse(): readonly ServiceStatus[] {
    return Array.from(this.#services.values(), ({ status }) => status);
  }

  /** How a service is, by what this client knows of its instances; undefined if the service is not in use. */
  health(service: string): ServiceHealth | undefined {
    const tracked = this.#services.get(service);
    return tracked && serviceHealth(tracked.endpoints);
  }

  /** How each instance of a service is, and who says so; undefined if the service is not in use. */
  endpoints(service: string): readonly EndpointHealth[] | undefined {
    return this.#services.get(service)?.endpoints;
  }

  /**
   * Takes an instance out of rotation by hand, or all calls to the service, until `release`. This client only, and as
   * long as the service is in use.
   * @throws {UnknownInstanceError} there is no such instance
   */
  isolate(service: string, instanceId?: string): void {
    this.#setIsolated(service, instanceId, true);
  }

  /** Ends what `isolate` began. @throws {UnknownInstanceError} there is no such instance */
  release(service: string, instanceId?: string): void {
    this.#setIsolated(service, instanceId, false);
  }

  /**
   * Changes of a service: first the whole of it as `added`, then what changed since. A slow reader gets several
   * changes as one. Also yields, with nothing changed, when the view becomes stale or live again.
   * Ends when the signal aborts; throws `ClosedError` when the client is closed.
   */
  async *watch(
    service: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ServiceChange, void, undefined> {
    const { signal } = validate('DiscoveryClient.watch', signalOptionsSchema, options);
    const tracked = this.#track(service);
    const views = new Latest<ServiceView>();
    if (signal?.aborted === true) return;
    const forget = onAbort(signal, () => views.end());
    tracked.attach(views);
    let known: readonly ServiceInstance[] = [];
    try {
      for await (const view of views) {
        if (view.state === 'connecting') continue;
        yield changeBetween(known, view);
        known = view.instances;
      }
    } finally {
      tracked.used = true;
      tracked.detach(views);
      forget();
    }
  }

  /**
   * Calls a service by whatever protocol: `attempt` gets an endpoint and does the work. It is run again on another
   * endpoint where that helps, is safe and is in the retry budget, all within one deadline.
   * Rejects with what `attempt` threw, unless it is one of these:
   * @throws {UnknownServiceError} {@link NoHealthyInstanceError} {@link OverloadedError} nobody to call
   * @throws {CircuitOpenError} the service's circuit breaker is open, or the service isolated
   * @throws {DeadlineExceededError} {@link AttemptTimeoutError} {@link ConnectionError} with a list of the attempts
   * @throws {ConfigValidationError} the call's options are wrong
   * @throws {ClosedError} the client is closed
   */
  async call<T>(
    service: string,
    attempt: (attempt: Attempt) => Promise<T> | T,
    options: CallOptions = noOptions,
  ): Promise<T> {
    return this.begin(service, attempt, options).result;
  }

  /**
   * The same for those who cancel calls without an AbortSignal, which takes longer to make than all else that a call does
   * here. What `call` rejects with before anything was tried, this throws.
   */
  begin<T>(
    service: string,
    attempt: (attempt: Attempt) => Promise<T> | T,
    options: CallOptions = noOptions,
  ): PendingCall<T> {
    const rules = this.rules(options);
    if (typeof attempt !== 'function') validate('Call', attemptSchema, { attempt });
    return beginCall(this.#track(service), attempt, rules, options.signal);
  }

  /**
   * The same for clients whose requests tell of themselves by callbacks: no promise is made.
   * @param rules see `rules`
   * @param key what must stick together, for strategies that hash. Default: that of the rules
   * @throws {ConfigValidationError} the service's name is none
   * @throws {ClosedError} the client is closed
   */
  dispatch(
    service: string,
    handler: CallHandler,
    rules: CallRules,
    key?: string,
  ): Pick<PendingCall<void>, 'cancel'> {
    return dispatchCall(this.#track(service), handler, rules, key);
  }

  /**
   * Reads and checks the options of calls once for many; their `signal` is left out.
   * @throws {ConfigValidationError} naming each wrong option
   */
  rules(options: CallOptions): CallRules {
    let rules = this.#rules.get(options);
    if (rules !== undefined) return rules;
    validate('Call', callOptionsSchema, options);
    rules = new CallRules(options, this.#defaults);
    if (Object.isFrozen(options)) this.#rules.set(options, rules);
    return rules;
  }

  /**
   * Tells of each endpoint that has left, when its instance is gone, its service is no longer in use or this client is
   * closed: connections to it are to be closed when their last request has ended. What `listener` throws is logged.
   * @returns stops telling
   */
  onLeave(listener: (endpoint: Endpoint) => void): () => void {
    this.#leaveListeners.add(listener);
    return () => void this.#leaveListeners.delete(listener);
  }

  /**
   * The endpoints of a service, for protocols that make their calls themselves: pick one, and say what became of it.
   * Close it when you need it no longer. Prefer `call` where you can: it also retries.
   * @throws {ConfigValidationError} when the strategy is unknown or the filter malformed
   */
  open(service: string, options: OpenOptions = {}): ServiceEndpoints {
    validate('DiscoveryClient.open', openOptionsSchema, options);
    const { strategy = this.#defaults.strategy, filter } = options;
    return new ServiceEndpoints(this.#track(service), strategy, filter);
  }

  /** Stops all watches; calls under way may finish. The backend stays open. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#idleTimer?.cancel();
    const reason = new ClosedError('DiscoveryClient');
    for (const service of this.#services.values()) service.close(reason);
    this.#services.clear();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #setIsolated(service: string, instanceId: string | undefined, isIsolated: boolean): void {
    const tracked = this.#track(service);
    if (instanceId === undefined) {
      if (isIsolated) tracked.breaker.isolate();
      else tracked.breaker.release();
      return;
    }
    const endpoint = tracked.pool.endpoints.find(({ id }) => id === instanceId);
    if (endpoint === undefined) throw new UnknownInstanceError(service, instanceId);
    tracked.isolate(endpoint, isIsolated);
  }

  #track(name: string): TrackedService {
    const known = this.#services.get(name);
    if (known !== undefined) {
      known.used = true;
      return known;
    }
    this.#assertOpen();
    validateServiceName(name);
    // It outlives the request that happens to be the first, and must neither keep nor trace what is in its context.
    return background.runInAsyncScope(() => {
      const service = new TrackedService(name, this.#serviceOptions);
      this.#services.set(name, service);
      this.#idleTimer ??= this.#clock.setTimer(this.#dropIdle, this.#idleMs);
      return service;
    });
  }

  readonly #dropIdle = (): void => {
    for (const [name, service] of this.#services) {
      if (!service.used && !service.busy) {
        service.close(new ClosedError(`The idle view of service "${name}"`));
        this.#services.delete(name);
      }
      service.used = false;
    }
    this.#idleTimer =
      this.#services.size > 0 ? this.#clock.setTimer(this.#dropIdle, this.#idleMs) : undefined;
  };

  async #ready(service: TrackedService, { signal, timeoutMs = 10_000 }: LookupOptions): Promise<ServiceView> {
    if (service.view.state !== 'connecting') return service.view;
    service.enter();
    const tooLate = new AbortController();
    const timer = this.#clock.setTimer(() => tooLate.abort(), timeoutMs, { keepAlive: true });
    try {
      return await abortable(service.ready(tooLate.signal), signal);
    } catch (error) {
      if (!tooLate.signal.aborted || signal?.aborted === true) throw error;
      throw new BackendUnavailableError(
        this.#backend.name,
        `no snapshot of "${service.name}" within ${timeoutMs} ms; still trying`,
        { service: service.name, cause: service.view.error },
      );
    } finally {
      timer.cancel();
      tooLate.abort(); // whoever lost interest does not wait on
      service.leave();
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('DiscoveryClient');
  }
}

const noOptions: CallOptions = Object.freeze({});

/** As it is when this is loaded: of no request. */
const background = new AsyncResource('sd:discovery');

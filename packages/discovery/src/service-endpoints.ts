import { BackendUnavailableError, type DiscoveryError, type ServiceFilter, type ServiceView } from '@sd/core';
import { CircuitOpenError } from '@sd/health';
import {
  anyRequest,
  type Endpoint,
  type EndpointSet,
  type Outcome,
  type PickReason,
  type PickRequest,
  type StrategyName,
} from '@sd/load-balancers';
import { telemetry, type AttemptTrace } from './telemetry.ts';
import type { TrackedService } from './tracked-service.ts';

export interface OpenOptions {
  /** Name of a strategy. Default: the client's. */
  readonly strategy?: StrategyName | undefined;
  /** Only instances that match. Default: all. */
  readonly filter?: ServiceFilter | undefined;
}

/**
 * The endpoints of a service, for protocols that make their calls themselves and so cannot run inside `call`: they pick,
 * and say what became of it. Deadlines, retries, hedges, the queue and the rules of the breaker are theirs to have; what
 * they say counts for ejection, strategies and telemetry like any other attempt. Made by `DiscoveryClient.open`; until
 * `close` the service counts as in use.
 */
export class ServiceEndpoints implements Disposable {
  readonly service: string;
  readonly #target: TrackedService;
  readonly #set: EndpointSet;
  readonly #strategy: string;
  readonly #forgets = new Set<() => void>();
  #closed = false;

  constructor(target: TrackedService, strategy: string, filter: ServiceFilter | undefined) {
    this.service = target.name;
    this.#target = target;
    this.#strategy = strategy;
    this.#set = target.pool.set(strategy, filter);
    target.enter();
  }

  get view(): ServiceView {
    return this.#target.view;
  }

  /** Those that the filter lets through, whatever their state. */
  get matching(): readonly Endpoint[] {
    return this.#set.matching;
  }

  /** Of these, those that picks go to now. */
  get eligible(): readonly Endpoint[] {
    return this.#set.eligible;
  }

  /** Whether anybody takes requests: if so and `pick` returned nobody, all have as many in flight as they may. */
  get serves(): boolean {
    return this.#target.breaker.canEnter && this.#set.serves;
  }

  /**
   * Hot path. Picks and counts; give each endpoint back with `done` or `release`, exactly once. Undefined: see `nobody`.
   * @throws what a strategy of your own throws
   */
  pick(request: PickRequest = anyRequest): Endpoint | undefined {
    if (!this.#target.breaker.canEnter) return undefined;
    const endpoint = this.#set.pick(request);
    if (telemetry.pick.hasSubscribers) {
      const { service } = this;
      telemetry.pick.publish({ service, strategy: this.#strategy, endpoint, reason: this.#set.reason });
    }
    return endpoint;
  }

  /** Why the last pick returned what it did. Ask before the next one. */
  get reason(): PickReason {
    return this.#set.reason;
  }

  /** Why nobody can be picked now. */
  nobody(): DiscoveryError {
    const { breaker, backend, view } = this.#target;
    if (view.state === 'connecting') {
      const { service } = this;
      const problem = `no snapshot of "${service}" yet; still trying`;
      return new BackendUnavailableError(backend, problem, { service, cause: view.error });
    }
    if (!breaker.canEnter) return new CircuitOpenError(this.service, breaker.retryAfterMs);
    return this.#target.nobody(this.#set);
  }

  /**
   * Hot path. A pick is being answered, and goes on until `done`, which is to be told so: whoever streams does not hang.
   */
  answered(endpoint: Endpoint): void {
    this.#target.pool.answered(endpoint);
  }

  /**
   * Hot path. What became of a pick.
   * @param outcome `cancelled` says nothing of the endpoint
   * @param latencyMs to the answer; NaN where that says nothing, as for a stream
   * @param reason why it was picked, for telemetry
   * @param wasAnswered whether `answered` was called for it
   * @param durationMs how long it took, for telemetry, where that is not its latency
   */
  done(
    endpoint: Endpoint,
    outcome: Outcome,
    latencyMs: number,
    reason: PickReason = 'direct',
    wasAnswered = false,
    durationMs = latencyMs,
  ): void {
    this.#target.giveBack(endpoint, outcome, latencyMs, wasAnswered);
    // How long a stream took says nothing, so neither does its end show that it had begun after an ejection.
    const isOfBefore = Number.isNaN(latencyMs) && endpoint.ejected && reason !== 'probe';
    if (outcome !== 'cancelled' && !isOfBefore) this.#target.judge(endpoint, outcome, latencyMs);
    if (telemetry.attempt.hasSubscribers) this.#trace(endpoint, outcome, durationMs, reason);
  }

  /** Gives back a pick that was not used: no attempt was made. */
  release(endpoint: Endpoint): void {
    this.#target.giveBack(endpoint, 'cancelled', 0);
  }

  /** For protocols that keep connections: one could not be opened, though nobody was picked. */
  unreachable(endpoint: Endpoint): void {
    this.#target.judge(endpoint, 'connect-failure', 0);
  }

  /** For protocols that keep connections: one is open, so that it is not unreachable any more. */
  reachable(endpoint: Endpoint): void {
    this.#target.reached(endpoint);
  }

  /** Calls `listener` with each new view. What it throws is logged. @returns how to stop that */
  onChange(listener: (view: ServiceView) => void): () => void {
    if (this.#closed) return () => undefined;
    const stop = this.#target.listen(listener);
    const forget = (): void => {
      stop();
      this.#forgets.delete(forget);
    };
    this.#forgets.add(forget);
    return forget;
  }

  /** Ends what it listens to, and that the service counts as in use. What was picked may still be given back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const forget of this.#forgets) forget();
    this.#target.leave();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** It is told at its end: tracers get what they need for a span from `durationMs`. */
  #trace(endpoint: Endpoint, outcome: Outcome, durationMs: number, reason: PickReason): void {
    const { service } = this;
    const { start, end, asyncStart, asyncEnd } = telemetry.attempt;
    const message: AttemptTrace = {
      service,
      call: undefined,
      method: undefined,
      endpoint,
      reason,
      number: 1,
      kind: 'first',
      outcome,
      durationMs,
    };
    for (const channel of [start, end, asyncStart, asyncEnd]) channel.publish(message);
  }
}

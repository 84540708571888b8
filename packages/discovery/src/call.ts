import {
  abortable,
  Backoff,
  DiscoveryError,
  onAbort,
  sleep,
  type ServiceFilter,
  type ServiceInstance,
  type Timer,
} from '@sd/core';
import type { Endpoint, Outcome, PickReason, PickRequest } from '@sd/load-balancers';
import { AttemptTimeoutError, ConnectionError, DeadlineExceededError, type AttemptReport } from './errors.ts';
import { classifyNetworkFailure, type Failure, type FailureClassifier } from './failure.ts';
import type { TrackedService } from './tracked-service.ts';

export interface CallOptions {
  /** Name of a strategy. Default: the client's. */
  readonly strategy?: string | undefined;
  /** Only instances that match. Pass the same object each time. */
  readonly filter?: ServiceFilter | undefined;
  /** What must stick together, for strategies that hash. */
  readonly key?: string | undefined;
  /** Cancels the call: it rejects at once with the signal's reason and is not repeated. */
  readonly signal?: AbortSignal | undefined;
  /** For the whole call, waiting and retries included, in milliseconds. Default: 15,000. */
  readonly deadlineMs?: number | undefined;
  /** For each attempt, in milliseconds. Default: 5,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Attempts after the first. Default: 2. */
  readonly retries?: number | undefined;
  /**
   * Whether doing it twice is as good as once. Only then is a call repeated that may have had an effect; one whose
   * connection never opened is repeated in any case. Default: false.
   */
  readonly idempotent?: boolean | undefined;
  /** Reads the errors that the attempt throws. Default: `classifyNetworkFailure`. */
  readonly classify?: FailureClassifier | undefined;
}

/** What an attempt gets. */
export interface Attempt {
  readonly instance: ServiceInstance;
  readonly endpoint: Endpoint;
  /** Why this endpoint. */
  readonly reason: PickReason;
  /** 1 for the first. */
  readonly number: number;
  /** Aborts when this attempt times out, when the deadline passes and when the caller cancels. */
  readonly signal: AbortSignal;
  /** Milliseconds left of the call's deadline. */
  remainingMs(): number;
  /** Keeps the attempt in flight until then, e.g. until a streamed body has ended. */
  keepUntil(end: Promise<unknown>): void;
}

export interface CallDefaults {
  readonly strategy: string;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: number;
}

/**
 * Runs `work` on endpoints of a service until one attempt succeeds, the deadline passes, the caller cancels, or
 * another attempt would not help, would not be safe, or is not in the budget.
 */
export async function runCall<T>(
  target: TrackedService,
  work: (attempt: Attempt) => Promise<T> | T,
  options: CallOptions,
  defaults: CallDefaults,
): Promise<T> {
  options.signal?.throwIfAborted();
  target.budget.deposit();
  target.enter();
  const call = new Call(target, work, options, defaults);
  try {
    return await call.run();
  } catch (error) {
    throw call.explain(error);
  } finally {
    call.end();
    target.leave();
  }
}

/** Retries without a hint of the server wait `random(0, 25 ms * 2^n)`, at most 250 ms: Envoy's default. */
const retryBackoff = { baseMs: 25, capMs: 250 };

/** A push of the store may be on its way when there seems to be nobody to call. */
const emptyGraceMs = 50;

const pastDeadline = Symbol('past its deadline');
const attemptTimedOut = Symbol('attempt timed out');

type AttemptResult<T> =
  { readonly value: T } | { readonly error: unknown; readonly failure: Failure | undefined };

class Call<T> {
  readonly #target: TrackedService;
  readonly #work: (attempt: Attempt) => Promise<T> | T;
  readonly #options: CallOptions & CallDefaults;
  readonly #endsAt: number;
  readonly #deadline: Timer;
  readonly #forgetCaller: () => void;
  /** Aborts when the call is over for the caller: cancelled, or past its deadline. */
  readonly #over = new AbortController();
  readonly #tried: Endpoint[] = [];
  readonly #request: PickRequest;
  readonly #attempts: AttemptReport[] = [];
  readonly #backoff: Backoff;
  #reason: PickReason = 'direct';
  #lastFailure: { readonly error: unknown; readonly failure: Failure | undefined } | undefined;

  constructor(
    target: TrackedService,
    work: (attempt: Attempt) => Promise<T> | T,
    options: CallOptions,
    defaults: CallDefaults,
  ) {
    this.#target = target;
    this.#work = work;
    this.#options = {
      ...options,
      strategy: options.strategy ?? defaults.strategy,
      deadlineMs: options.deadlineMs ?? defaults.deadlineMs,
      attemptTimeoutMs: options.attemptTimeoutMs ?? defaults.attemptTimeoutMs,
      retries: options.retries ?? defaults.retries,
    };
    this.#request = { key: options.key, tried: this.#tried };
    this.#backoff = new Backoff({ ...retryBackoff, rng: target.rng });
    this.#endsAt = target.clock.monotonic() + this.#options.deadlineMs;
    // The caller awaits this call: it must end even if nothing else keeps the process alive.
    this.#deadline = target.clock.setTimer(() => this.#over.abort(pastDeadline), this.#options.deadlineMs, {
      keepAlive: true,
    });
    this.#forgetCaller = onAbort(options.signal, () => this.#over.abort(options.signal?.reason));
  }

  async run(): Promise<T> {
    for (;;) {
      const endpoint = await this.#pick();
      const result = await this.#attempt(endpoint);
      if ('value' in result) return result.value;
      this.#lastFailure = result;
      const pauseMs = this.#pauseBeforeRetry(result.failure);
      if (pauseMs === undefined) throw result.error;
      if (pauseMs > 0) await sleep(this.#target.clock, pauseMs, { signal: this.#over.signal });
    }
  }

  /** What the caller gets to see for an error that ended `run`. */
  explain(error: unknown): unknown {
    const service = this.#target.name;
    const { deadlineMs, attemptTimeoutMs } = this.#options;
    if (this.#over.signal.reason === pastDeadline) {
      const cause = this.#lastFailure?.error ?? this.#target.view.error;
      return new DeadlineExceededError(service, deadlineMs, this.#attempts, cause);
    }
    if (this.#over.signal.aborted) return this.#over.signal.reason;
    if (error === attemptTimedOut) return new AttemptTimeoutError(service, attemptTimeoutMs, this.#attempts);
    if (error instanceof DiscoveryError || this.#lastFailure?.failure === undefined) return error;
    return new ConnectionError(service, this.#attempts, error);
  }

  end(): void {
    this.#deadline.cancel();
    this.#forgetCaller();
  }

  async #pick(): Promise<Endpoint> {
    const { strategy, filter } = this.#options;
    const set = this.#target.pool.set(strategy, filter);
    if (this.#target.view.state === 'connecting') await this.#target.ready(this.#over.signal);
    let endpoint = set.pick(this.#request);
    if (endpoint === undefined && !set.serves) {
      await this.#target.changed(emptyGraceMs, this.#over.signal);
      this.#over.signal.throwIfAborted();
      endpoint = set.pick(this.#request);
    }
    if (endpoint === undefined) {
      if (this.#lastFailure !== undefined) throw this.#lastFailure.error; // says more than that nobody is left
      throw this.#target.nobody(set);
    }
    this.#tried.push(endpoint);
    this.#reason = set.reason;
    return endpoint;
  }

  async #attempt(endpoint: Endpoint): Promise<AttemptResult<T>> {
    const { clock, pool, connects } = this.#target;
    const controller = new AbortController();
    const forget = onAbort(this.#over.signal, () => controller.abort(this.#over.signal.reason));
    const timer = clock.setTimer(() => controller.abort(attemptTimedOut), this.#options.attemptTimeoutMs);
    const startedAt = clock.monotonic();
    let inFlightUntil: Promise<unknown> | undefined;
    let outcome: Outcome = 'error'; // should the classifier throw
    try {
      const work = this.#work({
        endpoint,
        instance: endpoint.instance,
        reason: this.#reason,
        number: this.#tried.length,
        signal: controller.signal,
        remainingMs: () => Math.max(0, this.#endsAt - clock.monotonic()),
        keepUntil: (end) => {
          inFlightUntil = end.catch(() => undefined); // at once: it may fail before the attempt has ended
        },
      });
      const value = await abortable(Promise.resolve(work), controller.signal);
      outcome = 'ok';
      return { value };
    } catch (error) {
      const failure = this.#read(error, controller.signal);
      outcome = this.#over.signal.aborted && !this.#isLate() ? 'cancelled' : (failure?.outcome ?? 'error');
      return { error, failure };
    } finally {
      timer.cancel();
      forget();
      const durationMs = clock.monotonic() - startedAt;
      this.#attempts.push({ endpoint, reason: this.#reason, outcome, durationMs });
      const finish = (): void => pool.finish(endpoint, outcome, durationMs);
      if (inFlightUntil === undefined) finish();
      else void inFlightUntil.then(finish);
      if (outcome === 'connect-failure') connects.failed(endpoint);
    }
  }

  #read(error: unknown, signal: AbortSignal): Failure | undefined {
    if (signal.aborted) return { outcome: 'timeout', retryable: true };
    return (this.#options.classify ?? classifyNetworkFailure)(error);
  }

  #isLate(): boolean {
    return this.#over.signal.reason === pastDeadline;
  }

  /** Milliseconds to wait before the next attempt; undefined if there shall be none. */
  #pauseBeforeRetry(failure: Failure | undefined): number | undefined {
    const { retries, idempotent = false } = this.#options;
    if (failure?.retryable !== true || this.#over.signal.aborted || this.#tried.length > retries)
      return undefined;
    const nothingSent = failure.outcome === 'connect-failure';
    if (!nothingSent && !idempotent) return undefined;
    const immediately = nothingSent && this.#tried.length === 1;
    const pauseMs = failure.retryAfterMs ?? (immediately ? 0 : this.#backoff.next());
    if (this.#target.clock.monotonic() + pauseMs >= this.#endsAt) return undefined;
    return this.#target.budget.withdraw() ? pauseMs : undefined;
  }
}

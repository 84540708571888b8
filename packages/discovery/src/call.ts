import { Backoff, DiscoveryError, onAbort, sleep, type ServiceFilter, type Timer } from '@sd/core';
import { CircuitOpenError } from '@sd/health';
import type { Endpoint, EndpointSet } from '@sd/load-balancers';
import { attemptTimedOut, RunningAttempt, type Attempt, type AttemptContext } from './attempt.ts';
import { AttemptTimeoutError, ConnectionError, DeadlineExceededError, type AttemptReport } from './errors.ts';
import { classifyNetworkFailure, type Failure, type FailureClassifier } from './failure.ts';
import { telemetry, type AttemptKind, type CallTrace } from './telemetry.ts';
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
  /** Attempts after one that failed. 0 also switches hedging off. Default: 2. */
  readonly retries?: number | undefined;
  /**
   * Whether doing it twice is as good as once. Only then is a call repeated that may have had an effect, or sent to a
   * second endpoint when the first is late; one whose connection never opened is repeated in any case. Default: false.
   */
  readonly idempotent?: boolean | undefined;
  /** Whether a call that is idempotent may be sent to a second endpoint when the first is late. Default: true. */
  readonly hedge?: boolean | undefined;
  /** Reads the errors that the attempt throws. Default: `classifyNetworkFailure`. */
  readonly classify?: FailureClassifier | undefined;
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
export function runCall<T>(
  target: TrackedService,
  work: (attempt: Attempt) => Promise<T> | T,
  options: CallOptions,
  defaults: CallDefaults,
): Promise<T> {
  const call = new Call(target, work, options, defaults);
  return telemetry.call.hasSubscribers ? call.trace() : call.run();
}

/** Retries without a hint of the server wait `random(0, 25 ms * 2^n)`, at most 250 ms: Envoy's default. */
const retryBackoff = { baseMs: 25, capMs: 250 };

/** A push of the store may be on its way when there seems to be nobody to call. */
const emptyGraceMs = 50;

/** A hedge that could not be made is tried again after this, in milliseconds. */
const hedgeAgainMs = 100;

const pastDeadline = Symbol('past its deadline');

class Call<T> {
  readonly #target: TrackedService;
  readonly #options: CallOptions;
  readonly #strategy: string;
  readonly #retries: number;
  readonly #deadlineMs: number;
  readonly #attempt: AttemptContext<T>;
  readonly #tried: Endpoint[] = [];
  readonly #request: {
    readonly key: string | undefined;
    readonly tried: Endpoint[];
    readonly mayProbe: boolean;
  };
  readonly #reports: AttemptReport[] = [];
  readonly #running = new Set<RunningAttempt<T>>();
  #backoff: Backoff | undefined;
  /** When endpoints that were tried may be asked again. */
  #sparedUntil: Map<Endpoint, number> | undefined;
  #retried = 0;
  #hasHedged = false;
  /** The last attempt that failed, when no other was under way. */
  #failed: RunningAttempt<T> | undefined;
  #lastError: unknown;
  /** Why it is over for the caller: cancelled, or past its deadline. */
  #over: { readonly reason: unknown } | undefined;
  /** Ends a wait when the call is over; made for the first wait. */
  #interrupt: AbortController | undefined;

  constructor(
    target: TrackedService,
    work: (attempt: Attempt) => Promise<T> | T,
    options: CallOptions,
    defaults: CallDefaults,
  ) {
    this.#target = target;
    this.#options = options;
    this.#strategy = options.strategy ?? defaults.strategy;
    this.#retries = options.retries ?? defaults.retries;
    this.#deadlineMs = options.deadlineMs ?? defaults.deadlineMs;
    this.#request = { key: options.key, tried: this.#tried, mayProbe: options.idempotent === true };
    this.#attempt = {
      target,
      work,
      read: options.classify ?? classifyNetworkFailure,
      timeoutMs: options.attemptTimeoutMs ?? defaults.attemptTimeoutMs,
      deadlineAt: target.clock.monotonic() + this.#deadlineMs,
      onEnd: (attempt) => this.#ended(attempt),
    };
  }

  async run(): Promise<T> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    const target = this.#target;
    const entry = target.breaker.tryEnter();
    if (entry === 0) throw new CircuitOpenError(target.name, target.breaker.retryAfterMs);
    target.enter();
    // The caller awaits this call: it must end even if nothing else keeps the process alive.
    const deadline = target.clock.setTimer(() => this.#interruptWith(pastDeadline), this.#deadlineMs, {
      keepAlive: true,
    });
    const forgetCaller = onAbort(signal, () => this.#interruptWith(signal?.reason));
    let verdict: 'succeeded' | 'failed' | 'cancelled' = 'cancelled';
    try {
      const value = await this.#attemptUntilDone();
      verdict = 'succeeded';
      return value;
    } catch (error) {
      // What the caller cancels or gets wrong says nothing of the service.
      if (this.#failed?.failure !== undefined) verdict = 'failed';
      throw this.#explain(error);
    } finally {
      target.breaker[verdict](entry);
      deadline.cancel();
      forgetCaller();
      target.leave();
    }
  }

  trace(): Promise<T> {
    const startedAt = this.#target.clock.monotonic();
    const trace: CallTrace = {
      service: this.#target.name,
      idempotent: this.#options.idempotent === true,
      attempts: this.#reports,
    };
    return telemetry.call.tracePromise(async () => {
      try {
        return await this.run();
      } finally {
        trace.durationMs = this.#target.clock.monotonic() - startedAt;
      }
    }, trace);
  }

  async #attemptUntilDone(): Promise<T> {
    const target = this.#target;
    const set = target.pool.set(this.#strategy, this.#options.filter);
    target.budget.deposit();
    let kind: AttemptKind = 'first';
    for (;;) {
      if (target.view.state === 'connecting') await target.ready(this.#interruptSignal());
      const endpoint = this.#pick(set) ?? (await this.#awaitEndpoint(set));
      const waitMs = this.#mustWaitMs(endpoint);
      if (waitMs > 0) {
        this.#unpick(endpoint);
        if (!this.#fits(waitMs)) throw this.#lastError;
        await this.#sleep(waitMs);
        continue;
      }
      try {
        return await this.#attemptAndHedge(set, endpoint, kind);
      } catch (error) {
        this.#throwIfOver();
        this.#lastError = error;
        const pauseMs = this.#pauseBeforeRetry();
        if (pauseMs === undefined) throw error;
        if (pauseMs > 0) await this.#sleep(pauseMs);
        kind = 'retry';
      }
    }
  }

  #pick(set: EndpointSet): Endpoint | undefined {
    const endpoint = set.pick(this.#request);
    if (telemetry.pick.hasSubscribers) {
      const { name: service } = this.#target;
      telemetry.pick.publish({ service, strategy: this.#strategy, endpoint, reason: set.reason });
    }
    return endpoint;
  }

  /** It was picked, and is not used. */
  #unpick(endpoint: Endpoint): void {
    this.#target.giveBack(endpoint, 'cancelled', 0);
  }

  /** Nobody could be picked: there may be somebody in a moment. */
  async #awaitEndpoint(set: EndpointSet): Promise<Endpoint> {
    const target = this.#target;
    let endpoint: Endpoint | undefined;
    const take = (): boolean => (endpoint = this.#pick(set)) !== undefined;
    if (set.serves) await target.queue.wait(take, this.#interruptSignal());
    else {
      await target.changed(emptyGraceMs, this.#interruptSignal());
      take();
    }
    if (endpoint !== undefined) {
      if (this.#over === undefined) return endpoint;
      this.#unpick(endpoint);
    }
    this.#throwIfOver();
    // The last failure says more than that nobody is left.
    throw this.#failed === undefined ? target.nobody(set) : this.#lastError;
  }

  /** Runs an attempt, and a second one beside it when it is late; the first that succeeds wins. */
  #attemptAndHedge(set: EndpointSet, endpoint: Endpoint, kind: AttemptKind): Promise<T> {
    const first = this.#start(set, endpoint, kind);
    const hedgeAfterMs = this.#hedgeAfterMs();
    if (hedgeAfterMs === undefined) return this.#untilFailed(first);
    return new Promise((resolve, reject) => {
      let timer: Timer;
      const hedgeAfter = (afterMs: number): void => {
        timer = this.#target.clock.setTimer(() => {
          const hedge = this.#hedge(set, first.attempt, hedgeAfterMs);
          if (hedge === undefined) hedgeAfter(Math.max(hedgeAfterMs, hedgeAgainMs));
          else follow(hedge);
        }, afterMs);
      };
      hedgeAfter(hedgeAfterMs);
      const follow = ({ attempt, result }: Started<T>): void => {
        result.then(
          (value) => {
            timer.cancel();
            for (const other of this.#running) other.stop('outrun', anotherWasFaster);
            resolve(value);
          },
          (error: unknown) => {
            // One that would not be repeated ends the call; else the other may still make it.
            const mayGoOn = attempt.failure?.retryable === true && this.#over === undefined;
            if (mayGoOn && this.#running.size > 0) return;
            timer.cancel();
            for (const other of this.#running) other.stop('call-over', error);
            this.#failed = attempt;
            reject(error);
          },
        );
      };
      follow(first);
    });
  }

  async #untilFailed({ attempt, result }: Started<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      this.#failed = attempt;
      throw error;
    }
  }

  #start(set: EndpointSet, endpoint: Endpoint, kind: AttemptKind): Started<T> {
    this.#tried.push(endpoint);
    const number = this.#tried.length;
    const attempt = new RunningAttempt(this.#attempt, { endpoint, reason: set.reason, number, kind });
    this.#running.add(attempt);
    return { attempt, result: attempt.run() };
  }

  #hedge(set: EndpointSet, late: RunningAttempt<T>, afterMs: number): Started<T> | undefined {
    const { budget, hedging, name: service } = this.#target;
    const endpoint = this.#pick(set);
    const isElsewhere = endpoint !== undefined && !this.#tried.includes(endpoint);
    const isGranted = isElsewhere && budget.withdrawHedge(hedging?.ratio ?? 0);
    if (telemetry.hedge.hasSubscribers) {
      telemetry.hedge.publish({ service, endpoint: late.endpoint, isGranted, afterMs });
    }
    if (endpoint === undefined) return undefined;
    if (isGranted) {
      this.#hasHedged = true;
      return this.#start(set, endpoint, 'hedge');
    }
    this.#unpick(endpoint);
    return undefined;
  }

  #hedgeAfterMs(): number | undefined {
    const { idempotent, hedge = true } = this.#options;
    if (idempotent !== true || !hedge || this.#retries === 0 || this.#hasHedged) return undefined;
    const afterMs = this.#target.hedging?.delayMs;
    return afterMs !== undefined && afterMs < this.#attempt.timeoutMs ? afterMs : undefined;
  }

  #ended(attempt: RunningAttempt<T>): void {
    const { endpoint, reason, kind, outcome = 'error', durationMs, failure } = attempt;
    this.#running.delete(attempt);
    this.#reports.push({ endpoint, reason, kind, outcome, durationMs });
    if (failure?.retryAfterMs !== undefined) {
      this.#sparedUntil ??= new Map();
      this.#sparedUntil.set(endpoint, this.#target.clock.monotonic() + failure.retryAfterMs);
    }
  }

  /** Milliseconds to wait before the next attempt; undefined if there shall be none. */
  #pauseBeforeRetry(): number | undefined {
    const attempt = this.#failed;
    const failure = attempt?.failure;
    if (attempt === undefined || failure?.retryable !== true || this.#retried >= this.#retries)
      return undefined;
    const nothingSent = failure.outcome === 'connect-failure';
    if (!nothingSent && this.#options.idempotent !== true) return undefined;
    const pauseMs = this.#pauseAfter(failure);
    if (!this.#fits(pauseMs)) return undefined;
    const isGranted = this.#target.budget.withdraw();
    if (telemetry.retry.hasSubscribers) {
      const { outcome } = failure;
      const { name: service } = this.#target;
      telemetry.retry.publish({ service, endpoint: attempt.endpoint, outcome, isGranted, pauseMs });
    }
    if (!isGranted) return undefined;
    this.#retried += 1;
    return pauseMs;
  }

  #pauseAfter({ outcome, retryAfterMs, everywhere }: Failure): number {
    if (everywhere === true && retryAfterMs !== undefined) return retryAfterMs;
    if (outcome === 'connect-failure' && this.#retried === 0) return 0;
    this.#backoff ??= new Backoff({ ...retryBackoff, rng: this.#target.rng });
    return this.#backoff.next();
  }

  #mustWaitMs(endpoint: Endpoint): number {
    const until = this.#sparedUntil?.get(endpoint);
    return until === undefined ? 0 : until - this.#target.clock.monotonic();
  }

  #fits(pauseMs: number): boolean {
    return this.#target.clock.monotonic() + pauseMs < this.#attempt.deadlineAt;
  }

  #sleep(ms: number): Promise<void> {
    return sleep(this.#target.clock, ms, { signal: this.#interruptSignal() });
  }

  #interruptSignal(): AbortSignal {
    this.#interrupt ??= new AbortController();
    return this.#interrupt.signal;
  }

  #interruptWith(reason: unknown): void {
    this.#over = { reason };
    const cause = reason === pastDeadline ? 'timed-out' : 'call-over';
    for (const attempt of this.#running) attempt.stop(cause, reason);
    this.#interrupt?.abort(reason);
  }

  #throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over.reason;
  }

  /** What the caller gets to see for an error that ended the call. */
  #explain(error: unknown): unknown {
    const service = this.#target.name;
    const { timeoutMs } = this.#attempt;
    if (this.#over?.reason === pastDeadline) {
      const cause = this.#lastError ?? this.#target.view.error;
      return new DeadlineExceededError(service, this.#deadlineMs, this.#reports, cause);
    }
    if (this.#over !== undefined) return this.#over.reason;
    if (error === attemptTimedOut) return new AttemptTimeoutError(service, timeoutMs, this.#reports);
    if (error instanceof DiscoveryError || this.#failed?.failure === undefined) return error;
    return new ConnectionError(service, this.#reports, error);
  }
}

interface Started<T> {
  readonly attempt: RunningAttempt<T>;
  readonly result: Promise<T>;
}

const anotherWasFaster = new DOMException('Another attempt of the call was faster', 'AbortError');

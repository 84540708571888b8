import { Backoff, DiscoveryError, onAbort, sleep, type ServiceFilter, type Timer } from '@sd/core';
import { CircuitOpenError, type CircuitEntry } from '@sd/health';
import type { Endpoint, EndpointSet, PickRequest } from '@sd/load-balancers';
import {
  attemptTimedOut,
  outrun,
  RunningAttempt,
  type Attempt,
  type AttemptContext,
  type OpenAttempt,
} from './attempt.ts';
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
  /** Of the request, for those who measure: `GET`. */
  readonly method?: string | undefined;
  /** Reads the errors that the attempt throws. Default: `classifyNetworkFailure`. */
  readonly classify?: FailureClassifier | undefined;
}

export interface CallDefaults {
  readonly strategy: string;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: number;
}

/** A call that is under way. */
export interface PendingCall<T> {
  readonly result: Promise<T>;
  /** Ends it: `result` rejects with the reason, at once, unless it is settled. */
  cancel(reason: unknown): void;
}

/**
 * Runs `work` on endpoints of a service until one attempt succeeds, the deadline passes, the caller cancels, or
 * another attempt would not help, would not be safe, or is not in the budget.
 */
export function beginCall<T>(
  target: TrackedService,
  work: (attempt: Attempt) => Promise<T> | T,
  options: CallOptions,
  defaults: CallDefaults,
): PendingCall<T> {
  const call = new Call(target, work, options, defaults);
  call.result = telemetry.call.hasSubscribers ? call.trace() : call.run();
  return call;
}

/**
 * The same for `work` that says itself what became of each attempt, which saves all promises.
 * @param onFailed hears when the call has failed, before `fail` returns where that was the reason
 */
export function dispatchCall(
  target: TrackedService,
  work: (attempt: OpenAttempt) => void,
  options: CallOptions,
  { defaults, onFailed }: { readonly defaults: CallDefaults; readonly onFailed: (error: unknown) => void },
): Pick<PendingCall<void>, 'cancel'> {
  const call = new Call(target, work, options, defaults, true);
  call.dispatch(onFailed);
  return call;
}

/** Retries without a hint of the server wait `random(0, 25 ms * 2^n)`, at most 250 ms: Envoy's default. */
const retryBackoff = { baseMs: 25, capMs: 250 };

/** A push of the store may be on its way when there seems to be nobody to call. */
const emptyGraceMs = 50;

/** A hedge that could not be made is tried again after this, in milliseconds. */
const hedgeAgainMs = 100;

/** A timer that rings so much too late says that the process is busy, in milliseconds. */
const busyMs = 3;
/** So often a hedge waits for that. */
const mostWaits = 3;

/** Sums of fractions may fall this short of the time they stand for, in milliseconds. */
const slackMs = 0.01;

const pastDeadline = new DOMException('The call is past its deadline', 'TimeoutError');

/**
 * Most calls are one attempt that is answered: for them this makes one promise and sets one timer. The timer is for
 * whatever comes first: the deadline, the end of an attempt's time, or a hedge.
 */
class Call<T> implements PendingCall<T>, AttemptContext<T> {
  result!: Promise<T>; // set by whoever makes it
  readonly target: TrackedService;
  readonly work: (attempt: Attempt & OpenAttempt) => Promise<T> | T;
  readonly method: string | undefined;
  readonly isOpen: boolean;
  callTrace: CallTrace | undefined;
  readonly read: FailureClassifier;
  readonly timeoutMs: number;
  readonly deadlineAt: number;
  readonly #options: CallOptions;
  readonly #strategy: string;
  readonly #retries: number;
  readonly #deadlineMs: number;
  readonly #tried: Endpoint[] = [];
  readonly #request: PickRequest;
  readonly #reports: AttemptReport[] = [];
  #running: RunningAttempt<T>[] = [];
  #set: EndpointSet | undefined;
  #resolve: (value: T) => void = () => undefined;
  /** Of a call that makes no promise. */
  #onAnswered: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #forgetCaller: () => void = () => undefined;
  #breakerEntry: CircuitEntry = 0;
  #isDone = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #hedgeAt = Infinity;
  #hedgeAfterMs = 0;
  #waits = 0;
  #backoff: Backoff | undefined;
  /** When endpoints that were tried may be asked again. */
  #sparedUntil: Map<Endpoint, number> | undefined;
  #retried = 0;
  /** The last attempt that failed while no other was under way, and its error. */
  #failed: RunningAttempt<T> | undefined;
  #lastError: unknown;
  /** Ends a wait when the call is over; made for the first wait. */
  #interrupt: AbortController | undefined;

  constructor(
    target: TrackedService,
    work: (attempt: Attempt & OpenAttempt) => Promise<T> | T,
    options: CallOptions,
    defaults: CallDefaults,
    isOpen = false,
  ) {
    this.target = target;
    this.work = work;
    this.method = options.method;
    this.isOpen = isOpen;
    this.read = options.classify ?? classifyNetworkFailure;
    this.timeoutMs = options.attemptTimeoutMs ?? defaults.attemptTimeoutMs;
    this.#options = options;
    this.#strategy = options.strategy ?? defaults.strategy;
    this.#retries = options.retries ?? defaults.retries;
    this.#deadlineMs = options.deadlineMs ?? defaults.deadlineMs;
    this.deadlineAt = target.clock.monotonic() + this.#deadlineMs;
    this.#request = { key: options.key, tried: this.#tried, mayProbe: options.idempotent === true };
  }

  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#begin();
    });
  }

  dispatch(onFailed: (error: unknown) => void): void {
    this.#reject = onFailed;
    if (telemetry.call.hasSubscribers) this.#traceDispatch(onFailed);
    else this.#begin();
  }

  /** As `tracePromise` of Node does, for what is no promise. */
  #traceDispatch(onFailed: (error: unknown) => void): void {
    const { start, end, asyncStart, asyncEnd, error: failed } = telemetry.call;
    const startedAt = this.target.clock.monotonic();
    const trace = this.#newTrace();
    const settle = (error?: unknown): void => {
      trace.durationMs = this.target.clock.monotonic() - startedAt;
      if (error !== undefined) {
        trace.error = error;
        failed.publish(trace);
      }
      asyncStart.publish(trace);
      asyncEnd.publish(trace);
    };
    this.#onAnswered = settle;
    this.#reject = (error) => {
      settle(error);
      onFailed(error);
    };
    start.runStores(trace, () => this.#begin());
    end.publish(trace);
  }

  #newTrace(): CallTrace {
    this.callTrace = {
      service: this.target.name,
      method: this.method,
      idempotent: this.#options.idempotent === true,
      attempts: this.#reports,
    };
    return this.callTrace;
  }

  trace(): Promise<T> {
    const startedAt = this.target.clock.monotonic();
    const trace = this.#newTrace();
    return telemetry.call.tracePromise(async () => {
      try {
        return await this.run();
      } finally {
        trace.durationMs = this.target.clock.monotonic() - startedAt;
      }
    }, trace);
  }

  cancel(reason: unknown): void {
    if (this.#isDone) return;
    const cause = reason === pastDeadline ? 'timed-out' : 'call-over';
    const running = this.#running;
    this.#isDone = true; // before what is under way says that it failed
    for (const attempt of running) attempt.stop(cause, reason);
    const isTheirs = cause === 'timed-out' && running.length > 0;
    this.#release(isTheirs ? 'failed' : 'cancelled');
    this.#interrupt?.abort(reason);
    this.#reject(reason === pastDeadline ? this.#deadlineExceeded() : reason);
  }

  answered(attempt: RunningAttempt<T>, value: T): void {
    if (this.#wins(attempt)) this.#resolve(value);
  }

  answeredOpenly(attempt: RunningAttempt<T>): void {
    if (this.#wins(attempt)) this.#onAnswered();
  }

  #wins(attempt: RunningAttempt<T>): boolean {
    this.#ended(attempt);
    if (this.#isDone) return false;
    this.#isDone = true;
    for (const other of this.#running) other.stop('outrun', outrun);
    this.#release('succeeded');
    return true;
  }

  failed(attempt: RunningAttempt<T>, error: unknown): void {
    this.#ended(attempt);
    if (this.#isDone) return;
    const isRepeatable = attempt.failure?.retryable === true;
    if (isRepeatable && this.#running.length > 0) return; // the other may still make it
    this.#hedgeAt = Infinity;
    this.#failed = attempt;
    this.#lastError = error;
    const pauseMs = this.#pauseBeforeRetry(attempt);
    if (pauseMs === undefined) this.#fail(error);
    else if (pauseMs > 0) void this.#nextLater('retry', pauseMs);
    else this.#next('retry');
  }

  #begin(): void {
    const { target } = this;
    const { signal, strategy = this.#strategy, filter } = this.#options;
    try {
      signal?.throwIfAborted();
      this.#breakerEntry = target.breaker.tryEnter();
      if (this.#breakerEntry === 0) throw new CircuitOpenError(target.name, target.breaker.retryAfterMs);
      target.enter();
      this.#forgetCaller = onAbort(signal, () => this.cancel(signal?.reason));
      this.#set = target.pool.set(strategy, filter);
    } catch (error) {
      this.#fail(error);
      return;
    }
    target.budget.deposit();
    this.#next('first');
    this.#arm();
  }

  /** Begins the next attempt, now if there is somebody. */
  #next(kind: AttemptKind): void {
    let endpoint: Endpoint | undefined;
    try {
      endpoint = this.target.view.state === 'connecting' ? undefined : this.#pick();
    } catch (error) {
      this.#fail(error); // a strategy of the user's
      return;
    }
    if (endpoint === undefined) void this.#nextLater(kind, 0);
    else if (this.#mustWaitMs(endpoint) > 0) {
      this.#unpick(endpoint);
      void this.#nextLater(kind, 0);
    } else this.#start(endpoint, kind);
  }

  /** Never rejects: it ends the call. */
  async #nextLater(kind: AttemptKind, pauseMs: number): Promise<void> {
    try {
      if (pauseMs > 0) await this.#sleep(pauseMs);
      const endpoint = await this.#findEndpoint();
      if (!this.#isDone) this.#start(endpoint, kind);
      else this.#unpick(endpoint);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #findEndpoint(): Promise<Endpoint> {
    for (;;) {
      if (this.target.view.state === 'connecting') await this.target.ready(this.#interruptSignal());
      const endpoint = this.#pick() ?? (await this.#awaitEndpoint());
      const waitMs = this.#mustWaitMs(endpoint);
      if (waitMs <= 0 || this.#isDone) return endpoint;
      this.#unpick(endpoint);
      if (!this.#fits(waitMs)) throw this.#lastError;
      await this.#sleep(waitMs);
    }
  }

  /** Nobody could be picked: there may be somebody in a moment. */
  async #awaitEndpoint(): Promise<Endpoint> {
    const { target } = this;
    const set = this.#set;
    let endpoint: Endpoint | undefined;
    const take = (): boolean => (endpoint = this.#pick()) !== undefined;
    if (set?.serves === true) await target.queue.wait(take, this.#interruptSignal());
    else {
      await target.changed(emptyGraceMs, this.#interruptSignal());
      take();
    }
    if (endpoint !== undefined) return endpoint;
    // The last failure says more than that nobody is left.
    throw this.#failed === undefined && set !== undefined ? target.nobody(set) : this.#lastError;
  }

  #pick(): Endpoint | undefined {
    const endpoint = this.#set?.pick(this.#request);
    if (telemetry.pick.hasSubscribers) {
      const { reason = 'direct' } = this.#set ?? {};
      telemetry.pick.publish({ service: this.target.name, strategy: this.#strategy, endpoint, reason });
    }
    return endpoint;
  }

  /** It was picked, and is not used. */
  #unpick(endpoint: Endpoint): void {
    this.target.giveBack(endpoint, 'cancelled', 0);
  }

  #start(endpoint: Endpoint, kind: AttemptKind): void {
    const number = this.#tried.push(endpoint);
    const attempt = new RunningAttempt(this, endpoint, {
      reason: this.#set?.reason ?? 'direct',
      number,
      kind,
    });
    this.#running.push(attempt);
    if (kind !== 'hedge') this.#planHedge(endpoint);
    attempt.run();
    this.#arm();
  }

  #planHedge(endpoint: Endpoint): void {
    const { idempotent, hedge = true } = this.#options;
    const { hedging, clock } = this.target;
    if (idempotent !== true || !hedge || hedging === undefined || this.#retries === 0) return;
    if (this.#reports.some(({ kind }) => kind === 'hedge')) return;
    const afterMs = hedging.delayMs(endpoint);
    if (afterMs === 0) return;
    this.#hedgeAfterMs = afterMs;
    this.#hedgeAt = clock.monotonic() + afterMs;
  }

  /** Asks another endpoint as well: the first that answers wins. */
  #hedge(late: RunningAttempt<T>): void {
    const { budget, hedging, name: service, clock } = this.target;
    const afterMs = this.#hedgeAfterMs;
    const endpoint = this.#pick();
    const isElsewhere = endpoint !== undefined && !this.#tried.includes(endpoint);
    const isGranted = isElsewhere && budget.withdrawHedge(hedging?.ratio ?? 0);
    if (telemetry.hedge.hasSubscribers) {
      telemetry.hedge.publish({ service, endpoint: late.endpoint, isGranted, afterMs });
    }
    this.#hedgeAt = isGranted ? Infinity : clock.monotonic() + Math.max(afterMs, hedgeAgainMs);
    if (endpoint === undefined) return;
    if (isGranted) this.#start(endpoint, 'hedge');
    else this.#unpick(endpoint);
  }

  /** Sets the timer, unless it will ring early enough: then it is set anew. */
  #arm(): void {
    if (this.#isDone) return;
    let at = Math.min(this.deadlineAt, this.#hedgeAt);
    for (const { endsAt } of this.#running) if (endsAt < at) at = endsAt;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    // The caller awaits this call: it must end even if nothing else keeps the process alive.
    this.#timer = this.target.clock.setTimer(this.#ring, at - this.target.clock.monotonic(), {
      keepAlive: true,
    });
  }

  readonly #ring = (): void => {
    this.#timerAt = Infinity;
    const now = this.target.clock.monotonic() + slackMs;
    if (now >= this.deadlineAt) {
      this.cancel(pastDeadline);
      return;
    }
    for (const attempt of [...this.#running]) {
      if (now >= attempt.endsAt) attempt.stop('timed-out', attemptTimedOut);
    }
    const [late] = this.#running;
    if (now >= this.#hedgeAt && late !== undefined && !this.#isDone) {
      // Where the timer itself is late the process is busy, and the answer may lie there unread.
      const lateMs = now - this.#hedgeAt;
      if (lateMs > busyMs && this.#waits < mostWaits) {
        this.#waits += 1;
        this.#hedgeAt = now + lateMs;
      } else this.#hedge(late);
    }
    this.#arm();
  };

  #ended(attempt: RunningAttempt<T>): void {
    const { endpoint, reason, kind, outcome = 'error', durationMs, failure } = attempt;
    this.#running = this.#running.filter((each) => each !== attempt);
    this.#reports.push({ endpoint, reason, kind, outcome, durationMs });
    if (failure?.retryAfterMs !== undefined) {
      this.#sparedUntil ??= new Map();
      this.#sparedUntil.set(endpoint, this.target.clock.monotonic() + failure.retryAfterMs);
    }
  }

  /** Milliseconds to wait before the next attempt; undefined if there shall be none. */
  #pauseBeforeRetry({ failure, endpoint }: RunningAttempt<T>): number | undefined {
    if (failure?.retryable !== true || this.#retried >= this.#retries) return undefined;
    const nothingSent = failure.outcome === 'connect-failure';
    if (!nothingSent && this.#options.idempotent !== true) return undefined;
    const pauseMs = this.#pauseAfter(failure);
    if (!this.#fits(pauseMs)) return undefined;
    const { budget, name: service } = this.target;
    const isGranted = budget.withdraw();
    if (telemetry.retry.hasSubscribers) {
      telemetry.retry.publish({ service, endpoint, outcome: failure.outcome, isGranted, pauseMs });
    }
    if (!isGranted) return undefined;
    this.#retried += 1;
    return pauseMs;
  }

  #pauseAfter({ outcome, retryAfterMs, everywhere }: Failure): number {
    if (everywhere === true && retryAfterMs !== undefined) return retryAfterMs;
    if (outcome === 'connect-failure' && this.#retried === 0) return 0;
    this.#backoff ??= new Backoff({ ...retryBackoff, rng: this.target.rng });
    return this.#backoff.next();
  }

  #mustWaitMs(endpoint: Endpoint): number {
    const until = this.#sparedUntil?.get(endpoint);
    return until === undefined ? 0 : until - this.target.clock.monotonic();
  }

  #fits(pauseMs: number): boolean {
    return this.target.clock.monotonic() + pauseMs < this.deadlineAt;
  }

  #sleep(ms: number): Promise<void> {
    return sleep(this.target.clock, ms, { signal: this.#interruptSignal() });
  }

  #interruptSignal(): AbortSignal {
    this.#interrupt ??= new AbortController();
    return this.#interrupt.signal;
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const attempt of this.#running) attempt.stop('call-over', error);
    // What the caller gets wrong, and that there is nobody, says nothing of the service.
    this.#release(this.#failed?.failure === undefined ? 'cancelled' : 'failed');
    this.#reject(this.#explain(error));
  }

  /** @param verdict on the service, for its breaker */
  #release(verdict: 'succeeded' | 'failed' | 'cancelled'): void {
    this.#timer?.cancel();
    this.#forgetCaller();
    if (this.#breakerEntry === 0) return; // it was not let in
    this.target.breaker[verdict](this.#breakerEntry);
    this.target.leave();
  }

  #deadlineExceeded(): DeadlineExceededError {
    const cause = this.#lastError ?? this.target.view.error;
    return new DeadlineExceededError(this.target.name, this.#deadlineMs, this.#reports, cause);
  }

  /** What the caller gets to see for an error that ended the call. */
  #explain(error: unknown): unknown {
    const service = this.target.name;
    if (error === attemptTimedOut) return new AttemptTimeoutError(service, this.timeoutMs, this.#reports);
    if (error instanceof DiscoveryError || this.#failed?.failure === undefined) return error;
    return new ConnectionError(service, this.#reports, error);
  }
}

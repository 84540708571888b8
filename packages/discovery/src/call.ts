import { AsyncResource } from 'node:async_hooks';
import { DiscoveryError, globalLogger, onAbort, sleep } from '@sd/core';
import { CircuitOpenError, type CircuitEntry } from '@sd/health';
import type { Endpoint, EndpointSet } from '@sd/load-balancers';
import { busyMs, type Alarm } from './alarms.ts';
import {
  attemptTimedOut,
  outrun,
  RunningAttempt,
  type Attempt,
  type AttemptContext,
  type CallHandler,
  type StopCause,
} from './attempt.ts';
import type { CallRules } from './call-rules.ts';
import { AttemptTimeoutError, ConnectionError, DeadlineExceededError, type AttemptReport } from './errors.ts';
import { RetryPlan } from './retry-plan.ts';
import { telemetry, type AttemptKind, type CallTrace } from './telemetry.ts';
import type { TrackedService } from './tracked-service.ts';

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
  rules: CallRules,
  signal: AbortSignal | undefined,
): PendingCall<T> {
  const call = new Call(target, work, rules, undefined, signal);
  call.result = telemetry.call.hasSubscribers ? call.trace() : call.run();
  return call;
}

/** The same for a handler that says itself what became of each attempt, which saves all promises. */
export function dispatchCall(
  target: TrackedService,
  handler: CallHandler,
  rules: CallRules,
  key: string | undefined,
): Pick<PendingCall<void>, 'cancel'> {
  const call = new Call<void>(target, handler, rules, key, undefined);
  call.dispatch();
  return call;
}

/** A push of the store may be on its way when there seems to be nobody to call. */
const emptyGraceMs = 50;

/** A hedge that could not be made is tried again after this, in milliseconds. */
const hedgeAgainMs = 100;

/** So often a hedge waits for a busy process. */
const mostWaits = 3;

const pastDeadline = new DOMException('The call is past its deadline', 'TimeoutError');

/** Shared by all calls that have nothing there, as most have not: on the hot path each array and closure counts. */
const none: readonly never[] = [];
const ignore = (): void => undefined;

/**
 * Most calls are one attempt that is answered: this is made for them, and what others need besides is made when it is
 * needed. Its alarm is for whatever comes first: the deadline, the end of an attempt's time, or a hedge.
 */
class Call<T> implements PendingCall<T>, AttemptContext<T>, Alarm {
  result!: Promise<T>; // set by whoever makes it
  readonly target: TrackedService;
  readonly work: CallHandler | ((attempt: Attempt) => Promise<T> | T);
  readonly rules: CallRules;
  callTrace: CallTrace | undefined;
  readonly #key: string | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #startedAt: number;
  #reports: AttemptReport[] | undefined;
  /** It knows those before it. */
  #latest: RunningAttempt<T> | undefined;
  #set: EndpointSet | undefined;
  #resolve: (value: T) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  #forgetCaller: () => void = ignore;
  /** Undefined where there is one attempt at most. */
  #context: AsyncResource | undefined;
  /** Of a dispatched call that is traced. */
  #settled: (error?: unknown) => void = ignore;
  #breakerEntry: CircuitEntry = 0;
  #isDone = false;
  #alarmSlot = -1;
  #hedgeAt = Infinity;
  #isHedged = false;
  #waits = 0;
  /** Made when an attempt has failed. */
  #plan: RetryPlan | undefined;
  /** The last attempt that failed while no other was under way, and its error. */
  #failed: RunningAttempt<T> | undefined;
  #lastError: unknown;
  /** Ends a wait when the call is over; made for the first wait. */
  #interrupt: AbortController | undefined;

  constructor(
    target: TrackedService,
    work: CallHandler | ((attempt: Attempt) => Promise<T> | T),
    rules: CallRules,
    key: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.target = target;
    this.work = work;
    this.rules = rules;
    this.#key = key;
    this.#signal = signal;
    this.#startedAt = target.clock.monotonic();
  }

  get deadlineAt(): number {
    return this.#startedAt + this.rules.deadlineMs;
  }

  /** Hot path. */
  get ringsAt(): number {
    let at = Math.min(this.deadlineAt, this.#hedgeAt);
    for (let attempt = this.#latest; attempt !== undefined; attempt = attempt.earlier) {
      if (attempt.outcome === undefined) at = Math.min(at, attempt.endsAt);
    }
    return at;
  }

  run(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#begin();
    });
  }

  trace(): Promise<T> {
    const trace = this.#newTrace();
    return telemetry.call.tracePromise(async () => {
      try {
        return await this.run();
      } finally {
        trace.durationMs = this.target.clock.monotonic() - this.#startedAt;
      }
    }, trace);
  }

  dispatch(): void {
    if (telemetry.call.hasSubscribers) this.#traceDispatch();
    else this.#begin();
  }

  /** As `tracePromise` of Node does, for what is no promise. */
  #traceDispatch(): void {
    const { start, end, asyncStart, asyncEnd, error: failed } = telemetry.call;
    const trace = this.#newTrace();
    this.#settled = (error) => {
      trace.durationMs = this.target.clock.monotonic() - this.#startedAt;
      if (error !== undefined) {
        trace.error = error;
        failed.publish(trace);
      }
      asyncStart.publish(trace);
      asyncEnd.publish(trace);
    };
    start.runStores(trace, () => this.#begin());
    end.publish(trace);
  }

  #newTrace(): CallTrace {
    const attempts: AttemptReport[] = [];
    this.#reports = attempts;
    this.callTrace = {
      service: this.target.name,
      method: this.rules.method,
      idempotent: this.rules.idempotent,
      attempts,
    };
    return this.callTrace;
  }

  cancel(reason: unknown): void {
    if (this.#isDone) return;
    const running = this.#running;
    const now = this.target.clock.monotonic();
    this.#isDone = true; // before what is under way says that it failed
    if (this.callTrace !== undefined && reason !== pastDeadline) this.callTrace.isCancelled = true;
    let isTheirs = false;
    for (const attempt of running) {
      const cause = this.#causeOf(attempt, reason, now);
      isTheirs ||= cause === 'timed-out';
      attempt.stop(cause, reason);
    }
    this.#release(isTheirs ? 'failed' : 'cancelled');
    this.#interrupt?.abort(reason);
    this.#rejects(reason === pastDeadline ? this.#deadlineExceeded() : reason);
  }

  /** A caller in a hurry says nothing of an endpoint, nor does one that gives up what is not late. */
  #causeOf(attempt: RunningAttempt<T>, reason: unknown, now: number): StopCause {
    const ranMs = attempt.runsMs(now);
    if (reason === pastDeadline) {
      const isHurried = now < attempt.endsAt && ranMs < this.target.usualMs(now);
      return isHurried ? 'cut-short' : 'timed-out';
    }
    const lateMs = this.target.lateMs(now);
    return lateMs > 0 && ranMs >= lateMs ? 'given-up' : 'cut-short';
  }

  /** Hot path. */
  answered(attempt: RunningAttempt<T>, now: number): boolean {
    this.#ended(attempt);
    if (this.#isDone) return false;
    this.#isDone = true;
    if (this.#latest !== attempt || attempt.earlier !== undefined) {
      for (const other of this.#running) {
        // To lose against one that had begun before is no disgrace.
        other.stop(other.endsAt <= attempt.endsAt ? 'outrun' : 'cut-short', outrun);
      }
    }
    this.#release('succeeded', now);
    this.#settled();
    return true;
  }

  resolves(value: T): void {
    this.#resolve(value);
  }

  failed(attempt: RunningAttempt<T>, error: unknown): void {
    this.#ended(attempt);
    if (this.#isDone) return;
    const { failure } = attempt;
    const isRepeatable = failure?.retryable === true;
    if (isRepeatable && this.#running.length > 0) return; // the other may still make it
    this.#hedgeAt = Infinity;
    this.#failed = attempt;
    this.#lastError = error;
    const pauseMs = isRepeatable ? this.#retryPlan().pauseMs(attempt.endpoint, failure) : undefined;
    if (pauseMs === undefined) this.#fail(error);
    else if (pauseMs > 0) void this.#nextLater('retry', pauseMs);
    else this.#next('retry', this.target.clock.monotonic());
  }

  #begin(): void {
    const { target, rules } = this;
    const signal = this.#signal;
    if (rules.retries > 0) this.#context = this.#contextOfWork ?? new AsyncResource('sd:call');
    try {
      if (signal?.aborted === true && this.callTrace !== undefined) this.callTrace.isCancelled = true;
      signal?.throwIfAborted();
      this.#breakerEntry = target.breaker.tryEnter();
      if (this.#breakerEntry === 0) throw new CircuitOpenError(target.name, target.breaker.retryAfterMs);
      target.enter();
      if (signal !== undefined) this.#forgetCaller = onAbort(signal, () => this.cancel(signal.reason));
      this.#set = target.pool.set(rules.strategy, rules.filter);
    } catch (error) {
      this.#fail(error);
      return;
    }
    target.began(this.#startedAt);
    this.#next('first', this.#startedAt);
    if (this.#alarmSlot < 0) this.#arm(this.#startedAt);
  }

  get #contextOfWork(): AsyncResource | undefined {
    return typeof this.work === 'function' ? undefined : this.work.context;
  }

  /** Begins the next attempt, now if there is somebody. */
  #next(kind: AttemptKind, now: number): void {
    let endpoint: Endpoint | undefined;
    try {
      endpoint = this.target.view.state === 'connecting' ? undefined : this.#pick();
    } catch (error) {
      this.#fail(error); // a strategy of the user's
      return;
    }
    if (endpoint === undefined) void this.#nextLater(kind, 0);
    else if (this.#plan !== undefined && this.#plan.sparedMs(endpoint, now) > 0) {
      this.#unpick(endpoint);
      void this.#nextLater(kind, 0);
    } else this.#start(endpoint, kind, now);
  }

  /** Never rejects: it ends the call. */
  async #nextLater(kind: AttemptKind, pauseMs: number): Promise<void> {
    try {
      if (pauseMs > 0) await this.#sleep(pauseMs);
      const endpoint = await this.#findEndpoint();
      this.#start(endpoint, kind, this.target.clock.monotonic());
    } catch (error) {
      this.#fail(error);
    }
  }

  async #findEndpoint(): Promise<Endpoint> {
    for (;;) {
      if (this.target.view.state === 'connecting') await this.target.ready(this.#interruptSignal());
      const endpoint = this.#pick() ?? (await this.#awaitEndpoint());
      const now = this.target.clock.monotonic();
      const waitMs = this.#plan?.sparedMs(endpoint, now) ?? 0;
      if (waitMs <= 0 || this.#isDone) return endpoint;
      this.#unpick(endpoint);
      if (now + waitMs >= this.deadlineAt) throw this.#lastError;
      await this.#sleep(waitMs);
    }
  }

  /** Nobody could be picked: there may be somebody in a moment. */
  async #awaitEndpoint(): Promise<Endpoint> {
    const { target } = this;
    const set = this.#set;
    let endpoint: Endpoint | undefined;
    let problem: { readonly error: unknown } | undefined;
    // It may be another call that is at its end, and that the errors of a strategy of the user's are none of.
    const take = (): boolean => {
      try {
        endpoint = this.#pick();
      } catch (error) {
        problem = { error };
      }
      return endpoint !== undefined || problem !== undefined;
    };
    if (set?.serves === true) await target.queue.wait(take, this.#interruptSignal());
    else {
      await target.changed(emptyGraceMs, this.#interruptSignal());
      take();
    }
    if (endpoint !== undefined) return endpoint;
    if (problem !== undefined) throw problem.error;
    // The last failure says more than that nobody is left.
    throw this.#failed === undefined && set !== undefined ? target.nobody(set) : this.#lastError;
  }

  #pick(): Endpoint | undefined {
    const { request, strategy } = this.rules;
    const isUsual = this.#latest === undefined && this.#key === undefined;
    const endpoint = this.#set?.pick(
      isUsual ? request : { ...request, key: this.#key ?? request.key, tried: this.#tried },
    );
    if (telemetry.pick.hasSubscribers) {
      const { reason = 'direct' } = this.#set ?? {};
      telemetry.pick.publish({ service: this.target.name, strategy, endpoint, reason });
    }
    return endpoint;
  }

  /** It was picked, and is not used. */
  #unpick(endpoint: Endpoint): void {
    this.target.giveBack(endpoint, 'cancelled', 0);
  }

  #start(endpoint: Endpoint, kind: AttemptKind, now: number): void {
    // The call may have been cancelled while it waited, or by who heard of the pick.
    if (this.#isDone) {
      this.#unpick(endpoint);
      return;
    }
    const attempt = new RunningAttempt(
      this,
      endpoint,
      this.#set?.reason ?? 'direct',
      kind,
      this.#latest,
      now,
    );
    this.#latest = attempt;
    if (kind === 'hedge') this.#isHedged = true;
    else this.#planHedge(endpoint, now);
    // What begins it later, a timer or a connection, is shared, and would run it as somebody else's request.
    if (kind === 'first' || this.#context === undefined) attempt.run();
    else this.#context.runInAsyncScope(() => attempt.run());
    this.#arm(now);
  }

  #planHedge(endpoint: Endpoint, now: number): void {
    const { hedging } = this.target;
    if (!this.rules.mayHedge || hedging === undefined || this.#isHedged) return;
    const afterMs = hedging.delayMs(endpoint, now);
    if (afterMs > 0) this.#hedgeAt = now + afterMs;
  }

  /** Asks another endpoint as well: the first that answers wins. */
  #hedge(late: RunningAttempt<T>): void {
    const { budget, hedging, name: service, clock } = this.target;
    const now = clock.monotonic();
    const afterMs = late.runsMs(now);
    let endpoint: Endpoint | undefined;
    try {
      endpoint = this.#pick();
    } catch (error) {
      globalLogger.error(`A strategy of service "${service}" threw, so that a call is not hedged`, { error });
    }
    const isElsewhere = endpoint !== undefined && !this.#tried.includes(endpoint);
    const isGranted = isElsewhere && budget.withdrawHedge(hedging?.ratio ?? 0);
    if (telemetry.hedge.hasSubscribers) {
      telemetry.hedge.publish({ service, endpoint: late.endpoint, isGranted, afterMs });
    }
    this.#hedgeAt = isGranted ? Infinity : now + Math.max(afterMs, hedgeAgainMs);
    if (endpoint === undefined) return;
    if (isGranted) this.#start(endpoint, 'hedge', now);
    else this.#unpick(endpoint);
  }

  /** Hot path. */
  #arm(now: number): void {
    if (this.#isDone) return;
    if (this.#alarmSlot < 0) this.#alarmSlot = this.target.alarms.set(this, now);
    else this.target.alarms.moved(this, now);
  }

  ring(now: number): void {
    if (now >= this.deadlineAt) {
      this.cancel(pastDeadline);
      return;
    }
    for (const attempt of this.#running) {
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
    this.#arm(now);
  }

  /** Those that have not ended, in the order in which they began. */
  get #running(): readonly RunningAttempt<T>[] {
    return this.#attempts.filter(({ outcome }) => outcome === undefined);
  }

  get #tried(): readonly Endpoint[] {
    return this.#attempts.map(({ endpoint }) => endpoint);
  }

  get #attempts(): readonly RunningAttempt<T>[] {
    const attempts: RunningAttempt<T>[] = [];
    for (let attempt = this.#latest; attempt !== undefined; attempt = attempt.earlier)
      attempts.unshift(attempt);
    return attempts;
  }

  /** Hot path. */
  #ended(attempt: RunningAttempt<T>): void {
    const { endpoint, reason, kind, outcome = 'error', durationMs, failure } = attempt;
    if (outcome !== 'ok' || this.callTrace !== undefined) {
      (this.#reports ??= []).push({ endpoint, reason, kind, outcome, durationMs });
    }
    if (failure?.retryAfterMs !== undefined) this.#retryPlan().spare(endpoint, failure.retryAfterMs);
  }

  #retryPlan(): RetryPlan {
    this.#plan ??= new RetryPlan(this.target, this.rules, this.deadlineAt);
    return this.#plan;
  }

  #sleep(ms: number): Promise<void> {
    // Where the call has no deadline, nothing else may keep the process alive.
    return sleep(this.target.clock, ms, { signal: this.#interruptSignal(), keepAlive: true });
  }

  #interruptSignal(): AbortSignal {
    this.#interrupt ??= new AbortController();
    return this.#interrupt.signal;
  }

  #fail(error: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const attempt of this.#running) attempt.stop('cut-short', error);
    // What the caller gets wrong, and that there is nobody, says nothing of the service.
    this.#release(this.#failed?.failure === undefined ? 'cancelled' : 'failed');
    this.#rejects(this.#explain(error));
  }

  /** @param verdict on the service, for its breaker */
  #release(verdict: 'succeeded' | 'failed' | 'cancelled', now?: number): void {
    if (this.#alarmSlot >= 0) this.target.alarms.off(this.#alarmSlot);
    this.#forgetCaller();
    if (this.#breakerEntry === 0) return; // it was not let in
    const { breaker } = this.target;
    if (verdict === 'succeeded') breaker.succeeded(this.#breakerEntry, now);
    else breaker[verdict](this.#breakerEntry);
    this.target.leave();
  }

  #rejects(error: unknown): void {
    this.#settled(error);
    if (typeof this.work === 'function') this.#reject(error);
    else this.work.failed(error);
  }

  #deadlineExceeded(): DeadlineExceededError {
    const attempts = this.#reports ?? none;
    // Once there was an instance to ask, it is not the store that was waited for.
    const cause = this.#lastError ?? (attempts.length === 0 ? this.target.view.error : undefined);
    return new DeadlineExceededError(this.target.name, this.rules.deadlineMs, attempts, cause);
  }

  /** What the caller gets to see for an error that ended the call. */
  #explain(error: unknown): unknown {
    const service = this.target.name;
    if (error === attemptTimedOut)
      return new AttemptTimeoutError(service, this.rules.attemptTimeoutMs, this.#reports ?? none);
    if (error instanceof DiscoveryError || this.#failed?.failure === undefined) return error;
    return new ConnectionError(service, this.#reports ?? none, error);
  }
}

import type { AsyncResource } from 'node:async_hooks';
import { globalLogger, type ServiceInstance } from '@sd/core';
import type { Endpoint, Outcome, PickReason } from '@sd/load-balancers';
import type { CallRules } from './call-rules.ts';
import type { Failure } from './failure.ts';
import { telemetry, type AttemptKind, type AttemptTrace, type CallTrace } from './telemetry.ts';
import type { TrackedService } from './tracked-service.ts';

/** What an attempt gets. */
export interface Attempt {
  readonly instance: ServiceInstance;
  readonly endpoint: Endpoint;
  /** Why this endpoint. */
  readonly reason: PickReason;
  /** 1 for the first. */
  readonly number: number;
  /** Whether it is a `retry` after one that failed, or a `hedge` beside one that is late. */
  readonly kind: AttemptKind;
  /** What a tracer wants sent along with the request. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Status code of the answer: set it, for those who measure. */
  status: number | undefined;
  /**
   * Aborts when this attempt times out, when the deadline passes, when the caller cancels, and when another attempt has
   * answered: then what this one returns is dropped.
   */
  readonly signal: AbortSignal;
  /** Tells the listener when `signal` aborts, for those who need no signal: making one takes longer than all the rest here. */
  onStop(listener: StopListener): void;
  /** Milliseconds that it may take from its beginning: until it times out, or the call's deadline. */
  readonly timeoutMs: number;
  /** Milliseconds of that which are left. */
  remainingMs(): number;
  /** Keeps the attempt in flight until then, e.g. until a streamed body has ended. Its failure is the endpoint's. */
  keepUntil(end: Promise<unknown>): void;
}

/** Hears why an attempt is stopped: a function, or an object that is there already, which saves making one. */
export type StopListener = ((reason: unknown) => void) | { stop(reason: unknown): void };

/** An attempt that says itself, by `answer` or `fail`, what became of it. */
export interface OpenAttempt extends Omit<Attempt, 'keepUntil'> {
  /**
   * There is an answer. @returns whether it is the call's: if so its endpoint is in flight until `end`; if not it came too
   * late, and is to be dropped
   */
  answer(): boolean;
  /** What was answered has ended, or broke off with an error. */
  end(error?: unknown): void;
  /** There is none. What is to be done about it is decided before this returns, unless there is a pause before a retry. */
  fail(error: unknown): void;
}

/** Makes the attempts of a call and hears what became of it, without promises. */
export interface CallHandler {
  /** Of the caller, for attempts after the first, which begin in somebody else's. Default: one that is made for the call. */
  readonly context?: AsyncResource | undefined;
  /** Begins the work and returns: `answer` or `fail` of the attempt say what became of it, `end` when all was read. */
  attempt(attempt: OpenAttempt): void;
  /** Once, if the call has failed, with what `call` would reject with; before `fail` returns where that was the reason. */
  failed(error: unknown): void;
}

/** What is the same for all attempts of a call. */
export interface AttemptContext<T> {
  readonly rules: CallRules;
  /** For telemetry. */
  readonly callTrace: CallTrace | undefined;
  readonly target: TrackedService;
  readonly work: CallHandler | ((attempt: Attempt) => Promise<T> | T);
  /** Of the clock. */
  readonly deadlineAt: number;
  /** Hears of each that was answered, once. @returns whether the answer is the call's */
  answered(attempt: RunningAttempt<T>, now: number): boolean;
  /** And what that answer is. */
  resolves(value: T): void;
  /** Hears of each that has ended otherwise, once. */
  failed(attempt: RunningAttempt<T>, error: unknown): void;
}

/**
 * Why an attempt is stopped: a timeout is its endpoint's failure. One that was `outrun` by a later one, or `given-up` when
 * it was late already, was not answered, which only speaks against the endpoint where nothing else is heard of it. What
 * was `cut-short`, sooner than answers come, says nothing.
 */
export type StopCause = 'timed-out' | 'outrun' | 'given-up' | 'cut-short';

/** One attempt, from its pick until it has given back its endpoint. Whoever runs it looks after its time. */
export class RunningAttempt<T> implements Attempt, OpenAttempt {
  readonly endpoint: Endpoint;
  readonly reason: PickReason;
  readonly number: number;
  readonly kind: AttemptKind;
  /** The attempt before it of the same call. */
  readonly earlier: RunningAttempt<T> | undefined;
  status: number | undefined;
  /** Set at its end. */
  outcome: Outcome | undefined;
  durationMs = 0;
  /** What its error means; undefined while it runs, when it was answered, and when the error is none of the network's. */
  failure: Failure | undefined;
  readonly #context: AttemptContext<T>;
  readonly #startedAt: number;
  /** Made for the first who asks. */
  #controller: AbortController | undefined;
  #onStop: StopListener | undefined;
  #stopped: { readonly reason: unknown } | undefined;
  #kept: Promise<unknown> | undefined;
  /** Its answer is the call's, and has not ended. */
  #isAnswering = false;
  #trace: { readonly message: AttemptTrace; readonly end: (error: unknown) => void } | undefined;

  constructor(
    context: AttemptContext<T>,
    endpoint: Endpoint,
    reason: PickReason,
    kind: AttemptKind,
    earlier: RunningAttempt<T> | undefined,
    now: number,
  ) {
    this.endpoint = endpoint;
    this.reason = reason;
    this.number = earlier === undefined ? 1 : earlier.number + 1;
    this.kind = kind;
    this.earlier = earlier;
    this.#context = context;
    this.#startedAt = now;
  }

  get instance(): ServiceInstance {
    return this.endpoint.instance;
  }

  get headers(): Readonly<Record<string, string>> | undefined {
    return this.#trace?.message.headers;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#stopped !== undefined) this.#controller.abort(this.#stopped.reason);
    return this.#controller.signal;
  }

  onStop(listener: StopListener): void {
    const first = this.#onStop;
    if (this.#stopped !== undefined) stopBy(listener, this.#stopped.reason);
    else if (first === undefined) this.#onStop = listener;
    else {
      this.#onStop = (reason) => {
        tell(first, reason);
        tell(listener, reason);
      };
    }
  }

  /** Of the clock: when it is to be stopped, unless the call's deadline comes first. */
  get endsAt(): number {
    return this.#startedAt + this.#context.rules.attemptTimeoutMs;
  }

  get timeoutMs(): number {
    return Math.min(this.#context.deadlineAt, this.endsAt) - this.#startedAt;
  }

  /** How long it has been under way. */
  runsMs(now: number): number {
    return now - this.#startedAt;
  }

  remainingMs(): number {
    return Math.max(0, this.timeoutMs - (this.#context.target.clock.monotonic() - this.#startedAt));
  }

  keepUntil(end: Promise<unknown>): void {
    end.catch(() => undefined); // at once: it may fail before the attempt has ended
    this.#kept = end;
  }

  answer(): boolean {
    if (this.outcome !== undefined) return false;
    this.#isAnswering = true;
    const isTheCalls = this.#context.answered(this, this.#end('ok', 'answered', undefined));
    if (!isTheCalls) this.end(); // whoever drops it says no more of it
    return isTheCalls;
  }

  end(error?: unknown): void {
    if (!this.#isAnswering) return;
    this.#isAnswering = false;
    if (error === undefined) this.#context.target.giveBack(this.endpoint, 'ok', this.durationMs, true);
    else this.#brokeOff(error);
  }

  fail(error: unknown): void {
    if (this.outcome !== undefined) return;
    try {
      this.failure = this.#context.rules.classify(error);
    } catch (cause) {
      this.#end('error', 'own-error', cause);
      this.#context.failed(this, cause);
      return;
    }
    // Without a failure the error is the work's own, and says nothing of the endpoint.
    this.#end(this.failure?.outcome ?? 'error', this.failure === undefined ? 'own-error' : 'answered', error);
    this.#context.failed(this, error);
  }

  /** Does the work, once. */
  run(): void {
    if (telemetry.attempt.hasSubscribers) this.#traced();
    else this.#work();
  }

  /** Ends it at once, if it has not ended; what its work makes of that is not waited for. */
  stop(cause: StopCause, error: unknown): void {
    if (this.outcome !== undefined) return;
    if (cause === 'timed-out') this.failure = { outcome: 'timeout', retryable: true };
    this.#stopped = { reason: error };
    this.#end(cause === 'timed-out' ? 'timeout' : 'cancelled', cause, error);
    this.#controller?.abort(error);
    if (this.#onStop !== undefined) tell(this.#onStop, error);
    this.#context.failed(this, error);
  }

  #traced(): void {
    const { endpoint, reason, number, kind } = this;
    const { callTrace: call, target, rules } = this.#context;
    const { method } = rules;
    const message: AttemptTrace = { service: target.name, call, endpoint, reason, number, kind, method };
    const ended = telemetry.attempt.tracePromise(
      () =>
        new Promise<void>((resolve, reject) => {
          const end = (error: unknown): void =>
            error === undefined
              ? resolve()
              : reject(error instanceof Error ? error : new Error('The attempt failed', { cause: error }));
          this.#trace = { message, end };
          if (message.around === undefined) this.#work();
          else message.around(() => this.#work());
        }),
      message,
    );
    ended.catch(() => undefined); // for the tracer alone
  }

  #work(): void {
    const { work } = this.#context;
    try {
      if (typeof work === 'function') {
        Promise.resolve(work(this)).then(
          (value) => this.#answered(value),
          (error: unknown) => this.fail(error),
        );
      } else work.attempt(this);
    } catch (error) {
      this.fail(error);
    }
  }

  #answered(value: T): void {
    if (this.outcome !== undefined) return;
    const now = this.#end('ok', 'answered', undefined);
    if (this.#context.answered(this, now)) this.#context.resolves(value);
  }

  /** @returns the time on the clock, which takes a while to read */
  #end(outcome: Outcome, cause: EndCause, error: unknown): number {
    const { endpoint } = this;
    const { target } = this.#context;
    this.outcome = outcome;
    const now = target.clock.monotonic();
    const durationMs = now - this.#startedAt;
    this.durationMs = durationMs;
    if (this.#trace !== undefined) {
      this.#trace.message.outcome = outcome;
      this.#trace.message.durationMs = durationMs;
      if (this.status !== undefined) this.#trace.message.status = this.status;
      this.#trace.end(error);
    }
    const told = cause === 'own-error' ? 'cancelled' : outcome;
    const kept = this.#kept;
    // Given back when the answer has ended.
    if (this.#isAnswering) target.pool.answered(endpoint);
    else if (kept === undefined || outcome !== 'ok') target.giveBack(endpoint, told, durationMs);
    else {
      target.pool.answered(endpoint);
      kept.then(
        () => target.giveBack(endpoint, 'ok', durationMs, true),
        (reason: unknown) => this.#brokeOff(reason),
      );
    }
    if (told !== 'cancelled' || cause === 'outrun' || cause === 'given-up')
      target.judge(endpoint, told, durationMs, now);
    if (this.failure?.retryAfterMs !== undefined && this.failure.everywhere !== true) {
      target.holdOff(endpoint, this.failure.retryAfterMs);
    }
    return now;
  }

  /** After the answer was taken for one. Whoever reads it may also have had enough. */
  #brokeOff(error: unknown): void {
    const { target } = this.#context;
    const outcome = this.#stopped === undefined ? this.#outcomeOf(error) : undefined;
    if (outcome !== undefined) target.judge(this.endpoint, outcome, this.durationMs);
    target.giveBack(this.endpoint, outcome ?? 'ok', this.durationMs, true);
  }

  /** Nobody is left who could be told that the reader of errors is wrong. */
  #outcomeOf(error: unknown): Outcome | undefined {
    try {
      return this.#context.rules.classify(error)?.outcome;
    } catch (problem) {
      globalLogger.error('The classifier of failures threw', { error: problem });
      return undefined;
    }
  }
}

function tell(listener: StopListener, reason: unknown): void {
  try {
    stopBy(listener, reason);
  } catch (problem) {
    globalLogger.error('A listener to the end of an attempt threw', { error: problem });
  }
}

function stopBy(listener: StopListener, reason: unknown): void {
  if (typeof listener === 'function') listener(reason);
  else listener.stop(reason);
}

type EndCause = StopCause | 'answered' | 'own-error';

export const attemptTimedOut = new DOMException('The attempt took too long', 'TimeoutError');

/** Why an attempt is stopped when another has answered, as its `signal` and `onStop` say. */
export const outrun = new DOMException('Another attempt of the call was faster', 'AbortError');

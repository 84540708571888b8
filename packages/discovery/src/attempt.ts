import type { ServiceInstance, Timer } from '@sd/core';
import type { Endpoint, Outcome, PickReason } from '@sd/load-balancers';
import type { Failure } from './failure.ts';
import { telemetry, type AttemptKind, type AttemptTrace } from './telemetry.ts';
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
  /**
   * Aborts when this attempt times out, when the deadline passes, when the caller cancels, and when another attempt has
   * answered: then what this one returns is dropped.
   */
  readonly signal: AbortSignal;
  /** Milliseconds left for this attempt: until it times out, or the call's deadline. */
  remainingMs(): number;
  /** Keeps the attempt in flight until then, e.g. until a streamed body has ended. Its failure is the endpoint's. */
  keepUntil(end: Promise<unknown>): void;
}

/** What is the same for all attempts of a call. */
export interface AttemptContext<T> {
  readonly target: TrackedService;
  readonly work: (attempt: Attempt) => Promise<T> | T;
  readonly read: (error: unknown) => Failure | undefined;
  readonly timeoutMs: number;
  /** Of the clock. */
  readonly deadlineAt: number;
  /** Hears of each that has ended. */
  readonly onEnd: (attempt: RunningAttempt<T>) => void;
}

export interface AttemptInit {
  readonly endpoint: Endpoint;
  readonly reason: PickReason;
  readonly number: number;
  readonly kind: AttemptKind;
}

/** Why an attempt is stopped: only a timeout says something bad of its endpoint. */
export type StopCause = 'timed-out' | 'outrun' | 'call-over';

/** One attempt, from its pick until it has given back its endpoint. */
export class RunningAttempt<T> implements Attempt {
  readonly endpoint: Endpoint;
  readonly reason: PickReason;
  readonly number: number;
  readonly kind: AttemptKind;
  readonly #context: AttemptContext<T>;
  readonly #startedAt: number;
  readonly #endsAt: number;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;
  #reject: (error: unknown) => void = () => undefined;
  #kept: Promise<unknown> | undefined;
  #trace: AttemptTrace | undefined;
  /** Set at its end. */
  outcome: Outcome | undefined;
  durationMs = 0;
  /** What its error means; undefined while it runs, when it was answered, and when the error is none of the network's. */
  failure: Failure | undefined;

  constructor(context: AttemptContext<T>, { endpoint, reason, number, kind }: AttemptInit) {
    this.endpoint = endpoint;
    this.reason = reason;
    this.number = number;
    this.kind = kind;
    this.#context = context;
    const { clock } = context.target;
    this.#startedAt = clock.monotonic();
    this.#endsAt = Math.min(context.deadlineAt, this.#startedAt + context.timeoutMs);
    // Without one, the call's deadline stops it.
    this.#timer =
      this.#endsAt < context.deadlineAt
        ? clock.setTimer(() => this.stop('timed-out', attemptTimedOut), context.timeoutMs)
        : undefined;
  }

  get instance(): ServiceInstance {
    return this.endpoint.instance;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  remainingMs(): number {
    return Math.max(0, this.#endsAt - this.#context.target.clock.monotonic());
  }

  keepUntil(end: Promise<unknown>): void {
    end.catch(() => undefined); // at once: it may fail before the attempt has ended
    this.#kept = end;
  }

  /** Does the work, once. */
  run(): Promise<T> {
    if (!telemetry.attempt.hasSubscribers) return this.#start();
    const { endpoint, reason, number, kind } = this;
    const service = this.#context.target.name;
    this.#trace = { service, endpoint, reason, number, kind };
    return telemetry.attempt.tracePromise(() => this.#start(), this.#trace);
  }

  /** Ends it at once, if it has not ended; what its work makes of that is not waited for. */
  stop(cause: StopCause, error: unknown): void {
    if (this.outcome !== undefined) return;
    if (cause === 'timed-out') this.failure = { outcome: 'timeout', retryable: true };
    this.#end(cause === 'timed-out' ? 'timeout' : 'cancelled', cause);
    this.#reject(error);
    this.#controller.abort(error);
  }

  #start(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      const fail = (error: unknown): void => {
        if (this.outcome !== undefined) return;
        this.#fail(error);
        reject(error);
      };
      try {
        Promise.resolve(this.#context.work(this)).then((value) => {
          if (this.outcome !== undefined) return;
          this.#end('ok', 'answered');
          resolve(value);
        }, fail);
      } catch (error) {
        fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    try {
      this.failure = this.#context.read(error);
    } finally {
      // Without a failure the error is the work's own, and says nothing of the endpoint.
      this.#end(this.failure?.outcome ?? 'error', this.failure === undefined ? 'own-error' : 'answered');
    }
  }

  #end(outcome: Outcome, cause: EndCause): void {
    const { target, onEnd } = this.#context;
    this.#timer?.cancel();
    this.outcome = outcome;
    this.durationMs = target.clock.monotonic() - this.#startedAt;
    if (this.#trace !== undefined) {
      this.#trace.outcome = outcome;
      this.#trace.durationMs = this.durationMs;
    }
    const { endpoint, durationMs } = this;
    const told = cause === 'own-error' ? 'cancelled' : outcome;
    const kept = this.#kept;
    if (kept === undefined || outcome !== 'ok') target.giveBack(endpoint, told, durationMs);
    else {
      kept.then(
        () => target.giveBack(endpoint, 'ok', durationMs),
        (error: unknown) => this.#brokeOff(error),
      );
    }
    if (told !== 'cancelled' || cause === 'outrun') target.judge(endpoint, told, durationMs);
    if (this.failure?.retryAfterMs !== undefined && this.failure.everywhere !== true) {
      target.holdOff(endpoint, this.failure.retryAfterMs);
    }
    onEnd(this);
  }

  /** After the answer was taken for one. Whoever reads it may also have had enough. */
  #brokeOff(error: unknown): void {
    const { target, read } = this.#context;
    const outcome = this.#controller.signal.aborted ? undefined : read(error)?.outcome;
    if (outcome !== undefined) target.judge(this.endpoint, outcome, this.durationMs);
    target.giveBack(this.endpoint, outcome ?? 'ok', this.durationMs);
  }
}

type EndCause = StopCause | 'answered' | 'own-error';

export const attemptTimedOut = Symbol('attempt timed out');

import { abortable, globalLogger, systemClock, systemRng, validate, type Clock } from '@sd/core';
import { circuitBreakerOptionsSchema, type CircuitBreakerOptions } from './circuit-breaker-options.ts';
import { CircuitOpenError } from './circuit-open-error.ts';
import { OutcomeWindow } from './outcome-window.ts';
import { Setbacks } from './setbacks.ts';

/** Times are of the breaker's clock, `monotonic()`, in milliseconds. */
export type CircuitState =
  | { readonly value: 'closed' }
  | { readonly value: 'open'; readonly openedAt: number; readonly until: number }
  /** Some calls are let through, and decide. @property until when others are, if these have not ended */
  | { readonly value: 'half-open'; readonly since: number; readonly until: number }
  | { readonly value: 'isolated'; readonly since: number };

/** A call that was let in; 0: it was not. */
export type CircuitEntry = number;

/**
 * Stops calling a service that fails, so that it can recover and callers do not wait. It needs no timer: that it is open
 * no longer shows, and is told to listeners, when the next call comes.
 *
 * Sources: Nygard, "Release It!", 2007; the sliding window and its share of failures are Hystrix', isolation is Polly's.
 */
export class CircuitBreaker {
  readonly #options: ReturnType<typeof complete>;
  /** Without rules it only opens by hand. */
  readonly #hasRules: boolean;
  readonly #clock: Clock;
  readonly #calls = new OutcomeWindow(windowPeriods);
  readonly #openings: Setbacks;
  readonly #listeners = new Set<(state: CircuitState, before: CircuitState) => void>();
  #state: CircuitState = closed;
  #advancedAt: number;
  #failuresInRow = 0;
  #probesLeft = 0;
  #probesOk = 0;
  /** A call that ends in another state than it began in says nothing any more; those of all rounds of half-open do. */
  #entry: CircuitEntry = 1;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: CircuitBreakerOptions) {
    this.#options = complete(options);
    const { failureRate, consecutiveFailures } = this.#options;
    this.#hasRules = failureRate !== false || consecutiveFailures !== undefined;
    const { openMs, maxOpenMs, clock = systemClock, rng = systemRng } = this.#options;
    this.#clock = clock;
    this.#advancedAt = clock.monotonic();
    this.#openings = new Setbacks({ baseMs: openMs, maxMs: maxOpenMs }, rng);
  }

  /** `open` until the first call after its time. */
  get state(): CircuitState {
    return this.#state;
  }

  /** Hot path. Whether a call would be let in now. */
  get canEnter(): boolean {
    const state = this.#state;
    if (state.value === 'closed') return true;
    if (state.value === 'isolated') return false;
    if (state.value === 'half-open' && this.#probesLeft > 0) return true;
    return this.#clock.monotonic() >= state.until;
  }

  /**
   * Hot path. Asks to be let in.
   * @returns what to hand to exactly one of `succeeded`, `failed` and `cancelled`; 0 if the call must not be made
   */
  tryEnter(): CircuitEntry {
    if (this.#state.value === 'closed') return this.#entry;
    if (!this.canEnter) return 0;
    if (this.#probesLeft === 0) this.#beginProbing();
    if (this.#probesLeft === 0) return 0; // whoever heard of it has decided otherwise
    this.#probesLeft -= 1;
    return this.#entry;
  }

  /** Hot path. @param now of the clock, where you have just read it */
  succeeded(entry: CircuitEntry, now = this.#clock.monotonic()): void {
    if (entry !== this.#entry) return;
    if (this.#state.value === 'closed') {
      if (!this.#hasRules) return;
      this.#failuresInRow = 0;
      this.#advance(now);
      this.#calls.record(0, false);
    } else {
      this.#probesOk += 1;
      if (this.#probesOk === this.#options.probes) this.#close();
    }
  }

  /** Hot path. */
  failed(entry: CircuitEntry): void {
    if (entry !== this.#entry) return;
    if (this.#state.value === 'closed') {
      if (!this.#hasRules) return;
      this.#failuresInRow += 1;
      this.#advance(this.#clock.monotonic());
      this.#calls.record(0, true);
      if (this.#isTooMuch()) this.#open();
    } else {
      this.#open();
    }
  }

  /** Hot path. The caller lost interest: it says nothing of the service, and another call takes its place. */
  cancelled(entry: CircuitEntry): void {
    if (entry === this.#entry && this.#state.value === 'half-open') this.#probesLeft += 1;
  }

  /**
   * Calls `work` if it is let in.
   * @param options.signal ends the wait at once; it does not count against the service
   * @throws {CircuitOpenError} without calling; or what `work` throws; or the signal's reason
   */
  async run<T>(
    work: () => Promise<T> | T,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const entry = this.tryEnter();
    if (entry === 0) throw new CircuitOpenError(this.#options.service, this.retryAfterMs);
    let verdict: 'succeeded' | 'failed' | 'cancelled' = 'failed'; // should `isFailure` throw
    try {
      const value = await abortable(Promise.resolve(work()), signal);
      verdict = 'succeeded';
      return value;
    } catch (error) {
      if (signal?.aborted === true) verdict = 'cancelled';
      else if (this.#options.isFailure?.(error) === false) verdict = 'succeeded';
      throw error;
    } finally {
      this[verdict](entry);
    }
  }

  /** When a call that is refused now is worth trying again, in milliseconds; 0: now; undefined while isolated. */
  get retryAfterMs(): number | undefined {
    if (this.#state.value === 'isolated') return undefined;
    return this.#state.value === 'closed' || this.canEnter
      ? 0
      : Math.max(0, this.#state.until - this.#clock.monotonic());
  }

  /** Lets nobody in until `release`. */
  isolate(): void {
    if (this.#state.value !== 'isolated') this.#enter({ value: 'isolated', since: this.#clock.monotonic() });
  }

  /** An isolated one closes. */
  release(): void {
    if (this.#state.value === 'isolated') this.#close();
  }

  /** @returns how to stop listening. What a listener throws is logged. */
  onStateChange(listener: (state: CircuitState, before: CircuitState) => void): () => void {
    const own: typeof listener = (state, before) => listener(state, before);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  #isTooMuch(): boolean {
    const { failureRate, minimumCalls, consecutiveFailures = Infinity } = this.#options;
    if (this.#failuresInRow >= consecutiveFailures) return true;
    const calls = this.#calls.attempts(0);
    return failureRate !== false && calls >= minimumCalls && this.#calls.failures(0) >= failureRate * calls;
  }

  #open(): void {
    const now = this.#clock.monotonic();
    this.#enter({ value: 'open', openedAt: now, until: now + this.#openings.next(now) });
  }

  /** Also when those that were let through last time have not ended: they may never. */
  #beginProbing(): void {
    const now = this.#clock.monotonic();
    const before = this.#state;
    const lastMs =
      before.value === 'open'
        ? before.until - before.openedAt
        : before.value === 'half-open'
          ? before.until - before.since
          : 0;
    const next: CircuitState = { value: 'half-open', since: now, until: now + lastMs };
    if (before.value !== 'half-open') {
      this.#enter(next);
      return;
    }
    // What those of the round before still say counts: where answers take longer than a round, nothing else would.
    this.#state = next;
    this.#probesLeft = this.#options.probes;
    this.#tell(next, before);
  }

  #close(): void {
    this.#calls.reset(0);
    this.#failuresInRow = 0;
    this.#openings.passed(this.#clock.monotonic());
    this.#enter(closed);
  }

  #enter(state: CircuitState): void {
    const before = this.#state;
    this.#state = state;
    this.#entry += 1;
    this.#probesLeft = state.value === 'half-open' ? this.#options.probes : 0;
    this.#probesOk = 0;
    this.#tell(state, before);
  }

  #tell(state: CircuitState, before: CircuitState): void {
    for (const listener of this.#listeners) {
      try {
        listener(state, before);
      } catch (error) {
        globalLogger.error(`A listener to the circuit of service "${this.#options.service}" threw`, {
          error,
        });
      }
    }
  }

  #advance(now: number): void {
    const periods = Math.floor((now - this.#advancedAt) / periodMs);
    if (periods === 0) return;
    this.#calls.advance(periods);
    this.#advancedAt += periods * periodMs;
  }
}

function complete(options: CircuitBreakerOptions) {
  return validate('CircuitBreaker', circuitBreakerOptionsSchema, options);
}

const closed: CircuitState = { value: 'closed' };
const periodMs = 1_000;
const windowPeriods = 10;

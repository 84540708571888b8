import { globalLogger, systemClock, systemRng, validate, type Clock, type Rng, type Timer } from '@sd/core';
import type { Endpoint, Outcome } from '@sd/load-balancers';
import * as v from 'valibot';
import { AnswerLog } from './answer-log.ts';
import type { DetectedPool } from './detected-pool.ts';
import { Ejections } from './ejections.ts';
import { Evidence } from './evidence.ts';
import { halfMs } from './latency-histogram.ts';
import type { EjectionCause, EndpointState, OutlierEvent } from './outlier-event.ts';
import { outlierOptionsSchema, type OutlierOptions, type OutlierRules } from './outlier-options.ts';
import { Roster } from './roster.ts';
import { SlowEndpoints } from './slow-endpoints.ts';

export interface OutlierDetectorOptions {
  readonly service: string;
  readonly pool: DetectedPool;
  readonly options?: OutlierOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** What happens, for telemetry. What it throws is logged. */
  readonly onEvent?: ((event: OutlierEvent) => void) | undefined;
  /**
   * Hears of each outcome `ok`, a while after `record`: when 64 have come together, when something depends on them, and
   * at the latest a second later. For what you remember of answers yourself; gets what `record` got. Must not throw.
   */
  readonly onAnswer?: ((endpoint: Endpoint, latencyMs: number, now: number) => void) | undefined;
}

/**
 * Watches how the endpoints of one service answer, and takes out of rotation those that do not serve: each has a circuit
 * breaker of its own. One that fails is ejected, probed after a while with one attempt, and is back when that is `ok`.
 * One that is slow is degraded: it gets at most what the others cannot bear.
 *
 * Sources: Envoy's outlier detection and gRFC A50 (consecutive failures, success rate, deviation, growing ejection, cap);
 * Finagle's failure accrual (probing); gRPC's connection backoff. Silence, latency and the comparison with peers are ours.
 */
export class OutlierDetector implements Disposable {
  readonly service: string;
  readonly #rules: OutlierRules;
  readonly #clock: Clock;
  readonly #onEvent: ((event: OutlierEvent) => void) | undefined;
  readonly #onAnswer: OutlierDetectorOptions['onAnswer'];
  readonly #answers = new AnswerLog();
  readonly #roster: Roster;
  readonly #ejections: Ejections;
  readonly #evidence: Evidence;
  readonly #slow: SlowEndpoints | undefined;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #sweptAt: number;
  #turnedAt: number;
  /** Sweeps since the last outcome. */
  #quiet = Infinity;
  #isClosed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(parts: OutlierDetectorOptions) {
    validate('OutlierDetector', partsSchema, parts);
    const { service, pool, options = {}, clock = systemClock, rng = systemRng, onEvent } = parts;
    const rules = validate('OutlierDetector', outlierOptionsSchema, options);
    const emit = (event: OutlierEvent): void => this.#emit(event);
    this.service = service;
    this.#rules = rules;
    this.#clock = clock;
    this.#onEvent = onEvent;
    this.#onAnswer = parts.onAnswer;
    this.#sweptAt = clock.monotonic();
    this.#turnedAt = this.#sweptAt;
    this.#evidence = new Evidence(rules, windowPeriods);
    this.#slow =
      rules.latency === false ? undefined : new SlowEndpoints({ pool, rule: rules.latency, rng, emit });
    this.#roster = new Roster(pool, {
      grow: (slots) => this.#grow(slots),
      arrived: (endpoint) => this.#reset(endpoint),
      left: (endpoint) => {
        this.#evidence.left(endpoint.slot);
        this.#ejections.forget(endpoint);
        this.#slow?.forget(endpoint);
      },
    });
    this.#ejections = new Ejections({
      pool,
      rules,
      rng,
      emit,
      size: () => this.#roster.list.length,
      onReturn: (endpoint) => this.#reset(endpoint),
    });
  }

  /**
   * Hot path. An attempt ended, and the pool has been told (`finish`), so that it is not in flight any more.
   * @param outcome `cancelled` only when it was late and given up, as when a later attempt of the same call had won
   * @param latencyMs from its start to its end; NaN where that says nothing, as for a stream
   * @param now of the clock, where you have just read it
   */
  record(endpoint: Endpoint, outcome: Outcome, latencyMs: number, now = this.#clock.monotonic()): void {
    // Nothing follows from one more good answer of an endpoint that is well: that can wait until something else happens.
    const mayWait = outcome === 'ok' && !endpoint.ejected && !endpoint.slow && this.#quiet < windowPeriods;
    if (mayWait && !this.#isClosed) {
      this.#answers.add(endpoint, latencyMs, now);
      if (this.#answers.isFull) this.settle();
      return;
    }
    this.settle();
    if (outcome === 'ok') this.#answered(endpoint, latencyMs, now);
    else this.#learn(endpoint, outcome, latencyMs, now);
  }

  /** Looks at all that was recorded. Everything here does so first; `onAnswer` may be wanted sooner. */
  settle(): void {
    this.#answers.drain(this.#answered);
  }

  readonly #answered = (endpoint: Endpoint, latencyMs: number, now: number): void => {
    this.#onAnswer?.(endpoint, latencyMs, now);
    this.#learn(endpoint, 'ok', latencyMs, now);
  };

  #learn(endpoint: Endpoint, outcome: Outcome, latencyMs: number, now: number): void {
    if (this.#isClosed || !this.#roster.has(endpoint)) return;
    const tookMs = latencyMs >= 0 && latencyMs < Infinity ? latencyMs : 0;
    if (this.#quiet >= windowPeriods) this.#start(now);
    this.#quiet = 0;
    if (this.#ejections.isOut(endpoint)) {
      this.#ejections.finished(endpoint, outcome, tookMs, now);
      this.#arm(this.#ejections.nextDue);
      return;
    }
    // One that is known to be slow is outrun again and again, with next to no answers in between.
    if (outcome !== 'cancelled' || !endpoint.slow) this.#evidence.record(endpoint.slot, outcome, tookMs, now);
    const isMeasured = !Number.isNaN(latencyMs);
    if (isMeasured && (outcome === 'ok' || outcome === 'timeout' || outcome === 'cancelled'))
      this.#slow?.took(endpoint, tookMs, outcome, now);
    else this.#slow?.saidNothing(endpoint, now);
    if (outcome === 'ok') return;
    const cause = this.#evidence.against(endpoint, this.#inRotation, now);
    if (cause !== undefined) this.#eject(endpoint, cause, now);
  }

  /** A connection to it was opened without an attempt: if it was out as unreachable, it is back. */
  reached(endpoint: Endpoint): void {
    this.settle();
    if (!this.#isClosed && this.#roster.has(endpoint))
      this.#ejections.reached(endpoint, this.#clock.monotonic());
  }

  /** The endpoint itself said when to come back, e.g. with `Retry-After`. */
  holdOff(endpoint: Endpoint, forMs: number): void {
    const { maxHoldOffMs } = this.#rules;
    this.settle();
    if (this.#isClosed || maxHoldOffMs === false || !(forMs > 0) || !this.#roster.has(endpoint)) return;
    const now = this.#clock.monotonic();
    this.#eject(endpoint, { reason: 'asked', askedMs: Math.min(forMs, maxHoldOffMs) }, now);
  }

  /** Takes an endpoint out by hand, until `release`, whatever it does. */
  isolate(endpoint: Endpoint): void {
    this.settle();
    if (this.#isClosed || !this.#roster.has(endpoint)) return;
    this.#ejections.isolate(endpoint, this.#clock.monotonic());
    this.#evidence.left(endpoint.slot);
  }

  release(endpoint: Endpoint): void {
    this.settle();
    this.#ejections.release(endpoint);
  }

  /** A quantile of how long all endpoints took to answer, in milliseconds; 0 while nobody has. @param quantile 0 to 1 */
  answersMs(quantile: number): number {
    this.settle();
    return this.#evidence.answersMs(quantile);
  }

  /** The endpoint's circuit breaker. */
  stateOf(endpoint: Endpoint): EndpointState {
    return this.#ejections.stateOf(endpoint);
  }

  /** Lets back what it ejected or degraded, and stops. Idempotent. */
  close(): void {
    this.settle();
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ejections.close();
    this.#slow?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #inRotation(): number {
    return this.#roster.list.length - this.#ejections.out;
  }

  readonly #isOut = (endpoint: Endpoint): boolean => this.#ejections.isOut(endpoint);

  #eject(endpoint: Endpoint, cause: EjectionCause, now: number): void {
    this.#ejections.eject(endpoint, cause, now);
    if (this.#ejections.isOut(endpoint)) this.#evidence.left(endpoint.slot);
    this.#arm(this.#ejections.nextDue);
  }

  readonly #wake = (): void => {
    const now = this.#clock.monotonic();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.settle();
    const endpoints = this.#roster.list;
    if (now - this.#sweptAt >= periodMs && this.#quiet < windowPeriods) this.#sweep(endpoints, now);
    this.#ejections.wake(now);
    this.#slow?.wake(this.#isOut, now);
    this.#arm(
      Math.min(
        this.#quiet < windowPeriods ? this.#sweptAt + periodMs : Infinity,
        this.#ejections.nextDue,
        this.#slow?.nextDue ?? Infinity,
      ),
    );
  };

  #sweep(endpoints: readonly Endpoint[], now: number): void {
    this.#quiet += this.#advance(now);
    this.#evidence.survey(endpoints, this.#isOut, now);
    if (this.#evidence.isGeneral) this.#ejections.letBack(now);
    else this.#judge(endpoints, now);
    this.#slow?.judge(endpoints, this.#isOut, now);
  }

  #judge(endpoints: readonly Endpoint[], now: number): void {
    for (const endpoint of endpoints) {
      if (this.#ejections.isOut(endpoint)) continue;
      this.#ejections.judge(endpoint, this.#evidence.against(endpoint, this.#inRotation, now), now);
      if (this.#ejections.isOut(endpoint)) this.#evidence.left(endpoint.slot);
    }
  }

  /** Outcomes come again after a pause. */
  #start(now: number): void {
    this.#evidence.restart();
    this.#advance(now);
    this.#arm(this.#sweptAt + periodMs);
  }

  /** Lets what is too old leave. @returns periods that are over */
  #advance(now: number): number {
    const periods = Math.floor((now - this.#sweptAt) / periodMs);
    const halves = Math.floor((now - this.#turnedAt) / halfMs);
    this.#evidence.advance(periods, halves);
    this.#slow?.turn(halves);
    this.#sweptAt += periods * periodMs;
    this.#turnedAt += halves * halfMs;
    return periods;
  }

  #arm(at: number): void {
    if (this.#isClosed || at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(this.#wake, Math.max(leastDelayMs, at - this.#clock.monotonic()));
  }

  #grow(slots: number): void {
    this.#evidence.grow(slots);
    this.#slow?.grow(slots);
  }

  #reset({ slot }: Endpoint): void {
    this.#evidence.reset(slot);
    this.#slow?.reset(slot);
  }

  #emit(event: OutlierEvent): void {
    try {
      this.#onEvent?.(event);
    } catch (error) {
      globalLogger.error(`A listener to the outliers of service "${this.service}" threw`, { error });
    }
  }
}

const partsSchema = v.object(
  { service: v.string('a name'), pool: v.object({}, 'the pool of its endpoints') },
  'an object with service and pool',
);

const periodMs = 1_000;

/** How many periods outcomes are remembered for; so long after the last one, sweeps stop. */
const windowPeriods = 10;

/** Sums of fractions may fall short of the time they stand for: a timer that fires a hair early must not fire for ever. */
const leastDelayMs = 1;

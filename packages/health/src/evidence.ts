import { takesRequests } from '@sd/core';
import type { Endpoint, Outcome } from '@sd/load-balancers';
import { ConsecutiveFailures } from './consecutive-failures.ts';
import { isBelowChance, isOutlier, spreadOf, type Spread } from './deviation.ts';
import { bucketOf, latencyOf } from './latency-buckets.ts';
import { LatencyColumns } from './latency-columns.ts';
import type { EjectionCause } from './outlier-event.ts';
import type { OutlierRules } from './outlier-options.ts';
import { allSlots, OutcomeWindow } from './outcome-window.ts';
import { Silence } from './silence.ts';
import { Standing } from './standing.ts';

/** What is known of the endpoints' outcomes, and what speaks for ejecting one. It knows no time but what it is told. */
export class Evidence {
  readonly #rules: OutlierRules;
  readonly #consecutive = new ConsecutiveFailures();
  readonly #window: OutcomeWindow;
  readonly #standing = new Standing();
  readonly #silence: Silence | undefined;
  /** Answers of all endpoints. */
  readonly #answers = new LatencyColumns();
  #spread: Spread | undefined;
  #isGeneral = false;

  /** @param periods how many outcomes are remembered for */
  constructor(rules: OutlierRules, periods: number) {
    this.#rules = rules;
    this.#window = new OutcomeWindow(periods);
    this.#silence = rules.silence === false ? undefined : new Silence(rules.silence);
  }

  grow(slots: number): void {
    this.#consecutive.grow(slots);
    this.#window.grow(slots);
    this.#standing.grow(slots);
    this.#silence?.grow(slots);
  }

  reset(slot: number): void {
    this.#consecutive.reset(slot);
    this.#window.reset(slot);
    this.#standing.forget(slot);
    this.#silence?.reset(slot);
  }

  /** Hot path. */
  record(slot: number, outcome: Outcome, latencyMs: number, now: number): void {
    if (outcome !== 'cancelled') {
      this.#window.record(slot, outcome !== 'ok');
      this.#standing.ended(slot, outcome !== 'ok');
    }
    switch (outcome) {
      case 'ok':
        this.#consecutive.reset(slot);
        this.#silence?.answered(slot);
        this.#answers.add(0, bucketOf(latencyMs));
        return;
      case 'error':
      case 'overload':
        this.#consecutive.failed(slot);
        this.#silence?.answered(slot);
        return;
      case 'connect-failure':
        this.#consecutive.connectFailed(slot);
        return;
      case 'timeout':
        this.#consecutive.timedOut(slot);
        this.#silence?.gaveUp(slot, now - latencyMs);
        return;
      case 'cancelled':
        this.#silence?.gaveUp(slot, now - latencyMs);
        return;
    }
  }

  /**
   * Hot path after failures. What speaks for ejecting an endpoint.
   * @param inRotation how many endpoints are
   */
  against(
    { slot, inFlight, answering }: Endpoint,
    inRotation: number,
    now: number,
  ): EjectionCause | undefined {
    const { consecutiveFailures, consecutiveTimeouts, connectFailures, successRate: rule } = this.#rules;
    const connects = this.#consecutive.connects(slot);
    if (connectFailures !== false && connects >= connectFailures)
      return { reason: 'unreachable', consecutive: connects };
    if (this.#isGeneral) return undefined;
    const isAlone = !this.#standing.mostPeersFail(inRotation);
    const failures = this.#consecutive.answers(slot);
    if (consecutiveFailures !== false && failures >= consecutiveFailures && isAlone)
      return { reason: 'failures', outcome: 'error', consecutive: failures };
    const timeouts = this.#consecutive.timeouts(slot);
    if (consecutiveTimeouts !== false && timeouts >= consecutiveTimeouts && isAlone)
      return { reason: 'failures', outcome: 'timeout', consecutive: timeouts };
    const attempts = this.#window.attempts(slot);
    const successRate = this.#window.successRate(slot);
    if (rule !== false && attempts >= rule.attempts && successRate < rule.least && this.#isWorse(slot))
      return { reason: 'rate', successRate, attempts };
    const spread = this.#spread;
    if (spread !== undefined && isOutlier(spread, attempts, successRate))
      return { reason: 'outlier', successRate, attempts, mean: spread.mean, deviation: spread.deviation };
    const silent = this.#silence?.find(slot, inFlight - answering, now, this.#usualMs);
    return silent === undefined ? undefined : { reason: 'silent', ...silent };
  }

  /**
   * Whether those in rotation do not do well either, so that it helps nobody that others are out: most failed at their
   * last attempt, or together they fail too often. As of the last survey.
   */
  get isGeneral(): boolean {
    return this.#isGeneral;
  }

  /** It is out of rotation: what becomes of others is not compared with it. */
  left(slot: number): void {
    this.#standing.forget(slot);
  }

  /** Compares the endpoints, and looks at what is under way. O(endpoints). */
  survey(endpoints: readonly Endpoint[], isOut: (endpoint: Endpoint) => boolean, now: number): void {
    const { deviation } = this.#rules;
    this.#spread = deviation === false ? undefined : spreadOf(endpoints, isOut, this.#window, deviation);
    let inRotation = 0;
    let attempts = 0;
    let failures = 0;
    let worst = noTally;
    for (const endpoint of endpoints) {
      const { slot, inFlight, answering } = endpoint;
      this.#silence?.observe(slot, inFlight - answering, now);
      if (isOut(endpoint)) continue;
      inRotation += 1;
      // What it last said, it does not say any more.
      if (!takesRequests(endpoint.instance.status)) this.#standing.forget(slot);
      const own = {
        attempts: this.#window.recentAttempts(slot),
        failures: this.#window.recentFailures(slot),
      };
      attempts += own.attempts;
      failures += own.failures;
      if (own.failures > worst.failures) worst = own;
    }
    const others = attempts - worst.attempts;
    this.#isGeneral =
      this.#standing.mostFail(inRotation) ||
      (attempts >= enoughAttempts &&
        failures > mostFailures * attempts &&
        // Of few endpoints, one alone can fail so often.
        (others === 0 || failures - worst.failures > mostFailures * others));
  }

  /** So many periods of outcomes, and halves of the window of latencies, are over. */
  advance(periods: number, halves: number): void {
    this.#window.advance(periods);
    this.#answers.turn(halves);
  }

  /** Nothing was told for a while: what seemed to be under way then says nothing. */
  restart(): void {
    this.#silence?.restart();
    this.#standing.clear();
    this.#isGeneral = false;
  }

  /** Than the others together, as far as they were called, and by more than chance. */
  #isWorse(slot: number): boolean {
    // What happened 10 s ago may be over, and then it is no reason any more.
    if (this.#window.recentSuccessRate(slot) >= this.#window.successRate(slot) + recovering) return false;
    const attempts = this.#window.attempts(slot);
    const others = this.#window.attempts(allSlots) - attempts;
    const answered = others - (this.#window.failures(allSlots) - this.#window.failures(slot));
    return others <= 0 || isBelowChance(this.#window.successRate(slot), answered / others, attempts);
  }

  /** Of all answers, in milliseconds; 0 while there is none. */
  answersMs(quantile: number): number {
    const bucket = this.#answers.quantile(0, quantile);
    return bucket < 0 ? 0 : latencyOf(bucket);
  }

  readonly #usualMs = (): number => this.answersMs(0.99);
}

/** A larger share of failures among all that are in rotation is not one endpoint's fault; judged with so many attempts. */
const mostFailures = 0.2;
const enoughAttempts = 20;

const noTally = { attempts: 0, failures: 0 };

/** So much better a success rate of late says that an endpoint is getting well. */
const recovering = 0.05;

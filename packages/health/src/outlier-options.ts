import * as v from 'valibot';
import { count, duration, excess, multiple, orOff, share } from './rule-schemas.ts';
import type { GrowingPeriod } from './setbacks.ts';

/** When an endpoint is taken out of rotation. Each rule is switched off with `false`. All times in milliseconds. */
export interface OutlierOptions {
  /** So many answers in a row that failed (`error`, `overload`). Default: 5. */
  readonly consecutiveFailures?: number | false | undefined;
  /** So many timeouts without an `ok` in between. Default: 5. */
  readonly consecutiveTimeouts?: number | false | undefined;
  /** So many connections in a row that did not open. Default: 1. */
  readonly connectFailures?: number | false | undefined;
  /** Too few of its attempts in the last 10 s succeeded. */
  readonly successRate?: Partial<SuccessRateRule> | false | undefined;
  /** It fails clearly more often than the others do. */
  readonly deviation?: Partial<DeviationRule> | false | undefined;
  /** It answers clearly slower than the others do. It is not ejected but degraded. */
  readonly latency?: Partial<LatencyRule> | false | undefined;
  /** It does not answer while the others do. */
  readonly silence?: Partial<SilenceRule> | false | undefined;
  /** How long one is ejected, doubling with each time in a row. Default: 5,000 to 300,000. */
  readonly ejection?: Partial<GrowingPeriod> | undefined;
  /** How long one is left alone that cannot be connected to, doubling likewise. Default: 1,000 to 30,000. */
  readonly reconnection?: Partial<GrowingPeriod> | undefined;
  /**
   * Share of the endpoints that may be ejected at once for how they answer, above 0 to 1; one may always be. Those that
   * cannot be connected to do not count. Default: 0.3. `false`: all of them.
   */
  readonly maxEjected?: number | false | undefined;
  /** The longest time that an endpoint itself can ask to be left alone for. Default: 30,000. `false`: none. */
  readonly maxHoldOffMs?: number | false | undefined;
}

/** With these nobody is taken out. */
export const noOutlierRules: OutlierOptions = Object.freeze({
  consecutiveFailures: false,
  consecutiveTimeouts: false,
  connectFailures: false,
  successRate: false,
  deviation: false,
  latency: false,
  silence: false,
  maxHoldOffMs: false,
});

export interface SuccessRateRule {
  /** The least share of the attempts that must succeed, above 0 to 1. Default: 0.8. */
  readonly least: number;
  /** Judged with so many attempts. Default: 20. */
  readonly attempts: number;
}

export interface DeviationRule {
  /** A success rate so many standard deviations below the mean. Default: 1.9. */
  readonly factor: number;
  /**
   * And at least this much below the mean, so that 99.9 % among 100 % is no outlier, and in any case more than chance
   * would explain. Default: 0.05.
   */
  readonly margin: number;
  /** Judged when so many endpoints have enough attempts. Default: 5. */
  readonly endpoints: number;
  /** So many attempts in the last 10 s are enough. Default: 100. */
  readonly attempts: number;
}

export interface LatencyRule {
  /** The 90th percentile is more than so many times the median of those of its peers. Default: 3. */
  readonly factor: number;
  /** And this much longer. Default: 10. */
  readonly marginMs: number;
  /** Judged with so many latencies, its own and a peer's, in the last 5 to 10 s. Default: 50. */
  readonly samples: number;
  /** Not slow any more when the median of the probes is below so many times that of its peers. Default: 2. */
  readonly recoveredFactor: number;
  /** So many answers decide whether it has recovered. Default: 3. */
  readonly probes: number;
  /** When it is probed, doubling with each time in a row that it is still slow. Default: 5,000 and 300,000. */
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface SilenceRule {
  /** So many attempts without an answer, those under way included. Default: 5. */
  readonly attempts: number;
  /** No answer for this time at least. Default: 1,000. */
  readonly forMs: number;
  /** And for so many times the service's 99th percentile. Default: 3. */
  readonly factor: number;
  /** Answers that the others gave meanwhile. Default: 20. */
  readonly answers: number;
}

const period = (baseMs: number, maxMs: number) => v.optional(growing({}, baseMs, maxMs, 'an object'), {});

/** Fills in the defaults. */
export const outlierOptionsSchema = v.strictObject(
  {
    consecutiveFailures: v.optional(orOff(count), 5),
    consecutiveTimeouts: v.optional(orOff(count), 5),
    connectFailures: v.optional(orOff(count), 1),
    successRate: v.optional(
      orOff(
        v.strictObject(
          { least: v.optional(share, 0.8), attempts: v.optional(count, 20) },
          'an object or false',
        ),
      ),
      {},
    ),
    deviation: v.optional(
      orOff(
        v.strictObject(
          {
            factor: v.optional(excess, 1.9),
            margin: v.optional(excess, 0.05),
            endpoints: v.optional(count, 5),
            attempts: v.optional(count, 100),
          },
          'an object or false',
        ),
      ),
      {},
    ),
    latency: v.optional(
      orOff(
        growing(
          {
            factor: v.optional(multiple, 3),
            marginMs: v.optional(excess, 10),
            samples: v.optional(count, 50),
            recoveredFactor: v.optional(multiple, 2),
            probes: v.optional(count, 3),
          },
          5_000,
          300_000,
          'an object or false',
        ),
      ),
      {},
    ),
    silence: v.optional(
      orOff(
        v.strictObject(
          {
            attempts: v.optional(count, 5),
            forMs: v.optional(duration, 1_000),
            factor: v.optional(excess, 3),
            answers: v.optional(count, 20),
          },
          'an object or false',
        ),
      ),
      {},
    ),
    ejection: period(5_000, 300_000),
    reconnection: period(1_000, 30_000),
    maxEjected: v.optional(orOff(share), 0.3),
    maxHoldOffMs: v.optional(orOff(duration), 30_000),
  },
  'an object',
);

/** Complete. */
export type OutlierRules = v.InferOutput<typeof outlierOptionsSchema>;

function growing<E extends v.ObjectEntries>(entries: E, baseMs: number, maxMs: number, expected: string) {
  return v.pipe(
    v.strictObject(
      { ...entries, baseMs: v.optional(duration, baseMs), maxMs: v.optional(duration, maxMs) },
      expected,
    ),
    v.check((period) => Number(period.baseMs) <= Number(period.maxMs), 'a baseMs that is at most maxMs'),
  );
}

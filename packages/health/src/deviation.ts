import type { Endpoint } from '@sd/load-balancers';
import type { OutcomeWindow } from './outcome-window.ts';
import type { DeviationRule } from './outlier-options.ts';

/** How the success rates of a service's endpoints are spread. */
export interface Spread {
  /** Judged with so many. */
  readonly attempts: number;
  readonly mean: number;
  readonly deviation: number;
  /** A success rate below this is an outlier. */
  readonly least: number;
}

/** Whether a success rate is too far below the others' to be chance. */
export function isOutlier(spread: Spread, attempts: number, successRate: number): boolean {
  if (attempts < spread.attempts || successRate >= spread.least) return false;
  return isBelowChance(successRate, spread.mean, attempts);
}

/** Whether a success rate is lower than chance makes it, where `mean` is usual. */
export function isBelowChance(successRate: number, mean: number, attempts: number): boolean {
  return successRate < mean - errorsOfChance * Math.sqrt((mean * (1 - mean)) / attempts);
}

/** Twenty endpoints that all fail 5 % of 200 attempts have some ten ejections an hour; without this, some eighty. */
const errorsOfChance = 4;

/**
 * Undefined while too few endpoints have enough attempts.
 * Source: Envoy's success rate detection, and gRFC A50; that an outlier must be a margin below the mean, and more than
 * chance would explain, is ours.
 */
export function spreadOf(
  endpoints: readonly Endpoint[],
  isOut: (endpoint: Endpoint) => boolean,
  window: OutcomeWindow,
  rule: DeviationRule,
): Spread | undefined {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (const endpoint of endpoints) {
    const { slot } = endpoint;
    if (window.attempts(slot) < rule.attempts || isOut(endpoint)) continue;
    const rate = window.successRate(slot);
    count += 1;
    // Welford's: sums of squares of numbers near 1 would cancel out.
    const above = rate - mean;
    mean += above / count;
    squares += above * (rate - mean);
  }
  if (count < rule.endpoints) return undefined;
  const deviation = Math.sqrt(squares / count);
  return {
    attempts: rule.attempts,
    mean,
    deviation,
    least: Math.min(mean - rule.factor * deviation, mean - rule.margin),
  };
}

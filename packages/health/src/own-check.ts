import { abortable, onAbort, type Clock } from '@sd/core';
import { isCheckStatus, readResult } from './examine.ts';
import { finding, messageOf, unhealthy } from './finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from './health-check.ts';

/**
 * Looks at this process, or at something it needs. What it throws counts as unhealthy, and so does `false`; a
 * `CheckResult` counts as what it says; anything else is healthy. One that waits heeds the signal, which aborts when its
 * time is up.
 */
export type CheckFunction = (options: { readonly signal: AbortSignal }) => unknown;

export type OwnCheckInit =
  | CheckFunction
  | {
      readonly check: CheckFunction;
      readonly target?: undefined;
      /** What it finds unhealthy makes the process no worse than degraded. Default: false. */
      readonly optional?: boolean | undefined;
    }
  | {
      readonly check: HealthCheck;
      /** Where it looks. */
      readonly target: CheckTarget;
      /** What it finds unhealthy makes the process no worse than degraded. Default: false. */
      readonly optional?: boolean | undefined;
    };

/** What a process can find out about itself; `starting` as long as it knows too little. */
export type OwnHealth = 'starting' | CheckResult['status'];

/** What is known of one check. */
export interface OwnCheckState {
  /** `starting` until it has passed or failed often enough in a row. */
  readonly status: OwnHealth;
  /** What the last look found. */
  readonly detail: string;
  readonly optional: boolean;
}

export interface OwnCheckLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

/** One of the checks of a process, and what its looks have amounted to so far. */
export class OwnCheck {
  readonly #look: CheckFunction;
  readonly #limits: OwnCheckLimits;
  #state: OwnCheckState;
  #passes = 0;
  #failures = 0;

  constructor(init: OwnCheckInit, limits: OwnCheckLimits) {
    this.#look = lookOf(init);
    this.#limits = limits;
    const optional = typeof init !== 'function' && init.optional === true;
    this.#state = { status: 'starting', detail: 'not checked yet', optional };
  }

  get state(): OwnCheckState {
    return this.#state;
  }

  /** Looks once. Never throws and is over when the time is up, or the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const found = await this.#bounded(signal);
    const { failureThreshold, successThreshold } = this.#limits;
    const failed = found.status === 'unhealthy';
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#passes = failed ? 0 : this.#passes + 1;
    const counts = failed ? this.#failures >= failureThreshold : this.#passes >= successThreshold;
    const { status, optional } = this.#state;
    this.#state = { status: counts ? found.status : status, detail: found.detail, optional };
  }

  async #bounded(signal: AbortSignal): Promise<CheckResult> {
    const { clock, timeoutMs } = this.#limits;
    const scope = new AbortController();
    const forget = onAbort(signal, () => scope.abort(signal.reason));
    const timer = clock.setTimer(() => scope.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      const running = (async () => this.#look({ signal: scope.signal }))();
      return resultOf(await abortable(running, scope.signal));
    } catch (error) {
      return unhealthy(messageOf(error));
    } finally {
      timer.cancel();
      forget();
    }
  }
}

function lookOf(init: OwnCheckInit): CheckFunction {
  if (typeof init === 'function') return init;
  if (init.target === undefined) return init.check;
  const { check, target } = init;
  return (options) => check.check(target, options);
}

function resultOf(answer: unknown): CheckResult {
  const status: unknown = Reflect.get(Object(answer), 'status');
  if (isCheckStatus(status)) return readResult(answer) ?? finding(status, 'the check gave no detail');
  return answer === false ? unhealthy('failed') : finding('healthy', 'passed');
}

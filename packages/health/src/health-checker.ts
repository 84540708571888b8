import { abortable, onAbort, systemClock, validate, type Clock } from '@sd/core';
import * as v from 'valibot';
import {
  clock as clockSchema,
  duration,
  healthCheck,
  path as pathSchema,
  signal,
} from './check-option-schemas.ts';
import { validateTarget } from './check-target.ts';
import { httpCheck } from './checks/http-check.ts';
import { examine } from './examine.ts';
import type { CheckResult, CheckTarget, HealthCheck } from './health-check.ts';

export interface HealthCheckerOptions {
  /** A check without an answer by then has failed, in milliseconds. Default: 2,000. */
  readonly timeoutMs?: number | undefined;
  /** Asked for with HTTP; any 2xx is healthy. Default: `/health`. */
  readonly path?: string | undefined;
  /** Another check, in place of `path`. */
  readonly check?: HealthCheck | undefined;
  readonly clock?: Clock | undefined;
}

/** What a look found, and when. */
export interface HealthReport extends CheckResult {
  /** Name of the check. */
  readonly check: string;
  /** Milliseconds. */
  readonly durationMs: number;
  /** When the look began, milliseconds since the epoch. */
  readonly checkedAt: number;
}

export const checkerOptions = {
  timeoutMs: v.optional(duration),
  path: v.optional(pathSchema),
  check: v.optional(healthCheck),
  clock: clockSchema,
};

/** Either of them says how to look. */
export const hasOneCheck = ({
  path,
  check,
}: {
  readonly path?: unknown;
  readonly check?: unknown;
}): boolean => path === undefined || check === undefined;

export const oneCheckText = 'none beside a check, which has its own';

const optionsSchema = v.pipe(
  v.strictObject(checkerOptions, 'an object'),
  v.forward(
    v.check((options) => hasOneCheck(options), oneCheckText),
    ['path'],
  ),
);

const lookSchema = v.strictObject({ signal }, 'an object');

/** Looks at a target once, in bounded time. To keep looking, see `AdvancedHealthChecker`. */
export class HealthChecker {
  readonly #check: HealthCheck;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: HealthCheckerOptions = {}) {
    validate('HealthChecker', optionsSchema, options);
    const { timeoutMs = 2_000, path, check = httpCheck({ path }), clock = systemClock } = options;
    this.#check = check;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /**
   * Whatever becomes of the look is a report: no answer in time and a check that throws are unhealthy.
   * @throws the signal's reason, as soon as it aborts
   * @throws {ConfigValidationError} the target is none
   */
  async check(
    target: CheckTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<HealthReport> {
    const { signal } = validate('HealthChecker.check', lookSchema, options);
    const to = validateTarget('HealthChecker.check', target);
    signal?.throwIfAborted();
    const checkedAt = this.#clock.now();
    const startedAt = this.#clock.monotonic();
    const { status, detail, unreachable } = await this.#look(to, signal);
    return {
      status,
      detail,
      // Of a part that is optional it says nothing of the whole.
      ...(unreachable === true && status === 'unhealthy' ? { unreachable } : {}),
      check: this.#check.name,
      durationMs: this.#clock.monotonic() - startedAt,
      checkedAt,
    };
  }

  /** Whether the target is not unhealthy; see {@link check}. */
  async isHealthy(
    target: CheckTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<boolean> {
    const { status } = await this.check(target, options);
    return status !== 'unhealthy';
  }

  async #look(target: CheckTarget, signal: AbortSignal | undefined): Promise<CheckResult> {
    const scope = new AbortController();
    const forget = onAbort(signal, () => scope.abort(signal?.reason));
    const timer = this.#clock.setTimer(
      () => scope.abort(new Error(`no answer within ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
      { keepAlive: true },
    );
    try {
      return await abortable(examine(this.#check, target, scope.signal), signal);
    } finally {
      timer.cancel();
      forget();
      scope.abort(over); // whatever the check has left running
    }
  }
}

const over = new Error('the health check is over');

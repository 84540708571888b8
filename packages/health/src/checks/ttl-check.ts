import { systemClock, validate, type Clock } from '@sd/core';
import * as v from 'valibot';
import { clock as clockSchema, duration, text } from '../check-option-schemas.ts';
import { finding, unhealthy } from '../finding.ts';
import type { CheckResult, HealthCheck } from '../health-check.ts';

export interface TtlCheckOptions {
  /** A report counts for so long, in milliseconds. Default: 30,000, good for a report every 10 s. */
  readonly ttlMs?: number | undefined;
  /** Default: `ttl`. */
  readonly name?: string | undefined;
  readonly clock?: Clock | undefined;
}

const optionsSchema = v.strictObject(
  { ttlMs: v.optional(duration), name: v.optional(text), clock: clockSchema },
  'an object',
);

/** Finds what somebody last reported, and unhealthy when nobody did for too long. */
export class TtlCheck implements HealthCheck {
  readonly name: string;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  #last: { readonly result: CheckResult; readonly at: number } | undefined;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: TtlCheckOptions = {}) {
    validate('TtlCheck', optionsSchema, options);
    const { ttlMs = 30_000, name = 'ttl', clock = systemClock } = options;
    this.name = name;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  /** Healthy. */
  pass(detail = 'reported as passing'): void {
    this.#report(finding('healthy', detail));
  }

  /** Degraded. */
  warn(detail = 'reported as a warning'): void {
    this.#report(finding('degraded', detail));
  }

  /** Unhealthy. */
  fail(detail = 'reported as failing'): void {
    this.#report(unhealthy(detail));
  }

  /** The target says nothing here: it is the reporter's business. */
  async check(): Promise<CheckResult> {
    if (this.#last === undefined) return unhealthy('nothing reported yet');
    const { result, at } = this.#last;
    const ageMs = this.#clock.monotonic() - at;
    if (ageMs < this.#ttlMs) return result;
    return unhealthy(`nothing reported for ${Math.floor(ageMs)} ms; the last was: ${result.detail}`);
  }

  #report(result: CheckResult): void {
    this.#last = { result, at: this.#clock.monotonic() };
  }
}

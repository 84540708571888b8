import { followOptions, type Clock, type Rng } from '@sd/core';
import * as v from 'valibot';
import { count, duration, orOff, share } from './rule-schemas.ts';

const { clock, rng } = followOptions.entries;

export interface CircuitBreakerOptions {
  /** What is behind it, for messages: the name of a service. */
  readonly service: string;
  /** Opens when this share of the calls of the last 10 s failed, above 0 to 1. Default: 0.5. `false`: never for that. */
  readonly failureRate?: number | false | undefined;
  /** Judges the rate with so many calls. Default: 20. */
  readonly minimumCalls?: number | undefined;
  /** Opens when so many calls in a row failed. Default: not for that. */
  readonly consecutiveFailures?: number | undefined;
  /** How long it is open, doubling while probes fail, +-20 %, in milliseconds. Default: 5,000. */
  readonly openMs?: number | undefined;
  /** The longest time that it doubles to, in milliseconds. Default: 60,000. */
  readonly maxOpenMs?: number | undefined;
  /** So many calls are let through when that is over; when all are well, it closes. Default: 3. */
  readonly probes?: number | undefined;
  /** Of what `run` throws, what counts against the service. The rest is an answer. Default: everything. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
}

/** Fills in the defaults. */
export const circuitBreakerOptionsSchema = v.pipe(
  v.strictObject(
    {
      service: v.string('a name'),
      failureRate: v.optional(orOff(share), 0.5),
      minimumCalls: v.optional(count, 20),
      consecutiveFailures: v.optional(count),
      openMs: v.optional(duration, 5_000),
      maxOpenMs: v.optional(duration, 60_000),
      probes: v.optional(count, 3),
      isFailure: v.optional(
        v.custom<(error: unknown) => boolean>(
          (value) => typeof value === 'function',
          'a function (error) that returns true or false',
        ),
      ),
      clock,
      rng,
    },
    'an object with a service',
  ),
  v.check(({ openMs, maxOpenMs }) => openMs <= maxOpenMs, 'an openMs that is at most maxOpenMs'),
);

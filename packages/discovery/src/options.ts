import { followOptions, isBackend } from '@sd/core';
import { AdvancedHealthChecker, circuitBreakerOptionsSchema, outlierOptionsSchema } from '@sd/health';
import { balancingOptions, LoadBalancerFactory } from '@sd/load-balancers';
import * as v from 'valibot';

const { coalesceMs, firstSnapshotTimeoutMs, reconnect, shrinkGuard, clock, rng, logger } =
  followOptions.entries;
const { failureRate, minimumCalls, consecutiveFailures, openMs, maxOpenMs, probes } =
  circuitBreakerOptionsSchema.entries;
const durationText = 'milliseconds, more than 0';
const duration = v.pipe(
  v.number(durationText),
  v.check((value) => value > 0, durationText),
);
const countText = 'a whole number from 0 to 100';
const count = v.pipe(
  v.number(countText),
  v.integer(countText),
  v.minValue(0, countText),
  v.maxValue(100, countText),
);
const limitText = 'a whole number from 0 on';
const queueLimit = v.pipe(v.number(limitText), v.integer(limitText), v.minValue(0, limitText));
const rateText = 'a number from 0';
const rate = v.pipe(v.number(rateText), v.minValue(0, rateText));
const shareText = 'a share from 0.5 to 0.999';
const lateShare = v.pipe(v.number(shareText), v.minValue(0.5, shareText), v.maxValue(0.999, shareText));
const ratioText = 'a share from 0 to 1';
const share = v.pipe(v.number(ratioText), v.minValue(0, ratioText), v.maxValue(1, ratioText));
const bool = v.boolean('true or false');
const text = v.string('a string');
const anything = v.optional(v.unknown());
const signal = v.optional(v.instance(AbortSignal, 'an AbortSignal'));
const filter = anything; // has a schema of its own, checked once for each filter

const attempts = {
  strategy: v.optional(text),
  deadlineMs: v.optional(duration),
  attemptTimeoutMs: v.optional(duration),
  retries: v.optional(count),
};

export const callOptionsSchema = v.strictObject(
  {
    ...attempts,
    filter,
    key: v.optional(text),
    signal,
    idempotent: v.optional(bool),
    hedge: v.optional(bool),
    method: v.optional(text),
    classify: v.optional(v.function('a function (error) => Failure')),
  },
  'an object',
);

export const attemptSchema = v.object({ attempt: v.function('a function (attempt) that does the work') });

export const signalOptionsSchema = v.strictObject({ signal }, 'an object');

export const lookupOptionsSchema = v.strictObject(
  { filter, signal, timeoutMs: v.optional(duration) },
  'an object',
);

export const openOptionsSchema = v.strictObject({ strategy: v.optional(text), filter }, 'an object');

export const choiceOptionsSchema = v.strictObject(
  { ...lookupOptionsSchema.entries, strategy: v.optional(text), key: v.optional(text) },
  'an object',
);

const balancing = v.optional(
  v.strictObject(Object.fromEntries(balancingOptions.map((name) => [name, anything])), 'an object'),
);

export const clientOptionsSchema = v.strictObject(
  {
    ...attempts,
    backend: v.custom(isBackend, 'a backend, e.g. new MemoryBackend()'),
    zone: v.optional(text),
    balancing, // only its names: what they hold has a check of its own
    loadBalancers: v.optional(v.instance(LoadBalancerFactory, 'a LoadBalancerFactory')),
    retryBudget: v.optional(
      v.strictObject({ ratio: v.optional(share), perSecond: v.optional(rate) }, 'an object'),
    ),
    hedging: v.optional(
      v.union(
        [
          v.literal(false),
          v.strictObject(
            { percentile: v.optional(lateShare), minDelayMs: v.optional(duration) },
            'an object',
          ),
        ],
        'an object of percentile (0.5 to 0.999) and minDelayMs (more than 0), or false',
      ),
    ),
    outliers: v.optional(v.lazy((value) => (value === false ? v.literal(false) : outlierOptionsSchema))),
    breaker: v.optional(
      v.strictObject(
        { failureRate, minimumCalls, consecutiveFailures, openMs, maxOpenMs, probes },
        'an object',
      ),
    ),
    queue: v.optional(
      v.strictObject({ limit: v.optional(queueLimit), maxWaitMs: v.optional(duration) }, 'an object'),
    ),
    healthChecker: v.optional(v.instance(AdvancedHealthChecker, 'an AdvancedHealthChecker')),
    idleMs: v.optional(duration),
    follow: v.optional(
      v.strictObject({ coalesceMs, firstSnapshotTimeoutMs, reconnect, shrinkGuard }, 'an object'),
    ),
    clock,
    rng,
    logger,
  },
  'an object with a backend',
);

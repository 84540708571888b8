import {
  followOptions,
  isBackend,
  type Clock,
  type DiscoveryBackend,
  type DiscoveryLogger,
  type Rng,
  type ServiceFilter,
} from '@sd/core';
import {
  AdvancedHealthChecker,
  circuitBreakerOptionsSchema,
  outlierOptionsSchema,
  type OutlierOptions,
} from '@sd/health';
import {
  balancingOptions,
  LoadBalancerFactory,
  type BalancingOptions,
  type StrategyName,
} from '@sd/load-balancers';
import * as v from 'valibot';
import type { CallQueueOptions } from './call-queue.ts';
import type { FailureClassifier } from './failure.ts';
import type { HedgingOptions } from './hedge-delay.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';
import type { BreakerOptions, TrackedServiceOptions } from './tracked-service.ts';

export interface DiscoveryClientOptions {
  /** Where services are found. Whoever made it closes it. */
  readonly backend: DiscoveryBackend;
  /** Name of the strategy for calls that name none. Default: `round-robin`. */
  readonly strategy?: StrategyName | undefined;
  /** This consumer's own zone, for `zone-aware` and `balancing.zoneAware`. */
  readonly zone?: string | undefined;
  /** How the layers decide who is eligible; see `BalancingOptions` of `@sd/load-balancers`. */
  readonly balancing?: BalancingOptions | undefined;
  /** A factory that knows strategies of your own. Default: one with the built-in strategies. */
  readonly loadBalancers?: LoadBalancerFactory | undefined;
  /** For each call, waiting and retries included, in milliseconds. Default: 15,000. */
  readonly deadlineMs?: number | undefined;
  /** For each attempt of a call, in milliseconds. Default: 5,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Attempts of a call after one that failed. Default: 2. */
  readonly retries?: number | undefined;
  /** How many retries and hedges there may be in all: `ratio` of the calls (0.2), and `perSecond` besides (10). */
  readonly retryBudget?: Omit<RetryBudgetOptions, 'clock'> | undefined;
  /** When a second attempt is made beside one that is late, for idempotent calls. `false`: never. */
  readonly hedging?: HedgingOptions | false | undefined;
  /**
   * When an endpoint that fails, hangs or is slow is taken out of rotation; see `OutlierOptions` of `@sd/health`.
   * `false`: never.
   */
  readonly outliers?: OutlierOptions | false | undefined;
  /** Refuses calls to a service while most of them fail. Default: never; a retry budget and ejections do. */
  readonly breaker?: BreakerOptions | undefined;
  /** Calls that may wait when all endpoints have `balancing.maxInFlight` attempts. Default: none; they are refused. */
  readonly queue?: CallQueueOptions | undefined;
  /** Checks the endpoints besides. Default: nobody does. Whoever made it closes it. */
  readonly healthChecker?: AdvancedHealthChecker | undefined;
  /** A service that was not used for this long is no longer watched, in milliseconds. Default: 300,000. */
  readonly idleMs?: number | undefined;
  /** How watches are supervised; see `FollowOptions` of `@sd/core`. */
  readonly follow?: TrackedServiceOptions['follow'] | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

export interface LookupOptions {
  readonly filter?: ServiceFilter | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the first snapshot of the service, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
}

export interface CallOptions {
  /** Name of a strategy. Default: the client's. */
  readonly strategy?: StrategyName | undefined;
  /** Only instances that match. Pass the same object each time. */
  readonly filter?: ServiceFilter | undefined;
  /** What must stick together, for strategies that hash. */
  readonly key?: string | undefined;
  /** Cancels the call: it rejects at once with the signal's reason and is not repeated. */
  readonly signal?: AbortSignal | undefined;
  /** For the whole call, waiting and retries included, in milliseconds. Default: 15,000. */
  readonly deadlineMs?: number | undefined;
  /** For each attempt, in milliseconds. Default: 5,000. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Attempts after one that failed. 0 also switches hedging off. Default: 2. */
  readonly retries?: number | undefined;
  /**
   * Whether doing it twice is as good as once. Only then is a call repeated that may have had an effect, or sent to a
   * second endpoint when the first is late; one whose connection never opened is repeated in any case. Default: false.
   */
  readonly idempotent?: boolean | undefined;
  /** Whether a call that is idempotent may be sent to a second endpoint when the first is late. Default: true. */
  readonly hedge?: boolean | undefined;
  /** Of the request, for those who measure: `GET`. */
  readonly method?: string | undefined;
  /** Reads the errors that the attempt throws. Default: `classifyNetworkFailure`. */
  readonly classify?: FailureClassifier | undefined;
}

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

import {
  ClosedError,
  globalLogger,
  systemClock,
  systemRng,
  unfailing,
  validate,
  type DiscoveryLogger,
  type Rng,
} from '@sd/core';
import * as v from 'valibot';
import {
  duration,
  logger as loggerSchema,
  rng as rngSchema,
  share,
  wholeNumber,
} from './check-option-schemas.ts';
import { CheckSchedule } from './check-schedule.ts';
import { keyOf, validateTarget } from './check-target.ts';
import type { CheckTarget } from './health-check.ts';
import {
  checkerOptions,
  hasOneCheck,
  HealthChecker,
  oneCheckText,
  type HealthCheckerOptions,
} from './health-checker.ts';
import {
  WatchedTarget,
  type HealthListener,
  type TargetHealth,
  type WatchSettings,
} from './watched-target.ts';

export interface AdvancedHealthCheckerOptions extends HealthCheckerOptions {
  /** From one look at a target to the next, in milliseconds. Default: 10,000. */
  readonly intervalMs?: number | undefined;
  /** How often an unhealthy look is repeated at once before it counts, 0 to 10. Default: 0. */
  readonly retries?: number | undefined;
  /**
   * A target is healthy, or degraded, after so many looks in a row that say so; of an unhealthy one they may be of both
   * kinds, and it is degraded then. 1 to 100. Default: 2.
   */
  readonly successThreshold?: number | undefined;
  /** A target is unhealthy after so many unhealthy looks in a row, 1 to 100. Default: 3. */
  readonly failureThreshold?: number | undefined;
  /** Share of the interval by which each look is moved at most, to and fro: 0 to 0.5. Default: 0.15. */
  readonly jitter?: number | undefined;
  /** How many reports of a target are kept, 1 to 1,000. Default: 10. */
  readonly history?: number | undefined;
  /** Looks that are under way at once, 1 to 10,000. Default: 100. */
  readonly maxConcurrent?: number | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

const threshold = v.optional(wholeNumber(1, 100, 'a whole number'));

const optionsSchema = v.pipe(
  v.strictObject(
    {
      ...checkerOptions,
      intervalMs: v.optional(duration),
      retries: v.optional(wholeNumber(0, 10, 'a whole number')),
      successThreshold: threshold,
      failureThreshold: threshold,
      jitter: v.optional(share(0.5)),
      history: v.optional(wholeNumber(1, 1_000, 'a whole number')),
      maxConcurrent: v.optional(wholeNumber(1, 10_000, 'a whole number')),
      rng: rngSchema,
      logger: loggerSchema,
    },
    'an object',
  ),
  v.forward(
    v.check((options) => hasOneCheck(options), oneCheckText),
    ['path'],
  ),
);

const listenerSchema = v.object({ listener: v.function('a function (health)') });

/**
 * Keeps looking at targets, and tells how they are. The first look, within an interval, decides alone; later ones by
 * thresholds. However often a target is watched, it is looked at once: same protocol, host and port are the same target.
 */
export class AdvancedHealthChecker implements Disposable {
  readonly #settings: WatchSettings;
  readonly #schedule: CheckSchedule;
  readonly #targets = new Map<string, { readonly watched: WatchedTarget; readonly unschedule: () => void }>();
  #closed = false;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: AdvancedHealthCheckerOptions = {}) {
    validate('AdvancedHealthChecker', optionsSchema, options);
    const { timeoutMs, path, check, intervalMs = 10_000, jitter = 0.15, maxConcurrent = 100 } = options;
    const { retries = 0, successThreshold = 2, failureThreshold = 3, history = 10 } = options;
    const { clock = systemClock, rng = systemRng } = options;
    const given = options.logger ?? globalLogger;
    const logger = unfailing(() => given);
    const checker = new HealthChecker({ timeoutMs, path, check, clock });
    this.#settings = { checker, retries, successThreshold, failureThreshold, history, clock, logger };
    this.#schedule = new CheckSchedule({ intervalMs, jitter, maxConcurrent, clock, rng, logger });
  }

  /**
   * @param listener called with each change of status, and before `watch()` returns when the status is known already
   * @returns ends it; with the last one of a target, what is known of it is forgotten
   * @throws {ConfigValidationError} the target or the listener is none
   * @throws {ClosedError} after `close()`
   */
  watch(target: CheckTarget, listener: HealthListener): () => void {
    const to = validateTarget('AdvancedHealthChecker.watch', target);
    validate('AdvancedHealthChecker.watch', listenerSchema, { listener });
    if (this.#closed) throw new ClosedError('AdvancedHealthChecker');
    const key = keyOf(to);
    const { watched } = this.#targets.get(key) ?? this.#begin(key, to);
    const remove = watched.add(listener);
    return () => {
      remove();
      if (!watched.isWatched) this.#end(key, watched);
    };
  }

  /** @returns undefined when nobody watches it */
  healthOf(target: CheckTarget): TargetHealth | undefined {
    const key = keyOf(validateTarget('AdvancedHealthChecker.healthOf', target));
    return this.#targets.get(key)?.watched.health;
  }

  /** Stops all looks; no listener is called any more. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const [key, { watched }] of this.#targets) this.#end(key, watched);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #begin(key: string, target: Required<CheckTarget>) {
    const watched = new WatchedTarget(target, this.#settings);
    const begun = { watched, unschedule: this.#schedule.add(() => watched.look()) };
    this.#targets.set(key, begun);
    return begun;
  }

  #end(key: string, watched: WatchedTarget): void {
    const target = this.#targets.get(key);
    if (target?.watched !== watched) return; // ended before; the same address may be watched anew
    this.#targets.delete(key);
    target.unschedule();
    watched.close();
  }
}

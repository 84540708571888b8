import * as v from 'valibot';
import type { Clock } from './clock.ts';
import type { DiscoveryLogger } from './logger.ts';
import type { Rng } from './rng.ts';
import type { ServiceView } from './service-view.ts';
import type { ShrinkGuardOptions } from './shrink-guard.ts';

export interface FollowOptions {
  /** Called with each new view, never with one that says the same as the last, and not after `close()`. */
  readonly onChange?: ((view: ServiceView) => void) | undefined;
  /** Called each time the watch failed, with the reason, not after `close()`; it is tried again after a pause. */
  readonly onLost?: ((error: unknown) => void) | undefined;
  /** Changes that arrive within this time of the last are applied together, in milliseconds. Default: 20. */
  readonly coalesceMs?: number | undefined;
  /**
   * A watch that has not yielded its first snapshot by then has failed, and so has a verification without an answer;
   * in milliseconds. Default: 10,000.
   */
  readonly firstSnapshotTimeoutMs?: number | undefined;
  /** First and longest pause between attempts to watch, in milliseconds. Default: 100 and 15,000. */
  readonly reconnect?:
    { readonly baseMs?: number | undefined; readonly capMs?: number | undefined } | undefined;
  readonly shrinkGuard?: ShrinkGuardOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

const durationText = 'milliseconds, 0 or more';
const duration = v.optional(
  v.pipe(v.number(durationText), v.finite(durationText), v.minValue(0, durationText)),
);
const timeoutText = 'milliseconds, more than 0';
const timeout = v.optional(v.pipe(v.number(timeoutText), v.gtValue(0, timeoutText)));
/** Of a pause: one without an end would be the last. */
const pause = v.optional(v.pipe(v.number(timeoutText), v.finite(timeoutText), v.gtValue(0, timeoutText)));
const shareText = 'a share from 0 to 1';
const share = v.optional(v.pipe(v.number(shareText), v.minValue(0, shareText), v.maxValue(1, shareText)));

const having = <T>(methods: readonly string[], expected: string) =>
  v.optional(
    v.custom<T>(
      (value) => methods.every((name) => typeof Reflect.get(Object(value), name) === 'function'),
      expected,
    ),
  );
const callable = <T>(expected: string) =>
  v.optional(v.custom<T>((value) => typeof value === 'function', expected));

export const followOptions = v.strictObject(
  {
    onChange: callable<(view: ServiceView) => void>('a function (view)'),
    onLost: callable<(error: unknown) => void>('a function (error)'),
    coalesceMs: duration,
    firstSnapshotTimeoutMs: timeout,
    reconnect: v.optional(v.strictObject({ baseMs: pause, capMs: pause }, 'an object')),
    shrinkGuard: v.optional(v.strictObject({ share, verifyAfterMs: duration }, 'an object')),
    clock: having<Clock>(['now', 'monotonic', 'setTimer'], 'a Clock'),
    rng: callable<Rng>('a function that returns a number in [0, 1)'),
    logger: having<DiscoveryLogger>(['debug', 'info', 'warn', 'error'], 'a DiscoveryLogger'),
  },
  'an object',
);

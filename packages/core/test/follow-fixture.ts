import { expect, onTestFinished } from 'vitest';
import {
  follow,
  ManualClock,
  seededRng,
  type FollowOptions,
  type ServiceInstance,
  type ServiceView,
  type Timer,
} from '../src/index.ts';
import { order } from './orders.ts';
import { RecordingLogger } from './recording-logger.ts';
import { ScriptedBackend } from './scripted-backend.ts';

/** The service `orders`, followed on a scripted backend, in time that moves only when told to. */
export function startFollowing(
  options: FollowOptions = {},
  script: (backend: ScriptedBackend) => void = () => undefined,
) {
  const clock = new FiringClock();
  const backend = new ScriptedBackend(clock);
  const logger = new RecordingLogger();
  const views: ServiceView[] = [];
  script(backend);
  const following = follow(backend, 'orders', {
    clock,
    rng: seededRng(1),
    logger,
    onChange: (view) => void views.push(view),
    ...options,
  });
  onTestFinished(async () => {
    following.close();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(0);
    const left = backend.watches.filter(
      ({ signal, state, deaf }) => !signal.aborted || (state === 'read' && !deaf),
    );
    expect(left.length).toBe(0);
  });

  return {
    clock,
    backend,
    logger,
    following,
    /** What `onChange` was called with. */
    views,
    /** The ids of the instances in view. */
    ids: () => following.view.instances.map(({ id }) => id),
    /** The current watch yields this. */
    sees: async (...snapshot: ServiceInstance[]) => {
      backend.current.yield(...snapshot);
      await clock.advance(0);
    },
    /** The current watch fails. */
    loses: async (error: unknown = new Error('lost')) => {
      backend.current.fail(error);
      await clock.advance(0);
    },
    /** Time passes until a new watch has begun. */
    reconnects: async () => {
      const before = backend.watches.length;
      while (backend.watches.length === before) await clock.advance(10);
    },
  };
}

class FiringClock extends ManualClock {
  /** By delay; of all, under NaN. */
  readonly #last = new Map<number, () => void>();
  #frozenMs = 0;
  #suspendedMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.#frozenMs;
  }

  uptime(): number {
    return this.monotonic() + this.#suspendedMs;
  }

  override setTimer(callback: () => void, delayMs: number): Timer {
    const timer = super.setTimer(callback, delayMs);
    const fire = (): void => {
      timer.cancel();
      callback();
    };
    this.#last.set(delayMs, fire).set(Number.NaN, fire);
    return timer;
  }

  /** Fires the timer that was set last, or the last one of this delay, before this returns. */
  fireLast(delayMs = Number.NaN): void {
    this.#last.get(delayMs)?.();
  }

  /** Time goes on, and no timer rings: the process is frozen. */
  freeze(ms: number): void {
    this.#frozenMs += ms;
  }

  /** The machine is suspended: the monotonic clock stands still as well. */
  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }
}

/** The instances `orders-<from>` to `orders-<to>`. */
export const orderList = (from: number, to: number): ServiceInstance[] =>
  Array.from({ length: to - from + 1 }, (_, n) => order(from + n));

/** Their ids, in the order of a view. */
export const idsOf = (instances: readonly ServiceInstance[]) => instances.map(({ id }) => id).sort();

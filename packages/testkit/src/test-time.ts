import { sleep, systemClock, type ManualClock } from '@sd/core';

/** The time that a case lives in: the real one, or one that moves only when told to. */
export interface TestTime {
  /** Milliseconds since some fixed moment. */
  monotonic(): number;
  /** Lets `ms` milliseconds pass, and everything happen that happens in them. */
  advance(ms: number): Promise<void>;
  /** What is told at once is seen within this many milliseconds: 0 where time stands still meanwhile. */
  readonly promptMs: number;
}

/** For real stores. @param promptMs what a busy machine may take to pass on a push. Default: 250. */
export function realTime({ promptMs = 250 }: { readonly promptMs?: number | undefined } = {}): TestTime {
  return {
    monotonic: () => systemClock.monotonic(),
    advance: (ms) => sleep(systemClock, ms, { keepAlive: true }),
    promptMs,
  };
}

/** For stores in this process that live by `clock`: hours pass in milliseconds, and the same way each time. */
export function virtualTime(clock: ManualClock): TestTime {
  return {
    monotonic: () => clock.monotonic(),
    advance: (ms) => clock.advance(ms),
    promptMs: 0,
  };
}

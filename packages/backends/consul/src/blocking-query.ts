import { BackendUnavailableError, sleep, type Clock, type Rng } from '@sd/core';
import type { Blocking } from './consul-store.ts';
import { Pace } from './pace.ts';

/** What a question is answered with. */
export interface Paced {
  /** 0 where there is none. */
  readonly index: number;
  /** How many entries it has. */
  readonly size: number;
}

export interface BlockingQueryOptions<T extends Paced> {
  /** For messages: `the index of "orders"`. */
  readonly what: string;
  readonly service?: string | undefined;
  readonly ask: (blocking: Blocking | undefined) => Promise<T>;
  readonly onAnswer: (answer: T) => void;
  readonly waitMs: number;
  /** How often to ask where there is no index to wait for, in milliseconds. */
  readonly pollMs: number;
  /** How long older answers may come, in milliseconds: from servers that lag behind. 0 where none do. */
  readonly lagMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly signal: AbortSignal;
}

/**
 * Asks for changes, one question after the other, until the signal aborts.
 * @throws what a question failed with: nothing is made up for, since an index means nothing after an error
 * @throws {BackendUnavailableError} the index went back: the data are not those that it belonged to
 */
export async function follow<T extends Paced>(options: BlockingQueryOptions<T>): Promise<void> {
  const { ask, onAnswer, waitMs, pollMs, clock, rng, signal } = options;
  const pace = new Pace({ clock, rng });
  let known = 0;
  let olderSince: number | undefined;
  let wasAbandoned = false;
  for (;;) {
    const askedAt = clock.monotonic();
    const isBlocking: boolean = known !== 0 && olderSince === undefined && !wasAbandoned;
    const answer = await ask(isBlocking ? { index: known, waitMs } : undefined);
    signal.throwIfAborted();
    const { index } = answer;
    // Nothing new, and not for lack of time: the data were restored from a snapshot, and the next question of this kind
    // would wait for an index of the future.
    wasAbandoned = isBlocking && index === known && clock.monotonic() - askedAt < 0.9 * waitMs;
    const isOlder = index !== 0 && index < known;
    if (isOlder) {
      olderSince ??= clock.monotonic();
      if (clock.monotonic() - olderSince >= options.lagMs) throw wentBack(options);
    } else {
      olderSince = undefined;
      known = index;
      onAnswer(answer);
    }
    // Without an index, waiting for a change would end at once, each time.
    const pauseMs = index === 0 ? pollMs * (0.8 + 0.2 * rng()) : pace.next(answer.size);
    if (pauseMs > 0) await sleep(clock, pauseMs, { signal });
  }
}

function wentBack({
  what,
  service,
}: {
  what: string;
  service?: string | undefined;
}): BackendUnavailableError {
  const problem = `${what} went back: Consul has lost data, or restored an older copy`;
  return new BackendUnavailableError('consul', problem, { service });
}

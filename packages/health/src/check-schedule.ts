import type { Clock, DiscoveryLogger, Rng, Timer } from '@sd/core';
import { DueHeap, type Due } from './due-heap.ts';

export interface CheckScheduleOptions {
  readonly intervalMs: number;
  /** Share of the interval by which each look is moved at most, to and fro. 0 to 0.5. */
  readonly jitter: number;
  /** Looks that are under way at once. */
  readonly maxConcurrent: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/**
 * Runs many looks, each once an interval, on a single timer.
 * - Each has a grid of its own, which starts at a random moment, and jitter moves looks around their places on it but
 *   never the grid: nothing drifts, and neither do looks of many processes fall into step.
 * - A look never overlaps with itself: places on the grid that it takes longer than are left out.
 * - When the event loop stood still for longer than an interval, what was missed is left out too, not made up for.
 * - When there are more looks than `maxConcurrent` can serve, those that wait longest come first.
 */
export class CheckSchedule {
  readonly #options: CheckScheduleOptions;
  readonly #waiting = new DueHeap<Entry>();
  #running = 0;
  #alarm: { readonly timer: Timer; readonly at: number } | undefined;

  constructor(options: CheckScheduleOptions) {
    this.#options = options;
  }

  /**
   * Looks from now on; for the first time within an interval.
   * @param look is over when its promise is
   * @returns ends it; a look under way is not stopped
   */
  add(look: () => Promise<void>): () => void {
    const { intervalMs, clock, rng } = this.#options;
    const startAt = clock.monotonic() + rng() * intervalMs;
    const entry: Entry = { look, startAt, round: 0, ended: false, dueAt: startAt, place: -1 };
    this.#waiting.add(entry);
    this.#setAlarm();
    return () => {
      entry.ended = true;
      this.#waiting.remove(entry);
      this.#setAlarm();
    };
  }

  #setAlarm(): void {
    const { clock, maxConcurrent } = this.#options;
    // With all places taken, the end of a look goes on.
    const at = this.#running < maxConcurrent ? this.#waiting.earliest?.dueAt : undefined;
    if (at === this.#alarm?.at) return;
    this.#alarm?.timer.cancel();
    this.#alarm =
      at === undefined
        ? undefined
        : { at, timer: clock.setTimer(() => this.#ring(at), Math.max(0, at - clock.monotonic())) };
  }

  #ring(at: number): void {
    this.#alarm = undefined;
    const lateMs = this.#options.clock.monotonic() - at;
    if (lateMs > this.#options.intervalMs) this.#skipMissed(lateMs);
    this.#startDue();
  }

  #startDue(): void {
    const { clock, maxConcurrent } = this.#options;
    const now = clock.monotonic() + slackMs;
    while (this.#running < maxConcurrent) {
      const entry = this.#waiting.earliest;
      if (entry === undefined || entry.dueAt > now) break;
      this.#waiting.remove(entry);
      void this.#run(entry);
    }
    this.#setAlarm();
  }

  /** Never rejects. */
  async #run(entry: Entry): Promise<void> {
    this.#running += 1;
    try {
      await entry.look();
    } catch (error) {
      this.#options.logger.error('A health check could not be made', { error });
    }
    this.#running -= 1;
    if (!entry.ended) this.#wait(entry);
    this.#startDue();
  }

  /** For its next place on the grid that is still to come. */
  #wait(entry: Entry): void {
    const { intervalMs, jitter, clock, rng } = this.#options;
    const passed = Math.floor((clock.monotonic() - entry.startAt) / intervalMs);
    entry.round = Math.max(entry.round, passed) + 1;
    entry.dueAt = entry.startAt + (entry.round + (2 * rng() - 1) * jitter) * intervalMs;
    this.#waiting.add(entry);
  }

  #skipMissed(lateMs: number): void {
    const now = this.#options.clock.monotonic();
    let skipped = 0;
    for (;;) {
      const entry = this.#waiting.earliest;
      if (entry === undefined || entry.dueAt > now) break;
      this.#waiting.remove(entry);
      this.#wait(entry);
      skipped += 1;
    }
    this.#options.logger.warn(
      `The process stood still for ${Math.round(lateMs)} ms: ${skipped} health checks are left out`,
    );
  }
}

/** Sums of fractions may fall this short of the time they stand for, in milliseconds. */
const slackMs = 0.01;

interface Entry extends Due {
  readonly look: () => Promise<void>;
  readonly startAt: number;
  round: number;
  ended: boolean;
}

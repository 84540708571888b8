import { takesRequests } from './instance-status.ts';
import type { ServiceInstance } from './service-instance.ts';

export interface ShrinkGuardOptions {
  /** Share of the instances, 0 to 1: more than this gone at once is suspicious. Default: 0.5. */
  readonly share?: number | undefined;
  /** How long after trouble with the store a shrinking is doubted, in milliseconds. Default: 15,000. */
  readonly verifyAfterMs?: number | undefined;
}

/**
 * Doubts a store that forgets many instances right after trouble: it was restarted without its data, failed over to a
 * lagging replica, or its providers have not yet come back. What it forgot is held until `verifyAfterMs` has passed,
 * and is then believed if the store still says so. Without trouble, or when instances left one by one or drained
 * first, nothing is held: a real scale to zero goes through.
 */
export class ShrinkGuard {
  readonly #share: number;
  readonly #verifyAfterMs: number;
  #doubtUntil = -Infinity;

  constructor({ share = 0.5, verifyAfterMs = 15_000 }: ShrinkGuardOptions = {}) {
    this.#share = share;
    this.#verifyAfterMs = verifyAfterMs;
  }

  /** Until when a shrinking is doubted, on the monotonic clock. */
  get doubtUntil(): number {
    return this.#doubtUntil;
  }

  /** The store was lost, or came back just now. @param monotonic milliseconds */
  troubled(monotonic: number): void {
    this.#doubtUntil = monotonic + this.#verifyAfterMs;
  }

  /** The store was asked again and is believed. */
  trust(): void {
    this.#doubtUntil = -Infinity;
  }

  /** The instances to keep beside `next`: those it lacks, if that is suspicious; else none. */
  held(
    known: readonly ServiceInstance[],
    next: ReadonlyMap<string, ServiceInstance>,
    monotonic: number,
  ): readonly ServiceInstance[] {
    if (monotonic >= this.#doubtUntil) return [];
    const serving = known.filter((instance) => takesRequests(instance.status));
    const missing = serving.filter((instance) => !next.has(instance.id));
    return missing.length > 0 && (next.size === 0 || missing.length > serving.length * this.#share)
      ? missing
      : [];
  }
}

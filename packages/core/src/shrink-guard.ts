import { takesRequests } from './instance-status.ts';
import type { Pauses } from './pauses.ts';
import { addressOf, type ServiceInstance } from './service-instance.ts';

export interface ShrinkGuardOptions {
  /** Share of the instances, 0 to 1: more than this gone is suspicious. Default: 0.5. */
  readonly share?: number | undefined;
  /** How long after trouble with the store a shrinking is doubted, in milliseconds. Default: 15,000. */
  readonly verifyAfterMs?: number | undefined;
}

/**
 * Doubts a store that forgets many instances right after trouble: it was restarted without its data, failed over to a
 * lagging replica, or its providers have not yet come back. What it forgot is held until it is back, until another
 * instance is at its address, or until the store, asked again when the doubt is over, still denies it. It may forget them
 * in several steps: what counts is how many there were when the trouble was over. Without trouble, or when instances
 * drained first, nothing is held: a real scale to zero goes through.
 */
export class ShrinkGuard {
  readonly verifyAfterMs: number;
  readonly #share: number;
  readonly #pauses: Pick<Pauses, 'endedAt'>;
  #held: ReadonlyMap<string, ServiceInstance> = new Map();
  #lostAt = -Infinity;
  #doubtedSince = -Infinity;
  #doubtUntil = -Infinity;
  /** The most that took requests since the doubt began. */
  #most = 0;
  /** The newest pause that is accounted for, by its end. */
  #pausedUntil = -Infinity;

  /** @param pauses of this process: it may have missed the trouble */
  constructor(
    pauses: Pick<Pauses, 'endedAt'>,
    { share = 0.5, verifyAfterMs = 15_000 }: ShrinkGuardOptions = {},
  ) {
    this.#pauses = pauses;
    this.#share = share;
    this.verifyAfterMs = verifyAfterMs;
  }

  /** Until when a shrinking is doubted, on the monotonic clock. */
  get doubtUntil(): number {
    return this.#doubtUntil;
  }

  /** The store was lost. @param monotonic milliseconds */
  lost(monotonic: number): void {
    this.#lostAt = monotonic;
  }

  /** The store is back. @param monotonic milliseconds */
  recovered(monotonic: number): void {
    const briefly = monotonic - this.#lostAt < this.verifyAfterMs;
    if (monotonic >= this.#doubtUntil) this.#most = 0;
    if (this.#held.size === 0 || !briefly) this.#doubtedSince = monotonic;
    // A watch that is cut again and again must not put off the verification for ever.
    this.#doubtUntil = Math.min(monotonic, this.#doubtedSince + 3 * this.verifyAfterMs) + this.verifyAfterMs;
  }

  /** What to keep beside `next`, the watch's newest snapshot: instances that it lacks, if that is suspicious. */
  hold(
    known: readonly ServiceInstance[],
    next: ReadonlyMap<string, ServiceInstance>,
    monotonic: number,
  ): readonly ServiceInstance[] {
    const serving = known.filter(({ status }) => takesRequests(status));
    const missing = serving.filter(({ id }) => !next.has(id));
    if (missing.length > 0) this.#notePause(); // the first step may be a small one
    this.#most = Math.max(this.#most, serving.length);
    const suspicious =
      next.size === 0 ||
      missing.length > serving.length * this.#share ||
      (missing.length > 0 && next.size < this.#most * (1 - this.#share) && monotonic < this.#doubtUntil);
    const doubted =
      suspicious && monotonic < this.#doubtUntil
        ? missing
        : [...this.#held.values()].filter(({ id }) => !next.has(id));
    const held = notFollowed(doubted, next);
    this.#held = new Map(held.map((instance) => [instance.id, instance]));
    return held;
  }

  isHeld(instance: ServiceInstance): boolean {
    return this.#held.has(instance.id);
  }

  /** The store was asked again: it is believed, and what it does not list is no longer held. */
  verified(listed: readonly ServiceInstance[]): void {
    this.#doubtUntil = -Infinity;
    this.#pausedUntil = this.#pauses.endedAt;
    this.#held = new Map(listed.filter((each) => this.isHeld(each)).map((each) => [each.id, each]));
  }

  #notePause(): void {
    const { endedAt } = this.#pauses;
    if (endedAt <= this.#pausedUntil) return;
    this.#pausedUntil = endedAt;
    if (endedAt + this.verifyAfterMs <= this.#doubtUntil) return;
    this.lost(endedAt);
    this.recovered(endedAt);
  }
}

/** Those whose address no other instance has taken: whoever was there before is gone. */
function notFollowed(
  doubted: readonly ServiceInstance[],
  next: ReadonlyMap<string, ServiceInstance>,
): readonly ServiceInstance[] {
  if (doubted.length === 0) return doubted;
  const taken = new Set(Array.from(next.values(), addressOf));
  return doubted.filter((instance) => !taken.has(addressOf(instance)));
}

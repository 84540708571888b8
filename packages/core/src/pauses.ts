import type { Clock, Timer } from './clock.ts';

/** How often it is looked whether time has gone on without this process, in milliseconds. */
const lookEveryMs = 1_000;

/** What is shorter, busy processes have. */
const leastMs = 2_000;

/**
 * Notices that this process could not run for a while, as its container was frozen, its machine moved or suspended. What
 * it was told meanwhile comes all at once, and a connection that it had need not have broken: what it knows of a store is
 * then as doubtful as after an outage. One for all users of a clock, with one timer, while there are some.
 */
export class Pauses {
  readonly #clock: Clock;
  #users = 0;
  #timer: Timer | undefined;
  /** On the clock that goes on in all of them. */
  #lookedAt = 0;
  #endedAt = -Infinity;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  static of(clock: Clock): Pauses {
    let pauses = all.get(clock);
    if (pauses === undefined) {
      pauses = new Pauses(clock);
      all.set(clock, pauses);
    }
    return pauses;
  }

  /** @returns ends that, once */
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#beat();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#timer?.cancel();
    };
  }

  /** When the last one was over, on the monotonic clock; -Infinity: there was none. Also one that only now is. */
  get endedAt(): number {
    this.#look();
    return this.#endedAt;
  }

  #beat(): void {
    this.#lookedAt = this.#uptime;
    this.#timer = this.#clock.setTimer(() => {
      this.#look();
      this.#beat();
    }, lookEveryMs);
  }

  #look(): void {
    const uptime = this.#uptime;
    if (uptime - this.#lookedAt < lookEveryMs + leastMs) return;
    this.#lookedAt = uptime;
    this.#endedAt = this.#clock.monotonic();
  }

  get #uptime(): number {
    return this.#clock.uptime?.() ?? this.#clock.monotonic();
  }
}

const all = new WeakMap<Clock, Pauses>();

import { AccessDeniedError, Backoff, type Clock, type Rng, type Timer } from '@sd/core';

export interface RenewalRoundsOptions {
  /** Of what is renewed, in milliseconds. */
  readonly ttl: number;
  readonly clock: Clock;
  readonly rng: Rng;
  /** One round. @param isFailing whether the last one failed */
  readonly renew: (isFailing: boolean) => Promise<void>;
  /** Whether there is anything to renew. */
  readonly isNeeded: () => boolean;
  /** Called once when rounds begin to fail, and once when they succeed again. */
  readonly onFailing: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/** Renews again and again, a third of a time to live apart at most, and sooner while that fails. */
export class RenewalRounds {
  readonly #options: RenewalRoundsOptions;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;
  #isRunning = false;
  #isFailing = false;

  constructor(options: RenewalRoundsOptions) {
    const { ttl, rng } = options;
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 100, capMs: Math.min(1_000, ttl / 4), rng });
  }

  /** There is something to renew. */
  begin(): void {
    if (this.#timer === undefined) this.#runIn(this.#periodMs());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #periodMs(): number {
    // A tenth apart, so that providers that started together do not stay together.
    return (this.#options.ttl / 3) * (0.9 + 0.1 * this.#options.rng());
  }

  #runIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => void this.#run(), delayMs);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { clock, renew, isNeeded } = this.#options;
    const startedAt = clock.monotonic();
    let pauseMs = this.#periodMs();
    try {
      await renew(this.#isFailing);
      this.#succeeded();
      pauseMs -= clock.monotonic() - startedAt;
    } catch (error) {
      this.#failed(error);
      // Asking again soon is of use while Consul is away, not where somebody must change something first.
      if (!(error instanceof AccessDeniedError)) pauseMs = Math.min(pauseMs, this.#backoff.next());
    } finally {
      this.#isRunning = false;
      this.#timer = undefined;
      if (isNeeded()) this.#runIn(Math.max(0, pauseMs));
    }
  }

  #succeeded(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#backoff.reset();
    this.#options.onRecovered();
  }

  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onFailing(error);
  }
}

import { AccessDeniedError, Backoff, type Clock, type DiscoveryLogger, type Rng, type Timer } from '@sd/core';
import type { RedisLease } from './redis-lease.ts';
import type { RedisStore } from './redis-store.ts';

export interface RenewalsOptions {
  readonly store: RedisStore;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/**
 * Renews all leases of one time to live in rounds, a third of it apart at most: one request for each service, all sent
 * at once. A round that failed is made up for as soon as Redis answers again, as others may still keep their lease.
 */
export class Renewals {
  readonly #options: RenewalsOptions;
  readonly #ttl: number;
  readonly #services = new Map<string, Map<string, RedisLease>>();
  readonly #backoff: Backoff;
  #timer: Timer | undefined;
  #running = false;
  #failing = false;
  #closed = false;

  constructor(ttl: number, options: RenewalsOptions) {
    this.#ttl = ttl;
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 100, capMs: Math.min(1_000, ttl / 6), rng: options.rng });
  }

  add(lease: RedisLease): void {
    const { service, id } = lease.instance;
    const leases = this.#services.get(service) ?? new Map<string, RedisLease>();
    this.#services.set(service, leases.set(id, lease));
    if (this.#timer === undefined && !this.#running && !this.#closed) this.#schedule(this.#periodMs());
  }

  delete(lease: RedisLease): void {
    const { service, id } = lease.instance;
    const leases = this.#services.get(service);
    if (leases?.get(id) !== lease) return;
    leases.delete(id);
    if (leases.size === 0) this.#services.delete(service);
    if (this.#services.size === 0) this.#stop();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A tenth apart, so that providers that started together do not stay together. */
  #periodMs(): number {
    return (this.#ttl / 3) * (0.9 + 0.1 * this.#options.rng());
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(() => void this.#round(), delayMs);
  }

  /** Never rejects. */
  async #round(): Promise<void> {
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    this.#timer = undefined;
    this.#running = true;
    const results = await Promise.allSettled(this.#requests(startedAt));
    this.#running = false;
    if (this.#closed) return;
    const failure = results.find((result) => result.status === 'rejected');
    this.#report(failure);
    if (this.#services.size === 0) return;
    // Asking again soon is of use while Redis is away, not where somebody must change something first.
    const soon = failure !== undefined && !(failure.reason instanceof AccessDeniedError);
    const tookMs = clock.monotonic() - startedAt;
    this.#schedule(soon ? this.#backoff.next() : Math.max(0, this.#periodMs() - tookMs));
  }

  #report(failure: PromiseRejectedResult | undefined): void {
    const { logger } = this.#options;
    if (failure === undefined) this.#backoff.reset();
    if (this.#failing === (failure !== undefined)) return;
    this.#failing = failure !== undefined;
    if (failure === undefined) logger.info('Redis renews registrations again');
    else logger.warn('Redis does not renew registrations; asking until it does', { error: failure.reason });
  }

  *#requests(startedAt: number): Generator<Promise<void>> {
    const { store } = this.#options;
    for (const [service, leases] of this.#services) {
      yield this.#renew(service, leases, startedAt);
      yield store.touch(service, this.#ttl);
    }
  }

  async #renew(service: string, leases: ReadonlyMap<string, RedisLease>, startedAt: number): Promise<void> {
    const asked = [...leases];
    const lost = new Map(
      (
        await this.#options.store.renew(
          service,
          this.#ttl,
          asked.map(([id]) => id),
        )
      ).map(({ id, reason }) => [id, reason]),
    );
    for (const [id, lease] of asked) {
      if (leases.get(id) !== lease) continue; // it was registered anew meanwhile
      const reason = lost.get(id);
      if (reason === undefined) lease.renewed(startedAt);
      else lease.drop(reason);
    }
  }
}

import {
  AccessDeniedError,
  Backoff,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type Rng,
  type Timer,
} from '@sd/core';
import type { RedisStore } from './redis-store.ts';

export interface RenewalsOptions {
  readonly store: RedisStore;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** The leases of one service, and how renewing them goes. */
interface ServiceLeases {
  readonly service: string;
  readonly leases: Map<string, HeldLease>;
  readonly backoff: Backoff;
  /** Set while Redis has not answered yet. */
  asking: boolean;
  /** How often it was asked. */
  rounds: number;
  /** Set while the list of services is being told of it: resolves with what it failed with, if it did. */
  listing: Promise<{ readonly reason: unknown } | undefined> | undefined;
  /** Set while it is to be tried again before the next round. */
  retry: Timer | undefined;
  /** Set since Redis refused, until it renews again. */
  failing: boolean;
}

/**
 * Renews all leases of one time to live in rounds, a third of it apart at most: one request for each service, all sent
 * at once. A service that failed is tried again soon, by itself, as its leases may still be kept; the others neither
 * wait for it nor are asked more often.
 */
export class Renewals {
  readonly #options: RenewalsOptions;
  readonly #ttl: number;
  readonly #services = new Map<string, ServiceLeases>();
  #timer: Timer | undefined;
  #failing = 0;

  constructor(ttl: number, options: RenewalsOptions) {
    this.#ttl = ttl;
    this.#options = options;
  }

  add(lease: HeldLease): void {
    const { service, id } = lease.instance;
    this.#of(service).leases.set(id, lease);
    if (this.#timer === undefined) this.#scheduleRound();
  }

  delete(lease: HeldLease): void {
    const { service, id } = lease.instance;
    const entry = this.#services.get(service);
    if (entry?.leases.get(id) !== lease) return;
    entry.leases.delete(id);
    if (entry.leases.size > 0) return;
    this.#services.delete(service);
    this.#forget(entry);
    if (this.#services.size === 0) this.#stop();
  }

  close(): void {
    for (const entry of this.#services.values()) this.#forget(entry);
    this.#services.clear();
    this.#stop();
  }

  #of(service: string): ServiceLeases {
    let entry = this.#services.get(service);
    if (entry === undefined) {
      const backoff = new Backoff({
        baseMs: 100,
        capMs: Math.min(1_000, this.#ttl / 6),
        rng: this.#options.rng,
      });
      entry = {
        service,
        leases: new Map(),
        backoff,
        asking: false,
        rounds: 0,
        listing: undefined,
        retry: undefined,
        failing: false,
      };
      this.#services.set(service, entry);
    }
    return entry;
  }

  #forget(entry: ServiceLeases): void {
    entry.retry?.cancel();
    if (entry.failing) this.#failing -= 1;
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A tenth apart, so that providers that started together do not stay together. */
  #scheduleRound(): void {
    const { clock, rng } = this.#options;
    const periodMs = (this.#ttl / 3) * (0.9 + 0.1 * rng());
    this.#timer = clock.setTimer(() => {
      this.#scheduleRound();
      for (const entry of this.#services.values()) void this.#renew(entry);
    }, periodMs);
  }

  /** Never rejects. */
  async #renew(entry: ServiceLeases): Promise<void> {
    if (entry.asking) return;
    entry.asking = true;
    entry.retry?.cancel();
    entry.retry = undefined;
    const { service, leases } = entry;
    const { store, clock } = this.#options;
    const startedAt = clock.monotonic();
    const asked = [...leases];
    const ids = asked.map(([id]) => id);
    const round = (entry.rounds += 1);
    const renewing = store.renew(service, this.#ttl, ids);
    const listing = this.#list(entry);
    const [renewal] = await Promise.allSettled([renewing]);
    entry.asking = false;
    if (renewal.status === 'fulfilled') {
      const reasons = new Map(renewal.value.map(({ id, reason }) => [id, reason]));
      for (const [id, lease] of asked) {
        if (leases.get(id) !== lease) continue; // it was registered anew meanwhile
        const reason = reasons.get(id);
        if (reason === undefined) lease.renewed(startedAt);
        else lease.drop(reason);
      }
    }
    const failure = renewal.status === 'rejected' ? renewal : await listing;
    if (this.#services.get(service) !== entry || entry.rounds !== round) return;
    if (failure === undefined) this.#succeeded(entry);
    else this.#failed(entry, failure.reason);
  }

  /** In a Cluster the list is on a node of its own, which may not answer: no lease waits for it. */
  #list(entry: ServiceLeases): NonNullable<ServiceLeases['listing']> {
    entry.listing ??= this.#options.store
      .touch(entry.service, this.#ttl)
      .then(
        () => undefined,
        (reason: unknown) => ({ reason }),
      )
      .finally(() => (entry.listing = undefined));
    return entry.listing;
  }

  #succeeded(entry: ServiceLeases): void {
    if (!entry.failing) return;
    entry.failing = false;
    entry.backoff.reset();
    this.#failing -= 1;
    if (this.#failing === 0) this.#options.logger.info('Redis renews registrations again');
  }

  #failed(entry: ServiceLeases, error: unknown): void {
    const { clock, logger } = this.#options;
    if (!entry.failing) {
      entry.failing = true;
      this.#failing += 1;
      const problem = `Redis does not renew registrations of "${entry.service}"; asking until it does`;
      if (this.#failing === 1) logger.warn(problem, { error });
    }
    // Asking again soon is of use while Redis is away, not where somebody must change something first.
    if (error instanceof AccessDeniedError) return;
    entry.retry = clock.setTimer(() => void this.#renew(entry), entry.backoff.next());
  }
}

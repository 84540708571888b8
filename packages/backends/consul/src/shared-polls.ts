import { onAbort, type Clock, type Rng, type Timer, type WatchFeed } from '@sd/core';
import { follow } from './blocking-query.ts';
import type { ConsulStore, Listing } from './consul-store.ts';

export interface SharedPollsOptions {
  readonly store: ConsulStore;
  readonly waitMs: number;
  readonly pollMs: number;
  readonly lagMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
}

interface Polled {
  readonly feed: WatchFeed;
  timer: Timer | undefined;
  /** What the list of services said of it when it was last read. */
  tags: string | undefined;
  isReading: boolean;
}

/**
 * Watches of services that have no blocking query of their own. One for all waits for the list of services: those that
 * appear in it, vanish, or change their tags are read at once. What else changes is seen by `pollMs`, for services that
 * are there at all.
 */
export class SharedPolls {
  readonly #options: SharedPollsOptions;
  readonly #polled = new Map<string, Polled>();
  /** Those that wait for a list that was asked for after them. */
  #fresh = new Set<Polled>();
  #isListing = false;
  #following: AbortController | undefined;

  constructor(options: SharedPollsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#polled.size;
  }

  add(feed: WatchFeed): void {
    const polled: Polled = { feed, timer: undefined, tags: undefined, isReading: false };
    this.#polled.set(feed.service, polled);
    onAbort(feed.signal, () => this.#delete(polled));
    this.#fresh.add(polled);
    void this.#listForFresh();
    if (this.#following === undefined) void this.#followList();
  }

  /** Takes one of them away, for a blocking query of its own. */
  take(): WatchFeed | undefined {
    const [first] = this.#polled.values();
    if (first !== undefined) this.#delete(first);
    return first?.feed;
  }

  #delete(polled: Polled): void {
    polled.timer?.cancel();
    this.#fresh.delete(polled);
    const { service } = polled.feed;
    if (this.#polled.get(service) === polled) this.#polled.delete(service);
    if (this.#polled.size > 0) return;
    this.#following?.abort();
    this.#following = undefined;
  }

  /** Never rejects. A service that is not there has not to be read: of hundreds, that may be most. */
  async #listForFresh(): Promise<void> {
    if (this.#isListing) return;
    this.#isListing = true;
    while (this.#fresh.size > 0) {
      // Whoever comes in this turn of the event loop is in time.
      await Promise.resolve();
      const fresh = this.#fresh;
      this.#fresh = new Set();
      try {
        const { services } = await this.#options.store.list({ isFirst: true });
        for (const polled of fresh) this.#compare(polled, services, true);
      } catch (error) {
        for (const { feed } of fresh) feed.fail(error);
      }
    }
    this.#isListing = false;
  }

  /** Never rejects. */
  async #followList(): Promise<void> {
    const following = new AbortController();
    const { signal } = following;
    this.#following = following;
    const { store, ...options } = this.#options;
    try {
      await follow<Listing>({
        ...options,
        what: 'the index of the list of services',
        signal,
        ask: (blocking) => store.list({ signal, blocking, isFirst: blocking === undefined }),
        onAnswer: ({ services }) => {
          for (const polled of this.#polled.values())
            if (!this.#fresh.has(polled)) this.#compare(polled, services, false);
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      for (const { feed } of [...this.#polled.values()]) feed.fail(error);
    }
  }

  #compare(polled: Polled, services: Listing['services'], isFirst: boolean): void {
    if (polled.feed.signal.aborted) return;
    const tags = services.get(polled.feed.service);
    if (!isFirst && tags === polled.tags) return;
    polled.tags = tags;
    if (isFirst && tags === undefined) polled.feed.push([]);
    else void this.#read(polled);
  }

  /** Never rejects. */
  async #read(polled: Polled): Promise<void> {
    if (polled.isReading) return;
    const { feed } = polled;
    const { store, clock, rng, pollMs } = this.#options;
    polled.isReading = true;
    polled.timer?.cancel();
    const { tags } = polled;
    try {
      const { instances } = await store.read(feed.service, { signal: feed.signal });
      if (this.#polled.get(feed.service) !== polled) return;
      feed.push(instances);
    } catch (error) {
      if (!feed.signal.aborted) feed.fail(error);
      return;
    } finally {
      polled.isReading = false;
    }
    // The list has changed meanwhile.
    if (polled.tags !== tags) return this.#read(polled);
    if (tags === undefined) return;
    polled.timer = clock.setTimer(() => void this.#read(polled), pollMs * (0.8 + 0.2 * rng()));
  }
}

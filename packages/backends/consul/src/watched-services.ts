import {
  ClosedError,
  onAbort,
  SharedWatches,
  type Clock,
  type Rng,
  type Timer,
  type WatchFeed,
} from '@sd/core';
import { follow } from './blocking-query.ts';
import type { ConsulStore, Reading } from './consul-store.ts';
import type { Requests } from './requests.ts';
import { SharedPolls } from './shared-polls.ts';

export interface WatchedServicesOptions {
  readonly store: ConsulStore;
  readonly requests: Requests;
  readonly waitMs: number;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly maxBlockingQueries: number;
  /** Whether answers may come from a server that lags behind. */
  readonly isStale: boolean;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** All watches: as many services as may have a blocking query of their own have one, the others share. */
export class WatchedServices {
  readonly #options: WatchedServicesOptions;
  readonly #polls: SharedPolls;
  readonly #watches = new SharedWatches((feed) => this.#start(feed));
  #blocking = 0;
  #watched = 0;
  #probe: Timer | undefined;

  constructor(options: WatchedServicesOptions) {
    this.#options = options;
    this.#polls = new SharedPolls({ ...options, lagMs: this.#lagMs });
  }

  watch(service: string, signal: AbortSignal) {
    return this.#watches.watch(service, signal);
  }

  close(closed: ClosedError): void {
    this.#watches.close(closed);
  }

  get #lagMs(): number {
    return this.#options.isStale ? this.#options.timeoutMs : 0;
  }

  #start(feed: WatchFeed): void {
    this.#watched += 1;
    onAbort(feed.signal, () => {
      this.#watched -= 1;
      if (this.#watched === 0) this.#stopProbing();
    });
    if (this.#probe === undefined) this.#probeLater();
    if (this.#blocking < this.#options.maxBlockingQueries) void this.#follow(feed);
    else this.#polls.add(feed);
  }

  /** Never rejects. */
  async #follow(feed: WatchFeed): Promise<void> {
    const { store, ...options } = this.#options;
    const { service, signal } = feed;
    this.#blocking += 1;
    try {
      await follow<Reading>({
        ...options,
        lagMs: this.#lagMs,
        what: `the index of "${service}"`,
        service,
        signal,
        ask: (blocking) => store.read(service, { signal, blocking, isFirst: blocking === undefined }),
        onAnswer: ({ instances }) => feed.push(instances),
      });
    } catch (error) {
      this.#blocking -= 1;
      // Then the place is for those who come back first.
      if (!signal.aborted) {
        feed.fail(error);
        return;
      }
    }
    const next = this.#polls.take();
    if (next !== undefined) void this.#follow(next);
  }

  /** A blocking query is silent while nothing changes, and also when nothing gets through. */
  #probeLater(): void {
    const { clock, timeoutMs } = this.#options;
    const probe = clock.setTimer(() => {
      void this.#askForLife().finally(() => {
        if (this.#probe === probe && this.#watched > 0) this.#probeLater();
      });
    }, timeoutMs);
    this.#probe = probe;
  }

  /** Never rejects. */
  async #askForLife(): Promise<void> {
    const { store, requests, clock, timeoutMs } = this.#options;
    if (clock.monotonic() - requests.answeredAt < timeoutMs / 2) return;
    try {
      await store.probe();
    } catch (error) {
      if (!(error instanceof ClosedError)) this.#watches.fail(error);
    }
  }

  #stopProbing(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
  }
}

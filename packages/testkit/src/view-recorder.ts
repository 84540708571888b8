import {
  follow,
  type Clock,
  type DiscoveryBackend,
  type Following,
  type Rng,
  type ServiceInstance,
  type ServiceView,
} from '@sd/core';
import { eventually } from './eventually.ts';
import { silentLogger } from './silent-logger.ts';
import type { TestTime } from './test-time.ts';

export interface ViewRecorderOptions {
  readonly time: TestTime;
  readonly clock?: Clock | undefined;
  readonly rng: Rng;
  /** T, which the pauses between attempts to watch and the doubts of the view go by, in milliseconds. */
  readonly ttl: number;
}

/** Follows a service as every consumer does, and keeps each view that it had. */
export class ViewRecorder {
  readonly service: string;
  readonly views: ServiceView[] = [];
  readonly #following: Following;
  readonly #time: TestTime;

  constructor(backend: DiscoveryBackend, service: string, { time, clock, rng, ttl }: ViewRecorderOptions) {
    this.service = service;
    this.#time = time;
    this.#following = follow(backend, service, {
      clock,
      rng,
      coalesceMs: 0,
      firstSnapshotTimeoutMs: ttl,
      reconnect: { baseMs: Math.min(100, ttl / 3), capMs: ttl / 3 },
      shrinkGuard: { verifyAfterMs: 3 * ttl },
      logger: silentLogger,
      onChange: (view) => this.views.push(view),
    });
  }

  get view(): ServiceView {
    return this.#following.view;
  }

  /** Ids of what the view has now. */
  get ids(): readonly string[] {
    return this.view.instances.map(({ id }) => id);
  }

  /** The view is in sync and its instances are as they should be, now or within `timeoutMs`. */
  async shows(
    predicate: (instances: readonly ServiceInstance[]) => boolean,
    timeoutMs: number,
  ): Promise<ServiceView> {
    return eventually(
      () => {
        const { state, instances, held, error } = this.view;
        if (state === 'live' && held === 0 && predicate(instances)) return this.view;
        const seen = `a ${state} view of "${this.service}" with [${this.ids.join(', ')}], ${held} held`;
        throw new Error(`there is ${seen}`, { cause: error });
      },
      { timeoutMs, time: this.#time },
    );
  }

  /** How many instances the views since number `from` had at least. */
  fewest(from = 0): number {
    return Math.min(
      ...this.views.slice(from).map(({ instances }) => instances.length),
      this.view.instances.length,
    );
  }

  close(): void {
    this.#following.close();
  }
}

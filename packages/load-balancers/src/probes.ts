import type { Clock } from '@sd/core';
import { condition } from './endpoint-group.ts';
import type { Members } from './members.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import type { PickRequest } from './strategy.ts';

/** Endpoints out of rotation that are to get one attempt each, so that it shows how they are. */
export class Probes {
  readonly #clock: Clock;
  readonly #due: { readonly endpoint: PooledEndpoint; readonly since: number }[] = [];
  /** Picks since the last probe, as long as one is due. */
  #picks = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Hot path. */
  get due(): number {
    return this.#due.length;
  }

  add(endpoint: PooledEndpoint): void {
    this.remove(endpoint);
    this.#due.push({ endpoint, since: this.#clock.monotonic() });
  }

  remove(endpoint: PooledEndpoint): void {
    const place = this.#due.findIndex((each) => each.endpoint === endpoint);
    if (place >= 0) this.#due.splice(place, 1);
  }

  /** The one that waits longest among those that the set has and the request suits. It is due no longer. */
  take({ tried, mayProbe = true }: PickRequest, members: Members): PooledEndpoint | undefined {
    if (mayProbe === 'never') return undefined;
    if (tried.length > 0) return undefined; // one that failed already shall not be the guinea pig as well
    this.#picks += 1;
    // Where there are few requests, those on trial get no more of them than if they were in rotation.
    if (this.#picks * this.#due.length < members.all.length) return undefined;
    const since = mayProbe ? Infinity : this.#clock.monotonic() - patienceMs;
    const place = this.#due.findIndex(
      (each) =>
        members.groupOf(each.endpoint) !== undefined &&
        members.conditionOf(each.endpoint) <= condition.unreachable &&
        !each.endpoint.saturated &&
        // Where no connection opens, nothing is sent either.
        (each.endpoint.unreachable || each.since <= since),
    );
    if (place < 0) return undefined;
    this.#picks = 0;
    return this.#due.splice(place, 1)[0]?.endpoint;
  }
}

/** So long a probe waits for a request that can be repeated elsewhere, in milliseconds. */
const patienceMs = 1_000;

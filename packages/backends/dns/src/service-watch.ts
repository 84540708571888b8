import { sleep, type Clock, type Rng, type WatchFeed } from '@sd/core';
import type { Members } from './members.ts';
import type { ServiceLookup } from './service-lookup.ts';

export interface FollowServiceOptions {
  readonly lookup: ServiceLookup;
  readonly minIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
}

/**
 * Asks for a service again and again, each time when what was said last is no longer good, until nobody watches.
 * @throws why it could not go on, or the reason of the feed's signal
 */
export async function followService(
  feed: WatchFeed,
  members: Members,
  { lookup, clock, rng, minIntervalMs, maxIntervalMs }: FollowServiceOptions,
): Promise<never> {
  let quietMs = minIntervalMs;
  for (;;) {
    const found = await lookup.find(feed.service, feed.signal);
    const isNews = members.see(found);
    feed.push(members.instances);
    // Where no TTL is known: the longer nothing happens, the less often.
    quietMs = isNews ? minIntervalMs : Math.min(2 * quietMs, maxIntervalMs);
    // What could not be had is asked for again before the TTL of the rest is over.
    const goodMs = Math.min(found.ttlMs ?? Infinity, found.unresolved.size > 0 ? quietMs : Infinity);
    const pauseMs = Math.min(Math.max(goodMs < Infinity ? goodMs : quietMs, minIntervalMs), maxIntervalMs);
    // Not all watchers at once, and not before the TTL is over: a cache would only say the same.
    await sleep(clock, pauseMs * (1 + rng() / 4), { signal: feed.signal });
  }
}

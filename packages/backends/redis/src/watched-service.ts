import {
  BackendUnavailableError,
  onAbort,
  sameInstance,
  type Clock,
  type MalformedEntries,
  type Rng,
  type ServiceInstance,
  type Timer,
  type WatchFeed,
} from '@sd/core';
import { isSetBack, parseDelta, type Delta } from './delta.ts';
import { parseRecords } from './records.ts';
import type { Reading, RedisStore } from './redis-store.ts';
import type { ChannelListener, Subscriber } from './subscriber.ts';

export interface WatchedServiceOptions {
  readonly store: RedisStore;
  readonly subscriber: Subscriber;
  readonly malformed: MalformedEntries;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
}

/** However many notifications do not fit, Redis is read again no more often than this, in milliseconds. */
const shortestPauseMs = 100;

/**
 * One service as Redis has it, for all who watch it: subscribed first and then read, so that nothing falls in between.
 * A change is applied when it continues the version that is known; otherwise, and every `pollMs`, and when a lease can
 * have run out, Redis is asked what is newer. It has no retries: what it cannot make up for ends all watches.
 */
export class WatchedService implements ChannelListener {
  readonly #feed: WatchFeed;
  readonly #options: WatchedServiceOptions;
  readonly #channel: string;
  /** What came before a reading, or while it was under way. */
  #early: Delta[] | undefined = [];
  #mustReadAll = false;
  /** Redis still has what expired by its clock, which may go back. */
  #hasExpired = false;
  #version = '';
  #instances = new Map<string, ServiceInstance>();
  #readAt = -Infinity;
  #timer: Timer | undefined;
  #pollAt = Infinity;

  constructor(feed: WatchFeed, options: WatchedServiceOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#channel = options.store.keysOf(feed.service).channel;
    onAbort(feed.signal, () => this.#end());
  }

  start(): void {
    void this.#start();
  }

  onLost(error: unknown): void {
    this.#feed.fail(error);
  }

  onMessage(message: string): void {
    const delta = parseDelta(message);
    if (delta === undefined) {
      // Somebody who does not keep to our versions works on these keys.
      this.#mustReadAll = true;
      return this.#readSoon();
    }
    if (this.#early === undefined) this.#apply(delta);
    else this.#early.push(delta);
  }

  async #start(): Promise<void> {
    try {
      await this.#options.subscriber.subscribe(this.#channel, this);
      if (this.#isOver) this.#options.subscriber.unsubscribe(this.#channel, this);
      else await this.#read();
    } catch (error) {
      this.#feed.fail(error);
    }
  }

  get #isOver(): boolean {
    return this.#feed.signal.aborted;
  }

  #end(): void {
    this.#timer?.cancel();
    this.#options.subscriber.unsubscribe(this.#channel, this);
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    const { store, clock } = this.#options;
    const { signal } = this.#feed;
    const early = (this.#early ??= []);
    const known = this.#mustReadAll || this.#hasExpired ? '' : this.#version;
    this.#mustReadAll = false;
    this.#timer?.cancel();
    this.#readAt = clock.monotonic();
    try {
      const reading = await store.read(this.#feed.service, known, signal);
      if (this.#isOver) return;
      this.#early = undefined;
      this.#accept(reading);
      for (const delta of early) this.#apply(delta);
    } catch (error) {
      if (!this.#isOver) this.#feed.fail(error);
    }
  }

  #accept({ version, nextExpiryMs, records }: Reading): void {
    this.#pollIn(this.#pauseMs(nextExpiryMs));
    if (this.#isLost(version) || records === undefined) return;
    this.#hasExpired = records.expired;
    const instances = parseRecords(this.#feed.service, records, this.#options.malformed);
    const first = this.#version === '';
    this.#version = version;
    const removed = [...this.#instances.keys()].filter((id) => !instances.has(id));
    if (this.#change(instances, removed) || first) this.#tell();
  }

  #apply({ before, version, set, removed, ttl }: Delta): void {
    if (this.#isOver || version === this.#version) return;
    if (before !== this.#version) {
      // One that was overtaken by a reading is old news.
      if (!isSetBack(version, this.#version)) return;
      return this.#readSoon();
    }
    const instances = parseRecords(this.#feed.service, { alive: set }, this.#options.malformed);
    const unreadable = [...set.keys()].filter((id) => !instances.has(id));
    this.#version = version;
    if (this.#change(instances, [...removed, ...unreadable])) this.#tell();
    const pauseMs = this.#pauseMs(ttl);
    if (this.#options.clock.monotonic() + pauseMs < this.#pollAt) this.#pollIn(pauseMs);
  }

  /** @returns whether that is news */
  #change(set: ReadonlyMap<string, ServiceInstance>, removed: readonly string[]): boolean {
    let changed = false;
    for (const id of removed) {
      // What expired may have been registered again in the same moment.
      if (!set.has(id) && this.#instances.delete(id)) changed = true;
    }
    for (const [id, instance] of set) {
      const known = this.#instances.get(id);
      if (known !== undefined && sameInstance(known, instance)) continue;
      this.#instances.set(id, instance);
      changed = true;
    }
    return changed;
  }

  #tell(): void {
    this.#feed.push(this.#instances.values());
  }

  /** Data that are not a continuation of ours end the watches: whoever supervises them knows what to make of it. */
  #isLost(version: string): boolean {
    const known = this.#version;
    if (known === '' || known === version || this.#instances.size === 0 || !isSetBack(known, version))
      return false;
    const problem = `Redis has lost data of "${this.#feed.service}", or gone back to an older copy`;
    this.#feed.fail(new BackendUnavailableError('redis', problem, { service: this.#feed.service }));
    return true;
  }

  #readSoon(): void {
    if (this.#early !== undefined) return;
    this.#pollIn(this.#readAt + shortestPauseMs - this.#options.clock.monotonic());
  }

  #pollIn(delayMs: number): void {
    this.#timer?.cancel();
    const { clock } = this.#options;
    this.#pollAt = clock.monotonic() + delayMs;
    this.#timer = clock.setTimer(() => void this.#read(), Math.max(0, delayMs));
  }

  /** Just after the next lease can have ended, but not all watchers at once. */
  #pauseMs(nextExpiryMs: number | undefined): number {
    const { pollMs, rng } = this.#options;
    if (this.#mustReadAll) return shortestPauseMs;
    const regular = pollMs * (0.8 + 0.2 * rng());
    if (nextExpiryMs === undefined || nextExpiryMs >= regular) return regular;
    return Math.max(shortestPauseMs, nextExpiryMs + 1 + rng() * Math.min(100, pollMs / 10));
  }
}

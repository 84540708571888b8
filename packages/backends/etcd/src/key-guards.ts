import { AccessDeniedError, Backoff, type Clock, type DiscoveryLogger, type Rng, type Timer } from '@sd/core';
import type { IEvent, IKeyValue } from 'etcd3';
import { keysBelow, oneKey, type KeyRange } from './key-range.ts';
import type { OwnKey } from './own-key.ts';
import { watchRange, type WatchSources } from './range-watch.ts';

export interface KeyGuardsOptions {
  readonly sources: WatchSources;
  readonly prefix: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** Watches our own keys, in case that others delete or replace them: one watch for each service. */
export class KeyGuards {
  readonly #options: KeyGuardsOptions;
  readonly #guards = new Map<string, ServiceGuard>();

  constructor(options: KeyGuardsOptions) {
    this.#options = options;
  }

  add(own: OwnKey): void {
    let guard = this.#guards.get(own.service);
    if (guard === undefined) {
      guard = new ServiceGuard(own.service, this.#options);
      this.#guards.set(own.service, guard);
    }
    guard.add(own);
  }

  delete(own: OwnKey): void {
    const guard = this.#guards.get(own.service);
    if (guard?.delete(own) === 0) this.#guards.delete(own.service);
  }

  close(): void {
    for (const guard of this.#guards.values()) guard.stop();
    this.#guards.clear();
  }
}

class ServiceGuard {
  readonly #options: KeyGuardsOptions;
  readonly #service: string;
  readonly #backoff: Backoff;
  readonly #keys = new Map<string, OwnKey>();
  /** What is watched: a process with one instance of a service need not hear of all others. */
  #watched: 'one' | 'all' | undefined;
  #watching = new AbortController();
  #timer: Timer | undefined;

  constructor(service: string, options: KeyGuardsOptions) {
    this.#service = service;
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 100, capMs: 5_000, rng: options.rng });
  }

  add(own: OwnKey): void {
    this.#keys.set(own.key, own);
    if (this.#watched === 'all' || (this.#watched === 'one' && this.#keys.size === 1)) return;
    this.stop();
    this.#watched = this.#keys.size === 1 ? 'one' : 'all';
    this.#watch();
  }

  /** @returns how many are left */
  delete(own: OwnKey): number {
    if (this.#keys.get(own.key) === own) this.#keys.delete(own.key);
    if (this.#keys.size === 0) this.stop();
    return this.#keys.size;
  }

  stop(): void {
    this.#watching.abort();
    this.#timer?.cancel();
    this.#watched = undefined;
  }

  #watch(): void {
    this.#watching = new AbortController();
    const before = [...this.#keys.values()].map((own) => [own, own.revision] as const);
    const highest = before.reduce((most, [, revision]) => Math.max(most, revision), 0);
    const range = this.#range();
    watchRange({
      ...this.#options.sources,
      range,
      keysOnly: range.range_end !== undefined,
      context: { service: this.#service, signal: this.#watching.signal, keys: range.key.toString() },
      listener: {
        onSnapshot: (entries, revision) => {
          this.#backoff.reset();
          if (revision < highest) this.#lostHistory(before, entries);
          else this.#compare(entries, revision, range);
        },
        onEvents: (events) => this.#apply(events),
        onLost: (error) => this.#lost(error),
      },
    });
  }

  #range(): KeyRange {
    const [key = ''] = this.#keys.keys();
    return this.#watched === 'one' ? oneKey(key) : keysBelow(`${this.#options.prefix}${this.#service}/`);
  }

  #compare(entries: readonly IKeyValue[], revision: number, { range_end }: KeyRange): void {
    const found = new Map(entries.map((entry) => [entry.key.toString(), entry]));
    for (const own of [...this.#keys.values()]) {
      const entry = found.get(own.key);
      const hasValue = range_end === undefined;
      own.saw({ revision: Number(entry?.mod_revision ?? revision), entry, hasValue });
    }
  }

  /** Revisions count anew: what is there, is there, whatever its revision. */
  #lostHistory(before: readonly (readonly [OwnKey, number])[], entries: readonly IKeyValue[]): void {
    const found = new Map(entries.map((entry) => [entry.key.toString(), entry]));
    for (const [own, revision] of before) {
      const entry = found.get(own.key);
      if (own.revision !== revision) continue; // put since then
      if (entry?.lease !== own.lease?.id) own.drop('store-lost');
      else own.written(own.value, Number(entry?.mod_revision));
    }
  }

  #apply(events: readonly IEvent[]): void {
    for (const { type, kv } of events) {
      const own = this.#keys.get(kv.key.toString());
      const entry = type === 'Put' ? kv : undefined;
      own?.saw({ revision: Number(kv.mod_revision), entry, hasValue: true });
    }
  }

  /** Until it is back, only renewals tell whether our lease is still there. */
  #lost(error: unknown): void {
    const { clock, logger } = this.#options;
    const isDenied = error instanceof AccessDeniedError;
    logger.debug(`Does not see for a while who changes "${this.#service}"`, { error });
    this.#timer = clock.setTimer(() => this.#watch(), this.#backoff.next() + (isDenied ? 1_000 : 0));
  }
}

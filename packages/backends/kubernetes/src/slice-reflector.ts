import {
  Backoff,
  onAbort,
  sleep,
  type BackendUnavailableError,
  type Clock,
  type Rng,
  type WatchFeed,
} from '@sd/core';
import type { ApiClient } from './api-client.ts';
import { ExpiredError, unavailable } from './kubernetes-errors.ts';
import { isOlder } from './resource-version.ts';
import type { ServiceNames } from './service-names.ts';
import { listSlices, sampleSlices, selector, type SliceScope } from './slice-list.ts';
import type { SliceMapping } from './slice-mapping.ts';
import { serviceKey, SliceStore } from './slice-store.ts';
import { readEvent } from './watch-event.ts';
import { WatchedService } from './watched-service.ts';

export interface SliceReflectorOptions {
  readonly api: ApiClient;
  readonly names: ServiceNames;
  readonly mapping: SliceMapping;
  readonly labelSelector: string | undefined;
  readonly relistMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  /** Called when it has failed, or without an error when nobody watches any more; what is watched then takes a new one. */
  readonly onEnd: (error?: unknown) => void;
}

/** A watch that lasted for so long was no hiccup, in milliseconds. */
const steadyMs = 5_000;
/** So many watches in a row that end at once and without a word mean that watching does not work. */
const mostMute = 8;

/** What became of a watch. */
interface WatchCourse {
  openedAt: number;
  /** It has not said anything. */
  isMute: boolean;
  failure: BackendUnavailableError | undefined;
}

/** Why a watch is over: it can be taken up where it ended, or all must be listed anew. */
type WatchEnd = 'ended' | 'stale';

/**
 * One list and one watch for all services of a scope. It goes on by itself where nothing can have been missed: when the
 * server ends a watch, as it does every few minutes, when the connection is cut, when the history is gone. Whatever
 * else happens fails all feeds, and so do data that are older than what they know.
 */
export class SliceReflector {
  readonly #options: SliceReflectorOptions;
  readonly #store = new SliceStore();
  readonly #waiting = new Set<WatchFeed>();
  readonly #watched = new Map<string, Set<WatchedService>>();
  readonly #over = new AbortController();
  readonly #backoff: Backoff;
  #namespace = '';
  #scope: SliceScope = { namespace: '' };
  /** Of the newest data that are known; empty before the first list. */
  #version = '';
  #relistAt = 0;
  #muteWatches = 0;

  constructor(options: SliceReflectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 100, capMs: 2_000, rng: options.rng });
  }

  start(): void {
    void this.#run();
  }

  add(feed: WatchFeed): void {
    if (this.#version === '') {
      this.#waiting.add(feed);
      onAbort(feed.signal, () => {
        this.#waiting.delete(feed);
        this.#endIfUnwatched();
      });
    } else this.#attach(feed);
  }

  #attach(feed: WatchFeed): void {
    const { names, mapping } = this.#options;
    const { namespace, service } = names.place(feed.service, this.#namespace);
    const key = serviceKey(namespace, service);
    const watched = new WatchedService(feed, mapping, () => this.#store.slicesOf(key));
    const others = this.#watched.get(key) ?? new Set();
    this.#watched.set(key, others.add(watched));
    onAbort(feed.signal, () => {
      others.delete(watched);
      if (others.size === 0) this.#watched.delete(key);
      this.#endIfUnwatched();
    });
    watched.tell();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { api, names, labelSelector } = this.#options;
    const { signal } = this.#over;
    try {
      this.#namespace = await api.namespace(signal);
      this.#scope = { namespace: names.scope(this.#namespace), labelSelector };
      for (;;) {
        await this.#list();
        while ((await this.#watch()) === 'ended') {
          await this.#pause();
          const { version, slices } = await sampleSlices(api, this.#scope, signal);
          this.#assertContinues(version);
          // A store that has lost its data counts its revisions anew, and may be beyond ours by now.
          if (this.#store.knowsNoneOf(slices) || this.#store.missed(slices, this.#version)) break;
        }
        await this.#pause();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #list(): Promise<void> {
    const { api, relistMs, clock, rng } = this.#options;
    const { version, slices } = await listSlices(api, this.#scope, this.#over.signal);
    this.#over.signal.throwIfAborted();
    this.#assertContinues(version);
    if (this.#store.knowsNoneOf(slices)) {
      throw unavailable('the store has nothing of what was known; was it restored, or are its data lost?');
    }
    this.#version = version;
    this.#relistAt = clock.monotonic() + relistMs * (0.8 + 0.4 * rng());
    for (const key of this.#store.replace(slices)) this.#tell(key);
    for (const feed of [...this.#waiting]) {
      this.#waiting.delete(feed);
      this.#attach(feed);
    }
  }

  async #watch(): Promise<WatchEnd> {
    const { api, clock, rng } = this.#options;
    this.#over.signal.throwIfAborted(); // it may have aborted in the moment between an answer and here
    const part = new AbortController();
    const timer = clock.setTimer(() => part.abort(), this.#relistAt - clock.monotonic());
    const forget = onAbort(this.#over.signal, () => {
      timer.cancel();
      part.abort(this.#over.signal.reason);
    });
    const parameters = {
      labelSelector: selector(this.#scope),
      resourceVersion: this.#version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(300 + Math.floor(rng() * 301)),
    };
    const course: WatchCourse = { openedAt: Infinity, isMute: true, failure: undefined };
    try {
      await api.stream(
        { ...this.#scope, verb: 'watch', parameters, signal: part.signal },
        {
          onOpen: () => (course.openedAt = clock.monotonic()),
          onLine: (line) => {
            course.isMute = false;
            const problem = this.#apply(line);
            if (problem === undefined) return;
            if (problem !== 'stale') course.failure ??= problem;
            part.abort();
          },
        },
      );
    } catch (error) {
      if (error instanceof ExpiredError) return 'stale';
      if (!part.signal.aborted) throw error;
    } finally {
      timer.cancel();
      forget();
    }
    if (course.failure !== undefined) throw course.failure;
    this.#over.signal.throwIfAborted();
    const wasSteady = clock.monotonic() - course.openedAt >= steadyMs;
    if (wasSteady) this.#backoff.reset();
    this.#muteWatches = wasSteady || !course.isMute || part.signal.aborted ? 0 : this.#muteWatches + 1;
    if (this.#muteWatches === mostMute)
      throw unavailable(`${mostMute} watches in a row ended as soon as they began`);
    return part.signal.aborted ? 'stale' : 'ended';
  }

  /** @returns why the watch cannot go on; an error when the server says so */
  #apply(line: string): 'stale' | BackendUnavailableError | undefined {
    const event = readEvent(line);
    switch (event.type) {
      case 'put':
        for (const key of this.#store.put(event.slice)) this.#tell(key);
        break;
      case 'delete':
        for (const key of this.#store.delete(event.key)) this.#tell(key);
        break;
      case 'error':
        if (event.code === 410) return 'stale';
        return unavailable(`the watch ended with an error: ${event.message}`);
      case 'unreadable':
        return 'stale';
      case 'bookmark':
    }
    if (isOlder(this.#version, event.version)) this.#version = event.version;
    return undefined;
  }

  #tell(key: string): void {
    for (const watched of this.#watched.get(key) ?? []) watched.tell();
  }

  /** Servers that end each watch at once are not hammered. */
  #pause(): Promise<void> {
    return sleep(this.#options.clock, this.#backoff.next(), { signal: this.#over.signal });
  }

  /** A watch from a revision of the future is silent until that is reached. */
  #assertContinues(version: string): void {
    if (!isOlder(version, this.#version)) return;
    throw unavailable(
      `the store has gone back from revision ${this.#version} to ${version}; was it restored, or are its data lost?`,
    );
  }

  #endIfUnwatched(): void {
    if (this.#waiting.size === 0 && this.#watched.size === 0) this.#end();
  }

  #fail(error: unknown): void {
    if (this.#over.signal.aborted) return;
    const watched = [...this.#watched.values()].flatMap((some) => [...some]);
    const feeds = [...this.#waiting, ...watched.map(({ feed }) => feed)];
    this.#end(error);
    for (const feed of feeds) feed.fail(error);
  }

  #end(error?: unknown): void {
    if (this.#over.signal.aborted) return;
    this.#options.onEnd(error);
    this.#over.abort();
  }
}

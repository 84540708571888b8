import { Latest } from './latest.ts';
import { onAbort } from './on-abort.ts';
import { sameInstance, validateServiceName, type ServiceInstance } from './service-instance.ts';

/** Where a backend puts what it knows of a service that is watched. */
export interface WatchFeed {
  readonly service: string;
  /**
   * All instances now; of several with one id the last counts. They are read once, and not before a watch asks for them,
   * so that a burst of changes costs one. When they say the same as before, nobody is told.
   */
  push(instances: Iterable<ServiceInstance>): void;
  /** Ends all watches of the service with this error, and its source. */
  fail(error: unknown): void;
  /** Aborts when nobody watches any more, and when it has failed. */
  readonly signal: AbortSignal;
}

type Snapshot = readonly ServiceInstance[];

/**
 * One source for all watches of a service: it begins with the first of them and ends with the last. Sources have no
 * retries: what one cannot make up for it tells `fail()`, and whoever supervises the watches begins anew.
 */
export class SharedWatches {
  readonly #start: (feed: WatchFeed) => void;
  readonly #feeds = new Map<string, Feed>();
  #closed: { readonly error: unknown } | undefined;

  /** @param start begins to feed, at once or later; what it throws fails the feed */
  constructor(start: (feed: WatchFeed) => void) {
    this.#start = start;
  }

  /** Names of the services that are watched now. */
  get services(): Iterable<string> {
    return this.#feeds.keys();
  }

  async *watch(service: string, signal: AbortSignal): AsyncGenerator<Snapshot, void, undefined> {
    validateServiceName(service);
    if (this.#closed !== undefined) throw this.#closed.error;
    const isOver = (): boolean => signal.aborted;
    if (isOver()) return;
    const changes = new Latest<undefined>();
    const finish = (): void => {
      watch.forget();
      feed.delete(watch);
      changes.end();
    };
    const watch: Watch = { changes, forget: onAbort(signal, finish) };
    const feed = this.#feedOf(service, watch);
    try {
      let last: Snapshot | undefined;
      for await (const _ of changes) {
        if (isOver()) return;
        if (feed.snapshot !== last) yield (last = feed.snapshot);
      }
    } finally {
      finish();
    }
  }

  /** Ends all watches with this error, and refuses new ones with it. */
  close(error: unknown): void {
    this.#closed ??= { error };
    this.fail(error);
  }

  /** Ends all watches with this error. */
  fail(error: unknown): void {
    for (const feed of [...this.#feeds.values()]) feed.fail(error);
  }

  #feedOf(service: string, watch: Watch): Feed {
    const known = this.#feeds.get(service);
    if (known !== undefined) {
      known.add(watch);
      return known;
    }
    const feed: Feed = new Feed(service, () => {
      if (this.#feeds.get(service) === feed) this.#feeds.delete(service);
    });
    this.#feeds.set(service, feed);
    feed.add(watch);
    try {
      this.#start(feed);
    } catch (error) {
      feed.fail(error);
    }
    return feed;
  }
}

interface Watch {
  readonly changes: Latest<undefined>;
  /** Its reader may never ask again, so this is not left to it. */
  readonly forget: () => void;
}

class Feed implements WatchFeed {
  readonly service: string;
  readonly #onEnd: () => void;
  readonly #watches = new Set<Watch>();
  readonly #over = new AbortController();
  /** Not read yet. */
  #pushed: Iterable<ServiceInstance> | undefined;
  #instances: ReadonlyMap<string, ServiceInstance> | undefined;
  #snapshot: Snapshot = [];

  constructor(service: string, onEnd: () => void) {
    this.service = service;
    this.#onEnd = onEnd;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** What was pushed last; the same array as long as it says the same. */
  get snapshot(): Snapshot {
    const pushed = this.#pushed;
    this.#pushed = undefined;
    try {
      if (pushed !== undefined) this.#read(pushed);
    } catch (error) {
      this.fail(error); // the others would never learn that they miss it
      throw error;
    }
    return this.#snapshot;
  }

  add(watch: Watch): void {
    this.#watches.add(watch);
    if (this.#pushed !== undefined || this.#instances !== undefined) watch.changes.push(undefined);
  }

  delete(watch: Watch): void {
    this.#watches.delete(watch);
    if (this.#watches.size === 0) this.#end();
  }

  push(instances: Iterable<ServiceInstance>): void {
    if (this.#over.signal.aborted) return;
    this.#pushed = instances;
    for (const { changes } of this.#watches) changes.push(undefined);
  }

  fail(error: unknown): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    this.#end();
    for (const { changes, forget } of watches) {
      forget();
      changes.fail(error);
    }
  }

  #read(instances: Iterable<ServiceInstance>): void {
    const known = this.#instances;
    const next = new Map<string, ServiceInstance>();
    let isNews = known === undefined;
    for (const instance of instances) {
      const before = known?.get(instance.id);
      const isSame = before !== undefined && sameInstance(before, instance);
      if (!isSame) isNews = true;
      next.set(instance.id, isSame ? before : instance);
    }
    if (!isNews && next.size === known?.size) return;
    this.#instances = next;
    this.#snapshot = Object.freeze([...next.values()]);
  }

  #end(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#onEnd();
  }
}

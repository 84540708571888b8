import { onAbort, type Clock, type Timer } from '@sd/core';
import type { IEvent, IWatchResponse } from 'etcd3';
import type { Connection, OpenWatch } from './connection.ts';
import type { KeyRange } from './key-range.ts';

export interface StreamListener {
  onEvents(events: readonly IEvent[]): void;
  /** etcd watches no more. Of a history that it has forgotten, this is the oldest revision that it still knows. */
  onCancelled(reason: string, oldestRevision: number): void;
  /** Events may have been missed from now on. */
  onLost(error: unknown): void;
}

export interface WatchStreamOptions {
  readonly connection: Connection;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly onEnd: (stream: WatchStream) => void;
}

/**
 * Many watches over one stream of etcd. It ends with the last of them. Whenever a watch is added, etcd looks at the token
 * that the stream was opened with.
 */
export class WatchStream {
  readonly #options: WatchStreamOptions;
  readonly #open: OpenWatch;
  readonly #listeners = new Map<string, StreamListener>();
  /** Ids of watches that etcd has not confirmed, in the order that it does so. */
  readonly #creating: string[] = [];
  readonly #forget: () => void;
  #users = 0;
  #lastId = 0;
  #heardAt: number;
  #probedAt: number | undefined;
  #timer: Timer | undefined;
  #end: { readonly error: unknown } | undefined;

  constructor(open: OpenWatch, options: WatchStreamOptions) {
    this.#options = options;
    this.#open = open;
    this.#heardAt = options.clock.monotonic();
    const { stream, link } = open;
    this.#forget = onAbort(link.closed, () => this.#lost(link.closed.reason));
    stream.on('data', (response) => this.#onResponse(response));
    stream.on('error', (error) => this.#lost(error));
    stream.on('end', () => this.#lost(new Error('etcd has ended the stream of watches')));
    if (link.isOpen) this.#probeAt(this.#heardAt + options.timeoutMs);
    else this.#lost(link.closed.reason);
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** It is wanted, until the returned function is called, once or more. */
  use(): () => void {
    this.#users += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#users -= 1;
      if (this.#users === 0) this.#lost(new Error('nobody watches any more'));
    };
  }

  /** @returns how to stop it. @throws what has ended the stream */
  watch(range: KeyRange, fromRevision: number, listener: StreamListener): () => void {
    if (this.#end !== undefined) throw this.#end.error;
    this.#lastId += 1;
    const id = String(this.#lastId);
    this.#listeners.set(id, listener);
    this.#creating.push(id);
    this.#open.stream.write({
      create_request: {
        ...range,
        start_revision: fromRevision,
        watch_id: id,
        progress_notify: true,
        fragment: true, // what a revision changed need not fit into one message
      },
    });
    return () => {
      if (!this.#listeners.delete(id) || this.#end !== undefined) return;
      this.#open.stream.write({ cancel_request: { watch_id: id } });
    };
  }

  #onResponse({
    watch_id,
    created,
    canceled,
    cancel_reason,
    compact_revision,
    events,
  }: IWatchResponse): void {
    this.#heardAt = this.#options.clock.monotonic();
    this.#open.link.heard();
    // One that is refused has no id.
    const id = (created ? this.#creating.shift() : undefined) ?? watch_id;
    const listener = this.#listeners.get(id);
    if (canceled) {
      this.#listeners.delete(id);
      listener?.onCancelled(cancel_reason, Number(compact_revision));
    } else if (events.length > 0) listener?.onEvents(events);
  }

  /** A quiet stream may be a dead one. */
  #probeAt(time: number): void {
    const { clock, timeoutMs, connection } = this.#options;
    this.#timer = clock.setTimer(() => {
      const now = clock.monotonic();
      const probedAt = this.#probedAt;
      this.#probedAt = undefined;
      if (probedAt !== undefined && this.#heardAt < probedAt) {
        const silence = new Error(`its stream of watches has said nothing for ${timeoutMs} ms`);
        return connection.drop(this.#open.link, silence);
      }
      if (now < this.#heardAt + timeoutMs) return this.#probeAt(this.#heardAt + timeoutMs);
      this.#probedAt = now;
      this.#open.stream.write({ progress_request: {} });
      this.#probeAt(now + timeoutMs);
    }, time - clock.monotonic());
  }

  #lost(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#timer?.cancel();
    this.#forget();
    this.#open.stream.cancel();
    this.#options.onEnd(this);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener.onLost(error);
  }
}

import type { IEvent, IKeyValue } from 'etcd3';
import type { Connection, RequestContext } from './connection.ts';
import type { KeyRange } from './key-range.ts';
import type { ReadBatches } from './read-batches.ts';
import type { WatchStreams } from './watch-streams.ts';

export interface RangeListener {
  /** All there is, at this revision; it comes again where events are lost that etcd has forgotten. */
  onSnapshot(entries: readonly IKeyValue[], revision: number): void;
  /** What came after. */
  onEvents(events: readonly IEvent[]): void;
  /** It is over: what changes from now on is not seen. */
  onLost(error: unknown): void;
}

/** What all watches of a process share. */
export interface WatchSources {
  readonly connection: Connection;
  readonly streams: WatchStreams;
  readonly reads: ReadBatches;
}

export interface RangeWatchOptions extends WatchSources {
  readonly range: KeyRange;
  /** Whether the snapshot needs no values. Default: false. */
  readonly keysOnly?: boolean;
  readonly context: RequestContext & { readonly signal: AbortSignal };
  readonly listener: RangeListener;
}

/**
 * A range of keys, read and then watched from the next revision on, so that nothing falls in between. Both go over one
 * link: a revision says nothing to another store.
 */
export function watchRange(options: RangeWatchOptions): void {
  const { context, listener, connection } = options;
  const { signal } = context;
  const fail = (error: unknown): void => {
    if (!signal.aborted) listener.onLost(connection.typed(error, context));
  };
  readAndWatch(options, fail, false).catch(fail);
}

async function readAndWatch(
  options: RangeWatchOptions,
  fail: (error: unknown) => void,
  hasNewToken: boolean,
): Promise<void> {
  const { connection, streams, reads, range, keysOnly = false, context, listener } = options;
  const { signal } = context;
  const again = (isNewToken: boolean): void => {
    readAndWatch(options, fail, isNewToken).catch(fail);
  };
  let stream = await streams.get();
  // The last who used it may just have left.
  if (!stream.isOpen) stream = await streams.get();
  const leave = stream.use();
  let stop: (() => void) | undefined;
  const end = (): void => {
    signal.removeEventListener('abort', end);
    stop?.();
    leave();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const { kvs, revision } = await reads.read(range, keysOnly, context);
    signal.throwIfAborted();
    listener.onSnapshot(kvs, revision);
    if (signal.aborted) return;
    stop = stream.watch(range, revision + 1, {
      onEvents: (events) => listener.onEvents(events),
      onCancelled: (reason, oldestRevision) => {
        end();
        if (oldestRevision > 0) again(hasNewToken);
        else if (mayBeToken(reason) && connection.hasLogin && !hasNewToken) {
          streams.retire(stream);
          again(true);
        } else fail(new Error(reason));
      },
      onLost: (error) => {
        end();
        fail(error);
      },
    });
  } catch (error) {
    end();
    throw error;
  }
}

/** Where the right to watch is missing, reading has failed before. */
const mayBeToken = (reason: string): boolean => /permission denied|token|auth/.test(reason);

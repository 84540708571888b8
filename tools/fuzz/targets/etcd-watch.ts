import { ManualClock } from '@sd/core';
import { EventEmitter } from 'node:events';
import type { Connection, OpenWatch } from '../../../packages/backends/etcd/src/connection.ts';
import { WatchStream } from '../../../packages/backends/etcd/src/watch-stream.ts';
import { field, holds, listOf, parseJson, textOf } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** What comes over a stream of watches, in any order: confirmations, events, ends. Its types are those of protobuf. */
export const etcdWatch: FuzzTarget = {
  name: 'etcd-watch',
  format: 'json',
  seeds: [
    '[{"created":true,"watch_id":"1"},{"created":true,"watch_id":"2"},{"watch_id":"1","events":["a","b"]},{"watch_id":"2","canceled":true,"compact_revision":"7"}]',
    '[{"created":true,"canceled":true,"watch_id":"-1","cancel_reason":"permission denied"},{"watch_id":"9","events":["x"]},"error","end"]',
    '["stop",{"watch_id":"1","events":["late"]},"close",{"created":true}]',
  ],
  words: ['1', '2', '-1', 'created', 'canceled', 'events', 'error', 'end', 'stop', 'close'],
  run(input) {
    const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
    const closed = new AbortController();
    const link = { closed: closed.signal, isOpen: true, heard: () => undefined };
    let ends = 0;
    // Of both no more is needed here.
    const watches = new WatchStream({ stream, link } as unknown as OpenWatch, {
      connection: {} as unknown as Connection,
      timeoutMs: 1_000,
      clock: new ManualClock(),
      onEnd: () => (ends += 1),
    });
    const ended = [0, 0];
    const stops = ended.map((_, index) =>
      watches.watch({ key: Buffer.from('a') }, 1, {
        onEvents: () => holds(ended[index] === 0, 'an event after the end'),
        onCancelled: () => void (ended[index]! += 1), // one for each
        onLost: () => void (ended[index]! += 1), // one for each
      }),
    );
    for (const message of listOf(parseJson(input)).slice(0, 200)) {
      if (message === 'error') stream.emit('error', new Error('cut'));
      else if (message === 'end') stream.emit('end');
      else if (message === 'close') closed.abort(new Error('closed'));
      else if (message === 'stop') {
        stops[0]?.();
        ended[0] = Math.max(1, ended[0]!); // one for each
      } else stream.emit('data', responseOf(message));
    }
    holds(
      ended.every((count) => count <= 1),
      'a watch has ended twice',
    );
    stream.emit('end');
    holds(ends === 1 && !watches.isOpen, `the stream has ended ${ends} times`);
    holds(
      ended.every((count) => count === 1),
      'a watch never heard of the end',
    );
  },
};

/** As protobuf makes it: each field is there, and of its type. */
function responseOf(message: unknown): object {
  const events = listOf(field(message, 'events')).map((key) => ({
    type: 'Put',
    kv: { key: Buffer.from(textOf(key)), value: Buffer.alloc(0) },
  }));
  return {
    watch_id: textOf(field(message, 'watch_id'), '0'),
    created: field(message, 'created') === true,
    canceled: field(message, 'canceled') === true,
    cancel_reason: textOf(field(message, 'cancel_reason')),
    compact_revision: textOf(field(message, 'compact_revision'), '0'),
    events,
  };
}

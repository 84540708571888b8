import type { IncomingMessage } from 'node:http';
import { onAbort, type Clock } from '@sd/core';

/** No object in etcd is longer than 1.5 MB. */
const longestLine = 8_388_608;

export interface LineReaderOptions {
  readonly clock: Clock;
  /** Silence that ends the reading, in milliseconds. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Must not throw. */
  readonly onLine: (line: string) => void;
}

/**
 * Reads lines until the response ends, is cut, has been silent for too long or is no longer wanted: all of these resolve,
 * as what came until then is good. Lines lie across chunks as they like, and so do the bytes of a character.
 */
export function readLines(
  response: IncomingMessage,
  { clock, idleMs, signal, onLine }: LineReaderOptions,
): Promise<void> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    let heardAt = clock.monotonic();
    const watchIdleness = (): void => {
      const leftMs = heardAt + idleMs - clock.monotonic();
      if (leftMs <= 0) finish();
      else timer = clock.setTimer(watchIdleness, leftMs);
    };
    let timer = clock.setTimer(watchIdleness, idleMs);
    const finish = (): void => {
      timer.cancel();
      forget();
      response.destroy();
      resolve();
    };
    const forget = onAbort(signal, finish);

    response.on('data', (chunk: Buffer) => {
      heardAt = clock.monotonic();
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(10, start);
        if (end === -1 || signal.aborted) break;
        const rest = chunk.subarray(start, end);
        const line = parts.length === 0 ? rest : Buffer.concat([...parts.splice(0), rest]);
        size = 0;
        start = end + 1;
        if (line.length > 0) onLine(line.toString());
      }
      if (start < chunk.length) parts.push(chunk.subarray(start));
      size += chunk.length - start;
      if (size > longestLine) finish();
    });
    response.on('error', () => undefined); // 'close' follows
    response.on('close', finish);
    if (signal.aborted || response.closed) finish();
  });
}

import { ManualClock } from '@sd/core';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { readLines } from '../../../packages/backends/kubernetes/src/line-reader.ts';
import { isOlder } from '../../../packages/backends/kubernetes/src/resource-version.ts';
import { readEvent } from '../../../packages/backends/kubernetes/src/watch-event.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';
import { recordedWatches } from './kubernetes-recordings.ts';

/** The body of a watch: the same lines wherever it is cut, and each line an event, or unreadable. */
export const kubernetesLines: FuzzTarget = {
  name: 'kubernetes-lines',
  format: 'lines',
  seeds: [
    ...recordedWatches,
    '{"type":"DELETED","object":{"metadata":{"namespace":"demo","name":"web-1","resourceVersion":"7"}}}\n{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}}\n',
    '{"type":"ERROR","object":{"code":410,"message":"too old"}}\n\n\r\n',
  ],
  words: [
    'ADDED',
    'MODIFIED',
    'DELETED',
    'BOOKMARK',
    'ERROR',
    'metadata',
    'resourceVersion',
    'code',
    'message',
    '410',
    '007',
  ],
  testRuns: 150,
  async run(input) {
    const lines = input.toString().split('\n');
    lines.pop(); // what does not end is no line
    const expected = lines.filter((line) => line !== '');
    for (const step of [input.length + 1, 7]) {
      const read = await linesOf(input, step);
      holds(read.join('\n') === expected.join('\n'), 'other lines when they are cut elsewhere');
    }
    for (const line of expected) {
      const event = readEvent(line);
      if (event.type === 'error') holds(event.message.length <= 1_000, 'a message without bounds');
      if (event.type === 'put')
        holds(event.slice.name !== '' || line.includes('""'), 'a slice without a name');
      if (event.type === 'delete') holds(line.includes('DELETED'), 'a deletion that nobody told of');
      if ('version' in event) holds(!isOlder(event.version, event.version), 'a version older than itself');
    }
  },
};

async function linesOf(bytes: Buffer, step: number): Promise<readonly string[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) chunks.push(bytes.subarray(at, at + step));
  const lines: string[] = [];
  // Of a response it is a stream of bytes that counts.
  const response = Readable.from(chunks, { objectMode: false }) as unknown as IncomingMessage;
  await readLines(response, {
    clock: new ManualClock(),
    idleMs: 1_000,
    signal: new AbortController().signal,
    onLine: (line) => lines.push(line),
  });
  return lines;
}

import { seededRng, type RegistryBackend } from '@sd/core';
import { RedisBackend } from '@sd/redis';
import { silentLogger } from '@sd/testkit';
import { scripts } from '../../../../packages/backends/redis/src/script.ts';
import type { Dialect } from '../dialect.ts';
import type { Store } from '../store.ts';

/** RESP2, in both directions. Answers come in the order of the requests, so that nothing is to be patched. */
const dialect: Dialect = {
  lengthOf: (bytes) => endOf(bytes, 0),
  keyOf(request) {
    const [command = '', script = '', ...args] = wordsOf(request);
    const known = Object.values(scripts).find(({ sha, source }) => script === sha || script === source);
    // What comes after the keys is another in each run.
    return known === undefined
      ? [command, script].join(' ').trim()
      : `${command} ${known.name} ${args[1] ?? ''}`;
  },
  isPush: (message) => message.includes('$7\r\nmessage\r\n'),
};

/** Where the value that begins at `start` ends; undefined while it is not whole. */
function endOf(bytes: Buffer, start: number): number | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return undefined;
  const kind = bytes.toString('latin1', start, start + 1);
  const count = Number(bytes.toString('latin1', start + 1, lineEnd));
  if (kind === '$') return count < 0 ? lineEnd + 2 : lineEnd + 2 + count + 2;
  let end: number | undefined = lineEnd + 2;
  for (let n = 0; kind === '*' && n < count && end !== undefined; n += 1) end = endOf(bytes, end);
  return end;
}

/** Those of a request: an array of texts. */
function wordsOf(request: Buffer): string[] {
  const words: string[] = [];
  for (let at = request.indexOf('\r\n') + 2; at < request.length;) {
    const lineEnd = request.indexOf('\r\n', at);
    const length = Number(request.toString('latin1', at + 1, lineEnd));
    words.push(request.toString('utf8', lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return words;
}

/** What a reply may be, and nobody expects. */
const nothings = [
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n*0\r\n',
  '_\r\n',
  '%0\r\n',
  '>0\r\n',
];

export const redis: Store<RegistryBackend> = {
  name: 'redis',
  dialect,
  words: [
    ...nothings,
    ':1\r\n',
    '-ERR x\r\n',
    '*2\r\n',
    '*9999999999\r\n',
    '$999999999\r\n',
    '$7\r\nmessage\r\n',
  ],
  open: (port, clock) =>
    new RedisBackend({ url: `redis://127.0.0.1:${port}`, logger: silentLogger, rng: seededRng(1), clock }),
};

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Redis as Redis6 } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { ReplyCheck } from '../src/reply-check.ts';
import { openBackend } from './open-backend.ts';

const confirmation = '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n';

/** Is content with everything, except that it has its own answer to whoever subscribes. */
async function hostileServer(answer: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      const requests = bytes.toString().split('*').slice(1);
      for (const request of requests) socket.write(request.includes('subscribe') ? answer : '+OK\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

// Without a guard these end the process: ioredis throws where nobody can catch it.
describe.each([
  ['ioredis 6', (port: number) => new Redis6({ port, lazyConnect: true })],
  // Its types differ, and nothing else that is used here.
  ['ioredis 5', (port: number) => new Redis5({ port, lazyConnect: true }) as unknown as Redis6],
])('%s', (_, connect) => {
  it.each([
    ['nothing where a confirmation should be', '*-1\r\n'],
    ['a text of nothing', '$-1\r\n'],
    ['a confirmation of nothing', '*3\r\n$9\r\nsubscribe\r\n$-1\r\n:1\r\n'],
    ['an empty message', `${confirmation}*0\r\n`],
    ['a message of nothing', `${confirmation}*1\r\n$-1\r\n`],
    ['a message without a text', `${confirmation}*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n`],
    ['nothing where a message should be', `${confirmation}*-1\r\n`],
    ['more values than there is memory for', '*99999999999\r\n'],
    ['a push of RESP3', '>1\r\n_\r\n'],
  ])('a watch that is sent %s ends with a typed error', async (_what, answer) => {
    const port = await hostileServer(answer);
    const backend = openBackend({ client: connect(port), timeoutMs: 300 });
    const watch = backend.watch('orders', { signal: new AbortController().signal });
    // Its reading is answered with a text, which is no records: then it is empty.
    const outcome = watch.next().then(() => watch.next());
    await expect(outcome).rejects.toBeInstanceOf(BackendUnavailableError);
  });
});

describe('what a server sends', () => {
  const checked = (text: string, { isOfMessages = false, step = Infinity } = {}): string | undefined => {
    const check = new ReplyCheck({ isOfMessages });
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += step) {
      const problem = check.push(bytes.subarray(at, at + step));
      if (problem !== undefined) return problem;
    }
    return undefined;
  };

  it.each([Infinity, 1, 5])('is RESP2, in pieces of %d bytes', (step) => {
    const replies =
      '+OK\r\n-ERR no\r\n:-7\r\n$5\r\na\r\nbc\r\n*0\r\n*2\r\n*2\r\n$1\r\na\r\n$-1\r\n:1\r\n$0\r\n\r\n';
    expect(checked(replies, { step })).toBeUndefined();
    expect(checked(`+OK\r\n${confirmation}-ERR no\r\n`, { isOfMessages: true, step })).toBeUndefined();
    expect(checked(`${replies}_\r\n`, { step })).toBe('"_" where a reply should be');
    expect(checked('$2\r\nab\r\n*-1\r\n', { step })).toBe('"*-1" where a reply should be');
  });

  it.each([
    ['an array that is too long', '*4194305\r\n'],
    ['arrays that are too deep', '*1\r\n'.repeat(9)],
    ['a length that is no number', '$1a\r\n'],
    ['a line that has two ends', '+a\rb\r\n'],
    ['a line that has no end', 'x'.repeat(70_000)],
  ])('is refused: %s', (_, text) => {
    expect(checked(text)).toBeDefined();
  });
});

import { credentials, Metadata, type CallOptions } from '@grpc/grpc-js';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { connected, inTurn, startOrders, tally } from './fixture.ts';

describe('calls to sd:///orders', () => {
  it('go to its instances in turn', async () => {
    const { client, instances } = await startOrders({ handlers: [{}, {}, {}] });
    await connected(client, 3);

    const answers = await inTurn(30, () => client.get());

    expect(tally(answers)).toEqual(new Map(instances.map(({ port }) => [String(port), 10])));
  });

  it.each([
    ['their credentials cannot be had', () => ({ credentials: tokens(0, new Error('no token')) })],
    [
      'their deadline passes before their credentials are there',
      () => ({ credentials: tokens(50), deadline: Date.now() + 20 }),
    ],
  ])('take no place at an instance when %s', async (_why, options: () => CallOptions) => {
    const { client, discovery } = await startOrders();
    await connected(client, 1);
    await inTurn(5, () => client.get('any', options()).catch(() => undefined));
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]);
  });

  it('are unary, and streams of the server, the client and both', async () => {
    const { client } = await startOrders({
      handlers: [
        {
          get: ({ request }, reply) => reply(null, `order ${request}`),
          list: (call) => {
            for (const item of ['a', 'b', 'c']) call.write(item);
            call.end();
          },
          send: (call, reply) => {
            let sum = 0;
            call.on('data', (part: string) => (sum += Number(part)));
            call.on('end', () => reply(null, String(sum)));
          },
          chat: (call) => {
            call.on('data', (part: string) => call.write(part.toUpperCase()));
            call.on('end', () => call.end());
          },
        },
      ],
    });

    expect(await client.get('7')).toBe('order 7');
    expect(await text(client.list())).toBe('abc');
    const sum = new Promise((resolve, reject) => {
      const call = client.send((error, answer) => (error ? reject(error) : resolve(answer)));
      for (const part of ['1', '2', '3']) call.write(part);
      call.end();
    });
    expect(await sum).toBe('6');
    const chat = client.chat();
    chat.write('hello');
    expect(await once(chat, 'data')).toEqual(['HELLO']);
    chat.end();
    await once(chat, 'end');
  });
});

const tokens = (afterMs: number, error: Error | null = null) =>
  credentials.createFromMetadataGenerator((_options, callback) => {
    setTimeout(() => (error === null ? callback(null, new Metadata()) : callback(error)), afterMs);
  });

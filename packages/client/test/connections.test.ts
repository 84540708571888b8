import { ConnectionError } from '@sd/discovery';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { echo, portOf, startService } from './fixture.ts';

it('lets go of an idle connection before its server does, so that no request meets a closed one', async () => {
  const { client, publish } = await startService([]);
  const server = createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
  server.keepAliveTimeout = 2_000;
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await publish({ port: portOf(server.address()) });
  const connected = once(server, 'connection');

  await client.get('/');

  const [socket] = (await connected) as [Socket];
  const whoEnded = await Promise.race([once(socket, 'end').then(() => 'client'), delay(1_900, 'server')]);
  expect(whoEnded).toBe('client');
});

it.each([Infinity, 2 ** 31])('may be as long in opening as %s ms', async (connectTimeoutMs) => {
  const warned = vi.fn();
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const { client } = await startService([echo], { connectTimeoutMs });
  await client.get('/');
  expect(warned).not.toHaveBeenCalled(); // of a timer that fires after 1 ms
});

it.each(['request', 'stream'] as const)('closes one that its server upgrades unasked: %s', async (way) => {
  let closed: Promise<unknown> = Promise.resolve();
  const { client } = await startService([
    ({ socket }) => {
      closed = once(socket, 'close');
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    },
  ]);

  await expect(client[way]('POST', '/')).rejects.toThrow(ConnectionError);

  await closed;
});

import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { credentials } from '@grpc/grpc-js';
import { systemClock } from '@sd/core';
import { eventually } from '@sd/testkit';
import { expect, it, onTestFinished } from 'vitest';
import { Link } from '../src/link.ts';

it.each([
  ['http', credentials.createInsecure()],
  ['https', credentials.createSsl()],
])('leaves no connection of %s behind, whenever it is given up while it is made', async (scheme, given) => {
  const accepted: Socket[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    accepted.push(socket);
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const endpoint = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;

  for (let turns = 0; turns < 20; turns += 1) {
    const link = new Link({ endpoint, credentials: given, clock: systemClock });
    const connecting = link.connect(5_000, new AbortController().signal);
    for (let passed = 0; passed < turns; passed += 1) await turn();
    link.close(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
  }

  await eventually(() => expect(open.size).toBe(0), { timeoutMs: 3_000 });
  expect(accepted.length).toBeGreaterThan(0);
});

it('leaves no connection behind to a server that has sent nonsense, and does not hang up', async () => {
  let said = '';
  const server = createServer((socket) => {
    socket.write(settings);
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const accepted = once(server, 'connection');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const link = new Link({ endpoint, credentials: credentials.createInsecure(), clock: systemClock });
  await link.connect(5_000, new AbortController().signal);
  const [socket] = (await accepted) as [Socket];
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(3_000) });

  const asked = link.unary('Maintenance', 'status', {});
  await eventually(() => expect(said).toContain(wholeRequest));
  socket.write('this is no frame of HTTP/2');
  await eventually(() => expect(said).toContain('frame size')); // its reason to go away
  link.close(new Error('given up'));

  await expect(asked).rejects.toThrow('given up');
  await closed;
});

/** How the last frame of the first request begins: 5 bytes of DATA, the end of stream 1. */
const wholeRequest = '\0\0\x05\0\x01\0\0\0\x01';

/** An empty SETTINGS frame. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

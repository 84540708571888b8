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

// 10,000 instances join, are called once or so, and leave again. Prints what is left of that.
import { DiscoveryClient } from '@sd/client';
import { createInstance } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiscoveryAgent } from '../src/index.ts';
import { portOf, silent } from './fixture.ts';

const changes = 10_000;
const atOnce = 10;

let connections = 0;
const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
server.on('connection', (socket) => {
  connections += 1;
  socket.once('close', () => (connections -= 1));
});
await once(server, 'listening');
const backend = new MemoryBackend({ store: new MemoryStore() });
const follow = { coalesceMs: 1 } as const;
const discovery = new DiscoveryClient({ backend, logger: silent, follow });
const agent = new DiscoveryAgent({ discovery });
const port = portOf(server);
let failed = 0;
let joined = 0;

const join = () => {
  joined += 1;
  const init = { service: 'orders', id: `orders-${joined}`, host: '127.0.0.1', port };
  return backend.register(createInstance(init, Date.now()), { ttl: 1e9 });
};
const call = async (): Promise<void> => {
  try {
    const { body, statusCode } = await agent.request({ origin: 'http://orders', path: '/', method: 'GET' });
    await body.dump();
    if (statusCode !== 200) failed += 1;
  } catch {
    failed += 1;
  }
};

async function churn(times: number): Promise<void> {
  const leases = await Promise.all(Array.from({ length: atOnce }, join));
  for (let time = 0; time < times; time += 1) {
    leases.push(await join());
    await leases.shift()?.release();
    await call();
    // So that each is seen, and picked.
    if (time % atOnce === 0) await sleep(2);
  }
  await Promise.all(leases.map((lease) => lease.release()));
}

async function holds(): Promise<{ readonly heapMb: number; readonly resources: number }> {
  const deadline = Date.now() + 10_000;
  while (connections > 0 && Date.now() < deadline) await sleep(20);
  for (let time = 0; time < 5; time += 1) {
    globalThis.gc?.();
    await sleep(10);
  }
  return {
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    resources: process.getActiveResourcesInfo().length,
  };
}

await churn(changes / 5); // everything is compiled, and as large as it gets
const before = await holds();
await churn(changes);
const after = await holds();
console.log(
  JSON.stringify({
    joined,
    failed,
    connections,
    resources: after.resources - before.resources,
    heapMb: after.heapMb - before.heapMb,
    listeners: agent.eventNames().reduce((sum, name) => sum + agent.listenerCount(name), 0),
  }),
);
await agent.close();
await discovery.close();
await backend.close();
server.close();

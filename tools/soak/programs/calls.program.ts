// Calls through got and undici, with all that can happen to them: retries, hedges, timeouts, cancellations, churn.
import { ServiceClient } from '@sd/client';
import { createInstance, seededRng, type Lease } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { silentLogger } from '@sd/testkit';
import { DiscoveryAgent } from '@sd/undici';
import { getEventListeners, once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { footprint } from '../footprint.ts';
import { soak } from '../soak.ts';

const before = await footprint(() => 0);
const rng = seededRng(1);
const atOnce = 16;
/** One of these happens to each hundredth request or so. */
const answer: RequestListener = (request, response) => {
  const fate = rng();
  request.resume();
  if (fate < 0.01) response.socket?.destroy();
  else if (fate < 0.02) response.writeHead(503, { 'retry-after': '0' }).end();
  else if (fate < 0.03) setTimeout(() => response.end('late'), 60);
  else response.end('ok');
};
const servers = Array.from({ length: 4 }, () => createServer(answer).listen(0, '127.0.0.1'));
await Promise.all(servers.map((server) => once(server, 'listening')));
let connections = 0;
for (const server of servers) {
  server.on('connection', (socket) => {
    connections += 1;
    socket.once('close', () => (connections -= 1));
  });
}
const ports = servers.map((server) => (server.address() as AddressInfo).port);

const backend = new MemoryBackend({ store: new MemoryStore() });
const discovery = new DiscoveryClient({ backend, logger: silentLogger, follow: { coalesceMs: 1 }, rng });
const client = new ServiceClient({ service: 'orders', discovery, hedge: true, attemptTimeoutMs: 50 });
const agent = new DiscoveryAgent({ discovery });
/** It outlives all calls: what they leave on it adds up. */
const shared = new AbortController();

let joined = 0;
const leases: Lease[] = [];
async function join(): Promise<void> {
  joined += 1;
  const port = ports[joined % ports.length] ?? 0;
  const init = { service: 'orders', id: `orders-${joined}`, host: '127.0.0.1', port };
  leases.push(await backend.register(createInstance(init, 0), { ttl: 1e9 }));
}
for (let n = 0; n < 6; n += 1) await join();

let made = 0;
async function call(): Promise<void> {
  made += 1;
  if (made % 50 === 0) {
    await join();
    await leases.shift()?.release();
  }
  const own = new AbortController();
  const signal = made % 3 === 0 ? own.signal : shared.signal;
  if (made % 30 === 0) setTimeout(() => own.abort(), 1);
  try {
    if (made % 2 === 0) await client.get('/', { signal });
    else {
      const { body } = await agent.request({ origin: 'http://orders', path: '/', method: 'GET', signal });
      await body.dump();
    }
  } catch {
    // Some fail, as they are meant to.
  }
}

await soak(before, {
  name: 'calls',
  unit: 'call',
  // 500 a second for an hour.
  units: { long: 1_800_000, quick: 1_500 },
  // An hour may leave 10 MB.
  bytes: 6,
  async work(calls) {
    let left = calls;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await call();
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    // What lost against a hedge, and answers that come late.
    await sleep(150);
    // How many connections are kept depends on how many calls just happened to be under way.
    while (connections > 0) {
      for (const server of servers) server.closeIdleConnections();
      await sleep(10);
    }
  },
  listeners: () => getEventListeners(shared.signal, 'abort').length,
  async close() {
    await agent.close();
    await discovery.close();
    await Promise.all(leases.map((lease) => lease.release()));
    await backend.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.all(servers.map((server) => once(server, 'close')));
  },
});

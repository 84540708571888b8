// Everything that can be opened is opened, used and closed, again and again.
import { ServiceClient } from '@sd/client';
import { DiscoveryClient } from '@sd/discovery';
import { AdvancedHealthChecker } from '@sd/health';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { ServiceRegistry } from '@sd/registry';
import { StaticBackend } from '@sd/static';
import { silentLogger } from '@sd/testkit';
import { DiscoveryAgent } from '@sd/undici';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { footprint } from '../footprint.ts';
import { soak } from '../soak.ts';

const before = await footprint(signalListeners);
const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

function signalListeners(): number {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
}

async function cycle(): Promise<void> {
  const logger = silentLogger;
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const registry = new ServiceRegistry({ backend, logger, shutdownSignals: ['SIGTERM'] });
  const healthChecker = new AdvancedHealthChecker({ intervalMs: 1_000 });
  const discovery = new DiscoveryClient({ backend, logger, healthChecker, breaker: {}, queue: { limit: 1 } });
  const agent = new DiscoveryAgent({ discovery });
  const client = new ServiceClient({ service: 'orders', discovery });
  const registration = await registry.register({ service: 'orders', host: '127.0.0.1', port });
  await client.get('/');
  const { body } = await agent.request({ origin: 'http://orders', path: '/', method: 'GET' });
  await body.dump();
  await registration.deregister();
  const fixed = new StaticBackend({ services: { orders: [`http://127.0.0.1:${port}`] } });
  const over = new AbortController();
  for await (const _ of fixed.watch('orders', { signal: over.signal })) over.abort();
  await agent.close();
  await discovery.close();
  healthChecker.close();
  await registry.close();
  await fixed.close();
  await backend.close();
}

await soak(before, {
  name: 'lifecycles',
  unit: 'cycle',
  // More than a process has in its life.
  units: { long: 20_000, quick: 120 },
  // No object that is opened is smaller.
  bytes: 100,
  async work(cycles) {
    for (let n = 0; n < cycles; n += 1) await cycle();
    server.closeIdleConnections();
  },
  listeners: signalListeners,
  async close() {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  },
});

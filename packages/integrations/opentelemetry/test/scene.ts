import { ServiceClient } from '@sd/client';
import { createInstance } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend } from '@sd/memory';
import { silentLogger } from '@sd/testkit';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A service of which one instance is well, one answers 503 and one is gone, another service that is slow at times, and one
 * whose store is lost: whatever can be measured happens here.
 */
export async function playScene() {
  const backend = new MemoryBackend();
  const lost = new MemoryBackend();
  const discovery = new DiscoveryClient({ backend, logger: silentLogger });
  const cutOff = new DiscoveryClient({ backend: lost, logger: silentLogger });
  const orders = new ServiceClient({ service: 'orders', discovery });
  const servers = [await listen(200), await listen(503)];
  const close = async (): Promise<void> => {
    await orders.close();
    await discovery.close();
    await cutOff.close();
    await backend.close();
    for (const server of servers) server.close();
  };

  const publish = (to: MemoryBackend, service: string, port: number) =>
    to.register(createInstance({ service, host: '127.0.0.1', port }, Date.now()), { ttl: 60_000 });
  for (const server of servers) await publish(backend, 'orders', portOf(server));
  await publish(backend, 'orders', await unusedPort());
  await publish(backend, 'search', 1);
  await publish(backend, 'search', 2);
  await publish(lost, 'users', 1);
  await cutOff.getInstances('users');
  await lost.close();

  /** Some calls, of which some fail. */
  const call = async (): Promise<void> => {
    for (let time = 0; time < 10; time += 1) {
      await orders.get('/', { throwHttpErrors: false });
      await orders.post('/', { throwHttpErrors: false });
    }
    for (let time = 0; time < 60; time += 1) await discovery.call('search', () => 'ok', { idempotent: true });
    const slow = ({ kind }: { readonly kind: string }) =>
      kind === 'hedge' ? 'ok' : new Promise((resolve) => setTimeout(resolve, 300));
    await discovery.call('search', slow, { idempotent: true });
    await discovery.call('none', () => 'ok').catch(() => undefined);
  };
  return { clients: [discovery, cutOff], call, close };
}

async function listen(status: number): Promise<Server> {
  const server = createServer((_, response) => response.writeHead(status).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function unusedPort(): Promise<number> {
  const server = await listen(200);
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

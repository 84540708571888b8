import { DiscoveryClient, ServiceRegistry } from '@sd/client';
import { MemoryBackend } from '@sd/memory';
import { DiscoveryAgent } from '@sd/undici';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { setGlobalDispatcher } from 'undici';

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();
const registry = new ServiceRegistry({ backend });

async function start(service: string, answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return registry.register({ service, server });
}

await start('orders', (_request, response) => response.writeHead(503).end('busy'));
await start('orders', (request, response) => response.end(`${request.url ?? ''} is paid`));
await start('users', (_request, response) => response.writeHead(302, { location: 'http://orders/7' }).end());

const discovery = new DiscoveryClient({ backend });
const agent = new DiscoveryAgent({ discovery });
setGlobalDispatcher(agent);

// One of two instances is busy: all requests succeed.
const statuses = new Set<number>();
for (let turn = 0; turn < 20; turn += 1) {
  const response = await fetch('http://orders/7');
  statuses.add(response.status);
  await response.text();
}
console.log([...statuses]); // prints: [ 200 ]

const redirected = await fetch('http://users/ada/last-order');
console.log(redirected.url, await redirected.text()); // prints: http://orders/7 /7 is paid

const failure: unknown = await fetch('http://payments/').catch((error: unknown) => error);
console.log(failure instanceof TypeError && String(failure.cause)); // prints: UnknownServiceError: Service "payments"

await agent.close();
await discovery.close();
await registry.drain({ propagationMs: 100 });
await registry.close();
await backend.close();

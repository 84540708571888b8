import { DiscoveryClient, ServiceClient, ServiceRegistry } from '@sd/client';
import { healthEndpoints, SelfCheck } from '@sd/health';
import { MemoryBackend } from '@sd/memory';
import express from 'express';
import { once } from 'node:events';

const selfCheck = new SelfCheck({ checks: { database: () => true } });
const app = express();
app.use(healthEndpoints({ selfCheck }).handler);
app.get('/orders/:id', ({ params }, response) => {
  response.json({ id: params.id, state: 'paid' });
});

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();
const registry = new ServiceRegistry({ backend, shutdownSignals: ['SIGTERM', 'SIGINT'] });
const registration = await registry.register({ service: 'orders', server });
selfCheck.publishTo(registration);

const discovery = new DiscoveryClient({ backend });
const orders = new ServiceClient({ service: 'orders', discovery });
console.log(await orders.get('/health/ready').json()); // prints: { status: 'pass' }
console.log(await orders.get('/orders/7').json()); // prints: { id: '7', state: 'paid' }

await registry.drain({ propagationMs: 100 }); // readiness fails, consumers go elsewhere, the server closes
console.log(server.listening); // prints: false

await orders.close();
await discovery.close();
selfCheck.close();
await registry.close();
await backend.close();

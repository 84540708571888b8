import { sd } from '@sd/fastify';
import { SelfCheck } from '@sd/health';
import { MemoryBackend } from '@sd/memory';
import fastify from 'fastify';

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();
const registry = { drain: { propagationMs: 100 } };

const selfCheck = new SelfCheck({ checks: { database: () => true } });
const stock = fastify();
await stock.register(sd, { backend, service: 'stock', selfCheck, registry });
stock.get('/stock/:item', async () => ({ left: 3 }));
await stock.listen({ port: 0 });

const shop = fastify();
await shop.register(sd, { backend, service: 'shop', registry });
shop.get<{ Params: { item: string } }>('/:item', async ({ params: { item } }) => {
  const { left } = await shop.serviceClient('stock').get(`/stock/${item}`).json<{ left: number }>();
  return `${item}: ${left} left`;
});
const url = await shop.listen({ port: 0 });

// Both are published in the background; whoever calls too early would hear that there is no such service.
for await (const { view } of shop.discovery.watch('stock')) if (view.instances.length > 0) break;

const ready = await shop.serviceClient('stock').get('/health/ready').json();
console.log(ready); // prints: { status: 'pass' }
console.log(await (await fetch(`${url}/apples`)).text()); // prints: apples: 3 left

await stock.close(); // readiness fails, consumers go elsewhere, the server closes
console.log((await fetch(`${url}/apples`)).status); // prints: 500

await shop.close();
selfCheck.close();
await backend.close();

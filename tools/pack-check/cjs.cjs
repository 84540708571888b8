const assert = require('node:assert/strict');
const { createServer } = require('node:http');
const { DiscoveryClient, ServiceClient, ServiceRegistry } = require('@sd/client');
const { MemoryBackend } = require('@sd/memory');
const { RedisBackend } = require('@sd/redis');

const server = createServer((request, response) => response.end(JSON.stringify({ path: request.url })));

server.listen(0, '127.0.0.1', async () => {
  const backend = new MemoryBackend();
  const registry = new ServiceRegistry({ backend });
  const registration = await registry.register({ service: 'orders', server });

  const discovery = new DiscoveryClient({ backend });
  const orders = new ServiceClient({ service: 'orders', discovery });
  assert.deepEqual(await orders.get('/42').json(), { path: '/42' });

  await registration.drain();
  const redis = new RedisBackend(); // finds its scripts; it connects when it is used
  for (const each of [orders, discovery, registry, backend, redis]) await each.close();
});

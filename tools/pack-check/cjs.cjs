const assert = require('node:assert/strict');
const { createServer } = require('node:http');
const { DiscoveryClient, ServiceClient, ServiceRegistry } = require('@sd/client');
const { ConsulBackend } = require('@sd/consul');
const { DiscoveryApp } = require('@sd/decorators');
const { DnsBackend } = require('@sd/dns');
const { EtcdBackend } = require('@sd/etcd');
const { registerGrpc } = require('@sd/grpc');
const { KubernetesBackend } = require('@sd/kubernetes');
const { MemoryBackend } = require('@sd/memory');
const { instrument } = require('@sd/opentelemetry');
const { RedisBackend } = require('@sd/redis');
const { DiscoveryAgent } = require('@sd/undici');
const { ZooKeeperBackend } = require('@sd/zookeeper');

const server = createServer((request, response) => response.end(JSON.stringify({ path: request.url })));

server.listen(0, '127.0.0.1', async () => {
  const backend = new MemoryBackend();
  const registry = new ServiceRegistry({ backend });
  const registration = await registry.register({ service: 'orders', server });

  const app = new DiscoveryApp({ backend });
  const discovery = new DiscoveryClient({ backend });
  const orders = new ServiceClient({ service: 'orders', discovery });
  assert.deepEqual(await orders.get('/42').json(), { path: '/42' });
  const agent = new DiscoveryAgent({ discovery });
  const { body } = await agent.request({ origin: 'http://orders', path: '/43', method: 'GET' });
  assert.deepEqual(await body.json(), { path: '/43' });
  registerGrpc({ discovery }).close();
  instrument({ discovery: [discovery] }).stop();

  await registration.drain();
  await app.stop();
  // They find what they need; they connect when they are used.
  const stores = [
    new ConsulBackend(),
    new DnsBackend({ name: '{service}.example' }),
    new EtcdBackend(),
    new KubernetesBackend({ url: 'http://127.0.0.1:8001' }),
    new RedisBackend(),
    new ZooKeeperBackend(),
  ];
  for (const each of [orders, agent, discovery, registry, backend, ...stores]) await each.close();
});

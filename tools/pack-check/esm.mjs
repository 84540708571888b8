import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { DiscoveryClient, ServiceClient, ServiceRegistry } from '@sd/client';
import { ConsulBackend } from '@sd/consul';
import { DiscoveryApp } from '@sd/decorators';
import { DnsBackend } from '@sd/dns';
import { EtcdBackend } from '@sd/etcd';
import { registerGrpc } from '@sd/grpc';
import { KubernetesBackend } from '@sd/kubernetes';
import { MemoryBackend } from '@sd/memory';
import { instrument } from '@sd/opentelemetry';
import { RedisBackend } from '@sd/redis';
import { DiscoveryAgent } from '@sd/undici';
import { ZooKeeperBackend } from '@sd/zookeeper';

const server = createServer((request, response) => response.end(JSON.stringify({ path: request.url })));
await once(server.listen(0, '127.0.0.1'), 'listening');

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

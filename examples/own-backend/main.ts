import { DiscoveryClient, ServiceClient, ServiceRegistry } from '@sd/client';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderBackend } from './folder-backend.ts';

const folder = await mkdtemp(join(tmpdir(), 'services-'));
const server = createServer((request, response) => response.end(`order ${request.url ?? ''}`));
await once(server.listen(0, '127.0.0.1'), 'listening');

// Two backends on one folder, as two processes would have them.
const provider = new FolderBackend({ folder });
const registry = new ServiceRegistry({ backend: provider });
await registry.register({ service: 'orders', server });

const consumer = new FolderBackend({ folder });
const discovery = new DiscoveryClient({ backend: consumer });
const orders = new ServiceClient({ service: 'orders', discovery });
console.log(await orders.get('/7').text()); // prints: order /7

await registry.drain({ propagationMs: 500 }); // consumers read the folder within 250 ms, then the server closes
console.log(await consumer.getInstances('orders')); // prints: []

await orders.close();
await discovery.close();
await registry.close();
await Promise.all([provider.close(), consumer.close()]);
await rm(folder, { recursive: true });

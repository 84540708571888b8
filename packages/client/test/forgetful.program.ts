// A program that registers, watches, calls and fails, and closes nothing of sd.
import { MemoryBackend } from '@sd/memory';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { DiscoveryClient, ServiceClient, ServiceRegistry } from '../src/index.ts';

const backend = new MemoryBackend();
// The server's own side of a kept-alive connection would keep the process alive; that is not what is asked here.
const server = createServer((_request, response) => {
  response.setHeader('connection', 'close').end('called');
}).listen(0, '127.0.0.1');
await once(server, 'listening');
server.unref();
await new ServiceRegistry({ backend }).register({ service: 'orders', server });

const discovery = new DiscoveryClient({ backend });
await discovery.watch('orders').next();
console.log(await new ServiceClient({ service: 'orders', discovery }).get('/').text());
try {
  await new ServiceClient({ service: 'payments', discovery }).get('/');
} catch {
  console.log('unknown');
}

// A program that serves, registers, calls and streams over gRPC, and closes nothing of sd.
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend } from '@sd/memory';
import { ServiceRegistry } from '@sd/registry';
import { registerGrpc, serveGrpc } from '../../src/index.ts';
import { ordersService, OrdersClient } from '../orders-client.ts';

const backend = new MemoryBackend();
const server = new Server();
server.addService(ordersService, {
  get: (_call: unknown, reply: (error: null, answer: string) => void) => reply(null, 'called'),
  list: () => undefined,
  send: () => undefined,
  chat: () => undefined,
  peer: () => undefined,
});
const listening = await serveGrpc(server, '127.0.0.1:0', ServerCredentials.createInsecure());
await new ServiceRegistry({ backend }).register({ service: 'orders', server: listening });

registerGrpc({ discovery: new DiscoveryClient({ backend }) });
const open = (target: string): OrdersClient =>
  new OrdersClient(target, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
console.log(await open('sd:///orders').get());
await open('sd:///payments')
  .get()
  .catch(() => console.log('unknown'));
// The server's own side would keep the process alive; that is not what is asked here.
server.forceShutdown();

import { credentials, makeClientConstructor, Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { DiscoveryClient } from '@sd/discovery';
import { addHealthService, registerGrpc, serveGrpc } from '@sd/grpc';
import { AdvancedHealthChecker, grpcCheck, SelfCheck } from '@sd/health';
import { MemoryBackend } from '@sd/memory';
import { ServiceRegistry } from '@sd/registry';

// In your program: what protoc or @grpc/proto-loader makes of a .proto file.
const json = {
  to: (value: unknown) => Buffer.from(JSON.stringify(value)),
  from: (bytes: Buffer): unknown => JSON.parse(bytes.toString()),
};
const ordersService = {
  get: {
    path: '/shop.v1.Orders/Get',
    requestStream: false,
    responseStream: false,
    requestSerialize: json.to,
    requestDeserialize: json.from,
    responseSerialize: json.to,
    responseDeserialize: json.from,
  },
} as const;

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();
const selfCheck = new SelfCheck({ checks: { database: () => true } });

async function serve(name: string): Promise<ServiceRegistry> {
  const server = new Server();
  server.addService(ordersService, {
    get: ({ request }: ServerUnaryCall<object, object>, reply: sendUnaryData<object>) =>
      reply(null, { ...request, by: name }),
  });
  addHealthService(server, selfCheck);
  const registry = new ServiceRegistry({ backend });
  const listening = await serveGrpc(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  await registry.register({ service: 'orders', protocol: 'grpc', server: listening });
  return registry;
}
const [first, second] = [await serve('first'), await serve('second')];

const healthChecker = new AdvancedHealthChecker({ check: grpcCheck() });
const discovery = new DiscoveryClient({ backend, healthChecker });
const sd = registerGrpc({ discovery, strategy: 'peak-ewma' });

const OrdersClient = makeClientConstructor(ordersService, 'Orders');
const orders = new OrdersClient(sd.target('orders'), credentials.createInsecure());
const get = (id: number): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = ordersService.get;
    orders.makeUnaryRequest(path, requestSerialize, responseDeserialize, { id }, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    );
  });

const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => get(id)));
console.log(answers.length); // prints: 20

await first.drain({ propagationMs: 100 }); // consumers go elsewhere, calls under way end, the server stops
console.log(await get(7)); // prints: { id: 7, by: 'second' }

orders.close();
sd.close();
await discovery.close();
healthChecker.close();
await second.drain({ propagationMs: 100 });
await first.close();
await second.close();
selfCheck.close();
await backend.close();

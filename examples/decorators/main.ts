import type { ServiceClient } from '@sd/client';
import { DiscoveryApp, InjectServiceClient, ServiceRegistry } from '@sd/decorators';
import { MemoryBackend } from '@sd/memory';
import { createServer, type RequestListener, type Server } from 'node:http';

/** What all services of this program have in common; it wants nothing, and is no service itself. */
abstract class HttpService {
  abstract readonly answer: RequestListener;

  listen(): Server {
    return createServer((request, response) => this.answer(request, response)).listen(0, '127.0.0.1');
  }
}

@ServiceRegistry({ service: 'stock', host: '127.0.0.1' })
class Stock extends HttpService {
  readonly answer: RequestListener = (_request, response) => response.end(JSON.stringify({ left: 3 }));
}

@ServiceRegistry({ service: 'orders', host: '127.0.0.1', metadata: { team: 'shop' } })
class Orders extends HttpService {
  @InjectServiceClient('stock', { deadlineMs: 2_000 }) readonly #stock!: ServiceClient;

  readonly answer: RequestListener = (request, response) => {
    void this.#stock
      .get('/')
      .json<{ left: number }>()
      .then(({ left }) => response.end(`${request.url}: ${left} left`))
      .catch(() => response.writeHead(503).end());
  };
}

class Shop {
  @InjectServiceClient('orders') readonly orders!: ServiceClient;
}

// In your program: one that all processes share, such as `new RedisBackend({ url })`.
const backend = new MemoryBackend();
const app = new DiscoveryApp({ backend, registry: { drain: { propagationMs: 100 } } });
await app.start(Stock);
const { registration } = await app.start(Orders);
console.log(registration.instance.metadata); // prints: { team: 'shop' }

const shop = app.create(Shop);
console.log(await shop.orders.get('/apples').text()); // prints: /apples: 3 left

await app.stop();
console.log(await backend.listServices()); // prints: []
await backend.close();

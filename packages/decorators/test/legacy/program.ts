// What compilers.test.ts runs.
import type { ServiceClient } from '@sd/client';
import { DiscoveryApp, InjectServiceClient, ServiceRegistry } from '../../src/index.ts';
import { MemoryBackend } from '@sd/memory';
import { createServer } from 'node:http';

@ServiceRegistry({ service: 'orders', host: '127.0.0.1' })
class Orders {
  @InjectServiceClient('orders') readonly orders!: ServiceClient;
  readonly server = createServer((request, response) => response.end(request.url)).listen(0, '127.0.0.1');

  constructor(@InjectServiceClient('orders') private readonly again: ServiceClient) {}

  find(id: number): Promise<string> {
    return this.orders.get(`/${id}`).text();
  }

  get isShared(): boolean {
    return this.orders === this.again;
  }
}

/** Some compilers write out its constructor. */
class OpenOrders extends Orders {
  readonly isOpen = true;
}

const backend = new MemoryBackend();
const app = new DiscoveryApp({ backend, registry: { drain: { propagationMs: 0 } } });
const { instance } = await app.start(OpenOrders);
console.log(await instance.find(7), instance.isShared && instance.isOpen);
await app.stop();
await backend.close();

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileFunction } from 'node:vm';
import type { Contestant, Target } from './contestants.ts';
import { loadPeer } from '../../../tools/bench/peers.ts';

interface HazelBackend {
  register(instance: object): Promise<void>;
}

type HazelServiceClient = new (
  discovery: object,
  config: { readonly serviceName: string; readonly timeout: number },
) => { get(path: string): Promise<{ readonly data: unknown }> };

/** ServiceClient of @hazeljs/discovery, with the defaults that it has. */
export async function hazel({ ports, attemptTimeoutMs }: Target): Promise<Contestant> {
  const { MemoryRegistryBackend } = loadPeer('@hazeljs/discovery/dist/backends/memory-backend.js') as {
    MemoryRegistryBackend: new () => HazelBackend;
  };
  const { DiscoveryClient } = loadPeer('@hazeljs/discovery/dist/client/discovery-client.js') as {
    DiscoveryClient: new (config: object, backend: HazelBackend) => object;
  };
  const { DiscoveryLogger } = loadPeer('@hazeljs/discovery/dist/utils/logger.js') as {
    DiscoveryLogger: { setLogger(logger: object): void };
  };
  const ignored = (): void => undefined;
  DiscoveryLogger.setLogger({ debug: ignored, info: ignored, warn: ignored, error: ignored });
  const backend = new MemoryRegistryBackend();
  for (const port of ports) {
    await backend.register({
      ...{ id: `orders-${port}`, name: 'orders', host: '127.0.0.1', port, protocol: 'http', status: 'UP' },
      ...{ metadata: {}, tags: [], lastHeartbeat: new Date(), registeredAt: new Date() },
    });
  }
  const client = new (loadServiceClient())(new DiscoveryClient({}, backend), {
    serviceName: 'orders',
    timeout: attemptTimeoutMs,
  });
  return { get: async (path) => (await client.get(path)).data };
}

/** It asks for @hazeljs/resilience, which is not in the npm registry: it gets a stand-in. */
function loadServiceClient(): HazelServiceClient {
  const file = loadPeer.resolve('@hazeljs/discovery/dist/client/service-client.js');
  const require = createRequire(file);
  const module: { ServiceClient?: HazelServiceClient } = {};
  const source = readFileSync(file, 'utf8');
  const evaluate = compileFunction(source, ['exports', 'require'], { filename: file }) as Evaluate;
  evaluate(module, (name: string): unknown =>
    name === '@hazeljs/resilience' ? { RetryPolicy: FixedRetryPolicy } : require(name),
  );
  if (module.ServiceClient === undefined) throw new Error('@hazeljs/discovery has no ServiceClient');
  return module.ServiceClient;
}

type Evaluate = (exports: object, require: (name: string) => unknown) => void;

/** What its options ask for, read as its source in hazel-js/hazeljs reads them: so many retries, each after a pause. */
class FixedRetryPolicy {
  readonly #options;

  constructor(options: {
    readonly maxAttempts: number;
    readonly baseDelay: number;
    readonly retryPredicate: (error: unknown) => boolean;
  }) {
    this.#options = options;
  }

  async execute<T>(work: () => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await work();
      } catch (error) {
        if (retries >= this.#options.maxAttempts || !this.#options.retryPredicate(error)) throw error;
        await sleep(this.#options.baseDelay);
      }
    }
  }
}

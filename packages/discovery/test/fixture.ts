import {
  createInstance,
  ManualClock,
  seededRng,
  type DiscoveryLogger,
  type Lease,
  type ServiceInstanceInit,
} from '@sd/core';
import {
  DiscoveryClient,
  type Attempt,
  type CallOptions,
  type DiscoveryClientOptions,
} from '../src/index.ts';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { onTestFinished } from 'vitest';

/** A client on a memory backend whose time moves only when told to. */
export function startClient(options: Partial<DiscoveryClientOptions> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const backend = new MemoryBackend({ store });
  const client = new DiscoveryClient({ backend, clock, rng: seededRng(1), logger: silent, ...options });
  onTestFinished(async () => {
    await client.close();
    await backend.close();
  });

  const publish = (service: string, init: Partial<ServiceInstanceInit> & { port: number }): Promise<Lease> =>
    backend.register(createInstance({ service, host: '10.0.0.1', ...init }, clock.now()), { ttl: 1e9 });

  return { client, backend, store, clock, publish };
}

const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function failWith(code: string): never {
  throw Object.assign(new Error(`connect ${code} 10.0.0.1:1`), { code });
}

/** A call to a service with three instances. `answer` gets each attempt; tests read what was tried from `ports`. */
export async function startCall<T>(answer: (attempt: Attempt) => T | Promise<T>, options?: CallOptions) {
  const fixture = startClient();
  for (const port of [1, 2, 3]) await fixture.publish('orders', { port });
  await fixture.client.getInstances('orders');
  const ports: number[] = [];
  const call = fixture.client.call(
    'orders',
    (attempt) => {
      ports.push(attempt.instance.port);
      return answer(attempt);
    },
    options,
  );
  call.catch(() => undefined);
  return { ...fixture, call, ports };
}

export const hang = (): Promise<never> => new Promise(() => undefined);

import type { RegistryBackend, ServiceInstance } from '@sd/core';
import { ServiceRegistry } from '@sd/registry';
import { silentLogger } from './silent-logger.ts';

/** For programs that are a provider: keeps the instance published, and the process alive, until that is killed. */
export async function keepPublished(
  backend: RegistryBackend,
  instance: ServiceInstance,
  { ttl }: { readonly ttl: number },
): Promise<void> {
  const registry = new ServiceRegistry({ backend, ttlMs: ttl, logger: silentLogger });
  const { registeredAt: _registered, updatedAt: _updated, ...init } = instance;
  await registry.register(init);
  setInterval(() => undefined, 60_000);
}

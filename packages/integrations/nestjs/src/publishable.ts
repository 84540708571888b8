import { ConfigValidationError, type DiscoveryBackend, type RegistryBackend } from '@sd/core';

/** Nest makes a registry whether anybody wants one or not: where the backend only reads, it says so when it is used. */
export function publishable(backend: DiscoveryBackend | RegistryBackend): RegistryBackend {
  if ('register' in backend) return backend;
  const refusal = new ConfigValidationError('DiscoveryModule', [
    { field: 'backend', received: `"${backend.name}", which only reads`, expected: 'one that can register' },
  ]);
  return {
    name: backend.name,
    malformed: backend.malformed,
    listServices: (options) => backend.listServices(options),
    getInstances: (service, options) => backend.getInstances(service, options),
    watch: (service, options) => backend.watch(service, options),
    register: () => Promise.reject(refusal),
    close: () => backend.close(),
    [Symbol.asyncDispose]: () => backend.close(),
  };
}

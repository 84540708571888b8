import { createInstance } from '@sd/core';
import { ConsulBackend, type ConsulBackendOptions } from '../src/index.ts';

// Registers, watches, closes, and then has nothing left to do: see `RegistryHarness.program`.
const [options = '{}'] = process.argv.slice(2);
const backend = new ConsulBackend(JSON.parse(options) as ConsulBackendOptions);
const orders = createInstance({ service: 'orders', host: '10.0.0.1', port: 8080 }, Date.now());
await backend.register(orders, { ttl: 60_000 });

const watch = backend.watch('orders', { signal: new AbortController().signal })[Symbol.asyncIterator]();
await watch.next();
const end = watch.next().catch((error: unknown) => error);
await backend.close();
await end;

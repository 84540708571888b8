import { KubernetesBackend, type KubernetesBackendOptions } from '../src/index.ts';

// Watches, closes, and then has nothing left to do: see `ReadOnlyHarness.program`.
const [options = '{}'] = process.argv.slice(2);
const backend = new KubernetesBackend(JSON.parse(options) as KubernetesBackendOptions);
const watch = backend.watch('orders', { signal: new AbortController().signal });
await watch.next();
const end = watch.next().catch((error: unknown) => error);
await backend.close();
await end;

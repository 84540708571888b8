import { DnsBackend } from '../src/index.ts';

// Watches, closes, and then has nothing left to do: see `ReadOnlyHarness.program`.
const [, , server = ''] = process.argv;
const backend = new DnsBackend({ name: '_{service}._tcp.test.', servers: [server] });
const watch = backend.watch('orders', { signal: new AbortController().signal });
await watch.next();
const end = watch.next().catch((error: unknown) => error);
await backend.close();
await end;

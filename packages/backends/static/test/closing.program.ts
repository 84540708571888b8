import { StaticBackend } from '../src/index.ts';

// Watches, closes, and then has nothing left to do: see `ReadOnlyHarness.program`.
const [, , file = ''] = process.argv;
const backend = new StaticBackend({ file });
const watch = backend.watch('orders', { signal: new AbortController().signal });
await watch.next();
const end = watch.next().catch((error: unknown) => error);
await backend.close();
await end;

import { once } from 'node:events';
import { silentLogger } from '@sd/testkit';
import { EtcdBackend } from '../src/index.ts';

// Connects, waits until it is told that etcd was killed, closes, and prints how long it lived on after that, in ms.
const [url = ''] = process.argv.slice(2);
const backend = new EtcdBackend({ endpoints: url, logger: silentLogger });
const watch = backend.watch('orders', { signal: new AbortController().signal })[Symbol.asyncIterator]();
await watch.next();
process.stdout.write('connected\n');
await once(process.stdin, 'data');
await watch.next().catch((error: unknown) => error);
await backend.listServices().catch((error: unknown) => error);

const startedAt = performance.now();
await backend.close();
process.stdin.destroy();
process.once('exit', () => process.stdout.write(`${Math.round(performance.now() - startedAt)}`));

import { StaticBackend } from '../src/index.ts';

const [, , file = ''] = process.argv;
const backend = new StaticBackend({ file });
const snapshots = backend.watch('orders', { signal: new AbortController().signal });
const { value } = await snapshots.next();
console.log(value?.[0]?.host);

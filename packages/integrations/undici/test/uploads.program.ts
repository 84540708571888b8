// Uploads over HTTP/2 that time out together, by way of an agent and of a transport. Prints how each of them ended.
import { DiscoveryClient, ServiceClient } from '@sd/client';
import { createInstance } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { makeCertificates } from '../../../../tools/servers/certificates.ts';
import { DiscoveryAgent, undiciTransport } from '../src/index.ts';
import { silent } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'sd-uploads-'));
const { files, ca } = makeCertificates(folder);
const server = createSecureServer({ key: readFileSync(files.key), cert: readFileSync(files.certificate) });
rmSync(folder, { recursive: true });
server.on('stream', (stream) => stream.on('error', () => undefined).resume()); // it never answers
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const backend = new MemoryBackend({ store: new MemoryStore() });
const discovery = new DiscoveryClient({ backend, logger: silent });
await backend.register(
  createInstance({ service: 'orders', host: '127.0.0.1', port, protocol: 'https' }, Date.now()),
  { ttl: 60_000 },
);
const pool = { allowH2: true, pipelining: 100, connections: 1, connect: { ca } };
const options = { discovery, pool, servername: () => 'localhost' };
const agent = new DiscoveryAgent({ ...options, attemptTimeoutMs: 200 });
const transport = undiciTransport(options);
const client = new ServiceClient({ service: 'orders', discovery, transport, attemptTimeoutMs: 200 });

const upload = () => Readable.from(['a', 'b']);
const ways = {
  request: () =>
    request('http://orders/', { dispatcher: agent, method: 'PUT', body: upload() }).then(() => 'answered'),
  exchange: () => client.put('/', { body: upload() }).then(() => 'answered'),
  open: () => client.stream('PUT', '/', { body: upload() }).then(() => 'answered'),
};
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : error);
const ended = new Set<unknown>();
for (const way of Object.values(ways)) {
  for (const end of await Promise.all(Array.from({ length: 12 }, () => way().catch(codeOf)))) ended.add(end);
  await sleep(50);
}
console.log(JSON.stringify([...ended]));
process.exit(0);

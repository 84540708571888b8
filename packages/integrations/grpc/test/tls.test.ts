import { credentials, ServerCredentials, status, type ClientOptions } from '@grpc/grpc-js';
import { createInstance } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { silentLogger } from '@sd/testkit';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificates, type Certificates } from '../../../../tools/servers/certificates.ts';
import { registerGrpc } from '../src/index.ts';
import { OrdersClient } from './orders-client.ts';
import { startServer } from './orders.ts';

let folder = '';
let certificates: Certificates;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-grpc-'));
  certificates = makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A client of a service whose only instance has a certificate for 127.0.0.1 and localhost, and the instance's port. */
async function connectSecurely(service: string, options: ClientOptions = {}) {
  const { certificate, key } = certificates.files;
  const pair = { cert_chain: readFileSync(certificate), private_key: readFileSync(key) };
  const { port } = await startServer({}, '127.0.0.1', {
    credentials: ServerCredentials.createSsl(null, [pair]),
  });
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const instance = createInstance({ service, host: '127.0.0.1', port, protocol: 'grpcs' }, Date.now());
  await backend.register(instance, { ttl: 60_000 });
  const discovery = new DiscoveryClient({ backend, logger: silentLogger });
  const registration = registerGrpc({ discovery, name: 'secure' });
  const client = new OrdersClient(
    registration.target(service),
    credentials.createSsl(Buffer.from(certificates.ca)),
    { 'grpc.enable_http_proxy': 0, ...options },
  );
  onTestFinished(async () => {
    client.close();
    registration.close();
    await discovery.close();
    await backend.close();
  });
  return { client, port };
}

describe('an instance with TLS', () => {
  it('must have a certificate for the name of its service', async () => {
    const { client, port } = await connectSecurely('localhost');
    expect(await client.get()).toBe(String(port));
  });

  it('gets no call when its certificate is for another name, and calls say why', async () => {
    const { client } = await connectSecurely('orders');
    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining("does not match certificate's altnames") as string,
    });
  });

  it('may have a certificate for the name that you say', async () => {
    const { client, port } = await connectSecurely('orders', {
      'grpc.ssl_target_name_override': 'localhost',
    });
    expect(await client.get()).toBe(String(port));
  });
});

import { once } from 'node:events';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificates, type Certificates } from '../../../../tools/servers/certificates.ts';
import type { DiscoveryAgentOptions } from '../src/index.ts';
import { startService } from './fixture.ts';

let folder = '';
let certificates: Certificates;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-undici-'));
  certificates = makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A service whose certificate is for 127.0.0.1 and localhost; it answers with the version of HTTP. */
async function startSecure(service: string, options: Partial<DiscoveryAgentOptions> = {}) {
  const { certificate, key } = certificates.files;
  const files = { cert: readFileSync(certificate), key: readFileSync(key) };
  const names: unknown[] = [];
  const server = createSecureServer({ ...files, allowHTTP1: true }, (request, response) => {
    response.end(request.httpVersion);
  });
  server.on('secureConnection', (socket: object) => names.push(Reflect.get(socket, 'servername')));
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const pool = { connect: { ca: certificates.ca }, ...options.pool };
  const { agent, publish } = await startService([], { services: [service], ...options, pool });
  const { port } = server.address() as AddressInfo;
  await publish({ service, port, protocol: 'https' });
  return { agent, names };
}

describe('an instance with TLS', () => {
  it('is called by TLS whatever the URL says, and must have a certificate for the name of its service', async () => {
    const { agent, names } = await startSecure('localhost');
    for (const scheme of ['http', 'https']) {
      const response = await fetch(`${scheme}://localhost/`, { dispatcher: agent });
      expect(await response.text()).toBe('1.1');
    }
    expect(names).toEqual(['localhost', 'localhost']);
  });

  it('is not believed when its certificate is for another name', async () => {
    const { agent, names } = await startSecure('orders');
    await expect(fetch('http://orders/', { dispatcher: agent })).rejects.toMatchObject({
      cause: { code: 'ERR_SD_CONNECTION', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } },
    });
    expect(names.every((name) => name === 'orders')).toBe(true);
  });

  it('may have a certificate for the name that you say', async () => {
    const { agent } = await startSecure('orders', { servername: ({ service }) => `${service}.example` });
    await expect(fetch('http://orders/', { dispatcher: agent })).rejects.toThrow();
    const { agent: other, names } = await startSecure('orders', { servername: () => 'localhost' });
    expect((await fetch('http://orders/', { dispatcher: other })).status).toBe(200);
    expect(names).toEqual(['localhost']);
  });

  it('is called by HTTP/2 where that is allowed, many requests at once over one connection', async () => {
    const { agent, names } = await startSecure('localhost', { pool: { allowH2: true, pipelining: 100 } });
    const version = async (): Promise<string> =>
      (await fetch('https://localhost/', { dispatcher: agent })).text();
    expect(await version()).toBe('2.0');
    const texts = await Promise.all(Array.from({ length: 20 }, version));
    expect(new Set(texts)).toEqual(new Set(['2.0']));
    expect(names).toHaveLength(1);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspect } from 'node:util';
import {
  AccessDeniedError,
  BackendUnavailableError,
  ConfigValidationError,
  createInstance,
  type DiscoveryError,
  type Lease,
} from '@sd/core';
import { ConsulServer, requireServer } from '../../../../tools/servers/index.ts';
import type { ConsulBackend } from '../src/index.ts';
import { instance, openBackend, openServer, openWatch } from './open-backend.ts';

const secret = '5ec4e75e-c4e7-5ec4-e75e-c4e75ec4e75e';

describe.skipIf(!requireServer('consul'))('bad input', () => {
  let server: ConsulServer;
  beforeAll(async () => {
    server = await ConsulServer.start({ persistent: false, acl: true });
  });
  afterAll(() => server.stop());

  const errorOf = (promise: Promise<unknown>): Promise<DiscoveryError> =>
    promise.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: unknown) => error as DiscoveryError,
    );
  const register = (backend: ConsulBackend, n = 1) => backend.register(instance(n), { ttl: 5_000 });

  it('is a wrong token: denied at once, wherever it is used, and never shown', async () => {
    const backend = openBackend({ url: server.url, token: secret });
    const watch = () => backend.watch('orders', { signal: new AbortController().signal }).next();
    for (const attempt of [
      () => backend.getInstances('orders'),
      () => backend.listServices(),
      () => register(backend),
      watch,
    ]) {
      const error = await errorOf(attempt());
      expect(error).toBeInstanceOf(AccessDeniedError);
      expect(error.message).toContain('the token is unknown to Consul');
      expect(inspect(error, { depth: 10 })).not.toContain(secret);
    }
  });

  it('is a right that is missing: the error names the rule to add', async () => {
    const token = 'aaaaaaaa-0000-0000-0000-000000000001';
    await server.addToken(token, 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }');
    const readOnly = openBackend({ url: server.url, token });
    const denied = await errorOf(register(readOnly));
    expect(denied).toBeInstanceOf(AccessDeniedError);
    expect(denied.message).toContain('service "orders" { policy = "write" }');
    expect(denied.service).toBe('orders');
    expect(await readOnly.getInstances('orders')).toEqual([]);

    const other = 'aaaaaaaa-0000-0000-0000-000000000002';
    await server.addToken(other, 'service "orders" { policy = "write" }');
    const few = openBackend({ url: server.url, token: other });
    const leases: Lease[] = [];
    for (let n = 1; n <= 8; n += 1) leases.push(await register(few, n));
    const ninth = await errorOf(register(few, 9));
    expect(ninth).toBeInstanceOf(AccessDeniedError);
    expect(ninth.message).toContain('service "_sd-leases" { policy = "write" }');
    await Promise.all(leases.map((lease) => lease.release()));
  });

  it('works with the rights that the README names, and no others', async () => {
    const token = 'aaaaaaaa-0000-0000-0000-000000000003';
    const rules = ['service "orders" { policy = "write" }', 'node_prefix "" { policy = "read" }'];
    await server.addToken(token, rules.join(' '));
    const backend = openBackend({ url: server.url, token });
    const lease = await register(backend);
    expect(await backend.getInstances('orders')).toHaveLength(1);
    expect(await backend.listServices()).toEqual(['orders']);
    await lease.release();
    expect(await backend.listServices()).toEqual([]);
  });

  it('is a token that was rotated: the function is asked again, and nobody notices', async () => {
    const tokens = ['aaaaaaaa-0000-0000-0000-000000000004', server.clientToken];
    let asked = 0;
    const backend = openBackend({
      url: server.url,
      token: async () => {
        asked += 1;
        return tokens.shift() ?? server.clientToken;
      },
    });
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(asked).toBe(2);
    const lease = await register(backend);
    await openWatch(backend);
    expect(asked).toBe(2);
    await lease.release();
  });

  it('is a function that once never answers: it is asked again', async () => {
    const answers = [new Promise<string>(() => undefined), Promise.resolve(server.clientToken)];
    const token = () => answers.shift() ?? server.clientToken;
    const backend = openBackend({ url: server.url, token, timeoutMs: 300 });
    await expect(backend.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it('is a function that gets no token', async () => {
    const failing = openBackend({ url: server.url, token: () => Promise.reject(new Error('no vault')) });
    const error = await errorOf(failing.getInstances('orders'));
    expect(error).toBeInstanceOf(BackendUnavailableError);
    expect(error.message).toContain('the function that gets the ACL token failed');
  });

  it('is a filter that is none: refused with the words of Consul', async () => {
    const backend = openBackend({ url: server.url, token: server.clientToken, filter: 'Service.Nothing ==' });
    await expect(backend.getInstances('orders')).rejects.toThrow(ConfigValidationError);
  });

  it('is an instance that Consul cannot hold: refused at once, and nothing is registered', async () => {
    const backend = openBackend({ url: server.url, token: server.clientToken });
    const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, 'x'.repeat(4_096)]));
    await expect(backend.register(instance(1, { metadata }), { ttl: 5_000 })).rejects.toThrow(
      ConfigValidationError,
    );
    const lease = await register(backend);
    await expect(lease.update(instance(1, { metadata }))).rejects.toThrow(ConfigValidationError);
    expect(await backend.getInstances('orders')).toEqual([instance(1)]);
    await lease.release();
    expect(await server.command('GET', 'agent/services')).toEqual({});
  });

  it('is no name: those that look hostile but are allowed work like any other', async () => {
    const backend = openBackend({ url: server.url, token: server.clientToken });
    const names = ['a'.repeat(128), 'A.b_c-d', '0', 'constructor', 'a..b', 'consul-x', 'a--b', '1.2'];
    for (const service of names) {
      const id = `${'x'.repeat(200)}:@._-${service.length}`;
      const given = createInstance({ service, id, host: '::1', port: 1 }, 1);
      const lease = await backend.register(given, { ttl: 5_000 });
      expect(await backend.getInstances(service)).toEqual([given]);
      await lease.release();
      expect(await backend.getInstances(service)).toEqual([]);
    }
  });

  it('is a certificate that has expired, or that nobody vouches for: an error that says so, at once', async () => {
    const expired = await openServer({ tls: 'expired' });
    const tls = { ca: expired.tls?.ca };
    const late = await errorOf(openBackend({ url: expired.url, tls, token: secret }).getInstances('orders'));
    expect(late).toBeInstanceOf(BackendUnavailableError);
    expect(late.message).toContain('has expired');
    expect(inspect(late, { depth: 10 })).not.toContain(secret);

    const stranger = await openServer({ tls: true });
    const untrusted = await errorOf(openBackend({ url: stranger.url }).listServices());
    expect(untrusted).toBeInstanceOf(BackendUnavailableError);
    expect(untrusted.message).toContain('is not trusted');
    const name = { ca: stranger.tls?.ca, servername: 'consul.example' };
    const misnamed = await errorOf(openBackend({ url: stranger.url, tls: name }).listServices());
    expect(misnamed.message).toContain('is for another host');

    const plain = await errorOf(openBackend({ url: stranger.url.replace('https', 'http') }).listServices());
    expect(plain).toBeInstanceOf(BackendUnavailableError);
    expect(plain.message).toContain('use https://');
    const secure = await errorOf(openBackend({ url: server.url.replace('http', 'https') }).listServices());
    expect(secure).toBeInstanceOf(BackendUnavailableError);
    expect(secure.message).toContain('does this port speak TLS?');
  });

  it('is none with TLS and a token: registered, renewed, watched and released', async () => {
    const secure = await openServer({ tls: true, acl: true });
    const options = { url: secure.url, tls: { ca: secure.tls?.ca }, token: secure.clientToken };
    const watch = await openWatch(openBackend(options));
    const lease = await register(openBackend(options));
    await watch.next((found) => found.length === 1, { timeoutMs: 2_000 });
    await lease.update(instance(1, { weight: 9 }));
    await watch.next(([found]) => found?.weight === 9, { timeoutMs: 2_000 });
    await lease.release();
    await watch.next((found) => found.length === 0, { timeoutMs: 2_000, from: 1 });
  });
});

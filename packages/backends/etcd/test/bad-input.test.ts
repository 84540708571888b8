import { describe, expect, it } from 'vitest';
import {
  AccessDeniedError,
  BackendUnavailableError,
  ConfigValidationError,
  createInstance,
  type DiscoveryBackend,
} from '@sd/core';
import { eventually } from '@sd/testkit';
import { prefixRange, requireServer } from '../../../../tools/servers/index.ts';
import { everythingIn, ids, instance, openBackend, openServer, openWatch } from './open-backend.ts';

const ttl = 60_000;
const sd = { name: 'sd', password: 's3cret', prefix: '/sd/' };
const login = { username: sd.name, password: sd.password };

describe.skipIf(!requireServer('etcd'))('bad input', { timeout: 20_000 }, () => {
  it('a wrong password is denied at once, asked twice a second at most, and never shown', async () => {
    const server = await openServer({ users: [sd] });
    const backend = openBackend({ endpoints: server.url, username: 'sd', password: 'wr0ng' });

    const denial = await backend.getInstances('orders').catch((error: unknown) => error);
    for (let n = 0; n < 50; n += 1) await backend.listServices().catch(() => undefined);

    expect(denial).toBeInstanceOf(AccessDeniedError);
    expect(String(denial)).toContain('wrong user name or password for user "sd"');
    expect(everythingIn(denial)).not.toContain('wr0ng');
    const logins = await server.metric('grpc_server_started_total', 'grpc_method="Authenticate"');
    expect(logins).toBeLessThanOrEqual(4); // two are of this test
  });

  it('no password where one is needed is denied at once', async () => {
    const server = await openServer({ users: [sd] });
    const backend = openBackend({ endpoints: server.url });
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/wants a user name and a password/);
    await expect(backend.listServices()).rejects.toThrow(AccessDeniedError);
    await expect(firstSnapshot(backend, 'orders')).rejects.toThrow(AccessDeniedError);
  });

  it('a password where none is needed does no harm', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, ...login });
    const watch = await openWatch(backend);
    await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
  });

  it('a user without the right to a prefix is told which right is missing, and how to grant it', async () => {
    const server = await openServer({ users: [{ ...sd, prefix: '/other/' }] });
    const backend = openBackend({ endpoints: server.url, ...login });

    const denial = await backend.register(instance(1), { ttl }).catch((error: unknown) => error);

    expect(denial).toBeInstanceOf(AccessDeniedError);
    expect(String(denial)).toContain(
      'no role of user "sd" has the right to readwrite keys that begin with "/sd/orders/orders-1"; ' +
        'grant it with: etcdctl role grant-permission <role> --prefix=true readwrite /sd/orders/orders-1',
    );
    await expect(backend.getInstances('orders')).rejects.toThrow(/--prefix=true read \/sd\/orders\//);
    await expect(backend.listServices()).rejects.toThrow(/--prefix=true read \/sd\//);
    await expect(firstSnapshot(backend, 'orders')).rejects.toThrow(/--prefix=true read \/sd\/orders\//);
    expect(everythingIn(denial)).not.toContain(sd.password);
  });

  it('a right to some services is enough for these, also in one breath with others', async () => {
    const server = await openServer({ users: [{ ...sd, prefix: '/sd/orders/' }] });
    const backend = openBackend({ endpoints: server.url, ...login });
    const outcomes = await Promise.allSettled([
      backend.register(instance(1), { ttl }),
      backend.register(instance(1, 'payments'), { ttl }),
      firstSnapshot(backend, 'orders'),
      firstSnapshot(backend, 'payments'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('a user who may only read finds and watches, and is refused to register', async () => {
    const server = await openServer({ users: [{ ...sd, prefix: '/other/' }] });
    await server.call('auth/role/grant', { name: 'sd', perm: { permType: 'READ', ...prefixRange('/sd/') } });
    const backend = openBackend({ endpoints: server.url, ...login });
    await openWatch(backend);
    expect(await backend.listServices()).toEqual([]);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/the right to readwrite/);
  });

  it('a certificate that has expired is named at once', async () => {
    const { url, tls } = await openServer({ tls: 'expired' });
    const backend = openBackend({ endpoints: url, tls: { ca: tls?.ca }, timeoutMs: 5_000 });
    const startedAt = performance.now();
    const failure = await backend.getInstances('orders').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendUnavailableError);
    expect(String(failure)).toContain(`${url}: its certificate was refused (certificate has expired)`);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });

  it('a certificate of an authority that nobody trusts is named at once', async () => {
    const { url } = await openServer({ tls: true });
    const backend = openBackend({ endpoints: url });
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/its certificate was refused/);
  });

  it('a server that does not speak TLS is named as that', async () => {
    const { host, port } = await openServer();
    const backend = openBackend({ endpoints: `https://${host}:${port}` });
    await expect(backend.getInstances('orders')).rejects.toThrow(/(no TLS there|ECONNRESET).* is it http:\?/);
  });

  it('a server that wants TLS is named as that', async () => {
    const { host, port } = await openServer({ tls: true });
    const backend = openBackend({ endpoints: `http://${host}:${port}` });
    await expect(backend.getInstances('orders')).rejects.toThrow(/does it want TLS, https:\?/);
  });

  it('a server that is not there is unavailable at once', async () => {
    const server = await openServer();
    await server.kill();
    const backend = openBackend({ endpoints: server.url });
    await expect(backend.getInstances('orders')).rejects.toThrow(/ECONNREFUSED/);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(BackendUnavailableError);
  });

  it('a quota that is reached is named at once, what lives goes on living, and watches go on', async () => {
    const server = await openServer({ quotaBytes: 200_000 });
    const backend = openBackend({ endpoints: server.url });
    const lease = await backend.register(instance(1), { ttl: 1_000 });
    const watch = await openWatch(backend);
    const fill = async (): Promise<void> => {
      for (let n = 0; n < 50; n += 1) await server.put(`/filling/${n}`, 'x'.repeat(50_000));
    };
    await expect(fill()).rejects.toThrow(/space exceeded/);

    const failure = await backend.register(instance(2), { ttl: 1_000 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendUnavailableError);
    expect(String(failure)).toContain('has reached its space quota and takes nothing more (NOSPACE)');
    const before = await keepAlives();
    await eventually(async () => expect(await keepAlives()).toBeGreaterThan(before + 6), {
      timeoutMs: 5_000,
    });

    expect(lease.lost.aborted).toBe(false);
    expect(ids(watch.latest ?? [])).toEqual(['orders-1']);
    async function keepAlives(): Promise<number> {
      return server.metric('grpc_server_msg_received_total', 'grpc_method="LeaseKeepAlive"');
    }
  });

  it('an instance that no consumer would read is refused before etcd is asked', async () => {
    const backend = openBackend({ endpoints: 'http://127.0.0.1:1' });
    const metadata = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`key-${n}`, 'x'.repeat(4_000)]),
    );
    const large = createInstance({ ...instance(1), metadata }, 0);
    await expect(backend.register(large, { ttl })).rejects.toThrow(ConfigValidationError);
  });

  it('large instances are registered all at once, in as many transactions as they need', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, timeoutMs: 5_000 });
    const metadata = Object.fromEntries(
      Array.from({ length: 15 }, (_, n) => [`key-${n}`, 'ä'.repeat(4_000)]),
    );
    const watch = await openWatch(backend);
    const all = Array.from({ length: 60 }, (_, n) => createInstance({ ...instance(n), metadata }, 0));
    await Promise.all(all.map((each) => backend.register(each, { ttl })));
    await watch.next(({ length }) => length === 60, { timeoutMs: 5_000 });
    expect(await backend.getInstances('orders')).toHaveLength(60);
    expect(ids((await openWatch(backend)).latest ?? [])).toHaveLength(60);
  });

  it('foreign keys under the prefix are left alone, and cost nobody anything', async () => {
    const server = await openServer();
    await server.put('/sd/config', 'mine');
    await server.put('/sd//x', 'mine');
    await server.put('/sd/bad name/x', 'mine');
    await server.put('/sd/orders', 'mine');
    const backend = openBackend({ endpoints: server.url });
    await backend.register(instance(1), { ttl });
    expect(await backend.listServices()).toEqual(['orders']);
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(backend.malformed.count).toBe(0);
    expect((await server.entries('/sd/config'))[0]?.value).toBe('mine');
  });

  it.each([
    ['no JSON', 'orders-9', 'x', /expected an object/],
    [
      'one of another service',
      'payments-1',
      JSON.stringify(instance(1, 'payments')),
      /"service" is "payments"/,
    ],
    ['one at the key of another', 'orders-9', JSON.stringify(instance(2)), /"id" is "orders-2"/],
    ['one at a key below that of another', 'orders-1/x', JSON.stringify(instance(1)), /"id" is "orders-1"/],
    ['one without an address', 'orders-9', '{"service":"orders","id":"orders-9"}', /"host" is missing/],
    ['more than is read', 'orders-9', 'x'.repeat(70_000), /70000 characters long/],
  ])('an entry that is malformed (%s) costs itself alone, and is reported', async (_, id, value, problem) => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    await backend.register(instance(1), { ttl });
    const watch = await openWatch(backend);
    await server.put(`/sd/orders/${id}`, value);

    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    await backend.register(instance(3), { ttl });
    await watch.next(({ length }) => length === 2, { timeoutMs: 5_000 });

    expect(backend.malformed.recent).toEqual([
      { service: 'orders', key: `/sd/orders/${id}`, problem: expect.stringMatching(problem) as unknown },
    ]);
  });

  it('keys that are no text do no harm', async () => {
    const server = await openServer();
    const key = Buffer.concat([Buffer.from('/sd/orders/'), Buffer.of(0xff, 0xfe, 0)]).toString('base64');
    await server.call('kv/put', { key, value: '' });
    const backend = openBackend({ endpoints: server.url });
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(backend.malformed.count).toBe(1);
  });
});

function firstSnapshot(backend: DiscoveryBackend, service: string): Promise<unknown> {
  return backend.watch(service, { signal: new AbortController().signal })[Symbol.asyncIterator]().next();
}

import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, ConfigValidationError, createInstance } from '@sd/core';
import { requireServer } from '../../../../tools/servers/index.ts';
import { ids, instance, openBackend, openServer, openWatch } from './open-backend.ts';

const ttl = 60_000;

describe.skipIf(!requireServer('redis'))('bad input', () => {
  it('a wrong password is denied at once, and never shown', async () => {
    const { host, port } = await openServer({ password: 'right' });
    const backend = openBackend({ url: `redis://:wr0ng@${host}:${port}` });

    const denial = await backend.getInstances('orders').catch((error: unknown) => error);

    expect(denial).toBeInstanceOf(AccessDeniedError);
    expect(denial).toMatchObject({
      message: expect.stringContaining('wrong user name or password') as unknown,
    });
    expect(everythingIn(denial)).not.toContain('wr0ng');
  });

  it('a server that repeats the password does not make us show it', async () => {
    const { host, port } = await openServer({ config: ['--rename-command', 'AUTH', ''] });
    const backend = openBackend({ url: `redis://bob:s3cr3t@${host}:${port}` });
    const failure = await backend.getInstances('orders').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendUnavailableError);
    expect(everythingIn(failure)).not.toContain('s3cr3t');
  });

  it('a database that does not exist is refused, and not replaced by number 0', async () => {
    const server = await openServer();
    const backend = openBackend({ url: `${server.url}/99` });
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/DB index is out of range/);
    expect(await openBackend({ url: server.url }).getInstances('orders')).toEqual([]);
  });

  it('without the right to publish nothing is registered', async () => {
    const server = await openServer();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', 'resetchannels', '+@all');
    const backend = openBackend({ url: `redis://app:secret@${server.host}:${server.port}` });
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(AccessDeniedError);
    expect(await openBackend({ url: server.url }).getInstances('orders')).toEqual([]);
  });

  it('a ttl of more than a year is refused', async () => {
    const backend = openBackend({ url: 'redis://127.0.0.1:1' });
    await expect(backend.register(instance(1), { ttl: 1e19 })).rejects.toThrow(ConfigValidationError);
  });

  it('a list of services that is something else does not keep anybody from registering', async () => {
    const server = await openServer();
    await server.command('SET', 'sd:services', 'mine');
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('no password where one is needed is denied at once', async () => {
    const { host, port } = await openServer({ password: 'right' });
    const backend = openBackend({ url: `redis://${host}:${port}` });
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/Redis wants a password/);
    await expect(backend.listServices()).rejects.toThrow(AccessDeniedError);
  });

  it.each([
    ['a command', '~* &* +@all -evalsha -eval', /\+evalsha /],
    ['a command inside of scripts', '~* &* +@all -zadd', /\+zadd/],
    ['the keys', '~other:* &* +@all', /~sd:\* /],
    ['the channels', '~* resetchannels +@all', /&sd:\* /],
  ])('a user without the right to %s is told which rule is missing', async (_, rules, missing) => {
    const server = await openServer();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', ...rules.split(' '));
    const backend = openBackend({ url: `redis://app:secret@${server.host}:${server.port}` });

    const denial = await backend.register(instance(1), { ttl }).catch((error: unknown) => error);

    expect(denial).toBeInstanceOf(AccessDeniedError);
    expect(String(denial)).toMatch(new RegExp(`grant it with ACL SETUSER app .*${missing.source}`));
  });

  it('a consumer without the right to subscribe is told so by its watch', async () => {
    const server = await openServer();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', 'resetchannels', '+@all');
    const backend = openBackend({ url: `redis://app:secret@${server.host}:${server.port}` });
    const watch = backend.watch('orders', { signal: new AbortController().signal })[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toThrow(/ACL SETUSER app &sd:\*/);
  });

  it('a server that is not there is unavailable at once', async () => {
    const server = await openServer();
    await server.kill();
    const backend = openBackend({ url: server.url });
    await expect(backend.getInstances('orders')).rejects.toThrow(/ECONNREFUSED/);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(BackendUnavailableError);
  });

  it('a server that does not speak TLS is named as that', async () => {
    const { host, port } = await openServer();
    const backend = openBackend({ url: `rediss://${host}:${port}` });
    await expect(backend.getInstances('orders')).rejects.toThrow(/TLS/);
  });

  it('a server that has all the clients that it takes is named as that', async () => {
    const server = await openServer();
    const first = openBackend({ url: server.url });
    await first.listServices();
    await server.command('CONFIG', 'SET', 'maxclients', 1);
    const second = openBackend({ url: server.url });
    await expect(second.getInstances('orders')).rejects.toThrow(/maxclients/);
    const watch = first.watch('orders', { signal: new AbortController().signal });
    await expect(watch.next()).rejects.toThrow(/maxclients/);
  });

  it('a server that wants TLS is named as that', async () => {
    const { host, port } = await openServer({ tls: true });
    const backend = openBackend({ url: `redis://${host}:${port}` });
    await expect(backend.getInstances('orders')).rejects.toThrow(/rediss:/);
  });

  it.each(['instances', 'expiries', 'owners'])(
    'something else in the place of the %s of a service costs that service alone, and is named',
    async (part) => {
      const server = await openServer();
      const backend = openBackend({ url: server.url });
      await backend.register(instance(1, 'payments'), { ttl });
      await server.command('SET', `sd:{orders}:${part}`, 'mine');

      const failure = await backend.register(instance(1), { ttl }).catch((error: unknown) => error);

      expect(failure).toBeInstanceOf(BackendUnavailableError);
      expect(failure).toMatchObject({
        service: 'orders',
        message: expect.stringContaining(`sd:{orders}:${part}`) as unknown,
      });
      expect(await server.command('GET', `sd:{orders}:${part}`)).toBe('mine');
      expect(ids(await backend.getInstances('payments'))).toEqual(['payments-1']);
      expect(await backend.listServices()).toEqual(['payments']);
    },
  );

  it('foreign data under the prefix are left alone', async () => {
    const server = await openServer();
    await server.command('SET', 'sd:config', 'mine');
    await server.command('HSET', 'sd:{orders}', 'mine', '1');
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    expect(await backend.listServices()).toEqual(['orders']);
    expect(await server.command('GET', 'sd:config')).toBe('mine');
  });

  it('a record that nobody holds is skipped and reported, and the others are served', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    await server.command('HSET', 'sd:{orders}:instances', 'stray', JSON.stringify(instance(2)));

    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(backend.malformed.recent).toEqual([
      { service: 'orders', key: 'stray', problem: 'the record has no expiry' },
    ]);
  });

  it('an instance that no consumer would read is refused before Redis is asked', async () => {
    const backend = openBackend({ url: 'redis://127.0.0.1:1' });
    const metadata = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`key-${n}`, 'x'.repeat(4_000)]),
    );
    const large = createInstance({ ...instance(1), metadata }, 0);
    await expect(backend.register(large, { ttl })).rejects.toThrow(ConfigValidationError);
  });

  it('a change that claims another history does not end a watch', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    const watch = await openWatch(backend);
    await server.command('PUBLISH', 'sd:{orders}:changes', '["a:1","b:2",{},{}]');
    await backend.register(instance(2), { ttl });
    await watch.next(({ length }) => length === 2, { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it('messages on the channel that are no changes do no harm, and cost at most ten reads a second', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url, pollMs: 60_000 });
    await backend.register(instance(1), { ttl });
    const watch = await openWatch(backend);
    const publisher = new Redis(server.url);
    onTestFinished(() => publisher.disconnect());
    const before = await evalshas(server);

    const startedAt = performance.now();
    while (performance.now() - startedAt < 500) await publisher.publish('sd:{orders}:changes', '["x"');
    const reads = (await evalshas(server)) - before;

    expect(reads).toBeLessThanOrEqual(6);
    expect(watch.end).toBeUndefined();
    expect(ids(watch.latest ?? [])).toEqual(['orders-1']);
  });
});

async function evalshas(server: {
  info(section: string): Promise<ReadonlyMap<string, string>>;
}): Promise<number> {
  const stats = await server.info('commandstats');
  return Number(/calls=(\d+)/.exec(stats.get('cmdstat_evalsha') ?? '')?.[1] ?? 0);
}

/** All text in an error, its causes included, as a logger could print it. */
function everythingIn(error: unknown): string {
  const seen = new Set<unknown>();
  const text = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value);
    if (seen.has(value)) return '';
    seen.add(value);
    return Object.getOwnPropertyNames(value)
      .map((name) => `${name}: ${text(Reflect.get(value, name))}`)
      .join('\n');
  };
  return text(error);
}

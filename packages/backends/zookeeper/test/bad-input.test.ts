import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, ConfigValidationError, createInstance } from '@sd/core';
import { eventually } from '@sd/testkit';
import { requireServer, ZooKeeperServer } from '../../../../tools/servers/index.ts';
import { create, exists, getData, permissions, setAcl, setData } from '../src/protocol/requests.ts';
import type { ZooKeeperBackendOptions } from '../src/index.ts';
import { ids, instance, openBackend, openServer, openWatch, strangerAt } from './open-backend.ts';
import type { Stranger } from './stranger.ts';

const ttl = 5_000;
const acl = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];
const readOnly = [{ permissions: permissions.read, scheme: 'world', id: 'anyone' }];
const nobody = [{ permissions: permissions.all, scheme: 'digest', id: 'nobody:x' }];
const digest = (credentials: string): ZooKeeperBackendOptions => ({
  auth: { scheme: 'digest', credentials },
});

describe.skipIf(!requireServer('zookeeper'))('bad input', { timeout: 30_000 }, () => {
  let server: ZooKeeperServer;
  let stranger: Stranger;
  let root = '';
  let roots = 0;
  const open = (options: ZooKeeperBackendOptions = {}) => openBackend(server, { root, ...options });
  const put = (path: string, data: string) =>
    stranger.do(create(`${root}/${path}`, { data, acl, kind: 'persistent' }));
  beforeAll(async () => {
    server = await ZooKeeperServer.start();
    stranger = strangerAt(server);
  }, 60_000);
  afterAll(() => server.stop());
  beforeEach(() => {
    root = `/root-${(roots += 1)}`;
  });

  describe('credentials and rights', () => {
    it('wrong credentials may read what is for all, and are denied the rest at once', async () => {
      const lease = await open(digest('app:right')).register(instance(1), { ttl });
      const wrong = open(digest('app:wr0ng'));

      expect(ids(await wrong.getInstances('orders'))).toEqual(['orders-1']);
      const denial = await wrong.register(instance(2), { ttl }).catch((error: unknown) => error);

      expect(denial).toBeInstanceOf(AccessDeniedError);
      expect(String(denial)).toContain(
        `create "${root}/orders/orders-2" (right "create" of "${root}/orders")`,
      );
      expect(everythingIn(denial)).not.toMatch(/wr0ng|right:/);
      await expect(wrong.register(instance(1), { ttl })).rejects.toThrow(AccessDeniedError);
      expect(lease.lost.aborted).toBe(false);
    });

    it('nodes of the creator alone are read by nobody else', async () => {
      await open({ ...digest('app:right'), acl: 'creator' }).register(instance(1), { ttl });
      const other = open();
      await expect(other.getInstances('orders')).rejects.toThrow(`read "${root}/orders" (right "read")`);
      await expect(other.listServices()).rejects.toThrow(AccessDeniedError);
      const watch = other.watch('orders', { signal: new AbortController().signal })[Symbol.asyncIterator]();
      await expect(watch.next()).rejects.toThrow(AccessDeniedError);
    });

    it('open nodes are changed by everybody, as Curator has it', async () => {
      await open({ ...digest('app:right'), acl: 'open' }).register(instance(1), { ttl });
      await open().register(instance(2), { ttl });
      expect(ids(await open().getInstances('orders'))).toEqual(['orders-1', 'orders-2']);
    });

    it('a list of rights is what the nodes get', async () => {
      await open({ acl: [{ permissions: 31, scheme: 'world', id: 'anyone' }] }).register(instance(1), {
        ttl,
      });
      expect(await open().listServices()).toEqual(['orders']);
    });

    it.each([
      ['create', 'register', (backend: ReturnType<typeof open>) => backend.register(instance(2), { ttl })],
      ['delete', 'replace', (backend: ReturnType<typeof open>) => backend.register(instance(1), { ttl })],
    ])('without the right to %s one cannot %s', async (_, __, work) => {
      await open().register(instance(1), { ttl });
      await stranger.do(setAcl(`${root}/orders`, readOnly));
      await expect(work(open())).rejects.toThrow(/right "(create|delete)" of/);
    });

    it('without the right to write an update is denied, and the lease stays', async () => {
      const lease = await open().register(instance(1), { ttl });
      await stranger.do(setAcl(`${root}/orders/orders-1`, readOnly));
      await expect(lease.update({ ...instance(1), weight: 9 })).rejects.toThrow(/right "write"/);
      expect(lease.lost.aborted).toBe(false);
    });

    it('a service below a root where we may not create is denied, and the message says where', async () => {
      await stranger.do(create(root, { data: '', acl: readOnly, kind: 'persistent' }));
      await expect(open().register(instance(1), { ttl })).rejects.toThrow(
        `create "${root}/orders" (right "create" of "${root}")`,
      );
    });

    it('the node of a service is enough where somebody has made it for us', async () => {
      await stranger.do(create(root, { data: '', acl: readOnly, kind: 'persistent' }));
      await put('orders', '');
      await open().register(instance(1), { ttl });
      expect(ids(await open().getInstances('orders'))).toEqual(['orders-1']);
    });

    it('one node that we may not read costs itself alone', async () => {
      const backend = open();
      await backend.register(instance(1), { ttl });
      await stranger.do(create(`${root}/orders/private`, { data: '', acl: nobody, kind: 'persistent' }));
      expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
      expect(backend.malformed.recent).toMatchObject([{ key: `${root}/orders/private` }]);
    });

    it('a scheme that does not exist is denied at once, without its credentials', async () => {
      const backend = open({ auth: { scheme: 'kerberos', credentials: 's3cret' } });
      const denial = await backend.getInstances('orders').catch((error: unknown) => error);
      expect(denial).toBeInstanceOf(AccessDeniedError);
      expect(String(denial)).toContain('scheme "kerberos"');
      expect(everythingIn(denial)).not.toContain('s3cret');
      await expect(backend.register(instance(1), { ttl })).rejects.toThrow(AccessDeniedError);
    });
  });

  describe('entries', () => {
    it.each([
      ['nothing', ''],
      ['no JSON', '{ "service": '],
      ['something else', '[1, 2]'],
      ['another service', JSON.stringify({ ...instance(2), id: 'broken', service: 'payments' })],
      ['another id', JSON.stringify(instance(2))],
      ['a hundred levels', `${'['.repeat(9_000)}${']'.repeat(9_000)}`],
      ['900 KB', JSON.stringify({ ...instance(2), id: 'broken', note: 'x'.repeat(900_000) })],
    ])('%s is skipped, counted once, and the others are served', async (_, data) => {
      const backend = open();
      await backend.register(instance(1), { ttl });
      const watch = await openWatch(backend);
      await put('orders/broken', data);
      await backend.register(instance(3), { ttl });

      await watch.next(({ length }) => length === 2, { timeoutMs: 2_000 });
      expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1', 'orders-3']);
      expect(backend.malformed).toMatchObject({ count: 1, recent: [{ key: `${root}/orders/broken` }] });
      expect(watch.end).toBeUndefined();
    });

    it('forty nodes of 200 KB are read, and the one that counts among them', async () => {
      const backend = open({ timeoutMs: 10_000 });
      await backend.register(instance(1), { ttl });
      const large = 'x'.repeat(200_000);
      await Promise.all(Array.from({ length: 40 }, (_, n) => put(`orders/large-${n}`, large)));
      expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
      expect(backend.malformed.count).toBe(40);
    }, 20_000);

    it('a node that becomes unreadable leaves the view, and comes back when it is readable again', async () => {
      const backend = open();
      const watch = await openWatch(backend);
      await open().register(instance(1), { ttl });
      await put('orders/orders-2', JSON.stringify(instance(2)));
      await watch.next(({ length }) => length === 2, { timeoutMs: 2_000 });
      await stranger.do(setData(`${root}/orders/orders-2`, 'broken', -1));
      await watch.next(({ length }) => length === 1, { timeoutMs: 2_000, from: watch.snapshots.length - 1 });
      await stranger.do(setData(`${root}/orders/orders-2`, JSON.stringify(instance(2)), -1));
      await eventually(() => expect(watch.latest).toHaveLength(2));
    });

    it('foreign nodes beside the services and below the instances are left alone', async () => {
      const backend = open();
      await backend.register(instance(1), { ttl });
      await put('no service', 'mine');
      await put('no service/child', 'mine');
      await put('empty', 'mine');
      expect(await backend.listServices()).toEqual(['orders']);
      const { data } = await stranger.do(getData(`${root}/no service/child`));
      expect(data.toString()).toBe('mine');
    });

    it('a node that stays in the place of an instance is taken over', async () => {
      const backend = open();
      await stranger.do(create(root, { data: '', acl, kind: 'persistent' }));
      await put('orders', '');
      await put('orders/orders-1', 'left over');
      await backend.register(instance(1), { ttl });
      expect(await backend.getInstances('orders')).toEqual([instance(1)]);
      const { ephemeralOwner } = await stranger.do(exists(`${root}/orders/orders-1`));
      expect(ephemeralOwner).not.toBe(0n);
    });

    it('a node with children in the place of an instance is an error that says so', async () => {
      await stranger.do(create(root, { data: '', acl, kind: 'persistent' }));
      await put('orders', '');
      await put('orders/orders-1', '');
      await put('orders/orders-1/child', '');
      await expect(open().register(instance(1), { ttl })).rejects.toThrow(/something else is in the place/);
    });

    it('a codec of the user that throws costs the entry alone', async () => {
      await open().register(instance(1), { ttl });
      const codec = {
        encode: () => '',
        decode: () => {
          throw new Error('cannot');
        },
      };
      const backend = open({ codec });
      expect(await backend.getInstances('orders')).toEqual([]);
      expect(backend.malformed.recent).toMatchObject([{ problem: 'the codec threw Error: cannot' }]);
    });

    it('what Spring wrote and what we write for Spring are found by each other', async () => {
      const backend = open({ codec: 'curator' });
      await backend.register(instance(1), { ttl });
      const written = (await stranger.do(getData(`${root}/orders/orders-1`))).data.toString();
      expect(JSON.parse(written)).toMatchObject({ name: 'orders', address: '10.0.0.1', port: 8080 });
      await put('orders/uuid-2', written.replaceAll('orders-1', 'uuid-2').replaceAll('10.0.0.1', '10.0.0.2'));
      expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1', 'uuid-2']);
      expect(await backend.getInstances('orders')).toContainEqual(instance(1));
    });
  });

  describe('what a node cannot hold', () => {
    it('an instance that no consumer would read is refused before ZooKeeper is asked', async () => {
      const backend = openBackend({ host: '127.0.0.1', port: 1 });
      const metadata = Object.fromEntries(
        Array.from({ length: 20 }, (_, n) => [`key-${n}`, 'x'.repeat(4_000)]),
      );
      const large = createInstance({ ...instance(1), metadata }, 0);
      await expect(backend.register(large, { ttl })).rejects.toThrow(ConfigValidationError);
      const curator = openBackend({ host: '127.0.0.1', port: 1 }, { codec: 'curator' });
      await expect(curator.register(large, { ttl })).rejects.toThrow(ConfigValidationError);
    });

    it('more than a megabyte from a codec of the user is refused before ZooKeeper is asked', async () => {
      const codec = { encode: () => 'ä'.repeat(600_000), decode: () => ({ problem: 'none' }) };
      const backend = openBackend({ host: '127.0.0.1', port: 1 }, { codec });
      await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/at most 1000000 bytes/);
    });
  });

  it('a server that is not there is unavailable at once', async () => {
    const backend = openBackend({ host: '127.0.0.1', port: 1 });
    const startedAt = performance.now();
    await expect(backend.getInstances('orders')).rejects.toThrow(/ECONNREFUSED/);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(BackendUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('the chroot comes before the root, and is made when it is missing', async () => {
    const connectionString = `127.0.0.1:${server.port}${root}/chroot`;
    await open({ connectionString, root: '/inside' }).register(instance(1), { ttl });
    expect(ids(await open({ root: `${root}/chroot/inside` }).getInstances('orders'))).toEqual(['orders-1']);
  });
});

describe.skipIf(!requireServer('zookeeper'))('TLS', { timeout: 30_000 }, () => {
  let server: ZooKeeperServer;
  const secure = (at: ZooKeeperServer) => ({ host: at.host, port: at.securePort });
  beforeAll(async () => {
    server = await ZooKeeperServer.start({ tls: true });
  }, 60_000);
  afterAll(() => server.stop());

  it('registers, looks up and watches with the right authority', async () => {
    const backend = openBackend(secure(server), { tls: { ca: server.tls?.ca } });
    const watch = await openWatch(backend);
    const lease = await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 2_000 });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    await lease.release();
  });

  it('takes a certificate as who we are: nodes of the creator are for its holders', async () => {
    const folder = join(server.folder, 'tls');
    const [cert, key] = ['server.crt', 'server.key'].map((file) => readFileSync(join(folder, file)));
    const tls = { ca: server.tls?.ca, cert, key };
    await openBackend(secure(server), { tls, acl: 'creator', root: '/certified' }).register(instance(1), {
      ttl,
    });
    const anonymous = openBackend(secure(server), { tls: { ca: server.tls?.ca }, root: '/certified' });
    await expect(anonymous.getInstances('orders')).rejects.toThrow(AccessDeniedError);
    const known = openBackend(secure(server), { tls, root: '/certified' });
    expect(ids(await known.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('an authority that is not trusted is named as that, at once', async () => {
    const backend = openBackend(secure(server), { tls: true });
    const refusal = await backend.getInstances('orders').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(BackendUnavailableError);
    expect(String(refusal)).toMatch(/certificate .* was refused: .*(self.signed|unable to verify|issuer)/i);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(/certificate/);
  });

  it('a certificate that has expired is named as that, at once', async () => {
    const expired = await openServer({ tls: 'expired' });
    // Its first handshake may take a while.
    const backend = openBackend(secure(expired), { tls: { ca: expired.tls?.ca }, timeoutMs: 15_000 });
    await expect(backend.getInstances('orders')).rejects.toThrow(/certificate has expired/);
    await expect(backend.register(instance(1), { ttl })).rejects.toThrow(BackendUnavailableError);
  }, 30_000);

  it('a server that does not speak TLS is named as that', async () => {
    const backend = openBackend(server, { tls: { ca: server.tls?.ca } });
    await expect(backend.getInstances('orders')).rejects.toThrow(/does this port speak TLS/);
  });

  it('a server that wants TLS is named as that', async () => {
    const backend = openBackend(secure(server));
    await expect(backend.getInstances('orders')).rejects.toThrow(/does it want TLS/);
  });
});

describe.skipIf(!requireServer('zookeeper'))('too many of us', { timeout: 30_000 }, () => {
  it('a server that has all the connections that it takes is named as that', async () => {
    const server = await openServer({ config: ['maxClientCnxns=1'] });
    const [first, second] = [openBackend(server), openBackend(server)];
    await eventually(() => first.listServices()); // those that asked whether it is up are gone
    // It may be closed before we have said who we are.
    await eventually(() => expect(second.getInstances('orders')).rejects.toThrow(/maxClientCnxns/));
  });
});

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

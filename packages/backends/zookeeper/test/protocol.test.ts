import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '@sd/testkit';
import { requireServer, ZooKeeperServer } from '../../../../tools/servers/index.ts';
import { ConnectError } from '../src/protocol/connect-error.ts';
import type { Connection } from '../src/protocol/connection.ts';
import { newSession } from '../src/protocol/handshake.ts';
import {
  addRecursiveWatch,
  create,
  exists,
  getChildren,
  getData,
  multi,
  multiRead,
  permissions,
  remove,
  removeWatches,
  setAcl,
  setData,
  sync,
} from '../src/protocol/requests.ts';
import { openConnection } from './open-backend.ts';

const acl = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];
const nobody = [{ permissions: permissions.all, scheme: 'digest', id: 'nobody:x' }];
const persistent = (path: string, data = '') => create(path, { data, acl, kind: 'persistent' });
const ephemeral = (path: string, data = '') => create(path, { data, acl, kind: 'ephemeral' });

describe.skipIf(!requireServer('zookeeper'))('the protocol, with a real server', { timeout: 30_000 }, () => {
  let server: ZooKeeperServer;
  let connection: Connection;
  let base = '';
  let bases = 0;
  beforeAll(async () => {
    server = await ZooKeeperServer.start();
  }, 60_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    connection = await openConnection(server);
    base = `/base-${(bases += 1)}`;
    await connection.send(persistent(base));
  });

  const eventsOf = (watching: Connection): string[] => {
    const events: string[] = [];
    watching.listen({ onEvent: (path) => events.push(path), onLost: () => undefined });
    return events;
  };

  it('creates, reads, changes and deletes a node', async () => {
    await connection.send(persistent(`${base}/a`, 'naïve'));
    const { data, stat } = await connection.send(getData(`${base}/a`));
    expect([data.toString(), stat.version, stat.ephemeralOwner]).toEqual(['naïve', 0, 0n]);

    expect(await connection.send(setData(`${base}/a`, 'b', 0))).toMatchObject({ version: 1 });
    expect(await connection.send(getChildren(base))).toEqual(['a']);
    expect(await connection.send(exists(base))).toMatchObject({ children: 1 });
    await connection.send(sync(base));
    await connection.send(remove(`${base}/a`, 1));
    expect(await connection.send(getChildren(base))).toEqual([]);
  });

  it.each([
    ['NoNode', () => getData(`${base}/none`)],
    ['NoNode', () => persistent(`${base}/none/a`)],
    ['NodeExists', () => persistent(base)],
    ['BadVersion', () => setData(base, '', 7)],
    ['BadVersion', () => remove(base, 7)],
    ['BadArguments', () => remove('/zookeeper', -1)],
    ['InvalidAcl', () => create(`${base}/a`, { data: '', acl: [], kind: 'persistent' })],
    ['NoAuth', () => getData(base)],
  ])('says %s as an error with code and path', async (code, request) => {
    if (code === 'NoAuth') await connection.send(setAcl(base, nobody));
    await expect(connection.send<unknown>(request())).rejects.toMatchObject({ code, path: request().path });
    expect(connection.isOpen).toBe(true);
  });

  it('ends an ephemeral node with its session, and `dump` of the server knows whose it is', async () => {
    const session = newSession();
    const owner = await openConnection(server, { session });
    await owner.send(ephemeral(`${base}/a`));
    expect(await connection.send(exists(`${base}/a`))).toMatchObject({ ephemeralOwner: session.id });
    const dump = await server.ask('dump');
    expect(dump).toContain(`0x${BigInt.asUintN(64, session.id).toString(16)}:`);
    expect(dump).toContain(`${base}/a`);

    owner.close({ endSession: true });

    await eventually(async () => expect(await connection.send(getChildren(base))).toEqual([]));
  });

  it('removes a container after its last child', async () => {
    await connection.send(create(`${base}/c`, { data: '', acl, kind: 'container' }));
    await connection.send(ephemeral(`${base}/c/a`));
    await connection.send(remove(`${base}/c/a`, -1));
    await eventually(async () => expect(await connection.send(getChildren(base))).toEqual([]), {
      timeoutMs: 10_000,
    });
  }, 15_000);

  it('does all of a multi or nothing, and says what was to blame', async () => {
    const all = multi([persistent(`${base}/a`), persistent(`${base}/b`), setData(base, 'x', -1)], base);
    await connection.send(all);
    expect([...(await connection.send(getChildren(base)))].sort()).toEqual(['a', 'b']);

    const none = multi([remove(`${base}/a`, -1), remove(`${base}/b`, 7), remove(base, -1)], base);
    await expect(connection.send(none)).rejects.toMatchObject({ code: 'BadVersion', path: `${base}/b` });
    expect(await connection.send(getChildren(base))).toHaveLength(2);
  });

  it('reads many nodes at once, each with a result of its own', async () => {
    await connection.send(persistent(`${base}/a`, 'A'));
    const requests = [getData(`${base}/a`), getData(`${base}/none`), getData(base)];
    const [a, none, last] = await connection.send(multiRead(requests, base));
    expect(a).toMatchObject({ data: Buffer.from('A') });
    expect(none).toMatchObject({ code: 'NoNode', path: `${base}/none` });
    expect(last).toMatchObject({ stat: { children: 1 } });
  });

  it('tells of all changes below a node that is not there yet, until the watch is removed', async () => {
    const events = eventsOf(connection);
    await connection.send(addRecursiveWatch(`${base}/w`));
    expect(await server.ask('wchs')).toMatch(/Total watches:[1-9]/);
    await connection.send(persistent(`${base}/w2`));
    await connection.send(persistent(`${base}/w`));
    await connection.send(persistent(`${base}/w/a`));
    await connection.send(setData(`${base}/w/a`, 'x', -1));
    await connection.send(remove(`${base}/w/a`, -1));
    expect(events).toEqual([`${base}/w`, `${base}/w/a`, `${base}/w/a`, `${base}/w/a`]);

    await connection.send(removeWatches(`${base}/w`));
    const before = events.length;
    await connection.send(persistent(`${base}/w/b`));
    expect(events.slice(before)).not.toContain(`${base}/w/b`);
  });

  it('tells of the next change of a single node, once', async () => {
    const events = eventsOf(connection);
    await connection.send(getData(base, true));
    await connection.send(setData(base, 'x', -1));
    await connection.send(setData(base, 'y', -1));
    expect(events).toEqual([base]);
  });

  it('continues a session over another connection, with what hangs on it', async () => {
    const session = newSession();
    const first = await openConnection(server, { session });
    await first.send(ephemeral(`${base}/a`));
    const { id } = session;
    first.close();

    const second = await openConnection(server, { session });
    expect(session.id).toBe(id);
    expect(await second.send(exists(`${base}/a`))).toMatchObject({ ephemeralOwner: id });
  });

  it('is told that a session has expired, or never was', async () => {
    const session = { ...newSession(), id: 4711n };
    const refusal = openConnection(server, { session });
    await expect(refusal).rejects.toBeInstanceOf(ConnectError);
    await expect(refusal).rejects.toMatchObject({ kind: 'expired' });
  });

  it('is refused by a server that is behind what it has seen, and taken without that', async () => {
    const session = newSession(1n << 40n);
    await expect(openConnection(server, { session })).rejects.toMatchObject({ kind: 'refused' });
    session.refusals = 1;
    await openConnection(server, { session });
    expect(session.lastZxid).toBe(0n);
  });

  it('is denied with a scheme of authentication that does not exist, at once', async () => {
    const auth = { scheme: 'kerberos', credentials: 's3cret' };
    const refusal = openConnection(server, { auth });
    await expect(refusal).rejects.toMatchObject({ kind: 'denied' });
    await expect(refusal).rejects.not.toThrow(/s3cret/);
  });

  it('gets the timeout that the server wants, and is kept by pings', async () => {
    const session = newSession();
    const owner = await openConnection(server, { session, sessionTimeoutMs: 1 });
    expect(owner.sessionTimeoutMs).toBe(200);
    await owner.send(ephemeral(`${base}/a`));
    const startedAt = performance.now();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(1_000));
    expect(await owner.send(exists(`${base}/a`))).toMatchObject({ ephemeralOwner: session.id });
  });

  it('answers a thousand requests that were sent at once, in order', async () => {
    const all = Array.from({ length: 1_000 }, (_, n) => connection.send(persistent(`${base}/n-${n}`)));
    await Promise.all(all);
    expect(await connection.send(getChildren(base))).toHaveLength(1_000);
  });
});

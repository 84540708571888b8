import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { seededRng } from '@sd/core';
import { realTime, ViewRecorder } from '@sd/testkit';
import { requireServer, ZooKeeperServer } from '../../../../tools/servers/index.ts';
import type { ZooKeeperBackend } from '../src/index.ts';
import { ops, remove, setData, create, permissions } from '../src/protocol/requests.ts';
import { ids, instance, openBackend, strangerAt } from './open-backend.ts';
import { oldServer } from './old-server.ts';
import type { Stranger } from './stranger.ts';

const ttl = 5_000;
const acl = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];
const since36 = new Set<number>([ops.addWatch, ops.multiRead]);
const since35 = new Set<number>([...since36, ops.createContainer, ops.removeWatches]);

describe.skipIf(!requireServer('zookeeper')).each([
  ['3.5', since36],
  ['3.4', since35],
])('with a server as it was in %s', { timeout: 30_000 }, (_, unknown) => {
  let server: ZooKeeperServer;
  let stranger: Stranger;
  let root = '';
  let roots = 0;
  beforeAll(async () => {
    server = await ZooKeeperServer.start();
    stranger = strangerAt(server);
  }, 60_000);
  afterAll(() => server.stop());
  beforeEach(() => {
    root = `/root-${(roots += 1)}`;
  });

  const open = async () => {
    const old = await oldServer(server, unknown);
    return { backend: openBackend(old, { root }), old };
  };
  const follow = (backend: ZooKeeperBackend): ViewRecorder => {
    const view = new ViewRecorder(backend, 'orders', { time: realTime(), rng: seededRng(1), ttl: 1_000 });
    onTestFinished(() => view.close());
    return view;
  };

  it('registers, and looks up', async () => {
    const { backend } = await open();
    await register(backend, 1);
    await register(backend, 2);
    expect(ids(await lookUp(backend))).toEqual(['orders-1', 'orders-2']);
    expect(await backend.listServices()).toEqual(['orders']);
  });

  it('sees who comes, changes and goes, from before the service is there', async () => {
    const { backend } = await open();
    const view = follow(backend);
    await view.shows(({ length }) => length === 0, 5_000);
    const first = await register(openBackend(server, { root }), 1);
    await view.shows(({ length }) => length === 1, 2_000);
    await first.update({ ...instance(1), weight: 9 });
    await view.shows(([seen]) => seen?.weight === 9, 2_000);
    await first.update({ ...instance(1), weight: 8 });
    await view.shows(([seen]) => seen?.weight === 8, 2_000);
    const second = await register(openBackend(server, { root }), 2);
    await view.shows(({ length }) => length === 2, 2_000);
    await first.release();
    await view.shows(([seen]) => seen?.id === 'orders-2', 2_000);
    await second.release();
    await view.shows(({ length }) => length === 0, 2_000);
  });

  it('sees what a stranger does, also when the node of the service is deleted and made anew', async () => {
    const { backend } = await open();
    const view = follow(backend);
    const put = (path: string, data = '') => stranger.do(create(path, { data, acl, kind: 'persistent' }));
    await put(root);
    await put(`${root}/orders`);
    await view.shows(() => true, 5_000);
    for (const weight of [1, 2]) {
      await put(`${root}/orders/orders-1`, JSON.stringify(instance(1)));
      await view.shows(({ length }) => length === 1, 2_000);
      await stranger.do(setData(`${root}/orders/orders-1`, JSON.stringify({ ...instance(1), weight }), -1));
      await view.shows(([seen]) => seen?.weight === weight, 2_000);
      await stranger.do(remove(`${root}/orders/orders-1`, -1));
      await stranger.do(remove(`${root}/orders`, -1));
      await view.shows(({ length }) => length === 0, 2_000);
      await put(`${root}/orders`);
    }
  });

  it('asks for what is not known once, and never again', async () => {
    const { backend, old } = await open();
    const view = follow(backend);
    await view.shows(() => true, 5_000);
    for (const n of [1, 2, 3]) await register(backend, n);
    await lookUp(backend);
    await view.shows(({ length }) => length === 3, 2_000);
    for (const op of unknown) expect(old.asked.filter((each) => each === op).length).toBeLessThanOrEqual(1);
  });
});

/** What was not known costs the first attempt. */
const register = async (backend: ZooKeeperBackend, n: number) =>
  backend.register(instance(n), { ttl }).catch(() => backend.register(instance(n), { ttl }));

const lookUp = async (backend: ZooKeeperBackend) =>
  backend.getInstances('orders').catch(() => backend.getInstances('orders'));

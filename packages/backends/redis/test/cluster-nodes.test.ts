import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BackendUnavailableError, ClosedError } from '@sd/core';
import { RedisCluster, requireServer, type RedisServer } from '../../../../tools/servers/index.ts';
import type { RedisBackend, RedisBackendOptions } from '../src/index.ts';
import { ids, instance, openBackend } from './open-backend.ts';
import { clusterRules, consumerRules, providerRules } from './rights.ts';

const password = 'secret';
const index = 'sd:services';

describe.skipIf(!requireServer('redis'))('nodes of a Cluster', { timeout: 30_000 }, () => {
  let cluster: RedisCluster;
  /** That has the list of services. */
  let indexNode: RedisServer;
  beforeAll(async () => {
    cluster = await RedisCluster.start({ persistent: false, replicas: 0 });
    indexNode = await cluster.masterOf(index);
    // A node that does not answer is not given up by the others meanwhile.
    await toAll('CONFIG', 'SET', 'cluster-node-timeout', '60000');
  }, 60_000);
  afterAll(() => cluster.stop());
  beforeEach(() => toAll('FLUSHALL'));

  const toAll = async (...command: readonly string[]): Promise<void> => {
    for (const node of cluster.nodes) await node.command(...command);
  };
  const open = (username?: string, options: Partial<RedisBackendOptions> = {}): RedisBackend =>
    openBackend({
      cluster: {
        nodes: cluster.nodes.map(({ host, port }) => ({ host, port })),
        options: username === undefined ? {} : { redisOptions: { username, password } },
      },
      ...options,
    } as RedisBackendOptions);
  /** A service whose keys lie there, or not. */
  const serviceAt = async (isThere: (node: RedisServer) => boolean): Promise<string> => {
    for (let n = 0; ; n += 1) if (isThere(await cluster.masterOf(`{orders-${n}}`))) return `orders-${n}`;
  };
  /** Moves the keys of a service to another node. @returns ends the move of their slot */
  const move = async (service: string): Promise<() => Promise<void>> => {
    const from = await cluster.masterOf(`{${service}}`);
    const to = cluster.nodes.find((node) => node !== from) ?? from;
    const slot = Number(await from.command('CLUSTER', 'KEYSLOT', `{${service}}`));
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(await from.command('CLUSTER', 'MYID')));
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(await to.command('CLUSTER', 'MYID')));
    const keys = ['instances', 'expiries', 'owners'].map((part) => `sd:{${service}}:${part}`);
    await from.command('MIGRATE', to.host, to.port, '', 0, 1_000, 'KEYS', ...keys);
    return async () => {
      const id = String(await to.command('CLUSTER', 'MYID'));
      for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', id);
    };
  };

  it('that has the list of services does not answer: leases on others are renewed in time', async () => {
    const ttl = 1_000;
    const service = await serviceAt((node) => node !== indexNode);
    const lease = await open(undefined, { timeoutMs: 1.2 * ttl }).register(instance(1, service), { ttl });
    indexNode.freeze();
    try {
      await new Promise((resolve) => setTimeout(resolve, 3 * ttl)); // three times as long as it lives by itself
      expect(lease.lost.aborted).toBe(false);
    } finally {
      indexNode.thaw();
    }
  });

  it('does not answer: who comes new finds all that lies on others, at once', async () => {
    const [lost, found] = [
      await serviceAt((node) => node === indexNode),
      await serviceAt((node) => node !== indexNode),
    ];
    await open().register(instance(1, found), { ttl: 60_000 });
    indexNode.freeze();
    try {
      for (let round = 0; round < 5; round += 1) {
        const backend = open();
        const refused = backend.getInstances(lost).catch((error: unknown) => error);
        expect(ids(await backend.getInstances(found))).toEqual([`${found}-1`]);
        await backend.close();
        expect(await refused).toBeInstanceOf(Error);
      }
    } finally {
      indexNode.thaw();
    }
  });

  it('hands a slot to another: no right is needed that the README does not list', async () => {
    await toAll('ACL', 'SETUSER', 'provider', 'on', `>${password}`, ...providerRules, ...clusterRules);
    await toAll('ACL', 'SETUSER', 'consumer', 'on', `>${password}`, ...consumerRules, ...clusterRules);
    const [provider, consumer] = [open('provider'), open('consumer')];
    const lease = await provider.register(instance(1), { ttl: 60_000 });
    const arrive = await move('orders');
    await lease.update({ ...instance(1), weight: 2 });
    expect(await consumer.getInstances('orders')).toMatchObject([{ weight: 2 }]);
    await arrive();
    await lease.update({ ...instance(1), weight: 3 });
    expect(await consumer.getInstances('orders')).toMatchObject([{ weight: 3 }]);
    expect(await consumer.listServices()).toEqual(['orders']);
  });

  it('hands a slot to another, and says so while we close: that ends all the same', async () => {
    const backend = open();
    for (const node of cluster.nodes) await backend.getInstances(await serviceAt((each) => each === node));
    const from = await cluster.masterOf('{orders}');
    const arrive = await move('orders');
    await arrive();
    cluster.freeze();
    const refused = backend.getInstances('orders').catch((error: unknown) => error);
    const closed = backend.close();
    from.thaw();
    await from.command('PING'); // it has answered what came before, too
    cluster.thaw();
    await closed;
    expect(await refused).toBeInstanceOf(ClosedError);
  });

  it('hands a slot to another, which we may not follow (ASKING): requests fail, and the process does not', async () => {
    await toAll('ACL', 'SETUSER', 'stuck', 'on', `>${password}`, '~*', '&*', '+@all', '-asking');
    const backend = open('stuck');
    await backend.register(instance(1), { ttl: 60_000 });
    const arrive = await move('orders');
    await expect(backend.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
    await arrive();
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });
});

import type { Packet } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import type { DnsServer } from '../../../../tools/servers/index.ts';
import { hostOf, hosts, openBackend, openServer, publish, srv } from './open-backend.ts';

const name = '_orders._tcp.test';
const setRecords = (server: DnsServer, ...records: readonly object[]) =>
  server.set(name, 'SRV', ...records.map((data) => ({ data })));

const ranksOf = async (server: DnsServer) => {
  const instances = await openBackend(server).getInstances('orders');
  return Object.fromEntries(instances.map(({ host, priority, weight }) => [host, [priority, weight]]));
};

describe('SRV records', () => {
  it('are instances, the same in every process', async () => {
    const server = await openServer();
    publish(server, 1);
    const instances = await openBackend(server, { protocol: 'grpc' }).getInstances('orders');
    expect(instances).toEqual([
      {
        service: 'orders',
        id: 'orders-10.0.0.1-8080',
        host: '10.0.0.1',
        port: 8080,
        protocol: 'grpc',
        weight: 1,
        priority: 1,
        tags: [],
        metadata: { target: 'web-1.test' },
        status: 'healthy',
        registeredAt: 0,
        updatedAt: 0,
      },
    ]);
    expect(server.questions).toHaveLength(1);
  });

  it('have the priorities and weights that they say', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    setRecords(server, srv(1, { priority: 10, weight: 60 }), srv(2, { priority: 20, weight: 5 }));
    expect(await ranksOf(server)).toEqual({ [hostOf(1)]: [10, 60], [hostOf(2)]: [20, 5] });
  });

  it('of weight 0 have a very small chance beside others, and equal ones where all have it', async () => {
    const server = await openServer();
    publish(server, 1, 2, 3, 4);
    setRecords(
      server,
      ...[srv(1, { weight: 0 }), srv(2, { weight: 5 })],
      ...[srv(3, { priority: 2, weight: 0 }), srv(4, { priority: 2, weight: 0 })],
    );
    expect(await ranksOf(server)).toEqual({
      [hostOf(1)]: [1, 0.01],
      [hostOf(2)]: [1, 5],
      [hostOf(3)]: [2, 1],
      [hostOf(4)]: [2, 1],
    });
  });

  it('of priorities and weights beyond what an instance can have keep their order and proportions', async () => {
    const server = await openServer();
    publish(server, 1, 2, 3);
    setRecords(
      server,
      ...[srv(1, { priority: 65_535, weight: 40_000 }), srv(2, { priority: 65_535, weight: 20_000 })],
      srv(3, { priority: 1, weight: 4 }),
    );
    expect(await ranksOf(server)).toEqual({
      [hostOf(1)]: [1, 10_000],
      [hostOf(2)]: [1, 5_000],
      [hostOf(3)]: [0, 1],
    });
  });

  it('whose only target is the root say that there is nobody', async () => {
    const server = await openServer();
    setRecords(server, { target: '.', port: 0, weight: 0, priority: 0 });
    const backend = openBackend(server);
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(backend.malformed.count).toBe(0);
  });

  it('with the same target twice are one instance, of the better priority', async () => {
    const server = await openServer();
    publish(server, 1);
    setRecords(server, srv(1, { priority: 2 }), srv(1, { priority: 1 }));
    expect(await ranksOf(server)).toEqual({ [hostOf(1)]: [1, 1] });
  });

  it('of two targets with one address and port are one instance, in whatever order they come', async () => {
    const server = await openServer();
    for (const n of [1, 2]) server.set(`web-${n}.test`, 'A', { data: hostOf(1) });
    const records = [srv(1, { weight: 10 }), srv(2, { weight: 30 })] as const;
    setRecords(server, ...records);
    const first = await openBackend(server).getInstances('orders');
    setRecords(server, records[1], records[0]);
    expect(await openBackend(server).getInstances('orders')).toEqual(first);
  });

  it('of a target with several addresses share its weight', async () => {
    const server = await openServer();
    server.set('web-1.test', 'A', { data: '10.0.0.1' }, { data: '10.0.0.2' });
    setRecords(server, srv(1, { weight: 3 }));
    expect(await ranksOf(server)).toEqual({ '10.0.0.1': [1, 1.5], '10.0.0.2': [1, 1.5] });
  });

  it('may have the names of their targets as hosts, without further questions', async () => {
    const server = await openServer();
    publish(server, 1);
    server.fault = () => ({ withoutAdditionals: true });
    const backend = openBackend(server, { targets: 'names' });
    expect(await backend.getInstances('orders')).toMatchObject([
      { id: 'orders-web-1.test-8080', host: 'web-1.test', metadata: {} },
    ]);
    expect(server.questions).toHaveLength(1);
  });

  it('that come without addresses are asked for them, each target once', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    setRecords(server, srv(1), { ...srv(1), port: 9090 }, srv(2));
    server.fault = () => ({ withoutAdditionals: true });
    expect(await openBackend(server).getInstances('orders')).toHaveLength(3);
    expect(server.questions.map((question) => `${question.type} ${question.name}`)).toEqual([
      `SRV ${name}`,
      'A web-1.test',
      'A web-2.test',
    ]);
  });
});
/** Of the addresses that come along only those of one type. */
const withOnly = (reply: Packet, alone: string): Packet => ({
  ...reply,
  additionals: (reply.additionals ?? []).filter(({ type }) => type === alone),
});

describe('families', () => {
  const openDual = async (withoutAdditionals: boolean) => {
    const server = await openServer();
    setRecords(server, srv(1), srv(2));
    server.set('web-1.test', 'AAAA', { data: '2001:db8::1' });
    server.set('web-1.test', 'A', { data: '10.0.0.1' });
    server.set('web-2.test', 'AAAA', { data: '2001:db8::2' });
    server.fault = () => ({ withoutAdditionals });
    return server;
  };

  it.each([
    [undefined, ['10.0.0.1', '2001:db8::2']],
    [4 as const, ['10.0.0.1']],
    [6 as const, ['2001:db8::1', '2001:db8::2']],
    ['both' as const, ['10.0.0.1', '2001:db8::1', '2001:db8::2']],
  ])('%s: whether addresses come along or are asked for', async (family, expected) => {
    for (const withoutAdditionals of [false, true]) {
      const server = await openDual(withoutAdditionals);
      expect(hosts(await openBackend(server, { family }).getInstances('orders'))).toEqual(expected);
    }
  });

  it.each([
    ['both' as const, 'A', ['10.0.0.1', '2001:db8::1']],
    ['both' as const, 'AAAA', ['10.0.0.1', '2001:db8::1']],
    [undefined, 'AAAA', ['10.0.0.1']],
  ])('%s: also where only the %s of a target comes along', async (family, alone, expected) => {
    const server = await openDual(false);
    setRecords(server, srv(1));
    server.fault = () => ({ rewrite: (reply) => [withOnly(reply, alone)] });
    expect(hosts(await openBackend(server, { family }).getInstances('orders'))).toEqual(expected);
  });

  it('both: what came along is served where the other cannot be had', async () => {
    const server = await openDual(false);
    setRecords(server, srv(1));
    server.fault = ({ type }) =>
      type === 'AAAA' ? { rcode: 2 } : { rewrite: (reply) => [withOnly(reply, 'A')] };
    expect(hosts(await openBackend(server, { family: 'both' }).getInstances('orders'))).toEqual(['10.0.0.1']);
  });

  it.each([
    [undefined, ['10.0.0.1']],
    [6 as const, ['2001:db8::1']],
    ['both' as const, ['10.0.0.1', '2001:db8::1']],
  ])('%s: of a name', async (family, expected) => {
    const options = { type: 'A', port: 80, name: '{service}.test.', family } as const;
    const backend = openBackend(await openDual(false), options);
    expect(hosts(await backend.getInstances('web-1'))).toEqual(expected);
  });
});

describe('addresses', () => {
  it('are instances with the port of the options', async () => {
    const server = await openServer();
    server.set('orders.test', 'A', { data: '10.0.0.1' }, { data: '10.0.0.2' });
    const backend = openBackend(server, { type: 'A', port: 80, name: '{service}.test.' });
    expect(await backend.getInstances('orders')).toMatchObject([
      { id: 'orders-10.0.0.1-80', port: 80, weight: 1, priority: 0, metadata: {} },
      { id: 'orders-10.0.0.2-80' },
    ]);
  });
});

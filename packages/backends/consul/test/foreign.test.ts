import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@sd/testkit';
import { ConsulServer, requireServer } from '../../../../tools/servers/index.ts';
import { instance, openBackend, openWatch } from './open-backend.ts';

describe.skipIf(!requireServer('consul'))('instances that others registered', () => {
  let server: ConsulServer;
  let services = 0;
  beforeAll(async () => {
    server = await ConsulServer.start({
      persistent: false,
      config: { node_meta: { zone: 'eu-1', region: 'eu' }, enable_script_checks: true },
    });
  });
  afterAll(() => server.stop());

  /** As any program does. @returns the name of the service */
  async function register(fields: Readonly<Record<string, unknown>>): Promise<string> {
    services += 1;
    const Name = `foreign-${services}`;
    await server.command('PUT', 'agent/service/register', { Name, ...fields });
    return Name;
  }
  const read = (service: string) => openBackend({ url: server.url }).getInstances(service);

  it('have the address of their node where they have none, its zone, and an id that says whose they are', async () => {
    const service = await register({ Port: 8080 });
    expect(await read(service)).toEqual([
      {
        service,
        id: `${server.node}:${service}`,
        host: '127.0.0.1',
        port: 8080,
        protocol: 'http',
        region: 'eu',
        zone: 'eu-1',
        weight: 1,
        priority: 0,
        tags: [],
        metadata: {},
        status: 'healthy',
        registeredAt: 0,
        updatedAt: 0,
      },
    ]);
  });

  it('are read as Spring Cloud Consul writes them', async () => {
    const service = await register({
      ID: 'orders-8443',
      Address: '10.1.2.3',
      Port: 8443,
      Tags: ['secure=true', 'contextPath=/api'],
      Meta: { secure: 'true', zone: 'eu-2', version: '2.0.1' },
    });
    const [found] = await read(service);
    expect(found).toMatchObject({
      id: `${server.node}:orders-8443`,
      host: '10.1.2.3',
      protocol: 'https',
      zone: 'eu-2',
      version: '2.0.1',
      tags: ['secure=true', 'contextPath=/api'],
      metadata: { secure: 'true', zone: 'eu-2', version: '2.0.1' },
    });
  });

  it('are read as Nomad writes them', async () => {
    const id = '_nomad-task-6a56e2c1-4a3f-group-web-orders-http';
    const service = await register({
      ID: id,
      Address: '10.1.2.4',
      Port: 23_456,
      Tags: ['traefik.http.routers.web.rule=Host(`a`) && PathPrefix(`/`)'],
      Meta: { 'external-source': 'nomad' },
      Weights: { Passing: 10, Warning: 2 },
      Checks: [{ Name: 'alive', TTL: '1h', Status: 'warning' }],
    });
    const [found] = await read(service);
    expect(found).toMatchObject({ id: `${server.node}:${id}`, weight: 2, status: 'degraded' });
  });

  it('stay visible as unhealthy when their checks fail, and as draining in maintenance', async () => {
    const service = await register({ ID: 'm', Port: 1, Check: { CheckID: 'm', TTL: '1h' } });
    const watch = await openWatch(openBackend({ url: server.url }), service);
    expect(watch.latest).toMatchObject([{ status: 'unhealthy' }]);

    await server.command('PUT', 'agent/check/pass/m');
    await watch.next(([found]) => found?.status === 'healthy', { timeoutMs: 2_000 });
    await server.command('PUT', 'agent/service/maintenance/m?enable=true');
    await watch.next(([found]) => found?.status === 'draining', { timeoutMs: 2_000 });
  });

  it('are told apart when they have one id at two nodes, and when it has characters of any kind', async () => {
    for (const Node of ['vm-1', 'vm/2']) {
      await server.command('PUT', 'catalog/register', {
        Node,
        Address: '10.9.0.1',
        NodeMeta: { zone: Node },
        Service: { Service: 'twins', ID: 'a b/ä@', Port: 80 },
      });
    }
    const found = await read('twins');
    expect(found.map(({ id }) => id).sort()).toEqual(['vm-1:a@20b@2f@c3@a4@40', 'vm@2f2:a@20b@2f@c3@a4@40']);
    expect(found.map(({ zone }) => zone).sort()).toEqual(['vm-1', 'vm/2']);
    expect(found.map(({ host }) => host)).toEqual(['10.9.0.1', '10.9.0.1']);
  });

  it('keep the tags that an instance can have, and are skipped where they have no port', async () => {
    const service = await register({ ID: 'x', Port: 1, Tags: ['', 'ok', 'x'.repeat(300)] });
    await server.command('PUT', 'agent/service/register', { Name: service, ID: 'job' });
    const backend = openBackend({ url: server.url });
    expect(await backend.getInstances(service)).toMatchObject([{ tags: ['ok'] }]);
    expect(backend.malformed.recent).toMatchObject([{ service, key: `${server.node}/job` }]);
  });

  it('see ours as an instance like any other', async () => {
    const backend = openBackend({ url: server.url });
    const ours = instance(1, { service: 'ours', weight: 7, tags: ['canary'], metadata: { team: 'a' } });
    const lease = await backend.register(ours, { ttl: 5_000 });
    const entryOf = async () => JSON.stringify(await server.command('GET', 'health/service/ours?passing'));
    expect(await entryOf()).toMatch(/"Tags":\["canary"\].*"team":"a".*"Weights":\{"Passing":7/);

    await lease.update({ ...ours, status: 'draining' });
    expect(await entryOf()).toBe('[]');
    expect(await backend.getInstances('ours')).toMatchObject([{ status: 'draining' }]);
    await lease.update(ours);
    await eventually(async () => expect(await entryOf()).toContain('"team":"a"'));
  });

  it('turn ours draining, not dead, when the whole node is in maintenance', async () => {
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1, { service: 'kept' }), { ttl: 5_000 });
    const watch = await openWatch(backend, 'kept');

    await server.command('PUT', 'agent/maintenance?enable=true');
    await watch.next(([found]) => found?.status === 'draining', { timeoutMs: 2_000 });
    await server.command('PUT', 'agent/maintenance?enable=false');
    await watch.next(([found]) => found?.status === 'healthy', { timeoutMs: 2_000, from: 2 });
    expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
  });

  it('keep ours in maintenance until they end it, whatever it publishes and whoever registers it again', async () => {
    const first = openBackend({ url: server.url });
    const ours = instance(1, { service: 'serviced' });
    const lease = await first.register(ours, { ttl: 5_000 });
    const maintain = (enable: boolean) =>
      server.command('PUT', `agent/service/maintenance/serviced:orders-1?enable=${enable}`);
    const idsOfChecks = async () =>
      [...(await server.listed('checks')).keys()].filter((id) => id.includes('serviced:'));
    await maintain(true);

    await lease.update({ ...ours, status: 'draining' });
    await lease.update({ ...ours, weight: 5 });
    expect(await first.getInstances('serviced')).toMatchObject([{ status: 'draining', weight: 5 }]);
    const second = openBackend({ url: server.url });
    await second.register(ours, { ttl: 5_000 });
    expect(await second.getInstances('serviced')).toMatchObject([{ status: 'draining', weight: 1 }]);
    await expect(lease.update(ours)).rejects.toMatchObject({ reason: 'replaced' });

    expect(await idsOfChecks()).toHaveLength(2); // that of maintenance, and that of the second process
    await maintain(false);
    expect(await second.getInstances('serviced')).toMatchObject([{ status: 'healthy' }]);
  });

  it('keep the checks that they added to ours', async () => {
    const backend = openBackend({ url: server.url });
    const all = Array.from({ length: 10 }, (_, n) => instance(n + 1, { service: 'watched' })); // of both kinds
    const leases = await Promise.all(all.map((each) => backend.register(each, { ttl: 5_000 })));
    for (const { id } of all) {
      const check = { Name: id, TTL: '1h', Status: 'warning', ServiceID: `watched:${id}` };
      await server.command('PUT', 'agent/check/register', check);
    }
    await Promise.all(leases.map((lease) => lease.update({ ...lease.instance, weight: 2 })));
    await Promise.all(all.map((each) => backend.register({ ...each, weight: 3 }, { ttl: 5_000 })));
    const expected = all.map(() => ({ status: 'degraded', weight: 3 }));
    expect(await backend.getInstances('watched')).toMatchObject(expected);
  });
});

import { credentials, Metadata, status } from '@grpc/grpc-js';
import { ConfigValidationError } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { eventually, silentLogger } from '@sd/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrpcNameTakenError, registerGrpc } from '../src/index.ts';
import { connected, inTurn, startOrders, tally } from './fixture.ts';
import { OrdersClient } from './orders-client.ts';

function makeDiscovery(): DiscoveryClient {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const discovery = new DiscoveryClient({ backend, logger: silentLogger });
  onTestFinished(async () => {
    await discovery.close();
    await backend.close();
  });
  return discovery;
}

function connectTo(target: string, options = {}): OrdersClient {
  const client = new OrdersClient(target, credentials.createInsecure(), {
    'grpc.enable_http_proxy': 0,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

describe('registerGrpc()', () => {
  it('has a name for each DiscoveryClient, so that a process may have several', async () => {
    const [one, two] = [await startOrders({ handlers: [{}] }), await startOrders({ handlers: [{}] })];

    expect(await one.client.get()).toBe(String(one.instances[0]?.port));
    expect(await two.client.get()).toBe(String(two.instances[0]?.port));
  });

  it('needs no name, and takes none twice', () => {
    const discovery = makeDiscovery();
    const registration = registerGrpc({ discovery });

    expect(registration.target('orders')).toBe('sd:///orders');
    expect(() => registerGrpc({ discovery })).toThrow(GrpcNameTakenError);
    registration.close();
    registration.close();
    registerGrpc({ discovery }).close();
  });

  it.each([
    [{ name: 'no/slash' }, 'name'],
    [{ strategy: 'fastest' }, 'strategy'],
    [{ connectTimeoutMs: 0 }, 'connectTimeoutMs'],
    [{ keyMetadata: 'User Id' }, 'keyMetadata'],
    [{ tiemout: 1 }, 'tiemout'],
  ])('refuses %o', (wrong, field) => {
    expect(() => registerGrpc({ discovery: makeDiscovery(), ...wrong })).toThrow(
      expect.objectContaining({ code: 'ERR_SD_CONFIG', field }),
    );
  });

  it('refuses a target that names no service', () => {
    const registration = registerGrpc({ discovery: makeDiscovery(), name: 'nameless' });
    onTestFinished(() => registration.close());
    expect(() => connectTo('sd://nameless/no such name')).toThrow(ConfigValidationError);
  });
});

describe('a name that is not registered', () => {
  it('fails calls with what to do', async () => {
    registerGrpc({ discovery: makeDiscovery(), name: 'closed' }).close();
    await expect(connectTo('sd://closed/orders').get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('Call registerGrpc({ discovery, name: "closed" }) first.') as string,
    });
  });

  it('any more: open channels keep what they know', async () => {
    const { client, registration, instances } = await startOrders({ handlers: [{}] });
    await client.get();

    registration.close();

    expect(await client.get()).toBe(String(instances[0]?.port));
  });
});

describe('the policy', () => {
  it('has the strategy of the registration, or that of the service config', async () => {
    const config = { loadBalancingConfig: [{ sd: { strategy: 'ring-hash', keyMetadata: 'user' } }] };
    const { client } = await startOrders({
      handlers: [{}, {}, {}],
      registration: { strategy: 'random' },
      channel: { 'grpc.service_config': JSON.stringify(config) },
    });

    // Until the instance that the key belongs to is connected, others answer.
    await eventually(async () => {
      const answers = await inTurn(10, () => client.get('7', { metadata: user('ann') }));
      expect(tally(answers).size).toBe(1);
    });
  });

  it('sends what has the same key in its metadata to the same instance', async () => {
    const { client } = await startOrders({
      handlers: [{}, {}, {}],
      registration: { strategy: 'rendezvous', keyMetadata: 'user' },
    });
    const ask = (name: string) => inTurn(5, () => client.get('7', { metadata: user(name) }));

    await eventually(async () => {
      const homes = [await ask('ann'), await ask('bob'), await ask('cid')];
      expect(homes.map((answers) => tally(answers).size)).toEqual([1, 1, 1]);
    });
  });

  it('has only the instances that the filter lets through', async () => {
    const { client, add } = await startOrders({
      handlers: [{}],
      registration: { filter: { zone: 'here' } },
    });
    const { port } = await add({}, { zone: 'here' });

    await eventually(async () =>
      expect(new Set(await inTurn(5, () => client.get()))).toEqual(new Set([String(port)])),
    );
  });

  it('fails calls when its config is wrong, where grpc-js would take another policy', async () => {
    const config = { loadBalancingConfig: [{ sd: { strategy: 'fastest' } }] };
    const { client } = await startOrders({ channel: { 'grpc.service_config': JSON.stringify(config) } });
    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('"strategy" is "fastest"') as string,
    });
  });

  it('leaves other policies their work', async () => {
    const config = { loadBalancingConfig: [{ round_robin: {} }] };
    const { client } = await startOrders({
      handlers: [{}, {}],
      channel: { 'grpc.service_config': JSON.stringify(config) },
    });
    await connected(client, 2);
  });

  it('needs a target of sd', async () => {
    const { instances } = await startOrders();
    const config = { loadBalancingConfig: [{ sd: {} }] };
    const client = connectTo(`127.0.0.1:${instances[0]?.port}`, {
      'grpc.service_config': JSON.stringify(config),
    });
    await expect(client.get()).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: 'The load balancing policy "sd" works with targets like sd:///orders alone.',
    });
  });
});

function user(name: string): Metadata {
  const metadata = new Metadata();
  metadata.set('user', name);
  return metadata;
}

import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { ServiceClient } from '@sd/client';
import type { DiscoveryBackend } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { ServiceRegistry } from '@sd/registry';
import { describe, expect, it } from 'vitest';
import {
  DiscoveryModule,
  getServiceClientToken,
  InjectDiscoveryClient,
  InjectServiceClient,
  InjectServiceRegistry,
  SdRuntime,
} from '../src/index.ts';
import { hasty, makeApp, makeBackend, makeOrders } from './fixture.ts';

@Injectable()
class Shop {
  @InjectServiceClient('orders') readonly again!: ServiceClient;

  constructor(
    @InjectServiceClient('orders') readonly orders: ServiceClient,
    @InjectDiscoveryClient() readonly discovery: DiscoveryClient,
    @InjectServiceRegistry() readonly registry: ServiceRegistry,
  ) {}
}

@Module({ imports: [DiscoveryModule.forFeature(['orders'])], providers: [Shop] })
class ShopModule {}

@Module({})
class PartA {}

@Module({})
class PartB {}

describe('a feature module', () => {
  it('has the clients that it names, and what the root provides', async () => {
    const backend = makeBackend();
    const orders = await makeOrders({ backend });
    await orders.listen(0, '127.0.0.1');
    const app = await makeApp({ imports: [DiscoveryModule.forRoot({ backend, ...hasty }), ShopModule] });
    await app.init();

    const shop = app.get(Shop);

    expect(shop.again).toBe(shop.orders);
    expect(shop.discovery).toBe(app.get(DiscoveryClient));
    expect(shop.registry).toBe(app.get(ServiceRegistry));
    expect(await shop.orders.get('/orders/7').json()).toEqual({ id: '7' });
  });

  it('gets its options over those that all clients have', async () => {
    const backend = makeBackend();
    const orders = await makeOrders({ backend });
    await orders.listen(0, '127.0.0.1');
    const feature = DiscoveryModule.forFeature([{ service: 'orders', basePath: '/orders' }]);
    const root = DiscoveryModule.forRoot({ backend, client: { basePath: '/nowhere' } });
    const app = await makeApp({ imports: [root, feature] });
    const client = app.get<ServiceClient>(getServiceClientToken('orders'), { strict: false });
    expect(await client.get('/7').json()).toEqual({ id: '7' });
  });

  it('that does not name a client cannot have it, and Nest says which', async () => {
    @Module({ providers: [Shop] })
    class Forgetful {}
    const imports = [DiscoveryModule.forRoot({ backend: makeBackend() }), Forgetful];
    await expect(makeApp({ imports })).rejects.toThrow('sd:ServiceClient:orders');
  });

  it('needs a root', async () => {
    const imports = [DiscoveryModule.forFeature(['orders'])];
    await expect(makeApp({ imports })).rejects.toThrow('SdRuntime');
  });
});

describe('a root', () => {
  it('may provide clients itself', async () => {
    const root = DiscoveryModule.forRoot({ backend: makeBackend(), clients: ['orders'] });
    const app = await makeApp({ imports: [root], providers: [Shop] });
    expect(app.get(Shop).orders.service).toBe('orders');
  });

  it('is seen only by who imports it, when it is not global', async () => {
    @Module({ providers: [Shop] })
    class Elsewhere {}
    const options = { backend: makeBackend(), clients: ['orders'] };
    const local = DiscoveryModule.forRoot({ ...options, isGlobal: false });
    const app = await makeApp({ imports: [local], providers: [Shop] });
    expect(app.get(Shop).orders.service).toBe('orders');
    await expect(makeApp({ imports: [local, Elsewhere] })).rejects.toThrow('sd:ServiceClient:orders');
    const global = DiscoveryModule.forRoot(options);
    await expect(makeApp({ imports: [global, Elsewhere] })).resolves.toBeDefined();
  });

  it('takes its options from other providers', async () => {
    const backend = makeBackend();
    @Injectable()
    class Config {
      readonly service = 'orders';
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    const root = DiscoveryModule.forRootAsync({
      imports: [ConfigModule],
      inject: [Config],
      useFactory: async ({ service }: Config) => ({ backend, service, ...hasty }),
      clients: ['users'],
    });
    const app = await makeApp({ imports: [root] });
    await app.listen(0, '127.0.0.1');
    expect(app.get<ServiceClient>(getServiceClientToken('users')).service).toBe('users');
    await app.close();
  });

  it('takes a backend that only reads; its registry then refuses to register', async () => {
    const backend = makeBackend();
    const { name, malformed } = backend;
    const readOnly = {
      name,
      malformed,
      listServices: () => backend.listServices(),
      getInstances: (service: string) => backend.getInstances(service),
      watch: (service: string, options: { signal: AbortSignal }) => backend.watch(service, options),
      close: () => backend.close(),
      [Symbol.asyncDispose]: () => backend.close(),
    };
    const app = await makeApp({ imports: [DiscoveryModule.forRoot({ backend: readOnly })] });
    expect(await app.get(DiscoveryClient).services()).toEqual([]);
    await expect(app.get(ServiceRegistry).register({ service: 'orders', port: 1 })).rejects.toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'backend',
    });
  });
});

describe('a wrong option is named:', () => {
  const backend = makeBackend;

  it.each([
    // @ts-expect-error -- it needs one
    ['no backend', () => DiscoveryModule.forRoot({}), 'backend'],
    // @ts-expect-error -- no such option
    ['an unknown option', () => DiscoveryModule.forRoot({ backend: backend(), servce: 'x' }), 'servce'],
    ['an empty name', () => DiscoveryModule.forRoot({ backend: backend(), service: '' }), 'service'],
    ['an unknown field', () => DiscoveryModule.forRoot({ backend: backend(), service: weighty }), 'wait'],
    ['a name that is none', () => DiscoveryModule.forFeature(['a/b']), 'service'],
    ['an option of a client', () => DiscoveryModule.forFeature([{ service: 'a', retries: -1 }]), 'retries'],
    [
      'a backend that only reads',
      () => DiscoveryModule.forRoot({ backend: readOnly(), service: 'orders' }),
      'backend',
    ],
    // @ts-expect-error -- it needs a list
    ['no list of clients', () => DiscoveryModule.forFeature('orders'), 'clients'],
    // @ts-expect-error -- it needs one
    ['no factory', () => DiscoveryModule.forRootAsync({}), 'useFactory'],
    [
      'a service beside the factory',
      // @ts-expect-error -- it is what the factory returns
      () => DiscoveryModule.forRootAsync({ useFactory, service: 'a' }),
      'service',
    ],
    [
      'what acts on signals beside Nest',
      // @ts-expect-error -- Nest has enableShutdownHooks()
      () => DiscoveryModule.forRoot({ backend: backend(), registry: { shutdownSignals: ['SIGTERM'] } }),
      'registry',
    ],
    ['a name to inject', () => InjectServiceClient(''), 'service'],
  ])('%s', (_what, make, field) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SD_CONFIG', field }));
  });

  it('an option that comes later', async () => {
    const root = DiscoveryModule.forRootAsync({ useFactory: () => ({ backend: backend(), service: 'a/b' }) });
    await expect(makeApp({ imports: [root] })).rejects.toMatchObject({ code: 'ERR_SD_CONFIG' });
  });

  it('clients that come too late to be provided', async () => {
    const late = { backend: backend(), clients: ['users'] };
    const root = DiscoveryModule.forRootAsync({ useFactory: () => late });
    await expect(makeApp({ imports: [root] })).rejects.toMatchObject({ field: 'clients' });
  });

  it('the registration of an app that is no service', async () => {
    const app = await makeApp({ imports: [DiscoveryModule.forRoot({ backend: backend() })] });
    await app.init();
    await expect(app.get(SdRuntime).registration).rejects.toMatchObject({ field: 'service' });
  });
});

it('modules whose clients have other options are others, also where Nest tells them by what is in them', async () => {
  const tenantOf = (tenant: string) => ({ service: 'users', headers: { tenant } });
  const seen = (token: string) => ({
    provide: token,
    inject: [getServiceClientToken('users')],
    useFactory: (client: ServiceClient) => client,
  });
  const partOf = (tenant: string): DynamicModule => ({
    module: tenant === 'a' ? PartA : PartB,
    imports: [DiscoveryModule.forFeature([tenantOf(tenant)])],
    providers: [seen(tenant)],
    exports: [tenant],
  });
  const root = DiscoveryModule.forRoot({ backend: makeBackend() });
  const imports = [root, partOf('a'), partOf('b')];
  const app = await makeApp({ imports }, new ExpressAdapter(), { moduleIdGeneratorAlgorithm: 'deep-hash' });
  expect(app.get('a', { strict: false })).not.toBe(app.get('b', { strict: false }));
});

const useFactory = () => ({ backend: makeBackend() });

const readOnly = (): DiscoveryBackend =>
  new Proxy(makeBackend(), { has: (backend, key) => key !== 'register' && key in backend });

const weighty = { service: 'orders', wait: 1 };

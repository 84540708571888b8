import { Controller, Get } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { BackendUnavailableError } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { expect, it } from 'vitest';
import { DiscoveryModule, SdHealthIndicator, SdRuntime } from '../src/index.ts';
import { hasty, makeApp, makeBackend, makeOrders } from './fixture.ts';

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly services: SdHealthIndicator,
  ) {}

  @Get()
  check() {
    return this.health.check([() => this.services.isHealthy('shop', 'orders')]);
  }
}

async function makeProbed(backend = makeBackend()) {
  const imports = [DiscoveryModule.forRoot({ backend, ...hasty }), TerminusModule.forRoot({ logger: false })];
  const app = await makeApp({ imports, controllers: [HealthController] });
  await app.listen(0, '127.0.0.1');
  return { backend, app, probe: async () => fetch(`${await app.getUrl()}/health`) };
}

it('Terminus says up while an instance takes requests', async () => {
  const { backend, probe } = await makeProbed();
  const orders = await makeOrders({ backend });
  await orders.listen(0, '127.0.0.1');
  await orders.get(SdRuntime).registration;
  const response = await probe();
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    status: 'ok',
    details: { shop: { status: 'up', ready: 1, known: 1, stale: false } },
  });
});

it('Terminus says down, with 503, when none does', async () => {
  const { probe } = await makeProbed();
  const response = await probe();
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    status: 'error',
    error: { shop: { status: 'down', ready: 0, known: 0 } },
  });
});

it('the key is the name of the service, unless it is said', async () => {
  const { app } = await makeProbed();
  expect(await app.get(SdHealthIndicator).isHealthy('orders')).toEqual({
    orders: { status: 'down', ready: 0, known: 0, stale: false },
  });
});

it('a service that an operator has taken out is down', async () => {
  const { backend, app } = await makeProbed();
  const orders = await makeOrders({ backend });
  await orders.listen(0, '127.0.0.1');
  await orders.get(SdRuntime).registration;
  const indicator = app.get(SdHealthIndicator);
  expect(await indicator.isHealthy('orders')).toMatchObject({ orders: { status: 'up' } });
  app.get(DiscoveryClient).isolate('orders');
  expect(await indicator.isHealthy('orders')).toEqual({
    orders: { status: 'down', message: 'The circuit breaker of "orders" is isolated' },
  });
});

it('only the first look at a service waits for the store', async () => {
  let looks = 0;
  const getInstances = () => {
    looks += 1;
    return Promise.reject(new BackendUnavailableError('memory', 'no snapshot within 10000 ms'));
  };
  const view = {
    service: 'orders',
    state: 'connecting',
    instances: [],
    since: 0,
    held: 0,
    error: undefined,
  } as const;
  const orders = { service: 'orders', view, outOfSyncMs: 0, breaker: 'closed', retriesLeft: 0 } as const;
  const indicator = new SdHealthIndicator({ getInstances, endpoints: () => [], inUse: () => [orders] });
  for (let time = 0; time < 3; time += 1) {
    expect(await indicator.isHealthy('orders')).toMatchObject({ orders: { status: 'down' } });
  }
  expect(looks).toBe(1);
});

it('a store that does not answer is down with its reason, and a name that is none a mistake', async () => {
  const { app } = await makeProbed();
  const error = new BackendUnavailableError('memory', 'gone');
  const lost = { getInstances: () => Promise.reject(error), endpoints: () => [], inUse: () => [] };
  expect(await new SdHealthIndicator(lost).isHealthy('orders')).toEqual({
    orders: { status: 'down', message: error.message },
  });
  await expect(app.get(SdHealthIndicator).isHealthy('a/b')).rejects.toMatchObject({ code: 'ERR_SD_CONFIG' });
});

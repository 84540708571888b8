import 'reflect-metadata';
import {
  Controller,
  Get,
  Module,
  Param,
  type ModuleMetadata,
  type NestApplicationOptions,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ServiceClient } from '@sd/client';
import { DiscoveryClient } from '@sd/discovery';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { onTestFinished } from 'vitest';
import { DiscoveryModule, type DiscoveryModuleOptions } from '../src/index.ts';

export const adapters = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
] as const;

/** A store of its own, which ends with the test. */
export function makeBackend(): MemoryBackend {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  onTestFinished(() => backend.close());
  return backend;
}

/** Somebody outside of the app who calls "orders". */
export function makeConsumer(backend: MemoryBackend): ServiceClient {
  const discovery = new DiscoveryClient({ backend });
  const client = new ServiceClient({ service: 'orders', discovery });
  onTestFinished(async () => {
    await client.close();
    await discovery.close();
  });
  return client;
}

@Controller('orders')
export class OrdersController {
  @Get(':id')
  find(@Param('id') id: string): { id: string } {
    return { id };
  }
}

/** Drains without giving consumers time to hear of it. */
export const hasty: Pick<DiscoveryModuleOptions, 'registry'> = { registry: { drain: { propagationMs: 0 } } };

// eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- its options are a class in name only
export const quiet: NestApplicationOptions = { logger: false, abortOnError: false };

/** An app of these modules that closes when the test ends; it does not listen yet. */
export async function makeApp(
  metadata: ModuleMetadata,
  adapter: ExpressAdapter | FastifyAdapter = new ExpressAdapter(),
  options: Pick<NestApplicationOptions, 'moduleIdGeneratorAlgorithm'> = {},
) {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.create(AppModule, adapter, Object.assign(options, quiet));
  onTestFinished(() => app.close());
  return app;
}

/** An app that is the service "orders". */
export function makeOrders(options: DiscoveryModuleOptions, adapter?: ExpressAdapter | FastifyAdapter) {
  const imports = [
    DiscoveryModule.forRoot({ service: { service: 'orders', host: '127.0.0.1' }, ...hasty, ...options }),
  ];
  return makeApp({ imports, controllers: [OrdersController] }, adapter);
}
